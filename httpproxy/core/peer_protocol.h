// SPDX-License-Identifier: Apache-2.0
//
// What proxies say to each other in HTTP beyond HTTP (docs/claim.md, "Between proxies").
//
// A proxy asks a holder with an ordinary GET of the coralised name (Host: HOST.PORT.ZONE), with
// `Cache-Control: only-if-cached` and `Reef-Peer`. The holder answers
//   200/206 ...   the object, cut-through: it may still be filling. Age and Cache-Status are kept.
//   102           every 500 ms while it has no response head yet itself: "alive, wait".
//   504 + Reef-Answer: not-held
//   503 + Reef-Answer: busy; try="ADDRESS:PORT ADDRESS:PORT"   fan-out reached; those have the head
//   504 + Reef-Answer: order                  waiting here could close a cycle (rule 12)
//   504 + Reef-Answer: uncacheable            fetch for yourself, tell nobody
//   502/503/504 with Reef-Answer: failed      the holder's own fetch failed; Proxy-Status says why
// A body that ends early is shown by closing the connection, never by a clean end.
//
// Free functions over values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/endpoint.h"

namespace reef::http {

inline constexpr std::string_view kPeerField = "Reef-Peer";
inline constexpr std::string_view kAnswerField = "Reef-Answer";

// Reef-Peer: v=1; rank=3; have=0; head=0; node=<hex>; at=ADDRESS:PORT
// An unknown parameter is ignored, so that a later version can add some.
struct PeerAsk {
  int version = 1;
  int rank = 3;           // of the asker's attempt: 0 leads the world, 3 leads nothing
  uint64_t have = 0;      // bytes it holds already
  bool has_head = false;  // it has shown its readers a head: 0 bytes then are more than none
  std::string node;       // hex id of the asker
  Endpoint endpoint{};  // where the asker's own proxy listens: named to others once it has the head

  friend bool operator==(const PeerAsk&, const PeerAsk&) = default;
};

struct PeerAnswer {
  enum class What { kNotHeld, kBusy, kOrder, kUncacheable, kFailed };
  What what = What::kNotHeld;
  std::vector<Endpoint> try_instead;  // kBusy: at most 4

  friend bool operator==(const PeerAnswer&, const PeerAnswer&) = default;
};

// A value from another proxy is foreign: nullopt if it is malformed in any way.
std::string WritePeerAsk(const PeerAsk& ask);
std::optional<PeerAsk> ParsePeerAsk(std::string_view value);
std::string WritePeerAnswer(const PeerAnswer& answer);
std::optional<PeerAnswer> ParsePeerAnswer(std::string_view value);

}  // namespace reef::http
