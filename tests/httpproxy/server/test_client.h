// SPDX-License-Identifier: Apache-2.0
//
// TestClient: a blocking HTTP/1 client that sends what it is told to, byte for byte, and reads
// responses strictly. Ten seconds without a byte end the wait: the test then fails.
//
// On the test's thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/endpoint.h"
#include "base/runtime/socket.h"

namespace reef::http {

struct TestResponse {
  int status = 0;  // 0: the connection ended before a head
  std::string head;
  std::string body;
  bool whole = false;  // it ended as it said it would

  // The first value of a field, or "".
  std::string Field(std::string_view name) const;
};

class TestClient {
 public:
  explicit TestClient(const Endpoint& to);

  void Send(std::string_view bytes);
  // As HTTP/1.1 with a Host.
  void SendGet(std::string_view host, std::string_view target, std::string_view fields = {});

  // The next response, interim ones included. A HEAD's has no body.
  TestResponse Read(bool head_only = false);
  // The next head only; its body is left.
  TestResponse ReadHead();
  // `size` bytes, fewer if the connection ends before.
  std::string ReadBytes(size_t size);
  // Fills `out` with what was not read before, without allocating. False: the connection ended.
  bool ReadInto(std::string& out);
  TestResponse Get(std::string_view host, std::string_view target, std::string_view fields = {});

  // Whether the server closes: by an orderly end or a reset. Reads over what comes before.
  enum class End { kOpen, kClosed, kReset };
  End WaitForEnd();

  void HalfClose();
  // Closes by a reset.
  void Reset();
  void SetReceiveBuffer(int bytes);

 private:
  bool Fill();  // false: the end
  std::string ReadLine();

  UniqueFd socket_;
  std::string buffer_;
  bool reset_ = false;
  bool ended_ = false;
};

}  // namespace reef::http
