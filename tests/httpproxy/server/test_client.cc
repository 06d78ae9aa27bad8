// SPDX-License-Identifier: Apache-2.0
#include "tests/httpproxy/server/test_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/bytes.h"
#include "base/check.h"

namespace reef::http {

std::string TestResponse::Field(std::string_view name) const {
  std::string_view rest = head;
  while (!rest.empty()) {
    const size_t end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, end);
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos && EqualsIgnoreCase(line.substr(0, colon), name)) {
      return std::string(Trim(line.substr(colon + 1)));
    }
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 2);
  }
  return {};
}

TestClient::TestClient(const Endpoint& to) {
  socket_.Reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience = {.tv_sec = 10, .tv_usec = 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  SetNoDelay(socket_.get());
  sockaddr_storage address;
  const socklen_t size = ToSockaddr(to, &address);
  REEF_CHECK(connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0)
      << "connect to " << to.ToString();
}

void TestClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;  // what the server makes of it is read
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

void TestClient::SendGet(std::string_view host, std::string_view target, std::string_view fields) {
  std::string request = "GET ";
  request.append(target).append(" HTTP/1.1\r\nHost: ").append(host).append("\r\n");
  request.append(fields).append("\r\n");
  Send(request);
}

bool TestClient::Fill() {
  if (ended_) return false;
  char bytes[64 * 1024];
  const ssize_t n = recv(socket_.get(), bytes, sizeof bytes, 0);
  if (n <= 0) {
    ended_ = n == 0 || errno == ECONNRESET;
    reset_ = n < 0 && errno == ECONNRESET;
    return false;
  }
  buffer_.append(bytes, static_cast<size_t>(n));
  return true;
}

std::string TestClient::ReadBytes(size_t size) {
  while (buffer_.size() < size && Fill()) {
  }
  std::string out = buffer_.substr(0, size);
  buffer_.erase(0, out.size());
  return out;
}

bool TestClient::ReadInto(std::string& out) {
  REEF_CHECK(buffer_.empty()) << "something was read before";
  for (size_t got = 0; got < out.size();) {
    const ssize_t n = recv(socket_.get(), out.data() + got, out.size() - got, 0);
    if (n <= 0) return false;
    got += static_cast<size_t>(n);
  }
  return true;
}

std::string TestClient::ReadLine() {
  size_t end;
  while ((end = buffer_.find("\r\n")) == std::string::npos) {
    if (!Fill()) return std::exchange(buffer_, {});
  }
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return line;
}

TestResponse TestClient::ReadHead() {
  TestResponse response;
  while (buffer_.find("\r\n\r\n") == std::string::npos) {
    if (!Fill()) return response;
  }
  const size_t end = buffer_.find("\r\n\r\n");
  response.head = buffer_.substr(0, end + 2);
  buffer_.erase(0, end + 4);
  response.status = std::atoi(response.head.substr(9, 3).c_str());
  return response;
}

TestResponse TestClient::Read(bool head_only) {
  TestResponse response = ReadHead();
  if (response.status == 0) return response;
  const bool has_body =
      !head_only && response.status >= 200 && response.status != 204 && response.status != 304;
  if (!has_body) {
    response.whole = true;
  } else if (const std::string length = response.Field("Content-Length"); !length.empty()) {
    const size_t size = std::strtoull(length.c_str(), nullptr, 10);
    response.body = ReadBytes(size);
    response.whole = response.body.size() == size;
  } else if (response.Field("Transfer-Encoding") == "chunked") {
    for (;;) {
      const std::string line = ReadLine();
      if (line.empty()) return response;
      const size_t size = std::strtoull(line.c_str(), nullptr, 16);
      if (size == 0) {
        response.whole = ReadLine().empty() && !ended_;
        return response;
      }
      response.body += ReadBytes(size);
      if (!ReadLine().empty()) return response;
    }
  } else {
    while (Fill()) {
    }
    response.body = std::exchange(buffer_, {});
    response.whole = ended_ && !reset_;
  }
  return response;
}

TestResponse TestClient::Get(std::string_view host, std::string_view target,
                             std::string_view fields) {
  SendGet(host, target, fields);
  return Read();
}

TestClient::End TestClient::WaitForEnd() {
  while (Fill()) {
  }
  return !ended_ ? End::kOpen : reset_ ? End::kReset : End::kClosed;
}

void TestClient::HalfClose() {
  shutdown(socket_.get(), SHUT_WR);
}

void TestClient::Reset() {
  const linger now = {.l_onoff = 1, .l_linger = 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  socket_.Reset();
}

void TestClient::SetReceiveBuffer(int bytes) {
  setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

}  // namespace reef::http
