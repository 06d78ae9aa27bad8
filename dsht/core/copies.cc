// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/copies.h"

#include <algorithm>
#include <utility>

#include "dsht/core/state.h"

namespace reef::dsht {

namespace {

// So that one step stays well under a millisecond.
constexpr size_t kKeysAStep = 512;

std::optional<Entry> EntryFor(const State& state, Instant now, const Key& key) {
  Entry entry{.key = key};
  // What is kept for a cluster is not copied: a get that misses there finds it further out.
  entry.values = state.values.Live(now, key, kWorld);
  const std::optional<Lease> lease = state.leases.Find(now, key, 0);
  if (lease && lease->state != LeaseState::kFailed) entry.leases.push_back(*lease);
  if (entry.values.empty() && entry.leases.empty()) return std::nullopt;
  return entry;
}

}  // namespace

std::optional<Key> HandOver::NextKey(const State& state) {
  if (!values_done_) {
    const Key* key = state.values.KeyAfter(value_cursor_ ? &*value_cursor_ : nullptr);
    if (key != nullptr) return value_cursor_ = *key;
    values_done_ = true;
  }
  const Key* key = state.leases.KeyAfter(lease_cursor_ ? &*lease_cursor_ : nullptr);
  if (key == nullptr) return std::nullopt;
  return lease_cursor_ = *key;
}

void HandOver::Step(Turn& turn) {
  State& state = turn.state;
  while (true) {
    std::map<NodeId, Batch> batches;
    bool full = false;
    bool more = true;
    for (size_t looked_at = 0; looked_at < kKeysAStep && !full; ++looked_at) {
      const std::optional<Key> key = NextKey(state);
      more = key.has_value();
      if (!more) break;
      const std::vector<Peer> receivers = Receivers(state, *key);
      if (receivers.empty()) continue;
      const std::optional<Entry> entry = EntryFor(state, turn.now, *key);
      if (!entry) continue;
      for (const Peer& to : receivers) {
        Batch& batch = batches[to.id];
        batch.to = to;
        batch.query.entries.push_back(*entry);
        full |= batch.query.entries.size() >= state.options.hand_over_max;
      }
    }
    for (auto& [id_of_receiver, batch] : batches) {
      ++in_flight_;
      state.stats.handed_over += batch.query.entries.size();
      turn.Ask(id(), batch.to, std::move(batch.query), 0);
    }
    if (in_flight_ > 0) return;  // the next batch when these are answered
    if (!more) return OnAllOffered(turn);
  }
}

void HandOver::OnReply(Turn& turn, const Rpc&, const Body&) {
  if (--in_flight_ == 0) Step(turn);
}

void HandOver::OnFailure(Turn& turn, const Rpc&) {
  // The owner will put its value again, and the leader renew its lease: no second try.
  if (--in_flight_ == 0) Step(turn);
}

CopySweep::CopySweep(std::vector<NodeId> came, bool went) : came_(std::move(came)), went_(went) {}

void CopySweep::Start(Turn& turn) {
  turn.state.upkeep.sweeping = true;
  Step(turn);
}

std::vector<Peer> CopySweep::Receivers(const State& state, const Key& key) const {
  const size_t count = state.options.closest_count;
  std::vector<Peer> receivers;
  size_t rank = 0;
  bool self_ranked = false;
  const auto is_new = [this](const NodeId& id) {
    return std::find(came_.begin(), came_.end(), id) != came_.end();
  };
  for (const RoutingTable::Entry* entry : state.world().Nearest(key, count, true)) {
    const NodeId& id = entry->peer.id;
    if (!self_ranked && Closer(key, state.self.id, id)) {
      self_ranked = true;
      ++rank;
    }
    if (rank++ >= count) break;
    const bool came = is_new(id);
    if (!self_ranked && !came) return {};  // that one has it, and sees to it
    if (came || (went_ && rank == count)) receivers.push_back(entry->peer);
  }
  return receivers;
}

void CopySweep::OnAllOffered(Turn& turn) {
  turn.state.upkeep.sweeping = false;
  turn.End(*this);
}

void Leave::Start(Turn& turn) {
  turn.WakeAt(*this, turn.now + turn.state.options.leave_timeout);
  Step(turn);
}

std::vector<Peer> Leave::Receivers(const State& state, const Key& key) const {
  // Without this node, the closest may be one that lacks a spilled value, and the last of the
  // closest is new among them.
  const auto nearest = state.world().Nearest(key, state.options.closest_count, true);
  std::vector<Peer> receivers;
  if (!nearest.empty()) receivers.push_back(nearest.front()->peer);
  if (nearest.size() > 1) receivers.push_back(nearest.back()->peer);
  return receivers;
}

void Leave::OnAllOffered(Turn& turn) {
  SayGoodbye(turn);
}

void Leave::SayGoodbye(Turn& turn) {
  saying_goodbye_ = true;
  const std::vector<Peer> peers = turn.state.AllPeers();
  waiting_ = peers.size();
  for (const Peer& peer : peers) turn.Ask(id(), peer, LeaveQuery{}, 0);
  if (waiting_ == 0) Finish(turn);
}

void Leave::OnReply(Turn& turn, const Rpc& rpc, const Body& reply) {
  if (!saying_goodbye_) return HandOver::OnReply(turn, rpc, reply);
  if (std::holds_alternative<LeaveReply>(reply)) OnHeardGoodbye(turn);
}

void Leave::OnFailure(Turn& turn, const Rpc& rpc) {
  if (!saying_goodbye_) return HandOver::OnFailure(turn, rpc);
  OnHeardGoodbye(turn);
}

void Leave::OnHeardGoodbye(Turn& turn) {
  if (waiting_ > 0 && --waiting_ == 0) Finish(turn);
}

void Leave::OnTimer(Turn& turn) {
  if (saying_goodbye_) return Finish(turn);
  // What could not be handed over in time is left to the owners; the goodbye matters more.
  SayGoodbye(turn);
  if (waiting_ > 0) turn.WakeAt(*this, turn.now + turn.state.options.leave_timeout / 4);
}

void Leave::Finish(Turn& turn) {
  turn.state.left = true;
  turn.Finish(LeaveDone{id()});
  turn.End(*this);
}

}  // namespace reef::dsht
