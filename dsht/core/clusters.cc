// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/clusters.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "dsht/core/find.h"
#include "dsht/core/state.h"
#include "dsht/core/survey.h"

namespace reef::dsht {

namespace {

// A young node looks around often: the pause between reviews doubles from here.
constexpr Duration kFirstReview = std::chrono::seconds(10);
// After an event; several come at once, and so do the nodes that see them.
constexpr Duration kSoon = std::chrono::seconds(15);
// What was measured longer ago says little about who is in a cluster today.
constexpr Duration kEvidenceFor = std::chrono::hours(1);
// Below, sizes are counted rather than estimated, and clusters of one size merge.
constexpr double kTiny = 8;
// Fewer members prove nothing against our own cluster.
constexpr size_t kViolationsOfMin = 4;
constexpr size_t kShunnedMax = 64;
constexpr Duration kHollowFor = std::chrono::seconds(15);
// Members measured just to see what is there: too few for a large cluster to be judged by.
constexpr size_t kLook = 4;
constexpr Duration kYoung = std::chrono::minutes(30);
constexpr Duration kPauseWhileTiny = std::chrono::minutes(1);

uint64_t MedianOf(std::vector<uint64_t>& values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

Clusters::Clusters(const Options& options) : levels_(options.diameters.size()) {
  REEF_CHECK(!levels_.empty() && levels_.size() <= 8);
}

void Clusters::Start(Instant now, Rng& rng) {
  if (review_at_ != kNever || levels_.size() == 1) return;
  for (size_t level = 1; level < levels_.size(); ++level) {
    levels_[level].id = RandomIdSharing(Id{}, -1, rng);
    levels_[level].created = now;
    infos_.push_back({.level = static_cast<uint8_t>(level),
                      .cluster = levels_[level].id,
                      .age = {},
                      .size_estimate = 1});
  }
  started_at_ = now;
  pause_ = kFirstReview;
  review_at_ = now + pause_ +
               Duration(static_cast<int64_t>(rng.Below(static_cast<uint64_t>(pause_.count()))));
}

Levels Clusters::SharedWith(const std::vector<ClusterInfo>& theirs) const {
  Levels shared = kWorld;
  for (const ClusterInfo& info : theirs) {
    if (info.level == 0 || info.level >= levels_.size()) continue;
    if (info.cluster == levels_[info.level].id) shared |= OnlyLevel(info.level);
  }
  return shared;
}

void Clusters::OnAnswered(Turn& turn, const Peer& peer, Duration rtt,
                          const std::vector<ClusterInfo>& theirs) {
  State& state = turn.state;
  if (levels_.size() == 1) return;
  state.sightings.Answered(turn.now, peer, rtt, theirs);
  const Levels shared = SharedWith(theirs);
  for (int level = 1; level < level_count(); ++level) {
    RoutingTable& table = state.TableOf(level);
    if ((shared & OnlyLevel(level)) == 0) {
      // A member has gone elsewhere: perhaps others should follow.
      if (table.Remove(peer.id)) ReviewSoon(turn.now, state.rng);
      continue;
    }
    // How far it is must be known before it is a member to us.
    if (rtt == Duration::zero() && table.Find(peer.id) == nullptr) continue;
    Level& own = levels_[static_cast<size_t>(level)];
    if (const ClusterInfo* info = InfoOf(theirs, level)) {
      own.created = std::min(own.created, turn.now - std::min(info->age, turn.now - Instant{}));
    }
    if (table.Answered(turn.now, peer, rtt) == RoutingTable::Offer::kBucketFull) {
      const RoutingTable::Entry* stalest = table.Stalest(peer.id);
      if (turn.now - stalest->heard >= state.options.peer_ping_after) {
        turn.Ping(Peer(stalest->peer));
      }
    }
  }
}

void Clusters::OnHeard(Turn& turn, const Peer& peer, const std::vector<ClusterInfo>& theirs) {
  const Levels shared = SharedWith(theirs);
  for (int level = 1; level < level_count(); ++level) {
    const RoutingTable::Entry* member = turn.state.TableOf(level).Find(peer.id);
    // Anybody may ask in its name: what it answers itself counts.
    if (member != nullptr && (shared & OnlyLevel(level)) == 0) return turn.Ping(Peer(member->peer));
  }
}

void Clusters::ReviewSoon(Instant now, Rng& rng) {
  if (levels_.size() == 1 || review_at_ == kNever) return;
  const auto jitter = static_cast<int64_t>(rng.Below(static_cast<uint64_t>(kSoon.count())));
  review_at_ = std::min(review_at_, std::max(now, reviewed_at_ + kSoon) + kSoon + Duration(jitter));
}

void Clusters::OnTick(Turn& turn) {
  if (levels_.size() == 1) return;
  UpdateInfos(turn.state, turn.now);
  if (turn.now < review_at_) return;
  const Options& options = turn.state.options;
  reviewed_at_ = turn.now;
  // Who has found few so far keeps looking.
  bool tiny = false;
  for (int level = 1; level < level_count(); ++level) {
    tiny |= static_cast<double>(turn.state.TableOf(level).size()) < kTiny;
  }
  const bool young = turn.now - started_at_ < kYoung;
  pause_ = std::min(2 * pause_, tiny && young ? kPauseWhileTiny : options.review_every);
  const auto jitter = turn.state.rng.Below(static_cast<uint64_t>(pause_.count() / 4 + 1));
  review_at_ = turn.now + pause_ + Duration(static_cast<int64_t>(jitter));
  for (int level = 1; level < level_count(); ++level) Review(turn, level);
}

uint64_t Clusters::SizeOf(const State& state, int level) const {
  const uint64_t counted = state.TableOf(level).SizeEstimate();
  if (level == 0 || static_cast<double>(counted) < kTiny) return counted;
  // One node's estimate is rough, and one may lie; the median of many is neither.
  std::vector<uint64_t> said = {counted};
  for (const Sighting& sighting : state.sightings.all()) {
    const ClusterInfo* info = InfoOf(sighting.clusters, level);
    if (info != nullptr && info->cluster == IdOf(level)) said.push_back(info->size_estimate);
  }
  return MedianOf(said);
}

Clusters::Tallies Clusters::TallyUp(const State& state, Instant now, int level) const {
  const Duration diameter = state.options.diameters[static_cast<size_t>(level)];
  Tallies tallies;
  for (const Sighting& sighting : state.sightings.all()) {
    const ClusterInfo* info = InfoOf(sighting.clusters, level);
    if (info == nullptr || info->cluster == IdOf(level)) continue;
    if (now - sighting.at > kEvidenceFor) continue;
    Tally& tally = tallies[info->cluster];
    ++tally.measured;
    tally.within += sighting.rtt.min() <= diameter;
    tally.said.push_back(info->size_estimate);
    tally.age = std::max(tally.age, info->age);
    if (sighting.rtt.min() < tally.nearest_rtt) {
      tally.nearest_rtt = sighting.rtt.min();
      tally.nearest = &sighting.peer;
    }
  }
  // No cluster is larger than the world.
  const auto most = 2 * static_cast<double>(state.world().SizeEstimate());
  for (auto& [id, tally] : tallies) {
    tally.size = std::min(static_cast<double>(MedianOf(tally.said)), most);
  }
  return tallies;
}

bool Clusters::IsOwnBad(const State& state, int level) const {
  const Duration diameter = state.options.diameters[static_cast<size_t>(level)];
  const auto& members = state.TableOf(level).entries();
  const auto beyond =
      static_cast<size_t>(std::count_if(members.begin(), members.end(), [&](const auto& member) {
        return member.rtt.min() > diameter;
      }));
  const bool few = members.size() < kViolationsOfMin;
  if (few) return !members.empty() && beyond == members.size();
  return static_cast<double>(beyond) >=
         state.options.violations_share * static_cast<double>(members.size());
}

bool Clusters::IsPreferred(const Options& options, const Own& own, const Id& id,
                           const Tally& tally) const {
  if (own.is_bad) return true;
  if (tally.size > options.larger_by * own.size) return true;
  return own.size < kTiny && tally.size >= own.size && id < own.id;
}

bool Clusters::IsShunned(Instant now, int level, const Id& id) const {
  const auto it = shunned_.find({level, id});
  return it != shunned_.end() && it->second.until > now;
}

void Clusters::Shun(const Options& options, Instant now, int level, const Id& id, Fault fault) {
  if (shunned_.size() >= kShunnedMax) {
    shunned_.erase(std::min_element(
        shunned_.begin(), shunned_.end(),
        [](const auto& a, const auto& b) { return a.second.until < b.second.until; }));
  }
  Shunned& shunned = shunned_[{level, id}];
  if (fault == Fault::kHollow) {
    shunned.pause = std::clamp(2 * shunned.pause, kHollowFor, options.shun_max);
  } else if (now - started_at_ < kYoung) {
    shunned.pause = options.shun_young;  // much changes while all are young
  } else {
    shunned.pause = std::clamp(4 * shunned.pause, options.shun_min, options.shun_max);
  }
  shunned.until = now + shunned.pause;
}

void Clusters::Review(Turn& turn, int level) {
  Level& own = levels_[static_cast<size_t>(level)];
  const bool bad = IsOwnBad(turn.state, level);
  own.bad_reviews = bad ? own.bad_reviews + 1 : 0;
  if (own.surveying) return;
  const Own ours{own.id, static_cast<double>(SizeOf(turn.state, level)), bad};
  const Tallies tallies = TallyUp(turn.state, turn.now, level);
  const Duration diameter = turn.state.options.diameters[static_cast<size_t>(level)];
  const Id* best_id = nullptr;
  const Tally* best = nullptr;
  for (const auto& [id, tally] : tallies) {
    const bool near = tally.nearest_rtt <= diameter && 2 * tally.within >= tally.measured;
    if (!near || IsShunned(turn.now, level, id)) continue;
    if (!IsPreferred(turn.state.options, ours, id, tally)) continue;
    if (best != nullptr && best->size >= tally.size) continue;
    best_id = &id;
    best = &tally;
  }
  if (best != nullptr) {
    return BeginSurvey(turn, level, *best_id, *best, turn.state.options.samples_min);
  }
  if (bad) return GoAlone(turn, level);
  Scout(turn, level, tallies);
}

// What is near may belong to clusters of which too little is known to prefer them; with nothing
// near, who is nearest knows others there.
void Clusters::Scout(Turn& turn, int level, const Tallies& tallies) {
  const Duration diameter = turn.state.options.diameters[static_cast<size_t>(level)];
  std::vector<const Tallies::value_type*> known;
  for (const auto& entry : tallies) {
    if (!IsShunned(turn.now, level, entry.first)) known.push_back(&entry);
  }
  if (known.empty()) return;
  std::sort(known.begin(), known.end(), [](const auto* a, const auto* b) {
    return a->second.nearest_rtt < b->second.nearest_rtt;
  });
  const auto beyond = std::partition_point(known.begin(), known.end(), [&](const auto* entry) {
    return entry->second.nearest_rtt <= diameter;
  });
  const auto near = static_cast<uint64_t>(beyond - known.begin());
  const auto& [id, tally] = *known[near == 0 ? 0 : turn.state.rng.Below(near)];
  BeginSurvey(turn, level, id, tally, kLook);
}

void Clusters::BeginSurvey(Turn& turn, int level, const Id& cluster, const Tally& tally,
                           size_t samples) {
  levels_[static_cast<size_t>(level)].surveying = true;
  const size_t members = static_cast<size_t>(std::max(1.0, tally.size));
  const bool thorough = samples >= turn.state.options.samples_min;
  turn.Begin<Survey>(level, Id(cluster), Peer(*tally.nearest), std::min(samples, members), thorough)
      .Start(turn);
}

void Clusters::OnSurveyed(Turn& turn, int level, const Id& cluster, const Sample& sample) {
  State& state = turn.state;
  Level& own = levels_[static_cast<size_t>(level)];
  own.surveying = false;
  const bool bad = IsOwnBad(state, level);
  const bool acceptable = static_cast<double>(sample.within) >=
                          state.options.acceptable_share * static_cast<double>(sample.members);
  const Own ours{own.id, static_cast<double>(SizeOf(state, level)), bad};
  const Tallies tallies = TallyUp(state, turn.now, level);
  const auto it = tallies.find(cluster);
  const bool enough = 2 * static_cast<double>(sample.members) >=
                      std::min(static_cast<double>(state.options.samples_min),
                               it == tallies.end() ? 1 : it->second.size);
  if (it != tallies.end()) {
    if (sample.thorough && !enough) {
      Shun(state.options, turn.now, level, cluster, Fault::kHollow);
    } else if (enough && !acceptable) {
      Shun(state.options, turn.now, level, cluster, Fault::kTooFar);
    } else if (enough && IsPreferred(state.options, ours, cluster, it->second)) {
      return MoveTo(turn, level, cluster, it->second.age);
    }
  }
  if (bad && own.bad_reviews > 1) GoAlone(turn, level);
}

void Clusters::MoveTo(Turn& turn, int level, const Id& id, Duration age) {
  State& state = turn.state;
  Level& own = levels_[static_cast<size_t>(level)];
  if (SizeOf(state, level) > 1 && IsOwnBad(state, level)) {
    Shun(state.options, turn.now, level, own.id, Fault::kTooFar);
  }
  own.id = id;
  own.created = turn.now - std::min(age, turn.now - Instant{});
  own.bad_reviews = 0;
  ++state.stats.cluster_moves;
  RoutingTable& table = state.TableOf(level);
  table.Clear();
  state.values.DropLevel(level);
  for (const Sighting& sighting : state.sightings.all()) {
    const ClusterInfo* info = InfoOf(sighting.clusters, level);
    const bool recent = turn.now - sighting.at <= kEvidenceFor;
    if (recent && info != nullptr && info->cluster == id) {
      table.Answered(sighting.at, sighting.peer, sighting.rtt.min());
    }
  }
  UpdateInfos(state, turn.now);
  // Fewer than all know of us yet; this makes us known, and is how the others are found.
  if (table.size() > 0) {
    turn.Begin<Find>(state, level, state.self.id, std::vector<Peer>{}, kUpkeep).Start(turn);
  }
  pause_ = kFirstReview;
  ReviewSoon(turn.now, state.rng);
}

void Clusters::GoAlone(Turn& turn, int level) {
  ++turn.state.stats.clusters_left;
  MoveTo(turn, level, RandomIdSharing(Id{}, -1, turn.state.rng), Duration::zero());
}

void Clusters::UpdateInfos(const State& state, Instant now) {
  for (ClusterInfo& info : infos_) {
    const Level& own = levels_[info.level];
    info.cluster = own.id;
    info.age = now - own.created;
    info.size_estimate = state.TableOf(info.level).SizeEstimate();
  }
}

}  // namespace reef::dsht
