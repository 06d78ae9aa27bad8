// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/invalidations.h"

namespace reef::http {
namespace {

constexpr auto kMarkLife = std::chrono::hours(24);

}  // namespace

void Invalidations::Add(const CacheKey& primary, Instant now, WallTime wall) {
  Shard& shard = ShardOf(primary);
  const std::lock_guard lock(shard.mutex);
  shard.marks.Set(primary, wall, now + kMarkLife);
  shard.size.store(shard.marks.size(), std::memory_order_release);
}

WallTime Invalidations::Since(const CacheKey& primary, Instant now) {
  Shard& shard = ShardOf(primary);
  if (shard.size.load(std::memory_order_acquire) == 0) return {};
  const std::lock_guard lock(shard.mutex);
  const WallTime* const mark = shard.marks.Find(primary, now);
  if (mark != nullptr) return *mark;
  shard.size.store(shard.marks.size(), std::memory_order_release);
  return {};
}

}  // namespace reef::http
