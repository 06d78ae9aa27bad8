// SPDX-License-Identifier: Apache-2.0
//
// Body: a growing sequence of bytes in fixed-size segments, with one writer and any number of
// readers on any thread. It is what a response's content is while it arrives (cut-through), when it
// is cached, and when it merely passes through: one mechanism, three uses.
//
// Segments are immutable once full and reference-counted: a reader pins what it sends, so a hit
// copies nothing and eviction never pulls bytes from under a reader. A body keeps at most
// `resident_max` bytes in memory. Beyond that, segments written to the disk tier are dropped and
// read back on demand; a body without a disk tier (pass-through, or larger than the cache) drops
// what its slowest reader has passed, and the writer is told to pause until then (back-pressure).
//
// Threads: every method from any thread (one mutex a body), except that one thread writes at a
// time. Nothing blocks on disk: a segment to be read back is loaded by the disk pool and the reader
// woken. Tasks handed in run on the loop they were handed in with, never inline.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/runtime/event_loop.h"

namespace reef::http {

inline constexpr size_t kSegmentBytes = 256 * 1024;

class Body {
 public:
  enum class State { kFilling, kComplete, kAborted };

  virtual ~Body() = default;

  // ---- Writer ----

  // Appends; wakes readers. False: over `resident_max`, stop reading the source until `room` runs.
  // The bytes are taken either way. A body can abort by itself: one that cannot be kept, while
  // nobody reads it; one whose beginning on disk turns out damaged. Append is false then, `room`
  // runs at once, and state() tells. Requires: not ended by the writer.
  virtual bool Append(std::string_view bytes) = 0;
  // One-shot: runs when there is room again. At most one is pending; a new one replaces it.
  virtual void WhenRoom(EventLoop& loop, Task room) = 0;
  // After Complete the length is final. Without effect on a body that aborted by itself.
  virtual void Complete() = 0;
  // The readers learn that no more will come and that what they have is not whole.
  virtual void Abort(std::string reason) = 0;

  // ---- Anyone ----

  virtual State state() const = 0;
  virtual uint64_t size() const = 0;  // bytes appended so far
  virtual std::string abort_reason() const = 0;

  // The whole content if it is complete and one resident segment; else nullopt. Lives as long as
  // the body: the fast path of a small hit.
  virtual std::optional<std::string_view> WholeIfSmall() const = 0;

  // ---- Readers ----

  struct Chunk {
    enum class What {
      kBytes,    // `bytes`, alive while `pin` is
      kWait,     // not here yet (or being read back from disk): WhenReadable
      kEnd,      // offset is the end of a complete body
      kAborted,  // no more will come
      kGone,     // window mode: these bytes were dropped before this reader came
    };
    What what = What::kWait;
    std::string_view bytes;
    std::shared_ptr<const void> pin;
  };

  // A reader's place. The slowest one bounds the writer in window mode. Destroy it on its loop;
  // no wake-up runs afterwards.
  class Reader {
   public:
    virtual ~Reader() = default;
    // Up to `max` bytes at the reader's place, from one segment.
    virtual Chunk Peek(size_t max) = 0;
    virtual void Advance(size_t bytes) = 0;
    virtual uint64_t offset() const = 0;
    // One-shot: runs when Peek would no longer say kWait. Starts a read-back where needed.
    virtual void WhenReadable(Task ready) = 0;
  };
  // Requires: the body outlives the reader (hold the Object).
  virtual std::unique_ptr<Reader> NewReader(EventLoop& loop, uint64_t offset) = 0;
};

}  // namespace reef::http
