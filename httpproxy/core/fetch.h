// SPDX-License-Identifier: Apache-2.0
//
// Fetch: the decisions of one fill, from the claim in the index to the last byte: whom to ask, whom
// to believe, when to give up on whom, how to go on where another broke off. It is the proxies'
// part of docs/claim.md; the numbers of rules below are of that page.
//
// Owned by the filler (httpproxy/server) or the simulator, which does what the actions say and
// reports back. Pure: no clock, no I/O, no randomness; not thread-safe.
//
//   Start -> claim -> first ------> origin ---------> head -> bytes -> complete
//                  -> held -------> holders, raced -> head -> bytes -> complete
//                  -> no answer --> origin, without a claim, counted
//                  -> uncacheable > finish: fetch for yourself
//
// A holder that fails, stalls or does not have it is excluded and the next one asked; one that has
// no more of it than we have is passed over until it leads or has all; with none left the fill
// claims anew. A source lost in mid-body is replaced under one strong validator, at
// the byte reached, else the readers are told that the body is broken off: bytes of two
// representations are never mixed (rule 14). Everything is bounded: attempts, claims, and the time
// until a head.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/endpoint.h"
#include "base/instant.h"
#include "httpproxy/core/peer_protocol.h"

namespace reef::http {

struct FetchOptions {
  // The index keeps the budget of rule 15 and answers within it, or within its patience while it
  // looks after a lost leader: this is for an index that does not answer at all.
  Duration claim_budget = std::chrono::seconds(10);
  Duration stall = std::chrono::milliseconds(1500);     // rule 11
  Duration pause_min = std::chrono::milliseconds(100);  // before claiming again when told to wait
  Duration pause_max = std::chrono::seconds(1);         // doubled up to this
  Duration head_time_max = std::chrono::seconds(75);    // from Start to a head
  int race_max = 2;                                     // holders asked at the same time
  int claims_max = 6;  // caused by failures; what "busy" and "order" cause does not count
  // Claims whose every holder has failed us, before the origin is asked without one (rule 7).
  int starved_max = 8;
  int attempts_max = 64;  // requests to holders and the origin together
  int origin_attempts_max = 3;
  int peer_failures_max = 2;  // holders whose own fetch failed, before this is believed
  // A fill that nobody waits for any more goes on if so little is missing, or less than half.
  uint64_t abandon_remaining_bytes_max = 1 << 20;
};

// What the index says (dsht/client.h in values of this core).
struct ClaimResult {
  enum class Kind { kFirst, kHeld, kUncacheable, kNoAnswer } kind = Kind::kNoAnswer;
  struct Holder {
    std::string node;   // an opaque id, as exclusions name it
    Endpoint endpoint;  // port 0: not to be made out, passed over
    int level = 0;
    bool complete = false;
    friend bool operator==(const Holder&, const Holder&) = default;
  };
  std::vector<Holder> holders;  // best first
  int rank = 3;
};

// What a response's head says that matters here.
struct FetchHead {
  bool partial = false;  // 206: begins at first_byte
  uint64_t first_byte = 0;
  std::optional<uint64_t> total;  // length of the whole, if told
  std::string validator;          // strong (StrongValidator), else empty
};

enum class FetchFailure {
  kResolve,
  kForbidden,  // an address that this proxy does not connect to
  kConnect,
  kConnectTimeout,
  kTimeout,
  kBroken,    // closed or reset before the end
  kProtocol,  // not HTTP as it must be
  kTls,
  kLimit,  // of our own
};

// 502, 503 or 504 (RFC 9110, 15.6), or 403 for kForbidden.
int StatusOfFailure(FetchFailure failure);

struct FetchAction {
  enum class What {
    kClaim,      // ask the index, naming `exclude` and `behind`
    kRelease,    // end the open claim with `end`
    kStreaming,  // tell the index that the head is here
    kAskPeer,    // request `attempt` to `holder` from byte `offset` on, with `rank`
    kAskOrigin,  // request `attempt` to the origin from byte `offset` on
    kCancel,     // close request `attempt`
    kUse,        // `attempt` has won: its head is the object's, its body begins at byte 0
    kContinue,   // `attempt` goes on with the body; its first `skip` bytes are known already
    kFinish,     // the last action: `finish`
  };
  enum class End { kComplete, kUncacheable, kFailed };
  enum class Finish {
    kComplete,
    kAborted,      // a head was shown, the body stays incomplete
    kFailed,       // no head: answer with `status`
    kUncacheable,  // nothing here to share: every asker fetches for itself
    kAbandoned,    // all askers left
  };
  What what = What::kFinish;
  int attempt = 0;
  ClaimResult::Holder holder;
  std::vector<std::string> exclude;
  std::vector<std::string> behind;
  uint64_t offset = 0;
  uint64_t skip = 0;
  int rank = 3;
  bool has_head = false;  // of kAskPeer: readers have seen a head already (rule 12)
  bool leading = false;   // of kRelease: the claim was first
  End end = End::kFailed;
  Finish finish = Finish::kFailed;
  int status = 0;
  std::string detail;  // what was tried on whom
};

class Fetch {
 public:
  struct Stats {
    uint64_t claims_first = 0, claims_held = 0, claims_uncacheable = 0, claims_no_answer = 0;
    uint64_t origin_unclaimed = 0;  // the origin was asked without holding the claim
    uint64_t stalls = 0, takeovers = 0, leases_lost = 0;
    uint64_t told_busy = 0, told_order = 0, told_not_held = 0, told_failed = 0;
    uint64_t retries = 0;  // requests beyond the first round
  };

