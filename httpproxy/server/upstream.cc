// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/upstream.h"

#include <algorithm>

#include "base/check.h"
#include "base/runtime/log.h"
#include "httpproxy/core/body_framing.h"

namespace reef::http {
namespace {

constexpr size_t kReadBytes = 64 * 1024;
constexpr size_t kReadsMax = 8;  // in a row, before others get their turn
constexpr size_t kBodyBytes = 64 * 1024;
// One each 500 ms for as long as a head may take, and then some.
constexpr int kInterimMax = 1'000;

// Nothing is owed to us on an idle connection: what comes is the other side's closing, or TLS's own
// (session tickets).
bool IsQuiet(UpstreamConnection& connection) {
  char byte;
  size_t n = 0;
  return connection.Read(&byte, 1, n) == UpstreamConnection::Io::kBlocked;
}

bool MayRetry(Method method) {
  switch (method) {
    case Method::kGet:
    case Method::kHead:
    case Method::kOptions:
    case Method::kPut:
    case Method::kDelete:
      return true;
    default:
      return false;
  }
}

}  // namespace

// One request until its response has ended. Its methods run on the loop through Upstream::Run,
// which removes it once `finished`.
class Upstream::Exchange {
 public:
  Exchange(Upstream& upstream, uint64_t number, UpstreamRequest request, UpstreamEvents events)
      : upstream_(upstream), id(number), request_(std::move(request)), events_(std::move(events)) {}
  ~Exchange() {
    if (resolving_ != 0) upstream_.resolver_.Cancel(resolving_);
  }

  void Step() {
    switch (state_) {
      case State::kNew:
        return Begin();
      case State::kResolving:
        return;
      case State::kConnecting:
        return Connecting();
      case State::kTalking:
        return Talk();
    }
  }
  void OnDeadline();

  void set_paused(bool paused) {
    paused_ = paused;
    if (state_ == State::kTalking) Deadline(BodyTimeout());
  }

 private:
  enum class State { kNew, kResolving, kConnecting, kTalking };

  void Begin();
  void OnResolved(StatusOr<std::vector<IpAddress>> addresses);
  void TryNext();
  bool Allowed(const Endpoint& address);
  bool TryConnect(const Endpoint& address);
  void Connecting();
  void StartTalking();
  void Talk();
  void Write();
  bool NextOfBody();
  void Read();
  void OnBytes(std::string_view bytes);
  void OnHeadBytes(std::string_view bytes);
  void OnBodyBytes(std::string_view bytes);
  void OnChunkedBytes(std::string_view bytes);
  void OnEof();
  bool RetryOnFresh();
  void End(bool verified, bool clean);
  void Fail(FetchFailure failure, const std::string& detail);
  void Note(FetchFailure failure, const std::string& what);
  void Deadline(Duration after) { upstream_.FileDeadline(*this, upstream_.loop_.Now() + after); }
  Duration FirstByteTimeout() const {
    return request_.first_byte_timeout > Duration::zero() ? request_.first_byte_timeout
                                                          : upstream_.options_.first_byte_timeout;
  }
  Duration BodyTimeout() const {
    if (paused_) return upstream_.options_.paused_max;
    return head_done_ ? upstream_.options_.between_bytes_timeout : FirstByteTimeout();
  }
  Route RouteOf(const Endpoint& address) const {
    return {address, request_.target.tls, request_.target.tls ? request_.target.host : ""};
  }

  Upstream& upstream_;

 public:
  const uint64_t id;
  bool running = false;
  bool finished = false;
  Instant deadline = kNever;  // when it is due
  Instant filed = kNever;     // what the set holds: never later

 private:
  UpstreamRequest request_;
  const UpstreamEvents events_;
  State state_ = State::kNew;
  uint64_t resolving_ = 0;
  std::vector<Endpoint> addresses_;
  size_t next_address_ = 0;
  bool refused_only_ = true;  // every address so far was refused by the guard
  FetchFailure failure_ = FetchFailure::kConnect;
  std::string tried_;

