// SPDX-License-Identifier: Apache-2.0
#include "dsht/rpc/channel_cache.h"

#include <gtest/gtest.h>

namespace reef::dsht {
namespace {

using namespace std::chrono_literals;

constexpr Instant At(Duration d) {
  return Instant(d);
}

TEST(ChannelCacheTest, KeepsOneChannelForATarget) {
  ChannelCache cache({});

  const auto first = cache.For("127.0.0.1:1", At(0s));

  EXPECT_EQ(cache.For("127.0.0.1:1", At(1s)), first);
  EXPECT_NE(cache.For("127.0.0.1:2", At(1s)), first);
  EXPECT_EQ(cache.size(), 2u);
}

TEST(ChannelCacheTest, DropsTheLeastRecentlyUsedAtItsLimit) {
  ChannelCache cache({.channels_max = 2});
  const auto one = cache.For("127.0.0.1:1", At(0s));
  const auto two = cache.For("127.0.0.1:2", At(1s));
  cache.For("127.0.0.1:1", At(2s));

  cache.For("127.0.0.1:3", At(3s));

  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(cache.For("127.0.0.1:1", At(4s)), one);
  EXPECT_NE(cache.For("127.0.0.1:2", At(5s)), two);
}

TEST(ChannelCacheTest, ClosesWhatIsIdle) {
  ChannelCache cache({.idle_max = 5min});
  EXPECT_EQ(cache.NextDeadline(), kNever);
  cache.For("127.0.0.1:1", At(0s));
  cache.For("127.0.0.1:2", At(1min));
  EXPECT_EQ(cache.NextDeadline(), At(5min));

  cache.CloseIdle(At(5min));

  EXPECT_EQ(cache.size(), 1u);
  EXPECT_EQ(cache.NextDeadline(), At(6min));
}

}  // namespace
}  // namespace reef::dsht
