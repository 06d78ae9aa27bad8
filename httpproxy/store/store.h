// SPDX-License-Identifier: Apache-2.0
//
// Store: both tiers and their interplay; what Cache::Open hands out wraps it. Shared with the
// bodies, which tell it of their progress (BodyHost), and closed by the cache that made it:
// afterwards bodies go on in memory and nothing is stored.
//
// Locks, in the order they are taken: policy_mutex_ (every change of what is in memory, and of the
// eviction queue), then a shard's mutex (its two maps). A hit takes the shard's alone. Bodies and
// callbacks are called with neither.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "httpproxy/store/cache.h"
#include "httpproxy/store/disk/disk_tier.h"
#include "httpproxy/store/s3_fifo.h"
#include "httpproxy/store/segmented_body.h"

namespace reef::http {

class Store final : public BodyHost {
 public:
  // `layer`: how segment files are read and written.
  static StatusOr<std::shared_ptr<Store>> Open(const Cache::Options& options,
                                               std::unique_ptr<FileLayer> layer);
  explicit Store(const Cache::Options& options);
  ~Store() override;

  // Ends all threads and empties the memory tier. What was complete is on disk then.
  void Close();

  Cache::Found Find(const CacheKey& key);
  void Load(const CacheKey& key, EventLoop& loop,
            std::function<void(std::shared_ptr<const Object>)> done);
  void Insert(std::shared_ptr<const Object> object);
  void Erase(const CacheKey& key);
  void OnEvicted(std::function<void(const CacheKey&)> evicted) { evicted_ = std::move(evicted); }
  void ForEachKey(const std::function<void(const CacheKey&)>& visit) const;
  Cache::Stats stats() const;

  void OnProgress(const CacheKey& key, const std::shared_ptr<SegmentedBody>& body) override;
  void ReadBack(std::shared_ptr<SegmentedBody> body, size_t segment, Location from) override;
  void OnDamaged(const CacheKey& key, const std::shared_ptr<SegmentedBody>& body) override;

 private:
  // The hash set holds pointers, ordered by the key of what they point to.
  struct ByKey {
    using is_transparent = void;
    static const CacheKey& Key(const CacheKey& key) { return key; }
    static const CacheKey& Key(const std::unique_ptr<Resident>& r) { return r->object->key; }
    size_t operator()(const auto& value) const { return Key(value).Bits(); }
    bool operator()(const auto& a, const auto& b) const { return Key(a) == Key(b); }
  };
  // What is known in memory of an object on disk: with its key and the slot of the map, about 80
  // bytes.
  struct OnDisk {
    uint32_t oldest_file = 0;  // that has a segment of it: with this file it leaves
    uint32_t stamp = 0;        // which body the record is of (SegmentedBody::stored_as)
    uint8_t touches = 0;       // since it was written: who has none leaves with its file
  };
  struct Waiter {
    EventLoop* loop;
    std::function<void(std::shared_ptr<const Object>)> done;
  };
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    absl::flat_hash_set<std::unique_ptr<Resident>, ByKey, ByKey> memory;
    absl::flat_hash_map<CacheKey, OnDisk, CacheKeyHash> disk;
    absl::flat_hash_map<CacheKey, std::vector<Waiter>, CacheKeyHash> loading;
  };
  // What is to be done once the locks are released.
  struct Aftermath {
    std::vector<std::shared_ptr<const Object>> unreferenced;  // freeing can be long
    std::vector<CacheKey> left;  // a whole object did, from one tier at least
    std::vector<std::shared_ptr<SegmentedBody>> unkept;  // to pass through from here on
    struct Step {
      CacheKey key;
      std::shared_ptr<SegmentedBody> body;
    };
    std::vector<Step> to_write;
    std::vector<Step> to_shrink;  // memory is full of what fills: keep less than usual of this one
    std::vector<CacheKey> to_delete;  // records
  };

  // By the first bits, which are uniform too: a start reads keys in order, so it fills one shard
  // after the other, each small enough for the processor's cache.
  Shard& ShardOf(const CacheKey& key) { return shards_[key.digest[0] / 4u]; }
  const Shard& ShardOf(const CacheKey& key) const { return shards_[key.digest[0] / 4u]; }

