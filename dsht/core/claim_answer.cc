// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/claim_answer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "dsht/core/answers.h"
#include "dsht/core/claim.h"
#include "dsht/core/lease_check.h"
#include "dsht/core/state.h"

namespace reef::dsht {

namespace {

// How long a claimant waits before it asks again, while something is being checked.
constexpr Duration kAskAgain = std::chrono::milliseconds(100);
// A closer node that answered us within this time is there, whatever the claimant sees.
constexpr Duration kSurelyThere = std::chrono::seconds(2);

template <typename T>
bool Contains(const std::vector<T>& items, const T& item) {
  return std::find(items.begin(), items.end(), item) != items.end();
}

Lease LeaseFor(const State& state, const ClaimQuery& query, uint32_t epoch) {
  return Lease{.attempt = query.attempt,
               .epoch = epoch,
               .state = query.state,
               .level = 0,
               .duration = state.options.lease,
               .value = query.value,
               .rpc = query.claimant};
}

std::vector<Value> UsableValues(State& state, Instant now, const ClaimQuery& query) {
  std::vector<Value> values = LiveValues(state, now, query.key, query.levels);
  std::erase_if(values, [&](const Value& v) {
    return v.publisher == query.attempt.node || Contains(query.exclude, v.publisher) ||
           (!v.complete && Contains(query.behind, v.publisher));
  });
  if (values.size() > kHoldersMax) values.resize(kHoldersMax);
  return values;
}

ClaimReply Verdict(ClaimVerdict verdict) {
  ClaimReply reply;
  reply.verdict = verdict;
  return reply;
}

ClaimReply Retry() {
  ClaimReply reply = Verdict(ClaimVerdict::kRetry);
  reply.left = kAskAgain;
  return reply;
}

// The level to which this node can answer: further out than the walk's as long as it knows nobody
// closer further in, so that levels that one node decides cost one message (rule 5).
int LevelReached(const State& state, const ClaimQuery& query) {
  int level = HighestLevel(query.levels);
  while (level > 0 && (query.levels & OnlyLevel(level - 1)) != 0) {
    const auto nearest =
        state.TableOf(level).Nearest(query.key, state.options.reply_peers_max, false);
    const bool closer = std::any_of(nearest.begin(), nearest.end(), [&](const auto* entry) {
      const NodeId& id = entry->peer.id;
      return Closer(query.key, id, state.self.id) && id != query.attempt.node &&
             !Contains(query.unreachable, id);
    });
    if (closer) break;
    --level;
  }
  return level;
}

// What stands between this node and the decision.
struct Ahead {
  bool named = false;           // a peer that the claimant may ask itself
  bool unsure = false;          // one that is being pinged
  const Peer* there = nullptr;  // one that only the claimant cannot reach
};

Ahead PeersAhead(Turn& turn, const ClaimQuery& query) {
  State& state = turn.state;
  Ahead ahead;
  std::vector<Peer> to_ping;
  for (const RoutingTable::Entry* entry :
       state.world().Nearest(query.key, state.options.reply_peers_max, false)) {
    const Peer& peer = entry->peer;
    if (!Closer(query.key, peer.id, state.self.id)) break;
    if (peer.id == query.attempt.node) continue;
    if (!Contains(query.unreachable, peer.id)) {
      ahead.named = true;
    } else if (entry->failures == 0 && turn.now - entry->heard < kSurelyThere) {
      if (ahead.there == nullptr) ahead.there = &peer;
    } else {
      to_ping.push_back(peer);
    }
  }
  for (const Peer& peer : to_ping) turn.Ping(peer);
  ahead.unsure = !to_ping.empty();
  return ahead;
}

ClaimReply CloserFor(const State& state, const ClaimQuery& query) {
  ClaimReply reply = Verdict(ClaimVerdict::kCloser);
  if (query.attempt.node == state.self.id) return reply;
  reply.peers = PeersFor(state, HighestLevel(query.levels), query.key, query.next_target,
                         query.attempt.node, Suspects::kNamed);
  if (LevelReached(state, query) < HighestLevel(query.levels)) {
    reply.outer_peers =
        OuterPeersFor(state, query.levels, query.key, query.next_target, query.attempt.node);
  }
  return reply;
}

// This node knows no closer one.
ClaimReply Decide(Turn& turn, const ClaimQuery& query, const std::optional<Lease>& lease) {
  State& state = turn.state;
  uint32_t epoch = lease ? std::min(lease->epoch + 1, kEpochMax) : 1;
  if (lease && IsHeld(*lease)) {
    if (lease->attempt == query.attempt) {
      epoch = lease->epoch;
    } else if (lease->attempt.node != query.attempt.node) {
      switch (CheckHolder(turn, query.key, *lease)) {
        case HolderCheck::kRunning:
          return Retry();
        case HolderCheck::kStands: {
          if (Contains(query.exclude, lease->attempt.node)) {
            return Verdict(ClaimVerdict::kHeldByOther);
          }
          ClaimReply reply = Verdict(ClaimVerdict::kHeld);  // no further than the claimant, yet
          reply.leases.push_back(*lease);
          return reply;
        }
        case HolderCheck::kRevoked:
          break;
      }
    }
  }
  if (!state.leases.Put(turn.now, query.key, LeaseFor(state, query, epoch))) {
    return Verdict(ClaimVerdict::kBusy);
  }
  ++state.stats.leases_granted;
  ClaimReply reply = Verdict(ClaimVerdict::kFirst);
  reply.epoch = epoch;
  reply.peers = PeersFor(state, 0, query.key, query.key, query.attempt.node, Suspects::kNamed);
  return reply;
}

// Rule 3: stores what another node granted, unless something stands against it.
ClaimReply Confirm(Turn& turn, const ClaimQuery& query, const std::optional<Lease>& lease) {
  State& state = turn.state;
  const bool rival = lease && IsHeld(*lease) && lease->attempt.node != query.attempt.node &&
                     lease->epoch >= query.epoch && !Contains(query.superseded, lease->attempt);
  if (rival) {
    ClaimReply reply = Verdict(ClaimVerdict::kRival);
    reply.leases.push_back(*lease);
    return reply;
  }
  if (!state.leases.Put(turn.now, query.key, LeaseFor(state, query, query.epoch))) {
    return Verdict(ClaimVerdict::kBusy);
  }
  ++state.stats.leases_confirmed;
  ClaimReply reply = Verdict(ClaimVerdict::kFirst);
  reply.epoch = query.epoch;
  reply.peers = PeersFor(state, 0, query.key, query.key, query.attempt.node, Suspects::kNamed);
  return reply;
}

// Passes a claim on to a closer node that the claimant cannot reach; an attempt once at a time.
class Relay : public Operation {
 public:
  Relay(RpcId asker, ClaimQuery query) : asker_(asker), query_(std::move(query)) {}

