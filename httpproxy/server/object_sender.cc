// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/object_sender.h"

#include <algorithm>
#include <utility>

namespace reef::http {

ObjectSender::ObjectSender(EventLoop& loop, std::shared_ptr<const Object> object, uint64_t offset,
                           std::optional<uint64_t> size, std::function<void()> readable)
    : object_(std::move(object)),
      size_(size),
      readable_(std::move(readable)),
      // From now on a window body keeps for us what comes.
      reader_(object_->body->NewReader(loop, offset)) {}

ObjectSender::Progress ObjectSender::Produce(ResponseStream& stream, size_t room) {
  for (;;) {
    const uint64_t left = size_ ? *size_ - sent_ : UINT64_MAX;
    if (left == 0) return Progress::kDone;
    if (room == 0) return Progress::kMore;
    Body::Chunk chunk = reader_->Peek(static_cast<size_t>(std::min<uint64_t>(left, room)));
    switch (chunk.what) {
      case Body::Chunk::What::kBytes: {
        const size_t size = chunk.bytes.size();
        stream.SendContent(chunk.bytes, std::move(chunk.pin));
        reader_->Advance(size);
        sent_ += size;
        room -= size;
        break;
      }
      case Body::Chunk::What::kWait:
        reader_->WhenReadable([this] { readable_(); });
        return Progress::kWaiting;
      case Body::Chunk::What::kEnd:
        // A whole body that is shorter than was promised breaks the promise all the same.
        return size_ ? Progress::kCut : Progress::kDone;
      case Body::Chunk::What::kAborted:
      case Body::Chunk::What::kGone:
        return Progress::kCut;
    }
  }
}

}  // namespace reef::http
