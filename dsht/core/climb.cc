// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/climb.h"

#include <algorithm>

#include "dsht/core/state.h"

namespace reef::dsht {

namespace {

// The first at or outward of `level` with anybody to ask.
int NotAlone(const State& state, int level) {
  while (level > 0 && state.TableOf(level).size() == 0) --level;
  return level;
}

bool IsMember(const State& state, const NodeId& id, int level) {
  if (level == 0) return true;
  const Sighting* sighting = state.sightings.Find(id);
  return sighting != nullptr &&
         (state.clusters.SharedWith(sighting->clusters) & OnlyLevel(level)) != 0;
}

}  // namespace

Climb::Climb(const State& state, const Key& key, int bits_per_hop, size_t closest, Covers covers,
             int from_level)
    : key_(key), bits_per_hop_(bits_per_hop), closest_(closest), covers_(covers) {
  const int nearest = std::min(from_level, state.clusters.level_count() - 1);
  Begin(state, NotAlone(state, nearest), 0);
}

void Climb::Begin(const State& state, int level, int fixed_bits) {
  level_ = level;
  walk_.emplace(key_, state.self.id, state.options, state.TableOf(level), bits_per_hop_,
                level == 0 ? closest_ : 1);
  walk_->StartAt(fixed_bits);
}

void Climb::Answered(const Rpc& rpc, const std::vector<Peer>& peers,
                     const std::vector<Peer>& outer_peers) {
  walk_->Answered(rpc.to.id, rpc.sent, peers);
  if (outer_peers.empty()) return;
  ends_.push_back(rpc.to);
  outer_.insert(outer_.end(), outer_peers.begin(), outer_peers.end());
}

bool Climb::Failed(const Rpc& rpc) {
  if (!IsCurrent(rpc)) return false;
  if (rpc.outside) {
    walk_->Outside(rpc.to.id);
  } else {
    walk_->Failed(rpc.to.id, rpc.sent);
  }
  return true;
}

bool Climb::Slow(const Rpc& rpc) {
  if (!IsCurrent(rpc)) return false;
  walk_->Slow(rpc.to.id, rpc.sent);
  return true;
}

int Climb::BitsReached(const State& state) const {
  int bits = SharedPrefix(state.self.id, key_);
  if (const std::optional<NodeId> reached = walk_->ClosestAnswered()) {
    bits = std::max(bits, SharedPrefix(*reached, key_));
  }
  return bits / bits_per_hop_ * bits_per_hop_;
}

void Climb::ToWorld(const State& state, const Peer& from) {
  if (level_ == 0) return;
  const std::vector<Peer> unheard = walk_->Unheard();
  Begin(state, 0, BitsReached(state));
  walk_->LearnAnswered(from);
  for (const Peer& peer : unheard) walk_->LearnFailed(peer);
}

bool Climb::Outward(const State& state) {
  if (level_ == 0) return false;
  const std::vector<Peer> unheard = walk_->Unheard();
  const int next = NotAlone(state, level_ - 1);
  // A level was left out: what was named belongs to that one.
  const bool skipped = next != level_ - 1;
  Begin(state, next, BitsReached(state));
  for (const Peer& end : ends_) {
    if (skipped || !IsMember(state, end.id, level_)) continue;
    if (covers_ == Covers::kOuterLevels) {
      walk_->LearnAnswered(end);
    } else {
      walk_->Learn(end);
    }
  }
  for (const Peer& peer : outer_) {
    if (!skipped) walk_->Learn(peer);
  }
  // Whom we wait for no longer here is not waited for there.
  for (const Peer& peer : unheard) walk_->LearnFailed(peer);
  ends_.clear();
  outer_.clear();
  return true;
}

}  // namespace reef::dsht
