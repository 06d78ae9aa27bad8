// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "dsht/core/operation.h"
#include "dsht/core/state.h"

namespace reef::dsht {

namespace {

constexpr size_t kPingsMax = 32;

// How long to wait for `to`, and when to call it slow.
struct Patience {
  Duration slow;
  Duration overdue;
};

// A claim hurries. Other walks do not go on past a hop for being farther away than most: each way
// round is one more by which a hot key's requests reach its closest node (docs/dsht.md, "Walk").
Patience PatienceFor(const State& state, const NodeId& to, bool hurries) {
  const Options& o = state.options;
  const RoutingTable::Entry* entry = state.EntryOf(to);
  if (entry == nullptr || !entry->rtt.known()) {
    if (!state.usual_rtt.known()) return {o.slow_unknown, o.rpc_timeout_max};
    const Duration usual = 2 * state.usual_rtt.smoothed();
    return {hurries ? std::clamp(usual, o.slow_min, o.slow_unknown) : o.slow_unknown,
            std::clamp(3 * usual, o.ping_timeout_min, o.rpc_timeout_max)};
  }
  // One that failed is given more time, but nobody waits for it longer than before.
  const Duration round_trip = entry->rtt.smoothed();
  const int patience = 1 << std::min<int>(entry->failures, 4);
  return {std::max(2 * round_trip, o.slow_min),
          std::clamp(4 * patience * round_trip, o.rpc_timeout_min, o.rpc_timeout_max)};
}

Header HeaderOf(const State& state) {
  return Header{.sender = state.self, .clusters = state.clusters.infos()};
}

// The level that a query walks.
uint8_t LevelOf(const Body& query) {
  const auto level = [](const auto& q) {
    if constexpr (requires { q.levels; }) {
      return HighestLevel(q.levels);
    } else if constexpr (requires { q.value.level; }) {
      return int{q.value.level};
    } else {
      return 0;
    }
  };
  return static_cast<uint8_t>(std::visit(level, query));
}

}  // namespace

void Turn::Register(std::unique_ptr<Operation> operation) {
  operation->id_ = state.next_operation++;
  state.operations.emplace_hint(state.operations.end(), operation->id_, std::move(operation));
}

void Turn::End(Operation& operation) {
  WakeAt(operation, kNever);
  const auto it = state.operations.find(operation.id_);
  REEF_CHECK(it != state.operations.end()) << operation.id_;
  ended_.push_back(std::move(it->second));
  state.operations.erase(it);
}

void Turn::WakeAt(Operation& operation, Instant at) {
  if (operation.wake_ == at) return;
  if (operation.wake_ != kNever) state.timers.erase({operation.wake_, operation.id_});
  operation.wake_ = at;
  if (at != kNever) state.timers.emplace(at, operation.id_);
}

void Turn::Ask(OperationId operation, const Peer& to, Body query, uint8_t step) {
  const Patience patience = PatienceFor(state, to.id, std::holds_alternative<ClaimQuery>(query));
  Send(Rpc{.operation = operation,
           .to = to,
           .step = step,
           .level = LevelOf(query),
           .sent = now,
           .slow = now + patience.slow,
           .overdue = now + patience.overdue},
       std::move(query));
}

void Turn::AskWithin(OperationId operation, const Peer& to, Body query, uint8_t step,
                     Duration timeout) {
  Send(Rpc{.operation = operation,
           .to = to,
           .step = step,
           .sent = now,
           .slow = kNever,
           .overdue = now + timeout},
       std::move(query));
}

void Turn::Send(Rpc rpc, Body query) {
  REEF_CHECK(IsQuery(query));
  REEF_CHECK(rpc.to.id != state.self.id) << NameOf(query);
  rpc.expects = static_cast<uint8_t>(query.index() + 1);
  ++state.stats.sent[query.index()];
  const Endpoint to = rpc.to.rpc;
  const Duration timeout = rpc.overdue - now;
  const RpcId id = state.rpcs.Start(std::move(rpc));
  out.queries.push_back(
      Outgoing{to, id, timeout, Message{HeaderOf(state), id, {}, std::move(query)}});
}

void Turn::Reply(RpcId rpc, Body reply) {
  REEF_CHECK(!IsQuery(reply));
  ++state.stats.sent[reply.index()];
  out.answers.push_back(Answer{rpc, Message{HeaderOf(state), rpc, {}, std::move(reply)}});
}

void Turn::Ping(const Peer& peer) {
  const bool needless =
      peer.id == state.self.id || peer.id == NodeId{} || state.pinging.contains(peer.id);
  if (needless || state.pinging.size() >= kPingsMax) return;
  state.pinging.insert(peer.id);
  PingNow(peer, 0);
}

void Turn::PingNow(const Peer& peer, uint8_t step) {
  const Duration overdue = PatienceFor(state, peer.id, false).overdue;
  AskWithin(kUpkeep, peer, PingQuery{}, step, std::max(overdue, state.options.ping_timeout_min));
}

}  // namespace reef::dsht
