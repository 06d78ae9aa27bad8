// SPDX-License-Identifier: Apache-2.0
//
// The asking side for tests: blocking UDP and TCP sockets towards a server on loopback. A server
// that does not answer within ten seconds fails the test. One thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/endpoint.h"
#include "base/runtime/socket.h"

namespace reef::dns {

// Connected: it hears only what comes from the very address that it asked.
class UdpAsker {
 public:
  explicit UdpAsker(const Endpoint& server);

  bool Send(std::string_view query);
  // The next message; nullopt after ten seconds.
  std::optional<std::string> Receive();
  std::optional<std::string> Ask(std::string_view query);

 private:
  UniqueFd socket_;
};

class TcpAsker {
 public:
  explicit TcpAsker(const Endpoint& server);

  bool connected() const { return connected_; }
  void SendRaw(std::string_view bytes);
  // With its length before it.
  void Send(std::string_view message);
  void FinishSending();
  // nullopt when the server has closed, or after ten seconds.
  std::optional<std::string> Receive();
  // True if the server closes, after whatever it still sends.
  bool IsClosedByServer();

 private:
  bool ReadExactly(size_t count, std::string& into);

  UniqueFd socket_;
  bool connected_ = false;
};

// A message with its two length bytes (RFC 1035, 4.2.2).
std::string Framed(std::string_view message);

}  // namespace reef::dns
