// SPDX-License-Identifier: Apache-2.0
//
// RawHttp: sends bytes to a server and returns all it says until it closes. Blocks, for at most ten
// seconds a step; any thread.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <string_view>

#include "base/endpoint.h"
#include "base/runtime/socket.h"

namespace reef::deploy {

inline std::string RawHttp(const Endpoint& server, std::string_view request) {
  constexpr int kStepMs = 10'000;
  const auto fd = StartConnect(server);
  if (!fd.ok()) return fd.status().ToString();
  const auto wait = [&](short what) {
    pollfd wanted = {fd->get(), what, 0};
    return poll(&wanted, 1, kStepMs) > 0;
  };
  if (!wait(POLLOUT) || !ConnectResult(fd->get()).ok()) return "no connection";
  send(fd->get(), request.data(), request.size(), MSG_NOSIGNAL);
  std::string answer;
  std::array<char, 4096> piece;
  while (wait(POLLIN)) {
    const ssize_t n = recv(fd->get(), piece.data(), piece.size(), 0);
    if (n <= 0) break;
    answer.append(piece.data(), static_cast<size_t>(n));
  }
  return answer;
}

}  // namespace reef::deploy
