// SPDX-License-Identifier: Apache-2.0
//
// Harness: a handful to a few hundred dsht::Node wired together in memory, for tests. Delays, loss,
// one-way cuts and deaths are chosen by the test; one seed decides the rest, so a failure repeats.
//
//   Harness net({.nodes = 3});
//   net.JoinAll();
//   const OperationId op = net.Claim(0, key);
//   net.RunFor(1s);
//   EXPECT_EQ(net.Answer(0, op).kind, ClaimAnswer::Kind::kFirst);
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/instant.h"
#include "base/rng.h"
#include "dsht/core/node.h"

namespace reef::dsht {

// The world alone, without clusters: what most tests are about.
Options OneLevel();

class Harness {
 public:
  struct Setup {
    size_t nodes = 3;
    uint64_t seed = 1;
    Options options = OneLevel();
    std::vector<NodeId> ids{};  // of the first nodes; the rest are random
    // One way, uniform in [delay_min, delay_max], drawn for each message.
    Duration delay_min = std::chrono::milliseconds(4);
    Duration delay_max = std::chrono::milliseconds(6);
    // One way, between two nodes, in place of the above.
    std::function<Duration(size_t from, size_t to)> delay{};
    double loss = 0;  // of each message, queries and replies alike
  };

  explicit Harness(Setup setup);

  size_t size() const { return slots_.size(); }
  Node& node(size_t i) { return *slots_[i].node; }
  const NodeId& id(size_t i) const { return slots_[i].peer.id; }
  const Peer& peer(size_t i) const { return slots_[i].peer; }
  std::string Reference(size_t i) const { return slots_[i].peer.http.ToString(); }
  Instant now() const { return now_; }
  Rng& rng() { return rng_; }

  // Every node knows every other where its buckets have room; no messages.
  void AcquaintAll();
  // Each node joins through node 0, all at once; runs until the tables have settled.
  void JoinAll();

  // Faults. A dead node is refused at once, as by a host whose process has died, or is silent.
  enum class Death { kRefusing, kSilent };
  void Kill(size_t i, Death death);
  // A new process with the same identity and an empty memory.
  void Restart(size_t i);
  void Cut(size_t from, size_t to) { cuts_.insert({from, to}); }
  void CutBoth(size_t a, size_t b);
  void HealAll() { cuts_.clear(); }
  void SetLoss(double loss) { setup_.loss = loss; }
  // Node i hears a ping that says it is from `sender`, and finds nobody wherever it looks for that
  // one at once; returns where it did.
  std::vector<Endpoint> Tell(size_t i, const Peer& sender);
  // Called for each message that is sent, before the filter: a node may lie.
  std::function<void(size_t from, size_t to, Message& message)> forge;
  // Called for each message that is sent; false drops it.
  std::function<bool(size_t from, size_t to, const Message&)> filter;

  void RunFor(Duration duration);
  // Until `done`, at most for `limit`; true if it came to be.
  bool RunUntil(const std::function<bool()>& done, Duration limit);

  // Operations of node i; their results are collected below.
  OperationId Get(size_t i, const Key& key, int from_level = kLevelMax);
  OperationId Put(size_t i, const Key& key, Duration ttl);
  OperationId Put(size_t i, const PutRequest& request);
  OperationId Withdraw(size_t i, const Key& key);
  OperationId Claim(size_t i, const Key& key, std::vector<NodeId> exclude = {},
                    std::vector<NodeId> behind = {});
  void Release(size_t i, OperationId claim, ClaimEnd end, Duration ttl);
  OperationId Nodes(size_t i, size_t count, uint32_t services);
  OperationId Leave(size_t i);
  void SetDraining(size_t i, bool draining);

  bool Finished(size_t i, OperationId op) const;
  // Requires: it has finished, with that kind.
  const std::vector<Holder>& Found(size_t i, OperationId get) const;
  PutDone Stored(size_t i, OperationId put) const;
  const ClaimAnswer& Answer(size_t i, OperationId claim) const;
  const std::vector<NodeInfo>& Listed(size_t i, OperationId nodes) const;
  bool Lost(size_t i, OperationId claim) const { return slots_[i].lost.contains(claim); }
  std::optional<JoinDone> Joined(size_t i) const { return slots_[i].joined; }

  // Live nodes, closest to `key` first.
  std::vector<size_t> ByDistance(const Key& key) const;
  Stats Total() const;
  uint64_t messages_delivered() const { return delivered_; }

 private:
  struct Slot {
    Peer peer;
    std::unique_ptr<Node> node;
    std::optional<Death> death;
    Instant wake = kNever;
    uint64_t life = 0;
    std::map<RpcId, std::pair<size_t, RpcId>> asked;  // by token: who asked, under which rpc
    std::map<OperationId, dsht::Finished> finished;
    std::set<OperationId> lost;
    std::optional<JoinDone> joined;
  };
  struct Event {
    Instant at;
    uint64_t sequence;
    size_t to;
    uint64_t life;  // of `to`, when it was sent
    enum class What { kWake, kMessage, kUnreachable } what;
    size_t from;
    RpcId rpc;
    std::shared_ptr<const Message> message;

    bool operator<(const Event& other) const {
      return std::pair(at, sequence) > std::pair(other.at, other.sequence);
    }
  };

  Peer PeerFor(size_t i, const NodeId& id) const;
  std::unique_ptr<Node> MakeNode(const Peer& peer, uint64_t life);
  void Flush(size_t i);
  void Transmit(size_t from, size_t to, Message message, RpcId refused_rpc);
  Duration Delay(size_t from, size_t to);
  void Schedule(Event event);
  bool Step(Instant limit);
  void Handle(const Event& event);

  Setup setup_;
  Rng rng_;
  Instant now_{};
  uint64_t sequence_ = 0;
  uint64_t delivered_ = 0;
  RpcId next_token_ = 1;
  Outbox out_;
  std::vector<Slot> slots_;
  std::map<Endpoint, size_t> by_endpoint_;
  std::set<std::pair<size_t, size_t>> cuts_;
  std::priority_queue<Event> events_;
};

// Bits from `head` first, then random ones.
Id IdWithHead(uint64_t head, int head_bits, Rng& rng);
Id RandomId(Rng& rng);

}  // namespace reef::dsht
