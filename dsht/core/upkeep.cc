// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/upkeep.h"

#include <algorithm>

#include "dsht/core/copies.h"
#include "dsht/core/find.h"
#include "dsht/core/hints.h"
#include "dsht/core/join.h"
#include "dsht/core/state.h"

namespace reef::dsht {

namespace {

constexpr Duration kUnreachableFor = std::chrono::seconds(5);
constexpr Duration kDepartedFor = std::chrono::seconds(5);
// A young node looks around often, an old one rarely: the pause doubles from here.
constexpr Duration kFirstRefresh = std::chrono::seconds(1);
constexpr Duration kFirstHint = std::chrono::minutes(2);
// Joins and losses come in groups; one sweep serves them.
constexpr Duration kSweepDelay = std::chrono::seconds(2);
// Peers that may be among the closest to a key that this node keeps.
constexpr size_t kNeighbourhood = 8;
constexpr size_t kCameMax = 16;
constexpr size_t kLostMax = 8;
// More peers than a table holds unless nodes are many millions.
constexpr size_t kAnnounceMax = 128;

}  // namespace

void Upkeep::Start(Instant now, const Options& options, Rng& rng) {
  if (next_ != kNever) return;
  const auto spread = static_cast<uint64_t>(options.upkeep_every.count());
  next_ = now + Duration(static_cast<int64_t>(rng.Below(spread)));
  refresh_pause_ = kFirstRefresh;
  refresh_at_ = now + refresh_pause_;
}

void Upkeep::OnTick(Turn& turn) {
  Forget(turn);
  for (int level = 0; level < turn.state.clusters.level_count(); ++level) PingSilent(turn, level);
  Rejoin(turn);
  Hint(turn);
  if (turn.now >= refresh_at_) Refresh(turn);
  if (turn.now >= sweep_at_) Sweep(turn);
  turn.state.clusters.OnTick(turn);
  const Duration every = turn.state.options.upkeep_every;
  const Instant soonest = turn.now + kFirstRefresh;
  next_ = std::min({turn.now + every, std::max(refresh_at_, soonest), sweep_at_,
                    std::max(turn.state.clusters.Next(), soonest)});
}

void Upkeep::Forget(Turn& turn) {
  State& state = turn.state;
  state.values.DropExpired(turn.now);
  state.leases.DropExpired(turn.now);
  state.markers.DropExpired(turn.now);
  state.unreachable.DropExpired(turn.now);
  state.departed.DropExpired(turn.now);
  state.standing.DropExpired(turn.now);
  state.stats.guard_evictions = state.loaded.evictions() + state.sources.evictions();
}

void Upkeep::PingSilent(Turn& turn, int level) {
  const Options& options = turn.state.options;
  const auto& entries = turn.state.TableOf(level).entries();
  // Who is closest decides in the world; in a cluster a miss goes on outward.
  const Duration neighbour_after = (level == 0 ? 1 : 6) * options.neighbour_ping_after;
  std::vector<Peer> silent;
  const RoutingTable::Entry* stalest = nullptr;
  for (size_t i = 0; i < entries.size(); ++i) {
    // Of two neighbours one pings the other; whether the way back is open too is asked less often.
    const Duration quiet = std::max(turn.now - entries[i].seen, (turn.now - entries[i].heard) / 2);
    if (i < options.neighbours) {
      if (quiet >= neighbour_after) silent.push_back(entries[i].peer);
    } else if (quiet >= options.peer_ping_after &&
               (stalest == nullptr || entries[i].heard < stalest->heard)) {
      stalest = &entries[i];
    }
  }
  if (stalest != nullptr) silent.push_back(stalest->peer);
  for (const Peer& peer : silent) turn.Ping(peer);
}

void Upkeep::Refresh(Turn& turn) {
  State& state = turn.state;
  const auto spread = static_cast<uint64_t>(refresh_pause_.count() / 4 + 1);
  refresh_at_ = turn.now + refresh_pause_ + Duration(static_cast<int64_t>(state.rng.Below(spread)));
  refresh_pause_ = std::min(2 * refresh_pause_, state.options.refresh_every);
  if (!seeds.empty()) {
    // Two networks that have drifted apart meet again through a common seed.
    const Endpoint seed = seeds[next_seed_++ % seeds.size()];
    const auto& entries = state.world().entries();
    const bool known = seed == state.self.rpc ||
                       std::any_of(entries.begin(), entries.end(),
                                   [&](const auto& entry) { return entry.peer.rpc == seed; });
    if (!known) turn.Ask(kUpkeep, Peer{.rpc = seed}, FindQuery{state.self.id, kWorld}, 0);
  }
  if (state.world().size() == 0) return;
  const std::vector<Peer> none;
  turn.Begin<Find>(state, 0, state.self.id, none, kUpkeep).Start(turn);
  const auto depth = static_cast<uint64_t>(state.world().Depth());
  const int bucket = static_cast<int>(state.rng.Below(depth));
  turn.Begin<Find>(state, 0, RandomIdSharing(state.self.id, bucket, state.rng), none, kUpkeep)
      .Start(turn);
  if (state.clusters.level_count() == 1) return;
  const auto inner = static_cast<uint64_t>(state.clusters.level_count() - 1);
  const int level = 1 + static_cast<int>(state.rng.Below(inner));
  if (state.TableOf(level).size() == 0) return;
  turn.Begin<Find>(state, level, state.self.id, none, kUpkeep).Start(turn);
}

void Upkeep::Rejoin(Turn& turn) {
  if (joining || turn.state.world().size() > 0) return;
  std::vector<Endpoint> known = seeds;
  known.insert(known.end(), lost_.begin(), lost_.end());
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  if (known.empty()) return;
  turn.state.rng.Shuffle(std::span<Endpoint>(known));
  refresh_pause_ = kFirstRefresh;
  turn.Begin<Join>(known, false).Start(turn);
}

void Upkeep::Hint(Turn& turn) {
  State& state = turn.state;
  const bool wanted = state.clusters.level_count() > 1 && HasHint(state.self.rpc.address);
  if (!wanted || joining || state.world().size() == 0 || turn.now < hint_at_) return;
  // Often at first: who comes later finds us, but he may be the one who is to be followed.
  hint_pause_ = std::clamp(2 * hint_pause_, kFirstHint, state.options.hint_ttl * 2 / 3);
  hint_at_ = turn.now + hint_pause_;
  turn.Begin<Hints>(state).Start(turn);
}

void Upkeep::Sweep(Turn& turn) {
  sweep_at_ = kNever;
  if (sweeping) {
    sweep_at_ = turn.now + kSweepDelay;
    return;
  }
  if (turn.state.values.key_count() + turn.state.leases.size() > 0) {
    turn.Begin<CopySweep>(came_, went_).Start(turn);
  }
  came_.clear();
  went_ = false;
}

bool Upkeep::IsNeighbour(const Turn& turn, const NodeId& id) const {
  const auto& entries = turn.state.world().entries();
  const size_t count = std::min(entries.size(), kNeighbourhood);
  for (size_t i = 0; i < count; ++i) {
    if (entries[i].peer.id == id) return true;
  }
  return false;
}

void Upkeep::OnAnswered(Turn& turn, const Peer& peer, const std::vector<ClusterInfo>& clusters,
                        Duration rtt) {
  State& state = turn.state;
  state.unreachable.Remove({peer.id, peer.rpc});
  state.clusters.OnAnswered(turn, peer, rtt, clusters);
  switch (state.world().Answered(turn.now, peer, rtt)) {
    case RoutingTable::Offer::kRefreshed:
      return;
    case RoutingTable::Offer::kAdded:
      ++state.stats.peers_added;
      if (!IsNeighbour(turn, peer.id)) return;
      if (came_.size() < kCameMax) came_.push_back(peer.id);
      if (sweep_at_ == kNever) sweep_at_ = turn.now + kSweepDelay;
      next_ = std::min(next_, sweep_at_);
      return;
    case RoutingTable::Offer::kPrefixFull:
      ++state.stats.prefix_limited;
      return;
    case RoutingTable::Offer::kBucketFull:
      ++state.stats.bucket_full;
      const RoutingTable::Entry* stalest = state.world().Stalest(peer.id);
      if (turn.now - stalest->heard >= state.options.neighbour_ping_after) {
        turn.Ping(Peer(stalest->peer));
      }
      return;
  }
}

void Upkeep::OnHeard(Turn& turn, const Peer& peer, const std::vector<ClusterInfo>& clusters) {
  State& state = turn.state;
  state.clusters.OnHeard(turn, peer, clusters);
  const bool reachable = peer.rpc.port != 0 && !peer.rpc.address.IsUnspecified() &&
                         !state.unreachable.Has(turn.now, {peer.id, peer.rpc}) &&
                         !state.departed.Has(turn.now, {peer.id, peer.rpc});
  bool wanted = false;
  const Levels shared = state.clusters.SharedWith(clusters);
  for (int level = 0; level < state.clusters.level_count(); ++level) {
    RoutingTable& table = state.TableOf(level);
    const RoutingTable::Entry* entry = table.Find(peer.id);
    if (entry != nullptr && entry->peer.rpc == peer.rpc) {
      table.Heard(turn.now, peer);
    } else if ((shared & OnlyLevel(level)) != 0) {
      wanted |= entry != nullptr || table.HasRoomFor(peer.id);  // moved, or new
    }
  }
  if (wanted && reachable) turn.Ping(peer);  // if it answers there
}

void Upkeep::OnFailed(Turn& turn, const Rpc& rpc) {
  State& state = turn.state;
  const NodeId& id = rpc.to.id;
  if (id == NodeId{}) return;  // a seed whose id is not known
  const RoutingTable::Entry* entry = state.EntryOf(id);
  // What fails at an address that a third party gave says nothing about the one we know.
  const bool known = entry != nullptr && entry->peer.rpc == rpc.to.rpc;
  // One lost message among others proves nothing.
  const bool answered_since = known && entry->heard > rpc.sent;
  if (answered_since && rpc.operation != kUpkeep) return;
  if (known) {
    for (RoutingTable& table : state.tables) table.Suspect(id);
  }
  if (rpc.operation != kUpkeep) {
    if (known) turn.Ping(rpc.to);
    return;
  }
  if (rpc.step == 0) return turn.PingNow(rpc.to, 1);
  state.pinging.erase(id);
  state.unreachable.Add({id, rpc.to.rpc}, turn.now + kUnreachableFor);
  const Sighting* sighting = state.sightings.Find(id);
  if (sighting != nullptr && sighting->peer.rpc == rpc.to.rpc) state.sightings.Remove(id);
  if (!known) return;
  const bool was_neighbour = IsNeighbour(turn, id);
  state.Forget(id);
  ++state.stats.peers_dropped;
  OnDropped(turn, rpc.to, was_neighbour);
}

void Upkeep::OnLeft(Turn& turn, const NodeId& id, const IpAddress& from) {
  const RoutingTable::Entry* entry = turn.state.EntryOf(id);
  if (entry == nullptr) return;
  // Anybody may say goodbye in another's name. On one host a node is called from any address.
  const IpAddress& at = entry->peer.rpc.address;
  if (from != at && !(from.IsLoopback() && at.IsLoopback())) {
    ++turn.state.stats.invalid_messages;
    return;
  }
  const bool was_neighbour = IsNeighbour(turn, id);
  const Peer peer = entry->peer;
  turn.state.Forget(id);
  turn.state.departed.Add({id, peer.rpc}, turn.now + kDepartedFor);
  ++turn.state.stats.peers_left;
  OnDropped(turn, peer, was_neighbour);
}

void Upkeep::Announce(Turn& turn) {
  const std::vector<Peer> peers = turn.state.AllPeers();
  for (size_t i = 0; i < std::min(peers.size(), kAnnounceMax); ++i) {
    // Also where a ping is under way: that one does not say it yet.
    turn.state.pinging.insert(peers[i].id);
    turn.PingNow(peers[i], 0);
  }
}

void Upkeep::OnDropped(Turn& turn, const Peer& peer, bool was_neighbour) {
  if (lost_.size() == kLostMax) lost_.erase(lost_.begin());
  lost_.push_back(peer.rpc);
  std::erase(came_, peer.id);
  if (!was_neighbour) return;
  went_ = true;
  if (sweep_at_ == kNever) sweep_at_ = turn.now + kSweepDelay;
  next_ = std::min(next_, sweep_at_);
}

}  // namespace reef::dsht