  std::unique_ptr<UpstreamConnection> connection_;
  bool reused_ = false;
  bool fresh_only_ = false;
  WallTime sent_{};

  std::string out_;
  size_t out_offset_ = 0;
  std::unique_ptr<Body::Reader> reader_;  // of the request's body
  bool all_sent_ = false;
  bool write_failed_ = false;

  std::string in_;  // of the head
  HeadProgress progress_;
  int interim_count_ = 0;
  bool received_ = false;
  bool head_done_ = false;
  bool keep_alive_ = false;
  bool paused_ = false;
  BodyFraming framing_;
  uint64_t body_bytes_ = 0;
  ChunkedDecoder decoder_;
};

void Upstream::Exchange::Begin() {
  if (upstream_.exchanges_.size() > upstream_.options_.active_max) {
    return Fail(FetchFailure::kLimit, "too many requests at once");
  }
  if (request_.target.tls && upstream_.tls_ == nullptr) {
    return Fail(FetchFailure::kTls, upstream_.tls_trouble_);
  }
  if (request_.target.kind != UpstreamTarget::Kind::kOrigin) {
    addresses_ = {request_.target.fixed};
    return TryNext();
  }
  state_ = State::kResolving;
  resolving_ = upstream_.resolver_.Resolve(request_.target.host,
                                           [this](StatusOr<std::vector<IpAddress>> addresses) {
                                             resolving_ = 0;
                                             OnResolved(std::move(addresses));
                                           });
}

void Upstream::Exchange::OnResolved(StatusOr<std::vector<IpAddress>> addresses) {
  running = true;
  if (!addresses.ok()) {
    Fail(FetchFailure::kResolve, std::string(FromAbsl(addresses.status().message())));
  } else {
    for (const IpAddress& address : *addresses) {
      if (addresses_.size() == upstream_.options_.addresses_max) break;
      addresses_.push_back({address, request_.target.port});
    }
    TryNext();
  }
  running = false;
  if (finished) upstream_.Cancel(id);
}

void Upstream::Exchange::TryNext() {
  connection_.reset();
  while (next_address_ < addresses_.size()) {
    const Endpoint address = addresses_[next_address_++];
    if (!Allowed(address)) continue;
    refused_only_ = false;
    const bool may_reuse = !fresh_only_ && MayRetry(request_.method) && request_.body == nullptr;
    if (may_reuse) connection_ = upstream_.TakeIdle(RouteOf(address));
    if (connection_ != nullptr) {
      upstream_.reuses_.Add();
      reused_ = true;
      connection_->SetOnReady([this] { upstream_.Run(*this); });
      return StartTalking();
    }
    if (TryConnect(address)) return;
  }
  Fail(refused_only_ ? FetchFailure::kForbidden : failure_, tried_);
}

bool Upstream::Exchange::Allowed(const Endpoint& address) {
  GuardVerdict verdict = GuardVerdict::kAllowed;
  switch (request_.target.kind) {
    case UpstreamTarget::Kind::kOrigin:
      verdict = CheckOriginAddress(address, upstream_.guard_);
      break;
    case UpstreamTarget::Kind::kConfigured:
      verdict = CheckConfiguredAddress(address, upstream_.guard_);
      break;
    case UpstreamTarget::Kind::kPeer:
      verdict = CheckPeerAddress(address, upstream_.self_, upstream_.guard_);
      break;
  }
  if (verdict == GuardVerdict::kAllowed) return true;
  upstream_.guard_refusals_[static_cast<size_t>(verdict)]->Add();
  Note(failure_, address.ToString() + " refused: " + std::string(GuardVerdictName(verdict)));
  return false;
}

bool Upstream::Exchange::TryConnect(const Endpoint& address) {
  upstream_.connects_.Add();
  auto connection = UpstreamConnection::Connect(
      upstream_.loop_, address, request_.target.tls ? upstream_.tls_.get() : nullptr,
      request_.target.host, address.port);
  if (!connection.ok()) {
    Note(FetchFailure::kConnect, std::string(FromAbsl(connection.status().message())));
    return false;
  }
  connection_ = *std::move(connection);
  reused_ = false;
  connection_->SetOnReady([this] { upstream_.Run(*this); });
  state_ = State::kConnecting;
  Deadline(upstream_.options_.connect_timeout);
  return true;
}

void Upstream::Exchange::Connecting() {
  switch (connection_->Establish()) {
    case UpstreamConnection::Io::kBlocked:
      return;
    case UpstreamConnection::Io::kDone:
      return StartTalking();
    default:
      break;
  }
  const std::string what = connection_->remote().ToString() + ": " + connection_->error_text();
  const TlsError tls_error = connection_->tls_error();
  if (tls_error == TlsError::kNone) {
    Note(FetchFailure::kConnect, what);
    return TryNext();
  }
  upstream_.tls_errors_[static_cast<size_t>(tls_error)]->Add();
  // Another address of the name would hardly have a better certificate.
  Fail(FetchFailure::kTls, what + " (" + std::string(TlsErrorName(tls_error)) + ")");
}

void Upstream::Exchange::StartTalking() {
  state_ = State::kTalking;
  sent_ = upstream_.loop_.Wall();
  out_ = request_.head;
  out_offset_ = 0;
  if (request_.body != nullptr) reader_ = request_.body->NewReader(upstream_.loop_, 0);
  Deadline(FirstByteTimeout());
  Talk();
}

void Upstream::Exchange::Talk() {
  Write();
  if (!finished && state_ == State::kTalking) Read();
}

void Upstream::Exchange::Write() {
  while (!all_sent_ && !write_failed_) {
    if (out_offset_ == out_.size()) {
      out_.clear();
      out_offset_ = 0;
      if (!NextOfBody()) return;
      continue;
    }
    size_t n = 0;
    switch (connection_->Write(std::string_view(out_).substr(out_offset_), n)) {
      case UpstreamConnection::Io::kDone:
        out_offset_ += n;
        if (!head_done_ && reader_ != nullptr) Deadline(FirstByteTimeout());
        break;
      case UpstreamConnection::Io::kBlocked:
        return;
      default:
        // The answer may be there already: a refusal of the rest of a body.
        write_failed_ = true;
    }
  }
}

// Fills out_ with more of the request's body. False: nothing to send now.
bool Upstream::Exchange::NextOfBody() {
  if (reader_ == nullptr) {
    all_sent_ = true;
    return true;
  }
  const Body::Chunk chunk = reader_->Peek(kBodyBytes);
  switch (chunk.what) {
    case Body::Chunk::What::kBytes:
      if (request_.chunked) AppendChunkHeader(chunk.bytes.size(), out_);
      out_.append(chunk.bytes);
      if (request_.chunked) out_.append(kChunkEnd);
      reader_->Advance(chunk.bytes.size());
      return true;
    case Body::Chunk::What::kWait:
      reader_->WhenReadable([this] { upstream_.Run(*this); });
      return false;
    case Body::Chunk::What::kEnd:
      if (request_.chunked) out_.append(kLastChunk);
      reader_.reset();
      return true;
    case Body::Chunk::What::kAborted:
    case Body::Chunk::What::kGone:
      break;
  }
  Fail(FetchFailure::kBroken, "the request's content broke off");
  return false;
}

void Upstream::Exchange::Read() {
  for (size_t reads = 0; !paused_ && !finished; ++reads) {
    if (reads == kReadsMax) {
      // TLS may hold more than the socket tells of: come back without waiting for it.
      upstream_.PostLater([&upstream = upstream_, id = id] { upstream.Run(id); });
      return;
    }
    size_t n = 0;
    switch (connection_->Read(upstream_.scratch_.get(), kReadBytes, n)) {
      case UpstreamConnection::Io::kDone:
        received_ = true;
        OnBytes({upstream_.scratch_.get(), n});
        if (!finished && head_done_) Deadline(BodyTimeout());
        break;
      case UpstreamConnection::Io::kBlocked:
        return;
      case UpstreamConnection::Io::kEnd:
        return OnEof();
      case UpstreamConnection::Io::kFailed:
        if (!received_ && RetryOnFresh()) return;
        return Fail(FetchFailure::kBroken,
                    connection_->remote().ToString() + ": " + connection_->error_text());
    }
  }
}

void Upstream::Exchange::OnBytes(std::string_view bytes) {
  if (head_done_) {
    OnBodyBytes(bytes);
  } else {
    OnHeadBytes(bytes);
  }
}

void Upstream::Exchange::OnHeadBytes(std::string_view bytes) {
  in_.append(bytes);
  while (!finished) {
    ResponseHead& head = upstream_.head_;
    const ParseResult parsed = ParseResponseHead(in_, kResponseHeadLimits, progress_, head);
    if (parsed.what == ParseResult::What::kNeedMore) return;
    if (parsed.what == ParseResult::What::kError) {
      return Fail(FetchFailure::kProtocol, connection_->remote().ToString() + ": response head: " +
                                               std::string(ParseErrorName(parsed.error)));
    }
    progress_ = {};
    if (head.status < 200) {
      // RFC 9110, 15.2: any number of them; nothing here asks to switch protocols.
      if (head.status == 101 || ++interim_count_ > kInterimMax) {
        return Fail(FetchFailure::kProtocol, "unexpected interim response");
      }
      if (events_.on_interim) events_.on_interim(head);
      in_.erase(0, parsed.consumed);
      continue;
    }
    head_done_ = true;
    keep_alive_ = head.keep_alive;
    framing_ = FramingOf(head, request_.method);
    events_.on_head(head, sent_);
    if (finished) return;
    const std::string rest = in_.substr(parsed.consumed);
    in_ = std::string();
    return OnBodyBytes(rest);
  }
}

void Upstream::Exchange::OnBodyBytes(std::string_view bytes) {
  switch (framing_.kind) {
    case BodyFraming::Kind::kNone:
      return End(true, bytes.empty());
    case BodyFraming::Kind::kChunked:
      return OnChunkedBytes(bytes);
    case BodyFraming::Kind::kUntilClose:
      body_bytes_ += bytes.size();
      if (!bytes.empty()) events_.on_body(bytes);
      return;
    case BodyFraming::Kind::kLength:
      break;
  }
  const std::string_view ours = bytes.substr(0, framing_.length - body_bytes_);
  body_bytes_ += ours.size();
  if (!ours.empty()) events_.on_body(ours);
  if (!finished && body_bytes_ == framing_.length) End(true, ours.size() == bytes.size());
}

void Upstream::Exchange::OnChunkedBytes(std::string_view bytes) {
  while (!finished) {
    const ChunkedDecoder::Step step = decoder_.Decode(bytes);
    bytes.remove_prefix(step.consumed);
    switch (step.what) {
      case ChunkedDecoder::Step::What::kNeedMore:
        return;
      case ChunkedDecoder::Step::What::kData:
        body_bytes_ += step.data.size();
        events_.on_body(step.data);
        break;
      case ChunkedDecoder::Step::What::kEnd:
        return End(true, bytes.empty());
      case ChunkedDecoder::Step::What::kError:
        return Fail(FetchFailure::kProtocol,
                    "chunked content: " + std::string(ChunkedErrorName(decoder_.error())));
    }
  }
}

void Upstream::Exchange::OnEof() {
  if (!received_ && RetryOnFresh()) return;
  // RFC 9112, 6.3: only without any framing does the connection's end end the message.
  if (head_done_ && framing_.kind == BodyFraming::Kind::kUntilClose) return End(false, false);
  std::string what = connection_->remote().ToString() + ": closed ";
  if (!head_done_) {
    what += "before a response head";
  } else {
    what += "after " + std::to_string(body_bytes_) + " bytes";
    if (framing_.kind == BodyFraming::Kind::kLength)
      what += " of " + std::to_string(framing_.length);
  }
  Fail(FetchFailure::kBroken, what);
}

// A kept connection may have been closed by the other side in the moment it was used: that says
// nothing about the request. RFC 9112, 9.3.1.
bool Upstream::Exchange::RetryOnFresh() {
  if (!reused_ || !MayRetry(request_.method)) return false;
  upstream_.stale_reuses_.Add();
  fresh_only_ = true;
  all_sent_ = write_failed_ = false;
  --next_address_;
  TryNext();
  return true;
}

void Upstream::Exchange::End(bool verified, bool clean) {
  if (clean && verified && keep_alive_ && all_sent_ && !write_failed_) {
    const Route route = RouteOf(connection_->remote());
    upstream_.Keep(route, std::move(connection_));
  } else {
    connection_->Shutdown();
    connection_.reset();
  }
  finished = true;
  events_.on_end(verified);
}

void Upstream::Exchange::Fail(FetchFailure failure, const std::string& detail) {
  finished = true;
  connection_.reset();
  events_.on_failure(failure, detail);
}

void Upstream::Exchange::Note(FetchFailure failure, const std::string& what) {
  failure_ = failure;
  if (!tried_.empty()) tried_ += ", ";
  tried_ += what;
}

void Upstream::Exchange::OnDeadline() {
  if (state_ == State::kConnecting) {
    Note(FetchFailure::kConnectTimeout, connection_->remote().ToString() + ": connect timed out");
    return TryNext();
  }
  const std::string where = connection_ == nullptr ? "" : connection_->remote().ToString() + ": ";
  if (paused_) return Fail(FetchFailure::kTimeout, where + "nobody reads");
  Fail(FetchFailure::kTimeout,
       where + (head_done_ ? "no more content came in time" : "no response head in time"));
}

Upstream::Upstream(const UpstreamOptions& options, const GuardOptions& guard, const Endpoint& self,
                   EventLoop& loop, Resolver& resolver, Metrics& metrics)
    : options_(options),
      guard_(guard),
      self_(self),
      loop_(loop),
      resolver_(resolver),
      timer_(loop, [this] { OnTimer(); }),
      scratch_(new char[kReadBytes]),
      connects_(metrics.AddCounter("reef_http_upstream_connects_total",
                                   "Connections opened to origins and other proxies.")),
      reuses_(metrics.AddCounter("reef_http_upstream_reuses_total",
                                 "Requests sent on a kept connection.")),
      stale_reuses_(metrics.AddCounter("reef_http_upstream_stale_reuses_total",
                                       "Kept connections that turned out to be closed.")) {
  for (size_t i = 0; i < guard_refusals_.size(); ++i) {
    guard_refusals_[i] = &metrics.AddCounter(
        "reef_http_guard_refusals_total", "Addresses this proxy refused to connect to, by reason.",
        {{"reason", std::string(GuardVerdictName(static_cast<GuardVerdict>(i)))}});
  }
  for (size_t i = 0; i < tls_errors_.size(); ++i) {
    tls_errors_[i] =
        &metrics.AddCounter("reef_http_upstream_tls_errors_total",
                            "TLS handshakes with origins that failed, by reason.",
                            {{"reason", std::string(TlsErrorName(static_cast<TlsError>(i)))}});
  }
  auto tls = TlsClientContext::Create({.extra_ca_file = options.extra_ca_file});
  if (tls.ok()) {
    tls_ = *std::move(tls);
  } else {
    tls_trouble_ = FromAbsl(tls.status().message());
    LogError("origins cannot be reached over TLS: {}", tls_trouble_);
  }
}

Upstream::~Upstream() {
  exchanges_.clear();  // they use the members below
}

uint64_t Upstream::Send(UpstreamRequest request, UpstreamEvents events) {
  const uint64_t id = next_id_++;
  exchanges_[id] = std::make_unique<Exchange>(*this, id, std::move(request), std::move(events));
  PostLater([this, id] { Run(id); });
  return id;
}

void Upstream::Cancel(uint64_t id) {
  const auto found = exchanges_.find(id);
  if (found == exchanges_.end()) return;
  found->second->finished = true;
  if (found->second->running) return;  // Run removes it
  deadlines_.erase({found->second->filed, id});
  exchanges_.erase(found);
}

void Upstream::Pause(uint64_t id) {
  const auto found = exchanges_.find(id);
  if (found != exchanges_.end()) found->second->set_paused(true);
}

void Upstream::Resume(uint64_t id) {
  const auto found = exchanges_.find(id);
  if (found == exchanges_.end()) return;
  found->second->set_paused(false);
  if (!found->second->running) Run(*found->second);
}

void Upstream::Run(uint64_t id) {
  const auto found = exchanges_.find(id);
  if (found != exchanges_.end()) Run(*found->second);
}

void Upstream::Run(Exchange& exchange) {
  exchange.running = true;
  exchange.Step();
  exchange.running = false;
  if (exchange.finished) Cancel(exchange.id);
}

// Deadlines move later with every read; the set is touched only when one moves earlier, or comes up
// too early and is filed again.
void Upstream::FileDeadline(Exchange& exchange, Instant deadline) {
  exchange.deadline = deadline;
  if (exchange.filed <= deadline) return;
  deadlines_.erase({exchange.filed, exchange.id});
  exchange.filed = deadline;
  deadlines_.insert({deadline, exchange.id});
  ArmTimer();
}

void Upstream::OnTimer() {
  const Instant now = loop_.Now();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const uint64_t id = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    const auto found = exchanges_.find(id);
    if (found == exchanges_.end()) continue;
    Exchange& exchange = *found->second;
    exchange.filed = kNever;
    if (exchange.deadline > now) {
      FileDeadline(exchange, exchange.deadline);
      continue;
    }
    exchange.running = true;
    exchange.OnDeadline();
    exchange.running = false;
    if (exchange.finished) Cancel(id);
  }
  while (!idle_.empty() && idle_.front().until <= now) DropIdle(idle_.begin());
  ArmTimer();
}

