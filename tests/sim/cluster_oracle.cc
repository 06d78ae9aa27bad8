// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/cluster_oracle.h"

#include <map>
#include <numeric>
#include <span>
#include <utility>

#include "base/check.h"

namespace reef::sim {
namespace {

constexpr int kRoundsMax = 100;

// Every node in a cluster, and how many of each cluster's members are within each node's reach.
class FullKnowledge {
 public:
  FullKnowledge(size_t nodes, const RttOf& rtt, const OracleRule& rule)
      : nodes_(nodes),
        rule_(rule),
        within_(nodes * nodes),
        cluster_(nodes),
        size_(nodes, 1),
        near_(nodes * nodes) {
    std::iota(cluster_.begin(), cluster_.end(), 0U);
    for (size_t a = 0; a < nodes; ++a) {
      for (size_t b = 0; b < nodes; ++b) {
        within_[a * nodes + b] = a != b && rtt(a, b) <= rule.diameter;
        near_[a * nodes + b] = within_[a * nodes + b];  // each alone
      }
    }
  }

  // True if the node has moved.
  bool Review(size_t node) {
    const uint32_t own = cluster_[node];
    uint32_t best = own;
    if (IsBad(node)) best = EmptyCluster();
    for (uint32_t other = 0; other < nodes_; ++other) {
      if (other == own || size_[other] == 0) continue;
      const double share = static_cast<double>(NearOf(node, other)) / size_[other];
      if (share < rule_.acceptable_share) continue;
      const bool larger = size_[other] > size_[best];
      // Of two alike the one of the lower number, so that the two do not change places for ever.
      if (larger || (size_[other] == size_[best] && other < best)) best = other;
    }
    if (best == own) return false;
    Move(node, best);
    return true;
  }

  Partition TakePartition() { return std::move(cluster_); }

 private:
  uint16_t& NearOf(size_t node, uint32_t cluster) { return near_[node * nodes_ + cluster]; }

  bool IsBad(size_t node) {
    const uint32_t own = cluster_[node];
    if (size_[own] < 2) return false;
    const double share = static_cast<double>(NearOf(node, own)) / (size_[own] - 1);
    return share <= 1 - rule_.violations_share;
  }

  uint32_t EmptyCluster() const {
    for (uint32_t i = 0; i < nodes_; ++i) {
      if (size_[i] == 0) return i;
    }
    REEF_CHECK(false) << "a node is in two clusters";
    return 0;
  }

  void Move(size_t node, uint32_t to) {
    const uint32_t from = cluster_[node];
    --size_[from];
    ++size_[to];
    cluster_[node] = to;
    for (size_t other = 0; other < nodes_; ++other) {
      if (!within_[other * nodes_ + node]) continue;
      --NearOf(other, from);
      ++NearOf(other, to);
    }
  }

  const size_t nodes_;
  const OracleRule rule_;
  std::vector<uint8_t> within_;
  Partition cluster_;
  std::vector<uint32_t> size_;
  std::vector<uint16_t> near_;
};

double PairsOf(double count) {
  return count * (count - 1) / 2;
}

}  // namespace

Partition IdealClusters(size_t nodes, const RttOf& rtt, const OracleRule& rule, Rng rng) {
  REEF_CHECK(nodes <= UINT16_MAX);
  FullKnowledge known(nodes, rtt, rule);
  std::vector<size_t> order(nodes);
  std::iota(order.begin(), order.end(), size_t{0});
  bool moved = true;
  for (int round = 0; moved && round < kRoundsMax; ++round) {
    rng.Shuffle(std::span(order));
    moved = false;
    for (const size_t node : order) moved |= known.Review(node);
  }
  REEF_CHECK(!moved) << "it does not come to rest";
  return known.TakePartition();
}

double AdjustedRandIndex(const Partition& a, const Partition& b) {
  REEF_CHECK(a.size() == b.size() && a.size() > 1);
  std::map<std::pair<uint32_t, uint32_t>, double> both;
  std::map<uint32_t, double> in_a;
  std::map<uint32_t, double> in_b;
  for (size_t i = 0; i < a.size(); ++i) {
    ++both[{a[i], b[i]}];
    ++in_a[a[i]];
    ++in_b[b[i]];
  }
  double together = 0;
  double together_a = 0;
  double together_b = 0;
  for (const auto& [cluster, count] : both) together += PairsOf(count);
  for (const auto& [cluster, count] : in_a) together_a += PairsOf(count);
  for (const auto& [cluster, count] : in_b) together_b += PairsOf(count);
  const double by_chance = together_a * together_b / PairsOf(static_cast<double>(a.size()));
  const double most = (together_a + together_b) / 2;
  return most == by_chance ? 1 : (together - by_chance) / (most - by_chance);
}

PartitionQuality QualityOf(const Partition& partition, const RttOf& rtt, Duration diameter) {
  std::map<uint32_t, std::vector<size_t>> members;
  for (size_t node = 0; node < partition.size(); ++node) members[partition[node]].push_back(node);
  PartitionQuality quality;
  quality.clusters = members.size();
  double pairs = 0;
  double within = 0;
  for (const auto& [cluster, nodes] : members) {
    const auto size = static_cast<double>(nodes.size());
    quality.mean_size += size * size / static_cast<double>(partition.size());
    pairs += PairsOf(size);
    for (size_t i = 0; i < nodes.size(); ++i) {
      for (size_t j = 0; j < i; ++j) within += rtt(nodes[i], nodes[j]) <= diameter;
    }
  }
  if (pairs > 0) quality.pairs_within = within / pairs;
  return quality;
}

}  // namespace reef::sim
