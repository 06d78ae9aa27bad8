// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/cluster_oracle.h"

#include <gtest/gtest.h>

namespace reef::sim {
namespace {

using namespace std::chrono_literals;

// Points on a line, a millisecond apart for each step.
RttOf OnALine(std::vector<int> places) {
  return [places = std::move(places)](size_t a, size_t b) {
    return Duration(std::chrono::milliseconds(std::abs(places[a] - places[b])));
  };
}

TEST(AdjustedRandIndexTest, IsOneForTheSamePartitionUnderOtherNames) {
  EXPECT_DOUBLE_EQ(AdjustedRandIndex({1, 1, 2, 2, 3}, {7, 7, 5, 5, 9}), 1);
}

// Worked by hand: 2 pairs together in both, 4 in one, 7 in the other, of 15.
TEST(AdjustedRandIndexTest, IsTheKnownFigureForPartitionsThatDiffer) {
  const double by_chance = 4.0 * 7 / 15;
  EXPECT_DOUBLE_EQ(AdjustedRandIndex({0, 0, 1, 1, 1, 2}, {0, 0, 0, 1, 1, 1}),
                   (2 - 4.0 * 6 / 15) / ((4 + 6) / 2.0 - 4.0 * 6 / 15));
  EXPECT_GT(by_chance, 0);
}

TEST(AdjustedRandIndexTest, IsNotAboveZeroForWhatHasNothingInCommon) {
  EXPECT_LE(AdjustedRandIndex({0, 0, 1, 1}, {0, 1, 0, 1}), 0);
}

TEST(IdealClustersTest, PutsWhatIsTogetherTogether) {
  const RttOf rtt = OnALine({0, 1, 2, 100, 101, 102, 300});

  const Partition ideal = IdealClusters(7, rtt, {.diameter = 20ms}, Rng(1));

  EXPECT_DOUBLE_EQ(AdjustedRandIndex(ideal, {0, 0, 0, 1, 1, 1, 2}), 1);
}

TEST(QualityTest, CountsPairsWithinTheDiameter) {
  const RttOf rtt = OnALine({0, 1, 50, 51});

  const PartitionQuality quality = QualityOf({0, 0, 0, 1}, rtt, 20ms);

  EXPECT_EQ(quality.clusters, 2U);
  EXPECT_DOUBLE_EQ(quality.pairs_within, 1.0 / 3);
  EXPECT_DOUBLE_EQ(quality.mean_size, (9.0 + 1) / 4);
}

}  // namespace
}  // namespace reef::sim
