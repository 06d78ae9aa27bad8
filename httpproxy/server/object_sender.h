// SPDX-License-Identifier: Apache-2.0
//
// ObjectSender: sends an object's content, or a part of it, into a response while it may still be
// arriving: cut-through, with back-pressure from the client (it produces only when there is room)
// and to the source (a window body waits for its slowest reader).
//
// Owned by an Exchange. On its loop's thread; never blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/runtime/event_loop.h"
#include "httpproxy/server/response_stream.h"
#include "httpproxy/store/cache.h"

namespace reef::http {

class ObjectSender {
 public:
  enum class Progress {
    kMore,     // there was no more room
    kWaiting,  // for bytes: `readable` will run
    kDone,
    kCut,  // the rest will never come
  };

  // Sends `size` bytes from `offset` on; without a size, what there is to the body's end.
  // `readable` runs on `loop`, never inline, after Produce said kWaiting.
  ObjectSender(EventLoop& loop, std::shared_ptr<const Object> object, uint64_t offset,
               std::optional<uint64_t> size, std::function<void()> readable);

  // Sends at most `room` bytes.
  Progress Produce(ResponseStream& stream, size_t room);

  uint64_t bytes_sent() const { return sent_; }

 private:
  const std::shared_ptr<const Object> object_;
  const std::optional<uint64_t> size_;
  const std::function<void()> readable_;
  uint64_t sent_ = 0;
  const std::unique_ptr<Body::Reader> reader_;  // last: it must go before the object does
};

}  // namespace reef::http
