// SPDX-License-Identifier: Apache-2.0
//
// FillMetrics: what the fillers of a node count, as metrics (docs/metrics.md). One per filler, over
// counters that all of them share. Any thread.
#pragma once

#include <array>
#include <cstdint>

#include "base/runtime/metrics.h"
#include "httpproxy/core/fetch.h"

namespace reef::http {

// Where bytes came from.
enum class FillSource : uint8_t { kOrigin, kPeerL0, kPeerL1, kPeerL2 };
inline constexpr size_t kFillSourceCount = 4;
// "origin", "peer-l0" ...: also the detail of Cache-Status.
const char* FillSourceName(FillSource source);
FillSource PeerSource(int level);

class FillMetrics {
 public:
  explicit FillMetrics(Metrics& metrics);

  void CountEnd(FillSource source, FetchAction::Finish end);
  void CountBytes(FillSource source, uint64_t bytes) {
    bytes_[static_cast<size_t>(source)]->Add(bytes);
  }
  void CountClaim(ClaimResult::Kind answer, Duration took);
  void CountCollapsed() { collapsed_.Add(); }
  void CountRevalidated() { revalidated_.Add(); }
  void CountRemembered() { remembered_.Add(); }
  void CountAlone() { alone_.Add(); }
  void Add(const Fetch::Stats& stats);

 private:
  std::array<std::array<Counter*, 5>, kFillSourceCount> ends_;
  std::array<Counter*, kFillSourceCount> bytes_;
  std::array<Counter*, 4> claims_;
  std::array<Counter*, 9> events_;
  Counter& collapsed_;
  Counter& revalidated_;
  Counter& remembered_;
  Counter& alone_;
  Histogram& claim_seconds_;
};

}  // namespace reef::http
