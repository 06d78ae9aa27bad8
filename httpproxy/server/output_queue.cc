// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/output_queue.h"

#include <algorithm>

#include "base/check.h"

namespace reef::http {

void OutputQueue::CloseText() {
  const size_t size = text_.size() - closed_;
  if (size == 0) return;
  pieces_.push_back({.data = nullptr, .offset = closed_, .size = size, .pin = nullptr, .file = {}});
  queued_ += size;
  closed_ = text_.size();
}

void OutputQueue::AddPinned(std::string_view bytes, std::shared_ptr<const void> pin) {
  if (bytes.empty()) return;
  CloseText();
  FilePlace file;
  if (bytes.size() >= kSendfileMin) {
    file = LendSegment(bytes.data(), bytes.size()).value_or(FilePlace{});
  }
  pieces_.push_back({.data = bytes.data(),
                     .offset = 0,
                     .size = bytes.size(),
                     .pin = std::move(pin),
                     .file = file});
  queued_ += bytes.size();
}

bool OutputQueue::IsForSendfile(const Piece& piece, size_t skip) {
  return piece.file.fd >= 0 && piece.size - skip >= kSendfileMin;
}

OutputQueue::Next OutputQueue::Gather(iovec* out) {
  CloseText();
  REEF_CHECK(next_ < pieces_.size()) << "nothing to send";
  const Piece& first = pieces_[next_];
  if (IsForSendfile(first, skip_)) {
    return {.bytes = first.size - skip_, .file = {first.file.fd, first.file.offset + skip_}};
  }
  Next next;
  for (size_t i = next_; i < pieces_.size() && next.count < kIovecsMax; ++i) {
    const Piece& piece = pieces_[i];
    const size_t skip = i == next_ ? skip_ : 0;
    next.file_follows = IsForSendfile(piece, skip);
    if (next.file_follows) break;
    const char* data = piece.data != nullptr ? piece.data : text_.data() + piece.offset;
    out[next.count++] = {const_cast<char*>(data + skip), piece.size - skip};
    next.bytes += piece.size - skip;
  }
  return next;
}

void OutputQueue::Consume(size_t n) {
  REEF_CHECK(n <= queued_) << n << " of " << queued_;
  queued_ -= n;
  n += skip_;
  while (next_ < pieces_.size() && n >= pieces_[next_].size) {
    n -= pieces_[next_].size;
    pieces_[next_].pin.reset();
    ++next_;
  }
  skip_ = n;
  if (queued_ == 0 && closed_ == text_.size()) Clear();
}

void OutputQueue::Clear() {
  text_.clear();
  pieces_.clear();
  closed_ = next_ = skip_ = queued_ = 0;
}

void swap(OutputQueue& a, OutputQueue& b) noexcept {
  using std::swap;
  swap(a.text_, b.text_);
  swap(a.closed_, b.closed_);
  swap(a.pieces_, b.pieces_);
  swap(a.next_, b.next_);
  swap(a.skip_, b.skip_);
  swap(a.queued_, b.queued_);
}

}  // namespace reef::http
