// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/claim.h"

#include <algorithm>

#include "base/check.h"
#include "dsht/core/answers.h"
#include "dsht/core/claim_answer.h"
#include "dsht/core/get.h"
#include "dsht/core/lease_check.h"
#include "dsht/core/lease_release.h"
#include "dsht/core/put.h"
#include "dsht/core/state.h"

namespace reef::dsht {

namespace {

// Rpc::step.
enum Step : uint8_t { kStepWalk, kStepConfirm, kStepContest, kStepContestAgain, kStepRenew };

constexpr uint8_t kTries = 2;
constexpr uint8_t kConfirmsMax = 4;  // to one site, the later ones while the earlier are slow
// A crowd of rivals settles in one round; more means that somebody lies.
constexpr size_t kContestsMax = 8;
constexpr Duration kPauseMin = std::chrono::milliseconds(10);
constexpr Duration kPauseMax = std::chrono::milliseconds(100);
// The deciding node has then forgotten that the holder stood.
constexpr Duration kSecondLook = kStandsFor + std::chrono::milliseconds(200);
constexpr size_t kUnheardToTellMax = 4;

std::vector<NodeId> FirstOf(const std::vector<NodeId>& ids, size_t limit) {
  return {ids.begin(), ids.begin() + static_cast<ptrdiff_t>(std::min(ids.size(), limit))};
}

// Only a node that is at the end of the walk in the world too says anything but held and closer.
bool IsOfWorld(const ClaimReply& reply) {
  return reply.verdict != ClaimVerdict::kHeld && reply.verdict != ClaimVerdict::kCloser;
}

}  // namespace

Claim::Claim(const State& state, const ClaimRequest& request, const Attempt& attempt)
    : key_(request.key),
      value_(request.value),
      exclude_(FirstOf(request.exclude, state.options.exclude_max)),
      behind_(FirstOf(request.behind, state.options.exclude_max)),
      attempt_(attempt),
      climb_(state, request.key, state.options.claim_bits_per_hop, 1, Climb::Covers::kItsLevel) {}

ClaimQuery Claim::QueryFor(const NodeId& to, ClaimStage stage) const {
  ClaimQuery query;
  query.key = key_;
  query.next_target = climb_.walk().TargetAfter(to);
  query.levels = stage == ClaimStage::kWalk ? climb_.levels() : kWorld;
  query.stage = stage;
  query.attempt = attempt_;
  query.value = value_;
  query.epoch = epoch_;
  query.state = lease_state_;
  query.exclude = exclude_;
  query.behind = behind_;
  query.unreachable = climb_.walk().UnheardCloserThan(to, kUnheardToTellMax);
  query.superseded = superseded_;
  return query;
}

void Claim::Start(Turn& turn) {
  const Options& options = turn.state.options;
  answer_by_ = turn.now + (exclude_.empty() ? options.claim_budget : options.complaint_budget);
  give_up_ = turn.now + options.claim_patience;
  AskSelf(turn);
  if (phase_ == Phase::kWalking) Advance(turn);
  Rearm(turn);
}

void Claim::StartMarked(Turn& turn, Duration left) {
  ++turn.state.stats.markers_used;
  ++turn.state.stats.claims_uncacheable;
  phase_ = Phase::kOver;
  Say(turn, ClaimAnswer{.kind = ClaimAnswer::Kind::kUncacheable, .marker_left = left});
}

void Claim::AskSelf(Turn& turn) {
  ClaimQuery query = QueryFor(turn.state.self.id, ClaimStage::kWalk);
  query.claimant = turn.state.self.rpc;
  // With nobody to relay to, the answer comes at once.
  const std::optional<ClaimReply> reply = AnswerClaim(turn, query, nullptr);
  REEF_CHECK(reply.has_value());
  if (IsOfWorld(*reply)) climb_.ToWorld(turn.state, turn.state.self);
  OnVerdict(turn, turn.state.self, turn.now, ClaimStage::kWalk, *reply);
}

void Claim::Advance(Turn& turn) {
  if (phase_ != Phase::kWalking) return;
  do {
    while (std::optional<Peer> peer = climb_.walk().Next()) {
      ClaimQuery query = QueryFor(peer->id, ClaimStage::kWalk);
      query.claimant = turn.state.self.rpc;
      ++in_flight_;
      ++turn.state.stats.claim_hops;
      turn.Ask(id(), *peer, std::move(query), kStepWalk);
    }
    // Further in nobody decides: whoever is silent there is not waited for.
  } while ((climb_.walk().in_flight() == 0 || climb_.walk().ClosestIsSilent()) &&
           climb_.Outward(turn.state));
  if (retry_at_ != kNever || climb_.level() > 0) return;
  const bool over = climb_.walk().in_flight() == 0;
  if (over || (!stuck_ && climb_.walk().ClosestIsSilent())) OnStuck(turn);
}

// Every node said "closer", and those closer do not answer us. The closest one that did can tell
// whether they are gone, or pass the claim on to them.
void Claim::OnStuck(Turn& turn) {
  const std::optional<NodeId> closest = climb_.walk().ClosestAnswered();
  const NodeId& self = turn.state.self.id;
  // What is said to be lost is then being looked after; else the claim keeps to its budget.
  if (heard_ && !exclude_.empty()) BePatient();
  const bool ask_self = !closest || Closer(key_, self, *closest);
  AskAgainAt(stuck_ ? turn.now + kPauseMax : turn.now, ask_self ? self : *closest);
  stuck_ = true;
}

void Claim::AskAgainAt(Instant at, const NodeId& node) {
  retry_at_ = at;
  retry_node_ = node;
}

void Claim::OnVerdict(Turn& turn, const Peer& from, Instant asked, ClaimStage stage,
                      const ClaimReply& reply) {
  if (reply.verdict == ClaimVerdict::kFirst) return OnGrant(turn, from, reply);
  if (phase_ == Phase::kOver || phase_ == Phase::kReleased) return;
  if (phase_ == Phase::kFirst) {
    const bool outranked = reply.verdict == ClaimVerdict::kRival && !reply.leases.empty() &&
                           reply.leases.front().epoch > epoch_;
    if (outranked) return Lose(turn);
    // A site that does not take the lease now is asked again at the next renewal.
    const auto unlike = [&](const Site& s) {
      return s.peer.id == from.id && s.state != SiteState::kStored;
    };
    std::erase_if(sites_, unlike);
    return;
  }
  switch (reply.verdict) {
    case ClaimVerdict::kHeld:
      return AnswerHeld(turn, reply.values, reply.leases);
    case ClaimVerdict::kUncacheable:
      return AnswerUncacheable(turn, reply.left);
    case ClaimVerdict::kStale:
      return AnswerNothing(turn);
    case ClaimVerdict::kRival: {
      Site* site = FindSite(from.id);
      if (site == nullptr || reply.leases.empty()) return;
      return OnRival(turn, *site, reply.leases.front());
    }
    case ClaimVerdict::kHeldByOther:
      if (stage != ClaimStage::kWalk) break;
      if (asked >= second_look_at_) OnLeaderStands(turn, from);
      return;
    case ClaimVerdict::kBusy:
      if (stage == ClaimStage::kWalk) return AnswerNothing(turn);
      break;
    case ClaimVerdict::kRetry:
      if (stage != ClaimStage::kWalk) break;
      // The index does answer: it is looking after somebody who was lost.
      if (heard_ || IsBeingChecked(turn.state, key_)) BePatient();
      if (asked < second_look_at_) return;
      return AskAgainAt(turn.now + std::clamp(reply.left, kPauseMin, kPauseMax), from.id);
    case ClaimVerdict::kCloser:
    case ClaimVerdict::kFirst:
      break;
  }
  if (stage != ClaimStage::kConfirm) return;
  if (Site* site = FindSite(from.id)) site->state = SiteState::kFailed;
  Confirm(turn);
}

// It may have been found standing just before it died: asked again once that is forgotten.
void Claim::OnLeaderStands(Turn& turn, const Peer& from) {
  if (second_look_at_ != Instant{}) {
    ++turn.state.stats.claims_leader_apart;
    return AnswerNothing(turn);
  }
  BePatient();
  second_look_at_ = turn.now + kSecondLook;
  AskAgainAt(second_look_at_, from.id);
}

void Claim::OnGrant(Turn& turn, const Peer& from, const ClaimReply& reply) {
  Site* site = FindSite(from.id);
  if (site == nullptr) {
    sites_.push_back({.peer = from, .state = SiteState::kStored});
  } else {
    site->state = SiteState::kStored;
  }
  if (phase_ == Phase::kOver || phase_ == Phase::kReleased) {
    return GiveBack(turn, ClaimEnd::kFailed, {});
  }
  kept_at_ = turn.now;
  if (phase_ == Phase::kWalking) {
    epoch_ = std::min(reply.epoch, kEpochMax);
    phase_ = Phase::kConfirming;
    retry_at_ = kNever;
  }
  Confirm(turn);
}

Claim::Site* Claim::FindSite(const NodeId& id) {
  const auto it =
      std::find_if(sites_.begin(), sites_.end(), [&](const Site& s) { return s.peer.id == id; });
  return it == sites_.end() ? nullptr : &*it;
}

// Asks those of the closest nodes that do not keep the lease yet; first when all that can, do.
void Claim::Confirm(Turn& turn) {
  const size_t count = turn.state.options.closest_count;
  const NodeId& self = turn.state.self.id;
  std::vector<Peer> closest = climb_.walk().Closest(count);
  const auto at = std::find_if(closest.begin(), closest.end(),
                               [&](const Peer& p) { return Closer(key_, self, p.id); });
  closest.insert(at, turn.state.self);
  if (closest.size() > count) closest.resize(count);

  for (const Peer& peer : closest) {
    if (FindSite(peer.id) != nullptr) continue;
    sites_.push_back({.peer = peer});
    AskSite(turn, sites_.back());
    // This node's own answer may have ended it.
    if (phase_ != Phase::kConfirming && phase_ != Phase::kFirst) return;
  }
  const bool settled = std::none_of(sites_.begin(), sites_.end(), [](const Site& s) {
    return s.state == SiteState::kAsked || s.state == SiteState::kBlocked;
  });
  if (settled && phase_ == Phase::kConfirming) BecomeFirst(turn);
}

void Claim::AskSite(Turn& turn, Site& site) {
  site.state = SiteState::kAsked;
  ++site.tries;
  ClaimQuery query = QueryFor(site.peer.id, ClaimStage::kConfirm);
  query.claimant = turn.state.self.rpc;
  if (site.peer.id != turn.state.self.id) {
    ++in_flight_;
    ++site.waiting;
    turn.Ask(id(), site.peer, std::move(query), kStepConfirm);
    return;
  }
  const Peer self = turn.state.self;
  const std::optional<ClaimReply> reply = AnswerClaim(turn, query, nullptr);
  REEF_CHECK(reply.has_value());
  if (reply->verdict == ClaimVerdict::kFirst) {
    site.state = SiteState::kStored;
    kept_at_ = turn.now;
  } else {
    OnVerdict(turn, self, turn.now, ClaimStage::kConfirm, *reply);
  }
}

void Claim::OnConfirmEnded(const Rpc& rpc) {
  Site* site = FindSite(rpc.to.id);
  if (site != nullptr && site->waiting > 0) --site->waiting;
}

void Claim::OnRival(Turn& turn, Site& site, const Lease& rival) {
  site.state = SiteState::kBlocked;
  site.tries = 0;  // it answers
  BePatient();
  if (rival_) return;  // asked again when that one is settled
  if (++contests_ > kContestsMax) return AnswerHeld(turn, {}, {rival});
  rival_ = rival;
  AskRival(turn, kStepContest);
}

void Claim::AskRival(Turn& turn, uint8_t attempt) {
  ContestQuery query;
  query.key = key_;
  query.level = rival_->level;
  query.attempt = rival_->attempt;
  query.rival.push_back(attempt_);
  query.rival_value = value_;
  const auto kept = std::find_if(sites_.begin(), sites_.end(),
                                 [](const Site& s) { return s.state == SiteState::kStored; });
  if (kept != sites_.end()) query.site.push_back(kept->peer);
  if (rival_->attempt.node == turn.state.self.id) return OnRivalGone(turn);
  ++in_flight_;
  turn.Ask(id(), Peer{.id = rival_->attempt.node, .rpc = rival_->rpc}, std::move(query), attempt);
}

void Claim::AddSuperseded(const State& state, const Attempt& attempt) {
  superseded_.push_back(attempt);
  if (superseded_.size() > state.options.exclude_max) superseded_.erase(superseded_.begin());
}

void Claim::OnRivalGone(Turn& turn) {
  AddSuperseded(turn.state, rival_->attempt);
  rival_.reset();
  // By position: asking this node itself may add sites.
  for (size_t i = 0; i < sites_.size(); ++i) {
    if (sites_[i].state == SiteState::kBlocked) AskSite(turn, sites_[i]);
  }
  if (phase_ == Phase::kConfirming) Confirm(turn);
}

ContestReply Claim::OnContest(Turn& turn, const ContestQuery& query) {
  if (query.attempt != attempt_ || phase_ == Phase::kOver || phase_ == Phase::kReleased) {
    return ContestReply{};
  }
  const bool nearer =
      !query.rival.empty() && Closer(key_, query.rival.front().node, turn.state.self.id);
  if (phase_ != Phase::kFirst && nearer) {
    ++turn.state.stats.claims_yielded;
    const Lease winner{.attempt = query.rival.front(), .value = query.rival_value};
    AnswerHeld(turn, {}, {winner});
    Rearm(turn);
    return ContestReply{.standing = Standing::kYields};
  }
  if (phase_ == Phase::kFirst && !query.rival.empty() && !query.site.empty()) {
    // That node does not know of us yet; the rival is about to give its lease there back.
    AddSuperseded(turn.state, query.rival.front());
    climb_.walk().Learn(query.site.front());
    Confirm(turn);
  }
  return ContestReply{.standing = Standing::kStands, .value = value_};
}

void Claim::OnReply(Turn& turn, const Rpc& rpc, const Body& reply) {
  REEF_CHECK(in_flight_ > 0);
  --in_flight_;
  heard_ = true;
  switch (rpc.step) {
    case kStepWalk:
    case kStepConfirm: {
      const ClaimReply* said = std::get_if<ClaimReply>(&reply);
      const ClaimStage stage = rpc.step == kStepWalk ? ClaimStage::kWalk : ClaimStage::kConfirm;
      static const ClaimReply kRefused{.verdict = ClaimVerdict::kBusy};
      if (said == nullptr) said = &kRefused;
      if (stage == ClaimStage::kWalk) {
        OnWalked(turn, rpc, *said);
      } else {
        OnConfirmEnded(rpc);
        for (const Peer& peer : said->peers) climb_.walk().Learn(peer);
      }
      OnVerdict(turn, rpc.to, rpc.sent, stage, *said);
      Advance(turn);
      break;
    }
    case kStepContest:
    case kStepContestAgain: {
      if (phase_ != Phase::kConfirming || !rival_) break;
      const ContestReply* said = std::get_if<ContestReply>(&reply);
      if (said != nullptr && said->standing == Standing::kStands) {
        ++turn.state.stats.claims_yielded;
        AnswerHeld(turn, {}, {*rival_});
      } else {
        OnRivalGone(turn);
      }
      break;
    }
    case kStepRenew:
      if (const RenewReply* said = std::get_if<RenewReply>(&reply)) OnRenewed(turn, rpc.to, *said);
      break;
  }
  EndIfIdle(turn);
}

void Claim::OnWalked(Turn& turn, const Rpc& rpc, const ClaimReply& reply) {
  if (!climb_.IsCurrent(rpc)) return;
  climb_.Answered(rpc, reply.peers, reply.outer_peers);
  if (climb_.level() == 0 || !IsOfWorld(reply)) return;
  climb_.ToWorld(turn.state, rpc.to);
  for (const Peer& peer : reply.peers) climb_.walk().Learn(peer);
}

void Claim::OnFailure(Turn& turn, const Rpc& rpc) {
  REEF_CHECK(in_flight_ > 0);
  --in_flight_;
  switch (rpc.step) {
    case kStepWalk:
      climb_.Failed(rpc);
      Advance(turn);
      break;
    case kStepConfirm: {
      OnConfirmEnded(rpc);
      if (phase_ != Phase::kConfirming && phase_ != Phase::kFirst) break;
      Site* site = FindSite(rpc.to.id);
      if (site == nullptr || site->state != SiteState::kAsked || site->waiting > 0) break;
      if (site->tries < kTries) {
        AskSite(turn, *site);
      } else {
        site->state = SiteState::kFailed;  // rule 3: proved unreachable
        Confirm(turn);
      }
      break;
    }
    case kStepContest:
      if (phase_ == Phase::kConfirming && rival_) AskRival(turn, kStepContestAgain);
      break;
    case kStepContestAgain:
      if (phase_ == Phase::kConfirming && rival_) OnRivalGone(turn);
      break;
    case kStepRenew:
      // Another of the closest takes its place at the next renewal.
      if (Site* site = FindSite(rpc.to.id)) {
        if (++site->tries >= kTries) {
          climb_.walk().Forget(rpc.to.id);
          std::erase_if(sites_, [&](const Site& s) { return s.peer.id == rpc.to.id; });
        }
      }
      break;
  }
  EndIfIdle(turn);
}

void Claim::OnSlow(Turn& turn, const Rpc& rpc) {
  if (rpc.step == kStepWalk && phase_ == Phase::kWalking) {
    if (!climb_.Slow(rpc)) return;
    Advance(turn);
    Rearm(turn);
  } else if (rpc.step == kStepConfirm && phase_ == Phase::kConfirming) {
    Site* site = FindSite(rpc.to.id);
    const bool repeat =
        site != nullptr && site->state == SiteState::kAsked && site->tries < kConfirmsMax;
    if (repeat) AskSite(turn, *site);
  }
}

void Claim::OnTimer(Turn& turn) {
  if (turn.now >= retry_at_ && phase_ == Phase::kWalking) {
    retry_at_ = kNever;
    if (retry_node_ == turn.state.self.id) {
      RestoreHeard(turn);
      AskSelf(turn);
    } else {
      climb_.walk().AskAgain(turn.now, retry_node_);
    }
    Advance(turn);
  }
  if (turn.now >= answer_by_ && !answered_) {
    if (phase_ == Phase::kConfirming) {
      // Without a claim the client would fetch all the same; with one, others find it.
      ++turn.state.stats.claims_unconfirmed;
      BecomeFirst(turn);
    } else if (phase_ == Phase::kWalking) {
      ++turn.state.stats.claims_no_answer;
      told_nothing_ = true;
      Say(turn, ClaimAnswer{});
    }
  }
  if (turn.now >= give_up_ && phase_ == Phase::kWalking) AnswerNothing(turn);
  if (turn.now >= renew_at_ && phase_ == Phase::kFirst) Renew(turn);
  EndIfIdle(turn);
}

void Claim::BecomeFirst(Turn& turn) {
  phase_ = Phase::kFirst;
  rival_.reset();
  renew_at_ = turn.now + turn.state.options.renew_every;
  for (Site& site : sites_) site.tries = 0;
  if (answered_) return;
  ++turn.state.stats.claims_first;
  told_first_ = true;
  Say(turn, ClaimAnswer{.kind = ClaimAnswer::Kind::kFirst, .rank = 0});
}

void Claim::Streaming() {
  if (lease_state_ == LeaseState::kPending) lease_state_ = LeaseState::kStreaming;
}

// They did not answer this claim once, but something else since.
void Claim::RestoreHeard(Turn& turn) {
  const State& state = turn.state;
  for (const RoutingTable::Entry* entry :
       state.world().Nearest(key_, state.options.closest_count, true)) {
    climb_.walk().Restore(turn.now, entry->peer);
  }
}

void Claim::Renew(Turn& turn) {
  const Options& options = turn.state.options;
  if (turn.now - kept_at_ >= options.lease) return Lose(turn);
  renew_at_ = turn.now + options.renew_every;
  // Asked anew below, if they are still among the closest.
  std::erase_if(sites_,
                [](const Site& s) { return s.state != SiteState::kStored && s.waiting == 0; });
  const RenewQuery query{.key = key_,
                         .lease = Lease{.attempt = attempt_,
                                        .epoch = epoch_,
                                        .state = lease_state_,
                                        .duration = options.lease,
                                        .value = value_,
                                        .rpc = turn.state.self.rpc}};
  RestoreHeard(turn);
  bool own = false;
  for (const Site& site : sites_) {
    if (site.state != SiteState::kStored) continue;
    if (site.peer.id == turn.state.self.id) {
      own = true;
      continue;
    }
    ++in_flight_;
    turn.Ask(id(), site.peer, query, kStepRenew);
  }
  if (own) OnRenewed(turn, turn.state.self, AnswerRenew(turn.state, turn.now, query));
  if (phase_ == Phase::kFirst) Confirm(turn);
}

void Claim::OnRenewed(Turn& turn, const Peer& from, const RenewReply& reply) {
  if (phase_ != Phase::kFirst) return;
  for (const Peer& peer : reply.peers) climb_.walk().Learn(peer);
  Site* site = FindSite(from.id);
  if (reply.kept) {
    kept_at_ = turn.now;
    if (site != nullptr) site->tries = 0;
  } else if (!reply.rival.empty()) {
    Lose(turn);
  } else if (site != nullptr) {
    std::erase_if(sites_, [&](const Site& s) { return s.peer.id == from.id; });
  }
}

// Rule 6: its readers are told to claim anew.
void Claim::Lose(Turn& turn) {
  ++turn.state.stats.claims_lost;
  GiveBack(turn, ClaimEnd::kFailed, {});
  phase_ = Phase::kOver;
  if (told_first_) turn.Finish(ClaimLost{id()});
}

void Claim::AnswerHeld(Turn& turn, const std::vector<Value>& values,
                       const std::vector<Lease>& leases) {
  ClaimAnswer answer{.kind = ClaimAnswer::Kind::kHeld};
  const auto add = [&](const NodeId& node, const std::string& value, bool complete, int level) {
    const bool usable = node != turn.state.self.id && answer.holders.size() < kHoldersMax &&
                        std::find(exclude_.begin(), exclude_.end(), node) == exclude_.end();
    if (usable) answer.holders.push_back(Holder{node, value, complete, level});
  };
  for (const Value& v : values) add(v.publisher, v.bytes, v.complete, v.level);
  for (const Lease& l : leases) add(l.attempt.node, l.value, false, l.level);
  if (answer.holders.empty()) return AnswerNothing(turn);
  PutNearestFirst(turn.state, answer.holders);
  GiveBack(turn, ClaimEnd::kFailed, {});
  phase_ = Phase::kOver;
  if (answered_) return;
  ++turn.state.stats.claims_held;
  Say(turn, std::move(answer));
}

void Claim::AnswerUncacheable(Turn& turn, Duration left) {
  const Options& options = turn.state.options;
  turn.state.markers.Add(key_, turn.now + std::min(left, options.marker_recheck));
  GiveBack(turn, ClaimEnd::kFailed, {});
  phase_ = Phase::kOver;
  if (answered_) return;
  ++turn.state.stats.claims_uncacheable;
  Say(turn, ClaimAnswer{.kind = ClaimAnswer::Kind::kUncacheable, .marker_left = left});
}

void Claim::AnswerNothing(Turn& turn) {
  GiveBack(turn, ClaimEnd::kFailed, {});
  phase_ = Phase::kOver;
  if (answered_) return;
  ++turn.state.stats.claims_no_answer;
  told_nothing_ = true;
  Say(turn, ClaimAnswer{});
}

void Claim::Say(Turn& turn, ClaimAnswer answer) {
  REEF_CHECK(!answered_);
  answered_ = true;
  turn.Finish(ClaimAnswered{id(), std::move(answer)});
}

void Claim::GiveBack(Turn& turn, ClaimEnd end, Duration ttl) {
  ReleaseQuery query{.key = key_, .attempt = attempt_, .end = end};
  if (end == ClaimEnd::kComplete) {
    query.value.push_back(Value{.publisher = turn.state.self.id,
                                .bytes = value_,
                                .ttl = std::min(ttl, turn.state.options.ttl_max)});
  }
  std::vector<Peer> peers;
  for (const Site& site : sites_) {
    if (site.peer.id == turn.state.self.id) {
      AnswerRelease(turn.state, turn.now, query);
    } else if (site.state == SiteState::kStored) {
      peers.push_back(site.peer);
    }
  }
  // Of a site that was asked, the answer is waited for.
  std::erase_if(sites_, [](const Site& s) { return s.state != SiteState::kAsked; });
  if (!peers.empty()) turn.Begin<LeaseRelease>(query).Start(turn, peers);
}

void Claim::Release(Turn& turn, ClaimEnd end, Duration ttl) {
  State& state = turn.state;
  REEF_CHECK(phase_ != Phase::kReleased);
  if (end == ClaimEnd::kUncacheable) {
    state.markers.Add(key_, turn.now + state.options.marker_recheck);
  }
  const bool publish = end == ClaimEnd::kComplete && ttl > Duration::zero();
  if (phase_ == Phase::kFirst || phase_ == Phase::kConfirming) {
    GiveBack(turn, end == ClaimEnd::kComplete && !publish ? ClaimEnd::kFailed : end, ttl);
    if (publish && !state.IsAlone()) {
      StartPut(turn, PutRequest{.key = key_, .value = value_, .ttl = ttl}, Put::Reach::kClusters);
    }
  } else if (publish && told_nothing_) {
    // Fetched without a claim: others should find it all the same.
    StartPut(turn, PutRequest{.key = key_, .value = value_, .ttl = ttl}, Put::Reach::kEverywhere);
  }
  phase_ = Phase::kReleased;
  answered_ = true;
  const auto it = state.claims.find(key_);
  if (it != state.claims.end() && it->second == id()) state.claims.erase(it);
  EndIfIdle(turn);
}

void Claim::Supersede(Turn& turn) {
  if (told_first_ && phase_ == Phase::kFirst) turn.Finish(ClaimLost{id()});
  if (!answered_) {
    ++turn.state.stats.claims_no_answer;
    Say(turn, ClaimAnswer{});
  }
  Release(turn, ClaimEnd::kFailed, {});
}

void Claim::EndIfIdle(Turn& turn) {
  if (phase_ == Phase::kReleased && in_flight_ == 0) return turn.End(*this);
  Rearm(turn);
}

void Claim::Rearm(Turn& turn) {
  Instant at = kNever;
  if (!answered_) at = std::min(at, answer_by_);
  if (phase_ == Phase::kWalking) at = std::min({at, retry_at_, give_up_});
  if (phase_ == Phase::kFirst) at = std::min(at, renew_at_);
  turn.WakeAt(*this, at);
}

}  // namespace reef::dsht
