// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/put.h"

#include <algorithm>

#include "dsht/core/answers.h"
#include "dsht/core/state.h"

namespace reef::dsht {

namespace {

// Rpc::step.
enum Step : uint8_t { kStepStatus, kStepStore, kStepCopy, kStepCopyAgain };

// The key is asked for often there and has a value of somebody else's that lives as long, so it is
// known further out too. Loaded alone does not say so: a status that is asked again for want of an
// answer counts twice, and what is there may be our own.
bool IsKnown(const StatusReply& status, Duration ttl) {
  return status.loaded && status.value_count > 1 && status.shortest_ttl * 2 >= ttl;
}

}  // namespace

Put::Put(const State& state, const PutRequest& request, Reach reach)
    : climb_(state, request.key, state.options.bits_per_hop, 1, Climb::Covers::kItsLevel,
             reach == Reach::kWorldAlone ? 0 : kLevelMax),
      reach_(reach),
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
  ++turn.state.stats.puts;
  BeginLevel(turn);
}

void Put::BeginLevel(Turn& turn) {
  State& state = turn.state;
  if (climb_.level() == 0 && reach_ == Reach::kClusters) return Finish(turn, outcome_);
  value_.level = static_cast<uint8_t>(climb_.level());
  phase_ = Phase::kForward;
  stopped_short_ = known_ = false;
  stack_.clear();
  const StatusQuery query{climb_.key(), {}, OnlyLevel(climb_.level())};
  const StatusReply here = AnswerStatus(state, turn.now, query, state.self.id);
  if (!Takes(state.options, here)) {
    return Finish(turn, stored_ > 0 ? outcome_ : PutOutcome::kSaturated);
  }
  stack_.push_back({state.self, IsKnown(here, value_.ttl)});
  Advance(turn);
}

void Put::Advance(Turn& turn) {
  Walk& walk = climb_.walk();
  while (std::optional<Peer> peer = walk.Next()) {
    ++turn.state.stats.put_hops;
    turn.Ask(id(), *peer, StatusQuery{walk.key(), walk.TargetAfter(peer->id), climb_.levels()},
             kStepStatus);
  }
  if (walk.in_flight() == 0) Reverse(turn);
}

void Put::OnReply(Turn& turn, const Rpc& rpc, const Body& reply) {
  switch (rpc.step) {
    case kStepStatus: {
      if (phase_ != Phase::kForward || !climb_.IsCurrent(rpc)) return;
      const StatusReply* status = std::get_if<StatusReply>(&reply);
      if (status == nullptr) return OnFailure(turn, rpc);
      climb_.Answered(rpc, status->peers, status->outer_peers);
      if (!Takes(turn.state.options, *status)) {
        stopped_short_ = true;
        return Reverse(turn);
      }
      stack_.push_back({rpc.to, IsKnown(*status, value_.ttl)});
      return Advance(turn);
    }
    case kStepStore: {
      const StoreReply* said = std::get_if<StoreReply>(&reply);
      if (said == nullptr || said->outcome != StoreOutcome::kStored) return Reverse(turn);
      return OnStored(turn, storing_);
    }
    default: {
      const StoreReply* said = std::get_if<StoreReply>(&reply);
      stored_ += said != nullptr && said->outcome == StoreOutcome::kStored;
      if (--in_flight_ == 0) EndLevel(turn);
    }
  }
}

void Put::OnFailure(Turn& turn, const Rpc& rpc) {
  switch (rpc.step) {
    case kStepStatus:
      if (phase_ == Phase::kForward && climb_.Failed(rpc)) Advance(turn);
      return;
    case kStepStore:
      return Reverse(turn);
    case kStepCopy:
      return turn.Ask(id(), rpc.to, StoreQuery{climb_.key(), value_}, kStepCopyAgain);
    default:
      if (--in_flight_ == 0) EndLevel(turn);
  }
}

void Put::OnSlow(Turn& turn, const Rpc& rpc) {
  if (phase_ != Phase::kForward || rpc.step != kStepStatus) return;
  if (climb_.Slow(rpc)) Advance(turn);
}

void Put::Reverse(Turn& turn) {
  if (phase_ == Phase::kForward) {
    phase_ = Phase::kReverse;
    std::sort(stack_.begin(), stack_.end(), [this](const Tried& a, const Tried& b) {
      return Closer(climb_.key(), b.peer.id, a.peer.id);
    });
  }
  while (!stack_.empty()) {
    const Tried top = stack_.back();
    stack_.pop_back();
    if (top.peer.id != turn.state.self.id) {
      storing_ = top;
      return turn.Ask(id(), top.peer, StoreQuery{climb_.key(), value_}, kStepStore);
    }
    if (StoreValue(turn.state, turn.now, climb_.key(), value_) == StoreOutcome::kStored) {
      return OnStored(turn, top);
    }
  }
  EndLevel(turn);
}

void Put::OnStored(Turn& turn, const Tried& at) {
  ++stored_;
  outcome_ = PutOutcome::kStored;
  known_ = at.known;
  const std::vector<Peer> closest = climb_.walk().Closest(1);
  const bool at_closest = closest.empty() || closest.front().id == at.peer.id ||
                          Closer(climb_.key(), at.peer.id, closest.front().id);
  if (climb_.level() > 0 || stopped_short_ || !at_closest) return EndLevel(turn);
  Copy(turn, at.peer.id);
}

void Put::Copy(Turn& turn, const NodeId& stored_at) {
  phase_ = Phase::kCopying;
  const State& state = turn.state;
  const size_t count = state.options.closest_count;
  std::vector<Peer> closest = climb_.walk().Closest(count);
  const auto place = std::find_if(closest.begin(), closest.end(), [&](const Peer& p) {
    return Closer(climb_.key(), state.self.id, p.id);
  });
  closest.insert(place, state.self);
  if (closest.size() > count) closest.resize(count);
  for (const Peer& peer : closest) {
    if (peer.id == stored_at) continue;
    if (peer.id == state.self.id) {
      stored_ += StoreValue(turn.state, turn.now, climb_.key(), value_) == StoreOutcome::kStored;
      continue;
    }
    ++in_flight_;
    turn.Ask(id(), peer, StoreQuery{climb_.key(), value_}, kStepCopy);
  }
  if (in_flight_ == 0) EndLevel(turn);
}

void Put::EndLevel(Turn& turn) {
  const bool enough = stopped_short_ || known_;
  if (enough || !climb_.Outward(turn.state)) return Finish(turn, outcome_);
  BeginLevel(turn);
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

OperationId StartPut(Turn& turn, const PutRequest& request, Put::Reach reach) {
  Put& put = turn.Begin<Put>(turn.state, request, reach);
  const OperationId id = put.id();
  put.Start(turn);
  return id;
}

}  // namespace reef::dsht
