// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/join.h"

#include <algorithm>
#include <utility>

#include "dsht/core/find.h"
#include "dsht/core/state.h"

namespace reef::dsht {

Join::Join(std::vector<Endpoint> seeds, bool tell) : seeds_(std::move(seeds)), tell_(tell) {}

void Join::Start(Turn& turn) {
  std::erase(seeds_, turn.state.self.rpc);
  turn.state.upkeep.joining = true;
  if (seeds_.empty()) {
    Tell(turn, true);
    return End(turn);
  }
  pause_ = turn.state.options.join_retry_min;
  AskSeeds(turn);
}

void Join::AskSeeds(Turn& turn) {
  while (next_seed_ < seeds_.size() && in_flight_ < turn.state.options.window) {
    ++in_flight_;
    // Not a member yet: this node's id is the target, so the seed names its neighbours.
    turn.AskWithin(id(), Peer{.rpc = seeds_[next_seed_++]}, FindQuery{turn.state.self.id, kWorld},
                   0, turn.state.options.rpc_timeout_max);
  }
  if (in_flight_ > 0 || seeding_) return;
  Tell(turn, false);
  next_seed_ = 0;
  const auto jitter =
      static_cast<int64_t>(turn.state.rng.Below(static_cast<uint64_t>(pause_.count() / 4 + 1)));
  turn.WakeAt(*this, turn.now + pause_ + Duration(jitter));
  pause_ = std::min(2 * pause_, turn.state.options.join_retry_max);
}

void Join::OnTimer(Turn& turn) {
  AskSeeds(turn);
}

void Join::OnReply(Turn& turn, const Rpc& rpc, const Body& reply) {
  const FindReply* said = std::get_if<FindReply>(&reply);
  if (said == nullptr || rpc.to.id == turn.state.self.id) return OnFailure(turn, rpc);
  --in_flight_;
  if (seeding_) return;  // one is enough; the others are in the table now
  seeding_ = true;
  seen_as_ = said->seen_as;
  std::vector<Peer> known(
      said->peers.begin(),
      said->peers.begin() +
          static_cast<ptrdiff_t>(std::min(said->peers.size(), turn.state.options.reply_peers_max)));
  known.push_back(rpc.to);
  turn.Begin<Find>(turn.state, 0, turn.state.self.id, known, id()).Start(turn);
}

void Join::OnFailure(Turn& turn, const Rpc&) {
  --in_flight_;
  AskSeeds(turn);
}

void Join::OnChildEnded(Turn& turn) {
  State& state = turn.state;
  if (next_bucket_ < 0) {
    Tell(turn, true);
    next_bucket_ = state.world().Depth();
  }
  while (--next_bucket_ >= 0) {
    const Id target = RandomIdSharing(state.self.id, next_bucket_, state.rng);
    if (!state.world().HasRoomFor(target)) continue;  // that bucket is full
    return turn.Begin<Find>(state, 0, target, std::vector<Peer>{}, id()).Start(turn);
  }
  End(turn);
}

void Join::Tell(Turn& turn, bool joined) {
  if (!tell_) return;
  tell_ = false;
  turn.Finish(JoinDone{id(), joined, turn.state.world().size(), seen_as_});
}

void Join::End(Turn& turn) {
  turn.state.upkeep.joining = false;
  turn.End(*this);
}

}  // namespace reef::dsht
