// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/crowd.h"

#include <algorithm>
#include <utility>

namespace reef::sim {
namespace {

using dsht::ClaimAnswer;
using dsht::ClaimAnswered;
using dsht::ClaimEnd;

constexpr Duration kReferenceTtl = std::chrono::hours(1);

double Ms(Duration d) {
  return Seconds(d) * 1000;
}

}  // namespace

Crowd::Crowd(World& world, const Options& options, Measures& measures)
    : world_(world), options_(options), measures_(measures) {}

void Crowd::Begin(const dsht::Key& key, std::vector<NodeIndex> members) {
  key_ = key;
  for (NodeIndex node : members) {
    members_[node];
    const uint64_t span_ns = static_cast<uint64_t>(options_.within.count()) + 1;
    Later(node, Duration(static_cast<int64_t>(world_.rng().Below(span_ns))), [this, node] {
      members_[node].waiting_since = world_.now();
      Claim(node);
    });
  }
  if (options_.kill_first_after > Duration::zero()) {
    world_.In(options_.kill_first_after, [this] { KillFirst(); });
  }
}

void Crowd::Later(NodeIndex node, Duration delay, std::function<void()> action) {
  world_.In(delay, [this, node, turn = members_[node].turn, action = std::move(action)] {
    const Member& member = members_[node];
    if (member.turn == turn && world_.IsUp(node)) action();
  });
}

void Crowd::Claim(NodeIndex node) {
  Member& member = members_[node];
  member.stage = Stage::kClaiming;
  ++member.turn;
  dsht::ClaimRequest request;
  request.key = key_;
  request.value = world_.PeerOf(node).http.ToString();
  request.exclude = member.failed;
  measures_.Add("claim.claims", 1);
  world_.Claim(node, request, [this, node](const dsht::Finished& finished) {
    if (const auto* answered = std::get_if<ClaimAnswered>(&finished)) {
      OnAnswer(node, *answered);
    } else {
      OnLost(node);
    }
  });
}

void Crowd::OnAnswer(NodeIndex node, const ClaimAnswered& answered) {
  Member& member = members_[node];
  member.claim = answered.claim;
  switch (answered.answer.kind) {
    case ClaimAnswer::Kind::kFirst:
      return Fetch(node);
    case ClaimAnswer::Kind::kHeld:
      return Read(node, answered.answer.holders);
    case ClaimAnswer::Kind::kNoAnswer:
      measures_.Add("claim.no_answer", 1);
      return FetchWithoutClaim(node);
    case ClaimAnswer::Kind::kUncacheable:
      measures_.Add("claim.uncacheable", 1);
      return FetchWithoutClaim(node);
  }
}

void Crowd::Fetch(NodeIndex node) {
  members_[node].stage = Stage::kFetching;
  EndWait(node);
  measures_.Add("claim.firsts", 1);
  if (!leaders_.empty()) measures_.Add("claim.double_firsts", 1);
  leaders_.insert(node);
  ++origin_fetches_;
  Later(node, options_.origin, [this, node] {
    world_.Streaming(node, members_[node].claim);
    Later(node, options_.transfer, [this, node] { Serve(node); });
  });
}

void Crowd::FetchWithoutClaim(NodeIndex node) {
  members_[node].stage = Stage::kFetching;
  EndWait(node);
  ++origin_fetches_;
  Later(node, options_.origin + options_.transfer, [this, node] { Serve(node); });
}

void Crowd::Read(NodeIndex node, const std::vector<dsht::Holder>& holders) {
  if (holders.empty()) {
    measures_.Add("claim.held_by_nobody", 1);
    return FetchWithoutClaim(node);
  }
  const std::optional<NodeIndex> named = world_.IndexOf(holders.front().node);
  REEF_CHECK(named.has_value()) << "a holder that does not exist";
  measures_.Add("claim.wait_cycles", ReadsFrom(*named, node));
  Member& member = members_[node];
  member.stage = Stage::kReading;
  member.holder = *named;
  const Member& holder = members_[*named];
  if (!world_.IsUp(*named) || holder.stage == Stage::kIdle) {
    // Nothing will come.
    measures_.Add("claim.sent_to_the_dead", 1);
    return Later(node, TimeToStall(), [this, node] { ClaimAgain(node); });
  }
  if (holder.waiting_since == kNever) EndWait(node);
  if (holder.stage == Stage::kServed) {
    Later(node, world_.network().Rtt(node, *named) + options_.transfer,
          [this, node] { Serve(node); });
  }
}

void Crowd::Serve(NodeIndex node) {
  Member& member = members_[node];
  ++member.turn;
  member.stage = Stage::kServed;
  const bool led = leaders_.erase(node) > 0;
  world_.Release(node, member.claim, led ? ClaimEnd::kComplete : ClaimEnd::kFailed, kReferenceTtl);
  for (NodeIndex reader : ReadersOf(node)) {
    Later(reader, world_.network().Rtt(node, reader) / 2, [this, reader] { Serve(reader); });
  }
}

void Crowd::OnLost(NodeIndex node) {
  if (leaders_.erase(node) == 0) return;
  measures_.Add("claim.lost", 1);
  Member& member = members_[node];
  member.waiting_since = world_.now();
  ++member.turn;
  LeaveReaders(node,
               [this, node](NodeIndex reader) { return world_.network().Rtt(node, reader) / 2; });
  // Its own callback is running: the next claim is another event.
  Later(node, Duration::zero(), [this, node] {
    world_.Release(node, members_[node].claim, ClaimEnd::kFailed, Duration::zero());
    Claim(node);
  });
}

void Crowd::ClaimAgain(NodeIndex node) {
  Member& member = members_[node];
  if (!world_.IsUp(member.holder)) member.failed.push_back(world_.IdOf(member.holder));
  measures_.Add("claim.again", 1);
  world_.Release(node, member.claim, ClaimEnd::kFailed, Duration::zero());
  Claim(node);
}

void Crowd::KillFirst() {
  if (leaders_.empty()) {
    measures_.Add("claim.nobody_to_kill", 1);
    return;
  }
  const NodeIndex victim = *leaders_.begin();
  leaders_.erase(victim);
  killed_ = true;
  world_.Kill(victim);
  members_[victim].stage = Stage::kDead;
  LeaveReaders(victim, [this](NodeIndex) { return TimeToStall(); });
}

void Crowd::LeaveReaders(NodeIndex holder, std::function<Duration(NodeIndex reader)> delay) {
  for (NodeIndex reader : ReadersOf(holder)) {
    members_[reader].waiting_since = world_.now();
    Later(reader, delay(reader), [this, reader] { ClaimAgain(reader); });
  }
}

// The last sign of life came at some time within its period before.
Duration Crowd::TimeToStall() {
  constexpr Duration kSignEvery = std::chrono::milliseconds(500);
  const uint64_t since_ns = world_.rng().Below(static_cast<uint64_t>(kSignEvery.count()));
  return options_.stall - Duration(static_cast<int64_t>(since_ns));
}

void Crowd::EndWait(NodeIndex node) {
  Member& member = members_[node];
  if (member.waiting_since == kNever) return;
  measures_.Sample(killed_ ? "claim.recover_ms" : "claim.wait_ms",
                   Ms(world_.now() - member.waiting_since));
  member.waiting_since = kNever;
  for (NodeIndex reader : ReadersOf(node)) EndWait(reader);
}

bool Crowd::ReadsFrom(NodeIndex node, NodeIndex source) const {
  for (size_t steps = 0; steps <= members_.size(); ++steps) {
    if (node == source) return true;
    const auto member = members_.find(node);
    if (member == members_.end() || member->second.stage != Stage::kReading) return false;
    node = member->second.holder;
  }
  return true;
}

std::vector<NodeIndex> Crowd::ReadersOf(NodeIndex holder) const {
  std::vector<NodeIndex> readers;
  for (const auto& [node, member] : members_) {
    if (member.stage == Stage::kReading && member.holder == holder && world_.IsUp(node)) {
      readers.push_back(node);
    }
  }
  return readers;
}

void Crowd::Close() {
  const auto unserved = std::count_if(members_.begin(), members_.end(), [this](const auto& entry) {
    return entry.second.stage != Stage::kServed && world_.IsUp(entry.first);
  });
  measures_.Add("claim.unserved", static_cast<double>(unserved));
  measures_.Sample("claim.origin_fetches", static_cast<double>(origin_fetches_));
  // Named even if nothing happened.
  for (const char* name : {"claim.double_firsts", "claim.no_answer", "claim.wait_cycles"}) {
    measures_.Add(name, 0);
  }
}

}  // namespace reef::sim
