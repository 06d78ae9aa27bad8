// SPDX-License-Identifier: Apache-2.0
#include "dsht/rpc/server.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dsht/rpc/caller.h"
#include "proto/dsht.pb.h"

namespace reef::dsht {
namespace {

using namespace std::chrono_literals;

// A server and a caller on one loop, as in a node. The server's handler is the test's.
class TransportTest : public testing::Test {
 protected:
  void StartServer(Server::Options options) {
    options.listen = *Endpoint::Parse("127.0.0.1:0");
    thread_.RunAndWait([&] {
      server_ = std::make_unique<Server>(
          thread_.loop(), options, metrics_,
          [this](Server::CallId call, const Endpoint& source, const v1::Envelope& request) {
            ++handled_;
            handler_(call, source, request);
          });
      caller_ = std::make_unique<Caller>(thread_.loop(), ChannelCache::Options(), metrics_);
    });
    const StatusOr<Endpoint> bound = server_->Start();
    ASSERT_TRUE(bound.ok()) << bound.status();
    target_ = bound->ToString();
  }

  void TearDown() override {
    if (server_) server_->Stop();
    if (caller_) caller_->Stop();
    thread_.RunAndWait([&] {
      server_.reset();
      caller_.reset();
    });
  }

  // The status with which a call ends; version 0 if there is no reply.
  struct Result {
    absl::StatusCode code;
    uint32_t version;
    bool cold;
  };
  std::future<Result> Call(Duration timeout) {
    auto promise = std::make_shared<std::promise<Result>>();
    std::future<Result> result = promise->get_future();
    thread_.loop().Post([this, timeout, promise] {
      v1::Envelope request;
      request.set_version(7);
      caller_->Call(target_, request, timeout, [promise](const Caller::Outcome& outcome) {
        promise->set_value({outcome.status.code(),
                            outcome.reply == nullptr ? 0 : outcome.reply->version(), outcome.cold});
      });
    });
    return result;
  }

  void Answer(Server::CallId call, uint32_t version) {
    v1::Envelope reply;
    reply.set_version(version);
    server_->Reply(call, std::move(reply));
  }

  // What the test waits for on the loop's thread: so many calls that have been handled.
  void AwaitHandled(int count) {
    bool done = false;
    while (!done) thread_.RunAndWait([&] { done = handled_ >= count; });
  }

  Metrics metrics_;
  LoopThread thread_{"test"};
  std::unique_ptr<Server> server_;
  std::unique_ptr<Caller> caller_;
  std::string target_;
  int handled_ = 0;  // on the loop's thread
  std::function<void(Server::CallId, const Endpoint&, const v1::Envelope&)> handler_ =
      [](Server::CallId, const Endpoint&, const v1::Envelope&) {};
};

TEST_F(TransportTest, AReplyReachesItsCaller) {
  handler_ = [this](Server::CallId call, const Endpoint& source, const v1::Envelope& request) {
    EXPECT_TRUE(source.address.IsLoopback());
    Answer(call, request.version() + 1);
  };
  StartServer({});

  const Result result = Call(60s).get();

  EXPECT_EQ(result.code, absl::StatusCode::kOk);
  EXPECT_EQ(result.version, 8u);
}

TEST_F(TransportTest, ACallForWhichAConnectionIsMadeIsKnownFromTheNext) {
  handler_ = [this](Server::CallId call, const Endpoint&, const v1::Envelope&) { Answer(call, 1); };
  StartServer({});

  EXPECT_TRUE(Call(60s).get().cold);
  EXPECT_FALSE(Call(60s).get().cold);
}

TEST_F(TransportTest, ARefusalReachesItsCaller) {
  handler_ = [this](Server::CallId call, const Endpoint&, const v1::Envelope&) {
    server_->Refuse(call, InvalidArgument("no"));
  };
  StartServer({});

  EXPECT_EQ(Call(60s).get().code, absl::StatusCode::kInvalidArgument);
}

TEST_F(TransportTest, ACallThatIsNotAnsweredEndsAtItsDeadline) {
  StartServer({});

  EXPECT_EQ(Call(50ms).get().code, absl::StatusCode::kDeadlineExceeded);
}

TEST_F(TransportTest, ALateReplyIsIgnored) {
  Server::CallId asked = 0;
  handler_ = [&](Server::CallId call, const Endpoint&, const v1::Envelope&) { asked = call; };
  StartServer({});
  EXPECT_EQ(Call(500ms).get().code, absl::StatusCode::kDeadlineExceeded);

  thread_.RunAndWait([&] {
    Answer(asked, 1);
    Answer(asked, 2);
    Answer(12345, 3);
  });
}

TEST_F(TransportTest, BeyondTheLimitACallIsRefusedAtOnce) {
  StartServer({.listen = {}, .calls_max = 2, .calls_per_source_max = 100});
  std::future<Result> one = Call(60s);
  std::future<Result> two = Call(60s);
  AwaitHandled(2);

  EXPECT_EQ(Call(60s).get().code, absl::StatusCode::kResourceExhausted);

  server_->Stop();
  EXPECT_EQ(one.get().code, absl::StatusCode::kUnavailable);
  EXPECT_EQ(two.get().code, absl::StatusCode::kUnavailable);
}

TEST_F(TransportTest, AnAddressHasALimitOfItsOwn) {
  std::vector<Server::CallId> open;
  handler_ = [&](Server::CallId call, const Endpoint&, const v1::Envelope&) {
    open.push_back(call);
  };
  StartServer({.listen = {}, .calls_max = 100, .calls_per_source_max = 1});
  std::future<Result> one = Call(60s);
  AwaitHandled(1);

  // gRPC itself holds the second one back on the same connection; when the first has ended it
  // takes its turn.
  std::future<Result> two = Call(60s);
  thread_.RunAndWait([&] { Answer(open.at(0), 1); });
  AwaitHandled(2);
  thread_.RunAndWait([&] { Answer(open.at(1), 2); });

  EXPECT_EQ(one.get().version, 1u);
  EXPECT_EQ(two.get().version, 2u);
}

TEST_F(TransportTest, WhereNobodyListensTheCallFails) {
  StartServer({});
  server_->Stop();

  EXPECT_EQ(Call(60s).get().code, absl::StatusCode::kUnavailable);
}

TEST_F(TransportTest, StoppingEndsWhatIsUnderWay) {
  StartServer({});
  std::future<Result> one = Call(60s);
  AwaitHandled(1);

  caller_->Stop();

  EXPECT_EQ(one.get().code, absl::StatusCode::kCancelled);
  EXPECT_EQ(Call(60s).get().code, absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace reef::dsht
