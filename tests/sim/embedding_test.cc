// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/embedding.h"

#include <gtest/gtest.h>

#include <cmath>

namespace reef::sim {
namespace {

using namespace std::chrono_literals;

double Apart(const PlanePoint& a, const PlanePoint& b) {
  return std::hypot(a.x - b.x, a.y - b.y);
}

TEST(EmbeddingTest, DrawsTwoTownsApart) {
  const auto rtt = [](size_t a, size_t b) -> Duration { return a % 2 == b % 2 ? 4ms : 100ms; };

  const std::vector<PlanePoint> points = EmbedInPlane(40, rtt, Rng(1));

  for (size_t i = 2; i < points.size(); ++i) {
    EXPECT_LT(Apart(points[i], points[i % 2]), 30) << i;
    EXPECT_GT(Apart(points[i], points[1 - i % 2]), 60) << i;
  }
}

TEST(EmbeddingTest, OneNodeHasAPlace) {
  const auto rtt = [](size_t, size_t) -> Duration { return 0ms; };

  EXPECT_EQ(EmbedInPlane(1, rtt, Rng(1)).size(), 1U);
}

}  // namespace
}  // namespace reef::sim
