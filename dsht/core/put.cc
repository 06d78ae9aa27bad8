// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/put.h"

#include <algorithm>

#include "dsht/core/answers.h"
#include "dsht/core/state.h"

namespace reef::dsht {

namespace {

// Rpc::step.
enum Step : uint8_t { kStepStatus, kStepStore, kStepCopy, kStepCopyAgain };

}  // namespace

Put::Put(const State& state, const PutRequest& request)
    : walk_(request.key, state.self.id, state.options, state.table, state.options.bits_per_hop, 1),
      value_{.publisher = state.self.id,
             .bytes = request.value,
             .ttl = std::min(request.ttl, state.options.ttl_max),
             .complete = request.complete} {}

bool Put::Takes(const Options& options, const StatusReply& status) const {
  const bool full =
      status.value_count >= options.values_per_key_max && status.shortest_ttl * 2 >= value_.ttl;
  return !(full && status.loaded);
}

void Put::Start(Turn& turn) {
  State& state = turn.state;
  ++state.stats.puts;
  const StatusQuery query{walk_.key(), {}, kWorld};
  if (!Takes(state.options, AnswerStatus(state, turn.now, query, state.self.id))) {
    return Finish(turn, PutOutcome::kSaturated);
  }
  stack_.push_back(state.self);
  Advance(turn);
}

void Put::Advance(Turn& turn) {
  while (std::optional<Peer> peer = walk_.Next()) {
    ++turn.state.stats.put_hops;
    turn.Ask(id(), *peer, StatusQuery{walk_.key(), walk_.TargetAfter(peer->id), kWorld},
             kStepStatus);
  }
  if (walk_.in_flight() == 0) Reverse(turn);
}

void Put::OnReply(Turn& turn, const Rpc& rpc, const Body& reply) {
  switch (rpc.step) {
    case kStepStatus: {
      if (phase_ != Phase::kForward) return;
      const StatusReply* status = std::get_if<StatusReply>(&reply);
      if (status == nullptr) return OnFailure(turn, rpc);
      walk_.Answered(rpc.to.id, rpc.sent, status->peers);
      if (!Takes(turn.state.options, *status)) {
        stopped_short_ = true;
        return Reverse(turn);
      }
      stack_.push_back(rpc.to);
      return Advance(turn);
    }
    case kStepStore: {
      const StoreReply* said = std::get_if<StoreReply>(&reply);
      if (said == nullptr || said->outcome != StoreOutcome::kStored) return Reverse(turn);
      return OnStored(turn, rpc.to);
    }
    default: {
      const StoreReply* said = std::get_if<StoreReply>(&reply);
      stored_ += said != nullptr && said->outcome == StoreOutcome::kStored;
      if (--in_flight_ == 0) Finish(turn, PutOutcome::kStored);
    }
  }
}

void Put::OnFailure(Turn& turn, const Rpc& rpc) {
  switch (rpc.step) {
    case kStepStatus:
      if (phase_ != Phase::kForward) return;
      walk_.Failed(rpc.to.id, rpc.sent);
      return Advance(turn);
    case kStepStore:
      return Reverse(turn);
    case kStepCopy:
      return turn.Ask(id(), rpc.to, StoreQuery{walk_.key(), value_}, kStepCopyAgain);
    default:
      if (--in_flight_ == 0) Finish(turn, PutOutcome::kStored);
  }
}

void Put::OnSlow(Turn& turn, const Rpc& rpc) {
  if (phase_ != Phase::kForward || rpc.step != kStepStatus) return;
  walk_.Slow(rpc.to.id, rpc.sent);
  Advance(turn);
}

void Put::Reverse(Turn& turn) {
  if (phase_ == Phase::kForward) {
    phase_ = Phase::kReverse;
    std::sort(stack_.begin(), stack_.end(),
              [this](const Peer& a, const Peer& b) { return Closer(walk_.key(), b.id, a.id); });
  }
  while (!stack_.empty()) {
    const Peer top = stack_.back();
    stack_.pop_back();
    if (top.id != turn.state.self.id) {
      return turn.Ask(id(), top, StoreQuery{walk_.key(), value_}, kStepStore);
    }
    if (StoreValue(turn.state, turn.now, walk_.key(), value_) == StoreOutcome::kStored) {
      return OnStored(turn, top);
    }
  }
  Finish(turn, PutOutcome::kRefused);
}

void Put::OnStored(Turn& turn, const Peer& at) {
  ++stored_;
  const std::vector<Peer> closest = walk_.Closest(1);
  const bool at_closest = closest.empty() || closest.front().id == at.id ||
                          Closer(walk_.key(), at.id, closest.front().id);
  if (stopped_short_ || !at_closest) return Finish(turn, PutOutcome::kStored);
  stack_ = {at};
  Copy(turn);
}

void Put::Copy(Turn& turn) {
  phase_ = Phase::kCopying;
  const State& state = turn.state;
  const size_t count = state.options.closest_count;
  std::vector<Peer> closest = walk_.Closest(count);
  const auto place = std::find_if(closest.begin(), closest.end(), [&](const Peer& p) {
    return Closer(walk_.key(), state.self.id, p.id);
  });
  closest.insert(place, state.self);
  if (closest.size() > count) closest.resize(count);
  for (const Peer& peer : closest) {
    if (peer.id == stack_.back().id) continue;
    if (peer.id == state.self.id) {
      stored_ += StoreValue(turn.state, turn.now, walk_.key(), value_) == StoreOutcome::kStored;
      continue;
    }
    ++in_flight_;
    turn.Ask(id(), peer, StoreQuery{walk_.key(), value_}, kStepCopy);
  }
  if (in_flight_ == 0) Finish(turn, PutOutcome::kStored);
}

void Put::Finish(Turn& turn, PutOutcome outcome) {
  Stats& stats = turn.state.stats;
  switch (outcome) {
    case PutOutcome::kStored:
      ++stats.puts_stored;
      break;
    case PutOutcome::kSaturated:
      ++stats.puts_saturated;
      break;
    case PutOutcome::kRefused:
      ++stats.puts_refused;
      break;
  }
  turn.Finish(PutDone{id(), outcome, stored_});
  turn.End(*this);
}

OperationId StartPut(Turn& turn, const PutRequest& request) {
  Put& put = turn.Begin<Put>(turn.state, request);
  const OperationId id = put.id();
  put.Start(turn);
  return id;
}

}  // namespace reef::dsht
