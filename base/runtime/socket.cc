// SPDX-License-Identifier: Apache-2.0
#include "base/runtime/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace reef {
namespace {

std::string_view Remedy(int error, const Endpoint& endpoint) {
  switch (error) {
    case EACCES:
      return endpoint.port < 1024 ? "; ports below 1024 need CAP_NET_BIND_SERVICE" : "";
    case EADDRINUSE:
      return "; another program has it: stop that one or choose another port";
    case EADDRNOTAVAIL:
      return "; this machine has no such address";
    case EMFILE:
      return "; raise the limit of open files (ulimit -n)";
    default:
      return "";
  }
}

// "listen on 127.0.0.1:53: permission denied; ports below 1024 need CAP_NET_BIND_SERVICE"
Status Failed(std::string_view what, const Endpoint& endpoint, int error) {
  std::string reason = std::strerror(error);
  if (!reason.empty()) reason[0] = AsciiLower(reason[0]);
  std::string text(what);
  text.append(" ").append(endpoint.ToString()).append(": ").append(reason);
  text.append(Remedy(error, endpoint));
  return Unavailable(text);
}

UniqueFd NewSocket(const Endpoint& endpoint, int type) {
  const int family = endpoint.address.is_v4() ? AF_INET : AF_INET6;
  return UniqueFd(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

bool SetOption(int fd, int level, int option) {
  const int on = 1;
  return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

// A bound socket, or an invalid one with errno set.
UniqueFd NewBoundSocket(const Endpoint& endpoint, int type, bool reuse_port) {
  UniqueFd fd = NewSocket(endpoint, type);
  if (!fd) return fd;
  sockaddr_storage address;
  const socklen_t length = ToSockaddr(endpoint, &address);
  const bool is_bound =
      (endpoint.address.is_v4() || SetOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY)) &&
      // A restart must not wait for the old connections' TIME_WAIT. Not for UDP: there it would let
      // two programs share a port in silence.
      (type != SOCK_STREAM || SetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR)) &&
      (!reuse_port || SetOption(fd.get(), SOL_SOCKET, SO_REUSEPORT)) &&
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0;
  if (is_bound) return fd;
  const int error = errno;
  fd.Reset();
  errno = error;
  return fd;
}

template <typename Call>
Endpoint AskEndpoint(int fd, Call call) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (call(fd, generic, &length) != 0) return {};
  return FromSockaddr(generic, length).value_or(Endpoint{});
}

}  // namespace

void UniqueFd::Reset(int fd) {
  if (fd_ >= 0 && fd_ != fd) close(fd_);
  fd_ = fd;
}

socklen_t ToSockaddr(const Endpoint& endpoint, sockaddr_storage* out) {
  std::memset(out, 0, sizeof *out);
  const auto bytes = endpoint.address.bytes();
  if (endpoint.address.is_v4()) {
    auto* const v4 = reinterpret_cast<sockaddr_in*>(out);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(endpoint.port);
    std::memcpy(&v4->sin_addr, bytes.data(), bytes.size());
    return sizeof *v4;
  }
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(out);
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(endpoint.port);
  std::memcpy(&v6->sin6_addr, bytes.data(), bytes.size());
  return sizeof *v6;
}

std::optional<Endpoint> FromSockaddr(const sockaddr* address, socklen_t length) {
  if (length >= sizeof(sockaddr_in) && address->sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof v4);
    std::array<uint8_t, 4> bytes;
    std::memcpy(bytes.data(), &v4.sin_addr, bytes.size());
    return Endpoint{IpAddress::V4(bytes), ntohs(v4.sin_port)};
  }
  if (length >= sizeof(sockaddr_in6) && address->sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, address, sizeof v6);
    std::array<uint8_t, 16> bytes;
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return Endpoint{IpAddress::V6(bytes), ntohs(v6.sin6_port)};
  }
  return std::nullopt;
}

StatusOr<UniqueFd> ListenTcp(const Endpoint& endpoint, bool reuse_port, int backlog) {
  UniqueFd fd = NewBoundSocket(endpoint, SOCK_STREAM, reuse_port);
  if (!fd || listen(fd.get(), backlog) != 0) return Failed("listen on", endpoint, errno);
  return fd;
}

StatusOr<UniqueFd> BindUdp(const Endpoint& endpoint, bool reuse_port) {
  UniqueFd fd = NewBoundSocket(endpoint, SOCK_DGRAM, reuse_port);
  if (!fd) return Failed("bind to", endpoint, errno);
  return fd;
}

StatusOr<UniqueFd> StartConnect(const Endpoint& to) {
  UniqueFd fd = NewSocket(to, SOCK_STREAM);
  sockaddr_storage address;
  const socklen_t length = ToSockaddr(to, &address);
  if (!fd || (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 &&
              errno != EINPROGRESS)) {
    return Failed("connect to", to, errno);
  }
  return fd;
}

Status ConnectResult(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error == 0) return absl::OkStatus();
  std::string reason = std::strerror(error);
  reason[0] = AsciiLower(reason[0]);
  return Unavailable("connect: " + reason);
}

Endpoint LocalEndpoint(int fd) {
  return AskEndpoint(fd, getsockname);
}
Endpoint PeerEndpoint(int fd) {
  return AskEndpoint(fd, getpeername);
}

// Fails only for what is no TCP socket, where nothing is delayed.
void SetNoDelay(int fd) {
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY);
}

}  // namespace reef
