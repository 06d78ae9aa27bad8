// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/fetch.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace reef::http {
namespace {

constexpr size_t kTriedMax = 6;
constexpr size_t kExcludedMax = 16;
constexpr size_t kBehindMax = 16;
// RFC 9110, 8.8.2.2 asks for a second; clocks of origins are worse than that.
constexpr int64_t kLastModifiedStrongSeconds = 60;

std::string_view NameOf(FetchFailure failure) {
  switch (failure) {
    case FetchFailure::kResolve:
      return "resolve";
    case FetchFailure::kForbidden:
      return "forbidden";
    case FetchFailure::kConnect:
      return "connect";
    case FetchFailure::kConnectTimeout:
    case FetchFailure::kTimeout:
      return "timeout";
    case FetchFailure::kBroken:
      return "broken off";
    case FetchFailure::kProtocol:
      return "protocol error";
    case FetchFailure::kTls:
      return "tls";
    case FetchFailure::kLimit:
      return "limit";
  }
  return "";
}

bool Contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

}  // namespace

int StatusOfFailure(FetchFailure failure) {
  switch (failure) {
    case FetchFailure::kForbidden:
      return 403;
    case FetchFailure::kLimit:
      return 503;
    case FetchFailure::kConnectTimeout:
    case FetchFailure::kTimeout:
      return 504;
    default:
      return 502;
  }
}

Fetch::Fetch(const FetchOptions& options, const Endpoint& self)
    : options_(options), self_(self), pause_(options.pause_min) {}

void Fetch::Start(Instant now, Out& out) {
  REEF_CHECK(phase_ == Phase::kIdle) << "a fetch starts once";
  head_deadline_ = now + options_.head_time_max;
  BeginClaim(now, out);
}

void Fetch::StartWithoutClaim(Instant now, Out& out) {
  REEF_CHECK(phase_ == Phase::kIdle) << "a fetch starts once";
  head_deadline_ = now + options_.head_time_max;
  AskOrigin(now, out);
}

void Fetch::BeginClaim(Instant now, Out& out) {
  if (++claims_ > options_.claims_max) {
    return AskOriginUnclaimed(now, "too many claims", out);
  }
  EndClaim(FetchAction::End::kFailed, out);
  phase_ = Phase::kClaiming;
  claim_open_ = true;
  claim_deadline_ = now + options_.claim_budget;
  FetchAction action;
  action.what = FetchAction::What::kClaim;
  action.exclude = excluded_;
  action.behind = behind_;
  out.push_back(std::move(action));
}

void Fetch::EndClaim(FetchAction::End end, Out& out) {
  claim_deadline_ = kNever;
  rank_ = 3;
  const bool leading = std::exchange(leading_, false);
  if (!std::exchange(claim_open_, false)) return;
  FetchAction action;
  action.what = FetchAction::What::kRelease;
  action.leading = leading;
  action.end = end;
  out.push_back(std::move(action));
}

void Fetch::OnClaimAnswer(Instant now, const ClaimResult& answer, Out& out) {
  if (phase_ != Phase::kClaiming) return;
  claim_deadline_ = kNever;
  rank_ = answer.rank;
  switch (answer.kind) {
    case ClaimResult::Kind::kFirst:
      ++stats_.claims_first;
      leading_ = true;
      return AskOrigin(now, out);
    case ClaimResult::Kind::kUncacheable:
      ++stats_.claims_uncacheable;
      if (has_head_) return GiveUp(502, out);
      return Finish(FetchAction::Finish::kUncacheable, 0, "marked in the index", out);
    case ClaimResult::Kind::kNoAnswer:
      ++stats_.claims_no_answer;
      return AskOriginUnclaimed(now, "the index did not answer", out);
    case ClaimResult::Kind::kHeld:
      break;
  }
  ++stats_.claims_held;
  candidates_.clear();
  asked_this_round_.clear();
  must_wait_ = learned_ = false;
  bool excluded_more = false;
  for (const ClaimResult::Holder& holder : answer.holders) {
    if (holder.endpoint == self_ || Contains(excluded_, holder.node)) continue;
    if (holder.endpoint.port == 0) {  // no proxy's value
      Exclude(holder);
      excluded_more = true;
      continue;
    }
    if (excluded_endpoints_.contains(holder.endpoint)) continue;
    candidates_.push_back(holder);
  }
  // Those that failed us are all there is, and the index does not know yet that they are gone
  // (rule 7): it will, or name another. Not for ever: the link between us alone may be broken.
  if (!candidates_.empty()) {
    starved_ = 0;
  } else if (++starved_ > options_.starved_max) {
    return AskOriginUnclaimed(now, "no holder can be reached", out);
  } else {
    must_wait_ = !excluded_more;
  }
  phase_ = Phase::kAsking;
  AskHolders(now, out);
}

