// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/exchange.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "httpproxy/core/location.h"
#include "httpproxy/core/multipart_ranges.h"
#include "httpproxy/core/stored_head.h"
#include "httpproxy/core/upstream_request.h"

namespace reef::http {
namespace {

// After so many other variants the request is fetched for itself: Vary changes under our hands.
constexpr int kVariantsMax = 3;
// What most clients wait for a 100 themselves: origins that know nothing of it are not waited for
// longer.
constexpr auto kContinueWait = std::chrono::seconds(1);
// Interim responses passed on: more, or longer ones, are no early hints.
constexpr int kInterimsMax = 16;
constexpr size_t kInterimBytesMax = 16 * 1024;
// What nginx logs for a client that left before its answer.
constexpr int kClientGone = 499;

// The request's own values of the fields that `object` varies on.
std::vector<std::pair<std::string, std::string>> VaryValues(const Object& object,
                                                            const FieldTable& fields) {
  std::vector<std::pair<std::string, std::string>> values;
  for (const auto& [name, unused] : object.head.vary) {
    values.emplace_back(name, SelectingValue(fields, name));
  }
  return values;
}

bool IsServerFailure(int status) {
  return status == 500 || status == 502 || status == 503 || status == 504;
}

// The length of the whole content, if it can be told yet.
std::optional<uint64_t> LengthOf(const Object& object) {
  if (object.head.content_length) return object.head.content_length;
  if (object.body->state() == Body::State::kComplete) return object.body->size();
  return std::nullopt;
}

}  // namespace

void Exchange::Start(ResponseStream& stream, const Request& request) {
  REEF_CHECK(stream_ == nullptr) << "started twice";
  stream_ = &stream;
  head_ = &request.head;
  client_ = request.client;
  at_ = request.at;
  wall_ = request.wall;
  inline_ = true;
  ChooseSite();
  if (!over_) kept_ = request.raw;
  inline_ = false;
  head_ = nullptr;
}

// What goes on after Start: reads the request again, takes the step, writes. The last act of
// whoever calls it.
template <typename Step>
void Exchange::Resume(Step step) {
  ReadRequestAgain();
  wall_ = context_.loop.Wall();
  step();
  head_ = nullptr;
  stream_->Flush();
}

void Exchange::ReadRequestAgain() {
  HeadProgress progress;
  const ParseResult result =
      ParseRequestHead(kept_, context_.options.head, progress, context_.request);
  REEF_CHECK(result.what == ParseResult::What::kHead) << "a head that was read before";
  head_ = &context_.request;
}

void Exchange::ChooseSite() {
  const ProxyOptions& options = context_.options;
  policy_ = &context_.state.open_zone;
  if (head_->form == RequestHead::Form::kAsterisk && head_->method == Method::kOptions) {
    return AnswerOptions();
  }
  const HostVerdict verdict = ParseCoralised(head_->host, options.zone,
                                             {.allow_addresses = options.allow_addresses}, origin_);
  if (verdict != HostVerdict::kOk) {
    context_.counters.host_refusals[static_cast<size_t>(verdict)].Add();
    return Refuse(TextFor(verdict));
  }
  if (!options.origins.empty() && options.origins.contains(origin_.host)) {
    policy_ = &context_.state.named_site;
    // One server stands behind the name, whatever the port asked for, and is asked for the name.
    origin_.tls = false;
    origin_.port = 80;
  }
  Decide();
}

void Exchange::Decide() {
  directives_ = ParseRequestDirectives(head_->fields);
  decision_ = DecideRequest(*head_, directives_, *policy_);
  if (const Field* peer = head_->fields.Find(FieldId::kReefPeer);
      peer != nullptr && directives_.only_if_cached) {
    ask_ = ParsePeerAsk(peer->value);
  }
  if (decision_.use == RequestUse::kRefused) {
    const std::string allow = "Allow: " + std::string(allowed_methods()) + "\r\n";
    return Refuse(TextFor(head_->method == Method::kOther ? 501 : 405), allow);
  }
  primary_key_ = key_ = PrimaryKey(origin_.tls, origin_.host, origin_.port, head_->path);
  not_before_ = context_.state.invalidations.Since(primary_key_, at_);
  if (decision_.use != RequestUse::kAlone) return LookUp();
  if (ask_) return AnswerPeer({PeerAnswer::What::kUncacheable, {}}, 504);
  FetchAlone(decision_.reason == RequestReason::kMethod ? Forwarded::kMethod : Forwarded::kBypass);
}

void Exchange::LookUp() {
  Cache::Found found = context_.state.cache.Find(key_);
  switch (found.where) {
    case Cache::Found::Where::kMemory:
      return OnFound(std::move(found.object));
    case Cache::Found::Where::kMiss:
      return OnMissing();
    case Cache::Found::Where::kDisk:
      break;
  }
  if (alive_ == nullptr) alive_ = std::make_shared<Exchange*>(this);
  context_.state.cache.Load(key_, context_.loop,
                            [alive = alive_](std::shared_ptr<const Object> object) {
                              Exchange* self = *alive;
                              if (self == nullptr) return;
                              self->Resume([&] {
                                if (object != nullptr) return self->OnFound(std::move(object));
                                self->OnMissing();
                              });
                            });
}

void Exchange::OnFound(std::shared_ptr<const Object> object) {
  if (object->body->state() == Body::State::kAborted) return OnMissing();
  if (object->head.freshness.born < not_before_) return OnMissing();
  if (!SelectedBy(*object)) return TryVariant(*object);
  if (ask_) return OnPeerFound(std::move(object));

  const ReuseDecision reuse = DecideReuse(object->head.freshness, directives_, *policy_, wall_);
  if (reuse.use != Reuse::kRevalidate) answered_.forwarded = Forwarded::kNo;  // the variant is here
  switch (reuse.use) {
    case Reuse::kFresh:
      answered_.source = Source::kHit;
      return Serve(std::move(object));
    case Reuse::kStaleAllowed:
      return ServeStale(std::move(object));
    case Reuse::kStaleWhileRevalidate: {
      Refresh(object);
      return ServeStale(std::move(object));
    }
    case Reuse::kRevalidate:
      break;
  }
  answered_.forwarded =
      reuse.reason == ReuseReason::kRequest ? Forwarded::kRequest : Forwarded::kStale;
  if (directives_.only_if_cached) return Refuse(TextFor(504));
  if (decision_.use == RequestUse::kLookupOnly) return FetchAlone(answered_.forwarded);
  FetchShared(std::move(object));
}

// RFC 5861, 3. Not with a request that may only look: its credentials are nobody else's.
void Exchange::Refresh(const std::shared_ptr<const Object>& object) {
  if (decision_.use == RequestUse::kLookupOnly) return;
  if (object->body->state() != Body::State::kComplete || context_.desk.IsRefreshing(key_)) return;
  FetchRequest request = MakeFetchRequest();
  request.stale = object;
  context_.desk.Refresh(std::move(request));
}

void Exchange::OnMissing() {
  if (ask_) return AskFiller();
  if (answered_.forwarded == Forwarded::kNo) answered_.forwarded = Forwarded::kUriMiss;
  // RFC 9111, 5.2.1.7.
  if (directives_.only_if_cached) return Refuse(TextFor(504));
  if (decision_.use == RequestUse::kLookupOnly) return FetchAlone(answered_.forwarded);
  FetchShared(nullptr);
}

// RFC 9111, 4.1. The fields are compared as they go upstream, which is what the stored response was
// selected by: a dropped cookie selects nothing. As received is tried first, since that costs
// nothing and fits nearly always.
bool Exchange::SelectedBy(const Object& object) {
  if (object.head.vary.empty() || MatchesVary(object.head, head_->fields)) return true;
  FieldTable& upstream = UpstreamFields();
  return MatchesVary(object.head, upstream);
}

FieldTable& Exchange::UpstreamFields() {
  context_.text.clear();
  AppendFields(/*keep_conditions=*/false, context_.text);
  const bool whole = ReadFieldLines(context_.text, context_.upstream_fields);
  REEF_CHECK(whole) << "our own lines";
  return context_.upstream_fields;
}

void Exchange::TryVariant(const Object& other) {
  answered_.forwarded = Forwarded::kVaryMiss;
  answered_.own_fields.clear();
  if (++variants_tried_ > kVariantsMax) {
    if (ask_) return AnswerPeer({PeerAnswer::What::kNotHeld, {}}, 504);
    return FetchAlone(Forwarded::kVaryMiss);
  }
  key_ = VariantKey(primary_key_, VaryValues(other, UpstreamFields()));
  LookUp();
}

void Exchange::AppendFields(bool keep_conditions, std::string& out) const {
  const std::string client = client_.ToString();
  AppendUpstreamFields(*head_, *policy_,
                       {.via = context_.options.name,
                        .cdn_id = context_.options.cdn_id,
                        .client_address = client,
                        .keep_conditions = keep_conditions},
                       out);
}

FetchRequest Exchange::MakeFetchRequest() {
  FetchRequest request;
  request.key = key_;
  request.origin = origin_;
  request.method = head_->method_text;
  request.target = head_->path;
  AppendFields(/*keep_conditions=*/false, request.fields);
  request.not_before = not_before_;
  return request;
}

bool Exchange::RefuseLoop() {
  // RFC 8586: an origin that leads back to this CDN would be asked for ever.
  if (TimesSeen(head_->fields, context_.options.name, context_.options.cdn_id) == 0) return false;
  context_.counters.loops_refused.Add();
  std::string fields = "Proxy-Status: ";
  AppendProxyStatus(context_.options.name, ProxyError::kProxyLoopDetected, {}, fields);
  Refuse(TextFor(508), fields + "\r\n");
  return true;
}

void Exchange::FetchShared(std::shared_ptr<const Object> stale) {
  if (RefuseLoop()) return;
  FetchRequest request = MakeFetchRequest();
  stale_ = std::move(stale);
  if (stale_ != nullptr && stale_->body->state() == Body::State::kComplete) request.stale = stale_;
  fetch_ = context_.desk.Fetch(
      std::move(request),
      {.done = [this](FetchOutcome outcome) { Resume([&] { OnOutcome(std::move(outcome)); }); },
       .waiting = nullptr,
       .interim = [this](int status, const std::string& fields) { OnInterim(status, fields); }});
}

void Exchange::FetchAlone(Forwarded why) {
  answered_.forwarded = why;
  alone_ = true;
  if (RefuseLoop()) return;
  context_.desk.Cancel(std::exchange(fetch_, 0));

  FetchRequest request = MakeFetchRequest();
  request.fields.clear();
  AppendFields(/*keep_conditions=*/true, request.fields);
  request.may_store = head_->method == Method::kGet && decision_.use == RequestUse::kLookupOnly &&
                      decision_.reason != RequestReason::kNoStore && !IsConditional(head_->fields);
  request.authorization = head_->fields.Has(FieldId::kAuthorization);
  if (inline_ && FramingOf(*head_).kind != BodyFraming::Kind::kNone) {
    request.body_length = head_->content_length;
    request_body_ = Cache::NewPassThroughBody(context_.options.request_window_bytes);
    request.expect_continue = head_->expect_continue && head_->minor > 0;
    if (request.expect_continue) AwaitContinue();
  }
  fetch_ = context_.desk.FetchAlone(
      std::move(request), request_body_,
      {.done = [this](FetchOutcome outcome) { Resume([&] { OnOutcome(std::move(outcome)); }); },
       .waiting = nullptr,
       .interim = [this](int status, const std::string& fields) { OnInterim(status, fields); }});
}

// RFC 9110, 10.1.1: the origin has the say. One that does not know the expectation is silent until
// it has the content.
void Exchange::AwaitContinue() {
  if (alive_ == nullptr) alive_ = std::make_shared<Exchange*>(this);
  continue_ = std::make_unique<Timer>(context_.loop, [this] {
    context_.loop.Post([alive = alive_] {
      if (*alive != nullptr && (*alive)->continue_ != nullptr) (*alive)->OnInterim(100, {});
    });
  });
  continue_->ArmIn(kContinueWait);
}

void Exchange::OnInterim(int status, const std::string& fields) {
  if (status == 100 && std::exchange(continue_, nullptr) == nullptr) return;
  if (fields.size() > kInterimBytesMax || ++interims_ > kInterimsMax) return;
  stream_->SendInterim(status, fields);
  stream_->Flush();
}

// RFC 9111, 4.4: what is stored of the target, and of what the answer says has changed too.
void Exchange::Invalidate(const Object& answer) {
  const auto invalidate = [this](const CacheKey& key) {
    context_.state.invalidations.Add(key, context_.loop.Now(), wall_);
    context_.state.cache.Erase(key);
  };
  invalidate(primary_key_);
  FieldTable& fields = context_.upstream_fields;
  ReadFieldLines(answer.head.fields, fields);
  for (const FieldId id : {FieldId::kLocation, FieldId::kContentLocation}) {
    const Field* const field = fields.Find(id);
    if (field == nullptr) continue;
    const auto target = SameOriginTarget(field->value, origin_, head_->path);
    if (target) invalidate(PrimaryKey(origin_.tls, origin_.host, origin_.port, *target));
  }
}

void Exchange::OnOutcome(FetchOutcome outcome) {
  answered_.forward_status = outcome.upstream_status;
  answered_.stored = outcome.stored;
  answered_.collapsed = outcome.collapsed;
  answered_.detail = std::move(outcome.source);
  answered_.upstream_cache_status = std::move(outcome.upstream_cache_status);
  answered_.own_fields = std::move(outcome.own_fields);
  switch (outcome.kind) {
    case FetchOutcome::Kind::kObject:
    case FetchOutcome::Kind::kPassThrough:
      return OnResponse(outcome.kind, std::move(outcome.object));
    case FetchOutcome::Kind::kRetryAlone:
      return FetchAlone(answered_.forwarded);
    case FetchOutcome::Kind::kNotHeld:
    case FetchOutcome::Kind::kOrder:
      return Refuse(TextFor(504));
    case FetchOutcome::Kind::kError:
      return OnFailed(outcome.status, outcome.detail);
  }
}

void Exchange::OnResponse(FetchOutcome::Kind kind, std::shared_ptr<const Object> object) {
  const int status = object->head.status;
  if (alone_ && Invalidates(head_->method, status)) Invalidate(*object);
  // RFC 5861, 4.
  if (IsServerFailure(status) && MayUseStale(/*unreachable=*/false))
    return ServeStale(std::move(stale_));
  if (kind == FetchOutcome::Kind::kPassThrough || alone_) {
    answered_.source = Source::kPass;
    return Serve(std::move(object));
  }
  // The answer to another asker's request for the same URL may not be the one to ours.
  if (!SelectedBy(*object)) {
    context_.desk.Cancel(std::exchange(fetch_, 0));
    return TryVariant(*object);
  }
  answered_.source = answered_.detail.starts_with("peer") ? Source::kPeer : Source::kOrigin;
  Serve(std::move(object));
}

bool Exchange::MayUseStale(bool unreachable) const {
  return stale_ != nullptr && stale_->body->state() == Body::State::kComplete &&
         MayServeStaleOnError(stale_->head.freshness, directives_, *policy_, wall_, unreachable);
}

void Exchange::OnFailed(int status, std::string_view detail) {
  if (MayUseStale(/*unreachable=*/status != 403)) return ServeStale(std::move(stale_));
  std::string fields = "Proxy-Status: ";
  AppendProxyStatus(
      context_.options.name,
      status == 504 ? ProxyError::kHttpResponseTimeout : ProxyError::kDestinationUnavailable,
      detail, fields);
  Refuse(TextFor(status), fields + "\r\n", detail);
}

// ---- Requests of other proxies ----

void Exchange::OnPeerFound(std::shared_ptr<const Object> object) {
  // A stale copy is not a holder (docs/claim.md, rule 9), but its refresh may be under way.
  if (!object->head.freshness.IsFreshAt(wall_)) return AskFiller();
  answered_.source = Source::kHit;
  ServePeer(std::move(object));
}

void Exchange::AskFiller() {
  FetchRequest request = MakeFetchRequest();
  request.only_if_cached = true;
  request.from_peer = true;
  request.peer_rank = ask_->rank;
  fetch_ = context_.desk.Fetch(
      std::move(request),
      {.done = [this](FetchOutcome outcome) { Resume([&] { OnPeerOutcome(std::move(outcome)); }); },
       .waiting =
           [this] {
             Resume([&] {
               if (EnterFanOut()) SendSign();
             });
           },
       .interim = nullptr});
}

void Exchange::OnPeerOutcome(FetchOutcome outcome) {
  sign_.reset();
  answered_.forward_status = outcome.upstream_status;
  answered_.collapsed = true;
  answered_.detail = std::move(outcome.source);
  answered_.upstream_cache_status = std::move(outcome.upstream_cache_status);
  answered_.forwarded = Forwarded::kUriMiss;
  switch (outcome.kind) {
    case FetchOutcome::Kind::kObject:
      if (!SelectedBy(*outcome.object)) return AnswerPeer({PeerAnswer::What::kNotHeld, {}}, 504);
      answered_.source = answered_.detail.starts_with("peer") ? Source::kPeer : Source::kOrigin;
      return ServePeer(std::move(outcome.object));
    case FetchOutcome::Kind::kPassThrough:
    case FetchOutcome::Kind::kRetryAlone:
      return AnswerPeer({PeerAnswer::What::kUncacheable, {}}, 504);
    case FetchOutcome::Kind::kNotHeld:
      return AnswerPeer({PeerAnswer::What::kNotHeld, {}}, 504);
    case FetchOutcome::Kind::kOrder:
      return AnswerPeer({PeerAnswer::What::kOrder, {}}, 504);
    case FetchOutcome::Kind::kError:
      return AnswerPeer({PeerAnswer::What::kFailed, {}}, outcome.status, outcome.detail);
  }
}

// False: there was no room, and the peer has been told whom to ask instead.
bool Exchange::EnterFanOut() {
  if (place_) return true;
  PeerAnswer busy{PeerAnswer::What::kBusy, {}};
  if (auto place = context_.state.fan_out.Enter(key_, ask_->endpoint, busy.try_instead)) {
    place_ = std::move(*place);
    return true;
  }
  AnswerPeer(busy, 503);
  return false;
}

void Exchange::ServePeer(std::shared_ptr<const Object> object) {
  if (object->body->state() == Body::State::kFilling) {
    // Docs/claim.md, rule 12: strictly more than the asker has, or waits would form a ring.
    const bool asker_has_some = ask_->has_head || ask_->have > 0;
    if (asker_has_some && object->body->size() <= ask_->have) {
      return AnswerPeer({PeerAnswer::What::kOrder, {}}, 504);
    }
    if (!EnterFanOut()) return;
  } else {
    place_.Leave();
  }
  context_.counters.peers[static_cast<size_t>(PeerServed::kServed)].Add();
  Serve(std::move(object));
}

// "Alive, wait": docs/claim.md, rule 11.
void Exchange::SendSign() {
  stream_->SendInterim(102, {});
  if (sign_ == nullptr) {
    if (alive_ == nullptr) alive_ = std::make_shared<Exchange*>(this);
    // By Post: a timer may not be destroyed by its own task, and writing may end the exchange.
    sign_ = std::make_unique<Timer>(context_.loop, [this] {
      context_.loop.Post([alive = alive_] {
        if (*alive == nullptr || (*alive)->sign_ == nullptr) return;
        (*alive)->SendSign();
        (*alive)->stream_->Flush();
      });
    });
  }
  sign_->ArmIn(context_.options.interim_interval);
}

void Exchange::AnswerPeer(const PeerAnswer& answer, int status, std::string_view details) {
  static constexpr PeerServed kServed[] = {PeerServed::kNotHeld, PeerServed::kBusy,
                                           PeerServed::kOrder, PeerServed::kUncacheable,
                                           PeerServed::kFailed};
  context_.counters.peers[static_cast<size_t>(kServed[static_cast<size_t>(answer.what)])].Add();
  Refuse(TextFor(status), std::string(kAnswerField) + ": " + WritePeerAnswer(answer) + "\r\n",
         details);
}

// ---- Answers ----

void Exchange::Serve(std::shared_ptr<const Object> object) {
  if (object->body->state() == Body::State::kAborted && object->body->size() == 0) {
    return OnFailed(502, object->body->abort_reason());
  }
  // A response that passes through has been asked for with the client's own conditions and range.
  if (object->head.status == 200 && !alone_) return ServeStored(std::move(object));
  ResponseStart start;
  FillStart(*object, start);
  const std::optional<uint64_t> length = LengthOf(*object);
  ServeContent(std::move(object), start, 0, length);
}

void Exchange::ServeStored(std::shared_ptr<const Object> object) {
  ResponseStart start;
  FillStart(*object, start);
  switch (EvaluateConditions(*head_, object->head)) {
    case Precondition::kFailed:
      return Refuse(TextFor(412));
    case Precondition::kNotModified:
      context_.counters.not_modified.Add();
      start.status = 304;
      start.reason = {};
      return ServeContent(std::move(object), start, 0, std::nullopt);
    case Precondition::kProceed:
      break;
  }

  const std::optional<uint64_t> length = LengthOf(*object);
  const std::vector<ByteRangeSpec> specs = RequestedRanges(*head_, object->head);
  // Without a length a range cannot be placed, and what passes through is there only once.
  if (specs.empty() || !length || answered_.source == Source::kPass) {
    return ServeContent(std::move(object), start, 0, length);
  }
  context_.counters.ranges.Add();
  // What is still coming in comes in order.
  const bool ascending = object->body->state() == Body::State::kFilling;
  std::vector<ByteRange> ranges = ResolveAll(specs, *length, ascending);
  if (ranges.size() > 1) return ServeRanges(std::move(object), start, std::move(ranges), *length);
  std::string content_range = "Content-Range: ";
  if (ranges.empty()) {
    AppendUnsatisfiedRange(*length, content_range);
    return Refuse(TextFor(416), content_range + "\r\n");
  }
  AppendContentRange(ranges[0], length, content_range);
  content_range += "\r\n";
  content_range += answered_.own_fields;
  start.status = 206;
  start.reason = {};
  start.more_fields = content_range;
  ServeContent(std::move(object), start, ranges[0].first, ranges[0].size());
}

void Exchange::ServeRanges(std::shared_ptr<const Object> object, ResponseStart& start,
                           std::vector<ByteRange> ranges, uint64_t length) {
  FieldTable stored;
  ReadFieldLines(object->head.fields, stored);
  // Nobody can have put a boundary into the content that nobody can guess.
  char random[12];
  REEF_CHECK(getentropy(random, sizeof random) == 0);
  MultipartRanges parts(std::move(ranges), length, stored.Value(FieldId::kContentType),
                        ToHex({random, sizeof random}));
  const std::string fields = parts.FieldsFor(start.fields);
  start.status = 206;
  start.reason = {};
  start.fields = fields;
  stream_->SendHead(start, {.sent = true, .length = parts.ContentLength()});
  OnHeadSent(start.status);
  ranges_sender_ = std::make_unique<RangesSender>(context_.loop, std::move(object),
                                                  std::move(parts), [this] { OnReadable(); });
  wants_room_ = true;
}

void Exchange::OnReadable() {
  wants_room_ = true;
  stream_->Flush();
}

void Exchange::ServeStale(std::shared_ptr<const Object> object) {
  answered_.source = Source::kStale;
  answered_.detail.clear();
  answered_.upstream_cache_status.clear();
  answered_.own_fields.clear();
  answered_.stored = false;
  Serve(std::move(object));
}

void Exchange::FillStart(const Object& object, ResponseStart& start) {
  const Freshness& freshness = object.head.freshness;
  const int64_t age = std::chrono::floor<std::chrono::seconds>(freshness.AgeAt(wall_)).count();
  const bool from_cache = answered_.source == Source::kHit || answered_.source == Source::kStale;
  cache_status_ = {};
  cache_status_.cache = context_.options.name;
  cache_status_.hit = from_cache && answered_.forwarded == Forwarded::kNo;
  cache_status_.forwarded = cache_status_.hit ? Forwarded::kNo : answered_.forwarded;
  if (from_cache) {
    cache_status_.ttl_seconds =
        std::chrono::floor<std::chrono::seconds>(freshness.lifetime).count() - age;
  }
  cache_status_.forward_status = answered_.forward_status;
  cache_status_.stored = answered_.stored;
  cache_status_.collapsed = answered_.collapsed;
  cache_status_.detail = answered_.detail;

  start.status = object.head.status;
  start.reason = object.head.reason;
  start.fields = object.head.fields;
  start.more_fields = answered_.own_fields;
  // RFC 9111, 5.1: Age says that the answer was not made for this request.
  if (from_cache || age > 0) start.age_seconds = age;
  start.via = context_.options.name;
  start.upstream_cache_status = answered_.upstream_cache_status;
  start.cache_status = &cache_status_;

  if (policy_->rewrite_location && MayCarryLocation(object.head.status)) {
    context_.text.clear();
    AppendCoralisedFields(object.head.fields,
                          {.zone = context_.options.zone,
                           .proxy_port = PortOfHost(head_->host),
                           .client_tls = false,
                           .origin_tls = origin_.tls},
                          context_.text);
    start.fields = context_.text;
  }
}

void Exchange::ServeContent(std::shared_ptr<const Object> object, const ResponseStart& start,
                            uint64_t offset, std::optional<uint64_t> length) {
  Content content;
  content.length = length;
  content.sent = head_->method != Method::kHead && start.status != 204 && start.status != 304;
  stream_->SendHead(start, content);
  OnHeadSent(start.status);
  if (!content.sent || length == 0u) return Finish(true);

  if (const std::optional<std::string_view> whole = object->body->WholeIfSmall();
      whole && length && offset + *length <= whole->size()) {
    content_bytes_ = *length;
    stream_->SendContent(whole->substr(offset, *length), std::move(object));
    return Finish(true);
  }
  sender_.emplace(context_.loop, std::move(object), offset, length, [this] { OnReadable(); });
  wants_room_ = true;
}

void Exchange::OnRoom(size_t room) {
  REEF_CHECK(wants_room_ && (sender_ || ranges_sender_)) << "nothing to send";
  const auto progress =
      sender_ ? sender_->Produce(*stream_, room) : ranges_sender_->Produce(*stream_, room);
  content_bytes_ = sender_ ? sender_->bytes_sent() : ranges_sender_->bytes_sent();
  switch (progress) {
    case ObjectSender::Progress::kMore:
      break;
    case ObjectSender::Progress::kWaiting:
      wants_room_ = false;
      break;
    case ObjectSender::Progress::kDone:
      return Finish(true);
    case ObjectSender::Progress::kCut:
      return Finish(false);
  }
}

std::string_view Exchange::allowed_methods() const {
  return policy_->unsafe_methods ? "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"
                                 : "GET, HEAD, OPTIONS";
}

void Exchange::AnswerOptions() {
  const std::string allow = "Allow: " + std::string(allowed_methods()) + "\r\n";
  ResponseStart start;
  start.fields = allow;
  start.date = context_.Date(wall_);
  start.via = context_.options.name;
  answered_.source = Source::kPass;
  stream_->SendHead(start, {.sent = true, .length = 0});
  OnHeadSent(200);
  Finish(true);
}

void Exchange::Refuse(const ErrorText& text, std::string_view more_fields,
                      std::string_view details) {
  answered_.source = Source::kError;
  cache_status_ = {};
  cache_status_.cache = context_.options.name;
  cache_status_.forwarded = answered_.forwarded;
  cache_status_.forward_status = answered_.forward_status;
  cache_status_.detail = answered_.detail;
  const bool was_forwarded = answered_.forwarded != Forwarded::kNo;
  stream_->SendError(text, {.date = context_.Date(wall_),
                            .via = context_.options.name,
                            .details = details,
                            .more_fields = more_fields,
                            .cache_status = was_forwarded ? &cache_status_ : nullptr,
                            .head_only = false,
                            .keep_alive = false,
                            .minor = 1});
  OnHeadSent(text.status);
  Conclude(true);
}

void Exchange::OnHeadSent(int status) {
  status_ = status;
  continue_.reset();
  context_.counters.answers[static_cast<size_t>(std::clamp(status / 100, 0, 5))].Add();
  place_.HeadSent();
  // A hit is answered in the turn that read it: there is nothing to time.
  if (inline_) return;
  first_byte_ = context_.loop.Now() - at_;
  context_.first_byte[static_cast<size_t>(answered_.source)]->Observe(Seconds(first_byte_));
}

void Exchange::Finish(bool whole) {
  wants_room_ = false;
  if (whole) {
    stream_->Finish();
  } else {
    stream_->Cut();
  }
  Conclude(whole);
}

void Exchange::Conclude(bool whole) {
  over_ = true;
  if (!whole) context_.counters.cut.Add();
  // Other proxies' requests are counted by how they were served.
  if (!ask_) {
    context_.counters.requests[static_cast<size_t>(answered_.source)].Add();
    if (answered_.collapsed) {
      context_.counters.collapsed.Add();
      if (answered_.source == Source::kOrigin) context_.counters.collapsed_origin.Add();
    }
  }
  if (context_.access_log.enabled()) Log(whole);
}

void Exchange::Log(bool whole) {
  if (head_ == nullptr) ReadRequestAgain();
  AccessRecord record;
  record.at = wall_;
  record.client = client_;
  record.method = head_->method_text;
  record.target = head_->target;
  record.host = head_->host;
  record.minor_version = head_->minor;
  record.status = status_ != 0 ? status_ : kClientGone;
  record.content_bytes = content_bytes_;
  if (const Field* referer = head_->fields.FindNamed("referer")) record.referer = referer->value;
  if (const Field* agent = head_->fields.FindNamed("user-agent")) record.user_agent = agent->value;
  record.source = SourceName(answered_.source);
  record.detail = answered_.detail;
  record.first_byte = first_byte_;
  record.total = inline_ ? Duration::zero() : context_.loop.Now() - at_;
  record.is_whole = whole;
  context_.access_log.Add(record);
}

void Exchange::Clear() {
  if (stream_ == nullptr) return;
  if (!over_) Conclude(false);
  if (alive_ != nullptr) {
    *alive_ = nullptr;
    alive_.reset();
  }
  sign_.reset();
  continue_.reset();
  sender_.reset();
  ranges_sender_.reset();
  place_.Leave();
  if (request_body_ != nullptr) {
    if (request_body_->state() == Body::State::kFilling) request_body_->Abort("the client left");
    request_body_.reset();
  }
  stale_.reset();
  // Last: whether others still read the object is seen by who holds it.
  if (fetch_ != 0) context_.desk.Cancel(std::exchange(fetch_, 0));
  stream_ = nullptr;
  head_ = nullptr;
  kept_.clear();
  ask_.reset();
  answered_.source = Source::kError;
  answered_.forwarded = Forwarded::kNo;
  answered_.forward_status = 0;
  answered_.stored = answered_.collapsed = false;
  answered_.detail.clear();
  answered_.upstream_cache_status.clear();
  answered_.own_fields.clear();
  variants_tried_ = 0;
  interims_ = 0;
  status_ = 0;
  content_bytes_ = 0;
  first_byte_ = {};
  wants_room_ = over_ = alone_ = false;
}

}  // namespace reef::http
