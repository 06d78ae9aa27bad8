// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/walk.h"

#include <algorithm>

#include "base/check.h"

namespace reef::dsht {

namespace {

// How often a peer may fail to answer, and how many queries it is sent in all, if its answer
// decides.
constexpr uint8_t kTries = 2;
constexpr uint8_t kQueriesMax = 4;
constexpr uint8_t kSilentAfter = 2;  // slow queries

}  // namespace

Walk::Walk(const Key& key, const NodeId& self, const Options& options, const RoutingTable& table,
           int bits_per_hop, size_t closest)
    : key_(key),
      self_(self),
      options_(options),
      table_(table),
      bits_per_hop_(bits_per_hop),
      closest_(closest) {
  REEF_CHECK(bits_per_hop > 0 && closest > 0);
  AddFromTable(key_, closest_);
}

Id Walk::Splice(int bits) const {
  Id id = self_;
  const int whole = std::min(bits, kIdBits) / 8;
  std::copy_n(key_.bytes.begin(), whole, id.bytes.begin());
  if (const int rest = std::min(bits, kIdBits) % 8; rest != 0) {
    const auto at = static_cast<size_t>(whole);
    const auto mask = static_cast<uint8_t>(0xff << (8 - rest));
    id.bytes[at] = static_cast<uint8_t>((key_.bytes[at] & mask) | (self_.bytes[at] & ~mask));
  }
  return id;
}

const Walk::Candidate* Walk::Find(const NodeId& id) const {
  const auto it = std::lower_bound(
      candidates_.begin(), candidates_.end(), id,
      [this](const Candidate& c, const NodeId& wanted) { return Closer(key_, c.peer.id, wanted); });
  return it != candidates_.end() && it->peer.id == id ? &*it : nullptr;
}

Walk::Candidate* Walk::Find(const NodeId& id) {
  return const_cast<Candidate*>(static_cast<const Walk*>(this)->Find(id));
}

void Walk::Learn(const Peer& peer) {
  const bool reachable = peer.rpc.port != 0 && !peer.rpc.address.IsUnspecified();
  if (!reachable || peer.id == self_ || Find(peer.id) != nullptr) return;
  if (candidates_.size() >= options_.candidates_max) {
    // The farthest that was not asked yet is the least use.
    const auto farthest = std::find_if(candidates_.rbegin(), candidates_.rend(),
                                       [](const Candidate& c) { return c.stage == Stage::kFresh; });
    if (farthest == candidates_.rend() || !Closer(key_, peer.id, farthest->peer.id)) return;
    candidates_.erase(std::next(farthest).base());
  }
  const auto it = std::lower_bound(
      candidates_.begin(), candidates_.end(), peer.id,
      [this](const Candidate& c, const NodeId& wanted) { return Closer(key_, c.peer.id, wanted); });
  candidates_.insert(it, Candidate{.peer = peer, .since = {}});
}

void Walk::LearnAnswered(const Peer& peer) {
  Learn(peer);
  if (Candidate* c = Find(peer.id); c != nullptr && c->stage == Stage::kFresh) {
    c->stage = Stage::kAnswered;
  }
}

void Walk::LearnFailed(const Peer& peer) {
  Learn(peer);
  if (Candidate* c = Find(peer.id); c != nullptr && c->stage == Stage::kFresh) GiveUp(*c);
}

void Walk::Restore(Instant now, const Peer& peer) {
  Candidate* c = Find(peer.id);
  if (c == nullptr) return Learn(peer);
  if (c->stage != Stage::kFailed) return;
  *c = Candidate{.peer = peer, .since = now};
}

void Walk::AddFromTable(const Id& target, size_t limit) {
  for (const RoutingTable::Entry* entry : table_.Nearest(target, limit, false)) Learn(entry->peer);
}

void Walk::Ask(Candidate& candidate) {
  candidate.stage = Stage::kAsked;
  ++candidate.asked;
  ++candidate.waiting;
  ++in_flight_;
}

void Walk::StopAsking(Candidate& candidate) {
  REEF_CHECK(in_flight_ >= candidate.waiting && slow_ >= candidate.slow);
  in_flight_ -= candidate.waiting;
  slow_ -= candidate.slow;
  candidate.waiting = candidate.slow = 0;
}

bool Walk::WorthRepeating(const Candidate& candidate) const {
  return candidate.stage == Stage::kAsked && candidate.slow == candidate.waiting &&
         candidate.asked < kQueriesMax && &candidate == ClosestLive();
}

size_t Walk::Allowed() const {
  // The closest node first: its answer often ends the walk.
  const Candidate* closest = settling_ ? ClosestLive() : nullptr;
  const bool wide = settling_ && (closest == nullptr || closest->stage == Stage::kAnswered);
  // Slow ones do not count, up to a bound: else a few dead peers hold the walk until they time out.
  return std::min((wide ? options_.window : 1) + slow_, 2 * options_.window + 2);
}

const Walk::Candidate* Walk::ClosestLive() const {
  for (const Candidate& c : candidates_) {
    if (c.stage == Stage::kFailed) continue;
    return Closer(key_, c.peer.id, self_) ? &c : nullptr;
  }
  return nullptr;
}

const Walk::Candidate* Walk::ClosestPrompt() const {
  for (const Candidate& c : candidates_) {
    if (!IsPrompt(c)) continue;
    return Closer(key_, c.peer.id, self_) ? &c : nullptr;
  }
  return nullptr;
}

bool Walk::IsPrompt(const Candidate& candidate) const {
  return candidate.stage != Stage::kFailed &&
         (candidate.stage != Stage::kAsked || candidate.slow < candidate.waiting);
}

Walk::Candidate* Walk::NearestToTarget() {
  const Id target = Splice(fixed_bits_);
  const uint64_t head = Head(target);
  Candidate* nearest = nullptr;
  const NodeId* id = &self_;
  for (Candidate& c : candidates_) {
    if (!IsPrompt(c)) continue;
    const uint64_t mine = Head(c.peer.id) ^ head;
    const uint64_t best = Head(*id) ^ head;
    if (mine < best || (mine == best && Closer(target, c.peer.id, *id))) {
      nearest = &c;
      id = &c.peer.id;
    }
  }
  return nearest;
}

bool Walk::AmongClosest(const NodeId& id) const {
  size_t nearer = Closer(key_, self_, id) ? 1 : 0;
  for (const Candidate& c : candidates_) {
    if (c.peer.id == id) return nearer < closest_;
    nearer += c.stage != Stage::kFailed;
  }
  return false;
}

Walk::Candidate* Walk::FreshAmongClosest() {
  size_t seen = 0;
  bool self_counted = false;
  for (Candidate& c : candidates_) {
    if (c.stage == Stage::kFailed) continue;
    if (!self_counted && Closer(key_, self_, c.peer.id)) {
      self_counted = true;
      ++seen;
    }
    if (seen++ >= closest_) return nullptr;
    if (c.stage == Stage::kFresh || WorthRepeating(c)) return &c;
  }
  return nullptr;
}

std::optional<Peer> Walk::Next() {
  if (in_flight_ >= Allowed()) return std::nullopt;
  Candidate* next = settling_ ? nullptr : Step();
  if (settling_) next = FreshAmongClosest();
  if (next == nullptr) return std::nullopt;
  Ask(*next);
  return next->peer;
}

// The walk goes on among those that are prompt, as if the slow ones were not there; only the
// closest of all is worth waiting for.
Walk::Candidate* Walk::Step() {
  while (true) {
    Candidate* nearest = NearestToTarget();
    if (nearest != nullptr && nearest->stage != Stage::kAnswered) {
      return nearest->stage == Stage::kFresh ? nearest : nullptr;
    }
    const Candidate* closest = ClosestLive();
    if (closest == nullptr || closest->stage == Stage::kAnswered) {
      settling_ = true;
      return nullptr;
    }
    if (WorthRepeating(*closest)) return Find(closest->peer.id);
    const Candidate* prompt = ClosestPrompt();
    if (prompt == nullptr || prompt->stage == Stage::kAnswered) return nullptr;
    const NodeId& here = nearest == nullptr ? self_ : nearest->peer.id;
    const int bit = SharedPrefix(here, prompt->peer.id);
    const int fixed = (bit / bits_per_hop_ + 1) * bits_per_hop_;
    // Were a bit before `fixed_bits_` to tell them apart, `prompt` would be nearer to the target.
    REEF_CHECK(fixed > fixed_bits_) << fixed << " after " << fixed_bits_;
    fixed_bits_ = fixed;
    AddFromTable(Splice(fixed_bits_), options_.window);
  }
}

void Walk::Answered(const NodeId& id, Instant sent, const std::vector<Peer>& peers) {
  if (Candidate* c = Find(id); c != nullptr && sent >= c->since) {
    StopAsking(*c);
    c->stage = Stage::kAnswered;
  }
  for (size_t i = 0; i < std::min(peers.size(), options_.reply_peers_max); ++i) Learn(peers[i]);
}

void Walk::Failed(const NodeId& id, Instant sent) {
  Candidate* c = Find(id);
  // Another query was answered.
  if (c == nullptr || sent < c->since || c->stage != Stage::kAsked) return;
  REEF_CHECK(c->waiting > 0);
  if (c->waiting > 1) {
    --c->waiting;
    --in_flight_;
    if (c->slow > 0) {
      --c->slow;
      --slow_;
    }
    return;
  }
  StopAsking(*c);
  ++c->failures;
  const bool again = c->failures < kTries && c->asked < kQueriesMax && AmongClosest(id);
  if (again) {
    c->stage = Stage::kFresh;
  } else {
    GiveUp(*c);
  }
}

void Walk::GiveUp(Candidate& candidate) {
  candidate.stage = Stage::kFailed;
  // Another takes its place, else a walk that begins among the dead ends there.
  const auto failed = std::count_if(candidates_.begin(), candidates_.end(),
                                    [](const auto& peer) { return peer.stage == Stage::kFailed; });
  AddFromTable(key_, closest_ + static_cast<size_t>(failed));
}

void Walk::Outside(const NodeId& id) {
  Candidate* c = Find(id);
  if (c == nullptr) return;
  StopAsking(*c);
  c->outside = true;
  GiveUp(*c);
}

void Walk::Slow(const NodeId& id, Instant sent) {
  Candidate* c = Find(id);
  if (c == nullptr || sent < c->since || c->slow >= c->waiting) return;
  ++c->slow;
  ++slow_;
}

void Walk::Forget(const NodeId& id) {
  Candidate* c = Find(id);
  if (c == nullptr) return;
  StopAsking(*c);
  c->stage = Stage::kFailed;
}

void Walk::AskAgain(Instant now, const NodeId& id) {
  Candidate* c = Find(id);
  if (c == nullptr || c->stage != Stage::kAnswered) return;
  *c = Candidate{.peer = c->peer, .since = now};
}

Id Walk::TargetAfter(const NodeId& hop) const {
  const int shared = SharedPrefix(hop, key_);
  return Splice(std::max(fixed_bits_, (shared / bits_per_hop_ + 1) * bits_per_hop_));
}

std::vector<Peer> Walk::Closest(size_t limit) const {
  std::vector<Peer> closest;
  for (const Candidate& c : candidates_) {
    if (closest.size() == limit) break;
    if (c.stage != Stage::kFailed) closest.push_back(c.peer);
  }
  return closest;
}

std::vector<NodeId> Walk::UnheardCloserThan(const NodeId& id, size_t limit) const {
  std::vector<NodeId> unheard;
  for (const Candidate& c : candidates_) {
    if (unheard.size() == limit || !Closer(key_, c.peer.id, id)) break;
    if (c.stage == Stage::kFailed || IsSilent(c)) unheard.push_back(c.peer.id);
  }
  return unheard;
}

std::vector<Peer> Walk::Unheard() const {
  std::vector<Peer> unheard;
  for (const Candidate& c : candidates_) {
    const bool failed = c.stage == Stage::kFailed && !c.outside;
    if (failed || IsSilent(c)) unheard.push_back(c.peer);
  }
  return unheard;
}

bool Walk::IsSilent(const Candidate& candidate) {
  return candidate.stage == Stage::kAsked && candidate.slow >= kSilentAfter;
}

bool Walk::ClosestIsSilent() const {
  const Candidate* closest = ClosestLive();
  return closest != nullptr && IsSilent(*closest);
}

std::optional<NodeId> Walk::ClosestAnswered() const {
  for (const Candidate& c : candidates_) {
    if (c.stage == Stage::kAnswered) return c.peer.id;
  }
  return std::nullopt;
}

}  // namespace reef::dsht
