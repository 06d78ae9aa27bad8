// SPDX-License-Identifier: Apache-2.0
#include "deploy/cli/status_text.h"

#include <gtest/gtest.h>

namespace reef::deploy {
namespace {

TEST(StatusTextTest, UnitsSuitTheSize) {
  EXPECT_EQ(BytesText(0), "0 B");
  EXPECT_EQ(BytesText(1023), "1023 B");
  EXPECT_EQ(BytesText(1536), "1.5 KiB");
  EXPECT_EQ(BytesText(256.0 * (1 << 20)), "256 MiB");
  EXPECT_EQ(BytesText(5.0 * (1ull << 40)), "5.0 TiB");
  EXPECT_EQ(DurationText(59.9), "59 s");
  EXPECT_EQ(DurationText(61), "1 min 1 s");
  EXPECT_EQ(DurationText(3 * 3600 + 120), "3 h 2 min");
  EXPECT_EQ(DurationText(90000), "1 d 1 h");
}

TEST(StatusTextTest, ShowsTheNodeAndThoseItKnowsInColumns) {
  control::Status status;
  status.set_node_id("0123456789abcdef");
  status.set_zone("nyud.net");
  status.set_version("1.2.3");
  status.set_uptime_seconds(7);
  status.set_state(control::STATE_READY);
  status.mutable_cache()->set_memory_objects(2);
  status.mutable_cache()->set_memory_bytes(2048);
  status.mutable_cache()->set_memory_bytes_max(1 << 20);
  status.mutable_requests()->set_total(3);
  status.mutable_requests()->set_hit(3);
  status.mutable_requests()->set_origin_avoided(3);
  control::Cluster* const cluster = status.add_clusters();
  cluster->set_size_estimate(2);
  control::Node* const self = status.add_nodes();
  self->set_id("0123456789abcdef");
  self->set_self(true);
  self->set_dsht("127.0.0.1:8400");
  self->set_http("127.0.0.1:80");
  control::Node* const other = status.add_nodes();
  other->set_id("fedcba9876543210");
  other->set_draining(true);
  other->set_rtt_ms(1.25);

  EXPECT_EQ(StatusText(status),
            "node 01234567  ready  up 7 s  zone nyud.net  version 1.2.3\n"
            "cache     memory 2 objects, 2.0 KiB of 1.0 MiB\n"
            "          disk none\n"
            "requests  3: hit 3, stale 0, peer 0, origin 0, pass 0, error 0\n"
            "          the origin was spared 3; 0 served to other nodes\n"
            "cluster   level 0: about 2 nodes\n"
            "\n"
            "  node      state    http          dns  dsht            round trip\n"
            "  01234567  alive    127.0.0.1:80  -    127.0.0.1:8400  this one\n"
            "  fedcba98  leaving  -             -    -               1.2 ms\n");
}

}  // namespace
}  // namespace reef::deploy
