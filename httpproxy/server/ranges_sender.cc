// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/ranges_sender.h"

#include <string>
#include <utility>

namespace reef::http {

RangesSender::RangesSender(EventLoop& loop, std::shared_ptr<const Object> object,
                           MultipartRanges ranges, std::function<void()> readable)
    : loop_(loop),
      object_(std::move(object)),
      ranges_(std::move(ranges)),
      readable_(std::move(readable)) {}

ObjectSender::Progress RangesSender::Produce(ResponseStream& stream, size_t room) {
  const uint64_t begun_at = bytes_sent();
  for (;;) {
    if (sender_) {
      const uint64_t produced = bytes_sent() - begun_at;
      const size_t left = produced < room ? room - static_cast<size_t>(produced) : 0;
      const ObjectSender::Progress progress = sender_->Produce(stream, left);
      if (progress != ObjectSender::Progress::kDone) return progress;
      sent_ += sender_->bytes_sent();
      sender_.reset();
    }
    SendText(stream);
    if (next_ == ranges_.count()) return ObjectSender::Progress::kDone;
    const ByteRange& range = ranges_.range(next_++);
    sender_.emplace(loop_, object_, range.first, range.size(), readable_);
  }
}

void RangesSender::SendText(ResponseStream& stream) {
  const auto text = std::make_shared<const std::string>(ranges_.TextBefore(next_));
  sent_ += text->size();
  stream.SendContent(*text, text);
}

}  // namespace reef::http
