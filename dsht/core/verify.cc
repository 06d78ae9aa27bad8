// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/verify.h"

#include <algorithm>

#include "dsht/core/node_info.h"
#include "dsht/core/state.h"

namespace reef::dsht {

namespace {

// A name server waits for this; stragglers miss this answer.
constexpr Duration kPatience = std::chrono::milliseconds(500);
// Beyond what was asked for, because some will not answer.
constexpr size_t kSpare = 4;

bool Runs(const Peer& peer, uint32_t services) {
  return (peer.Services() & services) == services;
}

}  // namespace

Verify::Verify(int level, size_t count, uint32_t services)
    : level_(level), count_(count), services_(services) {}

void Verify::Start(Turn& turn) {
  State& state = turn.state;
  std::vector<Peer> silent;
  size_t fresh = Runs(state.self, services_) ? 1 : 0;
  for (const RoutingTable::Entry& entry : state.TableOf(level_).entries()) {
    if (!Runs(entry.peer, services_)) continue;
    if (turn.now - entry.heard < state.options.verify_after) {
      ++fresh;
    } else {
      silent.push_back(entry.peer);
    }
  }
  state.rng.Shuffle(std::span<Peer>(silent));
  const size_t wanted = count_ > fresh ? count_ - fresh + kSpare : 0;
  if (silent.size() > wanted) silent.resize(wanted);
  in_flight_ = silent.size();
  for (const Peer& peer : silent) turn.Ask(id(), peer, PingQuery{}, 0);
  if (in_flight_ == 0) return Finish(turn);
  turn.WakeAt(*this, turn.now + kPatience);
}

void Verify::OnReply(Turn& turn, const Rpc&, const Body&) {
  if (--in_flight_ == 0) Finish(turn);
}

void Verify::OnFailure(Turn& turn, const Rpc&) {
  if (--in_flight_ == 0) Finish(turn);
}

void Verify::OnTimer(Turn& turn) {
  Finish(turn);
}

void Verify::Finish(Turn& turn) {
  State& state = turn.state;
  std::vector<NodeInfo> nodes;
  for (const RoutingTable::Entry& entry : state.TableOf(level_).entries()) {
    const bool there = turn.now - entry.heard <= state.options.verified_within;
    if (there && Runs(entry.peer, services_)) nodes.push_back(NodeInfoOf(entry, turn.now));
  }
  state.rng.Shuffle(std::span<NodeInfo>(nodes));
  if (Runs(state.self, services_)) nodes.insert(nodes.begin(), NodeInfoOf(state.self));
  if (nodes.size() > count_) nodes.resize(count_);
  turn.Finish(NodesDone{id(), std::move(nodes)});
  turn.End(*this);
}

}  // namespace reef::dsht
