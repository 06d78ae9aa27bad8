// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/population.h"

#include <algorithm>
#include <span>

namespace reef::sim {
namespace {

using dsht::Id;
using dsht::NodeId;

void SetLeading64(Id& id, uint64_t value) {
  for (size_t i = 0; i < 8; ++i) id.bytes[i] = static_cast<uint8_t>(value >> (56 - 8 * i));
}

}  // namespace

Id RandomId(Rng& rng) {
  Id id;
  for (uint8_t& byte : id.bytes) byte = static_cast<uint8_t>(rng.Next() >> 56);
  return id;
}

std::vector<NodeId> RandomIds(size_t count, Rng& rng) {
  std::vector<NodeId> ids;
  while (ids.size() < count) ids.push_back(RandomId(rng));
  return ids;
}

std::vector<NodeId> BalancedIds(size_t count, Rng& rng) {
  std::vector<NodeId> ids = RandomIds(count, rng);
  const uint64_t step = ~uint64_t{0} / count;
  for (size_t i = 0; i < count; ++i) SetLeading64(ids[i], step * i + step / 2);
  rng.Shuffle(std::span(ids));
  return ids;
}

void StartAcquainted(World& world, size_t per_bucket) {
  std::vector<NodeIndex> by_id(world.size());
  for (NodeIndex i = 0; i < by_id.size(); ++i) {
    world.Start(i);
    by_id[i] = i;
  }
  const auto less = [&](NodeIndex a, NodeIndex b) { return world.IdOf(a) < world.IdOf(b); };
  std::sort(by_id.begin(), by_id.end(), less);
  Rng rng = world.rng().Fork();
  for (size_t self = 0; self < by_id.size(); ++self) {
    // Those who share the first `bits` bits with self are one run in the order of ids; the ones at
    // that distance are the part of it that differs in the next bit.
    size_t first = 0;
    size_t last = by_id.size();
    for (int bits = 0; last - first > 1; ++bits) {
      const auto one = std::partition_point(by_id.begin() + static_cast<ptrdiff_t>(first),
                                            by_id.begin() + static_cast<ptrdiff_t>(last),
                                            [&](NodeIndex i) { return !world.IdOf(i).Bit(bits); });
      const size_t middle = static_cast<size_t>(one - by_id.begin());
      const bool upper = world.IdOf(by_id[self]).Bit(bits);
      const size_t from = upper ? first : middle;
      const size_t to = upper ? middle : last;
      std::vector<NodeIndex> others(by_id.begin() + static_cast<ptrdiff_t>(from),
                                    by_id.begin() + static_cast<ptrdiff_t>(to));
      for (size_t picked = 0; picked < per_bucket && picked < others.size(); ++picked) {
        std::swap(others[picked], others[picked + rng.Below(others.size() - picked)]);
        world.Acquaint(by_id[self], others[picked]);
      }
      (upper ? first : last) = middle;
    }
  }
}

std::vector<NodeIndex> ClosestTo(const World& world, const dsht::Key& key, size_t count) {
  std::vector<NodeIndex> up;
  for (NodeIndex i = 0; i < world.size(); ++i) {
    if (world.IsUp(i)) up.push_back(i);
  }
  count = std::min(count, up.size());
  std::partial_sort(
      up.begin(), up.begin() + static_cast<ptrdiff_t>(count), up.end(),
      [&](NodeIndex a, NodeIndex b) { return dsht::Closer(key, world.IdOf(a), world.IdOf(b)); });
  up.resize(count);
  return up;
}

}  // namespace reef::sim
