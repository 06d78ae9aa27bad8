// SPDX-License-Identifier: Apache-2.0
#include "deploy/node/node.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <thread>

#include "deploy/cli/admin_client.h"
#include "deploy/node/config.h"
#include "proto/control.pb.h"
#include "tests/deploy/raw_http.h"
#include "tests/support/origin.h"

namespace reef::deploy {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr std::string_view kSite = "www.example.org";

class NodeTest : public ::testing::Test {
 protected:
  NodeTest() {
    std::string name = ::testing::TempDir() + "node-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~NodeTest() override {
    nodes_.clear();
    std::filesystem::remove_all(folder_);
  }

  // Nodes need fixed ports, since they are told to one another. An address of loopback for each
  // test process and node keeps them apart, ports that nobody else uses from everything else.
  static std::string Address(int i) {
    const int unique = getpid() * 4 + i;  // process ids have 22 bits
    return "127." + std::to_string(unique >> 16 & 255) + "." + std::to_string(unique >> 8 & 255) +
           "." + std::to_string(unique & 255);
  }
  static Endpoint At(int i, uint16_t port) { return {*IpAddress::Parse(Address(i)), port}; }

  config::Config Config(int i) const {
    config::Config config;
    config.set_listen(Address(i));
    config.mutable_ports()->set_http(28090);
    config.mutable_ports()->set_dns(28053);
    config.mutable_ports()->set_dsht(28400);
    config.mutable_ports()->set_admin(28401);
    config.set_state_dir(folder_ + "/" + std::to_string(i));
    config.set_loops(2);
    config.set_memory_bytes(16 << 20);
    config.set_disk_bytes(64 << 20);
    config.set_allow_private(true);
    config.mutable_drain()->set_seconds(2);
    (*config.mutable_origins())[std::string(kSite)].set_address(origin_.endpoint().ToString());
    if (i > 1) config.add_join(At(1, 28400).ToString());
    FillDefaults({.cpus = 1, .state_dir = ""}, &config);
    return config;
  }
  Node& Start(const config::Config& config) {
    nodes_.push_back(std::make_unique<Node>(config));
    const Status started = nodes_.back()->Start();
    EXPECT_TRUE(started.ok()) << started;
    return *nodes_.back();
  }

