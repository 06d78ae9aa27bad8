// SPDX-License-Identifier: Apache-2.0
//
// RangesSender: sends several ranges of one object, each by an ObjectSender, with the texts of
// multipart/byteranges between them.
//
// Owned by an Exchange. On its loop's thread; never blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "httpproxy/core/multipart_ranges.h"
#include "httpproxy/server/object_sender.h"

namespace reef::http {

class RangesSender {
 public:
  // `readable` as for ObjectSender.
  RangesSender(EventLoop& loop, std::shared_ptr<const Object> object, MultipartRanges ranges,
               std::function<void()> readable);

  // Sends about `room` bytes.
  ObjectSender::Progress Produce(ResponseStream& stream, size_t room);

  uint64_t bytes_sent() const { return sent_ + (sender_ ? sender_->bytes_sent() : 0); }

 private:
  void SendText(ResponseStream& stream);

  EventLoop& loop_;
  const std::shared_ptr<const Object> object_;
  const MultipartRanges ranges_;
  const std::function<void()> readable_;
  uint64_t sent_ = 0;
  size_t next_ = 0;                     // the range whose text comes next
  std::optional<ObjectSender> sender_;  // of the range before that
};

}  // namespace reef::http
