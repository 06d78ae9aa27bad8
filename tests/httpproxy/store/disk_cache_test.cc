// SPDX-License-Identifier: Apache-2.0
//
// What the disk tier promises beyond cache.h: what survives, what is dropped, what is bounded, what
// happens when files fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>
#include <vector>

#include "httpproxy/store/cache.h"
#include "httpproxy/store/open_cache.h"
#include "tests/httpproxy/store/support.h"
#include "tests/httpproxy/store/temp_folder.h"

namespace reef::http {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::UnorderedElementsAre;
using What = Body::Chunk::What;
using Where = Cache::Found::Where;

// Files that fail when told to.
struct Faults {
  std::mutex hold_writes;  // whoever has it holds them up
  std::atomic<int> write_error{0};
  std::atomic<int> read_error{0};
  std::atomic<int> reads{0};
};

class FaultyFiles final : public FileLayer {
 public:
  explicit FaultyFiles(Faults& faults) : faults_(faults) {}
  int Write(int fd, std::string_view bytes, uint64_t offset) override {
    const std::lock_guard hold(faults_.hold_writes);
    if (faults_.write_error == 0) return files_.Write(fd, bytes, offset);
    files_.Write(fd, bytes.substr(0, bytes.size() / 2), offset);  // as a full disk does
    return faults_.write_error;
  }
  int Read(int fd, char* to, size_t size, uint64_t offset) override {
    ++faults_.reads;
    if (faults_.read_error != 0) return faults_.read_error;
    return files_.Read(fd, to, size, offset);
  }

 private:
  Faults& faults_;
  PosixFiles files_;
};

class DiskCacheTest : public testing::Test {
 protected:
  DiskCacheTest() {
    options_.directory = folder_.path() + "/cache";
    options_.memory_bytes_max = 16 << 20;
    options_.disk_bytes_max = 1 << 30;
    Open();
  }

  void Open() {
    cache_.reset();
    auto cache = OpenCache(options_, std::make_unique<FaultyFiles>(faults_));
    ASSERT_TRUE(cache.ok()) << cache.status();
    cache_ = std::move(*cache);
    cache_->OnEvicted([this](const CacheKey& key) {
      const std::lock_guard lock(mutex_);
      evicted_.insert(key);
    });
  }
  // The same folder, with nothing in memory.
  void Reopen() { Open(); }

