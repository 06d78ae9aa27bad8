// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/withdraw.h"

#include "dsht/core/state.h"

namespace reef::dsht {

Withdraw::Withdraw(const State& state, const Key& key, const std::string& value)
    : climb_(state, key, state.options.bits_per_hop, state.options.closest_count,
             Climb::Covers::kItsLevel),
      value_(value) {}

void Withdraw::Start(Turn& turn) {
  ++turn.state.stats.withdraws;
  removed_ += turn.state.values.Remove(climb_.key(), turn.state.self.id, value_);
  Advance(turn);
}

void Withdraw::Advance(Turn& turn) {
  do {
    Walk& walk = climb_.walk();
    while (std::optional<Peer> peer = walk.Next()) {
      turn.Ask(id(), *peer,
               WithdrawQuery{walk.key(), walk.TargetAfter(peer->id), climb_.levels(), value_}, 0);
    }
    if (walk.in_flight() > 0) return;
  } while (climb_.Outward(turn.state));
  turn.Finish(WithdrawDone{id(), removed_});
  turn.End(*this);
}

void Withdraw::OnReply(Turn& turn, const Rpc& rpc, const Body& reply) {
  const WithdrawReply* said = std::get_if<WithdrawReply>(&reply);
  if (said == nullptr) return OnFailure(turn, rpc);
  removed_ += said->removed;
  if (!climb_.IsCurrent(rpc)) return;
  climb_.Answered(rpc, said->peers, {});
  Advance(turn);
}

void Withdraw::OnFailure(Turn& turn, const Rpc& rpc) {
  if (climb_.Failed(rpc)) Advance(turn);
}

void Withdraw::OnSlow(Turn& turn, const Rpc& rpc) {
  if (climb_.Slow(rpc)) Advance(turn);
}

}  // namespace reef::dsht
