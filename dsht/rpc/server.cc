// SPDX-License-Identifier: Apache-2.0
#include "dsht/rpc/server.h"

#include <absl/synchronization/mutex.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <utility>

#include "base/check.h"
#include "dsht/rpc/channel_cache.h"
#include "dsht/rpc/credentials.h"
#include "dsht/rpc/peer_address.h"
#include "proto/dsht.grpc.pb.h"

namespace reef::dsht {
namespace {

constexpr size_t kServerMemoryBytesMax = 64 << 20;
// Longer than the callers' own limit, which closes connections in good order.
constexpr int kConnectionIdleMsMax = 10 * 60 * 1000;
constexpr auto kStopGrace = std::chrono::milliseconds(500);

grpc::Status ToGrpc(const Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(FromAbsl(status.message()))};
}

}  // namespace

// One call from its arrival until gRPC is done with it. Finish comes once, from the loop or, when
// the call is refused on arrival, from gRPC's thread.
class Server::Call : public grpc::ServerUnaryReactor {
 public:
  Call(Server& server, const v1::Envelope& request, v1::Envelope& reply,
       const std::optional<Endpoint>& source)
      : server_(server), request_(request), reply_(reply), source_(source.value_or(Endpoint())) {}

  void OnDone() override {
    server_.calls_.fetch_sub(1);
    delete this;
  }
  // The caller gave up or its deadline has passed.
  void OnCancel() override {
    server_.loop_.Post([&server = server_, id = id_.load()] {
      server.Refuse(id, DeadlineExceeded("the caller gave up"));
    });
  }

  const v1::Envelope& request() const { return request_; }
  v1::Envelope& reply() { return reply_; }
  const Endpoint& source() const { return source_; }
  void set_id(CallId id) { id_.store(id); }

 private:
  Server& server_;
  const v1::Envelope& request_;
  v1::Envelope& reply_;
  const Endpoint source_;
  std::atomic<CallId> id_{0};
};

class Server::Service : public v1::Dsht::CallbackService {
 public:
  explicit Service(Server& server) : server_(server) {}

  grpc::ServerUnaryReactor* Call(grpc::CallbackServerContext* context, const v1::Envelope* request,
                                 v1::Envelope* reply) override {
    auto* call = new Server::Call(server_, *request, *reply, ParsePeer(context->peer()));
    if (server_.calls_.fetch_add(1) >= server_.options_.calls_max) {
      server_.refused_busy_.Add();
      call->Finish(ToGrpc(ResourceExhausted("too many calls at once")));
    } else {
      server_.loop_.Post([&server = server_, call] { server.Accept(call); });
    }
    return call;
  }

  StatusOr<Endpoint> Start(const Endpoint& listen) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(listen.ToString(), NodeServerCredentials(), &port);
    builder.RegisterService(this);
    builder.SetMaxReceiveMessageSize(kEnvelopeBytesMax);
    builder.SetMaxSendMessageSize(kEnvelopeBytesMax);
    builder.SetResourceQuota(grpc::ResourceQuota("dsht").Resize(kServerMemoryBytesMax));
    // A second process on the same port is a mistake to be told, not a way to share the load.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kConnectionIdleMsMax);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                               static_cast<int>(server_.options_.calls_per_source_max));
    grpc_server_ = builder.BuildAndStart();
    if (!grpc_server_ || port == 0) {
      return Unavailable("listen for DSHT messages on " + listen.ToString() +
                         ": the address is in use or not of this machine");
    }
    return Endpoint{listen.address, static_cast<uint16_t>(port)};
  }

  void Stop() {
    if (!grpc_server_) return;
    grpc_server_->Shutdown(std::chrono::system_clock::now() + kStopGrace);
    grpc_server_->Wait();
  }

 private:
  Server& server_;
  std::unique_ptr<grpc::Server> grpc_server_;
};

Server::Server(EventLoop& loop, const Options& options, Metrics& metrics, Handler handler)
    : loop_(loop),
      options_(options),
      handler_(std::move(handler)),
      refused_busy_(metrics.AddCounter("reef_dsht_calls_refused_total",
                                       "DSHT calls refused before they were read, by reason",
                                       {{"reason", "busy"}})),
      refused_source_(metrics.AddCounter("reef_dsht_calls_refused_total",
                                         "DSHT calls refused before they were read, by reason",
                                         {{"reason", "source_limit"}})) {}

Server::~Server() {
  REEF_CHECK(!service_) << "stop the server first";
}

StatusOr<Endpoint> Server::Start() {
  REEF_CHECK(!service_);
  // Debian's Abseil looks for deadlocks at every lock that gRPC takes, a check meant for tests.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  service_ = std::make_unique<Service>(*this);
  StatusOr<Endpoint> bound = service_->Start(options_.listen);
  if (!bound.ok()) service_.reset();
  return bound;
}

void Server::Accept(Call* call) {
  const IpAddress source = call->source().address;
  size_t& from_source = per_source_[source];
  if (stopping_ || from_source >= options_.calls_per_source_max) {
    if (!stopping_) refused_source_.Add();
    if (from_source == 0) per_source_.erase(source);
    call->Finish(ToGrpc(stopping_ ? Unavailable("stopping")
                                  : ResourceExhausted("too many calls from one address")));
    return;
  }
  ++from_source;
  const CallId id = ++last_id_;
  call->set_id(id);
  waiting_.emplace(id, call);
  handler_(id, call->source(), call->request());
}

Server::Call* Server::Take(CallId id) {
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return nullptr;
  Call* call = found->second;
  waiting_.erase(found);
  const auto source = per_source_.find(call->source().address);
  REEF_CHECK(source != per_source_.end());
  if (--source->second == 0) per_source_.erase(source);
  return call;
}

void Server::Reply(CallId id, v1::Envelope&& reply) {
  if (Call* call = Take(id)) {
    // A copy costs as much as the node's whole answer (docs/performance.md).
    call->reply() = std::move(reply);
    call->Finish(grpc::Status::OK);
  }
}

void Server::Refuse(CallId id, const Status& why) {
  if (Call* call = Take(id)) call->Finish(ToGrpc(why));
}

void Server::Stop() {
  if (!service_) return;
  loop_.Post([this] {
    stopping_ = true;
    while (!waiting_.empty()) Refuse(waiting_.begin()->first, Unavailable("stopping"));
  });
  service_->Stop();  // the loop goes on refusing until gRPC has no call left
  service_.reset();
}

}  // namespace reef::dsht
