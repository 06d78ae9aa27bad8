// SPDX-License-Identifier: Apache-2.0
#include "dnsredir/server/tcp_server.h"

#include <event2/event.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"

namespace reef::dns {
namespace {

constexpr size_t kLengthBytes = 2;
constexpr size_t kMessageBytesMax = 65535;
constexpr size_t kReadBytes = 4096;
// Answers waiting for one peer; more queries are not looked at before these are sent. One answer
// may exceed it.
constexpr size_t kOutputBytesMax = 65536;
constexpr int kAcceptsPerTurn = 16;
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);

struct FreeEvent {
  void operator()(event* e) const { event_free(e); }
};
using EventPtr = std::unique_ptr<event, FreeEvent>;

}  // namespace

struct TcpServer::Listener {
  TcpServer* server;
  UniqueFd socket;
  EventPtr acceptable;  // before the socket goes, the event does
};

struct TcpServer::Connection {
  TcpServer* server;
  UniqueFd socket;
  IpAddress client;
  EventPtr readable;
  EventPtr writable;
  std::vector<uint8_t> input;  // the beginning of a message, or whole ones not yet looked at
  std::vector<uint8_t> output;
  size_t sent = 0;     // of output
  bool ended = false;  // the peer sends no more
  Instant asked_at;
  Connections::iterator place;

  bool HasOutput() const { return sent < output.size(); }
};

TcpServer::TcpServer(EventLoop& loop, const std::vector<Zone>& zones, Rng rng,
                     const ResponderOptions& options, ViewPtr view, Limits limits,
                     DnsMetrics& metrics, StatsCell& cell)
    : loop_(loop),
      limits_(limits),
      metrics_(metrics),
      cell_(cell),
      responder_(zones, rng, options),
      view_(std::move(view)),
      idle_timer_(loop, [this] { CloseIdle(); }),
      accept_again_(loop,
                    [this] {
                      for (const auto& l : listeners_) event_add(l->acceptable.get(), nullptr);
                    }),
      scratch_(kLengthBytes + kMessageBytesMax) {
  REEF_CHECK(limits.connections_max > 0);
}

TcpServer::~TcpServer() {
  metrics_.tcp_open.Add(-static_cast<int64_t>(connections_.size()));
}

void TcpServer::Listen(UniqueFd socket) {
  auto listener = std::make_unique<Listener>(Listener{this, std::move(socket), nullptr});
  const auto on_acceptable = [](evutil_socket_t, short, void* self) {
    auto* ready = static_cast<Listener*>(self);
    ready->server->OnAcceptable(*ready);
  };
  listener->acceptable.reset(event_new(loop_.base(), listener->socket.get(), EV_READ | EV_PERSIST,
                                       on_acceptable, listener.get()));
  event_add(listener->acceptable.get(), nullptr);
  listeners_.push_back(std::move(listener));
}

void TcpServer::StopListening() {
  accept_again_.Cancel();
  listeners_.clear();
}

void TcpServer::OnAcceptable(Listener& listener) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    auto* const address = reinterpret_cast<sockaddr*>(&peer);
    UniqueFd socket(accept4(listener.socket.get(), address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.get() >= 0) {
      Adopt(std::move(socket), FromSockaddr(address, length).value_or(Endpoint{}).address);
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return;
    metrics_.tcp_accept_errors.Add();
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      // The connection stays in the queue and would wake us at once, for nothing.
      for (const auto& l : listeners_) event_del(l->acceptable.get());
      accept_again_.ArmIn(kAcceptPause);
      return;
    }
  }
}

void TcpServer::Adopt(UniqueFd socket, const IpAddress& client) {
  metrics_.tcp_accepted.Add();
  if (connections_.size() >= limits_.connections_max) {
    metrics_.tcp_closed_for_room.Add();
    Close(*connections_.front());
  }
  SetNoDelay(socket.get());

  auto owned = std::make_unique<Connection>();
  Connection& c = *owned;
  c.server = this;
  c.socket = std::move(socket);
  c.client = client;
  const auto on_readable = [](evutil_socket_t, short, void* self) {
    auto* ready = static_cast<Connection*>(self);
    ready->server->OnReady(*ready, true);
  };
  const auto on_writable = [](evutil_socket_t, short, void* self) {
    auto* ready = static_cast<Connection*>(self);
    ready->server->OnReady(*ready, false);
  };
  const int fd = c.socket.get();
  c.readable.reset(event_new(loop_.base(), fd, EV_READ | EV_PERSIST, on_readable, &c));
  c.writable.reset(event_new(loop_.base(), fd, EV_WRITE, on_writable, &c));
  c.asked_at = loop_.Now();
  c.place = connections_.insert(connections_.end(), std::move(owned));
  event_add(c.readable.get(), nullptr);
  metrics_.tcp_open.Add(1);
  if (!idle_timer_.armed()) ArmIdleTimer();
}

