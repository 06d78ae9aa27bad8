// SPDX-License-Identifier: Apache-2.0
//
// Climb: one walk for each level, from this node's nearest cluster outward to the world. Each goes
// on in the id space where the last one ended, so that all together ask hardly more nodes than one
// in the world alone, the first of them near ones (CoralCDN, NSDI 2004, 4.3). A level at which this
// node is alone is left out.
//
// Owned by an operation. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "dsht/core/message.h"
#include "dsht/core/peer.h"
#include "dsht/core/rpc_table.h"
#include "dsht/core/walk.h"

namespace reef::dsht {

struct State;

class Climb {
 public:
  // What an answer at one level says of the next one outward.
  enum class Covers : uint8_t {
    kOuterLevels,  // what the node keeps at every level: it need not be asked again
    kItsLevel,
  };

  // `closest`: as of Walk, at the level of the world; further in it is one. Begins at `from_level`
  // or, if there are fewer, at the nearest.
  Climb(const State& state, const Key& key, int bits_per_hop, size_t closest, Covers covers,
        int from_level = kLevelMax);

  int level() const { return level_; }
  // For queries of the current level.
  Levels levels() const { return LevelsUpTo(level_); }
  const Key& key() const { return key_; }
  Walk& walk() { return *walk_; }
  const Walk& walk() const { return *walk_; }

  // A reply belongs to the current walk.
  bool IsCurrent(const Rpc& rpc) const { return rpc.level == level_; }
  // As Walk::Answered. Requires: IsCurrent.
  void Answered(const Rpc& rpc, const std::vector<Peer>& peers,
                const std::vector<Peer>& outer_peers);

  // As Walk::Failed and Slow; false: not current, nothing was done.
  bool Failed(const Rpc& rpc);
  bool Slow(const Rpc& rpc);

  // Begins the next walk; false after that of the world. Replies still under way are not current
  // any more.
  bool Outward(const State& state);
  // The same for the walk of the world, whatever is between. `from` has answered for the world.
  void ToWorld(const State& state, const Peer& from);

 private:
  void Begin(const State& state, int level, int fixed_bits);
  int BitsReached(const State& state) const;

  const Key key_;
  const int bits_per_hop_;
  const size_t closest_;
  const Covers covers_;
  int level_ = 0;
  std::optional<Walk> walk_;
  std::vector<Peer> ends_;   // that knew nobody closer at this level
  std::vector<Peer> outer_;  // whom they named
};

}  // namespace reef::dsht
