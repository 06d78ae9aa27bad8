// SPDX-License-Identifier: Apache-2.0
//
// RecordStore: the records of what is on disk, in RocksDB. Writes go to the log without sync: they
// survive the process's death, not a power loss. Any thread; every method blocks.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "httpproxy/core/cache_key.h"
#include "httpproxy/store/disk/record.h"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class WriteBatch;
}  // namespace rocksdb

namespace reef::http {

class RecordStore {
 public:
  // FailedPrecondition: what is there is damaged beyond reading. Nothing is compacted until
  // AllowCompaction, so that a start has the machine for itself. `buffer_bytes`: of records in
  // memory before they are flushed; RocksDB's files, and what it takes beyond the records
  // themselves, are small multiples of it.
  static StatusOr<std::unique_ptr<RecordStore>> Open(const std::string& directory,
                                                     uint64_t buffer_bytes);
  ~RecordStore();

  Status AllowCompaction();
  // Frees what records that are deleted or were written again still take.
  Status Compact();

  Status Put(const StoredObject& object);
  // All at once up to 1024 keys.
  Status Delete(std::span<const CacheKey> keys);
  // nullopt: absent, damaged or unreadable.
  std::optional<StoredObject> Get(const CacheKey& key) const;
  // Of each object, its key and index entry, in order of the keys.
  Status ForEach(const std::function<void(const CacheKey&, std::string_view entry)>& visit) const;
  // About what it takes on disk.
  uint64_t bytes() const;

 private:
  enum Family { kRecords, kIndex, kFamilies };

  RecordStore() = default;
  Status Write(rocksdb::WriteBatch& batch);

  std::unique_ptr<rocksdb::DB> db_;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilies> families_{};  // owned by db_
};

}  // namespace reef::http
