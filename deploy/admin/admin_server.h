// SPDX-License-Identifier: Apache-2.0
//
// AdminServer: what a node tells its operator, over HTTP on one loop of its own:
//
//   /livez        200 while the process does its work, else 503 and why
//   /readyz       200 when clients may be sent here, else 503 and what is missing, a line each
//   /metrics      Prometheus text exposition
//   /status.json  proto/control.proto, Status
//   /             the dashboard, which reads /status.json
//
// It is off the hot path, so libevent's evhttp serves it. It only tells, never acts: no request
// changes anything. Against web pages that reach for it through a visitor's browser: no CORS, and
// the Host must be an address, localhost or a name from Options (DNS rebinding).
//
// Threads: Start and Stop from the owner's; Pages run on the admin loop and must not block.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/endpoint.h"
#include "base/runtime/event_loop.h"
#include "base/runtime/socket.h"
#include "base/status.h"

struct evhttp;
struct evhttp_request;

namespace reef::deploy {

// True if a request with this Host field may be answered. `names` in lower case.
bool IsTrustedHost(std::string_view host, const std::vector<std::string>& names);

class AdminServer {
 public:
  struct Options {
    Endpoint listen;                 // port 0: any free one
    std::vector<std::string> names;  // host names, besides localhost, that it may be called by
  };
  struct Pages {
    std::function<std::vector<std::string>()> why_not_alive;  // empty: alive
    std::function<std::vector<std::string>()> why_not_ready;  // empty: ready
    std::function<std::string()> metrics;
    std::function<std::string()> status_json;
    std::string_view dashboard;  // HTML; outlives this
  };

  AdminServer(Options options, Pages pages);
  ~AdminServer();  // stops
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  Status Start();
  void Stop();  // idempotent

  // Requires: started.
  const Endpoint& endpoint() const { return endpoint_; }
  EventLoop& loop() { return thread_.loop(); }
  const Options& options() const { return options_; }

 private:
  struct FreeHttp {
    void operator()(evhttp* http) const;
  };

  void Answer(evhttp_request* request);

  const Options options_;
  const Pages pages_;
  Endpoint endpoint_;
  bool stopped_ = false;
  LoopThread thread_;
  std::unique_ptr<evhttp, FreeHttp> http_;  // on the loop's thread
};

}  // namespace reef::deploy
