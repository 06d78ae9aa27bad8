// SPDX-License-Identifier: Apache-2.0
//
// ProxyTest: proxies as they are shipped, several in one process that share an index, over real
// sockets, with an origin that does as it is told.
#pragma once

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "httpproxy/server/proxy.h"
#include "tests/httpproxy/server/test_client.h"
#include "tests/support/fake_dsht_client.h"
#include "tests/support/origin.h"

namespace reef::http {

inline constexpr std::string_view kSite = "site.nyud.net";
inline constexpr std::string_view kFresh = "Cache-Control: max-age=3600\r\n";

struct Node {
  Node(dsht::FakeIndex& index, const Endpoint& origin, int number)
      : client(index, dsht::Id::Hash(std::to_string(number))), cache(*Cache::Open({})) {
    Proxy::Options options;
    options.server.listen.port = 0;
    options.server.loops = 2;
    options.server.allow_addresses = true;
    options.server.origins["site"] = origin;
    options.filler.guard.allow_private = true;
    options.filler.node_hex = dsht::Id::Hash(std::to_string(number)).ToHex();
    proxy = std::make_unique<Proxy>(options, *cache, client, metrics);
    const Status started = proxy->Start();
    EXPECT_TRUE(started.ok()) << started.ToString();
  }

  TestClient Connect() const { return TestClient(proxy->endpoint()); }
  TestResponse Get(std::string_view host, std::string_view target,
                   std::string_view fields = {}) const {
    return Connect().Get(host, target, fields);
  }

  // False after ten seconds.
  bool WaitForOpenConnections(uint64_t count) const {
    for (int i = 0; i < 10'000; ++i) {
      if (proxy->stats().connections_open == count) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }

  Metrics metrics;
  dsht::FakeDshtClient client;
  std::unique_ptr<Cache> cache;
  std::unique_ptr<Proxy> proxy;
};

class ProxyTest : public ::testing::Test {
 protected:
  Node& AddNode() {
    nodes_.push_back(
        std::make_unique<Node>(index_, origin_.endpoint(), static_cast<int>(nodes_.size())));
    return *nodes_.back();
  }
  static testing::OriginReply Reply(std::string body, std::string_view fields = kFresh) {
    testing::OriginReply reply;
    reply.fields = fields;
    reply.body = std::move(body);
    return reply;
  }

  // Whether the site's object is whole in the cache within ten seconds: its last byte may reach a
  // client a moment before.
  static bool IsStored(const Node& node, std::string_view target) {
    const CacheKey key = PrimaryKey(false, "site", 80, target);
    for (int i = 0; i < 10'000; ++i) {
      const Cache::Found found = node.cache->Find(key);
      if (found.object != nullptr && found.object->body->state() == Body::State::kComplete) {
        return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }

  testing::Origin origin_;
  dsht::FakeIndex index_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace reef::http
