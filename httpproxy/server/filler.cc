// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/filler.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/runtime/log.h"
#include "httpproxy/core/host_name.h"
#include "httpproxy/core/policy.h"
#include "httpproxy/core/stored_head.h"
#include "httpproxy/server/expiring_map.h"
#include "httpproxy/server/fill_metrics.h"
#include "httpproxy/server/fill_request.h"
#include "httpproxy/server/make_filler.h"

namespace reef::http {
namespace {

// What an origin answers when it is in trouble: neither kept nor taken for its last word.
bool IsServerTrouble(int status) {
  return status == 500 || status == 502 || status == 503 || status == 504;
}

// For the index, holders that fail and connecting, beside the origin's own time for a head.
constexpr auto kHeadTimeSlack = std::chrono::seconds(15);

constexpr std::string_view kMomentAgo = " (a moment ago)";

struct Failure {
  FetchFailure kind = FetchFailure::kConnect;
  std::string detail;
};

// Not worth trying again at once: nothing there answers at all.
bool IsUnreachable(FetchFailure failure) {
  return failure == FetchFailure::kResolve || failure == FetchFailure::kConnect ||
         failure == FetchFailure::kConnectTimeout || failure == FetchFailure::kTls;
}

// A key whose response is not to be shared.
struct Unshared {
  Instant claim_again{};
};

class LoopFiller final : public Filler {
 public:
  LoopFiller(const FillerOptions& options, EventLoop& loop, Cache& cache, dsht::Client& index,
             References& references, Metrics& metrics)
      : options_(options),
        loop_(loop),
        cache_(cache),
        index_(index),
        references_(references),
        metrics_(metrics),
        resolver_(options.resolver, loop),
        upstream_(options.upstream, options.guard, options.self, loop, resolver_, metrics),
        unshared_(options.memory_entries_max),
        failed_(options.memory_entries_max),
        unanswered_(options.memory_entries_max) {}

  ~LoopFiller() override {
    for (auto& [id, fill] : fills_) {
      if (fill->claim_open) index_.Release(fill->claim, dsht::ClaimEnd::kFailed, {});
      BreakOff(fill->body, "this proxy stops");
    }
    for (auto& [token, alone] : alone_) BreakOff(alone->body, "this proxy stops");
  }

  uint64_t Fetch(FetchRequest request, Done done, Interim interim) override;
  void Cancel(uint64_t token) override;
  uint64_t FetchAlone(FetchRequest request, std::shared_ptr<Body> request_body, Done done,
                      Interim interim) override;

 private:
  // Who waits for an outcome, or has had one and reads.
  struct Asker {
    Done done;
    Interim interim;
    uint64_t fill = 0;  // 0: fetched alone, or answered
    bool from_peer = false;
    int peer_rank = 3;
    bool joined = false;
    bool told = false;
  };

  // One request of a fill, to a holder or the origin.
  struct Try {
    uint64_t sent_as = 0;  // at upstream_
    bool to_origin = false;
  };

  struct Fill {
    Fill(uint64_t number, FetchRequest first, EventLoop& loop, Task on_deadline)
        : id(number), request(std::move(first)), timer(loop, std::move(on_deadline)) {}

    const uint64_t id;
    FetchRequest request;  // of the first asker
    const SitePolicy* policy = nullptr;
    std::unique_ptr<http::Fetch> core;
    http::Fetch::Out out;
    Timer timer;

    std::vector<uint64_t> askers;  // tokens, the first first
    std::map<int, Try> tries;
    int source = 0;  // the try whose body is ours
    uint64_t skip = 0;
    FillSource source_kind = FillSource::kOrigin;

    bool claim_open = false;
    dsht::ClaimId claim = 0;
    uint64_t claim_number = 0;  // of this fill: an answer to an earlier one is late
    Instant claimed_at{};

    bool validates = false;  // the origin is asked whether `request.stale` still holds
    std::string validator;   // of the head in use
    std::shared_ptr<const Object> object;  // once the head is here
    std::shared_ptr<Body> body;            // null: complete already (a 304)
    long object_uses = 0;                  // of the object, when nobody reads it
    FetchOutcome outcome;                  // what askers are told, once the head is here
    std::string own_fields;                // and the first one alone
    bool shared = false;                   // with all askers; else with the first alone
    bool streaming = false;                // a short reference stands in the index
    bool published = false;                // the long one does
  };

  // A head, while the core decides about it.
  struct Arrival {
    const ResponseHead& head;
    WallTime sent;
    WallTime received;
    Admission admission;                   // of all but a 304
    std::optional<Freshened> confirmed{};  // of a 304 about what is stored

    // Others than the asker may have it.
    bool IsForAll() const { return confirmed ? confirmed->share : admission.share; }
  };

  struct Alone {
    uint64_t token = 0;
    FetchRequest request;
    const SitePolicy* policy = nullptr;
    uint64_t sent_as = 0;
    std::shared_ptr<Body> body;
    std::shared_ptr<const Object> stored;  // null: nobody else can find it
    long stored_uses = 0;                  // of it, when nobody reads it
  };

  // Outcomes run in the next turn, in order: never inline, and never while a fill is being changed.
  void Tell(uint64_t token, FetchOutcome outcome);
  void RunOutcomes();
  void Post(std::function<void()> task);
  uint64_t NewAsker(Asker asker);

  const SitePolicy& PolicyFor(const Origin& origin) const {
    return options_.origins.contains(origin.host) ? named_site_ : open_zone_;
  }
  UpstreamTarget TargetOf(const Origin& origin) const;
  std::string HostOf(const Origin& origin) const;
  const Failure* RememberedFailure(const Origin& origin);
  const Failure* RememberedFailure(const FetchRequest& request);
  void RememberFailure(const Origin& origin, FetchFailure failure, const std::string& detail);
  // True: `token` was told of what is in the cache.
  bool AnswerFromCache(const FetchRequest& request, uint64_t token);
  // True: `token` was told from what is remembered of the key.
  bool AnswerUnshared(const FetchRequest& request, uint64_t token, bool& without_claim);
  void Remember(const CacheKey& key);

