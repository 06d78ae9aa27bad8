// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/upstream_connection.h"

#include <event2/event.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace reef::http {
namespace {

// A machine that is gone is noticed within these, also while its side owes us bytes for long:
// 2 s + 3 * 1 s of silence to keep-alive probes, 10 s to data of ours.
constexpr int kProbeAfterSeconds = 2;
constexpr int kProbeEverySeconds = 1;
constexpr int kProbesMax = 3;
constexpr unsigned kUnackedMillisecondsMax = 10'000;

std::string ErrorText(int error) {
  char buffer[128];
  return strerror_r(error, buffer, sizeof buffer);
}

void SetOptions(int fd) {
  SetNoDelay(fd);
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &kProbeAfterSeconds, sizeof kProbeAfterSeconds);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &kProbeEverySeconds, sizeof kProbeEverySeconds);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &kProbesMax, sizeof kProbesMax);
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnackedMillisecondsMax,
             sizeof kUnackedMillisecondsMax);
}

}  // namespace

void UpstreamConnection::FreeEvent::operator()(event* e) const {
  event_free(e);
}

StatusOr<std::unique_ptr<UpstreamConnection>> UpstreamConnection::Connect(
    EventLoop& loop, const Endpoint& to, TlsClientContext* tls, const std::string& tls_host,
    uint16_t tls_port) {
  ASSIGN_OR_RETURN(UniqueFd socket, StartConnect(to));
  SetOptions(socket.get());
  std::unique_ptr<UpstreamConnection> made(new UpstreamConnection(loop, std::move(socket), to));
  if (tls != nullptr) made->tls_ = tls->Connect(made->fd_.get(), tls_host, tls_port);
  Arm(made->write_.get());
  return made;
}

UpstreamConnection::UpstreamConnection(EventLoop& loop, UniqueFd fd, const Endpoint& to)
    : fd_(std::move(fd)), remote_(to) {
  const auto on_event = [](evutil_socket_t, short, void* self) {
    // A copy: the function may destroy the connection, and itself with it.
    const std::function<void()> on_ready = static_cast<UpstreamConnection*>(self)->on_ready_;
    if (on_ready) on_ready();
  };
  read_.reset(event_new(loop.base(), fd_.get(), EV_READ, on_event, this));
  write_.reset(event_new(loop.base(), fd_.get(), EV_WRITE, on_event, this));
}

UpstreamConnection::~UpstreamConnection() {
  // Before the descriptor that they use.
  read_.reset();
  write_.reset();
  tls_.reset();
}

void UpstreamConnection::Arm(event* e) {
  event_add(e, nullptr);
}

UpstreamConnection::Io UpstreamConnection::Establish() {
  if (!connected_) {
    if (const Status status = ConnectResult(fd_.get()); !status.ok()) {
      error_text_ = FromAbsl(status.message());
      return Io::kFailed;
    }
    // A wake-up without a cause: a socket that does not stand yet has no peer.
    if (PeerEndpoint(fd_.get()).port == 0) {
      Arm(write_.get());
      return Io::kBlocked;
    }
    connected_ = true;
  }
  if (tls_ == nullptr || established_) {
    established_ = true;
    return Io::kDone;
  }
  const Io io = Translate(tls_->Handshake());
  established_ = io == Io::kDone;
  return io;
}

UpstreamConnection::Io UpstreamConnection::Read(char* data, size_t size, size_t& bytes) {
  if (tls_ != nullptr) return Translate(tls_->Read(data, size, bytes));
  bytes = 0;
  const ssize_t n = recv(fd_.get(), data, size, 0);
  if (n > 0) {
    bytes = static_cast<size_t>(n);
    return Io::kDone;
  }
  if (n == 0) return Io::kEnd;
  if (errno != EAGAIN && errno != EINTR) return Fail(errno);
  Arm(read_.get());
  return Io::kBlocked;
}

UpstreamConnection::Io UpstreamConnection::Write(std::string_view data, size_t& bytes) {
  if (tls_ != nullptr) return Translate(tls_->Write(data, bytes));
  bytes = 0;
  const ssize_t n = send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL);
  if (n >= 0) {
    bytes = static_cast<size_t>(n);
    return Io::kDone;
  }
  if (errno != EAGAIN && errno != EINTR) return Fail(errno);
  Arm(write_.get());
  return Io::kBlocked;
}

void UpstreamConnection::Shutdown() {
  if (tls_ != nullptr) tls_->Shutdown();
}

UpstreamConnection::Io UpstreamConnection::Translate(TlsStream::Io io) {
  switch (io) {
    case TlsStream::Io::kDone:
      return Io::kDone;
    case TlsStream::Io::kWantRead:
      Arm(read_.get());
      return Io::kBlocked;
    case TlsStream::Io::kWantWrite:
      Arm(write_.get());
      return Io::kBlocked;
    case TlsStream::Io::kEnd:
      return Io::kEnd;
    case TlsStream::Io::kFailed:
      error_text_ = tls_->error_text();
      return Io::kFailed;
  }
  return Io::kFailed;
}

UpstreamConnection::Io UpstreamConnection::Fail(int error) {
  error_text_ = ErrorText(error);
  return Io::kFailed;
}

}  // namespace reef::http
