// SPDX-License-Identifier: Apache-2.0
//
// The answer path does not allocate. operator new is replaced for this whole test program; inlined,
// the compiler would take new and free for a mismatch.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "dnsredir/core/responder.h"
#include "tests/dnsredir/support/message.h"
#include "tests/dnsredir/support/nodes.h"

namespace {
thread_local size_t allocation_count = 0;
}  // namespace

[[gnu::noinline]] void* operator new(size_t size) {
  ++allocation_count;
  void* const memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
// std::stable_sort asks this way.
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return operator new(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace reef::dns {
namespace {

TEST(Responder, AnswersWithoutAllocating) {
  ZoneOptions options;
  options.records = {{"@", kTxt, 300, TxtRdata(std::string(600, 'x'))},
                     {"site.nyud.net", kTxt, 300, TxtRdata("text")}};
  const std::vector<Zone> zones = {Zone::Make(options).value()};
  std::vector<dsht::NodeInfo> nodes;
  for (uint8_t i = 1; i <= 20; ++i) nodes.push_back(NodeAt("192.0.2." + std::to_string(i), i));
  const ProxyView view(Instant{}, nodes, nodes, nodes[0]);
  ResponderOptions responder_options;
  responder_options.nsid = "a1b2c3d4";
  responder_options.rate_limit = {.answers_per_second = 10, .slip = 1};  // some are beyond
  Responder responder(zones, Rng(1), responder_options);
  std::vector<std::string> queries;
  for (const uint16_t type : {kA, kAaaa, kNs, kSoa, kTxt, kAny, kAxfr, kOpt}) {
    for (const char* name : {"nyud.net", "www.example.com.nyud.net", "_x.nyud.net", "example.com",
                             "site.nyud.net", "ns-01010101.nyud.net"}) {
      QuerySpec query;
      query.name = name;
      query.type = type;
      query.edns = true;
      query.options = Option(kOptionClientSubnet, std::string("\0\1\x18\0\xc0\0\2", 7)) +
                      Option(kOptionCookie, "12345678") + Option(kOptionNsid, "");
      queries.push_back(query.Bytes());
    }
  }
  std::array<uint8_t, 2048> buffer;
  const size_t before = allocation_count;

  size_t answered = 0;
  for (const std::string& query : queries) {
    std::ranges::copy(query, buffer.begin());
    answered +=
        responder.Answer(Instant{}, {buffer.data(), query.size(), buffer.size(), Transport::kUdp},
                         view) > 0;
  }

  EXPECT_EQ(allocation_count, before);
  EXPECT_EQ(answered, queries.size());
}

}  // namespace
}  // namespace reef::dns