  Fill* FindFill(uint64_t id);
  void StartFill(FetchRequest request, uint64_t token, bool without_claim);
  void Join(Fill& fill, uint64_t token);
  void TellHead(Fill& fill, uint64_t token, bool first);
  void JudgePeers(Fill& fill);
  void Leave(uint64_t fill_id, uint64_t token);

  // Does what the core asks for; the fill may be gone afterwards.
  void Drive(Fill& fill);
  void Obey(Fill& fill, const FetchAction& action);
  void Claim(Fill& fill, const FetchAction& action);
  void OnClaimAnswer(uint64_t id, uint64_t number, const dsht::ClaimAnswer& answer);
  void OnLeaseLost(uint64_t id, uint64_t number);
  void EndClaim(Fill& fill, const FetchAction& action);
  void AskPeer(Fill& fill, const FetchAction& action);
  void AskOrigin(Fill& fill, const FetchAction& action);
  void Send(Fill& fill, int attempt, UpstreamRequest request, bool to_origin);
  void StopTry(Fill& fill, int attempt);

  void OnInterim(Fill& fill, int attempt, const ResponseHead& head);
  void OnHead(Fill& fill, int attempt, const ResponseHead& head, WallTime sent);
  bool OnPeerAnswer(Fill& fill, int attempt, const ResponseHead& head);
  // Why this head is not to be used; empty: it is.
  std::string Unfit(const Fill& fill, const Try& from, const Arrival& arrival) const;
  void Use(Fill& fill, const FetchAction& action);
  void UseConfirmed(Fill& fill);
  void UseStored(Fill& fill);
  void UseUnshared(Fill& fill);
  void TellAll(Fill& fill);
  void OnBody(Fill& fill, int attempt, std::string_view bytes);
  void OnFailure(Fill& fill, int attempt, FetchFailure failure, const std::string& detail);
  void Finish(Fill& fill, const FetchAction& action);
  bool StartAgainWithoutClaim(Fill& fill);
  void Remove(Fill& fill);
  Duration Remaining(const Object& object) const;
  // False: larger than the cache keeps, or purged meanwhile.
  bool IsKept(const Fill& fill) {
    return cache_.Find(fill.request.key).where != Cache::Found::Where::kMiss;
  }

  // To whoever waits for a head still, in `tokens`.
  void TellInterim(const std::vector<uint64_t>& tokens, const ResponseHead& head,
                   const SitePolicy& policy);
  bool MayStoreAlone(const Alone& alone, const ResponseHead& head,
                     const Admission& admission) const;
  void OnAloneHead(Alone& alone, const ResponseHead& head, WallTime sent);
  // Appends; pauses the source while the body has no room. False: the body was given up, as one
  // that cannot be kept and that nobody reads.
  bool AppendTo(Body& body, uint64_t sent_as, std::string_view bytes);
  static void BreakOff(const std::shared_ptr<Body>& body, const std::string& reason) {
    if (body != nullptr && body->state() == Body::State::kFilling) body->Abort(reason);
  }

  const FillerOptions options_;
  EventLoop& loop_;
  Cache& cache_;
  dsht::Client& index_;
  References& references_;
  FillMetrics metrics_;
  Resolver resolver_;
  Upstream upstream_;
  const SitePolicy open_zone_ = SitePolicy::OpenZone();
  const SitePolicy named_site_ = SitePolicy::NamedSite();

  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  uint64_t next_id_ = 1;
  std::unordered_map<uint64_t, std::unique_ptr<Fill>> fills_;
  std::unordered_map<CacheKey, uint64_t, CacheKeyHash> by_key_;
  std::unordered_map<uint64_t, Asker> askers_;
  std::unordered_map<uint64_t, std::unique_ptr<Alone>> alone_;  // by token
  std::vector<std::pair<uint64_t, FetchOutcome>> outcomes_;
  const Arrival* arrival_ = nullptr;  // while the core is told of a head

