// SPDX-License-Identifier: Apache-2.0
#include "tests/dnsredir/support/stub_resolver.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/check.h"
#include "tests/dnsredir/support/message.h"

namespace reef::dns {
namespace {

UniqueFd Connect(const Endpoint& server, int type, bool& connected) {
  sockaddr_storage address;
  const socklen_t size = ToSockaddr(server, &address);
  UniqueFd fd(socket(address.ss_family, type | SOCK_CLOEXEC, 0));
  REEF_CHECK(fd.get() >= 0);
  const timeval patience{10, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  connected = connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0;
  return fd;
}

}  // namespace

UdpAsker::UdpAsker(const Endpoint& server) {
  bool connected = false;
  socket_ = Connect(server, SOCK_DGRAM, connected);
  REEF_CHECK(connected);
}

bool UdpAsker::Send(std::string_view query) {
  return send(socket_.get(), query.data(), query.size(), 0) == static_cast<ssize_t>(query.size());
}

std::optional<std::string> UdpAsker::Receive() {
  std::string answer(65536, '\0');
  const ssize_t n = recv(socket_.get(), answer.data(), answer.size(), 0);
  if (n < 0) return std::nullopt;
  answer.resize(static_cast<size_t>(n));
  return answer;
}

std::optional<std::string> UdpAsker::Ask(std::string_view query) {
  if (!Send(query)) return std::nullopt;
  return Receive();
}

TcpAsker::TcpAsker(const Endpoint& server) {
  socket_ = Connect(server, SOCK_STREAM, connected_);
}

void TcpAsker::SendRaw(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;  // closed by the server: seen when reading
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

void TcpAsker::Send(std::string_view message) {
  SendRaw(Framed(message));
}

void TcpAsker::FinishSending() {
  shutdown(socket_.get(), SHUT_WR);
}

bool TcpAsker::ReadExactly(size_t count, std::string& into) {
  into.resize(count);
  for (size_t done = 0; done < count;) {
    const ssize_t n = recv(socket_.get(), into.data() + done, count - done, 0);
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

std::optional<std::string> TcpAsker::Receive() {
  std::string length;
  std::string message;
  if (!ReadExactly(2, length)) return std::nullopt;
  const size_t size =
      static_cast<size_t>(static_cast<uint8_t>(length[0])) << 8 | static_cast<uint8_t>(length[1]);
  if (!ReadExactly(size, message)) return std::nullopt;
  return message;
}

bool TcpAsker::IsClosedByServer() {
  std::array<char, 4096> ignored;
  while (true) {
    const ssize_t n = recv(socket_.get(), ignored.data(), ignored.size(), 0);
    if (n > 0) continue;
    return n == 0 || errno == ECONNRESET;
  }
}

std::string Framed(std::string_view message) {
  return U16(static_cast<uint16_t>(message.size())) + std::string(message);
}

}  // namespace reef::dns