  // `self`: this node's endpoint, so that it never reads from itself.
  Fetch(const FetchOptions& options, const Endpoint& self);

  // Each input appends what is to be done to `out`. After kFinish every input is ignored, as is one
  // for an attempt that has ended.
  using Out = std::vector<FetchAction>;
  void Start(Instant now, Out& out);
  // Instead of Start, where it is known that others do not share: asks the origin at once.
  void StartWithoutClaim(Instant now, Out& out);
  void OnClaimAnswer(Instant now, const ClaimResult& answer, Out& out);
  void OnLeaseLost(Instant now, Out& out);
  void OnSign(Instant now, int attempt);  // an interim response
  void OnHead(Instant now, int attempt, const FetchHead& head, Out& out);
  void OnBytes(int attempt, uint64_t count);       // new ones, after `skip`
  void OnEnd(Instant now, int attempt, Out& out);  // the message ended as its framing says
  void OnFailure(Instant now, int attempt, FetchFailure failure, std::string_view detail, Out& out);
  void OnPeerAnswer(Instant now, int attempt, const PeerAnswer& answer, std::string_view detail,
                    Out& out);
  // The head in use says that the response cannot be shared: the claim ends, the body goes on to
  // its one asker.
  void OnNotShared(Out& out);
  // The last asker left. It goes on if it `may_keep` the result and that is worth what is missing.
  void OnAbandoned(bool may_keep, Out& out);
  void OnDeadline(Instant now, Out& out);
  Instant NextDeadline() const;  // kNever when nothing is due

  bool claiming() const { return phase_ == Phase::kClaiming; }
  bool leading() const { return leading_; }
  bool has_head() const { return has_head_; }
  bool done() const { return phase_ == Phase::kDone; }
  int rank() const { return rank_; }
  // For MayAttach: one that asks the origin, with or without a claim, waits for no other proxy.
  int RankForReaders() const { return asks_origin() ? 0 : rank_; }
  uint64_t have() const { return have_; }
  // Whom this node waits for now: the out-edges of the wait graph.
  std::vector<Endpoint> WaitsFor() const;
  const Stats& stats() const { return stats_; }

 private:
  enum class Phase { kIdle, kClaiming, kPausing, kAsking, kStreaming, kDone };
  struct Attempt {
    bool origin = false;
    ClaimResult::Holder holder;
    Instant last_sign{};
  };

  bool asks_origin() const { return !asked_.empty() && asked_.begin()->second.origin; }
  void BeginClaim(Instant now, Out& out);
  void EndClaim(FetchAction::End end, Out& out);
  void Pause(Instant now, Out& out);
  void AskHolders(Instant now, Out& out);
  void AskOrigin(Instant now, Out& out);
  void AskOriginUnclaimed(Instant now, std::string_view why, Out& out);
  bool CountAttempt(Out& out);
  void HolderFailed(Instant now, const ClaimResult::Holder& holder, std::string_view why, Out& out);
  void Exclude(const ClaimResult::Holder& holder);
  void OnOrder(const ClaimResult::Holder& holder);
  void OriginFailed(Instant now, FetchFailure failure, std::string_view detail, Out& out);
  void LostSource(Instant now, const Attempt& source, std::string_view why, Out& out);
  bool Continues(const FetchHead& head) const;
  void CancelAllBut(int attempt, Out& out);
  void GiveUp(int status, Out& out);
  void Finish(FetchAction::Finish finish, int status, std::string_view detail, Out& out);
  void Note(std::string_view what);
  std::string Tried() const;

  const FetchOptions options_;
  const Endpoint self_;

  Phase phase_ = Phase::kIdle;
  bool claim_open_ = false;
  bool leading_ = false;
  bool must_wait_ = false;  // some holder of this round is busy, or leads and is no further yet
  bool learned_ = false;    // some holder of this round is no further, and was not known to be
  int rank_ = 3;
  int claims_ = 0;
  int starved_ = 0;
  int attempts_ = 0;
  int origin_attempts_ = 0;
  int peer_failures_ = 0;
  int last_status_ = 502;
  Duration pause_{};
  Instant claim_deadline_ = kNever;
  Instant pause_deadline_ = kNever;
  Instant head_deadline_ = kNever;

  std::map<int, Attempt> asked_;  // in flight
  std::vector<ClaimResult::Holder> candidates_;
  std::set<Endpoint> asked_this_round_;
  std::vector<std::string> excluded_;      // nodes
  std::set<Endpoint> excluded_endpoints_;  // of holders whose node is not known
  std::vector<std::string> behind_;        // nodes that said "order" in this search

  int source_ = 0;  // the attempt whose body is ours, 0: none
  bool has_head_ = false;
  uint64_t have_ = 0;
  uint64_t have_at_loss_ = 0;
  std::optional<uint64_t> total_;
  std::string validator_;

  std::vector<std::string> tried_;  // the last few
  Stats stats_;
};

// RFC 9110, 8.8: the ETag if it is strong; else Last-Modified if it is so much older than Date
// (both as Unix seconds) that the origin cannot have changed the representation within that second;
// else empty. What If-Range may be sent with.
std::string StrongValidator(std::string_view etag, std::string_view last_modified,
                            std::optional<int64_t> last_modified_at, std::optional<int64_t> date);

// Rule 12, the holder's side: whether `ask` may wait for a holder in this state.
struct HolderState {
  int rank = 3;
  bool has_head = false;
  bool complete = false;
  uint64_t bytes = 0;
};
bool MayAttach(const PeerAsk& ask, const HolderState& holder);

}  // namespace reef::http
