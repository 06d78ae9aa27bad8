// SPDX-License-Identifier: Apache-2.0
//
// OutputQueue: what a connection has still to send, in order: text of its own (heads, chunk sizes)
// and pinned bytes of others (segments of bodies), which are never copied. One sendmsg takes the
// answers of all requests that one read brought; pieces that lie in a memory file and are long
// enough are for sendfile, one by one.
//
// A value of its connection, which refills it only when it is empty: so the text is bounded, and
// its memory is used again without allocation.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "httpproxy/store/segment_memory.h"

namespace reef::http {

class OutputQueue {
 public:
  static constexpr size_t kIovecsMax = 64;

  // A string to append to; closed (made sendable) by the next call of any other method.
  std::string& Text() { return text_; }

  // `bytes` must live as long as `pin`.
  void AddPinned(std::string_view bytes, std::shared_ptr<const void> pin);

  bool empty() const { return next_ == pieces_.size() && closed_ == text_.size(); }
  // True between the first byte sent and the last: nothing should be added then.
  bool begun() const { return next_ > 0 || skip_ > 0; }
  // Bytes not sent yet.
  size_t size() const { return queued_ + (text_.size() - closed_); }

  // What comes next: up to kIovecsMax pieces in memory, filled into `out`, or one in a file.
  struct Next {
    size_t bytes = 0;
    size_t count = 0;           // of `out`; 0: it is in the file
    FilePlace file;             // if count is 0
    bool file_follows = false;  // after those in `out`: more is to come at once
  };
  // Requires: !empty().
  Next Gather(iovec* out);
  // The first `n` bytes were sent. When all are, the memory is kept for the next answers.
  void Consume(size_t n);

  void Clear();
  // Gives the memory back, or hands it to another connection.
  friend void swap(OutputQueue& a, OutputQueue& b) noexcept;
  size_t capacity_bytes() const { return text_.capacity() + pieces_.capacity() * sizeof(Piece); }

 private:
  struct Piece {
    const char* data = nullptr;  // nullptr: text_ from `offset` (it may move while it grows)
    size_t offset = 0;
    size_t size = 0;
    std::shared_ptr<const void> pin;
    FilePlace file{};  // none: fd is -1
  };
  // What is left of a piece that is longer than this and in the file is for sendfile.
  static constexpr size_t kSendfileMin = 16 * 1024;
  static bool IsForSendfile(const Piece& piece, size_t skip);

  void CloseText();

  std::string text_;
  size_t closed_ = 0;  // text_ up to here is in pieces_
  std::vector<Piece> pieces_;
  size_t next_ = 0;    // pieces before this one are sent
  size_t skip_ = 0;    // bytes of pieces_[next_] that are sent
  size_t queued_ = 0;  // unsent bytes in pieces_
};

}  // namespace reef::http