  void Start(Turn& turn, const Peer& to) {
    turn.state.relays.emplace(query_.key, query_.attempt);
    ++turn.state.stats.relays;
    query_.relayed = true;
    query_.levels = kWorld;
    query_.unreachable.clear();
    turn.Ask(id(), to, query_, 0);
  }

  // The claimant gives up on us before this is overdue; when it asks again, the answer is the same.
  void OnSlow(Turn& turn, const Rpc&) override { Answer(turn, Retry()); }

  void OnReply(Turn& turn, const Rpc&, const Body& reply) override {
    const ClaimReply* said = std::get_if<ClaimReply>(&reply);
    if (said == nullptr) return End(turn, Retry());
    if (said->verdict == ClaimVerdict::kFirst) return OnGrant(turn, *said);
    End(turn, *said);
  }

  void OnFailure(Turn& turn, const Rpc&) override { End(turn, Retry()); }

 private:
  // The claimant will renew here what it cannot renew there.
  void OnGrant(Turn& turn, ClaimReply grant) {
    State& state = turn.state;
    grant.epoch = std::min(grant.epoch, kEpochMax);
    const Lease lease = LeaseFor(state, query_, grant.epoch);
    // Much may have happened here meanwhile: then the claimant is told of that when it asks again.
    const std::optional<Lease> here = state.leases.Find(turn.now, query_.key, lease.level);
    if (!MayReplace(here, lease)) return End(turn, Retry());
    if (!state.leases.Put(turn.now, query_.key, lease)) {
      return End(turn, Verdict(ClaimVerdict::kBusy));
    }
    End(turn, std::move(grant));
  }
  void Answer(Turn& turn, ClaimReply reply) {
    if (!std::exchange(answered_, true)) turn.Reply(asker_, std::move(reply));
  }
  void End(Turn& turn, ClaimReply reply) {
    Answer(turn, std::move(reply));
    turn.state.relays.erase({query_.key, query_.attempt});
    turn.End(*this);
  }

