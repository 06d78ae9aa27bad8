// SPDX-License-Identifier: Apache-2.0
//
// UdpWorker: one thread that answers one UDP socket: it blocks in recvmmsg for up to 64 queries,
// answers each in its own buffer and sends them with one sendmmsg. No event loop between: that is
// gdnsd's way and the fastest measured (docs/dns.md, "Speed").
//
// Made, stopped and destroyed by the server's owner; SetView from any thread.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "base/runtime/socket.h"
#include "dnsredir/core/responder.h"
#include "dnsredir/server/dns_metrics.h"
#include "dnsredir/server/view_mailbox.h"

namespace reef::dns {

class UdpWorker {
 public:
  // Starts the thread. `zones`, `metrics` and `cell` (this thread's own) are borrowed.
  UdpWorker(UniqueFd socket, const std::vector<Zone>& zones, Rng rng,
            const ResponderOptions& options, ViewPtr view, DnsMetrics& metrics, StatsCell& cell);
  ~UdpWorker();  // stops

  void SetView(ViewPtr view) { view_.Put(std::move(view)); }

  // Waits for the thread, which answers what it has begun with. Idempotent.
  void Stop();

 private:
  struct Batch;
  void Run();
  size_t Receive(Batch& batch);
  void AnswerAll(Batch& batch, size_t received);
  void Send(Batch& batch);

  UniqueFd socket_;
  DnsMetrics& metrics_;
  StatsCell& cell_;
  Responder responder_;
  ViewMailbox view_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace reef::dns
