// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/network.h"

#include <algorithm>

namespace reef::sim {

Network::Network(Topology topology, Rng rng)
    : topology_(std::move(topology)), rng_(rng), parts_(topology_.size(), 0) {}

std::optional<Duration> Network::Send(size_t from, size_t to) {
  // Drawn whatever happens, so that a cut does not shift what befalls the other messages.
  const bool lost = rng_.Chance(loss_);
  const double late = 1 + jitter_ * rng_.Unit();
  if (lost || parts_[from] != parts_[to] || cuts_.contains({from, to})) return std::nullopt;
  const double one_way_ns = static_cast<double>(topology_.Rtt(from, to).count()) / 2 * late;
  return Duration(static_cast<Duration::rep>(one_way_ns));
}

void Network::Heal() {
  cuts_.clear();
  std::fill(parts_.begin(), parts_.end(), 0);
}

}  // namespace reef::sim
