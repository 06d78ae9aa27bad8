// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/survey.h"

#include <algorithm>
#include <vector>

#include "dsht/core/find.h"
#include "dsht/core/state.h"

namespace reef::dsht {

namespace {

// Rpc::step.
enum Step : uint8_t { kStepFind, kStepPing, kStepPingAgain };

constexpr size_t kRoundsMax = 8;
// One measured within this time is not asked again.
constexpr Duration kFresh = std::chrono::minutes(2);

}  // namespace

Survey::Survey(int level, const Id& cluster, const Peer& member, size_t wanted, bool thorough)
    : level_(level),
      cluster_(cluster),
      wanted_(wanted),
      thorough_(thorough),
      member_(member),
      sample_{member.id},
      places_{member.rpc} {}

void Survey::Start(Turn& turn) {
  ++turn.state.stats.surveys;
  AskMember(turn);
}

void Survey::AskMember(Turn& turn) {
  ++rounds_;
  ++in_flight_;
  const Id target = RandomIdSharing(Id{}, -1, turn.state.rng);
  turn.AskWithin(id(), member_, FindQuery{target, OnlyLevel(level_)}, kStepFind,
                 turn.state.options.rpc_timeout_max);
}

bool Survey::IsMember(const Turn& turn, const NodeId& id) const {
  const Sighting* sighting = turn.state.sightings.Find(id);
  const ClusterInfo* info = sighting ? InfoOf(sighting->clusters, level_) : nullptr;
  return info != nullptr && info->cluster == cluster_;
}

void Survey::OnReply(Turn& turn, const Rpc& rpc, const Body& reply) {
  --in_flight_;
  const FindReply* found = std::get_if<FindReply>(&reply);
  if (found != nullptr && IsMember(turn, rpc.to.id)) PingThose(turn, found->peers);
  // The first answer may tell nothing of the distance (Message::cold).
  if (rpc.step == kStepPing && turn.state.sightings.Find(rpc.to.id) == nullptr) {
    Ping(turn, rpc.to, kStepPingAgain);
  }
  Advance(turn);
}

void Survey::PingThose(Turn& turn, const std::vector<Peer>& peers) {
  const size_t count = std::min(peers.size(), turn.state.options.reply_peers_max);
  for (size_t i = 0; i < count && sample_.size() < wanted_; ++i) {
    const Peer& peer = peers[i];
    const bool reachable = peer.rpc.port != 0 && !peer.rpc.address.IsUnspecified();
    const bool possible = reachable && peer.id != turn.state.self.id && peer.id != NodeId{};
    // One machine is no crowd, whatever ids it goes by.
    if (!possible || !places_.insert(peer.rpc).second) continue;
    sample_.insert(peer.id);
    const Sighting* known = turn.state.sightings.Find(peer.id);
    if (known != nullptr && turn.now - known->at < kFresh) continue;
    Ping(turn, peer, kStepPing);
  }
}

void Survey::Ping(Turn& turn, const Peer& peer, uint8_t step) {
  ++in_flight_;
  turn.AskWithin(id(), peer, PingQuery{}, step, turn.state.options.rpc_timeout_max);
}

void Survey::OnFailure(Turn& turn, const Rpc&) {
  --in_flight_;
  Advance(turn);
}

void Survey::Advance(Turn& turn) {
  if (in_flight_ > 0) return;
  State& state = turn.state;
  if (rounds_ < kRoundsMax && sample_.size() < wanted_) {
    std::vector<const Peer*> members;
    for (const NodeId& id : sample_) {
      if (IsMember(turn, id)) members.push_back(&state.sightings.Find(id)->peer);
    }
    if (!members.empty()) {
      member_ = *members[state.rng.Below(members.size())];
      return AskMember(turn);
    }
  }
  Clusters::Sample sample{.thorough = thorough_};
  const Duration diameter = state.options.diameters[static_cast<size_t>(level_)];
  for (const NodeId& id : sample_) {
    if (!IsMember(turn, id)) continue;
    ++sample.members;
    sample.within += state.sightings.Find(id)->rtt.min() <= diameter;
  }
  state.clusters.OnSurveyed(turn, level_, cluster_, sample);
  turn.End(*this);
}

}  // namespace reef::dsht
