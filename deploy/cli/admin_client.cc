// SPDX-License-Identifier: Apache-2.0
#include "deploy/cli/admin_client.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/runtime/clock.h"
#include "base/runtime/socket.h"

namespace reef::deploy {
namespace {

constexpr size_t kAnswerBytesMax = 64 << 20;

// The start of every error: what was tried on whom.
std::string Asking(const Endpoint& admin, const std::string& path) {
  return "ask http://" + admin.ToString() + path + ": ";
}

// False if `deadline` passed.
bool WaitFor(int fd, short what, Instant deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - MonotonicNow());
  pollfd wanted = {fd, what, 0};
  return left.count() > 0 && poll(&wanted, 1, static_cast<int>(left.count())) > 0;
}

// One short write: the buffer of a fresh connection takes it whole.
bool SendAll(int fd, const std::string& text) {
  return send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

StatusOr<std::string> Exchange(const Endpoint& admin, const std::string& request,
                               const std::string& asking, Instant deadline) {
  const auto late = [&] { return Unavailable(asking + "no answer in time"); };
  StatusOr<UniqueFd> fd = StartConnect(admin);
  if (!fd.ok()) return Unavailable(asking + std::string(FromAbsl(fd.status().message())));
  if (!WaitFor(fd->get(), POLLOUT, deadline)) return late();
  if (const Status connected = ConnectResult(fd->get()); !connected.ok()) {
    return Unavailable(asking + std::string(FromAbsl(connected.message())));
  }
  if (!SendAll(fd->get(), request)) return Unavailable(asking + std::strerror(errno));

  std::string answer;
  std::array<char, 16384> piece;
  while (answer.size() < kAnswerBytesMax) {
    if (!WaitFor(fd->get(), POLLIN, deadline)) return late();
    const ssize_t n = recv(fd->get(), piece.data(), piece.size(), 0);
    if (n < 0) return Unavailable(asking + std::strerror(errno));
    if (n == 0) return answer;
    answer.append(piece.data(), static_cast<size_t>(n));
  }
  return Internal(asking + "the answer is too long");
}

// The Content-Length of a head; nullopt if there is none.
std::optional<uint64_t> ContentLength(std::string_view head) {
  constexpr std::string_view kField = "\r\ncontent-length:";
  const std::string lower = AsciiLower(head);
  const size_t at = lower.find(kField);
  if (at == std::string::npos) return std::nullopt;
  const size_t begin = at + kField.size();
  return ParseDecimal(
      Trim(std::string_view(lower).substr(begin, lower.find("\r\n", begin) - begin)));
}

}  // namespace

StatusOr<std::string> AskAdmin(const Endpoint& admin, const std::string& path, Duration limit) {
  const std::string asking = Asking(admin, path);
  // HTTP/1.0: the answer ends with the connection.
  const std::string request = "GET " + path + " HTTP/1.0\r\nHost: " + admin.ToString() + "\r\n\r\n";
  ASSIGN_OR_RETURN(const std::string answer,
                   Exchange(admin, request, asking, MonotonicNow() + limit));
  const std::string_view all = answer;
  const size_t end = all.find("\r\n\r\n");
  if (!all.starts_with("HTTP/1.") || end == std::string_view::npos) {
    return Internal(asking + "that is no admin listener: it does not speak HTTP");
  }
  const std::string_view status = all.substr(0, all.find("\r\n"));
  const std::string_view body = all.substr(end + 4);
  if (status.find(" 200 ") == std::string_view::npos) {
    return Internal(asking + std::string(status) + ": is that the admin port of a node?");
  }
  if (ContentLength(all.substr(0, end)).value_or(body.size()) != body.size()) {
    return Unavailable(asking + "the answer was cut short");
  }
  return std::string(body);
}

}  // namespace reef::deploy
