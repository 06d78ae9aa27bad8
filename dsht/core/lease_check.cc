// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/lease_check.h"

#include "dsht/core/claim_answer.h"
#include "dsht/core/state.h"

namespace reef::dsht {

namespace {

constexpr int kTries = 2;

void Revoke(Turn& turn, const Key& key, const Lease& lease) {
  turn.state.leases.Vacate(turn.now, key, lease.level, lease.attempt);
  ++turn.state.stats.leases_revoked;
}

class LeaseCheck : public Operation {
 public:
  LeaseCheck(const Key& key, const Lease& lease) : key_(key), lease_(lease) {}

  void Start(Turn& turn) {
    turn.state.checks.emplace(std::pair{key_, lease_.attempt}, id());
    Ask(turn);
    turn.WakeAt(*this, turn.now + turn.state.options.check_timeout / 2);
  }

  void OnReply(Turn& turn, const Rpc&, const Body& reply) override {
    const ContestReply* said = std::get_if<ContestReply>(&reply);
    if (said != nullptr && said->standing == Standing::kGone) {
      Revoke(turn, key_, lease_);
    } else {
      turn.state.standing.Add({key_, lease_.attempt}, turn.now + kStandsFor);
    }
    Finish(turn);
  }

  void OnFailure(Turn& turn, const Rpc&) override {
    --in_flight_;
    if (tries_ < kTries) return Ask(turn);
    if (in_flight_ > 0) return;
    Revoke(turn, key_, lease_);
    Finish(turn);
  }

  // Many wait for the verdict: the second try does not wait for the end of the first.
  void OnTimer(Turn& turn) override {
    if (tries_ < kTries) Ask(turn);
  }

 private:
  void Ask(Turn& turn) {
    ++tries_;
    ++in_flight_;
    const Peer holder{.id = lease_.attempt.node, .rpc = lease_.rpc};
    turn.AskWithin(id(), holder,
                   ContestQuery{.key = key_, .level = lease_.level, .attempt = lease_.attempt}, 0,
                   turn.state.options.check_timeout);
  }

  void Finish(Turn& turn) {
    turn.state.checks.erase({key_, lease_.attempt});
    turn.End(*this);
  }

  Key key_;
  Lease lease_;
  int tries_ = 0;
  int in_flight_ = 0;
};

}  // namespace

bool IsBeingChecked(const State& state, const Key& key) {
  const auto it = state.checks.lower_bound({key, Attempt{}});
  return it != state.checks.end() && it->first.first == key;
}

HolderCheck CheckHolder(Turn& turn, const Key& key, const Lease& lease) {
  State& state = turn.state;
  if (lease.attempt.node == state.self.id) {
    const ContestReply said = AnswerContest(
        turn, ContestQuery{.key = key, .level = lease.level, .attempt = lease.attempt});
    if (said.standing != Standing::kGone) return HolderCheck::kStands;
    Revoke(turn, key, lease);
    return HolderCheck::kRevoked;
  }
  if (state.unreachable.Has(turn.now, {lease.attempt.node, lease.rpc})) {
    // Two pings of ours have failed already, for another reason.
    Revoke(turn, key, lease);
    return HolderCheck::kRevoked;
  }
  if (state.standing.Has(turn.now, {key, lease.attempt})) return HolderCheck::kStands;
  if (state.checks.contains({key, lease.attempt})) return HolderCheck::kRunning;
  if (state.checks.size() >= state.options.checks_max) {
    ++state.stats.checks_refused;
    return HolderCheck::kRunning;
  }
  turn.Begin<LeaseCheck>(key, lease).Start(turn);
  return HolderCheck::kRunning;
}

}  // namespace reef::dsht
