// SPDX-License-Identifier: Apache-2.0
#include "base/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>

namespace reef {
namespace {

TEST(RngTest, SameSeedGivesTheSameSequence) {
  Rng a(7);
  Rng b(7);

  for (int i = 0; i < 1000; ++i) ASSERT_EQ(a.Next(), b.Next());
}

TEST(RngTest, FirstNumbersNeverChange) {
  Rng rng(1);

  // Recorded scenarios depend on them.
  EXPECT_EQ(rng.Next(), 12966619160104079557u);
  EXPECT_EQ(rng.Next(), 9600361134598540522u);
}

TEST(RngTest, BelowIsUniform) {
  Rng rng(3);
  std::array<int, 7> seen{};

  for (int i = 0; i < 70000; ++i) ++seen[rng.Below(7)];

  for (const int n : seen) EXPECT_NEAR(n, 10000, 500);
}

TEST(RngTest, ShuffleKeepsEveryItem) {
  Rng rng(5);
  std::array<int, 50> items;
  std::iota(items.begin(), items.end(), 0);
  const auto before = items;

  rng.Shuffle(std::span<int>(items));

  EXPECT_NE(items, before);
  std::ranges::sort(items);
  EXPECT_EQ(items, before);
}

}  // namespace
}  // namespace reef
