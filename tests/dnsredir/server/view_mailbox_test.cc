// SPDX-License-Identifier: Apache-2.0
#include "dnsredir/server/view_mailbox.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/dnsredir/support/nodes.h"

namespace reef::dns {
namespace {

ViewPtr ViewOfSize(size_t count) {
  std::vector<dsht::NodeInfo> nodes;
  for (size_t i = 1; i <= count; ++i) {
    nodes.push_back(NodeAt("192.0.2." + std::to_string(i), static_cast<uint8_t>(i)));
  }
  return std::make_shared<const ProxyView>(Instant{}, nodes, nodes, NodeAt("192.0.2.9", 9));
}

TEST(ViewMailbox, GivesTheNewestAndFreesTheOthers) {
  const ViewPtr first = ViewOfSize(1);
  const ViewPtr skipped = ViewOfSize(2);
  const ViewPtr newest = ViewOfSize(3);
  ViewMailbox mailbox(first);
  EXPECT_EQ(&mailbox.Current(), first.get());

  mailbox.Put(skipped);
  mailbox.Put(newest);

  EXPECT_EQ(&mailbox.Current(), newest.get());
  EXPECT_EQ(first.use_count(), 1);
  EXPECT_EQ(skipped.use_count(), 1);
  EXPECT_EQ(&mailbox.Current(), newest.get());
}

TEST(ViewMailbox, HandsWholeViewsToAReadingThread) {
  constexpr size_t kLast = 200;
  ViewMailbox mailbox(ViewOfSize(1));
  std::thread reader([&] {
    size_t before = 0;
    while (before < kLast) {
      const size_t now = mailbox.Current().live_proxy_count();
      EXPECT_GE(now, before);
      before = now;
    }
  });
  for (size_t i = 1; i <= kLast; ++i) mailbox.Put(ViewOfSize(i));
  reader.join();
}

}  // namespace
}  // namespace reef::dns
