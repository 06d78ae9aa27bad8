// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/sightings.h"

#include <gtest/gtest.h>

namespace reef::dsht {
namespace {

using namespace std::chrono_literals;

Peer Named(const std::string& name) {
  return Peer{.id = Id::Hash(name), .rpc = {IpAddress::V4({192, 0, 2, 1}), 8400}};
}

TEST(SightingsTest, TheOneSeenLongestAgoGoes) {
  Sightings sightings(2);
  const Instant now{};
  sightings.Answered(now, Named("a"), 1ms, {});
  sightings.Answered(now + 1min, Named("b"), 1ms, {});
  sightings.Answered(now + 2min, Named("a"), 1ms, {});

  sightings.Answered(now + 3min, Named("c"), 1ms, {});

  EXPECT_NE(sightings.Find(Id::Hash("a")), nullptr);
  EXPECT_EQ(sightings.Find(Id::Hash("b")), nullptr);
  EXPECT_NE(sightings.Find(Id::Hash("c")), nullptr);
}

TEST(SightingsTest, TheLeastRoundTripCounts) {
  Sightings sightings(2);
  sightings.Answered(Instant{}, Named("a"), 10ms, {});
  sightings.Answered(Instant{}, Named("a"), 30ms, {});

  EXPECT_LT(sightings.Find(Id::Hash("a"))->rtt.min(), 11ms);
}

TEST(SightingsTest, AWayThatHasBecomeLongerIsNoticedInTime) {
  Sightings sightings(2);
  sightings.Answered(Instant{}, Named("a"), 10ms, {});
  for (int i = 0; i < 30; ++i) sightings.Answered(Instant{}, Named("a"), 80ms, {});

  EXPECT_GT(sightings.Find(Id::Hash("a"))->rtt.min(), 60ms);
}

TEST(SightingsTest, AnotherAddressIsAnotherWay) {
  Sightings sightings(2);
  Peer peer = Named("a");
  sightings.Answered(Instant{}, peer, 10ms, {});
  peer.rpc.port = 8401;

  sightings.Answered(Instant{}, peer, 30ms, {});

  EXPECT_EQ(sightings.Find(peer.id)->rtt.min(), 30ms);
}

TEST(SightingsTest, AnAnswerThatTellsNoDistanceIsNoSighting) {
  Sightings sightings(2);
  Peer moved = Named("a");
  moved.rpc.port = 8401;

  sightings.Answered(Instant{}, Named("a"), Duration::zero(), {});
  EXPECT_EQ(sightings.Find(Id::Hash("a")), nullptr);
  sightings.Answered(Instant{}, Named("a"), 10ms, {});
  sightings.Answered(Instant{}, Named("a"), Duration::zero(), {});
  EXPECT_EQ(sightings.Find(Id::Hash("a"))->rtt.min(), 10ms);
  sightings.Answered(Instant{}, moved, Duration::zero(), {});
  EXPECT_EQ(sightings.Find(Id::Hash("a")), nullptr) << "what was measured was another way";
}

TEST(SightingsTest, ClustersAreThoseOfTheLastAnswer) {
  Sightings sightings(2);
  const ClusterInfo before{.level = 1, .cluster = Id::Hash("before")};
  const ClusterInfo after{.level = 1, .cluster = Id::Hash("after")};
  sightings.Answered(Instant{}, Named("a"), 10ms, {before});

  sightings.Answered(Instant{}, Named("a"), 10ms, {after});

  EXPECT_EQ(InfoOf(sightings.Find(Id::Hash("a"))->clusters, 1)->cluster, after.cluster);
  EXPECT_EQ(InfoOf(sightings.Find(Id::Hash("a"))->clusters, 2), nullptr);
}

TEST(SightingsTest, WhoIsRemovedIsNotFoundAndTheOthersAre) {
  Sightings sightings(3);
  for (const char* name : {"a", "b", "c"}) sightings.Answered(Instant{}, Named(name), 1ms, {});

  sightings.Remove(Id::Hash("a"));

  EXPECT_EQ(sightings.Find(Id::Hash("a")), nullptr);
  EXPECT_EQ(sightings.Find(Id::Hash("c"))->peer.id, Id::Hash("c"));
}

}  // namespace
}  // namespace reef::dsht
