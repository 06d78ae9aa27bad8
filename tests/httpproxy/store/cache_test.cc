// SPDX-License-Identifier: Apache-2.0
//
// What cache.h promises, over a memory-only cache and one with a disk tier.
#include "httpproxy/store/cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

#include "tests/httpproxy/store/support.h"
#include "tests/httpproxy/store/temp_folder.h"

namespace reef::http {
namespace {

using testing::UnorderedElementsAre;
using What = Body::Chunk::What;
using Where = Cache::Found::Where;

class CacheTest : public testing::TestWithParam<std::string> {
 protected:
  CacheTest() {
    options_.memory_bytes_max = 16 << 20;
    options_.disk_bytes_max = 1 << 30;
    if (GetParam() == "disk") options_.directory = folder_.path() + "/cache";
    Open();
  }

  void Open() {
    cache_.reset();
    cache_ = *Cache::Open(options_);
    cache_->OnEvicted([this](const CacheKey& key) {
      const std::lock_guard lock(mutex_);
      evicted_.insert(key);
    });
  }
  bool has_disk() const { return !options_.directory.empty(); }
  std::set<CacheKey> evicted() {
    const std::lock_guard lock(mutex_);
    return evicted_;
  }

  TempFolder folder_;
  Cache::Options options_;
  std::mutex mutex_;
  std::set<CacheKey> evicted_;
  std::unique_ptr<Cache> cache_;
  LoopThread loop_{"loop"};
};

TEST_P(CacheTest, FindsNothingThatWasNotInserted) {
  EXPECT_EQ(cache_->Find(KeyOf("a")).where, Where::kMiss);
  EXPECT_EQ(LoadNow(*cache_, "a"), nullptr);
}

TEST_P(CacheTest, FindsAnObjectWhileItFills) {
  const auto body = cache_->NewBody();
  const auto object = MakeObject("a", body);
  cache_->Insert(object);
  body->Append("x");

  EXPECT_EQ(cache_->Find(KeyOf("a")).object, object);
  body->Complete();
  EXPECT_EQ(cache_->Find(KeyOf("a")).object, object);
}

TEST_P(CacheTest, ForgetsAnObjectThatAborts) {
  const auto body = cache_->NewBody();
  cache_->Insert(MakeObject("a", body));
  body->Append("x");
  body->Abort("gone");

  EXPECT_EQ(cache_->Find(KeyOf("a")).where, Where::kMiss);
}

TEST_P(CacheTest, ForgetsAnObjectThatHadAbortedBeforeItWasInserted) {
  const auto body = cache_->NewBody();
  body->Abort("gone");
  cache_->Insert(MakeObject("a", body));

  EXPECT_EQ(cache_->Find(KeyOf("a")).where, Where::kMiss);
}

TEST_P(CacheTest, ReplacesAnObjectByANewerOneOfTheSameKey) {
  Store(*cache_, "a", "old");
  Store(*cache_, "a", "new");

  EXPECT_EQ(ContentIn(*cache_, "a"), "new");
}

TEST_P(CacheTest, BringsBackTheWholeObjectWhenItsReplacementAborts) {
  Store(*cache_, "a", "whole");
  const auto body = cache_->NewBody();
  cache_->Insert(MakeObject("a", body));
  body->Append("par");
  EXPECT_EQ(Get(*cache_, "a")->body, body);
  body->Abort("gone");

  EXPECT_EQ(ContentIn(*cache_, "a"), "whole");
}

TEST_P(CacheTest, BringsBackTheWholeObjectWhenTwoReplacementsAbort) {
  Store(*cache_, "a", "whole");
  const auto first = cache_->NewBody();
  cache_->Insert(MakeObject("a", first));
  const auto second = cache_->NewBody();
  cache_->Insert(MakeObject("a", second));
  first->Abort("gone");
  EXPECT_EQ(Get(*cache_, "a")->body, second);
  second->Abort("gone");

  EXPECT_EQ(ContentIn(*cache_, "a"), "whole");
}

TEST_P(CacheTest, TakesANewHeadOverTheSameBody) {
  const auto old = Store(*cache_, "a", "content", "\"1\"");
  cache_->Insert(MakeObject("a", old->body, "\"2\""));

  EXPECT_EQ(Get(*cache_, "a")->head.etag, "\"2\"");
  EXPECT_EQ(ContentIn(*cache_, "a"), "content");
}

TEST_P(CacheTest, TakesANewHeadWhileTheBodyStillFills) {
  const auto body = cache_->NewBody();
  cache_->Insert(MakeObject("a", body, "\"1\""));
  body->Append("content");
  cache_->Insert(MakeObject("a", body, "\"2\""));
  body->Complete();

  EXPECT_EQ(Get(*cache_, "a")->head.etag, "\"2\"");
  EXPECT_EQ(ContentIn(*cache_, "a"), "content");
}

TEST_P(CacheTest, ForgetsWhatIsErasedAndSaysSo) {
  Store(*cache_, "a", "content");
  cache_->Erase(KeyOf("a"));

  EXPECT_EQ(cache_->Find(KeyOf("a")).where, Where::kMiss);
  EXPECT_THAT(evicted(), UnorderedElementsAre(KeyOf("a")));
}

TEST_P(CacheTest, LetsTheReadersOfAnErasedObjectThatFillsGoOn) {
  const std::string content = ContentOf(1, 40 * kSegmentBytes);
  const auto body = cache_->NewBody();
  cache_->Insert(MakeObject("a", body));
  WholeReader reader(body, loop_.loop());
  AppendAll(*body, loop_.loop(), content.substr(0, 1'000'000));
  cache_->Erase(KeyOf("a"));
  AppendAll(*body, loop_.loop(), content.substr(1'000'000));
  body->Complete();

  EXPECT_EQ(reader.Wait(), (ReadResult{content, What::kEnd}));
  EXPECT_EQ(cache_->Find(KeyOf("a")).where, Where::kMiss);
}

TEST_P(CacheTest, ListsTheKeysOfWholeObjectsOnly) {
  Store(*cache_, "a", "1");
  Store(*cache_, "b", "2");
  const auto filling = cache_->NewBody();
  cache_->Insert(MakeObject("c", filling));
  const auto refresh = cache_->NewBody();
  cache_->Insert(MakeObject("b", refresh));

  std::vector<CacheKey> keys;
  cache_->ForEachKey([&](const CacheKey& key) { keys.push_back(key); });
  EXPECT_THAT(keys, UnorderedElementsAre(KeyOf("a"), KeyOf("b")));
  filling->Abort("");
  refresh->Abort("");
}

TEST_P(CacheTest, KeepsItsMemoryWithinTheLimit) {
  for (int i = 0; i < 3000; ++i) {
    Store(*cache_, std::to_string(i), ContentOf(static_cast<uint64_t>(i), 10'000));
  }
  ASSERT_TRUE(WaitForDisk(*cache_));

  const Cache::Stats stats = cache_->stats();
  EXPECT_LE(stats.memory_bytes, options_.memory_bytes_max);
  EXPECT_GT(stats.memory_bytes, options_.memory_bytes_max * 99 / 100);
  EXPECT_EQ(stats.memory_objects + stats.memory_evictions, 3000u);
}

TEST_P(CacheTest, ReportsWhatLeftBothTiersAndNothingElse) {
  std::set<CacheKey> missing;
  for (int i = 0; i < 2500; ++i) {
    Store(*cache_, std::to_string(i), std::string(10'000, 'x'));
    ASSERT_TRUE(WaitForDisk(*cache_));
  }
  for (int i = 0; i < 2500; ++i) {
    const CacheKey key = KeyOf(std::to_string(i));
    if (cache_->Find(key).where == Where::kMiss) missing.insert(key);
  }

  EXPECT_EQ(evicted(), missing);
  EXPECT_EQ(missing.empty(), has_disk());
}

TEST_P(CacheTest, KeepsWhatIsAskedForThroughAScan) {
  Store(*cache_, "hot", "hot");
  for (int i = 0; i < 3; ++i) cache_->Find(KeyOf("hot"));
  for (int i = 0; i < 3000; ++i) Store(*cache_, std::to_string(i), std::string(10'000, 'x'));

  EXPECT_EQ(cache_->Find(KeyOf("hot")).where, Where::kMemory);
}

TEST_P(CacheTest, DoesNotTakeAnObjectFromItsReaderWhenItIsEvicted) {
  const std::string content = ContentOf(7, 100'000);
  const auto object = Store(*cache_, "a", content);
  ASSERT_TRUE(WaitForDisk(*cache_));  // what is on its way there is not evicted
  for (int i = 0; i < 3000; ++i) Store(*cache_, std::to_string(i), std::string(10'000, 'x'));

  EXPECT_NE(cache_->Find(KeyOf("a")).object, object);
  EXPECT_EQ(object->body->WholeIfSmall(), content);
}

TEST_P(CacheTest, CountsAnObjectAsItGrows) {
  const uint64_t before = cache_->stats().memory_bytes;
  const auto body = cache_->NewBody();
  cache_->Insert(MakeObject("a", body));
  for (int i = 0; i < 4; ++i) body->Append(std::string(kSegmentBytes, 'x'));

  const uint64_t grown = cache_->stats().memory_bytes - before;
  EXPECT_GE(grown, 4 * kSegmentBytes);
  EXPECT_LE(grown, 4 * kSegmentBytes + 2000);
  body->Abort("");
  EXPECT_EQ(cache_->stats().memory_bytes, before);
}

TEST_P(CacheTest, ChargesASmallObjectItsSizeAndABoundedOverhead) {
  const auto body = cache_->NewBody();
  cache_->Insert(MakeObject("a", body));
  for (int i = 0; i < 10; ++i) body->Append(std::string(100, 'x'));
  body->Complete();

  EXPECT_LE(cache_->stats().memory_bytes, 1000 + 800u);
}

TEST_P(CacheTest, OutlivedByItsObjectsLeavesThemReadable) {
  const std::string content = ContentOf(3, 3 * kSegmentBytes);
  const auto small = Store(*cache_, "small", "small");
  const auto large = Store(*cache_, "large", content);
  const auto filling = cache_->NewBody();
  cache_->Insert(MakeObject("filling", filling));
  cache_.reset();

  EXPECT_EQ(ReadWhole(small->body), (ReadResult{"small", What::kEnd}));
  EXPECT_EQ(ReadWhole(large->body), (ReadResult{content, What::kEnd}));
  filling->Append("on");
  filling->Complete();
  EXPECT_EQ(ReadWhole(filling), (ReadResult{"on", What::kEnd}));
}

TEST_P(CacheTest, ServesFindsInsertsAndErasesOfManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Rng rng(t);
      for (int i = 0; i < 1500; ++i) {
        const std::string name = std::to_string(rng.Below(50));
        const auto found = cache_->Find(KeyOf(name));
        const auto whole = found.object ? found.object->body->WholeIfSmall() : std::nullopt;
        if (whole && !whole->starts_with(name + ":")) ++wrong;
        if (rng.Chance(0.1)) cache_->Erase(KeyOf(name));
        if (rng.Chance(0.5)) {
          const auto body = cache_->NewBody();
          cache_->Insert(MakeObject(name, body));
          body->Append(name + ":");
          body->Append(std::string(rng.Below(30'000), 'x'));
          rng.Chance(0.1) ? body->Abort("chance") : body->Complete();
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();

  EXPECT_EQ(wrong, 0);
}

INSTANTIATE_TEST_SUITE_P(Tiers, CacheTest, testing::Values("memory", "disk"),
                         [](const auto& each) { return each.param; });

// ---- Memory only ----

class MemoryCacheTest : public testing::Test {
 protected:
  MemoryCacheTest() {
    options_.memory_bytes_max = 8 << 20;
    cache_ = *Cache::Open(options_);
  }
  Cache::Options options_;
  std::unique_ptr<Cache> cache_;
  LoopThread loop_{"loop"};
};

TEST_F(MemoryCacheTest, PassesThroughWhatIsTooLargeToKeep) {
  const std::string content = ContentOf(5, 6 << 20);
  const auto body = cache_->NewBody();
  cache_->Insert(MakeObject("large", body));
  WholeReader reader(body, loop_.loop());
  AppendAll(*body, loop_.loop(), content);
  body->Complete();

  EXPECT_EQ(reader.Wait(), (ReadResult{content, What::kEnd}));
  EXPECT_EQ(cache_->Find(KeyOf("large")).where, Where::kMiss);
  EXPECT_LE(cache_->stats().memory_bytes, 8u << 20);
}

TEST_F(MemoryCacheTest, DoesNotOfferWhatIsAnnouncedTooLarge) {
  auto object = std::make_shared<Object>();
  object->key = KeyOf("large");
  object->head.content_length = 3 << 20;
  object->body = cache_->NewBody();
  cache_->Insert(object);

  EXPECT_EQ(cache_->Find(KeyOf("large")).where, Where::kMiss);
  object->body->Abort("");
}

TEST_F(MemoryCacheTest, DoesNotOfferAgainWhatPassesThroughAlready) {
  const auto body = cache_->NewBody();
  cache_->Insert(MakeObject("large", body));
  WholeReader reader(body, loop_.loop());
  AppendAll(*body, loop_.loop(), ContentOf(5, 6 << 20));
  cache_->Insert(MakeObject("large", body, "\"a new head\""));

  EXPECT_EQ(cache_->Find(KeyOf("large")).where, Where::kMiss);
  body->Complete();
  EXPECT_EQ(reader.Wait().end, What::kEnd);
}

TEST_F(MemoryCacheTest, WaitsForTheFirstReaderOfWhatIsTooLarge) {
  const std::string content = ContentOf(5, 6 << 20);
  const auto body = cache_->NewBody();
  cache_->Insert(MakeObject("large", body));
  size_t appended = 0;
  while (body->Append(std::string_view(content).substr(appended, kSegmentBytes))) {
    appended += kSegmentBytes;
    ASSERT_LT(appended, content.size());
  }
  WholeReader late(body, loop_.loop());
  LoopThread room("room");
  AppendAll(*body, room.loop(), std::string_view(content).substr(appended + kSegmentBytes));
  body->Complete();

  EXPECT_EQ(late.Wait(), (ReadResult{content, What::kEnd}));
}

TEST_F(MemoryCacheTest, AbortsWhatIsTooLargeOnceItsLastReaderHasLeft) {
  const auto body = cache_->NewBody();
  cache_->Insert(MakeObject("large", body));
  loop_.RunAndWait([&] { body->NewReader(loop_.loop(), 0); });
  int pieces = 0;
  while (body->Append(std::string(kSegmentBytes, 'x'))) ASSERT_LT(++pieces, 100);

  EXPECT_EQ(body->state(), Body::State::kAborted);
  std::promise<void> room;  // so that the writer looks at the state instead of waiting
  body->WhenRoom(loop_.loop(), [&] { room.set_value(); });
  room.get_future().get();
}

TEST_F(MemoryCacheTest, AbortsWhatIsTooLargeWhenItsLastReaderLeavesWhileTheWriterIsPaused) {
  const auto body = cache_->NewBody();
  cache_->Insert(MakeObject("large", body));
  std::unique_ptr<Body::Reader> first, last;
  loop_.RunAndWait([&] {
    first = body->NewReader(loop_.loop(), 0);
    last = body->NewReader(loop_.loop(), 0);
  });
  int pieces = 0;
  while (body->Append(std::string(kSegmentBytes, 'x'))) ASSERT_LT(++pieces, 100);
  int woken = 0;
  body->WhenRoom(loop_.loop(), [&] { ++woken; });

  loop_.RunAndWait([&] { first.reset(); });
  loop_.RunAndWait([&] {
    EXPECT_EQ(woken, 0);  // somebody still reads it
    last.reset();
  });
  loop_.RunAndWait([&] { ASSERT_EQ(woken, 1); });
  EXPECT_EQ(body->state(), Body::State::kFilling);
  EXPECT_FALSE(body->Append("x"));
  EXPECT_EQ(body->state(), Body::State::kAborted);
}

TEST_F(MemoryCacheTest, StaysWithinItsLimitWhenAllOfItFills) {
  std::vector<std::shared_ptr<Body>> bodies;
  for (int i = 0; i < 30; ++i) {
    bodies.push_back(cache_->NewBody());
    cache_->Insert(MakeObject(std::to_string(i), bodies.back()));
  }
  for (int step = 0; step < 6; ++step) {
    for (const auto& body : bodies) {
      if (body->state() == Body::State::kFilling) body->Append(std::string(100'000, 'x'));
    }
    EXPECT_LE(cache_->stats().memory_bytes, options_.memory_bytes_max);
  }
  for (const auto& body : bodies) {
    if (body->state() == Body::State::kFilling) body->Abort("");
  }
}

}  // namespace
}  // namespace reef::http
