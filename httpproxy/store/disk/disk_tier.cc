// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/store/disk/disk_tier.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <unordered_map>
#include <vector>

#include "base/runtime/log.h"

namespace reef::http {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFormatName = "reef-cache";
constexpr std::string_view kFormat = "reef-cache 1\n";

// RocksDB's buffers: the same small fraction, so that what it takes beyond the records is small
// too.
uint64_t RecordBufferBytes(uint64_t bytes_max) {
  return std::clamp<uint64_t>(bytes_max / 256, 64 << 10, 16 << 20);
}

// What RocksDB takes for a moment beside the records, in buffers: the output of a compaction, whose
// input is still there, and its logs. At most a quarter of the records.
constexpr uint64_t kInPassingBuffers = 40;

// Many files: what a reclaim frees at once, and what is kept free to move objects to, are fractions
// of a percent of the limit.
uint64_t FileBytes(uint64_t bytes_max) {
  return std::clamp<uint64_t>(bytes_max / 256, kSegmentBytes, 1ull << 30);
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

DiskTier::DiskTier(const Cache::Options& options, std::unique_ptr<FileLayer> layer)
    : directory_(options.directory),
      bytes_max_(options.disk_bytes_max),
      file_bytes_(FileBytes(options.disk_bytes_max)),
      object_bytes_max_(std::min(options.object_bytes_max, options.disk_bytes_max / 4)),
      layer_(std::move(layer)),
      readers_("cache-read", std::max(1, options.disk_threads)) {}

DiskTier::~DiskTier() {
  Close();
}

StatusOr<std::unique_ptr<DiskTier>> DiskTier::Open(
    const Cache::Options& options, std::unique_ptr<FileLayer> layer,
    const std::function<void(const CacheKey&, uint32_t)>& found) {
  auto tier = std::unique_ptr<DiskTier>(new DiskTier(options, std::move(layer)));
  RETURN_IF_ERROR(tier->Prepare());
  RETURN_IF_ERROR(tier->OpenRecords());
  RETURN_IF_ERROR(tier->ReadIndex(found));
  RETURN_IF_ERROR(tier->records_->AllowCompaction());
  return tier;
}

// Locks the folder and makes sure that what is in it is ours and of this format.
Status DiskTier::Prepare() {
  std::error_code error;
  fs::create_directories(directory_, error);
  if (error) return Unavailable("create the cache folder " + directory_ + ": " + error.message());

  const std::string format_path = directory_ + "/FORMAT";
  const std::string format = ReadFile(format_path);
  if (format.empty() && !fs::is_empty(directory_, error) &&
      !fs::exists(directory_ + "/LOCK", error)) {
    return FailedPrecondition("the cache folder " + directory_ +
                              " holds other files: give the cache a folder of its own");
  }
  if (!format.empty() && !format.starts_with(kFormatName)) {
    return FailedPrecondition(format_path + " is not of a cache: \"" + format.substr(0, 40) +
                              "\"; give the cache a folder of its own");
  }

  lock_fd_ = open((directory_ + "/LOCK").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (lock_fd_ < 0 || flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    return Unavailable("lock the cache folder " + directory_ + ": " + std::strerror(errno) +
                       " (does another process use it?)");
  }
  if (format == kFormat) return absl::OkStatus();

  if (!format.empty()) {
    LogWarning("cache {}: emptied, it is of another format: {}", directory_, format);
  }
  fs::remove_all(directory_ + "/segments", error);
  fs::remove_all(directory_ + "/records", error);
  std::ofstream(format_path, std::ios::trunc) << kFormat;
  if (ReadFile(format_path) != kFormat) return Unavailable("write " + format_path);
  return absl::OkStatus();
}

Status DiskTier::OpenRecords() {
  const std::string path = directory_ + "/records";
  const uint64_t buffer_bytes = RecordBufferBytes(bytes_max_);
  auto records = RecordStore::Open(path, buffer_bytes);
  if (absl::IsFailedPrecondition(records.status())) {
    LogError("cache {}: emptied, its records are damaged: {}", directory_,
             FromAbsl(records.status().message()));
    ++dropped_at_start_;
    std::error_code ignored;
    fs::remove_all(path, ignored);
    records = RecordStore::Open(path, buffer_bytes);
  }
  RETURN_IF_ERROR(records.status());
  records_ = std::move(*records);
  ASSIGN_OR_RETURN(files_, SegmentFiles::Open(directory_ + "/segments", file_bytes_, *layer_));
  return absl::OkStatus();
}

Status DiskTier::ReadIndex(const std::function<void(const CacheKey&, uint32_t)>& found) {
  // Looked up once for each object: a million of them must not take a lock and a search each.
  struct Known {
    uint64_t size = 0;
    uint64_t objects = 0;  // whose oldest file it is
    bool is_used = false;
  };
  std::unordered_map<uint32_t, Known> known;
  for (const auto& file : files_->All()) known[file->number()].size = file->size();
  std::vector<CacheKey> broken;
  uint64_t objects = 0;
  RETURN_IF_ERROR(records_->ForEach([&](const CacheKey& key, std::string_view entry) {
    const auto spans = ParseIndexEntry(entry);
    bool is_whole = spans && !spans->empty();
    for (const StoredSpan& span : spans.value_or(std::vector<StoredSpan>())) {
      const auto file = known.find(span.file);
      is_whole &= file != known.end() && file->second.size >= span.end;
      // A number that a record knows must not come again, even if its file is lost.
      files_->UseNumbersAbove(span.file);
    }
    if (!is_whole) {
      broken.push_back(key);
      return;
    }
    for (const StoredSpan& span : *spans) known[span.file].is_used = true;
    ++known[spans->front().file].objects;
    ++objects;
    found(key, spans->front().file);
  }));
  dropped_at_start_ += broken.size();
  if (!broken.empty()) {
    LogWarning("cache {}: {} objects dropped, their segments are missing", directory_,
               broken.size());
    RETURN_IF_ERROR(records_->Delete(broken));
  }
  records_bytes_ = records_->bytes();
  const uint64_t record_bytes = records_bytes_ / std::max<uint64_t>(objects, 1);
  for (const auto& file : files_->All()) {
    const Known& about = known[file->number()];
    files_->ChargeRecords(*file, about.objects * std::max(record_bytes, RecordShare({}, 0)));
    if (!about.is_used) files_->Remove(file);
  }
  return absl::OkStatus();
}

bool DiskTier::Fits(uint64_t bytes) const {
  const uint64_t in_passing =
      std::min(kInPassingBuffers * RecordBufferBytes(bytes_max_), records_bytes_ / 4);
  return bytes + file_bytes_ + in_passing <= bytes_max_;
}

bool DiskTier::HasRoomFor(uint64_t bytes) {
  const auto fresh = static_cast<int64_t>(bytes);
  if ((until_refresh_ -= fresh) <= 0) RefreshRecordsBytes();
  return Fits(files_->charged_bytes() + unaccounted_bytes_ + bytes);
}

std::vector<std::shared_ptr<SegmentFile>> DiskTier::FilesOverLimit() const {
  std::vector<std::shared_ptr<SegmentFile>> over;
  uint64_t bytes = files_->charged_bytes();
  for (auto& file : files_->All()) {
    if (Fits(bytes)) break;
    bytes -= file->charged_bytes();
    over.push_back(std::move(file));
  }
  return over;
}

uint64_t DiskTier::bytes() const {
  return files_->bytes() + records_bytes_;
}

void DiskTier::RefreshRecordsBytes() {
  const uint64_t charged = files_->charged_bytes() - files_->bytes();
  const auto measure = [&] {
    records_bytes_ = records_->bytes();
    unaccounted_bytes_ = std::max(records_bytes_.load(), charged) - charged;
  };
  measure();
  // RocksDB compacts what comes to it by and by. When most of the records have gone (the limit was
  // lowered, other heads are much shorter), nothing else would free it.
  if (unaccounted_bytes_ > bytes_max_ / 8) {
    if (const Status compacted = records_->Compact(); !compacted.ok()) {
      LogError("cache {}: {}", directory_, FromAbsl(compacted.message()));
    }
    measure();
  }
  until_refresh_ = static_cast<int64_t>(RecordBufferBytes(bytes_max_));
}

void DiskTier::Close() {
  writer_.FinishAndStop();
  readers_.FinishAndStop();
  records_.reset();
  if (lock_fd_ >= 0) close(lock_fd_);
  lock_fd_ = -1;
}

}  // namespace reef::http
