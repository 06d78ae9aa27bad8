// SPDX-License-Identifier: Apache-2.0
//
// A hit on a kept connection does not allocate. operator new is replaced for this whole test
// program; inlined, the compiler would take new and free for a mismatch.
#include <atomic>
#include <cstdlib>
#include <new>
#include <string>

#include "tests/httpproxy/server/server_fixture.h"

namespace {
std::atomic<size_t> allocation_count = 0;  // of all threads
}  // namespace

[[gnu::noinline]] void* operator new(size_t size) {
  allocation_count.fetch_add(1, std::memory_order_relaxed);
  void* const memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return operator new(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace reef::http {
namespace {

class AllocationTest : public ServerTest {
 protected:
  // The allocations of a hundred answers to `request`, which has been answered a few times before.
  size_t CountOfHits(const std::string& request) {
    Start();
    TestClient client = Connect();
    size_t answer_bytes = 0;
    for (int i = 0; i < 10; ++i) {
      client.Send(request);
      const TestResponse response = client.Read();
      answer_bytes = response.head.size() + 2 + response.body.size();
    }
    std::string buffer(answer_bytes, '\0');
    const size_t before = allocation_count;
    for (int i = 0; i < 100; ++i) {
      client.Send(request);
      if (!client.ReadInto(buffer)) return SIZE_MAX;
    }
    return allocation_count - before;
  }
};

std::string Request(std::string_view target, std::string_view fields = {}) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: " + std::string(kHost) +
         "\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\n" +
         std::string(fields) + "\r\n";
}

TEST_F(AllocationTest, SmallHitNeedsNone) {
  Store("/small", std::string(1024, 'x'));

  EXPECT_EQ(CountOfHits(Request("/small")), 0u);
}

TEST_F(AllocationTest, HitOfASegmentNeedsNone) {
  Store("/segment", std::string(100'000, 'x'));

  EXPECT_EQ(CountOfHits(Request("/segment")), 0u);
}

TEST_F(AllocationTest, UnchangedAnswerNeedsNone) {
  Store("/a", "alpha", [](ObjectHead& head) { head.etag = "\"v1\""; });

  EXPECT_EQ(CountOfHits(Request("/a", "If-None-Match: \"v1\"\r\n")), 0u);
}

}  // namespace
}  // namespace reef::http
