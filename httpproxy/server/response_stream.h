// SPDX-License-Identifier: Apache-2.0
//
// ResponseStream: what an exchange answers on, whatever carries it: a connection of HTTP/1 in its
// turn, later a stream of HTTP/2. Framing, persistence and the wire are the stream's affair; the
// exchange says what is sent, in this order: SendInterim*, then SendError alone, or SendHead,
// SendContent* and Finish or Cut, once.
//
// Everything is queued; Flush writes it out. On its loop's thread; never blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "httpproxy/core/response_head.h"

namespace reef::http {

// What follows a head.
struct Content {
  // False: nothing, whatever the length says (HEAD, 204, 304).
  bool sent = true;
  // Absent: not known yet, or not to be told.
  std::optional<uint64_t> length;
};

class ResponseStream {
 public:
  virtual ~ResponseStream() = default;

  // 1xx. Dropped where the client does not understand it (HTTP/1.0). `fields`: as of ResponseStart.
  virtual void SendInterim(int status, std::string_view fields) = 0;
  // `start` without framing, minor and keep_alive, which are the stream's to say.
  virtual void SendHead(const ResponseStart& start, const Content& content) = 0;
  // `bytes` live as long as `pin`.
  virtual void SendContent(std::string_view bytes, std::shared_ptr<const void> pin) = 0;
  // The response is whole.
  virtual void Finish() = 0;
  // It is not and will not be: the client must be able to tell.
  virtual void Cut() = 0;
  // A whole response of our own. `context` without head_only, keep_alive and minor.
  virtual void SendError(const ErrorText& text, const ErrorContext& context) = 0;

  // After events of the exchange's own (not in Start or OnRoom, whose caller does it): writes what
  // is queued. Must be the exchange's last act: it may be gone afterwards.
  virtual void Flush() = 0;
};

}  // namespace reef::http
