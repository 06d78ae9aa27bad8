// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/listener.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace reef::http {
namespace {

using namespace std::chrono_literals;

// A turn of the loop belongs to the connections that are open too.
constexpr int kAcceptsPerTurn = 64;
constexpr Duration kExhaustedPause = 100ms;

}  // namespace

Listener::Listener(EventLoop& loop, UniqueFd socket, Handlers handlers)
    : socket_(std::move(socket)),
      handlers_(std::move(handlers)),
      resume_(loop, [this] { event_add(&readable_, nullptr); }) {
  // Accepted sockets inherit it: Nagle costs 44 ms where an answer ends in a short segment.
  SetNoDelay(socket_.get());
  event_assign(
      &readable_, loop.base(), socket_.get(), EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* self) { static_cast<Listener*>(self)->OnReadable(); }, this);
  event_add(&readable_, nullptr);
}

Listener::~Listener() {
  event_del(&readable_);
}

void Listener::OnReadable() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    auto* const address = reinterpret_cast<sockaddr*>(&from);
    UniqueFd client(accept4(socket_.get(), address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client) {
      handlers_.accepted(std::move(client), FromSockaddr(address, size).value_or(Endpoint()));
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EAGAIN) return;
    // EMFILE, ENFILE, ENOBUFS, ENOMEM: the socket stays readable; without a pause the loop spins.
    event_del(&readable_);
    resume_.ArmIn(kExhaustedPause);
    handlers_.exhausted();
    return;
  }
}

}  // namespace reef::http
