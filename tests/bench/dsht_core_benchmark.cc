// SPDX-License-Identifier: Apache-2.0
//
// What one node of the index costs without I/O, in a network of 10,000: answering each of the
// common queries, looking into the routing table, translating a message to the wire and back, and
// the memory of a node and of what it stores. Measured results: docs/performance.md.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"
#include "base/rng.h"
#include "dsht/core/node.h"
#include "dsht/core/routing_table.h"
#include "dsht/rpc/codec.h"

namespace reef::dsht {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart = Instant(1h);
constexpr Duration kStep = 1us;  // between two messages
constexpr size_t kNetwork = 10'000;
constexpr size_t kKeys = 10'000;
constexpr size_t kValuesPerKey = 4;

Id RandomId(Rng& rng) {
  Id id;
  for (uint8_t& byte : id.bytes) byte = static_cast<uint8_t>(rng.Below(256));
  return id;
}

Endpoint EndpointAt(uint64_t i, uint16_t port) {
  return {IpAddress::V4({10, static_cast<uint8_t>(i >> 16), static_cast<uint8_t>(i >> 8),
                         static_cast<uint8_t>(i)}),
          port};
}

std::vector<Peer> Network() {
  Rng rng(1);
  std::vector<Peer> peers;
  for (size_t i = 0; i < kNetwork; ++i) {
    peers.push_back({.id = RandomId(rng),
                     .rpc = EndpointAt(i, 8400),
                     .http = EndpointAt(i, 8090),
                     .dns = EndpointAt(i, 53)});
  }
  return peers;
}

// Bounds on the rate of one sender and on what is kept are judged, as in a node, but never reached:
// one sender asks here more in a second than a hundred nodes would.
Options Unbounded() {
  Options options;
  options.source_rate = 1'000'000'000;
  options.source_burst = 1'000'000'000;
  options.values_per_source_max = 1 << 30;
  options.leases_per_source_max = 1 << 30;
  return options;
}

// Peer 0 of the network, who knows of the others what its table has room for.
class Asked {
 public:
  explicit Asked(Options options = Unbounded())
      : network_(Network()), node_(network_[0], options, Rng(2)) {
    for (size_t i = 1; i < kNetwork; ++i) node_.Acquaint(kStart, network_[i], 50ms);
    // A known peer asks: who is not known is pinged, once.
    const NodeId asker = node_.Peers(kStart, 0).back().id;
    const auto at = std::ranges::find(network_, asker, &Peer::id);
    REEF_CHECK(at != network_.end());
    asker_ = *at;
  }

  const Node& node() const { return node_; }
  const Peer& asker() const { return asker_; }
  const Peer& peer(size_t i) const { return network_[i]; }

  Message From(const Peer& sender, Body body) const {
    Message message;
    message.header.sender = sender;
    message.from = sender.rpc.address;
    message.body = std::move(body);
    return message;
  }

  // The one answer; it stays until the next question.
  const Body& Ask(const Message& message) {
    out_.Clear();
    now_ += kStep;
    node_.OnMessage(now_, message, out_);
    return out_.answers.front().message.body;
  }

  // A key to which no peer is closer than this node.
  Key OwnKey(Rng& rng) const {
    Key key = RandomId(rng);
    std::copy_n(network_[0].id.bytes.begin(), 8, key.bytes.begin());
    return key;
  }

  void Store(const Key& key, size_t values) {
    for (size_t i = 1; i <= values; ++i) {
      const Value value = {.publisher = network_[i].id,
                           .bytes = network_[i].http.ToString(),
                           .ttl = Duration(12h),
                           .complete = true};
      const Body& reply = Ask(From(network_[i], StoreQuery{key, value}));
      REEF_CHECK(std::get<StoreReply>(reply).outcome == StoreOutcome::kStored);
    }
  }

