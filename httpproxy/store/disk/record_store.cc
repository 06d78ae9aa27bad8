// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/store/disk/record_store.h"

#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace reef::http {
namespace {

rocksdb::Slice SliceOf(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}

Status StatusOf(std::string_view what, const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = std::string(what) + ": " + status.ToString();
  if (status.IsCorruption() || status.IsInvalidArgument()) return FailedPrecondition(text);
  return status.IsNoSpace() ? ResourceExhausted(text) : Unavailable(text);
}

// Small objects by the million: two buffers of unflushed records at most, so that a start after a
// crash replays little; a filter, so that a miss reads nothing.
rocksdb::ColumnFamilyOptions FamilyOptions(uint64_t buffer_bytes) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = buffer_bytes;
  options.max_write_buffer_number = 2;
  options.compression = rocksdb::kNoCompression;
  options.bottommost_compression = rocksdb::kNoCompression;
  options.target_file_size_base = buffer_bytes;
  options.max_bytes_for_level_base = 4 * buffer_bytes;
  // What a compaction takes in passing is bounded; the first level goes down as a whole.
  options.max_compaction_bytes = 10 * buffer_bytes;
  options.level0_slowdown_writes_trigger = 8;
  options.level0_stop_writes_trigger = 12;
  options.disable_auto_compactions = true;  // until AllowCompaction
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.block_cache = rocksdb::NewLRUCache(8 << 20);
  table.cache_index_and_filter_blocks = false;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

rocksdb::DBOptions DatabaseOptions(uint64_t buffer_bytes) {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.max_total_wal_size = 2 * buffer_bytes;
  options.max_manifest_file_size = buffer_bytes;
  // Else one family may be ahead of a log that the other still needs; if that is torn, RocksDB
  // takes the whole for damaged.
  options.atomic_flush = true;
  options.max_background_jobs = 2;
  options.max_open_files = 256;
  options.skip_stats_update_on_db_open = true;
  options.stats_dump_period_sec = 0;  // a thread less that wakes up
  options.stats_persist_period_sec = 0;
  options.info_log_level = rocksdb::ERROR_LEVEL;  // not a line a stall
  options.max_log_file_size = 1 << 20;
  options.keep_log_file_num = 2;
  return options;
}

}  // namespace

StatusOr<std::unique_ptr<RecordStore>> RecordStore::Open(const std::string& directory,
                                                         uint64_t buffer_bytes) {
  const std::vector<rocksdb::ColumnFamilyDescriptor> descriptors = {
      {rocksdb::kDefaultColumnFamilyName, FamilyOptions(buffer_bytes)},
      {"index", FamilyOptions(buffer_bytes)}};
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const auto status =
      rocksdb::DB::Open(DatabaseOptions(buffer_bytes), directory, descriptors, &handles, &db);
  RETURN_IF_ERROR(StatusOf("open the records in " + directory, status));
  auto store = std::unique_ptr<RecordStore>(new RecordStore());
  store->db_.reset(db);
  std::copy(handles.begin(), handles.end(), store->families_.begin());
  return store;
}

RecordStore::~RecordStore() {
  for (auto* family : families_) db_->DestroyColumnFamilyHandle(family).PermitUncheckedError();
  db_->Close().PermitUncheckedError();
}

Status RecordStore::AllowCompaction() {
  return StatusOf("allow compaction of the records",
                  db_->EnableAutoCompaction({families_.begin(), families_.end()}));
}

Status RecordStore::Compact() {
  for (auto* family : families_) {
    RETURN_IF_ERROR(
        StatusOf("compact the records", db_->CompactRange({}, family, nullptr, nullptr)));
  }
  return absl::OkStatus();
}

Status RecordStore::Put(const StoredObject& object) {
  const rocksdb::Slice key = SliceOf(object.key.AsBytes());
  rocksdb::WriteBatch batch;
  batch.Put(families_[kRecords], key, WriteRecord(object));
  batch.Put(families_[kIndex], key, WriteIndexEntry(object));
  return Write(batch);
}

Status RecordStore::Delete(std::span<const CacheKey> keys) {
  constexpr size_t kBatchKeys = 1024;
  for (size_t begin = 0; begin < keys.size(); begin += kBatchKeys) {
    rocksdb::WriteBatch batch;
    for (const CacheKey& key : keys.subspan(begin, std::min(kBatchKeys, keys.size() - begin))) {
      batch.Delete(families_[kRecords], SliceOf(key.AsBytes()));
      batch.Delete(families_[kIndex], SliceOf(key.AsBytes()));
    }
    RETURN_IF_ERROR(Write(batch));
  }
  return absl::OkStatus();
}

std::optional<StoredObject> RecordStore::Get(const CacheKey& key) const {
  rocksdb::PinnableSlice value;
  const auto status =
      db_->Get(rocksdb::ReadOptions(), families_[kRecords], SliceOf(key.AsBytes()), &value);
  if (!status.ok()) return std::nullopt;
  return ParseRecord(key, {value.data(), value.size()});
}

Status RecordStore::ForEach(
    const std::function<void(const CacheKey&, std::string_view)>& visit) const {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.readahead_size = 2 << 20;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options, families_[kIndex]));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    CacheKey key;
    if (it->key().size() != key.digest.size()) continue;
    std::memcpy(key.digest.data(), it->key().data(), key.digest.size());
    visit(key, {it->value().data(), it->value().size()});
  }
  return StatusOf("read the index of records", it->status());
}

uint64_t RecordStore::bytes() const {
  uint64_t total = 0;
  for (auto* family : families_) {
    for (const auto& property : {rocksdb::DB::Properties::kTotalSstFilesSize,
                                 rocksdb::DB::Properties::kCurSizeAllMemTables}) {
      uint64_t bytes = 0;
      if (db_->GetIntProperty(family, property, &bytes)) total += bytes;
    }
  }
  return total;
}

Status RecordStore::Write(rocksdb::WriteBatch& batch) {
  const rocksdb::Status status = db_->Write(rocksdb::WriteOptions(), &batch);
  // After a write error RocksDB refuses all until told to go on: the disk may have room again.
  if (!status.ok()) db_->Resume().PermitUncheckedError();
  return StatusOf("write a record", status);
}

}  // namespace reef::http