void Fetch::AskHolders(Instant now, Out& out) {
  while (!candidates_.empty() && std::ssize(asked_) < options_.race_max) {
    const ClaimResult::Holder holder = candidates_.front();
    candidates_.erase(candidates_.begin());
    if (!asked_this_round_.insert(holder.endpoint).second) continue;
    if (!CountAttempt(out)) return;
    asked_[attempts_] = Attempt{.origin = false, .holder = holder, .last_sign = now};
    FetchAction action;
    action.what = FetchAction::What::kAskPeer;
    action.attempt = attempts_;
    action.holder = holder;
    action.offset = have_;
    action.rank = rank_;
    action.has_head = has_head_;
    out.push_back(std::move(action));
  }
  if (!asked_.empty()) return;
  if (must_wait_) return Pause(now, out);
  if (learned_) --claims_;  // no failure; bounded by kBehindMax
  BeginClaim(now, out);
}

void Fetch::Pause(Instant now, Out&) {
  phase_ = Phase::kPausing;
  pause_deadline_ = now + pause_;
  pause_ = std::min(2 * pause_, options_.pause_max);
  --claims_;  // to be told to wait is no failure; the time until a head bounds it
}

bool Fetch::CountAttempt(Out& out) {
  if (attempts_ >= options_.attempts_max) {
    GiveUp(last_status_, out);
    return false;
  }
  if (++attempts_ > options_.race_max) ++stats_.retries;
  return true;
}

void Fetch::AskOrigin(Instant now, Out& out) {
  if (!CountAttempt(out)) return;
  ++origin_attempts_;
  phase_ = Phase::kAsking;
  asked_[attempts_] = Attempt{.origin = true, .holder = {}, .last_sign = now};
  FetchAction action;
  action.what = FetchAction::What::kAskOrigin;
  action.attempt = attempts_;
  action.offset = have_;
  action.rank = rank_;
  out.push_back(std::move(action));
}

void Fetch::AskOriginUnclaimed(Instant now, std::string_view why, Out& out) {
  Note(why);
  ++stats_.origin_unclaimed;
  EndClaim(FetchAction::End::kFailed, out);
  if (origin_attempts_ >= options_.origin_attempts_max) return GiveUp(last_status_, out);
  AskOrigin(now, out);
}

void Fetch::OnSign(Instant now, int attempt) {
  const auto it = asked_.find(attempt);
  if (it != asked_.end()) it->second.last_sign = now;
}

void Fetch::OnHead(Instant now, int attempt, const FetchHead& head, Out& out) {
  const auto it = asked_.find(attempt);
  if (it == asked_.end() || phase_ != Phase::kAsking) return;
  const Attempt won = it->second;
  if (has_head_ ? !Continues(head) : head.partial) {
    asked_.erase(it);
    FetchAction cancel;
    cancel.what = FetchAction::What::kCancel;
    cancel.attempt = attempt;
    out.push_back(std::move(cancel));
    last_status_ = 502;
    const std::string_view why = has_head_ ? "has another version" : "unasked range";
    if (!won.origin) return HolderFailed(now, won.holder, why, out);
    Note(std::string("origin ") + std::string(why));
    return GiveUp(502, out);
  }
  CancelAllBut(attempt, out);
  candidates_.clear();
  behind_.clear();
  phase_ = Phase::kStreaming;
  source_ = attempt;
  head_deadline_ = kNever;
  pause_ = options_.pause_min;
  FetchAction action;
  action.what = has_head_ ? FetchAction::What::kContinue : FetchAction::What::kUse;
  action.attempt = attempt;
  action.holder = won.holder;
  action.offset = have_;
  action.skip = has_head_ && !head.partial ? have_ : 0;
  out.push_back(std::move(action));
  if (!has_head_) {
    has_head_ = true;
    total_ = head.total;
    validator_ = head.validator;
  }
  if (leading_) {
    FetchAction streaming;
    streaming.what = FetchAction::What::kStreaming;
    out.push_back(std::move(streaming));
  }
}

