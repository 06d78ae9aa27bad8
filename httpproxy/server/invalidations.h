// SPDX-License-Identifier: Apache-2.0
//
// Invalidations: since when the responses of a target may be used, after a request that changed it
// (RFC 9111, 4.4). Taking the stored response out is not enough: variants under other keys, a fetch
// that was under way, and other proxies' copies would bring the old state back.
//
// A mark lives for a day, and no longer than kPerShard younger ones of its shard: beyond, only
// freshness bounds how old those may be.
//
// One per proxy, shared by its loops. Threads: any. A target without a mark costs no lock as long
// as its shard has none.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>

#include "base/instant.h"
#include "httpproxy/core/cache_key.h"
#include "httpproxy/server/expiring_map.h"

namespace reef::http {

class Invalidations {
 public:
  static constexpr size_t kPerShard = 512;

  // `primary`: the target's key, without variants.
  void Add(const CacheKey& primary, Instant now, WallTime wall);
  // What was asked for before is not to be used; WallTime{}: nothing is known.
  WallTime Since(const CacheKey& primary, Instant now);

 private:
  struct alignas(64) Shard {
    std::atomic<size_t> size{0};
    std::mutex mutex;
    ExpiringMap<CacheKey, WallTime> marks{kPerShard};  // guarded by mutex
  };
  Shard& ShardOf(const CacheKey& key) { return shards_[key.Bits() % shards_.size()]; }

  std::array<Shard, 64> shards_;
};

}  // namespace reef::http
