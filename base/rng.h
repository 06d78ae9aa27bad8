// SPDX-License-Identifier: Apache-2.0
//
// Rng: the one source of randomness a core is given; the same seed gives the same run on every
// platform (std::*_distribution differs between libraries). xoshiro256** by Blackman and Vigna,
// seeded through splitmix64. Not for secrets: keys come from base/runtime/identity.h.
//
// A value; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace reef {

class Rng {
 public:
  explicit Rng(uint64_t seed);

  uint64_t Next();

  // Uniform in [0, bound). Requires: bound > 0.
  uint64_t Below(uint64_t bound);

  // Uniform in [0, 1).
  double Unit();

  bool Chance(double probability) { return Unit() < probability; }

  // An independent generator, for a part that must not disturb the sequence of the whole.
  Rng Fork();

  template <typename T>
  void Shuffle(std::span<T> items) {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[Below(i)]);
  }

 private:
  uint64_t state_[4];
};

}  // namespace reef
