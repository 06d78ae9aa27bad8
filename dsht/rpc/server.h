// SPDX-License-Identifier: Apache-2.0
//
// Server: the listening half of the DSHT over gRPC (callback API). A call is counted against its
// limits and handed to the dsht loop, which answers it by its id; until then the call waits. Every
// call is finished exactly once, whatever happens.
//
// Owned by Driver. Threads: the loop's own, except Start and Stop, which block briefly and are
// called from any other thread while the loop runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "base/endpoint.h"
#include "base/runtime/event_loop.h"
#include "base/runtime/metrics.h"
#include "base/status.h"

namespace reef::dsht {

namespace v1 {
class Envelope;
}

class Server {
 public:
  struct Options {
    Endpoint listen;                    // port 0: any free one
    size_t calls_max = 1024;            // at once; beyond: RESOURCE_EXHAUSTED
    size_t calls_per_source_max = 256;  // of one address
  };
  using CallId = uint64_t;
  // On the loop's thread. `request` is borrowed until the call is answered.
  using Handler =
      std::function<void(CallId call, const Endpoint& source, const v1::Envelope& request)>;

  Server(EventLoop& loop, const Options& options, Metrics& metrics, Handler handler);
  ~Server();  // Requires: stopped, or never started.

  // The endpoint that was bound.
  StatusOr<Endpoint> Start();

  // Each ends one call. A call that is already over is ignored: its caller gave up.
  void Reply(CallId call, v1::Envelope&& reply);
  void Refuse(CallId call, const Status& why);

  // Refuses what is waiting and what still comes, then closes. Idempotent.
  void Stop();

 private:
  class Call;
  class Service;

  void Accept(Call* call);
  // Nullptr if it is over. The call is the caller's to finish.
  Call* Take(CallId id);

  EventLoop& loop_;
  Options options_;
  Handler handler_;
  Counter& refused_busy_;
  Counter& refused_source_;
  std::atomic<size_t> calls_{0};      // from arrival to the end, posted ones included
  std::unique_ptr<Service> service_;  // holds the grpc::Server; set from Start to Stop

  // On the loop's thread.
  bool stopping_ = false;
  CallId last_id_ = 0;
  std::map<CallId, Call*> waiting_;  // gRPC keeps a call alive until it is finished
  std::map<IpAddress, size_t> per_source_;
};

}  // namespace reef::dsht
