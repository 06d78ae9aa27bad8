// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/timeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <utility>

#include "tests/sim/population.h"

namespace reef::sim {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::SizeIs;
using Point = Timeline::Point;

World MakeWorld(size_t nodes) {
  Rng rng(1);
  Network network(Topology::Synthetic(nodes, rng.Fork()), rng.Fork());
  return {std::move(network), RandomIds(nodes, rng), dsht::Options(), rng.Fork()};
}

const Timeline::Series& Named(const std::vector<Timeline::Series>& all, const std::string& name) {
  for (const Timeline::Series& series : all) {
    if (series.name == name) return series;
  }
  static const Timeline::Series kNone;
  return kNone;
}

TEST(TimelineTest, ALevelIsShownAsItIs) {
  Timeline timeline({});
  timeline.Set("a", 5);
  timeline.Sample(0);
  timeline.Sample(1);
  timeline.Set("a", 7);
  timeline.Sample(2);

  EXPECT_THAT(timeline.All().at(0).points, ElementsAre(Point{0, 5}, Point{1, 5}, Point{2, 7}));
}

TEST(TimelineTest, ATotalIsShownAsItsGrowthASecond) {
  Timeline timeline({});
  timeline.Add("a", 5);
  timeline.Sample(0);
  timeline.Add("a", 6);
  timeline.Sample(2);
  timeline.Sample(4);

  EXPECT_THAT(timeline.All().at(0).points, ElementsAre(Point{2, 3}, Point{4, 0}));
}

TEST(TimelineTest, ASeriesHasNoPointsFromBeforeItBegan) {
  Timeline timeline({});
  timeline.Sample(0);
  timeline.Sample(1);
  timeline.Set("late", 1);
  timeline.Sample(2);

  EXPECT_THAT(timeline.All().at(0).points, ElementsAre(Point{2, 1}));
}

TEST(TimelineTest, WhatIsNotANumberIsNoPoint) {
  Timeline timeline({});
  timeline.Set("a", std::numeric_limits<double>::infinity());
  timeline.Sample(0);
  timeline.Set("a", 1);
  timeline.Sample(1);

  EXPECT_THAT(timeline.All().at(0).points, ElementsAre(Point{1, 1}));
}

TEST(TimelineTest, WhenFullItKeepsEverySecondPoint) {
  Timeline timeline({.interval = 1s, .points_max = 4});
  for (int i = 0; i < 5; ++i) {
    timeline.Set("a", 10 * i);
    timeline.Sample(i);
  }

  EXPECT_THAT(timeline.All().at(0).points, ElementsAre(Point{0, 0}, Point{2, 20}, Point{4, 40}));
}

TEST(TimelineTest, WhenFullItsIntervalDoubles) {
  World world = MakeWorld(1);
  Timeline timeline({.interval = 1s, .points_max = 4});
  timeline.Watch(world, [&] { timeline.Set("a", 1); });

  world.RunFor(9s);

  EXPECT_EQ(timeline.interval(), 4s);
  EXPECT_THAT(timeline.All().at(0).points, ElementsAre(Point{0, 1}, Point{4, 1}, Point{8, 1}));
}

TEST(TimelineTest, ThinningLosesNothingOfATotal) {
  Timeline timeline({.interval = 1s, .points_max = 2});
  timeline.Add("a", 0);
  timeline.Sample(0);
  timeline.Add("a", 100);
  timeline.Sample(1);
  timeline.Sample(2);

  EXPECT_THAT(timeline.All().at(0).points, ElementsAre(Point{2, 50}));
}

TEST(TimelineTest, ALongRunStaysWithinThePointsAllowed) {
  World world = MakeWorld(1);
  Timeline timeline({});
  timeline.Watch(world, [&] { timeline.Set("a", 1); });

  world.RunFor(48h);

  EXPECT_THAT(timeline.All().at(0).points, SizeIs(testing::Le(600u)));
}

TEST(TimelineTest, EveryWorldHasItsNodesAndGets) {
  World world = MakeWorld(20);
  StartAcquainted(world, 8);
  Timeline timeline({});
  WatchWorld(world, timeline);
  world.In(500ms, [&] { world.Get(3, dsht::Id::Hash("k"), nullptr); });
  world.RunFor(1s);
  world.Kill(4);
  world.RunFor(1s);

  const std::vector<Timeline::Series> all = timeline.All();

  EXPECT_THAT(Named(all, "node.up").points, ElementsAre(Point{0, 20}, Point{1, 20}, Point{2, 19}));
  EXPECT_THAT(Named(all, "get.started").points, ElementsAre(Point{1, 1}, Point{2, 0}));
}

TEST(TimelineTest, WatchingDoesNotChangeTheRun) {
  std::vector<uint64_t> message_counts;
  for (const bool watched : {false, true}) {
    World world = MakeWorld(50);
    world.network().SetLoss(0.1);
    Timeline timeline({});
    if (watched) WatchWorld(world, timeline);
    StartAcquainted(world, 8);
    for (NodeIndex node = 0; node < 50; ++node) world.Get(node, dsht::Id::Hash("k"), nullptr);
    world.RunFor(1min);
    message_counts.push_back(world.message_count());
  }

  EXPECT_EQ(message_counts[0], message_counts[1]);
}

TEST(TimelineTest, ItsCsvHasARowForEachPoint) {
  Timeline timeline({});
  timeline.Set("a", 0.1);
  timeline.Set("b, c", 2);
  timeline.Sample(0);

  EXPECT_EQ(SeriesCsv(timeline.All()), "seconds,series,value\n0,a,0.1\n0,\"b, c\",2\n");
}

TEST(TimelineTest, AQuoteInAFieldIsDoubled) {
  EXPECT_EQ(CsvField("say \"a\""), "\"say \"\"a\"\"\"");
  EXPECT_EQ(CsvField("plain"), "plain");
}

}  // namespace
}  // namespace reef::sim