  std::set<CacheKey> evicted() {
    const std::lock_guard lock(mutex_);
    return evicted_;
  }
  std::vector<fs::path> SegmentFiles() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(options_.directory + "/segments")) {
      files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  // In the first segment file, wherever `content` lies in it.
  void FlipAByteOf(std::string_view content) {
    std::fstream file(SegmentFiles().at(0), std::ios::in | std::ios::out | std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    const size_t at = bytes.find(content);
    ASSERT_NE(at, std::string::npos);
    file.clear();
    file.seekp(static_cast<std::streamoff>(at + content.size() / 2));
    file.put(static_cast<char>(~content[content.size() / 2]));
  }

  TempFolder folder_;
  Faults faults_;
  Cache::Options options_;
  std::mutex mutex_;
  std::set<CacheKey> evicted_;
  std::unique_ptr<Cache> cache_;
  LoopThread loop_{"loop"};
};

// ---- What survives ----

TEST_F(DiskCacheTest, HoldsObjectsOfAllSizesAfterARestart) {
  const std::vector<size_t> sizes = {0, 1, 1000, kSegmentBytes, kSegmentBytes + 1, 3'000'000};
  for (const size_t size : sizes) Store(*cache_, std::to_string(size), ContentOf(size, size));
  Reopen();

  for (const size_t size : sizes) {
    EXPECT_EQ(cache_->Find(KeyOf(std::to_string(size))).where, Where::kDisk);
    EXPECT_EQ(ContentIn(*cache_, std::to_string(size)), Bytes(ContentOf(size, size)));
    EXPECT_EQ(cache_->Find(KeyOf(std::to_string(size))).where, Where::kMemory);
  }
  EXPECT_EQ(cache_->stats().disk_objects, sizes.size());
}

TEST_F(DiskCacheTest, HoldsTheWholeHeadAfterARestart) {
  auto object = std::make_shared<Object>();
  object->key = KeyOf("a");
  object->head.status = 404;
  object->head.reason = "Not Found";
  object->head.fields = "X: \xff\x80\r\nY: 2\r\n";
  object->head.content_length = 3;
  object->head.etag = "W/\"1\"";
  object->head.last_modified = "Sun, 06 Nov 1994 08:49:37 GMT";
  object->head.freshness = {
      FromUnixSeconds(1'700'000'000), Duration(5), Duration(6), Duration(7), true, true, true};
  object->head.vary = {{"accept", "*/*"}, {"accept-language", ""}};
  object->body = cache_->NewBody();
  cache_->Insert(object);
  object->body->Append("abc");
  object->body->Complete();
  Reopen();

  EXPECT_EQ(Get(*cache_, "a")->head, object->head);
}

TEST_F(DiskCacheTest, HoldsTheNewestHeadAfterARestart) {
  const auto old = Store(*cache_, "a", "content", "\"1\"");
  cache_->Insert(MakeObject("a", old->body, "\"2\""));
  Reopen();
  const auto loaded = Get(*cache_, "a");
  EXPECT_EQ(loaded->head.etag, "\"2\"");

  cache_->Insert(MakeObject("a", loaded->body, "\"3\""));  // over a body that came from disk
  Reopen();
  EXPECT_EQ(Get(*cache_, "a")->head.etag, "\"3\"");
  EXPECT_EQ(ContentIn(*cache_, "a"), "content");
}

TEST_F(DiskCacheTest, WritesNoBodyAgainForANewHead) {
  const auto old = Store(*cache_, "a", ContentOf(1, 100'000), "\"1\"");
  ASSERT_TRUE(WaitForDisk(*cache_));
  for (int i = 0; i < 20; ++i) cache_->Insert(MakeObject("a", old->body, std::to_string(i)));
  Reopen();

  EXPECT_EQ(Get(*cache_, "a")->head.etag, "19");
  EXPECT_EQ(fs::file_size(SegmentFiles().at(0)), 100'000u);
}

TEST_F(DiskCacheTest, StaysOnDiskWithANewHeadAfterARefreshThatFailed) {
  const auto old = Store(*cache_, "a", "content", "\"1\"");
  ASSERT_TRUE(WaitForDisk(*cache_));
  const auto refresh = cache_->NewBody();
  auto too_large = std::make_shared<Object>();
  too_large->key = KeyOf("a");
  too_large->head.content_length = 1ull << 40;
  too_large->body = refresh;
  cache_->Insert(too_large);
  refresh->Abort("");
  cache_->Insert(MakeObject("a", old->body, "\"2\""));
  Reopen();

  EXPECT_EQ(ContentIn(*cache_, "a"), "content");
  EXPECT_EQ(Get(*cache_, "a")->head.etag, "\"2\"");
}

TEST_F(DiskCacheTest, HoldsTheReplacementAfterARestart) {
  Store(*cache_, "a", "old");
  Store(*cache_, "a", "new");
  Reopen();

  EXPECT_EQ(ContentIn(*cache_, "a"), "new");
}

TEST_F(DiskCacheTest, HoldsNothingErasedAfterARestart) {
  Store(*cache_, "a", "content");
  Store(*cache_, "b", "content");
  Reopen();
  cache_->Erase(KeyOf("a"));
  EXPECT_EQ(cache_->Find(KeyOf("a")).where, Where::kMiss);
  Reopen();

  EXPECT_EQ(cache_->Find(KeyOf("a")).where, Where::kMiss);
  EXPECT_EQ(ContentIn(*cache_, "b"), "content");
}

TEST_F(DiskCacheTest, ErasesAnObjectThatIsOnItsWayToDisk) {
  for (int i = 0; i < 200; ++i) {
    const std::string name = std::to_string(i);
    Store(*cache_, name, "content");
    cache_->Erase(KeyOf(name));
  }
  Reopen();

  EXPECT_EQ(cache_->stats().disk_objects, 0u);
}

TEST_F(DiskCacheTest, HoldsTheWholeObjectAfterARestartInTheMidstOfARefresh) {
  Store(*cache_, "a", ContentOf(1, 700'000));
  const auto refresh = cache_->NewBody();
  cache_->Insert(MakeObject("a", refresh));
  AppendAll(*refresh, loop_.loop(), ContentOf(2, 600'000));
  Reopen();

  EXPECT_EQ(ContentIn(*cache_, "a"), Bytes(ContentOf(1, 700'000)));
}

TEST_F(DiskCacheTest, HoldsNothingOfAFillThatNeverEnded) {
  const auto body = cache_->NewBody();
  cache_->Insert(MakeObject("a", body));
  AppendAll(*body, loop_.loop(), ContentOf(2, 1'000'000));
  Reopen();

  EXPECT_EQ(cache_->Find(KeyOf("a")).where, Where::kMiss);
  EXPECT_EQ(cache_->stats().damaged_dropped, 0u);
  EXPECT_TRUE(SegmentFiles().empty());  // what no record refers to is removed
}

TEST_F(DiskCacheTest, ReadsOnceForManyLoadsOfOneObject) {
  Store(*cache_, "a", "content");
  Reopen();
  std::vector<std::future<std::shared_ptr<const Object>>> loads;
  loop_.RunAndWait([&] {
    for (int i = 0; i < 50; ++i) {
      auto loaded = std::make_shared<std::promise<std::shared_ptr<const Object>>>();
      loads.push_back(loaded->get_future());
      cache_->Load(KeyOf("a"), loop_.loop(),
                   [loaded](std::shared_ptr<const Object> object) { loaded->set_value(object); });
    }
  });

  const auto first = loads[0].get();
  for (size_t i = 1; i < loads.size(); ++i) EXPECT_EQ(loads[i].get(), first);
  EXPECT_EQ(faults_.reads, 1);
}

// ---- Large bodies ----

TEST_F(DiskCacheTest, KeepsALargeBodyInMemoryOnlyInPartWhileItFillsAndAfter) {
  const std::string content = ContentOf(9, 24 << 20);
  const uint64_t limit = options_.memory_bytes_max / 8 + 2 * (kSegmentBytes + 64) + 2000;
  const auto body = cache_->NewBody();
  cache_->Insert(MakeObject("large", body));
  for (size_t at = 0; at < content.size(); at += kSegmentBytes) {
    AppendAll(*body, loop_.loop(), std::string_view(content).substr(at, kSegmentBytes));
    EXPECT_LE(cache_->stats().memory_bytes, limit);
  }
  body->Complete();

  EXPECT_EQ(ContentIn(*cache_, "large"), Bytes(content));
  EXPECT_LE(cache_->stats().memory_bytes, limit);
  EXPECT_EQ(cache_->Find(KeyOf("large")).object->body, body);
}

TEST_F(DiskCacheTest, ServesReadersAtManyPlacesOfALargeBody) {
  const std::string content = ContentOf(9, 20 << 20);
  Store(*cache_, "large", content);
  Reopen();
  const auto object = Get(*cache_, "large");
  LoopThread other("other");
  std::vector<std::unique_ptr<WholeReader>> readers;
  for (size_t i = 0; i < 12; ++i) {
    EventLoop& loop = i % 2 == 0 ? loop_.loop() : other.loop();
    readers.push_back(std::make_unique<WholeReader>(object->body, loop, 30'000 + 40'000 * i));
  }

  for (const auto& reader : readers) {
    EXPECT_EQ(reader->Wait(), (ReadResult{content, What::kEnd}));
  }
  EXPECT_LE(cache_->stats().memory_bytes, options_.memory_bytes_max / 8 + 4 * kSegmentBytes);
}

TEST_F(DiskCacheTest, ServesAReaderFromTheBeginningOfALargeBodyThatStillFills) {
  const std::string content = ContentOf(9, 20 << 20);
  const auto body = cache_->NewBody();
  cache_->Insert(MakeObject("large", body));
  AppendAll(*body, loop_.loop(), content.substr(0, 15 << 20));
  LoopThread reading("reading");
  WholeReader late(body, reading.loop());
  AppendAll(*body, loop_.loop(), content.substr(15 << 20));
  body->Complete();

  EXPECT_EQ(late.Wait(), (ReadResult{content, What::kEnd}));
}

TEST_F(DiskCacheTest, PausesTheWriterOfALargeBodyWhileTheDiskIsBehind) {
  const auto body = cache_->NewBody();
  cache_->Insert(MakeObject("large", body));
  std::unique_lock hold(faults_.hold_writes);
  uint64_t appended = kSegmentBytes;
  while (body->Append(std::string(kSegmentBytes, 'x'))) {
    appended += kSegmentBytes;
    ASSERT_LE(appended, options_.memory_bytes_max);
  }
  std::promise<void> room;
  auto has_room = room.get_future();
  body->WhenRoom(loop_.loop(), [&] { room.set_value(); });
  loop_.RunAndWait([] {});
  EXPECT_EQ(has_room.wait_for(std::chrono::seconds(0)), std::future_status::timeout);

  hold.unlock();
  has_room.get();  // and goes on once the disk has caught up
  body->Abort("");
}

TEST_F(DiskCacheTest, TakesNoObjectLargerThanItMayBe) {
  options_.object_bytes_max = 1'000'000;
  Reopen();
  Store(*cache_, "fits", ContentOf(1, 1'000'000));
  const auto body = cache_->NewBody();
  cache_->Insert(MakeObject("large", body));
  WholeReader reader(body, loop_.loop());
  AppendAll(*body, loop_.loop(), ContentOf(2, 1'000'001));
  body->Complete();

  EXPECT_EQ(reader.Wait(), (ReadResult{ContentOf(2, 1'000'001), What::kEnd}));
  EXPECT_EQ(cache_->Find(KeyOf("large")).where, Where::kMiss);
  EXPECT_NE(cache_->Find(KeyOf("fits")).where, Where::kMiss);
}

// ---- Damage ----

TEST_F(DiskCacheTest, DropsAnObjectWithAFlippedByteAndServesTheOthers) {
  Store(*cache_, "a", ContentOf(1, 5000));
  Store(*cache_, "b", ContentOf(2, 5000));
  Reopen();
  FlipAByteOf(ContentOf(1, 5000));

  EXPECT_EQ(ContentIn(*cache_, "a"), std::nullopt);
  EXPECT_EQ(cache_->Find(KeyOf("a")).where, Where::kMiss);
  EXPECT_EQ(cache_->stats().damaged_dropped, 1u);
  EXPECT_THAT(evicted(), UnorderedElementsAre(KeyOf("a")));
  EXPECT_EQ(ContentIn(*cache_, "b"), Bytes(ContentOf(2, 5000)));
  Reopen();
  EXPECT_EQ(cache_->Find(KeyOf("a")).where, Where::kMiss);
}

TEST_F(DiskCacheTest, EndsTheReadersOfALargeObjectAtADamagedSegment) {
  const std::string content = ContentOf(1, 4 << 20);
  Store(*cache_, "a", content);
  Reopen();
  FlipAByteOf(std::string_view(content).substr(9 * kSegmentBytes, kSegmentBytes));

  const ReadResult read = ReadWhole(Get(*cache_, "a")->body);
  EXPECT_EQ(read.end, What::kAborted);
  EXPECT_EQ(read.bytes, Bytes(content.substr(0, 9 * kSegmentBytes)));
  EXPECT_EQ(cache_->Find(KeyOf("a")).where, Where::kMiss);
  EXPECT_EQ(cache_->stats().damaged_dropped, 1u);
}

TEST_F(DiskCacheTest, EndsAFillWhoseBeginningIsDamagedWhenSomebodyNeedsIt) {
  const std::string content = ContentOf(1, 8 << 20);
  const auto body = cache_->NewBody();
  cache_->Insert(MakeObject("a", body));
  AppendAll(*body, loop_.loop(), content);
  FlipAByteOf(std::string_view(content).substr(0, kSegmentBytes));
  const ReadResult read = ReadWhole(body);

  EXPECT_EQ(read, (ReadResult{"", What::kAborted}));
  EXPECT_EQ(body->state(), Body::State::kAborted);
  EXPECT_EQ(cache_->Find(KeyOf("a")).where, Where::kMiss);
  EXPECT_FALSE(body->Append("more"));
  body->Complete();  // the writer has not looked at the state: without effect
  EXPECT_EQ(body->state(), Body::State::kAborted);
}

TEST_F(DiskCacheTest, DropsAtStartWhatATruncatedFileHasLost) {
  Store(*cache_, "a", ContentOf(1, 5000));
  Store(*cache_, "b", ContentOf(2, 5000));
  cache_.reset();
  fs::resize_file(SegmentFiles().at(0), 9999);
  Reopen();

  EXPECT_EQ(cache_->Find(KeyOf("b")).where, Where::kMiss);
  EXPECT_EQ(cache_->stats().damaged_dropped, 1u);
  EXPECT_EQ(ContentIn(*cache_, "a"), Bytes(ContentOf(1, 5000)));
}

TEST_F(DiskCacheTest, DropsAtStartWhatAMissingFileHeld) {
  Store(*cache_, "a", "content");
  cache_.reset();
  const fs::path file = SegmentFiles().at(0);
  fs::remove(file);
  Reopen();
  EXPECT_EQ(cache_->Find(KeyOf("a")).where, Where::kMiss);
  EXPECT_EQ(cache_->stats().damaged_dropped, 1u);

  Store(*cache_, "b", "content");
  cache_.reset();
  EXPECT_THAT(SegmentFiles(), testing::Not(testing::Contains(file)));  // its number does not return
}

TEST_F(DiskCacheTest, DropsAnObjectThatCannotBeRead) {
  Store(*cache_, "a", "content");
  Reopen();
  faults_.read_error = EIO;

  EXPECT_EQ(LoadNow(*cache_, "a"), nullptr);
  EXPECT_EQ(cache_->Find(KeyOf("a")).where, Where::kMiss);
}

TEST_F(DiskCacheTest, LosesOnlyTheLastRecordsWhenTheirLogIsTorn) {
  for (int i = 0; i < 100; ++i) Store(*cache_, std::to_string(i), ContentOf(i + 1ull, 1000));
  Reopen();
  for (int i = 100; i < 200; ++i) Store(*cache_, std::to_string(i), ContentOf(i + 1ull, 1000));
  ASSERT_TRUE(WaitForDisk(*cache_));
  // The folder as a power loss leaves it: a copy of the open one, without the end of the log.
  const std::string copy = folder_.path() + "/copy";
  fs::copy(options_.directory, copy, fs::copy_options::recursive);
  bool torn = false;
  for (const auto& entry : fs::directory_iterator(copy + "/records")) {
    if (entry.path().extension() != ".log" || fs::file_size(entry) < 1000) continue;
    fs::resize_file(entry.path(), fs::file_size(entry) - 777);
    torn = true;
  }
  ASSERT_TRUE(torn);
  cache_.reset();
  options_.directory = copy;
  Open();

  int held = 0;
  for (int i = 0; i < 200; ++i) {
    const auto content = ContentIn(*cache_, std::to_string(i));
    if (!content) continue;
    EXPECT_EQ(*content, Bytes(ContentOf(i + 1ull, 1000)));
    ++held;
  }
  EXPECT_LT(held, 200);
  EXPECT_GT(held, 190);
}

TEST_F(DiskCacheTest, StartsEmptyWhenItsRecordsCannotBeRead) {
  Store(*cache_, "a", "content");
  cache_.reset();
  std::ofstream(options_.directory + "/records/CURRENT") << "rubbish";
  Reopen();

  EXPECT_EQ(cache_->Find(KeyOf("a")).where, Where::kMiss);
  EXPECT_EQ(cache_->stats().damaged_dropped, 1u);
  Store(*cache_, "b", "content");
  Reopen();
  EXPECT_EQ(ContentIn(*cache_, "b"), "content");
}

// ---- Failing writes ----

TEST_F(DiskCacheTest, KeepsAnObjectInMemoryWhenTheDiskIsFull) {
  faults_.write_error = ENOSPC;
  Store(*cache_, "a", "content");
  ASSERT_TRUE(WaitForDisk(*cache_));
  EXPECT_EQ(cache_->stats().write_errors, 1u);
  EXPECT_EQ(ContentIn(*cache_, "a"), "content");

  faults_.write_error = 0;
  Store(*cache_, "b", "later");
  Reopen();
  EXPECT_EQ(cache_->Find(KeyOf("a")).where, Where::kMiss);
  EXPECT_EQ(ContentIn(*cache_, "b"), "later");
}

TEST_F(DiskCacheTest, FindsNoOlderVersionAgainWhenTheNewerCouldNotBeWritten) {
  Store(*cache_, "a", "old");
  Reopen();
  faults_.write_error = EIO;
  Store(*cache_, "a", "new");
  ASSERT_TRUE(WaitForDisk(*cache_));
  EXPECT_EQ(cache_->stats().disk_objects, 0u);
  EXPECT_EQ(ContentIn(*cache_, "a"), "new");
  Reopen();

  EXPECT_EQ(cache_->Find(KeyOf("a")).where, Where::kMiss);
}

// The queue's own bound: the disk does nothing while objects come.
class SlowDiskCacheTest : public DiskCacheTest,
                          public testing::WithParamInterface<uint64_t> {};  // body bytes

TEST_P(SlowDiskCacheTest, WritesNoMoreThanMayWaitAndDropsTheOlderVersionsOfTheRest) {
  constexpr uint64_t kObjects = 40'000;
  // What is counted of one beside its body (docs/store.md).
  constexpr uint64_t kOneWriteMax = 256 + kSegmentBytes;
  const uint64_t limit = options_.memory_bytes_max / 4;
  const std::string content(GetParam(), 'x');
  for (uint64_t i = 0; i < 3; ++i) Store(*cache_, "old" + std::to_string(i), "old");
  ASSERT_TRUE(WaitForDisk(*cache_));
  Reopen();

  std::unique_lock hold(faults_.hold_writes);
  uint64_t stored = 0;
  for (; stored < kObjects && cache_->stats().writes_skipped == 0; ++stored) {
    Store(*cache_, std::to_string(stored), content);
    ASSERT_LE(cache_->stats().disk_queue_bytes, limit + kOneWriteMax);
  }
  EXPECT_EQ(cache_->stats().writes_skipped, 1u);
  EXPECT_GT(cache_->stats().disk_queue_bytes, limit);
  for (uint64_t i = 0; i < 3; ++i) Store(*cache_, "old" + std::to_string(i), "new");
  EXPECT_EQ(cache_->stats().writes_skipped, 4u);
  EXPECT_EQ(cache_->stats().disk_objects, 0u);
  hold.unlock();
  ASSERT_TRUE(WaitForDisk(*cache_));

  EXPECT_EQ(cache_->stats().disk_objects, stored - 1);
  Reopen();
  EXPECT_EQ(cache_->stats().disk_objects, stored - 1);
  for (uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(cache_->Find(KeyOf("old" + std::to_string(i))).where, Where::kMiss);
  }
}

INSTANTIATE_TEST_SUITE_P(BodyBytes, SlowDiskCacheTest,
                         testing::Values(0, 1000, uint64_t{kSegmentBytes}),
                         testing::PrintToStringParamName());

TEST_F(DiskCacheTest, GoesOnServingALargeBodyWhenTheDiskFailsInItsMidst) {
  const std::string content = ContentOf(1, 20 << 20);
  const auto body = cache_->NewBody();
  cache_->Insert(MakeObject("a", body));
  LoopThread reading("reading");
  WholeReader reader(body, reading.loop());
  AppendAll(*body, loop_.loop(), content.substr(0, 10 << 20));
  faults_.write_error = ENOSPC;
  AppendAll(*body, loop_.loop(), content.substr(10 << 20));
  body->Complete();

  EXPECT_EQ(reader.Wait(), (ReadResult{content, What::kEnd}));
  EXPECT_GT(cache_->stats().write_errors, 0u);
  Reopen();
  EXPECT_EQ(cache_->Find(KeyOf("a")).where, Where::kMiss);
}

// ---- The limit ----

class FullDiskCacheTest : public DiskCacheTest {
 protected:
  FullDiskCacheTest() {
    options_.memory_bytes_max = 4 << 20;
    options_.disk_bytes_max = 64 << 20;
    Reopen();
  }
  // At the disk's pace: none is skipped.
  void StoreOnDisk(const std::string& name, std::string_view content) {
    Store(*cache_, name, content);
    ASSERT_TRUE(WaitForDisk(*cache_));
    ASSERT_EQ(cache_->stats().writes_skipped, 0u);
  }
  void StoreOnDisk(uint64_t begin, uint64_t end) {
    for (uint64_t i = begin; i < end; ++i) {
      ASSERT_NO_FATAL_FAILURE(StoreOnDisk(std::to_string(i), ContentOf(i, 150'000)));
    }
  }
  void StoreEmpty(const std::string& name, size_t head_bytes) {
    auto object = std::make_shared<Object>();
    object->key = KeyOf(name);
    object->head.fields = std::string(head_bytes, 'x');
    object->body = cache_->NewBody();
    cache_->Insert(object);
    object->body->Complete();
  }
  uint64_t BytesInSegmentFiles() const {
    uint64_t bytes = 0;
    for (const auto& file : SegmentFiles()) bytes += fs::file_size(file);
    return bytes;
  }
  // Of segments, records and all else. RocksDB may remove one of its files meanwhile.
  uint64_t BytesInFolder() const {
    uint64_t bytes = 0;
    for (const char* const folder : {"/segments", "/records"}) {
      for (const auto& entry : fs::directory_iterator(options_.directory + folder)) {
        std::error_code gone;
        const uint64_t size = entry.file_size(gone);
        if (!gone) bytes += size;
      }
    }
    return bytes;
  }
};

TEST_F(FullDiskCacheTest, StaysWithinTheLimitAndUsesIt) {
  for (uint64_t i = 0; i < 1000; ++i) {
    ASSERT_NO_FATAL_FAILURE(StoreOnDisk(i, i + 1));
    EXPECT_LE(cache_->stats().disk_bytes, options_.disk_bytes_max);
  }
  const Cache::Stats stats = cache_->stats();
  cache_.reset();

  EXPECT_LE(BytesInSegmentFiles(), options_.disk_bytes_max);
  EXPECT_GE(BytesInSegmentFiles(), options_.disk_bytes_max * 95 / 100);
  EXPECT_EQ(stats.disk_objects + stats.disk_evictions, 1000u);
  EXPECT_EQ(stats.disk_writes, 1000u);
}

TEST_F(FullDiskCacheTest, MakesRoomAtStartWhenTheLimitWasLowered) {
  StoreOnDisk(0, 300);
  options_.disk_bytes_max = 16 << 20;
  Reopen();

  EXPECT_TRUE(WaitUntil([&] { return cache_->stats().disk_bytes <= options_.disk_bytes_max; }));
  EXPECT_LE(BytesInSegmentFiles(), options_.disk_bytes_max);
}

TEST_F(FullDiskCacheTest, ReportsWhatIsReclaimedAndHoldsTheRestWhole) {
  StoreOnDisk(0, 800);
  Reopen();
  StoreOnDisk(800, 1000);
  Reopen();

  uint64_t held = 0;
  for (uint64_t i = 0; i < 1000; ++i) {
    const CacheKey key = KeyOf(std::to_string(i));
    const bool is_held = cache_->Find(key).where != Where::kMiss;
    ASSERT_NE(is_held, evicted().contains(key)) << i;
    if (!is_held) continue;
    ++held;
    EXPECT_EQ(ContentIn(*cache_, std::to_string(i)), Bytes(ContentOf(i, 150'000)));
  }
  EXPECT_GT(held, 350u);
  EXPECT_LT(held, 450u);
}

TEST_F(FullDiskCacheTest, KeepsWhatIsAskedForThroughReclaims) {
  StoreOnDisk("hot", ContentOf(77, 400'000));
  for (uint64_t i = 0; i < 1500; i += 100) {
    ASSERT_NO_FATAL_FAILURE(StoreOnDisk(i, i + 100));
    ASSERT_EQ(ContentIn(*cache_, "hot"), Bytes(ContentOf(77, 400'000))) << i;
  }
  Reopen();

  EXPECT_EQ(ContentIn(*cache_, "hot"), Bytes(ContentOf(77, 400'000)));
}

TEST_F(FullDiskCacheTest, ServesReadersOfAnObjectWhoseFileIsReclaimed) {
  const std::string content = ContentOf(5, 8 << 20);
  StoreOnDisk("a", content);
  const auto files = SegmentFiles();
  const auto object = Get(*cache_, "a");
  std::unique_ptr<Body::Reader> reader;
  loop_.RunAndWait([&] { reader = object->body->NewReader(loop_.loop(), 0); });
  StoreOnDisk(0, 1000);
  for (const auto& file : files) EXPECT_FALSE(fs::exists(file));

  EXPECT_EQ(ReadWhole(object->body), (ReadResult{content, What::kEnd}));
  loop_.RunAndWait([&] { reader.reset(); });
}

TEST_F(FullDiskCacheTest, ReportsWhatIsReclaimedWhileItsReplacementFills) {
  StoreOnDisk("a", "old");
  Reopen();
  const auto replacement = cache_->NewBody();
  cache_->Insert(MakeObject("a", replacement));
  StoreOnDisk(0, 1000);
  EXPECT_TRUE(evicted().contains(KeyOf("a")));
  replacement->Abort("");

  EXPECT_EQ(cache_->Find(KeyOf("a")).where, Where::kMiss);
}

TEST_F(FullDiskCacheTest, FreesWhatEmptyBodiesTakeToo) {
  StoreOnDisk("empty", "");
  StoreOnDisk(0, 1000);

  EXPECT_EQ(cache_->Find(KeyOf("empty")).where, Where::kMiss);
}

// Nothing but records: a client that makes up URLs of empty answers fills the disk with these.
TEST_F(FullDiskCacheTest, StaysWithinTheLimitUnderAFloodOfEmptyBodies) {
  options_.disk_bytes_max = 16 << 20;
  Reopen();
  // The second time as they are after a start, which reads little of each.
  for (uint64_t round = 0; round < 2; ++round) {
    for (uint64_t i = 0; i < 45'000; ++i) {
      StoreEmpty(std::to_string(round) + "/" + std::to_string(i), 290);
      if (i % 500 != 0) continue;
      ASSERT_TRUE(WaitForDisk(*cache_));
      ASSERT_LE(BytesInFolder(), options_.disk_bytes_max) << i;
    }
    Reopen();
    EXPECT_LE(BytesInFolder(), options_.disk_bytes_max);
  }

  const Cache::Stats stats = cache_->stats();
  EXPECT_EQ(stats.write_errors + stats.writes_skipped, 0u);
  EXPECT_GT(stats.disk_objects, 20'000u);
}

TEST_F(FullDiskCacheTest, StaysWithinTheLimitUnderAFloodOfLargeHeads) {
  options_.disk_bytes_max = 16 << 20;
  Reopen();
  for (uint64_t i = 0; i < 6000; ++i) {
    StoreEmpty(std::to_string(i), 8000);
    if (i % 50 != 0) continue;
    ASSERT_TRUE(WaitForDisk(*cache_));
    ASSERT_LE(BytesInFolder(), options_.disk_bytes_max) << i;
  }

  EXPECT_EQ(cache_->stats().write_errors + cache_->stats().writes_skipped, 0u);
  EXPECT_GT(cache_->stats().disk_objects, 1'000u);
}

// ---- The folder ----

TEST_F(DiskCacheTest, IsNotOpenedTwice) {
  const auto second = Cache::Open(options_);

  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("another process"));
}

TEST_F(DiskCacheTest, IsEmptiedWhenItsFormatIsAnother) {
  Store(*cache_, "a", "content");
  cache_.reset();
  std::ofstream(options_.directory + "/FORMAT", std::ios::trunc) << "reef-cache 0\n";
  Reopen();

  EXPECT_EQ(cache_->Find(KeyOf("a")).where, Where::kMiss);
  EXPECT_TRUE(SegmentFiles().empty());
}

TEST_F(DiskCacheTest, TouchesNoFolderThatIsNotItsOwn) {
  const std::string foreign = folder_.path() + "/foreign";
  fs::create_directories(foreign + "/segments");
  options_.directory = foreign;
  const auto opened = Cache::Open(options_);

  ASSERT_FALSE(opened.ok());
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("folder of its own"));
  EXPECT_TRUE(fs::exists(foreign + "/segments"));
}

}  // namespace
}  // namespace reef::http
