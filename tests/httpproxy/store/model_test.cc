// SPDX-License-Identifier: Apache-2.0
//
// Random operations on a cache with a disk tier, restarts included, against a map that says what
// must be found. Both tiers are small enough that objects come and go between them, and leave: what
// is missing must have been reported, what was reported must be missing.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "httpproxy/store/cache.h"
#include "tests/httpproxy/store/support.h"
#include "tests/httpproxy/store/temp_folder.h"

namespace reef::http {
namespace {

constexpr uint64_t kNames = 400;

// Of each seed.
int Steps() {
  return CountFrom("REEF_MODEL_STEPS", 6000);
}

struct Expected {
  std::string content;
  std::string etag;
};

class ModelTest : public testing::TestWithParam<uint64_t> {
 protected:
  ModelTest() {
    options_.directory = folder_.path() + "/cache";
    options_.memory_bytes_max = 4 << 20;
    options_.disk_bytes_max = 10 << 20;
    Open();
  }

  void Open() {
    cache_.reset();
    auto cache = Cache::Open(options_);
    ASSERT_TRUE(cache.ok()) << cache.status();
    cache_ = std::move(*cache);
    cache_->OnEvicted([this](const CacheKey& key) {
      const std::lock_guard lock(mutex_);
      reported_.insert(key);
    });
  }

  // What was on disk is there again, but for what a start makes room with.
  void Restart() {
    ASSERT_TRUE(WaitForDisk(*cache_));
    const uint64_t on_disk = cache_->stats().disk_objects;
    ASSERT_NO_FATAL_FAILURE(Open());
    std::set<CacheKey> listed;
    cache_->ForEachKey([&](const CacheKey& key) { listed.insert(key); });
    ASSERT_EQ(listed.size() + cache_->stats().disk_evictions, on_disk);
    std::erase_if(expected_,
                  [&](const auto& entry) { return !listed.contains(KeyOf(entry.first)); });
  }

  std::string AnyName() { return std::to_string(rng_.Below(kNames)); }
  std::string AnyContent() {
    const uint64_t size = rng_.Chance(0.02)  ? rng_.Below(3 * kSegmentBytes)
                          : rng_.Chance(0.1) ? rng_.Below(200'000)
                                             : rng_.Below(3'000);
    return ContentOf(rng_.Next(), size);
  }

  void ForgetReport(const std::string& name) {
    const std::lock_guard lock(mutex_);
    reported_.erase(KeyOf(name));
  }
  bool IsReported(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return reported_.contains(KeyOf(name));
  }
  void Put(const std::string& name) {
    const Expected object{AnyContent(), std::to_string(rng_.Next())};
    ASSERT_TRUE(WaitForDisk(*cache_));  // none is skipped, and no report is under way
    ForgetReport(name);
    Store(*cache_, name, object.content, object.etag);
    expected_[name] = object;
    if (object.content.size() <= kSegmentBytes) return;
    // While it filled, the older version may have left, and that was reported.
    ASSERT_TRUE(WaitForDisk(*cache_));
    if (cache_->Find(KeyOf(name)).where != Cache::Found::Where::kMiss) ForgetReport(name);
  }
  void PutAndAbort(const std::string& name) {
    const auto body = cache_->NewBody();
    cache_->Insert(MakeObject(name, body));
    body->Append(AnyContent().substr(0, kSegmentBytes));
    body->Abort("chance");
  }
  void PutNewHead(const std::string& name) {
    const auto held = Find(name);
    if (held == nullptr) return;
    const std::string etag = std::to_string(rng_.Next());
    cache_->Insert(MakeObject(name, held->body, etag));
    expected_[name].etag = etag;
  }
  void Erase(const std::string& name) {
    cache_->Erase(KeyOf(name));
    expected_.erase(name);
    EXPECT_EQ(Find(name), nullptr);
  }

  std::shared_ptr<const Object> Find(const std::string& name) {
    const Cache::Found found = cache_->Find(KeyOf(name));
    if (found.where != Cache::Found::Where::kDisk) return found.object;
    std::promise<std::shared_ptr<const Object>> loaded;
    cache_->Load(KeyOf(name), loop_.loop(),
                 [&](std::shared_ptr<const Object> object) { loaded.set_value(object); });
    return loaded.get_future().get();
  }
  std::string Read(const Object& object) {
    if (const auto whole = object.body->WholeIfSmall()) return std::string(*whole);
    WholeReader reader(object.body, loop_.loop());
    return reader.Wait().bytes.text;
  }
  void Check(const std::string& name) {
    const auto held = Find(name);
    const auto wanted = expected_.find(name);
    if (held == nullptr) {
      if (wanted == expected_.end()) return;
      ASSERT_TRUE(WaitForDisk(*cache_));  // the writer reports after it has removed
      ASSERT_TRUE(IsReported(name)) << name << " left unreported";
      expected_.erase(wanted);
      return;
    }
    ASSERT_NE(wanted, expected_.end()) << name << " is not to be there";
    ASSERT_FALSE(IsReported(name)) << name << " was said to have left";
    ASSERT_EQ(held->head.etag, wanted->second.etag) << name;
    ASSERT_EQ(Bytes(Read(*held)), Bytes(wanted->second.content)) << name;
  }
  void Step() {
    const std::string name = AnyName();
    const uint64_t choice = rng_.Below(10'000);
    if (choice < 3000) {
      Put(name);
    } else if (choice < 4000) {
      PutAndAbort(name);
    } else if (choice < 5000) {
      PutNewHead(name);
    } else if (choice < 6000) {
      Erase(name);
    } else if (choice < 6005) {
      Restart();
    } else {
      Check(name);
    }
  }

  TempFolder folder_;
  Cache::Options options_;
  std::mutex mutex_;
  std::set<CacheKey> reported_;  // guarded by mutex_
  LoopThread loop_{"loop"};
  std::unique_ptr<Cache> cache_;
  Rng rng_{GetParam()};
  std::map<std::string, Expected> expected_;
};

TEST_P(ModelTest, FindsWhatTheModelSays) {
  for (int step = 0; step < Steps(); ++step) {
    ASSERT_NO_FATAL_FAILURE(Step()) << "seed " << GetParam() << " step " << step;
    ASSERT_EQ(cache_->stats().writes_skipped, 0u);
  }
  Restart();
  for (uint64_t i = 0; i < kNames; ++i) ASSERT_NO_FATAL_FAILURE(Check(std::to_string(i)));
  EXPECT_EQ(cache_->stats().disk_objects, expected_.size());
  EXPECT_EQ(cache_->stats().damaged_dropped, 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ModelTest, testing::Values(1, 2, 3));

}  // namespace
}  // namespace reef::http
