// SPDX-License-Identifier: Apache-2.0
//
// ServerTest: a proxy on a loopback port with a memory cache and fillers that do as the test says.
#pragma once

#include <gmock/gmock.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "httpproxy/server/proxy.h"
#include "tests/httpproxy/server/fake_filler.h"
#include "tests/httpproxy/server/test_client.h"

namespace reef::http {

inline constexpr std::string_view kHost = "example.com.nyud.net";

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() : cache_(*Cache::Open({})), fills_(*cache_) {
    options_.listen.port = 0;
    fills_.OnAsked(
        [](const FakeFills::Asked&) { return FakeFills::Of(FetchOutcome::Kind::kError); });
  }

  // After options_ are set.
  void Start() {
    proxy_ = std::make_unique<Proxy>(options_, *cache_, metrics_,
                                     [this](EventLoop& loop) { return fills_.MakeFiller(loop); });
    const Status started = proxy_->Start();
    ASSERT_TRUE(started.ok()) << started.ToString();
  }

  TestClient Connect() { return TestClient(proxy_->endpoint()); }

  static CacheKey KeyOf(std::string_view target) {
    return PrimaryKey(false, "example.com", 80, target);
  }
  std::shared_ptr<const Object> Store(std::string_view target, const std::string& content,
                                      std::function<void(ObjectHead&)> change = {}) {
    return fills_.Stored(KeyOf(target), content, std::move(change));
  }

  // Whether `holds` becomes true within ten seconds: for what no event of the test's own shows.
  static bool Eventually(const std::function<bool()>& holds) {
    for (int i = 0; i < 10'000; ++i) {
      if (holds()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }
  // A growing value once it has stopped growing.
  static uint64_t Settled(const std::function<uint64_t()>& value) {
    for (uint64_t last = value();; last = value()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      if (value() == last) return last;
    }
  }

  uint64_t Requests(Source source) const {
    return proxy_->stats().requests[static_cast<size_t>(source)];
  }
  // The value of one series, as scraped; "" if there is none.
  std::string Metric(const std::string& series) const {
    const std::string text = metrics_.Exposition();
    const size_t at = text.find("\n" + series + " ");
    if (at == std::string::npos) return "";
    const size_t value = at + series.size() + 2;
    return text.substr(value, text.find('\n', value) - value);
  }

  ProxyOptions options_;
  Metrics metrics_;
  std::unique_ptr<Cache> cache_;
  FakeFills fills_;
  std::unique_ptr<Proxy> proxy_;
};

}  // namespace reef::http
