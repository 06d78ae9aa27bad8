// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "tests/support/name_server.h"

namespace reef::http {
namespace {

using ::testing::ElementsAre;
using testing::NameServer;
using Answer = StatusOr<std::vector<IpAddress>>;

IpAddress Ip(const std::string& text) {
  return *IpAddress::Parse(text);
}

class ResolverTest : public ::testing::Test {
 protected:
  ResolverTest() : thread_("resolver") {
    options_.servers = {server_.endpoint()};
    options_.attempt_timeout = std::chrono::milliseconds(50);
    Make();
  }
  ~ResolverTest() override {
    thread_.RunAndWait([this] { resolver_.reset(); });
  }

  void Make() {
    thread_.RunAndWait(
        [this] { resolver_ = std::make_unique<Resolver>(options_, thread_.loop()); });
  }
  std::future<Answer> Ask(const std::string& host) {
    auto promise = std::make_shared<std::promise<Answer>>();
    thread_.loop().Post([this, host, promise] {
      resolver_->Resolve(host, [promise](Answer answer) { promise->set_value(std::move(answer)); });
    });
    return promise->get_future();
  }
  Answer Get(const std::string& host) { return Ask(host).get(); }
  Resolver::Stats Stats() {
    Resolver::Stats stats;
    thread_.RunAndWait([&] { stats = resolver_->stats(); });
    return stats;
  }

  NameServer server_;
  ResolverOptions options_;
  LoopThread thread_;
  std::unique_ptr<Resolver> resolver_;
};

TEST_F(ResolverTest, NamesBothFamiliesIpv4First) {
  server_.Set("site.test", {Ip("2001:db8::1"), Ip("192.0.2.1"), Ip("192.0.2.2")}, 60);

  const Answer answer = Get("site.test");

  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->size(), 3u);
  EXPECT_TRUE(answer->at(0).is_v4());
  EXPECT_TRUE(answer->at(1).is_v4());
  EXPECT_EQ(answer->at(2), Ip("2001:db8::1"));
}

TEST_F(ResolverTest, ALiteralNeedsNoQuery) {
  EXPECT_THAT(*Get("192.0.2.7"), ElementsAre(Ip("192.0.2.7")));
  EXPECT_THAT(*Get("2001:db8::7"), ElementsAre(Ip("2001:db8::7")));
  EXPECT_EQ(Stats().queries, 0u);
}

TEST_F(ResolverTest, ASecondQuestionIsAnsweredFromTheCacheWhateverItsCase) {
  server_.Set("site.test", {Ip("192.0.2.1")}, 60);
  ASSERT_TRUE(Get("site.test").ok());

  EXPECT_TRUE(Get("SITE.test").ok());

  EXPECT_EQ(server_.QueryCount("site.test"), 1u);
  EXPECT_EQ(Stats().cache_hits, 1u);
}

TEST_F(ResolverTest, QuestionsForOneNameAreJoined) {
  server_.SetSilent(true);
  auto first = Ask("site.test");
  auto second = Ask("site.test");
  EXPECT_EQ(Stats().joined, 1u);
  server_.Set("site.test", {Ip("192.0.2.1")}, 60);
  server_.SetSilent(false);  // c-ares asks again

  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(second.get().ok());
}

TEST_F(ResolverTest, AMissingNameIsNotFoundAndRemembered) {
  const Answer answer = Get("nothing.test");

  EXPECT_TRUE(absl::IsNotFound(answer.status())) << answer.status();
  EXPECT_TRUE(absl::IsNotFound(Get("nothing.test").status()));
  EXPECT_EQ(server_.QueryCount("nothing.test"), 1u);
}

TEST_F(ResolverTest, ANameWithoutAddressesIsNotFound) {
  server_.Set("empty.test", {}, 60);

  EXPECT_TRUE(absl::IsNotFound(Get("empty.test").status()));
}

TEST_F(ResolverTest, ASilentServerIsUnavailable) {
  server_.SetSilent(true);

  const Answer answer = Get("site.test");

  EXPECT_TRUE(absl::IsUnavailable(answer.status())) << answer.status();
  EXPECT_NE(std::string(answer.status().message()).find("site.test"), std::string::npos);
}

TEST_F(ResolverTest, ThePlacesForNamesBeingAskedForAreBounded) {
  options_.pending_max = 1;
  options_.attempt_timeout = std::chrono::seconds(30);
  Make();
  server_.SetSilent(true);
  auto first = Ask("one.test");

  EXPECT_TRUE(absl::IsUnavailable(Get("two.test").status()));
}

TEST_F(ResolverTest, TheCacheIsBounded) {
  options_.cache_entries_max = 2;
  Make();
  for (const char* name : {"a.test", "b.test", "c.test"}) {
    server_.Set(name, {Ip("192.0.2.1")}, 60);
    ASSERT_TRUE(Get(name).ok());
  }

  ASSERT_TRUE(Get("a.test").ok());

  EXPECT_EQ(server_.QueryCount("a.test"), 2u);
}

TEST_F(ResolverTest, ACancelledQuestionIsNotAnswered) {
  server_.Set("site.test", {Ip("192.0.2.1")}, 60);
  bool cancelled_ran = false;
  thread_.RunAndWait([&] {
    const uint64_t id = resolver_->Resolve("site.test", [&](Answer) { cancelled_ran = true; });
    resolver_->Cancel(id);
    const uint64_t literal = resolver_->Resolve("192.0.2.1", [&](Answer) { cancelled_ran = true; });
    resolver_->Cancel(literal);
  });

  EXPECT_TRUE(Get("site.test").ok());
  EXPECT_FALSE(cancelled_ran);
}

TEST_F(ResolverTest, CanBeDestroyedWithQuestionsPending) {
  server_.SetSilent(true);
  bool ran = false;
  thread_.RunAndWait([&] {
    resolver_->Resolve("site.test", [&](Answer) { ran = true; });
    resolver_.reset();
  });

  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace reef::http