  RpcId asker_;
  ClaimQuery query_;
  bool answered_ = false;
};

}  // namespace

std::optional<ClaimReply> AnswerClaim(Turn& turn, const ClaimQuery& query, Peer* relay_to) {
  State& state = turn.state;
  const std::optional<Lease> lease = state.leases.Find(turn.now, query.key, 0);
  if (lease && lease->state == LeaseState::kUncacheable) {
    ClaimReply reply = Verdict(ClaimVerdict::kUncacheable);
    reply.left = lease->duration;
    return reply;
  }
  const bool held = lease && IsHeld(*lease);
  const bool own = held && lease->attempt.node == query.attempt.node;
  if (own && lease->attempt.counter > query.attempt.counter) {
    return Verdict(ClaimVerdict::kStale);
  }
  ClaimReply reply = Verdict(ClaimVerdict::kHeld);
  reply.values = UsableValues(state, turn.now, query);
  if (query.stage == ClaimStage::kConfirm) {
    if (!reply.values.empty()) return reply;
    return Confirm(turn, query, lease);
  }
  const bool doubted = held && (Contains(query.exclude, lease->attempt.node) ||
                                Contains(query.behind, lease->attempt.node));
  if (held && !own && !doubted) reply.leases.push_back(*lease);
  if (!reply.values.empty() || !reply.leases.empty()) return reply;

  if (LevelReached(state, query) > 0) return CloserFor(state, query);
  const Ahead ahead = PeersAhead(turn, query);
  if (ahead.named) return CloserFor(state, query);
  if (ahead.there != nullptr) {
    const bool running = state.relays.contains({query.key, query.attempt});
    if (relay_to == nullptr || running) return Retry();
    if (query.relayed || state.relays.size() >= state.options.relays_max) {
      ++state.stats.relays_refused;
      return Retry();
    }
    *relay_to = *ahead.there;
    return std::nullopt;
  }
  if (ahead.unsure) return Retry();
  return Decide(turn, query, lease);
}

void AnswerClaimQuery(Turn& turn, RpcId rpc, const ClaimQuery& query) {
  State& state = turn.state;
  const bool sound = query.value.size() <= kValueBytesMax && !query.value.empty() &&
                     query.claimant.port != 0 && (query.levels & kWorld) != 0 &&
                     query.exclude.size() <= state.options.exclude_max &&
                     query.behind.size() <= state.options.exclude_max &&
                     query.unreachable.size() <= state.options.exclude_max &&
                     query.superseded.size() <= state.options.exclude_max &&
                     query.epoch <= kEpochMax && query.attempt.node != state.self.id &&
                     (query.state == LeaseState::kPending || query.state == LeaseState::kStreaming);
  if (!sound) {
    ++state.stats.invalid_messages;
    return turn.Reply(rpc, RefusedReply{Refusal::kInvalid});
  }
  Peer relay_to;
  std::optional<ClaimReply> reply = AnswerClaim(turn, query, &relay_to);
  if (reply) return turn.Reply(rpc, *std::move(reply));
  turn.Begin<Relay>(rpc, query).Start(turn, relay_to);
}

ContestReply AnswerContest(Turn& turn, const ContestQuery& query) {
  const auto it = turn.state.claims.find(query.key);
  if (it == turn.state.claims.end()) return ContestReply{};
  const auto operation = turn.state.operations.find(it->second);
  REEF_CHECK(operation != turn.state.operations.end());
  // Only claims are in `claims`.
  return static_cast<Claim&>(*operation->second).OnContest(turn, query);
}

}  // namespace reef::dsht
