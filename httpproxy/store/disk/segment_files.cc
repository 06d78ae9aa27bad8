// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/store/disk/segment_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/bytes.h"
#include "base/hash.h"
#include "httpproxy/store/body.h"
#include "httpproxy/store/segment_memory.h"

namespace reef::http {
namespace {

Status ErrnoStatus(std::string_view what, const std::string& path, int error) {
  const std::string text = fmt::format("{} {}: {}", what, path, std::strerror(error));
  return error == ENOSPC || error == EDQUOT || error == EFBIG ? ResourceExhausted(text)
                                                              : Unavailable(text);
}

constexpr std::string_view kSuffix = ".seg";

// nullopt: not one of ours.
std::optional<uint32_t> NumberOf(const std::string& name) {
  if (!name.ends_with(kSuffix)) return std::nullopt;
  const auto number = ParseDecimal(std::string_view(name).substr(0, name.size() - kSuffix.size()));
  if (!number || *number > UINT32_MAX) return std::nullopt;
  return static_cast<uint32_t>(*number);
}

}  // namespace

SegmentFile::~SegmentFile() {
  close(fd_);
}

StatusOr<std::unique_ptr<SegmentFiles>> SegmentFiles::Open(std::string directory,
                                                           uint64_t file_bytes, FileLayer& layer) {
  auto files =
      std::unique_ptr<SegmentFiles>(new SegmentFiles(std::move(directory), file_bytes, layer));
  RETURN_IF_ERROR(files->OpenExisting());
  return files;
}

std::string SegmentFiles::PathOf(uint32_t number) const {
  return fmt::format("{}/{:010}{}", directory_, number, kSuffix);
}

Status SegmentFiles::OpenExisting() {
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  if (error) return Unavailable("create " + directory_ + ": " + error.message());
  std::filesystem::directory_iterator entries(directory_, error);
  if (error) return Unavailable("list " + directory_ + ": " + error.message());
  for (const auto& entry : entries) {
    const auto number = NumberOf(entry.path().filename().string());
    if (!number) continue;
    const int fd = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return ErrnoStatus("open", entry.path().string(), errno);
    struct stat about {};
    const uint64_t size = fstat(fd, &about) == 0 ? static_cast<uint64_t>(about.st_size) : 0;
    files_[*number] = std::make_shared<SegmentFile>(*number, fd, size);
    bytes_ += size;
    UseNumbersAbove(*number);
  }
  return absl::OkStatus();
}

void SegmentFiles::UseNumbersAbove(uint32_t number) {
  next_number_ = std::max(next_number_, number + 1);
}

Status SegmentFiles::StartFile() {
  const std::string path = PathOf(next_number_);
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  if (fd < 0) return ErrnoStatus("create", path, errno);
  active_ = std::make_shared<SegmentFile>(next_number_++, fd, 0);
  const std::lock_guard lock(mutex_);
  files_[active_->number()] = active_;
  return absl::OkStatus();
}

StatusOr<Location> SegmentFiles::Append(std::string_view bytes, uint64_t record_bytes) {
  const uint64_t charged = active_ == nullptr ? 0 : active_->charged_bytes();
  const bool is_full = charged > 0 && charged + bytes.size() + record_bytes > file_bytes_;
  if (active_ == nullptr || is_full) {
    RETURN_IF_ERROR(StartFile());
  }
  Location at{active_, active_->size(), Xxh3(bytes), static_cast<uint32_t>(bytes.size())};
  if (const int error = layer_.Write(active_->fd(), bytes, at.offset); error != 0) {
    // What was written in part is cut off, so that the file's length stays what we count.
    if (ftruncate(active_->fd(), static_cast<off_t>(at.offset)) != 0) active_.reset();
    return ErrnoStatus("write", PathOf(at.file->number()), error);
  }
  active_->size_ += bytes.size();
  bytes_ += bytes.size();
  ChargeRecords(*active_, record_bytes);
  return at;
}

void SegmentFiles::ChargeRecords(SegmentFile& file, uint64_t record_bytes) {
  file.record_bytes_ += record_bytes;
  record_bytes_ += record_bytes;
}

std::vector<std::shared_ptr<SegmentFile>> SegmentFiles::All() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<SegmentFile>> all;
  for (const auto& [number, file] : files_) all.push_back(file);
  return all;
}

std::shared_ptr<SegmentFile> SegmentFiles::Oldest() const {
  const std::lock_guard lock(mutex_);
  if (files_.empty() || files_.begin()->second == active_) return nullptr;
  return files_.begin()->second;
}

void SegmentFiles::Remove(const std::shared_ptr<SegmentFile>& file) {
  file->is_removed_ = true;
  unlink(PathOf(file->number()).c_str());
  bytes_ -= file->size();
  record_bytes_ -= file->record_bytes_;
  const std::lock_guard lock(mutex_);
  files_.erase(file->number());
}

std::shared_ptr<SegmentFile> SegmentFiles::Find(uint32_t number) const {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(number);
  return found == files_.end() ? nullptr : found->second;
}

std::shared_ptr<char[]> SegmentFiles::Read(const Location& from) const {
  if (from.length > kSegmentBytes) return nullptr;  // no record of ours
  std::shared_ptr<char[]> bytes = AllocateSegment(from.length).bytes;
  if (layer_.Read(from.file->fd(), bytes.get(), from.length, from.offset) != 0) return nullptr;
  if (Xxh3({bytes.get(), from.length}) != from.xxh3) return nullptr;
  TrimSegment(bytes.get(), from.length);
  return bytes;
}

}  // namespace reef::http