bool Fetch::Continues(const FetchHead& head) const {
  if (validator_.empty() || head.validator != validator_) return false;
  if (head.total && total_ && *head.total != *total_) return false;
  return !head.partial || head.first_byte == have_;
}

void Fetch::OnBytes(int attempt, uint64_t count) {
  if (attempt == source_ && source_ != 0) have_ += count;
}

void Fetch::OnEnd(Instant now, int attempt, Out& out) {
  if (phase_ == Phase::kDone || attempt != source_ || source_ == 0) return;
  if (total_ && have_ < *total_) {
    // A 206 that covers less than what was asked for.
    return OnFailure(now, attempt, FetchFailure::kBroken, "short range", out);
  }
  if (total_ && have_ > *total_) {
    Note("more bytes than announced");
    return Finish(FetchAction::Finish::kAborted, 502, Tried(), out);
  }
  asked_.erase(attempt);
  source_ = 0;
  Finish(FetchAction::Finish::kComplete, 0, "", out);
}

void Fetch::OnFailure(Instant now, int attempt, FetchFailure failure, std::string_view detail,
                      Out& out) {
  const auto it = asked_.find(attempt);
  if (it == asked_.end()) return;
  const Attempt failed = it->second;
  asked_.erase(it);
  last_status_ = StatusOfFailure(failure);
  std::string why(NameOf(failure));
  if (!detail.empty()) why += ": " + std::string(detail);
  if (attempt == source_) return LostSource(now, failed, why, out);
  if (failed.origin) return OriginFailed(now, failure, why, out);
  HolderFailed(now, failed.holder, why, out);
}

void Fetch::OnPeerAnswer(Instant now, int attempt, const PeerAnswer& answer,
                         std::string_view detail, Out& out) {
  const auto it = asked_.find(attempt);
  if (it == asked_.end() || attempt == source_ || it->second.origin) return;
  const ClaimResult::Holder holder = it->second.holder;
  asked_.erase(it);
  switch (answer.what) {
    case PeerAnswer::What::kUncacheable:
      if (has_head_) return HolderFailed(now, holder, "uncacheable", out);
      return Finish(FetchAction::Finish::kUncacheable, 0, "a holder says so", out);
    case PeerAnswer::What::kNotHeld:
      ++stats_.told_not_held;
      last_status_ = 504;
      return HolderFailed(now, holder, "not held", out);
    case PeerAnswer::What::kFailed:
      ++stats_.told_failed;
      last_status_ = 502;
      // One holder's trouble with the origin may be its own; that of a second is the origin's.
      if (++peer_failures_ >= options_.peer_failures_max) {
        Note(holder.endpoint.ToString() + " failed: " + std::string(detail));
        return GiveUp(502, out);
      }
      return HolderFailed(now, holder, "failed: " + std::string(detail), out);
    case PeerAnswer::What::kBusy:
      ++stats_.told_busy;
      must_wait_ = true;
      Note(holder.endpoint.ToString() + " busy");
      for (const Endpoint& endpoint : answer.try_instead) {
        if (endpoint == self_ || excluded_endpoints_.contains(endpoint)) continue;
        candidates_.push_back({.node = "", .endpoint = endpoint, .level = holder.level});
      }
      return AskHolders(now, out);
    case PeerAnswer::What::kOrder:
      ++stats_.told_order;
      Note(holder.endpoint.ToString() + " order");
      OnOrder(holder);
      return AskHolders(now, out);
  }
}

