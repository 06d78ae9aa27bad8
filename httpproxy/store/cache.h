// SPDX-License-Identifier: Apache-2.0
//
// Cache: this node's objects, a memory tier over a disk tier. An object is a head and a body
// (body.h); it can be found as soon as its head is known, while the body still fills.
//
// Memory tier: sharded by key, one short lock a look-up, no copy. Disk tier: records and indexes in
// RocksDB, bodies in append-only segment files; it survives kill -9 (docs/store.md). Without a
// state directory the cache is memory only.
//
// Threads: every method from any thread. Find, Insert and Erase never block on disk; Load answers
// on the loop given. Loops handed in outlive the cache. Objects may outlive it: what they hold in
// memory stays readable, nothing more is stored.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/runtime/event_loop.h"
#include "base/status.h"
#include "httpproxy/core/cache_key.h"
#include "httpproxy/core/object_head.h"
#include "httpproxy/store/body.h"

namespace reef::http {

// Immutable; shared. A 304 makes a new Object with a new head over the same body.
struct Object {
  CacheKey key;
  ObjectHead head;
  std::shared_ptr<Body> body;
};

class Cache {
 public:
  struct Options {
    std::string directory;                     // empty: memory only
    uint64_t memory_bytes_max = 256ull << 20;  // bodies, heads and overhead; kept to within 1 %
    uint64_t disk_bytes_max = 10ull << 30;
    // Larger ones pass through and are not stored.
    uint64_t object_bytes_max = 5ull << 30;
    int disk_threads = 2;
  };

  struct Found {
    enum class Where { kMiss, kMemory, kDisk } where = Where::kMiss;
    std::shared_ptr<const Object> object;  // kMemory only
  };

  struct Stats {
    uint64_t memory_objects = 0, memory_bytes = 0;
    uint64_t disk_objects = 0, disk_bytes = 0;
    uint64_t memory_evictions = 0, disk_evictions = 0;
    uint64_t disk_writes = 0;       // objects that came to be on disk since the start
    uint64_t disk_queue_bytes = 0;  // waiting for the disk now
    uint64_t damaged_dropped = 0;   // records or segments that failed their checksum
    uint64_t write_errors = 0;      // disk full and the like: the object stays in memory
    uint64_t writes_skipped = 0;    // too large, or the disk too slow: the object stays in memory
  };

  virtual ~Cache() = default;

  // Reads the index of what the disk holds; at most two seconds for a million objects. A damaged
  // entry is dropped and counted, never served.
  static StatusOr<std::unique_ptr<Cache>> Open(const Options& options);

  virtual Found Find(const CacheKey& key) = 0;

  // After kDisk: brings the object to memory. nullptr: gone or damaged meanwhile.
  virtual void Load(const CacheKey& key, EventLoop& loop,
                    std::function<void(std::shared_ptr<const Object>)> done) = 0;

  // A body to be cached, charged to the memory tier as it grows.
  virtual std::shared_ptr<Body> NewBody() = 0;
  // A body that only passes through: window mode, never stored.
  static std::shared_ptr<Body> NewPassThroughBody(size_t window_bytes);

  // Makes the object findable at once, replacing an older one of the same key; when its body
  // completes it is written to disk. A body that aborts takes its object out again (and the object
  // it replaced, if that was complete, comes back: a partial refresh never displaces a whole copy).
  // One that turns out too large to keep is taken out likewise, and passes through. Requires: the
  // body is of NewBody or of an object of this cache, and under one key alone.
  virtual void Insert(std::shared_ptr<const Object> object) = 0;

  virtual void Erase(const CacheKey& key) = 0;

  // Runs (on any thread) for each whole object that left both tiers, erased ones too, so that its
  // reference in the index can be withdrawn. Set once, before use. It must not call the cache.
  virtual void OnEvicted(std::function<void(const CacheKey&)> evicted) = 0;

  // Every complete object's key, for republishing references after a restart. Visits in no order;
  // the visitor must not call the cache.
  virtual void ForEachKey(const std::function<void(const CacheKey&)>& visit) const = 0;

  virtual Stats stats() const = 0;
};

}  // namespace reef::http
