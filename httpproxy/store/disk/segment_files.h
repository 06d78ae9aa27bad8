// SPDX-License-Identifier: Apache-2.0
//
// SegmentFiles: bodies on disk, as append-only files of about equal size, DIRECTORY/NUMBER.seg,
// whose numbers never come again. Only whole files are removed, the oldest first. What lies where
// is known to the records alone (proto/cache_record.proto).
//
// A file is charged what its bytes and their records take: so files roll, and are reclaimed, for
// empty bodies too.
//
// Threads: Append, ChargeRecords, Oldest, Remove and charged_bytes on the writer's thread, or on
// any one before that has work; everything else on any. All block. Nothing is synced: what a power
// loss tears is found by its length or its checksum.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "httpproxy/store/disk/file_layer.h"
#include "httpproxy/store/disk/location.h"

namespace reef::http {

// One file, open as long as somebody refers to it.
class SegmentFile {
 public:
  SegmentFile(uint32_t number, int fd, uint64_t size) : number_(number), fd_(fd), size_(size) {}
  ~SegmentFile();
  SegmentFile(const SegmentFile&) = delete;
  SegmentFile& operator=(const SegmentFile&) = delete;

  uint32_t number() const { return number_; }
  int fd() const { return fd_; }
  uint64_t size() const { return size_.load(std::memory_order_relaxed); }
  bool is_removed() const { return is_removed_.load(std::memory_order_relaxed); }
  // What it takes on disk together with the records of what is in it. The writer's thread.
  uint64_t charged_bytes() const { return size() + record_bytes_; }

 private:
  friend class SegmentFiles;
  const uint32_t number_;
  const int fd_;
  std::atomic<uint64_t> size_;
  uint64_t record_bytes_ = 0;  // the writer's thread only
  std::atomic<bool> is_removed_{false};
};

class SegmentFiles {
 public:
  // Opens what is there; `file_bytes`: a file is closed for writing when the next segment would
  // charge it more.
  static StatusOr<std::unique_ptr<SegmentFiles>> Open(std::string directory, uint64_t file_bytes,
                                                      FileLayer& layer);

  // On an error nothing was appended. ResourceExhausted: the disk is full.
  StatusOr<Location> Append(std::string_view bytes, uint64_t record_bytes);
  // For the records of what was in the file when it was opened.
  void ChargeRecords(SegmentFile& file, uint64_t record_bytes);
  // Numbers in use elsewhere are passed over.
  void UseNumbersAbove(uint32_t number);
  std::vector<std::shared_ptr<SegmentFile>> All() const;
  // The oldest that is no longer written; nullptr: none.
  std::shared_ptr<SegmentFile> Oldest() const;
  void Remove(const std::shared_ptr<SegmentFile>& file);

  // nullptr: no such file.
  std::shared_ptr<SegmentFile> Find(uint32_t number) const;
  // nullptr: not readable, or not what was written.
  std::shared_ptr<char[]> Read(const Location& from) const;
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  uint64_t charged_bytes() const { return bytes() + record_bytes_; }

 private:
  SegmentFiles(std::string directory, uint64_t file_bytes, FileLayer& layer)
      : directory_(std::move(directory)), file_bytes_(file_bytes), layer_(layer) {}

  std::string PathOf(uint32_t number) const;
  Status OpenExisting();
  Status StartFile();

  const std::string directory_;
  const uint64_t file_bytes_;
  FileLayer& layer_;
  std::shared_ptr<SegmentFile> active_;  // the writer's thread only
  uint32_t next_number_ = 1;             // the writer's thread only
  std::atomic<uint64_t> bytes_{0};
  uint64_t record_bytes_ = 0;  // the writer's thread only
  mutable std::mutex mutex_;
  std::map<uint32_t, std::shared_ptr<SegmentFile>> files_;  // guarded by mutex_
};

}  // namespace reef::http
