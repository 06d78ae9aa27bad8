// SPDX-License-Identifier: Apache-2.0
//
// FanOut: how many other proxies read one filling object from this node, and which of them have its
// head by now. At most `readers_max` at once; a further one is told of those, so that a tree forms
// and no uplink carries the whole crowd (docs/claim.md, rule 13). Complete objects are not counted.
//
// One per proxy, shared by its loops. Every method from any thread; one short lock, taken for peer
// requests only.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "base/endpoint.h"
#include "httpproxy/core/cache_key.h"

namespace reef::http {

class FanOut {
 public:
  static constexpr size_t kNamedMax = 4;

  explicit FanOut(size_t readers_max) : readers_max_(readers_max) {}

  // A reader's place, given back when destroyed. Must not outlive the FanOut.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept;
    Place& operator=(Place&& other) noexcept;
    ~Place() { Leave(); }

    // The reader has been sent the head: others may be pointed to it.
    void HeadSent();
    void Leave();
    explicit operator bool() const { return fan_out_ != nullptr; }

   private:
    friend class FanOut;
    FanOut* fan_out_ = nullptr;
    CacheKey key_;
    uint64_t id_ = 0;
  };

  // `reader`: where its own proxy listens. nullopt: full; `try_instead` then names up to kNamedMax
  // readers that have the head, others at each call.
  std::optional<Place> Enter(const CacheKey& key, const Endpoint& reader,
                             std::vector<Endpoint>& try_instead);

 private:
  struct Reader {
    uint64_t id = 0;
    Endpoint endpoint;
    bool has_head = false;
  };

  void MarkHead(const CacheKey& key, uint64_t id);
  void Remove(const CacheKey& key, uint64_t id);

  const size_t readers_max_;
  std::mutex mutex_;
  std::map<CacheKey, std::vector<Reader>> readers_;  // guarded by mutex_
  uint64_t next_id_ = 1;                             // guarded by mutex_
  uint64_t turn_ = 0;                                // guarded by mutex_
};

}  // namespace reef::http
