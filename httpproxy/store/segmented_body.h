// SPDX-License-Identifier: Apache-2.0
//
// SegmentedBody: the one implementation of Body. Bytes in segments; three ways to keep them:
//
//   kHeld    everything stays in memory (a memory-only cache, or not admitted to disk)
//   kSpilled segments that are on disk are dropped beyond `resident_max` and read back on demand
//   kWindow  what the slowest reader has passed is dropped; the writer is paused by back-pressure
//
// A body starts as kHeld or kWindow and its cache moves it: to kSpilled once the disk takes it, to
// kWindow when it cannot be kept after all.
//
// Threads: one mutex a body, held for a few pointers' work: the writer copies its bytes before it
// takes the lock, disk reads happen in the cache's pool. A complete body of one segment is read
// without the lock, and what only filling and large bodies need (Flow) is freed then. The cache is
// called without the lock. Wake-ups are coalesced: at most one task a body and loop is posted and
// not yet run.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "httpproxy/core/cache_key.h"
#include "httpproxy/store/body.h"
#include "httpproxy/store/disk/location.h"

namespace reef::http {

class SegmentedBody;

// What a body asks of its cache. Called from any thread, without the body's lock.
class BodyHost {
 public:
  virtual ~BodyHost() = default;
  // The body's bytes in memory, its number of full segments or its state changed.
  virtual void OnProgress(const CacheKey& key, const std::shared_ptr<SegmentedBody>& body) = 0;
  // Read the segment from disk and hand it to OnSegmentRead.
  virtual void ReadBack(std::shared_ptr<SegmentedBody> body, size_t segment, Location from) = 0;
  // A segment could not be read back: the object must not be found again.
  virtual void OnDamaged(const CacheKey& key, const std::shared_ptr<SegmentedBody>& body) = 0;
};

class SegmentedBody final : public Body {
 public:
  // For NewBody: `host` is told of nothing before Attach.
  static std::shared_ptr<SegmentedBody> MakeHeld(std::shared_ptr<BodyHost> host);
  static std::shared_ptr<SegmentedBody> MakeWindow(size_t window_bytes);
  // A complete small body, `length` at most kSegmentBytes.
  static std::shared_ptr<SegmentedBody> MakeWhole(std::shared_ptr<char[]> bytes, size_t length);
  // A complete body whose segments are on disk and in memory only as far as they are read.
  static std::shared_ptr<SegmentedBody> MakeSpilled(std::shared_ptr<BodyHost> host,
                                                    const CacheKey& key,
                                                    std::vector<Location> segments, uint64_t length,
                                                    size_t resident_max);

  class Private;  // keeps make_shared usable and the constructor ours
  explicit SegmentedBody(const Private&);
  ~SegmentedBody() override;

  bool Append(std::string_view bytes) override;
  void WhenRoom(EventLoop& loop, Task room) override;
  void Complete() override;
  void Abort(std::string reason) override;
  State state() const override { return state_.load(std::memory_order_acquire); }
  uint64_t size() const override { return size_.load(std::memory_order_acquire); }
  std::string abort_reason() const override;
  std::optional<std::string_view> WholeIfSmall() const override;
  std::unique_ptr<Reader> NewReader(EventLoop& loop, uint64_t offset) override;

  // ---- For the cache ----

  // False for bodies that only pass through.
  bool is_cached() const { return is_cached_; }
  // From here on the host is told of progress under `key`, which stays the same. False: it passes
  // through already and cannot be kept any more.
  bool Attach(const CacheKey& key);
  // True if that dropped something.
  bool SpillOver(size_t resident_max);
  // It cannot be kept: readers go on, and once the last has left, it aborts rather than fill
  // memory.
  void PassThrough(size_t window_bytes);

  // Memory held, by capacity.
  uint64_t resident_bytes() const { return resident_bytes_.load(std::memory_order_relaxed); }
  // True if every byte is in memory.
  bool IsWholeInMemory() const;

  struct Unwritten {
    size_t segment = 0;
    std::string_view bytes;
    std::shared_ptr<const char[]> pin;
  };
  // The first segment that is final (full, or the last of a complete body) and not on disk.
  std::optional<Unwritten> NextUnwritten() const;
  // The segment is on disk there; also when it moved to another file.
  void OnWritten(size_t segment, Location at);
  // Of all segments, in order; null files where not written.
  std::vector<Location> Locations() const;
  // Null: it could not be read or was not what had been written.
  void OnSegmentRead(size_t segment, std::shared_ptr<char[]> bytes);

  // The stamp of the record on disk that these bytes belong to; 0: none. Set by the cache.
  std::atomic<uint32_t> stored_as{0};
  // The disk writer has been told of this body and has not come to it yet. Set by the cache.
  std::atomic<bool> in_write_queue{false};

 private:
  class ReaderPlace;
  struct LoopGroup;
  struct Flow;
  enum class Keep : uint8_t { kHeld, kSpilled, kWindow };
  struct Slot {
    std::shared_ptr<char[]> bytes;  // null: not in memory
    Location stored;
    uint32_t capacity = 0;
    bool loading = false;
    bool damaged = false;
  };
  struct ReadBackRequest {
    size_t segment;
    Location from;
  };

  // What is needed to call the host once the lock is released.
  struct HostCall {
    std::shared_ptr<BodyHost> host;  // null: nobody to tell
    std::shared_ptr<SegmentedBody> self;
    CacheKey key;
    void Progress() const;
  };

  size_t CopyToTail(std::string_view bytes);  // the writer's thread, without the lock
  void ShrinkTail();
  void End(State state, std::string reason);

  // All of these under mutex_.
  HostCall Host() const;
  Slot* FindSlot(uint64_t segment) const;
  Chunk PeekAt(const ReaderPlace& reader, size_t max) const;
  bool IsReadable(const ReaderPlace& reader) const;
  void CollectReadBacks(uint64_t first, int count, std::vector<ReadBackRequest>& requests);
  uint64_t Floor() const;
  bool IsOver() const;
  bool HasRoom() const;
  bool IsAbandoned() const;
  void SetBytes(Slot& slot, std::shared_ptr<char[]> bytes, size_t capacity);
  void DropWhatMay();
  void Wake();
  void PostRoomIfAny();
  void SetState(State state, std::string reason);
  std::unique_ptr<Flow> TakeFlowIfIdle();

  void Start(const std::vector<ReadBackRequest>& requests);

  mutable std::mutex mutex_;
  std::atomic<State> state_{State::kFilling};
  Keep keep_ = Keep::kHeld;            // guarded by mutex_
  bool is_cached_ = true;              // constant once made
  std::atomic<bool> is_whole_{false};  // set last: only_ and size_ are final then
  std::atomic<uint64_t> size_{0};
  std::atomic<uint64_t> resident_bytes_{0};
  std::shared_ptr<char[]> only_;  // the content, once is_whole_
  std::unique_ptr<Flow> flow_;    // guarded by mutex_; null once is_whole_ and nobody waits
};

}  // namespace reef::http