// A turn of one connection: what arrived, what it asks, what can be sent. Reading stops while
// answers wait, so a peer cannot make us buffer without end.
void TcpServer::OnReady(Connection& c, bool readable) {
  if (readable && !Read(c)) return Close(c);
  while (true) {
    if (!AnswerWhole(c)) {
      metrics_.tcp_closed_protocol.Add();
      return Close(c);
    }
    if (!c.HasOutput()) break;
    if (!Write(c)) return Close(c);
    if (c.HasOutput()) {
      event_del(c.readable.get());
      event_add(c.writable.get(), nullptr);
      return;
    }
  }
  if (c.ended) return Close(c);
  event_add(c.readable.get(), nullptr);
}

// False: the connection is broken.
bool TcpServer::Read(Connection& c) {
  const size_t before = c.input.size();
  c.input.resize(before + kReadBytes);
  const ssize_t n = recv(c.socket.get(), c.input.data() + before, kReadBytes, 0);
  c.input.resize(before + static_cast<size_t>(std::max<ssize_t>(n, 0)));
  if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  c.ended = n == 0;
  return true;
}

// Answers the whole messages of the input until the output is full. False: the peer sends
// something that cannot be answered.
bool TcpServer::AnswerWhole(Connection& c) {
  size_t used = 0;
  bool good = true;
  while (good && c.output.size() < kOutputBytesMax && c.input.size() - used >= kLengthBytes) {
    const uint8_t* from = c.input.data() + used;
    const size_t size = static_cast<size_t>(from[0] << 8 | from[1]);
    if (c.input.size() - used - kLengthBytes < size) break;
    used += kLengthBytes + size;

    uint8_t* body = scratch_.data() + kLengthBytes;
    std::copy_n(from + kLengthBytes, size, body);
    const size_t answer = responder_.Answer(
        loop_.Now(), {body, size, kMessageBytesMax, Transport::kTcp, c.client}, *view_);
    good = answer != 0;
    scratch_[0] = static_cast<uint8_t>(answer >> 8);
    scratch_[1] = static_cast<uint8_t>(answer);
    if (good) {
      c.output.insert(c.output.end(), scratch_.data(), body + answer);
    }
  }
  if (used > 0) {
    c.input.erase(c.input.begin(), c.input.begin() + static_cast<ptrdiff_t>(used));
    Touch(c);
    cell_.Publish(responder_.stats());
  }
  return good;
}

// False: the connection is broken.
bool TcpServer::Write(Connection& c) {
  const ssize_t n =
      send(c.socket.get(), c.output.data() + c.sent, c.output.size() - c.sent, MSG_NOSIGNAL);
  if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  c.sent += static_cast<size_t>(n);
  if (!c.HasOutput()) {
    c.output.clear();
    c.sent = 0;
  }
  return true;
}

void TcpServer::Touch(Connection& c) {
  c.asked_at = loop_.Now();
  connections_.splice(connections_.end(), connections_, c.place);
}

void TcpServer::Close(Connection& c) {
  metrics_.tcp_open.Add(-1);
  connections_.erase(c.place);
}

void TcpServer::CloseIdle() {
  const Instant now = loop_.Now();
  while (!connections_.empty() && now - connections_.front()->asked_at >= limits_.idle_max) {
    metrics_.tcp_closed_idle.Add();
    Close(*connections_.front());
  }
  ArmIdleTimer();
}

void TcpServer::ArmIdleTimer() {
  idle_timer_.ArmAt(connections_.empty() ? kNever
                                         : connections_.front()->asked_at + limits_.idle_max);
}

}  // namespace reef::dns
