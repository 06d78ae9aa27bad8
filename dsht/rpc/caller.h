// SPDX-License-Identifier: Apache-2.0
//
// Caller: the calling half of the DSHT over gRPC: one unary call a message on a cached channel,
// with a deadline, its outcome brought back to the dsht loop.
//
// Owned by Driver. Threads: the loop's own, except Stop, which blocks briefly and is called from
// another thread while the loop runs.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "base/endpoint.h"
#include "base/runtime/event_loop.h"
#include "base/runtime/metrics.h"
#include "base/status.h"
#include "dsht/rpc/channel_cache.h"

namespace reef::dsht {

namespace v1 {
class Envelope;
}

class Caller {
 public:
  struct Outcome {
    Status status;
    const v1::Envelope* reply = nullptr;  // borrowed for the time of the call; nullptr on failure
    IpAddress from;                       // of the other end; unspecified if unknown
    bool cold = false;                    // there was no connection yet when it was sent
  };
  // On the loop's thread, once.
  using Done = absl::AnyInvocable<void(const Outcome& outcome)>;

  Caller(EventLoop& loop, const ChannelCache::Options& channels, Metrics& metrics);
  ~Caller();  // Requires: nothing in flight.

  // Sends `request` to `target` ("192.0.2.1:8400" or "host.example:8400").
  void Call(const std::string& target, const v1::Envelope& request, Duration timeout, Done done);

  // Cancels what is in flight, refuses what comes later, and blocks until every `done` has run.
  // Idempotent. Not from the loop's thread.
  void Stop();

 private:
  struct InFlight;

  void Finish(uint64_t id, const Status& status);
  void CloseIdleChannels();
  void ArmIdleTimer();

  EventLoop& loop_;
  ChannelCache channels_;
  Timer close_idle_;
  Histogram& seconds_;
  Gauge& channels_open_;

  bool stopping_ = false;
  Task drained_;  // set while Stop waits
  uint64_t last_id_ = 0;
  std::map<uint64_t, std::unique_ptr<InFlight>> in_flight_;
};

}  // namespace reef::dsht
