// SPDX-License-Identifier: Apache-2.0
//
// Sockets: owning a descriptor, endpoints to sockaddr and back, and opening sockets the way all of
// Reef's servers do: non-blocking, close-on-exec, IPv6 without IPv4. Errors name the endpoint, what
// the kernel said and what to do. None blocks; any thread.
#pragma once

#include <sys/socket.h>

#include <optional>
#include <utility>

#include "base/endpoint.h"
#include "base/status.h"

namespace reef {

// Owns a file descriptor; closes it.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  ~UniqueFd() { Reset(); }
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    Reset(other.Release());
    return *this;
  }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  // Gives it away: the caller closes it.
  [[nodiscard]] int Release() { return std::exchange(fd_, -1); }
  void Reset(int fd = -1);

 private:
  int fd_ = -1;
};

// The length written; `out` is zeroed first.
socklen_t ToSockaddr(const Endpoint& endpoint, sockaddr_storage* out);
// nullopt unless it is a whole IPv4 or IPv6 address.
std::optional<Endpoint> FromSockaddr(const sockaddr* address, socklen_t length);

// Port 0: any free one (LocalEndpoint tells). `reuse_port`: several sockets share the endpoint, the
// kernel spreads connections or datagrams over them; all of them must ask for it, of one user.
StatusOr<UniqueFd> ListenTcp(const Endpoint& endpoint, bool reuse_port, int backlog = 4096);
StatusOr<UniqueFd> BindUdp(const Endpoint& endpoint, bool reuse_port);

// Starts to connect; the socket becomes writable when that is decided, and ConnectResult tells how.
StatusOr<UniqueFd> StartConnect(const Endpoint& to);
Status ConnectResult(int fd);

// The unspecified IPv4 endpoint if the kernel has none.
Endpoint LocalEndpoint(int fd);
Endpoint PeerEndpoint(int fd);

// Small writes go out at once (TCP_NODELAY).
void SetNoDelay(int fd);

}  // namespace reef
