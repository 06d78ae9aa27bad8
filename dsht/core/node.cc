// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/node.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "dsht/core/answers.h"
#include "dsht/core/claim.h"
#include "dsht/core/copies.h"
#include "dsht/core/get.h"
#include "dsht/core/join.h"
#include "dsht/core/node_info.h"
#include "dsht/core/put.h"
#include "dsht/core/state.h"
#include "dsht/core/verify.h"
#include "dsht/core/withdraw.h"

namespace reef::dsht {

namespace {

constexpr uint32_t kOldestVersion = 1;
constexpr size_t kUnreachableMax = 256;
constexpr size_t kStandingMax = 1024;
// Timers handled in one call, so that a fault in one cannot hold the loop.
constexpr size_t kTimersMax = 10000;

Duration PerSecond(int64_t rate) {
  return Duration(std::chrono::seconds(1)) / rate;
}
Duration PerMinute(int64_t rate) {
  return Duration(std::chrono::minutes(1)) / rate;
}

// True if `message` leaves its sender's address to the receiver.
bool NeedsAddress(const Message& message) {
  return message.header.sender.rpc.address.IsUnspecified() && !message.from.IsUnspecified();
}

void FillIn(Endpoint& endpoint, const IpAddress& from) {
  if (endpoint.port != 0 && endpoint.address.IsUnspecified()) endpoint.address = from;
}

Message WithAddress(const Message& message) {
  Message filled = message;
  FillIn(filled.header.sender.rpc, message.from);
  FillIn(filled.header.sender.http, message.from);
  FillIn(filled.header.sender.dns, message.from);
  if (auto* claim = std::get_if<ClaimQuery>(&filled.body)) FillIn(claim->claimant, message.from);
  if (auto* renew = std::get_if<RenewQuery>(&filled.body)) FillIn(renew->lease.rpc, message.from);
  return filled;
}

void OnQuery(Turn& turn, const Message& message) {
  State& state = turn.state;
  if (message.header.version < kOldestVersion) {
    ++state.stats.version_mismatches;
    return turn.Reply(message.rpc, RefusedReply{Refusal::kInvalid});
  }
  if (message.header.sender.id == state.self.id || message.header.sender.id == NodeId{}) {
    ++state.stats.invalid_messages;
    return turn.Reply(message.rpc, RefusedReply{Refusal::kInvalid});
  }
  AnswerQuery(turn, message);
  if (!std::holds_alternative<LeaveQuery>(message.body)) {
    state.upkeep.OnHeard(turn, message.header.sender, message.header.clusters);
  }
}

void OnFailed(Turn& turn, const Rpc& rpc) {
  turn.state.upkeep.OnFailed(turn, rpc);
  const auto operation = turn.state.operations.find(rpc.operation);
  if (operation != turn.state.operations.end()) operation->second->OnFailure(turn, rpc);
}

void OnReply(Turn& turn, const Message& message) {
  State& state = turn.state;
  std::optional<Rpc> rpc = state.rpcs.Finish(message.rpc);
  if (!rpc) {
    ++state.stats.late_replies;
    return;
  }
  Peer sender = message.header.sender;
  const bool known = rpc->to.id != NodeId{};
  const bool refused = std::holds_alternative<RefusedReply>(message.body);
  const bool expected = (message.body.index() == rpc->expects || refused) &&
                        sender.id != NodeId{} && sender.id != state.self.id &&
                        (!known || sender.id == rpc->to.id);
  if (!expected) {
    // Another node lives at that address now, or it does not speak our language.
    ++state.stats.unexpected_replies;
    return OnFailed(turn, *rpc);
  }
  if (rpc->operation == kUpkeep) state.pinging.erase(sender.id);
  if (sender.rpc.address.IsUnspecified() || sender.rpc.port == 0) sender.rpc = rpc->to.rpc;
  if (sender.rpc == rpc->to.rpc) {
    const Duration rtt = message.cold ? Duration::zero() : turn.now - rpc->sent;
    state.upkeep.OnAnswered(turn, sender, message.header.clusters, rtt);
    // Of one that is kept it must be known.
    if (message.cold && state.EntryOf(sender.id) != nullptr) turn.Ping(sender);
  } else {
    // Reached by another address than the one it publishes.
    state.upkeep.OnHeard(turn, sender, message.header.clusters);
  }
  if (rpc->operation == kUpkeep) return;
  rpc->to = sender;
  state.usual_rtt.Measured(turn.now - rpc->sent);
  const auto operation = state.operations.find(rpc->operation);
  if (operation == state.operations.end()) return;
  const bool inside = (state.clusters.SharedWith(message.header.clusters) >> rpc->level) & 1;
  // A grant or a holder counts even if this node has moved to another cluster meanwhile.
  rpc->outside = !inside && !std::holds_alternative<ClaimReply>(message.body);
  if (rpc->outside) return operation->second->OnFailure(turn, *rpc);
  operation->second->OnReply(turn, *rpc, message.body);
}

}  // namespace

State::State(Peer self_peer, const Options& node_options, Rng node_rng)
    : self(std::move(self_peer)),
      options(node_options),
      rng(node_rng),
      tables(options.diameters.size(),
             RoutingTable(self.id, options.bucket_size, options.bucket_prefix_max)),
      clusters(options),
      sightings(options.sightings_max),
      values(options, stats),
      leases(options, stats),
      loaded(PerMinute(options.leak_per_minute), 1, options.guarded_keys_max),
      sources(PerSecond(options.source_rate), options.source_burst, options.guarded_sources_max),
      markers(options.markers_remembered_max),
      unreachable(kUnreachableMax),
      departed(kUnreachableMax),
      next_attempt(options.first_attempt),
      standing(kStandingMax) {
  REEF_CHECK(self.id != NodeId{});
}

const RoutingTable::Entry* State::EntryOf(const NodeId& id) const {
  for (const RoutingTable& table : tables) {
    if (const RoutingTable::Entry* entry = table.Find(id)) return entry;
  }
  return nullptr;
}

bool State::IsAlone() const {
  return std::all_of(tables.begin() + 1, tables.end(),
                     [](const RoutingTable& table) { return table.size() == 0; });
}

int State::NearestLevelOf(const NodeId& id, int otherwise) const {
  const Sighting* sighting = sightings.Find(id);
  const Levels said = sighting ? clusters.SharedWith(sighting->clusters) : kWorld;
  for (int level = clusters.level_count() - 1; level > 0; --level) {
    if ((said & OnlyLevel(level)) != 0 || TableOf(level).Find(id) != nullptr) return level;
  }
  return otherwise;
}

std::vector<Peer> State::AllPeers() const {
  std::vector<Peer> peers;
  std::set<NodeId> seen;
  for (const RoutingTable& table : tables) {
    for (const RoutingTable::Entry& entry : table.entries()) {
      if (seen.insert(entry.peer.id).second) peers.push_back(entry.peer);
    }
  }
  return peers;
}

void State::Forget(const NodeId& id) {
  for (RoutingTable& table : tables) table.Remove(id);
  sightings.Remove(id);
}

void State::Begin(Instant now) {
  upkeep.Start(now, options, rng);
  clusters.Start(now, rng);
}

Node::Node(Peer self, const Options& options, Rng rng)
    : state_(std::make_unique<State>(std::move(self), options, rng)) {}
Node::~Node() = default;
Node::Node(Node&&) noexcept = default;
Node& Node::operator=(Node&&) noexcept = default;

void Node::OnMessage(Instant now, const Message& message, Outbox& out) {
  if (state_->left) return;
  state_->Begin(now);
  ++state_->stats.received[message.body.index()];
  Turn turn(*state_, now, out);
  if (!IsQuery(message.body)) return OnReply(turn, message);
  if (NeedsAddress(message)) return OnQuery(turn, WithAddress(message));
  OnQuery(turn, message);
}

void Node::OnUnreachable(Instant now, RpcId rpc, Outbox& out) {
  if (state_->left) return;
  const std::optional<Rpc> failed = state_->rpcs.Finish(rpc);
  if (!failed) return;
  ++state_->stats.rpc_unreachable;
  Turn turn(*state_, now, out);
  OnFailed(turn, *failed);
}

void Node::OnDeadline(Instant now, Outbox& out) {
  State& state = *state_;
  if (state.left) return;
  Turn turn(state, now, out);
  while (const std::optional<RpcTable::Due> due = state.rpcs.PopDue(now)) {
    if (due->overdue) {
      ++state.stats.rpc_timeouts;
      OnFailed(turn, due->rpc);
    } else if (const auto slow = state.operations.find(due->rpc.operation);
               slow != state.operations.end()) {
      slow->second->OnSlow(turn, due->rpc);
    }
  }
  for (size_t i = 0; i < kTimersMax && !state.timers.empty(); ++i) {
    const auto [at, id] = *state.timers.begin();
    if (at > now) break;
    const auto operation = state.operations.find(id);
    REEF_CHECK(operation != state.operations.end()) << id;
    turn.WakeAt(*operation->second, kNever);
    operation->second->OnTimer(turn);
  }
  if (now >= state.upkeep.Next()) state.upkeep.OnTick(turn);
}

Instant Node::NextDeadline() const {
  if (state_->left) return kNever;
  Instant next = std::min(state_->rpcs.Next(), state_->upkeep.Next());
  if (!state_->timers.empty()) next = std::min(next, state_->timers.begin()->first);
  return next;
}

namespace {

// For operations of the client: refused at the bound, with the answer that means "nothing".
bool HasRoom(State& state) {
  const bool room = !state.left && state.operations.size() < state.options.operations_max &&
                    state.rpcs.size() < state.options.rpcs_max;
  state.stats.operations_refused += !room;
  return room;
}

}  // namespace

OperationId Node::Join(Instant now, std::vector<Endpoint> seeds, Outbox& out) {
  state_->Begin(now);
  state_->upkeep.seeds = seeds;
  Turn turn(*state_, now, out);
  dsht::Join& join = turn.Begin<dsht::Join>(std::move(seeds), true);
  const OperationId id = join.id();
  join.Start(turn);
  return id;
}

OperationId Node::Get(Instant now, const Key& key, Outbox& out, int from_level) {
  REEF_CHECK(from_level >= 0) << from_level;
  Turn turn(*state_, now, out);
  if (!HasRoom(*state_)) {
    out.finished.push_back(GetDone{state_->next_operation, {}});
    return state_->next_operation++;
  }
  ++state_->stats.gets;
  dsht::Get& get = turn.Begin<dsht::Get>(*state_, key, from_level);
  const OperationId id = get.id();
  get.Start(turn);
  return id;
}

OperationId Node::Put(Instant now, const PutRequest& request, Outbox& out) {
  Turn turn(*state_, now, out);
  if (!HasRoom(*state_)) {
    out.finished.push_back(PutDone{state_->next_operation, PutOutcome::kRefused, 0});
    return state_->next_operation++;
  }
  return StartPut(turn, request, Put::Reach::kEverywhere);
}

OperationId Node::Withdraw(Instant now, const Key& key, const std::string& value, Outbox& out) {
  Turn turn(*state_, now, out);
  if (!HasRoom(*state_)) {
    out.finished.push_back(WithdrawDone{state_->next_operation, 0});
    return state_->next_operation++;
  }
  dsht::Withdraw& withdraw = turn.Begin<dsht::Withdraw>(*state_, key, value);
  const OperationId id = withdraw.id();
  withdraw.Start(turn);
  return id;
}

OperationId Node::Nodes(Instant now, int level, size_t count, uint32_t services, Outbox& out) {
  Turn turn(*state_, now, out);
  const bool exists = level >= 0 && static_cast<size_t>(level) < state_->options.diameters.size();
  if (!exists || !HasRoom(*state_)) {
    out.finished.push_back(NodesDone{state_->next_operation, {}});
    return state_->next_operation++;
  }
  Verify& verify = turn.Begin<Verify>(level, count, services);
  const OperationId id = verify.id();
  verify.Start(turn);
  return id;
}

OperationId Node::Leave(Instant now, Outbox& out) {
  Turn turn(*state_, now, out);
  // Readers of ours claim anew at once rather than when the leases run out.
  while (!state_->claims.empty()) {
    const auto claim = state_->operations.find(state_->claims.begin()->second);
    REEF_CHECK(claim != state_->operations.end());
    static_cast<dsht::Claim&>(*claim->second).Supersede(turn);
  }
  dsht::Leave& leave = turn.Begin<dsht::Leave>();
  const OperationId id = leave.id();
  leave.Start(turn);
  return id;
}

OperationId Node::Claim(Instant now, const ClaimRequest& request, Outbox& out) {
  Turn turn(*state_, now, out);
  State& state = *state_;
  if (const auto older = state.claims.find(request.key); older != state.claims.end()) {
    const auto claim = state.operations.find(older->second);
    REEF_CHECK(claim != state.operations.end());
    static_cast<dsht::Claim&>(*claim->second).Supersede(turn);
  }
  ++state.stats.claims;
  if (!HasRoom(state)) {
    ++state.stats.claims_no_answer;
    out.finished.push_back(ClaimAnswered{state.next_operation, {}});
    return state.next_operation++;
  }
  dsht::Claim& claim =
      turn.Begin<dsht::Claim>(state, request, Attempt{state.self.id, state.next_attempt++});
  const OperationId id = claim.id();
  state.claims.emplace(request.key, id);
  if (state.markers.Has(now, request.key)) {
    claim.StartMarked(turn, state.markers.Until(request.key) - now);
  } else {
    claim.Start(turn);
  }
  return id;
}

namespace {

Claim* FindClaim(State& state, OperationId id) {
  const auto operation = state.operations.find(id);
  return operation == state.operations.end() ? nullptr : operation->second->AsOpenClaim();
}

}  // namespace

void Node::Streaming(Instant, OperationId claim, Outbox&) {
  if (dsht::Claim* found = FindClaim(*state_, claim)) found->Streaming();
}

void Node::Release(Instant now, OperationId claim, ClaimEnd end, Duration ttl, Outbox& out) {
  Turn turn(*state_, now, out);
  if (dsht::Claim* found = FindClaim(*state_, claim)) found->Release(turn, end, ttl);
}

std::vector<LevelInfo> Node::Levels(Instant) const {
  std::vector<LevelInfo> levels;
  for (int level = state_->clusters.level_count() - 1; level >= 0; --level) {
    levels.push_back({.level = level,
                      .diameter = state_->options.diameters[static_cast<size_t>(level)],
                      .cluster = state_->clusters.IdOf(level).ToHex(),
                      .size_estimate = state_->clusters.SizeOf(*state_, level)});
  }
  return levels;
}

void Node::SetDraining(Instant now, bool draining, Outbox& out) {
  const bool begins = draining && !state_->self.draining;
  state_->self.draining = draining;
  if (!begins || state_->left) return;
  Turn turn(*state_, now, out);
  state_->upkeep.Announce(turn);
}
void Node::SetOverloaded(bool overloaded) {
  state_->self.overloaded = overloaded;
}
void Node::SetRpc(const Endpoint& rpc) {
  Peer& self = state_->self;
  // A service published without an address of its own, or with the one that proves wrong, is there.
  for (Endpoint* service : {&self.http, &self.dns}) {
    if (service->port != 0 && service->address == self.rpc.address) service->address = rpc.address;
  }
  self.rpc = rpc;
}

const Peer& Node::self() const {
  return state_->self;
}
const Stats& Node::stats() const {
  return state_->stats;
}

Node::Gauges Node::gauges() const {
  return {.peers = state_->world().size(),
          .keys = state_->values.key_count(),
          .values = state_->values.value_count(),
          .stored_bytes = state_->values.bytes(),
          .leases = state_->leases.size(),
          .operations = state_->operations.size(),
          .rpcs = state_->rpcs.size()};
}

std::vector<NodeInfo> Node::Peers(Instant now, int level) const {
  std::vector<NodeInfo> peers;
  if (level < 0 || level >= state_->clusters.level_count()) return peers;
  for (const RoutingTable::Entry& entry : state_->TableOf(level).entries()) {
    peers.push_back(NodeInfoOf(entry, now));
  }
  return peers;
}

std::vector<Holder> Node::StoredHere(Instant now, const Key& key) const {
  return HoldersOf(state_->values.Live(now, key, static_cast<dsht::Levels>(0xff)));
}

void Node::Acquaint(Instant now, const Peer& peer, Duration rtt) {
  state_->Begin(now);
  if (peer.id != state_->self.id) state_->world().Answered(now, peer, rtt);
}

}  // namespace reef::dsht
