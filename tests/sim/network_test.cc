// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace reef::sim {
namespace {

using namespace std::chrono_literals;

Network SmallNetwork(uint64_t seed) {
  return {Topology::Synthetic(50, Rng(seed)), Rng(seed)};
}

// In milliseconds, ascending, over all pairs.
std::vector<double> AllRtts(const Topology& topology) {
  std::vector<double> ms;
  for (size_t a = 0; a < topology.size(); ++a) {
    for (size_t b = a + 1; b < topology.size(); ++b)
      ms.push_back(Seconds(topology.Rtt(a, b)) * 1000);
  }
  std::sort(ms.begin(), ms.end());
  return ms;
}

double Percentile(const std::vector<double>& sorted, size_t percent) {
  return sorted[sorted.size() * percent / 100];
}

TEST(TopologyTest, MadeUpDistancesHaveTheStatisticsOfPlanetLab) {
  const std::vector<double> ms = AllRtts(Topology::Synthetic(600, Rng(7)));

  // rtt-composed, pl2000: p5 21, p25 60, p50 135, p75 205, p95 331.
  EXPECT_NEAR(Percentile(ms, 5), 21, 8);
  EXPECT_NEAR(Percentile(ms, 25), 60, 15);
  EXPECT_NEAR(Percentile(ms, 50), 135, 25);
  EXPECT_NEAR(Percentile(ms, 75), 205, 40);
  EXPECT_NEAR(Percentile(ms, 95), 331, 60);
}

TEST(TopologyTest, DistancesAreSymmetricAndZeroToOneself) {
  const Topology topology = Topology::Synthetic(30, Rng(3));

  for (size_t a = 0; a < topology.size(); ++a) {
    EXPECT_EQ(topology.Rtt(a, a), 0ns);
    for (size_t b = 0; b < topology.size(); ++b) EXPECT_EQ(topology.Rtt(a, b), topology.Rtt(b, a));
  }
}

TEST(TopologyTest, SomeDetoursAreShorterThanTheDirectWay) {
  const Topology topology = Topology::Synthetic(60, Rng(5));

  int detours = 0;
  for (size_t a = 0; a < 60; ++a) {
    for (size_t b = 0; b < 60; ++b) {
      for (size_t via = 0; via < 60; ++via) {
        if (a == b || a == via || b == via) continue;
        detours += topology.Rtt(a, via) + topology.Rtt(via, b) < topology.Rtt(a, b);
      }
    }
  }

  EXPECT_GT(detours, 60 * 59 * 58 / 100);
}

TEST(TopologyTest, AMissingFolderIsAnErrorThatNamesTheFile) {
  const StatusOr<Topology> topology = Topology::Measured("/nonexistent", "pl2000");

  ASSERT_FALSE(topology.ok());
  EXPECT_NE(topology.status().ToString().find("rtt_median.csv.gz"), std::string::npos);
}

TEST(TopologyTest, MeasuredMatrixIsRead) {
  const std::string data = FindDataFolder();
  if (data.empty()) GTEST_SKIP() << "neither $REEF_DATA nor shared/data beside the sources";

  const StatusOr<Topology> topology = Topology::Measured(data, "pl1000");

  ASSERT_TRUE(topology.ok()) << topology.status();
  EXPECT_EQ(topology->size(), 1000u);
  EXPECT_NEAR(Percentile(AllRtts(*topology), 50), 142.7, 1.0);
}

TEST(NetworkTest, AMessageTakesHalfTheRoundTrip) {
  Network network = SmallNetwork(1);

  EXPECT_EQ(network.Send(3, 4), network.Rtt(3, 4) / 2);
}

TEST(NetworkTest, JitterOnlyDelays) {
  Network network = SmallNetwork(1);
  network.SetJitter(0.5);

  for (int i = 0; i < 100; ++i) {
    const Duration delay = network.Send(3, 4).value();
    EXPECT_GE(delay, network.Rtt(3, 4) / 2 - 1ns);
    EXPECT_LE(delay, network.Rtt(3, 4) * 3 / 4);
  }
}

TEST(NetworkTest, LosesTheStatedShare) {
  Network network = SmallNetwork(1);
  network.SetLoss(0.05);

  int lost = 0;
  for (int i = 0; i < 10'000; ++i) lost += !network.Send(1, 2).has_value();

  EXPECT_NEAR(lost, 500, 80);
}

TEST(NetworkTest, ACutIsOneWayAndHealed) {
  Network network = SmallNetwork(1);
  network.Cut(1, 2);

  EXPECT_FALSE(network.Send(1, 2).has_value());
  EXPECT_TRUE(network.Send(2, 1).has_value());
  network.Heal();
  EXPECT_TRUE(network.Send(1, 2).has_value());
}

TEST(NetworkTest, PartsCannotReachOneAnother) {
  Network network = SmallNetwork(1);
  network.MoveToPart(1, 1);
  network.MoveToPart(2, 1);

  EXPECT_FALSE(network.Send(1, 3).has_value());
  EXPECT_FALSE(network.Send(3, 1).has_value());
  EXPECT_TRUE(network.Send(1, 2).has_value());
}

TEST(NetworkTest, TheSameSeedDecidesTheSame) {
  Network one = SmallNetwork(9);
  Network two = SmallNetwork(9);
  one.SetLoss(0.3);
  two.SetLoss(0.3);

  for (int i = 0; i < 1000; ++i) ASSERT_EQ(one.Send(1, 2), two.Send(1, 2));
}

}  // namespace
}  // namespace reef::sim
