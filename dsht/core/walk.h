// SPDX-License-Identifier: Apache-2.0
//
// Walk: which peer an iterative lookup asks next. It goes half-way: each hop aims at a node that
// agrees with the key in `bits_per_hop` further bits, even when a closer node is known already, so
// that requests for a hot key do not all arrive at its owner's door at once (CoralCDN, NSDI 2004,
// 4.1; docs/coral.md, 2.3). At the end it settles: the closest nodes to the key are all asked.
//
// The hop's target has the first bits of the key and the rest of this node's own id. When the peer
// nearest to the target has answered, the target takes over bits up to the first one in which a
// closer known peer differs from it: earlier ones could not change who is nearest.
//
// One peer is asked at a time, at the end Options::window; each that is slow lets one more query go
// out: to the same peer if it is the closest to the key, where only its own answer counts, else to
// the next best. A peer that fails is tried once more if it is among the closest.
//
// Owned by an operation. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/instant.h"
#include "dsht/core/id.h"
#include "dsht/core/options.h"
#include "dsht/core/peer.h"
#include "dsht/core/routing_table.h"

namespace reef::dsht {

class Walk {
 public:
  // `closest`: how many of the nodes closest to the key, this one included, are asked at the end.
  // Borrows `options` and `table`, which outlive it.
  Walk(const Key& key, const NodeId& self, const Options& options, const RoutingTable& table,
       int bits_per_hop, size_t closest);

  // Goes on where another walk toward the key has come to: so many bits need no hop any more.
  // Requires: nobody was asked yet.
  void StartAt(int fixed_bits) { fixed_bits_ = fixed_bits; }
  // Knows `peer` as one that has been asked and has answered, or did not.
  void LearnAnswered(const Peer& peer);
  void LearnFailed(const Peer& peer);

  // The next peer to ask now; it counts as asked. nullopt: wait for those in flight; if there are
  // none, the walk is at its end.
  std::optional<Peer> Next();

  // What became of a query sent at `sent`; one from before the peer began anew (AskAgain, Restore)
  // says nothing about the later ones. `peers` are what the reply brought, at most
  // Options::reply_peers_max of them.
  void Answered(const NodeId& id, Instant sent, const std::vector<Peer>& peers);
  void Failed(const NodeId& id, Instant sent);
  void Slow(const NodeId& id, Instant sent);
  // Failed for good.
  void Forget(const NodeId& id);
  // It answers, but is not of the cluster that this walk is in.
  void Outside(const NodeId& id);
  // Lets an answered peer be asked again, as often as one that was never asked.
  void AskAgain(Instant now, const NodeId& id);
  // Takes a peer into account that was heard of elsewhere.
  void Learn(const Peer& peer);
  // The same for one that is known to answer, even if it failed before.
  void Restore(Instant now, const Peer& peer);

  // Where the walk goes after `hop`: what the hop should name peers near of.
  Id TargetAfter(const NodeId& hop) const;

  // Those not failed, this node left out; nearest to the key first.
  std::vector<Peer> Closest(size_t limit) const;
  // Those that did not answer although they are closer to the key than `id`, failed or silent;
  // nearest first.
  std::vector<NodeId> UnheardCloserThan(const NodeId& id, size_t limit) const;
  // All that failed or are silent, nearest to the key first.
  std::vector<Peer> Unheard() const;
  // Not failed yet, but slow more than once: perhaps it is gone, and a neighbour of it can tell.
  bool ClosestIsSilent() const;
  // Of those that answered; this node left out.
  std::optional<NodeId> ClosestAnswered() const;
  const Key& key() const { return key_; }
  size_t in_flight() const { return in_flight_; }

 private:
  enum class Stage : uint8_t { kFresh, kAsked, kAnswered, kFailed };
  struct Candidate {
    Peer peer;
    Instant since{};  // when it began anew
    Stage stage = Stage::kFresh;
    uint8_t asked = 0;     // queries in all
    uint8_t waiting = 0;   // of them, without an answer yet
    uint8_t slow = 0;      // of those, slow
    uint8_t failures = 0;  // times that none was answered
    bool outside = false;
  };

  Id Splice(int bits) const;
  Candidate* Find(const NodeId& id);
  const Candidate* Find(const NodeId& id) const;
  void AddFromTable(const Id& target, size_t limit);
  void Ask(Candidate& candidate);
  void StopAsking(Candidate& candidate);
  void GiveUp(Candidate& candidate);
  size_t Allowed() const;
  // Null where this node is closer to the key, or nearer to the target, than all of them.
  const Candidate* ClosestLive() const;
  const Candidate* ClosestPrompt() const;
  Candidate* NearestToTarget();
  static bool IsSilent(const Candidate& candidate);
  // Neither failed nor slow.
  bool IsPrompt(const Candidate& candidate) const;
  // The next to ask on the way; null: wait, or settle.
  Candidate* Step();
  Candidate* FreshAmongClosest();
  // It is slow, and nobody else can answer in its place.
  bool WorthRepeating(const Candidate& candidate) const;
  bool AmongClosest(const NodeId& id) const;

  Key key_;
  NodeId self_;
  const Options& options_;
  const RoutingTable& table_;
  int bits_per_hop_;
  size_t closest_;
  int fixed_bits_ = 0;  // of the target that are the key's
  bool settling_ = false;
  size_t in_flight_ = 0;
  size_t slow_ = 0;
  std::vector<Candidate> candidates_;  // nearest to the key first
};

}  // namespace reef::dsht
