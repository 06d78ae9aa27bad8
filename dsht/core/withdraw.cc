// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/withdraw.h"

#include "dsht/core/state.h"

namespace reef::dsht {

Withdraw::Withdraw(const State& state, const Key& key, const std::string& value)
    : walk_(key, state.self.id, state.options, state.table, state.options.bits_per_hop,
            state.options.closest_count),
      value_(value) {}

void Withdraw::Start(Turn& turn) {
  ++turn.state.stats.withdraws;
  removed_ += turn.state.values.Remove(walk_.key(), turn.state.self.id, value_);
  Advance(turn);
}

void Withdraw::Advance(Turn& turn) {
  while (std::optional<Peer> peer = walk_.Next()) {
    turn.Ask(id(), *peer, WithdrawQuery{walk_.key(), walk_.TargetAfter(peer->id), kWorld, value_},
             0);
  }
  if (walk_.in_flight() > 0) return;
  turn.Finish(WithdrawDone{id(), removed_});
  turn.End(*this);
}

void Withdraw::OnReply(Turn& turn, const Rpc& rpc, const Body& reply) {
  const WithdrawReply* said = std::get_if<WithdrawReply>(&reply);
  if (said == nullptr) return OnFailure(turn, rpc);
  removed_ += said->removed;
  walk_.Answered(rpc.to.id, rpc.sent, said->peers);
  Advance(turn);
}

void Withdraw::OnFailure(Turn& turn, const Rpc& rpc) {
  walk_.Failed(rpc.to.id, rpc.sent);
  Advance(turn);
}

void Withdraw::OnSlow(Turn& turn, const Rpc& rpc) {
  walk_.Slow(rpc.to.id, rpc.sent);
  Advance(turn);
}

}  // namespace reef::dsht