  ExpiringMap<CacheKey, Unshared> unshared_;
  ExpiringMap<Origin, Failure> failed_;
  ExpiringMap<CacheKey, Failure> unanswered_;  // the origin is there, but had no head in time
};

// ---- Askers ----

uint64_t LoopFiller::NewAsker(Asker asker) {
  const uint64_t token = next_id_++;
  askers_.emplace(token, std::move(asker));
  return token;
}

void LoopFiller::Tell(uint64_t token, FetchOutcome outcome) {
  outcomes_.emplace_back(token, std::move(outcome));
  if (outcomes_.size() == 1) Post([this] { RunOutcomes(); });
}

void LoopFiller::RunOutcomes() {
  auto outcomes = std::exchange(outcomes_, {});
  for (auto& [token, outcome] : outcomes) {
    const auto asker = askers_.find(token);
    if (asker == askers_.end()) continue;
    const Done done = std::exchange(asker->second.done, nullptr);
    // Without a fill or body behind it there is nothing left to leave.
    if (asker->second.fill == 0 && !alone_.contains(token)) askers_.erase(asker);
    if (done) done(std::move(outcome));
  }
}

void LoopFiller::Post(std::function<void()> task) {
  loop_.Post([alive = std::weak_ptr<bool>(alive_), task = std::move(task)] {
    if (!alive.expired()) task();
  });
}

uint64_t LoopFiller::Fetch(FetchRequest request, Done done, Interim interim) {
  const uint64_t token = NewAsker({.done = std::move(done),
                                   .interim = std::move(interim),
                                   .from_peer = request.from_peer,
                                   .peer_rank = request.peer_rank});
  bool without_claim = request.not_before != WallTime{};
  if (AnswerUnshared(request, token, without_claim)) return token;
  if (const auto running = by_key_.find(request.key);
      running != by_key_.end() &&
      fills_.at(running->second)->request.not_before >= request.not_before) {
    Join(*fills_.at(running->second), token);
    return token;
  }
  if (AnswerFromCache(request, token)) return token;
  FetchOutcome refusal;
  if (request.only_if_cached) {
    refusal.kind = FetchOutcome::Kind::kNotHeld;
    refusal.status = 504;
  } else if (fills_.size() >= options_.fills_max) {
    refusal.status = 503;
    refusal.detail = "too many fetches at once";
  } else {
    StartFill(std::move(request), token, without_claim);
    return token;
  }
  Tell(token, std::move(refusal));
  return token;
}

// A fill may have ended between the asker's look into the cache and now: its object is there.
bool LoopFiller::AnswerFromCache(const FetchRequest& request, uint64_t token) {
  std::shared_ptr<const Object> object = cache_.Find(request.key).object;
  if (object == nullptr) return false;
  const Freshness& freshness = object->head.freshness;
  if (request.stale != nullptr && freshness.born <= request.stale->head.freshness.born)
    return false;
  if (object->body->state() == Body::State::kAborted || !freshness.IsFreshAt(loop_.Wall()) ||
      freshness.born < request.not_before) {
    return false;
  }
  metrics_.CountCollapsed();
  FetchOutcome outcome;
  outcome.kind = FetchOutcome::Kind::kObject;
  outcome.upstream_status = object->head.status;
  outcome.object = std::move(object);
  outcome.collapsed = true;
  Tell(token, std::move(outcome));
  return true;
}

bool LoopFiller::AnswerUnshared(const FetchRequest& request, uint64_t token, bool& without_claim) {
  const Instant now = loop_.Now();
  Unshared* const known = unshared_.Find(request.key, now);
  if (known == nullptr) return false;
  if (now >= known->claim_again && !request.only_if_cached) {
    known->claim_again = now + options_.claim_again;
    return false;
  }
  // A stored one may be asked about, though what comes is nobody else's.
  if (request.stale != nullptr) {
    without_claim = true;
    return false;
  }
  metrics_.CountRemembered();
  FetchOutcome alone;
  alone.kind = FetchOutcome::Kind::kRetryAlone;
  Tell(token, std::move(alone));
  return true;
}

void LoopFiller::Remember(const CacheKey& key) {
  const Instant now = loop_.Now();
  unshared_.Set(key, {.claim_again = now + options_.claim_again},
                now + options_.uncacheable_memory);
}

const Failure* LoopFiller::RememberedFailure(const Origin& origin) {
  const Failure* const failure = failed_.Find(origin, loop_.Now());
  if (failure != nullptr) metrics_.CountRemembered();
  return failure;
}

const Failure* LoopFiller::RememberedFailure(const FetchRequest& request) {
  if (const Failure* const failure = RememberedFailure(request.origin)) return failure;
  const Failure* const failure = unanswered_.Find(request.key, loop_.Now());
  if (failure != nullptr) metrics_.CountRemembered();
  return failure;
}

void LoopFiller::RememberFailure(const Origin& origin, FetchFailure failure,
                                 const std::string& detail) {
  failed_.Set(origin, {failure, detail + std::string(kMomentAgo)},
              loop_.Now() + options_.failure_memory);
}

void LoopFiller::Join(Fill& fill, uint64_t token) {
  Asker& asker = askers_.at(token);
  asker.joined = true;
  // What passes through to its owner is nothing to stay with.
  if (fill.object != nullptr && !fill.shared) return TellHead(fill, token, /*first=*/false);
  asker.fill = fill.id;
  fill.askers.push_back(token);
  metrics_.CountCollapsed();
  if (fill.object != nullptr) {
    TellHead(fill, token, /*first=*/false);
  } else if (asker.from_peer) {
    JudgePeers(fill);
  }
}

// Rule 12: a proxy waits for us only while we wait for nobody of its rank or above. While our own
// claim is undecided that is not known yet; the index answers within its budget, so they may wait
// for that.
void LoopFiller::JudgePeers(Fill& fill) {
  if (fill.object != nullptr || fill.core->claiming()) return;
  const HolderState state = {.rank = fill.core->RankForReaders()};
  for (size_t i = 0; i < fill.askers.size();) {
    const uint64_t token = fill.askers[i];
    Asker& asker = askers_.at(token);
    PeerAsk ask;
    ask.rank = asker.peer_rank;
    if (!asker.from_peer || MayAttach(ask, state)) {
      ++i;
      continue;
    }
    fill.askers.erase(fill.askers.begin() + static_cast<std::ptrdiff_t>(i));
    asker.fill = 0;
    FetchOutcome order;
    order.kind = FetchOutcome::Kind::kOrder;
    order.status = 504;
    Tell(token, std::move(order));
  }
}

void LoopFiller::Cancel(uint64_t token) {
  const auto asker = askers_.find(token);
  if (asker == askers_.end()) return;
  const uint64_t fill_id = asker->second.fill;
  askers_.erase(asker);
  std::erase_if(outcomes_, [token](const auto& entry) { return entry.first == token; });
  const auto alone = alone_.find(token);
  // As in Leave.
  if (alone != alone_.end() && (alone->second->stored == nullptr ||
                                alone->second->stored.use_count() <= alone->second->stored_uses)) {
    upstream_.Cancel(alone->second->sent_as);
    BreakOff(alone->second->body, "the one who asked has left");
    alone_.erase(alone);
  }
  if (fill_id != 0) Leave(fill_id, token);
}

void LoopFiller::Leave(uint64_t fill_id, uint64_t token) {
  Fill* const fill = FindFill(fill_id);
  if (fill == nullptr) return;
  std::erase(fill->askers, token);
  if (!fill->askers.empty()) return;
  // Others may have found the object in the cache and read it from there.
  if (fill->shared && fill->object.use_count() > fill->object_uses) return;
  fill->core->OnAbandoned(/*may_keep=*/fill->shared, fill->out);
  Drive(*fill);
}

// ---- Fills ----

LoopFiller::Fill* LoopFiller::FindFill(uint64_t id) {
  const auto found = fills_.find(id);
  return found == fills_.end() ? nullptr : found->second.get();
}

void LoopFiller::StartFill(FetchRequest request, uint64_t token, bool without_claim) {
  const uint64_t id = next_id_++;
  by_key_[request.key] = id;
  auto made = std::make_unique<Fill>(id, std::move(request), loop_, [this, id] {
    // Not within the timer's own task, which the fill's end would destroy.
    Post([this, id] {
      Fill* const due = FindFill(id);
      if (due == nullptr) return;
      due->core->OnDeadline(loop_.Now(), due->out);
      Drive(*due);
    });
  });
  Fill& fill = *made;
  fills_.emplace(id, std::move(made));
  fill.policy = &PolicyFor(fill.request.origin);
  const Object* const stale = fill.request.stale.get();
  fill.validates = stale != nullptr && stale->body->state() == Body::State::kComplete;
  fill.askers.push_back(token);
  askers_.at(token).fill = id;
  FetchOptions core;
  core.claim_budget = options_.claim_budget;
  core.stall = options_.peer_stall;
  core.race_max = options_.race_max;
  core.head_time_max = options_.upstream.first_byte_timeout + kHeadTimeSlack;
  core.abandon_remaining_bytes_max = options_.abandon_remaining_bytes_max;
  fill.core = std::make_unique<http::Fetch>(core, options_.self);
  if (without_claim) {
    fill.core->StartWithoutClaim(loop_.Now(), fill.out);
  } else {
    fill.core->Start(loop_.Now(), fill.out);
  }
  Drive(fill);
}

void LoopFiller::Drive(Fill& fill) {
  while (!fill.out.empty()) {
    const http::Fetch::Out actions = std::exchange(fill.out, {});
    for (const FetchAction& action : actions) {
      if (action.what == FetchAction::What::kFinish) return Finish(fill, action);
      Obey(fill, action);
    }
  }
  fill.timer.ArmAt(fill.core->NextDeadline());
}

void LoopFiller::Obey(Fill& fill, const FetchAction& action) {
  switch (action.what) {
    case FetchAction::What::kClaim:
      return Claim(fill, action);
    case FetchAction::What::kRelease:
      return EndClaim(fill, action);
    case FetchAction::What::kStreaming:
      return index_.Streaming(fill.claim);
    case FetchAction::What::kAskPeer:
      return AskPeer(fill, action);
    case FetchAction::What::kAskOrigin:
      return AskOrigin(fill, action);
    case FetchAction::What::kCancel:
      return StopTry(fill, action.attempt);
    case FetchAction::What::kUse:
      return Use(fill, action);
    case FetchAction::What::kContinue:
      fill.source = action.attempt;
      fill.skip = action.skip;
      return;
    case FetchAction::What::kFinish:
      break;
  }
}

void LoopFiller::Claim(Fill& fill, const FetchAction& action) {
  dsht::ClaimRequest request;
  request.key = IndexKey(fill.request.key);
  request.value = references_.value();
  for (const std::string& node : action.exclude) {
    if (const auto id = dsht::NodeId::FromHex(node)) request.exclude.push_back(*id);
  }
  for (const std::string& node : action.behind) {
    if (const auto id = dsht::NodeId::FromHex(node)) request.behind.push_back(*id);
  }
  fill.claim_open = true;
  fill.claimed_at = loop_.Now();
  const uint64_t number = ++fill.claim_number;
  const auto back = [this, id = fill.id, number, alive = std::weak_ptr<bool>(alive_),
                     &loop = loop_](auto then) {
    loop.Post([this, id, number, alive, then = std::move(then)] {
      if (!alive.expired()) then(this, id, number);
    });
  };
  fill.claim = index_.Claim(
      std::move(request),
      [back](dsht::ClaimAnswer answer) {
        back([answer = std::move(answer)](LoopFiller* self, uint64_t id, uint64_t claim) {
          self->OnClaimAnswer(id, claim, answer);
        });
      },
      [back] {
        back([](LoopFiller* self, uint64_t id, uint64_t claim) { self->OnLeaseLost(id, claim); });
      });
}

void LoopFiller::OnClaimAnswer(uint64_t id, uint64_t number, const dsht::ClaimAnswer& answer) {
  Fill* const fill = FindFill(id);
  if (fill == nullptr || fill->claim_number != number || !fill->claim_open) return;
  ClaimResult result;
  result.rank = answer.rank;
  switch (answer.kind) {
    case dsht::ClaimAnswer::Kind::kFirst:
      result.kind = ClaimResult::Kind::kFirst;
      break;
    case dsht::ClaimAnswer::Kind::kHeld:
      result.kind = ClaimResult::Kind::kHeld;
      break;
    case dsht::ClaimAnswer::Kind::kUncacheable:
      result.kind = ClaimResult::Kind::kUncacheable;
      break;
    case dsht::ClaimAnswer::Kind::kNoAnswer:
      result.kind = ClaimResult::Kind::kNoAnswer;
      break;
  }
  for (const dsht::Holder& holder : answer.holders) {
    // No proxy of ours wrote what does not parse: the core passes over an endpoint without a port.
    result.holders.push_back({.node = holder.node.ToHex(),
                              .endpoint = Endpoint::Parse(holder.value).value_or(Endpoint{}),
                              .level = holder.level,
                              .complete = holder.complete});
  }
  metrics_.CountClaim(result.kind, loop_.Now() - fill->claimed_at);
  fill->core->OnClaimAnswer(loop_.Now(), result, fill->out);
  JudgePeers(*fill);
  Drive(*fill);
}

void LoopFiller::OnLeaseLost(uint64_t id, uint64_t number) {
  Fill* const fill = FindFill(id);
  if (fill == nullptr || fill->claim_number != number || !fill->claim_open) return;
  fill->core->OnLeaseLost(loop_.Now(), fill->out);
  Drive(*fill);
}

void LoopFiller::EndClaim(Fill& fill, const FetchAction& action) {
  fill.claim_open = false;
  if (action.end == FetchAction::End::kUncacheable) {
    // Trouble passes: others may try one by one, instead of all at once.
    const bool trouble = fill.object != nullptr && IsServerTrouble(fill.object->head.status);
    index_.Release(fill.claim, trouble ? dsht::ClaimEnd::kFailed : dsht::ClaimEnd::kUncacheable,
                   {});
    return;
  }
  const bool publishes =
      action.end == FetchAction::End::kComplete && action.leading && fill.shared && IsKept(fill);
  const Duration lifetime =
      publishes ? references_.LifetimeFor(Remaining(*fill.object)) : Duration::zero();
  if (lifetime == Duration::zero()) {
    index_.Release(fill.claim, dsht::ClaimEnd::kFailed, {});
    return;
  }
  index_.Release(fill.claim, dsht::ClaimEnd::kComplete, lifetime);
  references_.Publish(fill.request.key, Remaining(*fill.object), /*in_index=*/true);
  fill.published = true;
}

Duration LoopFiller::Remaining(const Object& object) const {
  const Freshness& freshness = object.head.freshness;
  const WallTime now = loop_.Wall();
  if (!freshness.IsFreshAt(now)) return Duration::zero();
  return freshness.lifetime - freshness.AgeAt(now);
}

// ---- Requests of a fill ----

UpstreamTarget LoopFiller::TargetOf(const Origin& origin) const {
  UpstreamTarget target;
  target.host = origin.host;
  if (const auto configured = options_.origins.find(origin.host);
      configured != options_.origins.end()) {
    target.kind = UpstreamTarget::Kind::kConfigured;
    target.fixed = configured->second;
    return target;
  }
  target.tls = origin.tls;
  target.port = origin.port;
  return target;
}

std::string LoopFiller::HostOf(const Origin& origin) const {
  // A configured origin is told its name, whatever the port that was asked for.
  return options_.origins.contains(origin.host) ? origin.host : origin.Authority();
}

void LoopFiller::AskOrigin(Fill& fill, const FetchAction& action) {
  if (const Failure* const known = RememberedFailure(fill.request)) {
    fill.tries[action.attempt] = {.sent_as = 0, .to_origin = true};
    return Post([this, id = fill.id, attempt = action.attempt, failure = *known] {
      Fill* const live = FindFill(id);
      if (live == nullptr || live->tries.erase(attempt) == 0) return;
      live->core->OnFailure(loop_.Now(), attempt, failure.kind, failure.detail, live->out);
      Drive(*live);
    });
  }
  UpstreamRequest request;
  request.target = TargetOf(fill.request.origin);
  FillPart part{.offset = action.offset, .if_range = fill.validator};
  if (fill.validates) part.validate = &fill.request.stale->head;
  request.head = OriginRequestHead(fill.request, HostOf(fill.request.origin), part);
  Send(fill, action.attempt, std::move(request), /*to_origin=*/true);
}

void LoopFiller::AskPeer(Fill& fill, const FetchAction& action) {
  UpstreamRequest request;
  request.target.kind = UpstreamTarget::Kind::kPeer;
  request.target.fixed = action.holder.endpoint;
  // It says "alive" at short intervals; the core knows when to lose patience.
  request.first_byte_timeout = std::chrono::minutes(2);
  const PeerAsk ask{.rank = action.rank,
                    .have = action.offset,
                    .has_head = action.has_head,
                    .node = options_.node_hex,
                    .endpoint = options_.self};
  FillPart part{.offset = action.offset, .if_range = fill.validator};
  if (fill.validates) part.validate = &fill.request.stale->head;
  const auto host = CoralisedHost(fill.request.origin, options_.zone);
  request.head =
      PeerRequestHead(fill.request, host.value_or(fill.request.origin.Authority()), ask, part);
  Send(fill, action.attempt, std::move(request), /*to_origin=*/false);
}

void LoopFiller::Send(Fill& fill, int attempt, UpstreamRequest request, bool to_origin) {
  const uint64_t id = fill.id;
  // Each finds its fill again: it may be gone, or the try be cancelled.
  const auto with = [this, id, attempt](auto then) {
    Fill* const live = FindFill(id);
    if (live == nullptr || !live->tries.contains(attempt)) return;
    then(*live);
  };
  UpstreamEvents events;
  events.on_interim = [this, with, attempt](const ResponseHead& head) {
    with([&](Fill& live) { OnInterim(live, attempt, head); });
  };
  events.on_head = [this, with, attempt](const ResponseHead& head, WallTime sent) {
    with([&](Fill& live) { OnHead(live, attempt, head, sent); });
  };
  events.on_body = [this, with, attempt](std::string_view bytes) {
    with([&](Fill& live) { OnBody(live, attempt, bytes); });
  };
  events.on_end = [this, with, attempt, to_origin](bool verified) {
    with([&](Fill& live) {
      // Another proxy always frames; its connection's mere end is how it shows a body that broke.
      if (!verified && !to_origin) {
        return OnFailure(live, attempt, FetchFailure::kBroken, "closed without an end");
      }
      live.tries.erase(attempt);
      live.core->OnEnd(loop_.Now(), attempt, live.out);
      Drive(live);
    });
  };
  events.on_failure = [this, with, attempt](FetchFailure failure, const std::string& detail) {
    with([&](Fill& live) { OnFailure(live, attempt, failure, detail); });
  };
  fill.tries[attempt] = {upstream_.Send(std::move(request), std::move(events)), to_origin};
}

void LoopFiller::StopTry(Fill& fill, int attempt) {
  const auto found = fill.tries.find(attempt);
  if (found == fill.tries.end()) return;
  upstream_.Cancel(found->second.sent_as);
  fill.tries.erase(found);
}

void LoopFiller::OnFailure(Fill& fill, int attempt, FetchFailure failure,
                           const std::string& detail) {
  const Try failed = fill.tries.at(attempt);
  fill.tries.erase(attempt);
  if (failed.to_origin && IsUnreachable(failure)) {
    RememberFailure(fill.request.origin, failure, detail);
  }
  if (failed.to_origin && failure == FetchFailure::kTimeout && fill.object == nullptr) {
    unanswered_.Set(fill.request.key, {failure, detail + std::string(kMomentAgo)},
                    loop_.Now() + options_.failure_memory);
  }
  fill.core->OnFailure(loop_.Now(), attempt, failure, detail, fill.out);
  Drive(fill);
}

// ---- Heads ----

void LoopFiller::OnInterim(Fill& fill, int attempt, const ResponseHead& head) {
  fill.core->OnSign(loop_.Now(), attempt);
  // Another proxy's is its sign of life, not the origin's word.
  // 100 answers an Expect, which this request had not.
  if (fill.tries.at(attempt).to_origin && head.status != 100) {
    TellInterim(fill.askers, head, *fill.policy);
  }
}

void LoopFiller::TellInterim(const std::vector<uint64_t>& tokens, const ResponseHead& head,
                             const SitePolicy& policy) {
  const std::string fields = EndToEndFields(head, policy);
  for (const uint64_t token : tokens) {
    const Asker& asker = askers_.at(token);
    if (asker.interim == nullptr || asker.told) continue;
    Post([this, token, status = head.status, fields] {
      const auto live = askers_.find(token);
      if (live == askers_.end() || !live->second.done) return;
      const Interim interim = live->second.interim;
      interim(status, fields);
    });
  }
}

void LoopFiller::OnHead(Fill& fill, int attempt, const ResponseHead& head, WallTime sent) {
  const Try from = fill.tries.at(attempt);
  if (!from.to_origin && OnPeerAnswer(fill, attempt, head)) return;
  Arrival arrival{.head = head, .sent = sent, .received = loop_.Wall(), .admission = {}};
  if (head.status != 304) {
    arrival.admission = Admit(RequestFacts{}, head, *fill.policy, sent, arrival.received);
  } else if (fill.validates && ConfirmsStored(fill.request.stale->head, head)) {
    arrival.confirmed =
        Freshen(fill.request.stale->head, head, *fill.policy, sent, arrival.received);
  }
  const std::string unfit = Unfit(fill, from, arrival);
  if (!unfit.empty()) {
    StopTry(fill, attempt);
    // A 304 about something else: ask again, for the whole.
    const bool again = head.status == 304 && std::exchange(fill.validates, false);
    fill.core->OnFailure(loop_.Now(), attempt,
                         again ? FetchFailure::kBroken : FetchFailure::kProtocol, unfit, fill.out);
    return Drive(fill);
  }
  arrival_ = &arrival;
  fill.core->OnHead(loop_.Now(), attempt, FetchHeadOf(head), fill.out);
  Drive(fill);
  arrival_ = nullptr;
}

bool LoopFiller::OnPeerAnswer(Fill& fill, int attempt, const ResponseHead& head) {
  const Field* const field = head.fields.Find(FieldId::kReefAnswer);
  if (field == nullptr) return false;
  const auto answer = ParsePeerAnswer(field->value);
  const std::string detail(head.fields.Value(FieldId::kProxyStatus).substr(0, 200));
  StopTry(fill, attempt);
  if (answer) {
    fill.core->OnPeerAnswer(loop_.Now(), attempt, *answer, detail, fill.out);
  } else {
    fill.core->OnFailure(loop_.Now(), attempt, FetchFailure::kProtocol, "unknown answer", fill.out);
  }
  Drive(fill);
  return true;
}

std::string LoopFiller::Unfit(const Fill& fill, const Try& from, const Arrival& arrival) const {
  const int status = arrival.head.status;
  if (fill.object != nullptr) {
    // Of what continues a body, the core compares validator and place.
    const bool fits = status == 206 || status == fill.object->head.status;
    return fits ? "" : "status " + std::to_string(status) + " instead of the rest";
  }
  if (status == 304 && !arrival.confirmed) return "a 304 about something else";
  // A proxy hands on only what may be shared; anything else is its own trouble, not the origin's.
  if (!from.to_origin && !arrival.IsForAll()) {
    return "status " + std::to_string(status) + ", not to be shared";
  }
  return "";
}

void LoopFiller::Use(Fill& fill, const FetchAction& action) {
  REEF_CHECK(arrival_ != nullptr) << "a head is used when it arrives";
  const Arrival& arrival = *arrival_;
  const bool to_origin = fill.tries.at(action.attempt).to_origin;
  fill.source = action.attempt;
  fill.source_kind = to_origin ? FillSource::kOrigin : PeerSource(action.holder.level);
  fill.validator = FetchHeadOf(arrival.head).validator;
  fill.outcome.upstream_status = arrival.head.status;
  fill.outcome.upstream_cache_status = CacheStatusOf(arrival.head);
  fill.outcome.source = FillSourceName(fill.source_kind);
  if (to_origin) failed_.Erase(fill.request.origin);

  const bool displaces = fill.request.stale != nullptr && IsServerTrouble(arrival.head.status);
  if (arrival.confirmed) {
    UseConfirmed(fill);
  } else if (arrival.admission.store && !displaces) {
    UseStored(fill);
  } else {
    UseUnshared(fill);
  }
  // Tells the index that the claim has nothing to share: also of what is stored to be asked about
  // each time.
  if (!fill.shared) {
    if (!IsServerTrouble(arrival.head.status)) Remember(fill.request.key);
    fill.core->OnNotShared(fill.out);
  } else {
    unshared_.Erase(fill.request.key);
  }
  TellAll(fill);
}

void LoopFiller::UseConfirmed(Fill& fill) {
  const Freshened& confirmed = *arrival_->confirmed;
  fill.object = std::make_shared<const Object>(
      Object{fill.request.key, confirmed.head, fill.request.stale->body});
  fill.own_fields = confirmed.own_fields;
  fill.outcome.revalidated = true;
  fill.shared = confirmed.share;
  metrics_.CountRevalidated();
  if (confirmed.reason != StoreReason::kStored) {
    // It was everybody's and is not any more.
    cache_.Erase(fill.request.key);
    fill.outcome.kind = FetchOutcome::Kind::kPassThrough;
    fill.outcome.detail = StoreReasonName(confirmed.reason);
    return;
  }
  cache_.Insert(fill.object);
  fill.object_uses = fill.object.use_count();
  fill.outcome.kind = FetchOutcome::Kind::kObject;
  fill.outcome.stored = true;
}

void LoopFiller::UseStored(Fill& fill) {
  fill.body = cache_.NewBody();
  fill.object = std::make_shared<const Object>(
      Object{fill.request.key,
             MakeObjectHead(arrival_->head, arrival_->admission, fill.request.fields, *fill.policy,
                            arrival_->received),
             fill.body});
  fill.own_fields = WithheldFields(arrival_->head, arrival_->admission.directives, *fill.policy);
  cache_.Insert(fill.object);
  fill.object_uses = fill.object.use_count();
  fill.outcome.kind = FetchOutcome::Kind::kObject;
  fill.outcome.stored = true;
  fill.shared = arrival_->admission.share;
  if (fill.shared && fill.source_kind != FillSource::kOrigin) {
    references_.Streaming(fill.request.key);
    fill.streaming = true;
  }
}

void LoopFiller::UseUnshared(Fill& fill) {
  fill.body = Cache::NewPassThroughBody(options_.pass_through_window_bytes);
  fill.object = std::make_shared<const Object>(
      Object{fill.request.key,
             MakeObjectHead(arrival_->head, arrival_->admission, fill.request.fields, *fill.policy,
                            arrival_->received),
             fill.body});
  fill.own_fields = WithheldFields(arrival_->head, arrival_->admission.directives, *fill.policy);
  fill.outcome.kind = FetchOutcome::Kind::kPassThrough;
  fill.outcome.detail = StoreReasonName(arrival_->admission.reason);
  fill.shared = false;
}

void LoopFiller::TellAll(Fill& fill) {
  // The one whom a response that is not shared belongs to: a client, not another proxy.
  const auto owner = std::find_if(fill.askers.begin(), fill.askers.end(),
                                  [this](uint64_t token) { return !askers_.at(token).from_peer; });
  const uint64_t first = owner == fill.askers.end() ? 0 : *owner;
  const std::vector<uint64_t> askers = fill.askers;
  for (const uint64_t token : askers) TellHead(fill, token, token == first);
  // Whom it is not shared with has nothing more to do with it.
  if (!fill.shared) std::erase_if(fill.askers, [first](uint64_t token) { return token != first; });
  if (fill.askers.empty()) fill.core->OnAbandoned(/*may_keep=*/fill.shared, fill.out);
}

void LoopFiller::TellHead(Fill& fill, uint64_t token, bool first) {
  Asker& asker = askers_.at(token);
  if (asker.told) return;
  asker.told = true;
  FetchOutcome outcome;
  if (fill.shared || first) {
    outcome = fill.outcome;
    outcome.object = fill.object;
    outcome.collapsed = asker.joined;
    if (first) outcome.own_fields = fill.own_fields;
  } else if (asker.from_peer && IsServerTrouble(fill.object->head.status)) {
    outcome.status = 502;
    outcome.detail = "the origin answered " + std::to_string(fill.object->head.status);
    asker.fill = 0;
  } else {
    outcome.kind = FetchOutcome::Kind::kRetryAlone;
    asker.fill = 0;
  }
  Tell(token, std::move(outcome));
}

// ---- Bodies and ends ----

void LoopFiller::OnBody(Fill& fill, int attempt, std::string_view bytes) {
  if (attempt != fill.source || fill.body == nullptr) return;
  const auto known = static_cast<size_t>(std::min<uint64_t>(fill.skip, bytes.size()));
  fill.skip -= known;
  bytes.remove_prefix(known);
  if (bytes.empty()) return;
  metrics_.CountBytes(fill.source_kind, bytes.size());
  fill.core->OnBytes(attempt, bytes.size());
  if (AppendTo(*fill.body, fill.tries.at(attempt).sent_as, bytes)) return;
  fill.core->OnAbandoned(/*may_keep=*/false, fill.out);
  Drive(fill);
}

bool LoopFiller::AppendTo(Body& body, uint64_t sent_as, std::string_view bytes) {
  if (body.state() != Body::State::kFilling) return false;
  if (body.Append(bytes)) return true;
  if (body.state() != Body::State::kFilling) return false;
  upstream_.Pause(sent_as);
  body.WhenRoom(loop_, [this, sent_as, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) upstream_.Resume(sent_as);
  });
  return true;
}

void LoopFiller::Finish(Fill& fill, const FetchAction& action) {
  metrics_.Add(fill.core->stats());
  metrics_.CountEnd(fill.source_kind, action.finish);
  switch (action.finish) {
    case FetchAction::Finish::kComplete:
      if (fill.body != nullptr && fill.body->state() == Body::State::kFilling) {
        fill.body->Complete();
      }
      if (fill.shared && !fill.published && IsKept(fill)) {
        references_.Publish(fill.request.key, Remaining(*fill.object), /*in_index=*/false);
      }
      fill.streaming = false;  // the long one has taken its place
      break;
    case FetchAction::Finish::kAborted:
    case FetchAction::Finish::kAbandoned:
      LogDebug("fill of {}{} broke off: {}", fill.request.origin.Authority(), fill.request.target,
               action.detail);
      BreakOff(fill.body, action.detail);
      break;
    case FetchAction::Finish::kUncacheable:
      Remember(fill.request.key);
      if (StartAgainWithoutClaim(fill)) return;
      break;
    case FetchAction::Finish::kFailed:
      break;
  }
  if (fill.streaming) references_.Withdraw(fill.request.key);

  for (const uint64_t token : fill.askers) {
    Asker& asker = askers_.at(token);
    asker.fill = 0;
    if (std::exchange(asker.told, true)) {
      // Had its head; once that is delivered there is nothing to leave.
      if (!asker.done) askers_.erase(token);
      continue;
    }
    FetchOutcome outcome;
    if (action.finish == FetchAction::Finish::kUncacheable) {
      outcome.kind = FetchOutcome::Kind::kRetryAlone;
    } else {
      outcome.status = action.status;
      outcome.detail = action.detail;
    }
    outcome.collapsed = asker.joined;
    Tell(token, std::move(outcome));
  }
  Remove(fill);
}

// What others do not share may be asked about all the same, by who has it stored.
bool LoopFiller::StartAgainWithoutClaim(Fill& fill) {
  if (fill.request.stale == nullptr || fill.object != nullptr || fill.askers.empty()) return false;
  const uint64_t first = fill.askers.front();
  if (askers_.at(first).from_peer) return false;
  FetchRequest request = std::move(fill.request);
  const std::vector<uint64_t> others(fill.askers.begin() + 1, fill.askers.end());
  const CacheKey key = request.key;
  fill.request.key = key;
  Remove(fill);
  StartFill(std::move(request), first, /*without_claim=*/true);
  for (const uint64_t token : others) {
    const auto running = by_key_.find(key);
    if (running == by_key_.end()) break;
    Join(*fills_.at(running->second), token);
  }
  return true;
}

void LoopFiller::Remove(Fill& fill) {
  for (const auto& [attempt, sent] : fill.tries) upstream_.Cancel(sent.sent_as);
  if (const auto current = by_key_.find(fill.request.key);
      current != by_key_.end() && current->second == fill.id) {
    by_key_.erase(current);
  }
  fills_.erase(fill.id);
}

// ---- Alone ----

uint64_t LoopFiller::FetchAlone(FetchRequest request, std::shared_ptr<Body> request_body, Done done,
                                Interim interim) {
  const uint64_t token = NewAsker({.done = std::move(done), .interim = std::move(interim)});
  metrics_.CountAlone();
  if (const Failure* const known = RememberedFailure(request.origin)) {
    FetchOutcome outcome;
    outcome.status = StatusOfFailure(known->kind);
    outcome.detail = "origin: " + known->detail;
    Tell(token, std::move(outcome));
    return token;
  }
  auto made = std::make_unique<Alone>();
  Alone& alone = *made;
  alone.token = token;
  alone.request = std::move(request);
  alone.policy = &PolicyFor(alone.request.origin);
  alone_.emplace(token, std::move(made));

  UpstreamRequest sent;
  sent.target = TargetOf(alone.request.origin);
  sent.method = IdentifyMethod(alone.request.method);
  std::string framing;
  if (request_body != nullptr) {
    sent.chunked = !alone.request.body_length.has_value();
    framing = sent.chunked
                  ? "Transfer-Encoding: chunked\r\n"
                  : "Content-Length: " + std::to_string(*alone.request.body_length) + "\r\n";
    if (alone.request.expect_continue) framing += "Expect: 100-continue\r\n";
  }
  sent.head = AloneRequestHead(alone.request, HostOf(alone.request.origin), framing);
  sent.body = std::move(request_body);

  const auto with = [this, token](auto then) {
    const auto found = alone_.find(token);
    if (found != alone_.end()) then(*found->second);
  };
  // Its asker has nothing left to leave once the outcome is delivered.
  const auto end = [this, token] {
    alone_.erase(token);
    const auto asker = askers_.find(token);
    if (asker != askers_.end() && !asker->second.done) askers_.erase(asker);
  };
  UpstreamEvents events;
  events.on_interim = [this, with](const ResponseHead& head) {
    with([&](Alone& live) {
      if (head.status == 100 && !live.request.expect_continue) return;
      TellInterim({live.token}, head, *live.policy);
    });
  };
  events.on_head = [this, with](const ResponseHead& head, WallTime at) {
    with([&](Alone& live) { OnAloneHead(live, head, at); });
  };
  events.on_body = [this, with](std::string_view bytes) {
    with([&](Alone& live) {
      metrics_.CountBytes(FillSource::kOrigin, bytes.size());
      if (!AppendTo(*live.body, live.sent_as, bytes)) Cancel(live.token);
    });
  };
  events.on_end = [with, end](bool) {
    with([&](Alone& live) {
      if (live.body->state() == Body::State::kFilling) live.body->Complete();
      end();
    });
  };
  events.on_failure = [this, with, end](FetchFailure failure, const std::string& detail) {
    with([&](Alone& live) {
      if (live.body != nullptr) {
        BreakOff(live.body, detail);
      } else {
        FetchOutcome outcome;
        outcome.status = StatusOfFailure(failure);
        outcome.detail = "origin: " + detail;
        if (IsUnreachable(failure)) RememberFailure(live.request.origin, failure, detail);
        Tell(live.token, std::move(outcome));
      }
      end();
    });
  };
  alone.sent_as = upstream_.Send(std::move(sent), std::move(events));
  return token;
}

// What a request with credentials of its own was answered with is stored where the origin says
// itself for how long it is good, and gives nobody a cookie with it. Trouble displaces no good
// copy.
bool LoopFiller::MayStoreAlone(const Alone& alone, const ResponseHead& head,
                               const Admission& admission) const {
  return alone.request.may_store && admission.store && admission.share &&
         !admission.freshness.is_heuristic && !IsServerTrouble(head.status) &&
         !head.fields.Has(FieldId::kSetCookie) && !by_key_.contains(alone.request.key);
}

void LoopFiller::OnAloneHead(Alone& alone, const ResponseHead& head, WallTime sent) {
  const WallTime received = loop_.Wall();
  const RequestFacts facts{.method = IdentifyMethod(alone.request.method),
                           .authorization = alone.request.authorization};
  const Admission admission = Admit(facts, head, *alone.policy, sent, received);
  FetchOutcome outcome;
  outcome.stored = MayStoreAlone(alone, head, admission);
  alone.body = outcome.stored ? cache_.NewBody()
                              : Cache::NewPassThroughBody(options_.pass_through_window_bytes);
  outcome.kind = FetchOutcome::Kind::kPassThrough;
  outcome.object = std::make_shared<const Object>(Object{
      alone.request.key,
      MakeObjectHead(head, admission, alone.request.fields, *alone.policy, received), alone.body});
  if (outcome.stored) {
    alone.stored = outcome.object;
    cache_.Insert(alone.stored);
    // Without this outcome's own, which it takes along.
    alone.stored_uses = alone.stored.use_count() - 1;
  }
  outcome.own_fields = WithheldFields(head, admission.directives, *alone.policy);
  outcome.detail = StoreReasonName(admission.reason);
  outcome.source = FillSourceName(FillSource::kOrigin);
  outcome.upstream_status = head.status;
  outcome.upstream_cache_status = CacheStatusOf(head);
  Tell(alone.token, std::move(outcome));
}

}  // namespace

std::unique_ptr<Filler> MakeFiller(const FillerOptions& options, EventLoop& loop, Cache& cache,
                                   dsht::Client& index, References& references, Metrics& metrics) {
  return std::make_unique<LoopFiller>(options, loop, cache, index, references, metrics);
}

}  // namespace reef::http
