// SPDX-License-Identifier: Apache-2.0
#include "dsht/rpc/caller.h"

#include <grpcpp/client_context.h>

#include <future>
#include <utility>

#include "base/check.h"
#include "dsht/rpc/peer_address.h"
#include "proto/dsht.grpc.pb.h"

namespace reef::dsht {
namespace {

Status FromGrpc(const std::string& target, const grpc::Status& status) {
  if (status.ok()) return {};
  return {static_cast<absl::StatusCode>(status.error_code()),
          "call " + target + ": " + status.error_message()};
}

}  // namespace

// All that gRPC writes to while the call is under way; freed on the loop after its callback.
struct Caller::InFlight {
  explicit InFlight(const std::shared_ptr<grpc::Channel>& channel)
      : cold(channel->GetState(false) != GRPC_CHANNEL_READY), stub(channel) {}

  std::string target;
  Instant started_at;
  bool cold = false;
  v1::Dsht::Stub stub;
  grpc::ClientContext context;
  v1::Envelope request;
  v1::Envelope reply;
  Done done;
};

Caller::Caller(EventLoop& loop, const ChannelCache::Options& channels, Metrics& metrics)
    : loop_(loop),
      channels_(channels),
      close_idle_(loop, [this] { CloseIdleChannels(); }),
      seconds_(metrics.AddHistogram("reef_dsht_call_seconds",
                                    "Time from sending a DSHT message to its outcome",
                                    LatencyBounds())),
      channels_open_(metrics.AddGauge("reef_dsht_channels", "Connections kept to other nodes")) {}

Caller::~Caller() {
  REEF_CHECK(in_flight_.empty()) << "stop the caller first";
}

void Caller::Call(const std::string& target, const v1::Envelope& request, Duration timeout,
                  Done done) {
  const Instant now = loop_.Now();
  if (stopping_) {
    loop_.Post([done = std::move(done)]() mutable {
      done({.status = Unavailable("stopping"), .reply = nullptr, .from = {}});
    });
    return;
  }
  const uint64_t id = ++last_id_;
  auto owned = std::make_unique<InFlight>(channels_.For(target, now));
  InFlight& call = *owned;
  call.target = target;
  call.started_at = now;
  call.request = request;
  call.done = std::move(done);
  call.context.set_deadline(std::chrono::system_clock::now() + timeout);
  in_flight_.emplace(id, std::move(owned));
  channels_open_.Set(static_cast<int64_t>(channels_.size()));
  ArmIdleTimer();
  call.stub.async()->Call(
      &call.context, &call.request, &call.reply,
      [this, id, &target_name = call.target](const grpc::Status& status) {
        loop_.Post([this, id, result = FromGrpc(target_name, status)] { Finish(id, result); });
      });
}

void Caller::Finish(uint64_t id, const Status& status) {
  const auto found = in_flight_.find(id);
  REEF_CHECK(found != in_flight_.end());
  const std::unique_ptr<InFlight> call = std::move(found->second);
  in_flight_.erase(found);
  seconds_.Observe(Seconds(loop_.Now() - call->started_at));
  const std::optional<Endpoint> from = ParsePeer(call->context.peer());
  call->done({.status = status,
              .reply = status.ok() ? &call->reply : nullptr,
              .from = from.value_or(Endpoint()).address,
              .cold = call->cold});
  if (in_flight_.empty() && drained_) std::exchange(drained_, nullptr)();
}

void Caller::CloseIdleChannels() {
  channels_.CloseIdle(loop_.Now());
  channels_open_.Set(static_cast<int64_t>(channels_.size()));
  ArmIdleTimer();
}

void Caller::ArmIdleTimer() {
  if (!close_idle_.armed()) close_idle_.ArmAt(channels_.NextDeadline());
}

void Caller::Stop() {
  std::promise<void> drained;
  loop_.Post([this, &drained] {
    stopping_ = true;
    for (const auto& [id, call] : in_flight_) call->context.TryCancel();
    if (in_flight_.empty()) {
      drained.set_value();
    } else {
      drained_ = [&drained] { drained.set_value(); };
    }
  });
  drained.get_future().wait();
}

}  // namespace reef::dsht