void Fetch::HolderFailed(Instant now, const ClaimResult::Holder& holder, std::string_view why,
                         Out& out) {
  Note(holder.endpoint.ToString() + " " + std::string(why));
  Exclude(holder);
  AskHolders(now, out);
}

// Nothing is wrong with that holder, so nothing is said against it. Readers that have lost their
// common source find each other in the index, none ahead of the others: they pass one another over,
// and one of them becomes the leader. Whom the index names although we passed it over is worth
// waiting for.
void Fetch::OnOrder(const ClaimResult::Holder& holder) {
  const bool can_tell = !holder.node.empty() && !Contains(behind_, holder.node);
  if (can_tell && behind_.size() < kBehindMax) {
    behind_.push_back(holder.node);
    learned_ = true;
  } else {
    must_wait_ = true;
  }
}

void Fetch::Exclude(const ClaimResult::Holder& holder) {
  excluded_endpoints_.insert(holder.endpoint);
  if (holder.node.empty() || Contains(excluded_, holder.node)) return;
  if (excluded_.size() == kExcludedMax) excluded_.erase(excluded_.begin());
  excluded_.push_back(holder.node);
}

void Fetch::OriginFailed(Instant now, FetchFailure failure, std::string_view detail, Out& out) {
  Note("origin " + std::string(detail));
  // Asked again only where it may have been chance: it had accepted the connection.
  if (failure == FetchFailure::kBroken && origin_attempts_ < options_.origin_attempts_max) {
    return AskOrigin(now, out);
  }
  GiveUp(last_status_, out);
}

void Fetch::LostSource(Instant now, const Attempt& source, std::string_view why, Out& out) {
  source_ = 0;
  ++stats_.takeovers;
  // Bounded by claims and attempts in a row without progress; over all by attempts_max.
  if (have_ > have_at_loss_) claims_ = origin_attempts_ = 0;
  have_at_loss_ = have_;
  const std::string lost = "lost in mid-body: " + std::string(why);
  if (source.origin) Note("origin " + lost);
  // Without a strong validator nothing proves that what comes is of the same representation.
  if (validator_.empty()) {
    if (!source.origin) Note(source.holder.endpoint.ToString() + " " + lost);
    return GiveUp(502, out);
  }
  head_deadline_ = now + options_.head_time_max;
  phase_ = Phase::kAsking;
  if (!source.origin) {
    candidates_.clear();
    must_wait_ = false;
    return HolderFailed(now, source.holder, lost, out);
  }
  if (origin_attempts_ >= options_.origin_attempts_max) return GiveUp(last_status_, out);
  AskOrigin(now, out);
}

void Fetch::OnLeaseLost(Instant now, Out& out) {
  if (!leading_) return;
  ++stats_.leases_lost;
  Note("lease lost");
  EndClaim(FetchAction::End::kFailed, out);
  // With a head, what flows goes on for those who read it here; only leading ends.
  if (phase_ == Phase::kStreaming) return;
  CancelAllBut(0, out);
  BeginClaim(now, out);
}

void Fetch::OnNotShared(Out& out) {
  EndClaim(leading_ ? FetchAction::End::kUncacheable : FetchAction::End::kFailed, out);
}

void Fetch::OnAbandoned(bool may_keep, Out& out) {
  if (phase_ == Phase::kDone || phase_ == Phase::kIdle) return;
  if (may_keep && has_head_ && total_ && have_ <= *total_) {
    const uint64_t left = *total_ - have_;
    if (left <= options_.abandon_remaining_bytes_max || left < *total_ / 2) return;
  }
  Finish(FetchAction::Finish::kAbandoned, 0, "all who asked have left", out);
}

