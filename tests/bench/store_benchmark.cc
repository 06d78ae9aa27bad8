// SPDX-License-Identifier: Apache-2.0
//
// What the store costs: a hit, an object's memory, taking in bodies, reading back, a start with a
// million objects. Folders are made under $TMPDIR.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/rng.h"
#include "httpproxy/store/cache.h"
#include "httpproxy/store/disk/record_store.h"
#include "tests/httpproxy/store/support.h"
#include "tests/httpproxy/store/temp_folder.h"

namespace reef::http {
namespace {

std::string NameOf(uint64_t i) {
  return "http://example.org/assets/" + std::to_string(i) + ".js";
}

ObjectHead TypicalHead() {
  ObjectHead head;
  head.reason = "OK";
  head.fields =
      "Content-Type: application/javascript\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
      "Cache-Control: public, max-age=31536000\r\nServer: nginx\r\n"
      "Accept-Ranges: bytes\r\nVary: Accept-Encoding\r\n";
  head.etag = "\"5f3e9b2c-4d1a\"";
  head.last_modified = "Sun, 06 Nov 1994 08:49:37 GMT";
  head.vary = {{"accept-encoding", "gzip, deflate, br"}};
  return head;
}

void Put(Cache& cache, uint64_t i, std::string_view content) {
  auto object = std::make_shared<Object>();
  object->key = KeyOf(NameOf(i));
  object->head = TypicalHead();
  object->body = cache.NewBody();
  cache.Insert(object);
  object->body->Append(content);
  object->body->Complete();
}

// Find and the bytes of a 1 KiB hit, the keys made before: 10,000 objects at random.
void BM_Hit(benchmark::State& state) {
  static std::unique_ptr<Cache> cache;
  static std::vector<CacheKey> keys;
  if (state.thread_index() == 0) {
    cache = *Cache::Open({});
    keys.clear();
    for (uint64_t i = 0; i < 10'000; ++i) {
      Put(*cache, i, std::string(1024, 'x'));
      keys.push_back(KeyOf(NameOf(i)));
    }
  }
  Rng rng(static_cast<uint64_t>(state.thread_index()));
  for (auto _ : state) {
    const Cache::Found found = cache->Find(keys[rng.Below(10'000)]);
    benchmark::DoNotOptimize(found.object->body->WholeIfSmall());
  }
}
BENCHMARK(BM_Hit)->Threads(1)->Threads(2)->UseRealTime();

void BM_HitOfOneObject(benchmark::State& state) {
  static std::unique_ptr<Cache> cache;
  if (state.thread_index() == 0) {
    cache = *Cache::Open({});
    Put(*cache, 1, std::string(1024, 'x'));
  }
  const CacheKey key = KeyOf(NameOf(1));
  for (auto _ : state) {
    const Cache::Found found = cache->Find(key);
    benchmark::DoNotOptimize(found.object->body->WholeIfSmall());
  }
}
BENCHMARK(BM_HitOfOneObject)->Threads(1)->Threads(2)->UseRealTime();

void BM_Miss(benchmark::State& state) {
  auto cache = *Cache::Open({});
  for (uint64_t i = 0; i < 10'000; ++i) Put(*cache, i, "x");
  const CacheKey key = KeyOf("absent");
  for (auto _ : state) benchmark::DoNotOptimize(cache->Find(key));
}
BENCHMARK(BM_Miss);

// Heap bytes for 100,000 objects of 1 KiB, against what the cache counts.
void BM_MemoryOfObjects(benchmark::State& state) {
  constexpr uint64_t kCount = 100'000;
  for (auto _ : state) {
    Cache::Options options;
    options.memory_bytes_max = 1ull << 30;
    const size_t before = mallinfo2().uordblks;
    auto cache = *Cache::Open(options);
    for (uint64_t i = 0; i < kCount; ++i) Put(*cache, i, std::string(1024, 'x'));
    const auto used = static_cast<double>(mallinfo2().uordblks - before) / kCount;
    const auto counted = static_cast<double>(cache->stats().memory_bytes) / kCount;
    state.counters["heap_bytes"] = used;
    state.counters["counted_bytes"] = counted;
    state.counters["head_strings"] = static_cast<double>(TypicalHead().fields.size());
  }
}
BENCHMARK(BM_MemoryOfObjects)->Iterations(1)->Unit(benchmark::kMillisecond);

// Bodies of `range` bytes into a cache with a disk tier, until all are on disk.
void BM_Ingest(benchmark::State& state) {
  const auto size = static_cast<size_t>(state.range(0));
  const std::string content = ContentOf(1, size);
  const uint64_t count = std::min<uint64_t>(50'000, (512ull << 20) / size);
  for (auto _ : state) {
    TempFolder folder;
    Cache::Options options;
    options.directory = folder.path();
    auto cache = *Cache::Open(options);
    const Instant start = MonotonicNow();
    LoopThread room("room");
    for (uint64_t i = 0; i < count; ++i) {
      auto object = MakeObject(NameOf(i), cache->NewBody());
      cache->Insert(object);
      AppendAll(*object->body, room.loop(), content, 64 * 1024);
      object->body->Complete();
      if (i % 64 == 0) {
        REEF_CHECK(WaitForDisk(*cache, 32 << 20));
      }
    }
    REEF_CHECK(WaitForDisk(*cache));
    const double seconds = Seconds(MonotonicNow() - start);
    state.SetIterationTime(seconds);
    state.counters["MB/s"] = static_cast<double>(count * size) / 1e6 / seconds;
    state.counters["objects/s"] = static_cast<double>(count) / seconds;
    state.counters["skipped"] = static_cast<double>(cache->stats().writes_skipped);
  }
}
BENCHMARK(BM_Ingest)
    ->Arg(1024)
    ->Arg(64 * 1024)
    ->Arg(16 << 20)
    ->Iterations(1)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

// A reader through a 256 MiB body that memory holds 2 MiB of.
void BM_ReadBack(benchmark::State& state) {
  TempFolder folder;
  Cache::Options options;
  options.directory = folder.path();
  options.memory_bytes_max = 16 << 20;
  auto cache = *Cache::Open(options);
  const std::string content = ContentOf(1, 256 << 20);
  const auto object = Store(*cache, "large", content);
  for (auto _ : state) REEF_CHECK(ReadWhole(object->body).bytes.text.size() == content.size());
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * content.size()));
}
BENCHMARK(BM_ReadBack)->Iterations(3)->UseRealTime()->Unit(benchmark::kMillisecond);

// Loads of 1 KiB objects from disk, one at a time: thread hand-over, record, segment.
void BM_LoadFromDisk(benchmark::State& state) {
  TempFolder folder;
  Cache::Options options;
  options.directory = folder.path();
  {
    auto cache = *Cache::Open(options);
    for (uint64_t i = 0; i < 20'000; ++i) Put(*cache, i, ContentOf(i, 1024));
  }
  options.memory_bytes_max = 1 << 20;
  auto cache = *Cache::Open(options);
  LoopThread loop("loop");
  Rng rng(1);
  for (auto _ : state) {
    const CacheKey key = KeyOf(NameOf(rng.Below(20'000)));
    std::atomic<bool> done{false};
    cache->Load(key, loop.loop(), [&](std::shared_ptr<const Object>) { done = true; });
    while (!done) std::this_thread::yield();
  }
}
BENCHMARK(BM_LoadFromDisk)->UseRealTime();

// A start with a million objects of 100 bytes, records written as the store writes them.
void BM_StartWithAMillion(benchmark::State& state) {
  constexpr uint64_t kCount = 1'000'000;
  TempFolder folder;
  Cache::Options options;
  options.directory = folder.path();
  { auto cache = *Cache::Open(options); }
  {
    auto records = *RecordStore::Open(options.directory + "/records", 16 << 20);
    REEF_CHECK(records->AllowCompaction().ok());
    StoredObject object;
    object.head = TypicalHead();
    for (uint64_t i = 0; i < kCount; ++i) {
      object.key = KeyOf(NameOf(i));
      object.segments = {{static_cast<uint32_t>(1 + i / 400'000), i % 400'000 * 100, 100, i}};
      REEF_CHECK(records->Put(object).ok());
    }
    for (int i = 1; i <= 3; ++i) {
      const std::string path =
          options.directory + "/segments/000000000" + std::to_string(i) + ".seg";
      std::ofstream(path).put('x');
      std::filesystem::resize_file(path, 40'000'000);
    }
  }
  for (auto _ : state) {
    const size_t before = mallinfo2().uordblks;
    auto cache = *Cache::Open(options);
    state.PauseTiming();
    REEF_CHECK(cache->stats().disk_objects == kCount);
    state.counters["heap_bytes_per_object"] =
        static_cast<double>(mallinfo2().uordblks - before) / kCount;
    uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(options.directory + "/records")) {
      bytes += entry.file_size();
    }
    state.counters["record_bytes_per_object"] = static_cast<double>(bytes) / kCount;
    cache.reset();
    state.ResumeTiming();
  }
}
BENCHMARK(BM_StartWithAMillion)->Iterations(3)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace reef::http