 private:
  const std::vector<Peer> network_;
  Node node_;
  Peer asker_;
  Instant now_ = kStart;
  Outbox out_;
};

std::vector<Key> RandomKeys(size_t count, uint64_t seed) {
  Rng rng(seed);
  std::vector<Key> keys(count);
  for (Key& key : keys) key = RandomId(rng);
  return keys;
}

void AnswerGet(benchmark::State& state, bool hit) {
  Asked asked;
  const std::vector<Key> stored = RandomKeys(kKeys, 3);
  for (const Key& key : stored) asked.Store(key, kValuesPerKey);
  const std::vector<Key> wanted = hit ? stored : RandomKeys(kKeys, 4);
  Message message = asked.From(asked.asker(), GetQuery{});
  auto& query = std::get<GetQuery>(message.body);
  query.next_target = wanted[1];
  Rng rng(5);
  for (auto _ : state) {
    query.key = wanted[rng.Below(kKeys)];
    const auto& reply = std::get<GetReply>(asked.Ask(message));
    REEF_CHECK(reply.values.empty() != hit);
  }
  const auto& reply = std::get<GetReply>(asked.Ask(message));
  state.counters["values"] = static_cast<double>(reply.values.size());
  state.counters["peers"] = static_cast<double>(reply.peers.size());
}
BENCHMARK_CAPTURE(AnswerGet, hit, true);
BENCHMARK_CAPTURE(AnswerGet, miss, false);

void AnswerFind(benchmark::State& state) {
  Asked asked;
  const std::vector<Key> targets = RandomKeys(kKeys, 3);
  Message message = asked.From(asked.asker(), FindQuery{});
  Rng rng(5);
  for (auto _ : state) {
    std::get<FindQuery>(message.body).target = targets[rng.Below(kKeys)];
    benchmark::DoNotOptimize(asked.Ask(message));
  }
}
BENCHMARK(AnswerFind);

// What a put costs the node that takes the value: the status query and the store.
void Put(benchmark::State& state, Asked& asked, const std::vector<Key>& keys) {
  const Peer& publisher = asked.peer(1);
  Message status = asked.From(publisher, StatusQuery{});
  Message store = asked.From(publisher, StoreQuery{});
  auto& query = std::get<StoreQuery>(store.body);
  query.value = {.publisher = publisher.id,
                 .bytes = publisher.http.ToString(),
                 .ttl = Duration(12h),
                 .complete = true};
  size_t i = 0;
  for (auto _ : state) {
    query.key = keys[i++ % keys.size()];
    std::get<StatusQuery>(status.body).key = query.key;
    benchmark::DoNotOptimize(asked.Ask(status));
    const auto& reply = std::get<StoreReply>(asked.Ask(store));
    REEF_CHECK(reply.outcome == StoreOutcome::kStored);
  }
}

void AnswerPutNew(benchmark::State& state) {
  Asked asked;
  Put(state, asked, RandomKeys(state.max_iterations, 3));
}
BENCHMARK(AnswerPutNew)->Iterations(100'000);

void AnswerPutRefresh(benchmark::State& state) {
  Asked asked;
  const std::vector<Key> keys = RandomKeys(kKeys, 3);
  for (const Key& key : keys) asked.Store(key, kValuesPerKey);
  Put(state, asked, keys);
}
BENCHMARK(AnswerPutRefresh);

ClaimQuery ClaimBy(const Peer& claimant, const Key& key, uint64_t counter) {
  return {.key = key,
          .next_target = key,
          .attempt = {claimant.id, counter},
          .claimant = claimant.rpc,
          .value = claimant.http.ToString()};
}

ClaimVerdict VerdictOf(const Body& body) {
  return std::get<ClaimReply>(body).verdict;
}

// The grant, and the release that makes room for the next one.
void AnswerClaimGrantAndRelease(benchmark::State& state) {
  Asked asked;
  Rng rng(5);
  std::vector<Key> keys(kKeys);
  for (Key& key : keys) key = asked.OwnKey(rng);
  Message claim = asked.From(asked.asker(), ClaimBy(asked.asker(), keys[0], 0));
  Message release = asked.From(asked.asker(), ReleaseQuery{.attempt = {asked.asker().id, 0}});
  auto& query = std::get<ClaimQuery>(claim.body);
  auto& end = std::get<ReleaseQuery>(release.body);
  for (auto _ : state) {
    query.key = end.key = keys[query.attempt.counter % kKeys];
    end.attempt.counter = ++query.attempt.counter;
    REEF_CHECK(VerdictOf(asked.Ask(claim)) == ClaimVerdict::kFirst);
    benchmark::DoNotOptimize(asked.Ask(release));
  }
}
BENCHMARK(AnswerClaimGrantAndRelease);

// Against a leader that has just been granted it, or against finished copies.
void AnswerClaimHeld(benchmark::State& state, bool by_leader) {
  Asked asked;
  Rng rng(5);
  std::vector<Key> keys(kKeys);
  for (Key& key : keys) {
    key = asked.OwnKey(rng);
    if (by_leader) {
      const Message first = asked.From(asked.peer(1), ClaimBy(asked.peer(1), key, 1));
      REEF_CHECK(VerdictOf(asked.Ask(first)) == ClaimVerdict::kFirst);
    } else {
      asked.Store(key, kValuesPerKey);
    }
  }
  Message claim = asked.From(asked.asker(), ClaimBy(asked.asker(), keys[0], 1));
  auto& query = std::get<ClaimQuery>(claim.body);
  for (auto _ : state) {
    query.key = keys[query.attempt.counter++ % kKeys];
    REEF_CHECK(VerdictOf(asked.Ask(claim)) == ClaimVerdict::kHeld);
  }
}
BENCHMARK_CAPTURE(AnswerClaimHeld, by_leader, true);
BENCHMARK_CAPTURE(AnswerClaimHeld, by_copies, false);

void Nearest(benchmark::State& state) {
  const std::vector<Peer> network = Network();
  RoutingTable table(network[0].id, Options().bucket_size, 0);
  for (size_t i = 1; i < kNetwork; ++i) table.Answered(kStart, network[i], 50ms);
  const std::vector<Key> targets = RandomKeys(kKeys, 3);
  Rng rng(5);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        table.Nearest(targets[rng.Below(kKeys)], static_cast<size_t>(state.range(0)), true));
  }
  state.counters["table"] = static_cast<double>(table.size());
}
BENCHMARK(Nearest)->Arg(4)->Arg(8);