void Fetch::OnDeadline(Instant now, Out& out) {
  if (phase_ == Phase::kDone) return;
  if (now >= head_deadline_) {
    Note("out of time");
    return GiveUp(504, out);
  }
  if (phase_ == Phase::kClaiming && now >= claim_deadline_) {
    return OnClaimAnswer(now, ClaimResult{}, out);
  }
  if (phase_ == Phase::kPausing && now >= pause_deadline_) {
    pause_deadline_ = kNever;
    return BeginClaim(now, out);
  }
  if (phase_ != Phase::kAsking) return;
  std::vector<int> stalled;
  for (const auto& [id, attempt] : asked_) {
    if (!attempt.origin && now >= attempt.last_sign + options_.stall) stalled.push_back(id);
  }
  for (const int id : stalled) {
    if (!asked_.contains(id)) continue;
    ++stats_.stalls;
    FetchAction cancel;
    cancel.what = FetchAction::What::kCancel;
    cancel.attempt = id;
    out.push_back(std::move(cancel));
    OnFailure(now, id, FetchFailure::kTimeout, "no sign of life", out);
  }
}

Instant Fetch::NextDeadline() const {
  if (phase_ == Phase::kDone || phase_ == Phase::kIdle) return kNever;
  Instant next = head_deadline_;
  if (phase_ == Phase::kClaiming) next = std::min(next, claim_deadline_);
  if (phase_ == Phase::kPausing) next = std::min(next, pause_deadline_);
  if (phase_ == Phase::kAsking) {
    for (const auto& [id, attempt] : asked_) {
      if (!attempt.origin) next = std::min(next, attempt.last_sign + options_.stall);
    }
  }
  return next;
}

std::vector<Endpoint> Fetch::WaitsFor() const {
  std::vector<Endpoint> holders;
  for (const auto& [id, attempt] : asked_) {
    if (!attempt.origin) holders.push_back(attempt.holder.endpoint);
  }
  return holders;
}

void Fetch::CancelAllBut(int attempt, Out& out) {
  for (auto it = asked_.begin(); it != asked_.end();) {
    if (it->first == attempt) {
      ++it;
      continue;
    }
    FetchAction action;
    action.what = FetchAction::What::kCancel;
    action.attempt = it->first;
    out.push_back(std::move(action));
    it = asked_.erase(it);
  }
}

void Fetch::GiveUp(int status, Out& out) {
  Finish(has_head_ ? FetchAction::Finish::kAborted : FetchAction::Finish::kFailed, status, Tried(),
         out);
}

void Fetch::Finish(FetchAction::Finish finish, int status, std::string_view detail, Out& out) {
  CancelAllBut(0, out);
  source_ = 0;
  EndClaim(finish == FetchAction::Finish::kComplete ? FetchAction::End::kComplete
                                                    : FetchAction::End::kFailed,
           out);
  phase_ = Phase::kDone;
  FetchAction action;
  action.what = FetchAction::What::kFinish;
  action.finish = finish;
  action.status = status;
  action.detail = detail;
  out.push_back(std::move(action));
}

void Fetch::Note(std::string_view what) {
  if (tried_.size() == kTriedMax) tried_.erase(tried_.begin());
  tried_.emplace_back(what.substr(0, 200));
}

std::string Fetch::Tried() const {
  std::string out;
  for (const std::string& one : tried_) {
    if (!out.empty()) out += "; ";
    out += one;
  }
  return out;
}

std::string StrongValidator(std::string_view etag, std::string_view last_modified,
                            std::optional<int64_t> last_modified_at, std::optional<int64_t> date) {
  if (!etag.empty()) return std::string(etag.substr(0, 2) == "W/" ? std::string_view() : etag);
  if (!last_modified.empty() && last_modified_at && date &&
      *date - *last_modified_at >= kLastModifiedStrongSeconds) {
    return std::string(last_modified);
  }
  return "";
}

bool MayAttach(const PeerAsk& ask, const HolderState& holder) {
  if (holder.complete) return true;  // waits for nobody
  if (holder.has_head) return !ask.has_head || holder.bytes > ask.have;
  return !ask.has_head && holder.rank < ask.rank;
}

}  // namespace reef::http
