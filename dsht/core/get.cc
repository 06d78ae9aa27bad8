// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/get.h"

#include <algorithm>

#include "dsht/core/answers.h"
#include "dsht/core/state.h"

namespace reef::dsht {

std::vector<Holder> HoldersOf(const std::vector<Value>& values) {
  std::vector<Holder> holders;
  holders.reserve(values.size());
  for (const Value& v : values) {
    holders.push_back(Holder{v.publisher, v.bytes, v.complete, v.level});
  }
  return holders;
}

Get::Get(const State& state, const Key& key)
    : walk_(key, state.self.id, state.options, state.table, state.options.bits_per_hop,
            state.options.closest_count) {}

void Get::Start(Turn& turn) {
  ++turn.state.stats.gets;
  const std::vector<Value> here = LiveValues(turn.state, turn.now, walk_.key(), kWorld);
  if (!here.empty()) return Finish(turn, here);
  Advance(turn);
}

void Get::Advance(Turn& turn) {
  while (std::optional<Peer> peer = walk_.Next()) {
    ++turn.state.stats.get_hops;
    turn.Ask(id(), *peer, GetQuery{walk_.key(), walk_.TargetAfter(peer->id), kWorld}, 0);
  }
  if (walk_.in_flight() == 0) Finish(turn, {});
}

void Get::OnReply(Turn& turn, const Rpc& rpc, const Body& reply) {
  const GetReply* said = std::get_if<GetReply>(&reply);
  if (said == nullptr) return OnFailure(turn, rpc);
  walk_.Answered(rpc.to.id, rpc.sent, said->peers);
  if (said->values.empty()) return Advance(turn);
  const auto count = std::min(said->values.size(), turn.state.options.values_per_key_max);
  Finish(turn, {said->values.begin(), said->values.begin() + static_cast<ptrdiff_t>(count)});
}

void Get::OnFailure(Turn& turn, const Rpc& rpc) {
  walk_.Failed(rpc.to.id, rpc.sent);
  Advance(turn);
}

void Get::OnSlow(Turn& turn, const Rpc& rpc) {
  walk_.Slow(rpc.to.id, rpc.sent);
  Advance(turn);
}

void Get::Finish(Turn& turn, const std::vector<Value>& values) {
  turn.state.stats.gets_found += !values.empty();
  turn.Finish(GetDone{id(), HoldersOf(values)});
  turn.End(*this);
}

}  // namespace reef::dsht