// ---- The wire -----------------------------------------------------------------------------------

Message TypicalGetReply() {
  const std::vector<Peer> network = Network();
  GetReply reply;
  for (size_t i = 1; i <= kValuesPerKey; ++i) {
    reply.values.push_back({.publisher = network[i].id,
                            .bytes = network[i].http.ToString(),
                            .ttl = Duration(12h),
                            .complete = true});
  }
  reply.peers.assign(network.begin() + 10, network.begin() + 18);
  Message message;
  message.header.sender = network[0];
  message.body = std::move(reply);
  return message;
}

Message TypicalGetQuery() {
  const std::vector<Peer> network = Network();
  Message message;
  message.header.sender = network[0];
  message.body = GetQuery{.key = network[1].id, .next_target = network[2].id};
  return message;
}

// To the bytes that gRPC frames.
void EncodeToBytes(benchmark::State& state, const Message& message) {
  std::string bytes;
  for (auto _ : state) {
    Encode(message).SerializeToString(&bytes);
    benchmark::DoNotOptimize(bytes);
  }
  state.counters["bytes"] = static_cast<double>(bytes.size());
}
BENCHMARK_CAPTURE(EncodeToBytes, get_query, TypicalGetQuery());
BENCHMARK_CAPTURE(EncodeToBytes, get_reply_4_values_8_peers, TypicalGetReply());

void DecodeFromBytes(benchmark::State& state, const Message& message) {
  const std::string bytes = Encode(message).SerializeAsString();
  for (auto _ : state) {
    v1::Envelope envelope;
    REEF_CHECK(envelope.ParseFromString(bytes));
    const std::variant<Message, DecodeError> decoded = Decode(envelope);
    REEF_CHECK(std::holds_alternative<Message>(decoded));
  }
}
BENCHMARK_CAPTURE(DecodeFromBytes, get_query, TypicalGetQuery());
BENCHMARK_CAPTURE(DecodeFromBytes, get_reply_4_values_8_peers, TypicalGetReply());

// ---- Memory -------------------------------------------------------------------------------------

size_t HeapBytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// Of a node that has just started, and with the table that a network of 10,000 gives it.
void MemoryOfNode(benchmark::State& state, bool full_table) {
  constexpr size_t kNodes = 100;
  const std::vector<Peer> network = Network();
  for (auto _ : state) {
    std::vector<Node> nodes;
    nodes.reserve(kNodes);
    const size_t before = HeapBytes();
    size_t peers = 0;
    for (size_t i = 0; i < kNodes; ++i) {
      Node& node = nodes.emplace_back(network[i], Options(), Rng(i));
      for (size_t p = 0; full_table && p < kNetwork; ++p) {
        if (p != i) node.Acquaint(kStart, network[p], 50ms);
      }
      peers += node.gauges().peers;
    }
    state.counters["bytes_a_node"] = static_cast<double>(HeapBytes() - before) / kNodes;
    state.counters["peers"] = static_cast<double>(peers) / kNodes;
  }
}
BENCHMARK_CAPTURE(MemoryOfNode, started, false)->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(MemoryOfNode, full_table, true)->Iterations(1)->Unit(benchmark::kMillisecond);

// Heap bytes of a stored value, against what the node counts against its bound.
void MemoryOfEntries(benchmark::State& state) {
  constexpr size_t kCount = 25'000;
  const auto values = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    Asked asked;
    const std::vector<Key> keys = RandomKeys(kCount, 3);
    const size_t before = HeapBytes();
    for (const Key& key : keys) asked.Store(key, values);
    const auto used = static_cast<double>(HeapBytes() - before);
    const auto counted = static_cast<double>(asked.node().gauges().stored_bytes);
    state.counters["bytes_a_key"] = used / kCount;
    state.counters["bytes_a_value"] = used / static_cast<double>(kCount * values);
    state.counters["counted_a_value"] = counted / static_cast<double>(kCount * values);
  }
}
BENCHMARK(MemoryOfEntries)->Arg(1)->Arg(4)->Iterations(1)->Unit(benchmark::kMillisecond);

void MemoryOfLeases(benchmark::State& state) {
  constexpr size_t kCount = 25'000;
  for (auto _ : state) {
    Asked asked;
    Rng rng(3);
    const size_t before = HeapBytes();
    for (size_t i = 0; i < kCount; ++i) {
      const Message claim =
          asked.From(asked.asker(), ClaimBy(asked.asker(), asked.OwnKey(rng), i + 1));
      REEF_CHECK(VerdictOf(asked.Ask(claim)) == ClaimVerdict::kFirst);
    }
    state.counters["bytes_a_lease"] = static_cast<double>(HeapBytes() - before) / kCount;
  }
}
BENCHMARK(MemoryOfLeases)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace reef::dsht
