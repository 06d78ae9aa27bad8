// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/output_queue.h"

#include <algorithm>

#include "base/check.h"

namespace reef::http {

void OutputQueue::CloseText() {
  const size_t size = text_.size() - closed_;
  if (size == 0) return;
  pieces_.push_back({.data = nullptr, .offset = closed_, .size = size, .pin = nullptr});
  queued_ += size;
  closed_ = text_.size();
}

void OutputQueue::AddPinned(std::string_view bytes, std::shared_ptr<const void> pin) {
  if (bytes.empty()) return;
  CloseText();
  pieces_.push_back(
      {.data = bytes.data(), .offset = 0, .size = bytes.size(), .pin = std::move(pin)});
  queued_ += bytes.size();
}

size_t OutputQueue::Gather(iovec* out) {
  CloseText();
  const size_t count = std::min(kIovecsMax, pieces_.size() - next_);
  for (size_t i = 0; i < count; ++i) {
    const Piece& piece = pieces_[next_ + i];
    const char* data = piece.data != nullptr ? piece.data : text_.data() + piece.offset;
    const size_t skip = i == 0 ? skip_ : 0;
    out[i] = {const_cast<char*>(data + skip), piece.size - skip};
  }
  return count;
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
