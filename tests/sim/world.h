// SPDX-License-Identifier: Apache-2.0
//
// World: thousands of production dsht::Nodes in one simulated time. One queue of events, one
// network, one seed: messages, wake-ups and the scenario's own actions, in a defined order.
//
// A query to a node that is gone is not answered: its sender learns of it at its own deadline, as
// from a host that has lost power; `refuse_when_dead` makes it fail after a round trip, as from a
// host whose process has died.
//
// Owned by the scenario. One thread, no I/O.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/instant.h"
#include "base/rng.h"
#include "dsht/core/node.h"
#include "dsht/core/options.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/network.h"

namespace reef::sim {

using NodeIndex = uint32_t;

class World {
 public:
  // A run starts an hour after the epoch of its clock: a core must not think that zero is now.
  static constexpr Instant kStart = Instant(std::chrono::hours(1));

  // `ids[i]` is the id of node i; none of the nodes runs yet.
  World(Network network, std::vector<dsht::NodeId> ids, const dsht::Options& options, Rng rng);

  // ---- Nodes.
  size_t size() const { return slots_.size(); }
  const dsht::NodeId& IdOf(NodeIndex node) const { return slots_[node].id; }
  dsht::Peer PeerOf(NodeIndex node) const;
  std::optional<NodeIndex> IndexOf(const dsht::NodeId& id) const;
  bool IsUp(NodeIndex node) const { return slots_[node].node != nullptr; }
  const dsht::Node& NodeAt(NodeIndex node) const { return *slots_[node].node; }
  size_t up_count() const { return up_count_; }

  // A process starts, knowing nobody.
  void Start(NodeIndex node);
  // It is gone from one instant to the next, with all it stored.
  void Kill(NodeIndex node);

  // ---- Operations. `done` may be empty. Ignored if the node is down.
  using Done = std::function<void(const dsht::Finished&)>;
  void Join(NodeIndex node, const std::vector<NodeIndex>& seeds, Done done);
  void Get(NodeIndex node, const dsht::Key& key, Done done, int from_level = dsht::kLevelMax);
  void Put(NodeIndex node, const dsht::PutRequest& request, Done done);
  void Leave(NodeIndex node, Done done);
  // `done` runs for the answer, which names the claim, and for its loss.
  void Claim(NodeIndex node, const dsht::ClaimRequest& request, Done done);
  void Streaming(NodeIndex node, dsht::OperationId claim);
  void Release(NodeIndex node, dsht::OperationId claim, dsht::ClaimEnd end, Duration ttl);
  // As if `of` had just answered `node`.
  void Acquaint(NodeIndex node, NodeIndex of);

  // ---- Time.
  Instant now() const { return now_; }
  void At(Instant when, std::function<void()> action);
  void In(Duration delay, std::function<void()> action) { At(now_ + delay, std::move(action)); }
  // Runs all events up to and including `until`.
  void RunUntil(Instant until);
  void RunFor(Duration duration) { RunUntil(now_ + duration); }

  Network& network() { return network_; }
  Rng& rng() { return rng_; }
  void set_refuse_when_dead(bool refuse) { refuse_when_dead_ = refuse; }

  // Sees every message that arrives at a running node.
  using Observer = std::function<void(NodeIndex from, NodeIndex to, const dsht::Message& message)>;
  void set_observer(Observer observer) { observer_ = std::move(observer); }

  // What all nodes, those that are gone included, have counted.
  dsht::Stats TotalStats() const;
  uint64_t message_count() const { return message_count_; }
  uint64_t event_count() const { return event_count_; }

 private:
  struct Slot {
    dsht::NodeId id;
    std::unique_ptr<dsht::Node> node;  // none: down
    uint32_t life = 0;                 // which start of the process: what was for another is void
    Instant wake_at = kNever;          // the earliest wake-up in the queue
    std::map<dsht::OperationId, Done> waiting;
  };
  struct Arrival {
    NodeIndex from;
    NodeIndex to;
    uint32_t life;  // of the sender for a query, of the receiver for a reply
    dsht::RpcId rpc;
    bool is_query;
    std::unique_ptr<dsht::Message> message;  // none: the query is refused
  };
  struct Wake {
    NodeIndex node;
    uint32_t life;
  };
  using Event = std::variant<Arrival, Wake, std::function<void()>>;
  // A query that waits for its answer.
  struct Caller {
    NodeIndex node = 0;
    uint32_t life = 0;
    dsht::RpcId rpc = 0;
  };

  void Dispatch(Event event);
  void OnArrival(Arrival arrival);
  void OnQuery(Arrival arrival);
  void OnReply(Arrival arrival);
  // After every input to a node: sends what it wants sent, runs what is finished, plans its
  // wake-up.
  void Flush(NodeIndex node);
  void SendQuery(NodeIndex from, dsht::Outgoing query);
  void SendReply(NodeIndex from, dsht::Answer answer);
  void Finish(NodeIndex node, const dsht::Finished& finished);
  void PlanWake(NodeIndex node);

  Network network_;
  dsht::Options options_;
  Rng rng_;
  Instant now_ = kStart;
  EventQueue<Event> queue_;
  std::vector<Slot> slots_;
  std::map<dsht::NodeId, NodeIndex> index_of_;
  std::vector<IpAddress> addresses_;
  std::unordered_map<uint32_t, NodeIndex> at_address_;
  size_t up_count_ = 0;
  bool refuse_when_dead_ = false;
  Observer observer_;
  dsht::Outbox out_;

  std::map<dsht::RpcId, Caller> callers_;
  dsht::RpcId last_rpc_ = 0;
  dsht::Stats gone_;  // of nodes that are no more
  uint64_t message_count_ = 0;
  uint64_t event_count_ = 0;
};

}  // namespace reef::sim
