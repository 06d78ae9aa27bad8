// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/churn.h"

#include <gtest/gtest.h>

#include "tests/sim/population.h"

namespace reef::sim {
namespace {

using namespace std::chrono_literals;

class ChurnTest : public testing::Test {
 protected:
  ChurnTest() { StartAcquainted(world_, 8); }

  static World MakeWorld() {
    Rng rng(1);
    Network network(Topology::Synthetic(40, rng.Fork()), rng.Fork());
    std::vector<dsht::NodeId> ids = RandomIds(40, rng);
    return World(std::move(network), std::move(ids), dsht::Options{}, rng.Fork());
  }

  void RunWithTraffic(Duration median_session) {
    Churn(world_,
          {.over = 1h,
           .median_session = median_session,
           .median_absence = 10min,
           .puts_per_minute = 10,
           .gets_per_minute = 20},
          measures_, Rng(2))
        .Run();
  }

  double Measured(const std::string& name) { return measures_.Find(name).value_or(-1); }

  World world_ = MakeWorld();
  Measures measures_;
};

TEST_F(ChurnTest, NodesLeaveAndComeBack) {
  Churn churn(world_, {.over = 2h, .median_session = 10min, .median_absence = 1min}, measures_,
              Rng(2));

  churn.Run();

  EXPECT_GT(Measured("churn.departures"), 200);
  EXPECT_GT(world_.up_count(), 25U);
  EXPECT_LT(world_.up_count(), 40U);
}

TEST_F(ChurnTest, WhatTheLivingHoldIsFound) {
  RunWithTraffic(60min);

  EXPECT_GT(Measured("churn.gets"), 500);
  EXPECT_GT(Measured("churn.found_share"), 0.98);
}

TEST_F(ChurnTest, WithoutNodesThatLeaveEverythingIsFound) {
  RunWithTraffic(1000h);

  EXPECT_EQ(Measured("churn.found_share"), 1);
}

}  // namespace
}  // namespace reef::sim