  // ---- All of these under policy_mutex_; they take the shard's. ----
  Resident* FindResident(const CacheKey& key);
  std::optional<OnDisk> FindOnDisk(const CacheKey& key) const;
  bool IsStored(const CacheKey& key, const SegmentedBody& body) const;
  Resident& AddResident(std::shared_ptr<const Object> object);
  void Replace(Resident& resident, std::shared_ptr<const Object> object, Aftermath& after);
  Resident* Advance(Resident& resident, const std::shared_ptr<SegmentedBody>& body,
                    Aftermath& after);
  Resident::Admission Admit(const Resident& resident, SegmentedBody& body, uint64_t length);
  uint64_t LengthMax(const Resident& resident) const;
  void Charge(Resident& resident, Aftermath& after);
  Resident* TakeOut(Resident& resident, Aftermath& after);
  void Remove(Resident& resident, Aftermath& after);
  void RemoveFromDisk(const CacheKey& key, Aftermath& after);
  void EvictWhileOver(Resident* growing, Aftermath& after);
  void ShedFilling(Resident* growing, Aftermath& after);

  // The object as it can be found now, if it is still of this body.
  std::shared_ptr<const Object> FindObjectOf(const CacheKey& key, const SegmentedBody& body);
  void RemoveDamaged(const CacheKey& key, uint32_t stamp, Aftermath& after);
  void DropWithFile(const CacheKey& key, uint32_t file, Aftermath& after);

  void MakeRoomAtStart();  // before any thread works

  // ---- The disk writer's thread (store_disk.cc) ----
  void WriteOut(const CacheKey& key, const std::shared_ptr<SegmentedBody>& body);
  std::optional<std::vector<StoredSegment>> WriteSegments(SegmentedBody& body,
                                                          const ObjectHead& head);
  std::optional<Location> AppendSegment(std::string_view bytes, uint64_t record_bytes);
  void Commit(const CacheKey& key, const std::shared_ptr<SegmentedBody>& body, StoredObject stored,
              std::shared_ptr<const Object> object);
  std::shared_ptr<const Object> OnRecordWritten(const CacheKey& key, SegmentedBody& body,
                                                uint32_t oldest_file,
                                                const std::shared_ptr<const Object>& written);
  void GiveUpWriting(const CacheKey& key, const std::shared_ptr<SegmentedBody>& body);
  void DeleteRecord(const CacheKey& key);
  void CountWriteError(const Status& status);
  bool MakeRoomFor(uint64_t bytes);
  bool ReclaimOldest();
  bool MoveOut(const CacheKey& key, const SegmentFile& file);
  bool MoveSegments(StoredObject& stored, const SegmentFile& file, uint32_t stamp);
  std::shared_ptr<SegmentedBody> FindBodyStoredAs(const CacheKey& key, uint32_t stamp);

  // ---- The disk readers' threads (store_disk.cc) ----
  void ReadObject(const CacheKey& key);
  std::shared_ptr<const Object> ReadFromDisk(const CacheKey& key, uint32_t stamp);
  void Deliver(const CacheKey& key, const std::shared_ptr<const Object>& object);
  void DropDamaged(const CacheKey& key, uint32_t stamp);

  // Without locks.
  bool IsHeldWhole(const CacheKey& key);
  void Finish(Aftermath& after);
  void PushWrite(const CacheKey& key, std::shared_ptr<SegmentedBody> body);
  void PushDelete(const CacheKey& key);

  const Cache::Options options_;
  const uint64_t object_bytes_max_;  // of what memory alone can keep
  const size_t resident_max_;        // of one body that is on disk
  const uint64_t write_queue_bytes_max_;
  std::weak_ptr<Store> self_;
  std::function<void(const CacheKey&)> evicted_;

  mutable std::mutex policy_mutex_;
  bool is_closed_ = false;   // guarded by policy_mutex_
  S3Fifo fifo_;              // guarded by policy_mutex_
  uint32_t last_stamp_ = 0;  // guarded by policy_mutex_
  std::array<Shard, 64> shards_;
  std::unique_ptr<DiskTier> disk_;  // null: memory only

  uint64_t move_budget_ = 0;  // the disk writer's thread only

  std::atomic<uint64_t> write_queue_bytes_{0};
  std::atomic<uint64_t> memory_evictions_{0};
  std::atomic<uint64_t> disk_evictions_{0};
  std::atomic<uint64_t> disk_writes_{0};
  std::atomic<uint64_t> damaged_dropped_{0};
  std::atomic<uint64_t> write_errors_{0};
  std::atomic<uint64_t> writes_skipped_{0};
};

}  // namespace reef::http
