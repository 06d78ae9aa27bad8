// SPDX-License-Identifier: Apache-2.0
//
// Claim: one attempt of this node to become the fetcher of a key (docs/claim.md, rules 2 to 8).
//
// It walks toward the key, in the nearest cluster first, until some node answers: held, not
// cacheable, or first. First is a grant
// by the node that knows no closer one; it counts once the closest nodes to the key keep the lease
// too or have failed twice (confirming). A confirmer that keeps another attempt's lease names it,
// and the two attempts settle it between themselves (contesting): one that is confirmed stands;
// else the one nearer to the key does. As first it renews the lease until Release.
//
// If the budget runs out the client is told so and goes on without; the claim itself continues, so
// that a late grant still makes this node the one that others find.
//
// An operation, owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.h"
#include "dsht/client.h"
#include "dsht/core/climb.h"
#include "dsht/core/message.h"
#include "dsht/core/operation.h"

namespace reef::dsht {

class Claim : public Operation {
 public:
  Claim(const State& state, const ClaimRequest& request, const Attempt& attempt);

  void Start(Turn& turn);
  // Without a walk: this node remembers that the key cannot be shared.
  void StartMarked(Turn& turn, Duration left);
  void Streaming();
  // Ends the claim.
  void Release(Turn& turn, ClaimEnd end, Duration ttl);
  // A newer claim of this node takes its place. Ends the claim.
  void Supersede(Turn& turn);
  ContestReply OnContest(Turn& turn, const ContestQuery& query);

  void OnReply(Turn& turn, const Rpc& rpc, const Body& reply) override;
  void OnFailure(Turn& turn, const Rpc& rpc) override;
  void OnSlow(Turn& turn, const Rpc& rpc) override;
  void OnTimer(Turn& turn) override;
  Claim* AsOpenClaim() override { return phase_ == Phase::kReleased ? nullptr : this; }

 private:
  enum class Phase : uint8_t {
    kWalking,
    kConfirming,  // granted; also while contesting
    kFirst,
    kOver,      // somebody else has it, or nobody will know
    kReleased,  // waits for replies that may bring a grant to give back
  };
  enum class SiteState : uint8_t { kAsked, kStored, kBlocked, kFailed };
  // A node that keeps our lease, or is to.
  struct Site {
    Peer peer;
    SiteState state = SiteState::kAsked;
    uint8_t tries = 0;
    uint8_t waiting = 0;  // confirms without an answer yet
  };

  ClaimQuery QueryFor(const NodeId& to, ClaimStage stage) const;
  void AskSelf(Turn& turn);
  void Advance(Turn& turn);
  void OnWalked(Turn& turn, const Rpc& rpc, const ClaimReply& reply);
  void OnStuck(Turn& turn);
  // The answer of `from` to what it was asked at `asked`.
  void OnVerdict(Turn& turn, const Peer& from, Instant asked, ClaimStage stage,
                 const ClaimReply& reply);
  void OnLeaderStands(Turn& turn, const Peer& from);
  void BePatient() { answer_by_ = give_up_; }
  void OnGrant(Turn& turn, const Peer& from, const ClaimReply& reply);
  void AskAgainAt(Instant at, const NodeId& node);

  void Confirm(Turn& turn);
  void AskSite(Turn& turn, Site& site);
  void OnConfirmEnded(const Rpc& rpc);
  Site* FindSite(const NodeId& id);
  void OnRival(Turn& turn, Site& site, const Lease& rival);
  void AskRival(Turn& turn, uint8_t attempt);
  void OnRivalGone(Turn& turn);
  void AddSuperseded(const State& state, const Attempt& attempt);

  void BecomeFirst(Turn& turn);
  void RestoreHeard(Turn& turn);
  void Renew(Turn& turn);
  void OnRenewed(Turn& turn, const Peer& from, const RenewReply& reply);
  void Lose(Turn& turn);

  void AnswerHeld(Turn& turn, const std::vector<Value>& values, const std::vector<Lease>& leases);
  void AnswerNothing(Turn& turn);
  void AnswerUncacheable(Turn& turn, Duration left);
  void Say(Turn& turn, ClaimAnswer answer);
  // Gives back what the sites keep.
  void GiveBack(Turn& turn, ClaimEnd end, Duration ttl);
  void EndIfIdle(Turn& turn);
  void Rearm(Turn& turn);

  const Key key_;
  const std::string value_;
  const std::vector<NodeId> exclude_;
  const std::vector<NodeId> behind_;
  const Attempt attempt_;
  Climb climb_;
  Phase phase_ = Phase::kWalking;
  LeaseState lease_state_ = LeaseState::kPending;
  bool answered_ = false;
  bool told_first_ = false;
  bool told_nothing_ = false;
  bool heard_ = false;  // some node has answered this claim
  uint32_t epoch_ = 0;
  size_t in_flight_ = 0;  // of all kinds

  std::vector<Site> sites_;
  std::optional<Lease> rival_;
  std::vector<Attempt> superseded_;
  size_t contests_ = 0;
  bool stuck_ = false;

  Instant answer_by_{};
  Instant give_up_{};
  // Set once the deciding node has said that the leader stands although we exclude it. What was
  // asked before does not count any more.
  Instant second_look_at_{};
  Instant retry_at_ = kNever;
  NodeId retry_node_;
  Instant renew_at_ = kNever;
  Instant kept_at_{};  // when a site last had our lease
};

}  // namespace reef::dsht
