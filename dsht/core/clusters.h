// SPDX-License-Identifier: Apache-2.0
//
// Clusters: which cluster this node is in at each level above the world, and when it moves to
// another (CoralCDN, NSDI 2004, 4.4; docs/dsht.md, "Clusters").
//
// A node starts alone in clusters of its own. It reviews them from time to time: of the clusters
// that it has heard of from near nodes it takes the one it prefers, has some members of it measured
// (Survey), and moves if most of them are within the diameter. A cluster most of whose members are
// too far is left.
//
// Preferred is the clearly larger one; among tiny ones of about one size the one of the lower id.
// Deviation: instead of Coral's hourly square wave, a band of sizes within which nobody moves, and
// clusters that were left or found too far are shunned for a time. Why moves end: docs/dsht.md.
//
// Owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/instant.h"
#include "base/rng.h"
#include "dsht/core/id.h"
#include "dsht/core/message.h"
#include "dsht/core/options.h"
#include "dsht/core/peer.h"

namespace reef::dsht {

struct State;
class Turn;

class Clusters {
 public:
  explicit Clusters(const Options& options);

  // Alone at every level; later calls do nothing.
  void Start(Instant now, Rng& rng);

  // The world included.
  int level_count() const { return static_cast<int>(levels_.size()); }
  // All zero for the world.
  const Id& IdOf(int level) const { return levels_[static_cast<size_t>(level)].id; }
  // What every message says.
  const std::vector<ClusterInfo>& infos() const { return infos_; }
  // The number of members, this node included: an estimate.
  uint64_t SizeOf(const State& state, int level) const;

  // The levels at which a node that says `theirs` is in our clusters; the world always is.
  Levels SharedWith(const std::vector<ClusterInfo>& theirs) const;

  // A peer that says `theirs` answered us after `rtt` (zero: not known).
  void OnAnswered(Turn& turn, const Peer& peer, Duration rtt,
                  const std::vector<ClusterInfo>& theirs);
  // It asked us something.
  void OnHeard(Turn& turn, const Peer& peer, const std::vector<ClusterInfo>& theirs);
  // Something has happened that may have changed what is near: reviews soon.
  void ReviewSoon(Instant now, Rng& rng);

  Instant Next() const { return review_at_; }
  // Called with every tick of the upkeep.
  void OnTick(Turn& turn);

  // Some members of a cluster, chosen by chance.
  struct Sample {
    size_t members = 0;
    size_t within = 0;      // the diameter
    bool thorough = false;  // as many were looked for as a verdict takes
  };
  // From Survey.
  void OnSurveyed(Turn& turn, int level, const Id& cluster, const Sample& sample);

 private:
  struct Level {
    Id id{};
    Instant created{};
    bool surveying = false;
    int bad_reviews = 0;  // in a row
  };
  struct Shunned {
    Instant until{};
    Duration pause{};
  };
  // What is known of a cluster from sightings of its members.
  struct Tally {
    size_t measured = 0;
    size_t within = 0;           // the diameter of the level
    std::vector<uint64_t> said;  // by its members, of its size
    double size = 0;             // the median of that
    const Peer* nearest = nullptr;
    Duration nearest_rtt = Duration::max();
    Duration age{};
  };
  using Tallies = std::map<Id, Tally>;

  Tallies TallyUp(const State& state, Instant now, int level) const;
  bool IsOwnBad(const State& state, int level) const;
  struct Own {
    const Id& id;
    double size = 1;
    bool is_bad = false;
  };
  bool IsPreferred(const Options& options, const Own& own, const Id& id, const Tally& tally) const;
  bool IsShunned(Instant now, int level, const Id& id) const;
  enum class Fault : uint8_t {
    kTooFar,
    kHollow,  // no sample is to be had: it is not what it says of its size, or is falling apart
  };
  void Shun(const Options& options, Instant now, int level, const Id& id, Fault fault);
  void Review(Turn& turn, int level);
  void BeginSurvey(Turn& turn, int level, const Id& cluster, const Tally& tally, size_t samples);
  void Scout(Turn& turn, int level, const Tallies& tallies);
  void MoveTo(Turn& turn, int level, const Id& id, Duration age);
  void GoAlone(Turn& turn, int level);
  void UpdateInfos(const State& state, Instant now);

  std::vector<Level> levels_;
  std::vector<ClusterInfo> infos_;
  std::map<std::pair<int, Id>, Shunned> shunned_;
  Instant started_at_{};
  Instant review_at_ = kNever;
  Instant reviewed_at_{};
  Duration pause_{};
};

}  // namespace reef::dsht
