// SPDX-License-Identifier: Apache-2.0
//
// TcpServer: DNS over TCP on one event loop (RFC 7766): messages of two length bytes and a body,
// several on the way at once, answered in order. Bounded: connections, idle time, buffered bytes;
// a peer that does not read its answers is not read from.
//
// Connections are kept in the order of their last whole query. The first is closed when it has been
// idle for `idle_max`, or when a new one comes and there are `connections_max`: so a stranger who
// holds connections open without asking only pushes out himself and his like.
//
// Owned by and used on the loop's thread.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "base/rng.h"
#include "base/runtime/event_loop.h"
#include "base/runtime/socket.h"
#include "dnsredir/core/responder.h"
#include "dnsredir/server/dns_metrics.h"
#include "dnsredir/server/view_mailbox.h"

namespace reef::dns {

class TcpServer {
 public:
  struct Limits {
    size_t connections_max;
    Duration idle_max;
  };

  // `zones`, `metrics` and `cell` are borrowed.
  TcpServer(EventLoop& loop, const std::vector<Zone>& zones, Rng rng,
            const ResponderOptions& options, ViewPtr view, Limits limits, DnsMetrics& metrics,
            StatsCell& cell);
  ~TcpServer();  // closes everything
  TcpServer(const TcpServer&) = delete;
  TcpServer& operator=(const TcpServer&) = delete;

  // Takes connections from a listening, non-blocking socket.
  void Listen(UniqueFd socket);

  void SetView(ViewPtr view) { view_ = std::move(view); }

  // Closes the listening sockets; open connections are served on.
  void StopListening();

 private:
  struct Listener;
  struct Connection;
  using Connections = std::list<std::unique_ptr<Connection>>;

  void OnAcceptable(Listener& listener);
  void Adopt(UniqueFd socket, const IpAddress& client);
  void OnReady(Connection& connection, bool readable);
  bool Read(Connection& connection);
  bool AnswerWhole(Connection& connection);
  bool Write(Connection& connection);
  void Touch(Connection& connection);
  void Close(Connection& connection);
  void CloseIdle();
  void ArmIdleTimer();

  EventLoop& loop_;
  const Limits limits_;
  DnsMetrics& metrics_;
  StatsCell& cell_;
  Responder responder_;
  ViewPtr view_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  Connections connections_;  // by last whole query, longest ago first
  Timer idle_timer_;
  Timer accept_again_;
  std::vector<uint8_t> scratch_;  // one message, with its length before it
};

}  // namespace reef::dns
