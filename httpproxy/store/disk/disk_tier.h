// SPDX-License-Identifier: Apache-2.0
//
// DiskTier: what the disk side of a Store is made of: the folder and its format, segment files,
// records, the threads that use them, the budget of bytes. It decides nothing about objects.
//
//   DIRECTORY/FORMAT    version of all of this; what has none or a foreign one is not touched
//   DIRECTORY/LOCK      locked while a process uses the folder
//   DIRECTORY/segments  segment files
//   DIRECTORY/records   RocksDB
//
// One thread writes (files, records, reclaim), so writers need no order among themselves; a pool
// reads. Owned by Store.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/status.h"
#include "httpproxy/store/cache.h"
#include "httpproxy/store/disk/file_layer.h"
#include "httpproxy/store/disk/record_store.h"
#include "httpproxy/store/disk/segment_files.h"
#include "httpproxy/store/disk/work_queue.h"

namespace reef::http {

class DiskTier {
 public:
  // Reports each whole object with the oldest file that it has a segment in. Those that miss a file
  // or the end of one are dropped and counted. An earlier or later format of ours is emptied: it
  // is a cache, and a node that starts empty beats one that does not start.
  static StatusOr<std::unique_ptr<DiskTier>> Open(
      const Cache::Options& options, std::unique_ptr<FileLayer> layer,
      const std::function<void(const CacheKey&, uint32_t oldest_file)>& found);
  ~DiskTier();

  SegmentFiles& files() { return *files_; }
  RecordStore& records() { return *records_; }
  WorkQueue& writer() { return writer_; }
  WorkQueue& readers() { return readers_; }

  // Whether `bytes` more may be written, records included, with room kept for moving what is to
  // survive a reclaim. The writer's thread.
  bool HasRoomFor(uint64_t bytes);
  // The oldest files, as many as are beyond the limit. Before the writer has work.
  std::vector<std::shared_ptr<SegmentFile>> FilesOverLimit() const;
  // Measures what the records take, and makes RocksDB give back what it has kept of deleted ones if
  // that is much. The writer's thread.
  void RefreshRecordsBytes();
  uint64_t bytes() const;
  uint64_t object_bytes_max() const { return object_bytes_max_; }
  uint64_t file_bytes() const { return file_bytes_; }
  uint64_t dropped_at_start() const { return dropped_at_start_; }

  // Runs what was pushed, ends the threads, gives the folder free.
  void Close();

 private:
  DiskTier(const Cache::Options& options, std::unique_ptr<FileLayer> layer);

  Status Prepare();
  Status OpenRecords();
  Status ReadIndex(const std::function<void(const CacheKey&, uint32_t)>& found);
  bool Fits(uint64_t bytes) const;

  const std::string directory_;
  const uint64_t bytes_max_;
  const uint64_t file_bytes_;
  const uint64_t object_bytes_max_;
  uint64_t dropped_at_start_ = 0;
  int lock_fd_ = -1;
  std::unique_ptr<FileLayer> layer_;
  std::unique_ptr<SegmentFiles> files_;
  std::unique_ptr<RecordStore> records_;
  std::atomic<uint64_t> records_bytes_{0};
  uint64_t unaccounted_bytes_ = 0;  // that records take beyond what their files are charged
  int64_t until_refresh_ = 0;       // bytes to be written; both: the writer's thread only
  WorkQueue writer_{"cache-write", 1};
  WorkQueue readers_;
};

}  // namespace reef::http
