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

void PutNearestFirst(const State& state, std::vector<Holder>& holders) {
  for (Holder& holder : holders) {
    // What it says itself counts more than what was kept about it: it may have moved since.
    const bool known = state.sightings.Find(holder.node) != nullptr;
    holder.level = state.NearestLevelOf(holder.node, known ? 0 : holder.level);
  }
  std::stable_sort(holders.begin(), holders.end(), [](const Holder& a, const Holder& b) {
    return std::pair(a.complete, a.level) > std::pair(b.complete, b.level);
  });
}

Get::Get(const State& state, const Key& key, int from_level)
    : climb_(state, key, state.options.bits_per_hop, state.options.closest_count,
             Climb::Covers::kOuterLevels, from_level) {}

void Get::Start(Turn& turn) {
  const std::vector<Value> here = LiveValues(turn.state, turn.now, climb_.key(), climb_.levels());
  if (!here.empty()) return Finish(turn, here);
  Advance(turn);
}

void Get::Advance(Turn& turn) {
  do {
    Walk& walk = climb_.walk();
    while (std::optional<Peer> peer = walk.Next()) {
      ++turn.state.stats.get_hops;
      turn.Ask(id(), *peer, GetQuery{walk.key(), walk.TargetAfter(peer->id), climb_.levels()}, 0);
    }
    if (walk.in_flight() > 0) return;
  } while (climb_.Outward(turn.state));
  Finish(turn, {});
}

void Get::OnReply(Turn& turn, const Rpc& rpc, const Body& reply) {
  const GetReply* said = std::get_if<GetReply>(&reply);
  if (said == nullptr) return OnFailure(turn, rpc);
  if (!said->values.empty()) {
    const auto count = std::min(said->values.size(), turn.state.options.values_per_key_max);
    return Finish(turn,
                  {said->values.begin(), said->values.begin() + static_cast<ptrdiff_t>(count)});
  }
  if (!climb_.IsCurrent(rpc)) return;
  climb_.Answered(rpc, said->peers, said->outer_peers);
  Advance(turn);
}

void Get::OnFailure(Turn& turn, const Rpc& rpc) {
  if (climb_.Failed(rpc)) Advance(turn);
}

void Get::OnSlow(Turn& turn, const Rpc& rpc) {
  if (climb_.Slow(rpc)) Advance(turn);
}

void Get::Finish(Turn& turn, const std::vector<Value>& values) {
  Found(turn, values);
  turn.End(*this);
}

void Get::Found(Turn& turn, const std::vector<Value>& values) {
  turn.state.stats.gets_found += !values.empty();
  std::vector<Holder> holders = HoldersOf(values);
  PutNearestFirst(turn.state, holders);
  turn.Finish(GetDone{id(), std::move(holders)});
}

}  // namespace reef::dsht