void Upstream::ArmTimer() {
  Instant next = kNever;
  if (!deadlines_.empty()) next = deadlines_.begin()->first;
  if (!idle_.empty()) next = std::min(next, idle_.front().until);
  timer_.ArmAt(next);
}

std::unique_ptr<UpstreamConnection> Upstream::TakeIdle(const Route& route) {
  while (true) {
    const auto found = idle_by_route_.find(route);
    if (found == idle_by_route_.end()) return nullptr;
    // The one used last: the others may lapse.
    const auto idle = found->second.back();
    std::unique_ptr<UpstreamConnection> connection = std::move(idle->connection);
    DropIdle(idle);
    // What came unasked must never be taken for the answer to the next request.
    if (IsQuiet(*connection)) return connection;
  }
}

void Upstream::Keep(const Route& route, std::unique_ptr<UpstreamConnection> connection) {
  if (options_.idle_max == 0 || options_.idle_per_origin_max == 0) return;
  auto& alike = idle_by_route_[route];
  if (alike.size() >= options_.idle_per_origin_max) {
    DropIdle(alike.front());
  } else if (idle_.size() >= options_.idle_max) {
    DropIdle(idle_.begin());
  }
  idle_.push_back({route, std::move(connection), loop_.Now() + options_.idle_timeout});
  const auto idle = std::prev(idle_.end());
  idle_by_route_[route].push_back(idle);
  idle->connection->SetOnReady([this, idle] { OnIdleReady(idle); });
  idle->connection->WatchRead();
  if (idle_.size() == 1) ArmTimer();
}

void Upstream::OnIdleReady(std::list<Idle>::iterator idle) {
  if (!IsQuiet(*idle->connection)) DropIdle(idle);
}

void Upstream::DropIdle(std::list<Idle>::iterator idle) {
  const auto alike = idle_by_route_.find(idle->route);
  std::erase(alike->second, idle);
  if (alike->second.empty()) idle_by_route_.erase(alike);
  idle_.erase(idle);
}

void Upstream::PostLater(std::function<void()> task) {
  loop_.Post([alive = std::weak_ptr<bool>(alive_), task = std::move(task)] {
    if (!alive.expired()) task();
  });
}

}  // namespace reef::http
