// SPDX-License-Identifier: Apache-2.0
//
// Power loss: what was written and not synced is lost or torn, in any order. A copy of an open
// cache's folder is damaged as file systems leave it (a tail missing, pages of zeros, a page of
// something else) and opened: nothing wrong may be served, whatever is left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "httpproxy/store/cache.h"
#include "tests/httpproxy/store/support.h"
#include "tests/httpproxy/store/temp_folder.h"

namespace reef::http {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kPage = 4096;

void Overwrite(const fs::path& path, uint64_t offset, const std::string& bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(offset));
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  REEF_CHECK(file.good()) << path;
}

// Only what lies at or after `from` was not synced.
void Damage(const fs::path& path, uint64_t from, Rng& rng) {
  const uint64_t size = fs::file_size(path);
  if (size <= from) return;
  const uint64_t at = from + rng.Below(size - from);
  const uint64_t page = std::max(from, at / kPage * kPage);
  const uint64_t length = std::min(kPage, size - page);
  switch (rng.Below(4)) {
    case 0:
      return fs::resize_file(path, at);
    case 1:
      return Overwrite(path, page, std::string(length, '\0'));
    case 2:
      return Overwrite(path, page, ContentOf(rng.Next(), length));
    case 3:
      return;  // it had reached the disk
  }
}

class PowerLossTest : public testing::TestWithParam<uint64_t> {
 protected:
  PowerLossTest() {
    options_.directory = folder_.path() + "/cache";
    options_.memory_bytes_max = 16 << 20;
    options_.disk_bytes_max = 1 << 30;
    cache_ = *Cache::Open(options_);
  }

  void Put(const std::string& name, std::string content) {
    const std::string etag = std::to_string(stored_.size());
    Store(*cache_, name, content, etag);
    EXPECT_TRUE(WaitForDisk(*cache_, 1 << 20));
    stored_[etag] = {name, std::move(content)};
  }
  std::vector<fs::path> FilesIn(const std::string& folder, const std::string& extension) const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(options_.directory + folder)) {
      if (entry.path().extension() == extension) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  std::vector<fs::path> AllFiles() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(options_.directory)) {
      files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  // What is on disk now is all there is from here on.
  void LosePower() {
    EXPECT_TRUE(WaitForDisk(*cache_));
    const std::string copy = folder_.path() + "/copy";
    // Again if RocksDB has made or removed a file meanwhile: that copy is of no one moment.
    REEF_CHECK(WaitUntil([&] {
      std::error_code error;
      fs::remove_all(copy);
      const std::vector<fs::path> before = AllFiles();
      fs::copy(options_.directory, copy, fs::copy_options::recursive, error);
      return !error && AllFiles() == before;
    }));
    cache_.reset();
    options_.directory = copy;
  }
  void Open() {
    auto cache = Cache::Open(options_);
    ASSERT_TRUE(cache.ok()) << cache.status();
    cache_ = std::move(*cache);
  }
  // How many of the objects `names` are held; each is one that was stored under that name.
  int CountHeld(int names) {
    int held = 0;
    for (int i = 0; i < names; ++i) {
      const auto object = Get(*cache_, std::to_string(i));
      if (object == nullptr) continue;
      const ReadResult read = ReadWhole(object->body);
      const auto& [name, content] = stored_.at(object->head.etag);
      EXPECT_EQ(name, std::to_string(i));
      if (read.end == Body::Chunk::What::kEnd) {
        EXPECT_EQ(read.bytes, Bytes(content));
        ++held;
      } else {
        EXPECT_TRUE(content.starts_with(read.bytes.text));
      }
    }
    return held;
  }

  TempFolder folder_;
  Cache::Options options_;
  std::unique_ptr<Cache> cache_;
  Rng rng_{GetParam()};
  std::map<std::string, std::pair<std::string, std::string>> stored_;  // by ETag: name, content
};

TEST_P(PowerLossTest, LeavesNothingWrongToServe) {
  for (int i = 0; i < 300; ++i) {
    const size_t size = rng_.Chance(0.1) ? rng_.Below(4 * kSegmentBytes) : rng_.Below(20'000);
    Put(std::to_string(rng_.Below(100)), ContentOf(rng_.Next(), size));
    if (rng_.Chance(0.1)) cache_->Erase(KeyOf(std::to_string(rng_.Below(100))));
  }
  LosePower();
  for (int i = 0; i < 8; ++i) {
    for (const auto& file : FilesIn("/segments", ".seg")) Damage(file, 0, rng_);
  }
  for (const auto& log : FilesIn("/records", ".log")) Damage(log, 0, rng_);
  Open();

  CountHeld(100);
  for (int i = 0; i < 100; ++i) Put(std::to_string(i), ContentOf(rng_.Next(), 1000));
  cache_.reset();
  Open();
  EXPECT_EQ(CountHeld(100), 100);
}

// More records than RocksDB keeps unflushed: some are synced, and stay whatever the log has lost.
TEST_P(PowerLossTest, LosesNoRecordThatWasFlushed) {
  constexpr int kObjects = 12'000;
  const fs::path first_log = FilesIn("/records", ".log").at(0);
  for (int i = 0; i < kObjects; ++i) {
    auto object = std::make_shared<Object>();
    object->key = KeyOf(std::to_string(i));
    object->head.fields = std::string(2000, 'x');
    object->body = cache_->NewBody();
    cache_->Insert(object);
    object->body->Complete();
    if (i % 100 == 0) {
      ASSERT_TRUE(WaitForDisk(*cache_));
    }
  }
  ASSERT_TRUE(WaitUntil([&] { return !fs::exists(first_log); }));  // a flush was completed
  LosePower();
  for (const auto& log : FilesIn("/records", ".log")) Damage(log, 0, rng_);
  Open();

  EXPECT_GT(cache_->stats().disk_objects, 6000u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, PowerLossTest, testing::Range(uint64_t{1}, uint64_t{9}));

}  // namespace
}  // namespace reef::http
