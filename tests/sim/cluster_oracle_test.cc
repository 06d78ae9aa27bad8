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

// Worked by hand: of 15 pairs 4 are together in the one, 6 in the other, 2 in both.
TEST(AdjustedRandIndexTest, IsTheKnownFigureForPartitionsThatDiffer) {
  EXPECT_DOUBLE_EQ(AdjustedRandIndex({0, 0, 1, 1, 1, 2}, {0, 0, 0, 1, 1, 1}), 0.4 / 3.4);
}

TEST(AdjustedRandIndexTest, IsNotAboveZeroForWhatHasNothingInCommon) {
  EXPECT_LE(AdjustedRandIndex({0, 0, 1, 1}, {0, 1, 0, 1}), 0);
}

TEST(IdealClustersTest, PutsWhatIsTogetherTogether) {
  const RttOf rtt = OnALine({0, 1, 2, 100, 101, 102, 300});

  const Partition ideal = IdealClusters(7, rtt, {.diameter = 20ms}, Rng(1));

  EXPECT_DOUBLE_EQ(AdjustedRandIndex(ideal, {0, 0, 0, 1, 1, 1, 2}), 1);
}

// The one in the middle is within reach of both ends, which are not of each other.
TEST(IdealClustersTest, AChainIsCutAndItsMiddleTakesOneSide) {
  const RttOf rtt = OnALine({0, 1, 15, 30, 31, 32});

  const Partition ideal = IdealClusters(6, rtt, {.diameter = 20ms}, Rng(1));

  EXPECT_EQ(ideal[0], ideal[1]);
  EXPECT_EQ(ideal[3], ideal[5]);
  EXPECT_NE(ideal[0], ideal[3]);
  EXPECT_TRUE(ideal[2] == ideal[0] || ideal[2] == ideal[3]);
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