  static bool Wait(const std::function<bool()>& condition) {
    for (int i = 0; i < 1000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  static std::string Admin(int i, const std::string& path) {
    return RawHttp(At(i, 28401), "GET " + path + " HTTP/1.0\r\nHost: " + Address(i) + "\r\n\r\n");
  }
  static control::Status StatusOf(int i) {
    control::Status status;
    const auto json = AskAdmin(At(i, 28401), "/status.json", std::chrono::seconds(5));
    EXPECT_TRUE(json.ok()) << json.status();
    EXPECT_TRUE(
        google::protobuf::util::JsonStringToMessage(json.value_or(std::string()), &status).ok());
    return status;
  }
  static std::string Get(int i, const std::string& target) {
    return RawHttp(At(i, 28090), "GET " + target + " HTTP/1.1\r\nHost: " + std::string(kSite) +
                                     ".nyud.net\r\nConnection: close\r\n\r\n");
  }

  reef::testing::Origin origin_;
  std::string folder_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

TEST_F(NodeTest, AloneIsReadyAndServesAnOriginOnceAskedTwice) {
  origin_.ServeStatic("/a", "hello", "\"1\"");
  const Node& node = Start(Config(1));

  EXPECT_TRUE(Wait([&] { return node.WhyNotReady().empty(); }));
  EXPECT_THAT(Admin(1, "/readyz"), StartsWith("HTTP/1.0 200 "));
  EXPECT_THAT(Get(1, "/a"), AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("\r\n\r\nhello")));
  EXPECT_THAT(Get(1, "/a"), AllOf(HasSubstr("hit"), EndsWith("hello")));
  EXPECT_EQ(origin_.RequestCount("/a"), 1u);
}

TEST_F(NodeTest, StatusTellsWhatHappened) {
  origin_.ServeStatic("/a", "hello", "\"1\"");
  Start(Config(1));
  Get(1, "/a");
  Get(1, "/a");

  const control::Status status = StatusOf(1);

  EXPECT_EQ(status.zone(), "nyud.net");
  EXPECT_EQ(status.node_id().size(), 40u);
  EXPECT_EQ(status.endpoints().http(), At(1, 28090).ToString());
  ASSERT_EQ(status.nodes_size(), 1);
  EXPECT_TRUE(status.nodes(0).self());
  EXPECT_EQ(status.nodes(0).dns(), At(1, 28053).ToString());
  EXPECT_EQ(status.requests().hit(), 1);
  EXPECT_EQ(status.requests().origin(), 1);
  EXPECT_EQ(status.requests().total(), 2);
  EXPECT_EQ(status.requests().origin_avoided(), 1);
  EXPECT_EQ(status.cache().memory_objects(), 1);
  EXPECT_EQ(status.cache().memory_bytes_max(), 16 << 20);
}

TEST_F(NodeTest, MetricsOfAllServicesAreExposed) {
  Start(Config(1));

  const std::string metrics = Admin(1, "/metrics");

  for (const char* name :
       {"reef_build_info{version=", "process_resident_memory_bytes ",
        "reef_cache_objects{tier=\"memory\"}", "reef_dsht_", "reef_dns_", "reef_http_"}) {
    EXPECT_THAT(metrics, HasSubstr(name));
  }
}

TEST_F(NodeTest, IsTheSameNodeAfterARestartAndServesFromDisk) {
  origin_.ServeStatic("/a", "hello", "\"1\"");
  Start(Config(1));
  const std::string id = StatusOf(1).node_id();
  Get(1, "/a");
  EXPECT_TRUE(Wait([&] { return StatusOf(1).cache().disk_objects() == 1; }));
  nodes_.clear();

  Start(Config(1));

  EXPECT_EQ(StatusOf(1).node_id(), id);
  EXPECT_THAT(Get(1, "/a"), EndsWith("hello"));
  EXPECT_EQ(origin_.RequestCount("/a"), 1u);
}

TEST_F(NodeTest, WithoutAStateFolderNothingIsKept) {
  config::Config config = Config(1);
  config.set_state_dir("");
  origin_.ServeStatic("/a", "hello", "\"1\"");
  Start(config);

  EXPECT_THAT(Get(1, "/a"), EndsWith("hello"));
  EXPECT_EQ(StatusOf(1).cache().disk_bytes_max(), 0);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(NodeTest, ThreeFindOneAnotherAndAskTheOriginOnce) {
  const std::string body = reef::testing::TestBytes(100'000, 1);
  origin_.ServeStatic("/a", body, "\"1\"");
  for (const int i : {1, 2, 3}) Start(Config(i));
  for (const int i : {1, 2, 3}) {
    ASSERT_TRUE(Wait([&] { return StatusOf(i).nodes_size() == 3; })) << StatusOf(i).DebugString();
    EXPECT_THAT(nodes_[static_cast<size_t>(i) - 1]->WhyNotReady(), IsEmpty());
  }

  for (const int i : {1, 2, 3}) EXPECT_THAT(Get(i, "/a"), EndsWith(body));

  EXPECT_EQ(origin_.RequestCount("/a"), 1u);
  EXPECT_EQ(StatusOf(2).requests().peer(), 1);
  EXPECT_EQ(StatusOf(3).requests().peer(), 1);
}

TEST_F(NodeTest, IsNotReadyBeforeItHasJoined) {
  const Node& node = Start(Config(2));

  ASSERT_EQ(node.WhyNotReady().size(), 1u);
  EXPECT_THAT(node.WhyNotReady()[0],
              AllOf(StartsWith("not joined"), HasSubstr("asking " + Address(1))));
  EXPECT_THAT(Admin(2, "/readyz"), StartsWith("HTTP/1.0 503 "));
  EXPECT_THAT(Admin(2, "/livez"), StartsWith("HTTP/1.0 200 "));

  Start(Config(1));
  EXPECT_TRUE(Wait([&] { return node.WhyNotReady().empty(); }));
}

TEST_F(NodeTest, DrainedNodeTellsTheOthersAndTakesNothingNew) {
  for (const int i : {1, 2}) Start(Config(i));
  ASSERT_TRUE(Wait([&] { return StatusOf(1).nodes_size() == 2; }));

  nodes_[1]->Drain();

  EXPECT_THAT(Admin(2, "/readyz"), AllOf(StartsWith("HTTP/1.0 503 "), HasSubstr("draining")));
  EXPECT_EQ(Get(2, "/a"), "no connection");
  EXPECT_TRUE(Wait([&] { return StatusOf(1).nodes_size() == 1; }));
}

TEST_F(NodeTest, PortInUseIsNamedWithItsService) {
  Start(Config(1));
  for (const auto& [service, set] :
       std::vector<std::pair<std::string, std::function<void(config::Ports*)>>>{
           {"proxy", [](config::Ports* p) { p->set_http(28090); }},
           {"index", [](config::Ports* p) { p->set_dsht(28400); }},
           {"DNS", [](config::Ports* p) { p->set_dns(28053); }},
           {"admin", [](config::Ports* p) { p->set_admin(28401); }}}) {
    config::Config config = Config(1);
    config.set_state_dir(folder_ + "/other");
    config.mutable_ports()->set_http(9090);
    config.mutable_ports()->set_dns(9053);
    config.mutable_ports()->set_dsht(9400);
    config.mutable_ports()->set_admin(9401);
    set(config.mutable_ports());

    Node second(config);
    const Status started = second.Start();

    ASSERT_FALSE(started.ok()) << service;
    EXPECT_THAT(started.ToString(), AllOf(HasSubstr(service + ": "), HasSubstr(Address(1) + ":"),
                                          HasSubstr("choose another port")));
  }
}

TEST_F(NodeTest, StateFolderOfARunningNodeIsNotShared) {
  Start(Config(1));
  config::Config config = Config(2);
  config.set_state_dir(folder_ + "/1");

  Node second(config);

  EXPECT_THAT(second.Start().ToString(), HasSubstr("in use by process"));
}

}  // namespace
}  // namespace reef::deploy
