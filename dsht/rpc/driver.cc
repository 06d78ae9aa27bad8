// SPDX-License-Identifier: Apache-2.0
#include "dsht/rpc/driver.h"

#include <future>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/runtime/clock.h"
#include "base/runtime/log.h"
#include "dsht/rpc/caller.h"
#include "dsht/rpc/codec.h"
#include "dsht/rpc/server.h"
#include "dsht/rpc/stats_metrics.h"

namespace reef::dsht {
namespace {

// The core knows seeds by endpoint; a seed that is a name, which gRPC resolves, stands there as an
// address of the discard-only block (RFC 6666), its number in the last bytes.
constexpr size_t kNamedSeedsMax = 256;

Endpoint PlaceOfNamedSeed(size_t index) {
  std::array<uint8_t, 16> v6{0x01};
  v6[15] = static_cast<uint8_t>(index);
  return {IpAddress::V6(v6), 1};
}

std::optional<size_t> IndexOfNamedSeed(const Endpoint& to) {
  if (to.address.is_v4()) return std::nullopt;
  const size_t index = to.address.bytes()[15];
  return to == PlaceOfNamedSeed(index) ? std::optional(index) : std::nullopt;
}

Endpoint WithAddress(const Endpoint& endpoint, const IpAddress& address) {
  return endpoint.port != 0 && endpoint.address.IsUnspecified() ? Endpoint{address, endpoint.port}
                                                                : endpoint;
}

// A node that does not know its address is where the call went to. The core cannot know that of a
// seed with a name.
void FillInAddress(Message& reply) {
  Peer& sender = reply.header.sender;
  if (!sender.rpc.address.IsUnspecified() || reply.from.IsUnspecified()) return;
  sender.rpc.address = reply.from;
  sender.http = WithAddress(sender.http, reply.from);
  sender.dns = WithAddress(sender.dns, reply.from);
}

Options WithFirstAttempt(Options options) {
  // Attempts after a restart must be newer than those before it.
  options.first_attempt = static_cast<uint64_t>(
      std::chrono::floor<std::chrono::microseconds>(WallNow().time_since_epoch()).count());
  return options;
}

}  // namespace

Driver::Driver(DriverOptions options, Metrics& metrics)
    : options_(std::move(options)),
      published_(std::make_shared<Published>()),
      thread_("dsht"),
      loop_(thread_.loop()) {
  for (size_t i = 0; i < kDecodeErrorCount; ++i) {
    malformed_.push_back(&metrics.AddCounter("reef_dsht_malformed_total",
                                             "DSHT messages that could not be read, by reason",
                                             {{"reason", NameOf(static_cast<DecodeError>(i))}}));
  }
  ExportStats(metrics, [p = published_] {
    const std::lock_guard lock(p->mutex);
    return p->stats;
  });
  ExportGauges(metrics, [p = published_] {
    const std::lock_guard lock(p->mutex);
    return p->gauges;
  });
  thread_.RunAndWait([this, &metrics] {
    const Server::Options limits = {.listen = options_.listen,
                                    .calls_max = options_.calls_max,
                                    .calls_per_source_max = options_.calls_per_source_max};
    server_ = std::make_unique<Server>(
        loop_, limits, metrics,
        [this](uint64_t call, const Endpoint& source, const v1::Envelope& request) {
          OnCall(call, source, request);
        });
    caller_ = std::make_unique<Caller>(loop_,
                                       ChannelCache::Options{.channels_max = options_.channels_max,
                                                             .idle_max = options_.channel_idle_max},
                                       metrics);
    timer_ = std::make_unique<Timer>(loop_, [this] { OnDeadline(); });
  });
}

Driver::~Driver() {
  Stop();
  thread_.RunAndWait([this] {
    timer_.reset();
    server_.reset();
    caller_.reset();
  });
}

Status Driver::Start() {
  ASSIGN_OR_RETURN(listening_, server_->Start());
  // Calls that came in meanwhile were refused: there was no node yet.
  thread_.RunAndWait([this] {
    node_ = std::make_unique<Node>(Self(), WithFirstAttempt(options_.node), Rng(options_.seed));
    Flush();
  });
  LogInfo("dsht: node {} listens on {}", options_.id.Short(), listening_.ToString());
  return absl::OkStatus();
}

Peer Driver::Self() const {
  Peer self;
  self.id = options_.id;
  self.rpc = options_.advertise.value_or(listening_);
  if (self.rpc.port == 0) self.rpc.port = listening_.port;
  self.http = WithAddress(options_.http, self.rpc.address);
  self.dns = WithAddress(options_.dns, self.rpc.address);
  return self;
}

bool Driver::IsOwnEndpoint(const std::string& seed) const {
  const std::optional<Endpoint> endpoint = Endpoint::Parse(seed);
  return endpoint && (*endpoint == listening_ || endpoint == options_.advertise);
}

std::vector<Endpoint> Driver::RememberSeeds(const std::vector<std::string>& seeds) {
  std::vector<Endpoint> endpoints;
  for (const std::string& seed : seeds) {
    if (IsOwnEndpoint(seed)) continue;
    if (const auto literal = Endpoint::Parse(seed)) {
      endpoints.push_back(*literal);
    } else if (named_seeds_.size() < kNamedSeedsMax) {
      endpoints.push_back(PlaceOfNamedSeed(named_seeds_.size()));
      named_seeds_.push_back(seed);
    }
  }
  return endpoints;
}

std::string Driver::TargetOf(const Endpoint& to) const {
  const std::optional<size_t> named = IndexOfNamedSeed(to);
  return named && *named < named_seeds_.size() ? named_seeds_[*named] : to.ToString();
}

void Driver::Join(std::vector<std::string> seeds) {
  loop_.Post([this, seeds = std::move(seeds)] {
    if (!Running()) return;
    node_->Join(loop_.Now(), RememberSeeds(seeds), out_);
    Flush();
  });
}

void Driver::Leave(Duration patience) {
  const auto left = std::make_shared<std::promise<void>>();
  loop_.Post([this, left] {
    if (!Running()) return left->set_value();
    leaving_ = true;
    AnswerPending();
    left_.push_back([left] { left->set_value(); });
    node_->Leave(loop_.Now(), out_);
    Flush();
  });
  left->get_future().wait_for(patience);
}

void Driver::Stop() {
  thread_.RunAndWait([this] {
    AnswerPending();
    node_.reset();
    timer_->Cancel();
    for (Task& task : std::exchange(left_, {})) task();
  });
  server_->Stop();
  caller_->Stop();
}

// ---- Transport ---------------------------------------------------------------------------------

std::optional<Message> Driver::Decoded(const v1::Envelope& envelope) {
  std::variant<Message, DecodeError> decoded = Decode(envelope);
  if (const auto* error = std::get_if<DecodeError>(&decoded)) {
    malformed_[static_cast<size_t>(*error)]->Add();
    LogDebug("dsht: a message could not be read: {}", NameOf(*error));
    return std::nullopt;
  }
  return std::get<Message>(std::move(decoded));
}

void Driver::OnCall(uint64_t call, const Endpoint& source, const v1::Envelope& request) {
  if (!Running()) return server_->Refuse(call, Unavailable("not in service"));
  std::optional<Message> message = Decoded(request);
  if (!message) return server_->Refuse(call, InvalidArgument("the message could not be read"));
  if (!IsQuery(message->body)) return server_->Refuse(call, InvalidArgument("not a query"));
  message->rpc = call;
  message->from = source.address;
  node_->OnMessage(loop_.Now(), *message, out_);
  Flush();
}

void Driver::Send(Outgoing query) {
  const RpcId rpc = query.rpc;
  caller_->Call(TargetOf(query.to), Encode(query.message), query.timeout,
                [this, rpc](const Caller::Outcome& outcome) {
                  if (!node_) return;
                  std::optional<Message> reply;
                  if (outcome.reply != nullptr) reply = Decoded(*outcome.reply);
                  if (reply) {
                    reply->rpc = rpc;
                    reply->from = outcome.from;
                    reply->cold = outcome.cold;
                    FillInAddress(*reply);
                    LearnAddress(reply->body);
                    node_->OnMessage(loop_.Now(), *reply, out_);
                  } else {
                    LogDebug("dsht: {}", outcome.status.ToString());
                    node_->OnUnreachable(loop_.Now(), rpc, out_);
                  }
                  Flush();
                });
}

// Only peers that reach the node at the address it publishes keep it, so a wrong one heals when the
// next peer is asked; but the address of loopback is only taken for want of a better.
void Driver::LearnAddress(const Body& reply) {
  if (!Self().rpc.address.IsUnspecified()) return;  // it was configured
  IpAddress seen_as;
  if (const auto* ping = std::get_if<PingReply>(&reply)) seen_as = ping->seen_as;
  if (const auto* find = std::get_if<FindReply>(&reply)) seen_as = find->seen_as;
  const Endpoint known = node_->self().rpc;
  const bool is_better =
      known.address.IsUnspecified() || (known.address.IsLoopback() && !seen_as.IsLoopback());
  if (seen_as.IsUnspecified() || !is_better) return;
  node_->SetRpc({seen_as, known.port});
  LogInfo("dsht: other nodes see this one as {}", seen_as.ToString());
}

void Driver::OnDeadline() {
  if (!node_) return;
  node_->OnDeadline(loop_.Now(), out_);
  Flush();
}

void Driver::Flush() {
  Publish();  // first: what others can see of this turn has been counted
  for (Outgoing& query : out_.queries) Send(std::move(query));
  for (const Answer& answer : out_.answers) server_->Reply(answer.rpc, Encode(answer.message));
  for (Finished& finished : out_.finished) {
    std::visit([this](auto& done) { Finish(std::move(done)); }, finished);
  }
  out_.Clear();
  timer_->ArmAt(node_->NextDeadline());
}

void Driver::Publish() {
  const Node::Gauges gauges = node_->gauges();
  if (!joined_ && gauges.peers > 0) {
    joined_ = true;
    LogInfo("dsht: joined, {} nodes known", gauges.peers);
  }
  const std::lock_guard lock(published_->mutex);
  published_->stats = node_->stats();
  published_->gauges = gauges;
}

// ---- Results -----------------------------------------------------------------------------------

void Driver::Finish(GetDone done) {
  if (auto waiting = gets_.extract(done.operation)) waiting.mapped()(std::move(done.holders));
}

void Driver::Finish(NodesDone done) {
  if (auto waiting = nodes_.extract(done.operation)) waiting.mapped()(std::move(done.nodes));
}

void Driver::Finish(ClaimAnswered done) {
  const auto id = claim_of_.find(done.claim);
  if (id == claim_of_.end() || IsReleased(id->second)) return;
  if (auto answered = std::exchange(claims_[id->second].answered, nullptr)) {
    answered(std::move(done.answer));
  }
}

void Driver::Finish(const ClaimLost& done) {
  const auto id = claim_of_.find(done.claim);
  if (id == claim_of_.end() || IsReleased(id->second)) return;
  if (auto lost = std::exchange(claims_[id->second].lost, nullptr)) lost();
}

void Driver::Finish(const JoinDone& done) {
  if (!done.joined) {
    LogWarning("dsht: no seed answers yet; trying on");
    return;
  }
  joined_ = true;
}

void Driver::Finish(const LeaveDone&) {
  for (Task& task : std::exchange(left_, {})) task();
}

bool Driver::IsReleased(ClaimId claim) {
  const std::lock_guard lock(released_mutex_);
  return released_.contains(claim);
}

void Driver::AnswerPending() {
  for (auto& [operation, done] : std::exchange(gets_, {})) done({});
  for (auto& [operation, done] : std::exchange(nodes_, {})) done({});
  for (auto& [id, claim] : std::exchange(claims_, {})) {
    if (claim.answered && !IsReleased(id)) claim.answered({});
  }
  claim_of_.clear();
}

// ---- Client ------------------------------------------------------------------------------------

void Driver::Get(const Key& key, std::function<void(std::vector<Holder>)> done) {
  loop_.Post([this, key, done = std::move(done)]() mutable {
    if (!Running()) return done({});
    gets_.emplace(node_->Get(loop_.Now(), key, out_), std::move(done));
    Flush();
  });
}

void Driver::Put(PutRequest request) {
  loop_.Post([this, request = std::move(request)] {
    if (!Running()) return;
    node_->Put(loop_.Now(), request, out_);
    Flush();
  });
}

void Driver::Withdraw(const Key& key, const std::string& value) {
  loop_.Post([this, key, value] {
    if (!Running()) return;
    node_->Withdraw(loop_.Now(), key, value, out_);
    Flush();
  });
}

ClaimId Driver::Claim(ClaimRequest request, std::function<void(ClaimAnswer)> answered,
                      std::function<void()> lost) {
  const ClaimId id = ++last_claim_;
  loop_.Post([this, id, request = std::move(request), answered = std::move(answered),
              lost = std::move(lost)]() mutable {
    if (!Running()) {
      if (!IsReleased(id)) answered({});
      return;
    }
    const OperationId operation = node_->Claim(loop_.Now(), request, out_);
    claims_[id] = {operation, std::move(answered), std::move(lost)};
    claim_of_[operation] = id;
    Flush();
  });
  return id;
}

void Driver::Streaming(ClaimId claim) {
  loop_.Post([this, claim] {
    const auto open = claims_.find(claim);
    if (!Running() || open == claims_.end()) return;
    node_->Streaming(loop_.Now(), open->second.operation, out_);
    Flush();
  });
}

void Driver::Release(ClaimId claim, ClaimEnd end, Duration ttl) {
  {
    const std::lock_guard lock(released_mutex_);
    released_.insert(claim);
  }
  loop_.Post([this, claim, end, ttl] {
    {
      const std::lock_guard lock(released_mutex_);
      released_.erase(claim);
    }
    const auto open = claims_.extract(claim);
    if (!Running() || open.empty()) return;
    claim_of_.erase(open.mapped().operation);
    node_->Release(loop_.Now(), open.mapped().operation, end, ttl, out_);
    Flush();
  });
}

void Driver::Nodes(int level, size_t count, uint32_t services,
                   std::function<void(std::vector<NodeInfo>)> done) {
  loop_.Post([this, level, count, services, done = std::move(done)]() mutable {
    if (!Running()) return done({});
    nodes_.emplace(node_->Nodes(loop_.Now(), level, count, services, out_), std::move(done));
    Flush();
  });
}

void Driver::Levels(std::function<void(std::vector<LevelInfo>)> done) {
  loop_.Post([this, done = std::move(done)] {
    done(Running() ? node_->Levels(loop_.Now()) : std::vector<LevelInfo>());
  });
}

void Driver::SetDraining(bool draining) {
  loop_.Post([this, draining] {
    if (!Running()) return;
    node_->SetDraining(loop_.Now(), draining, out_);
    Flush();
  });
}

void Driver::SetOverloaded(bool overloaded) {
  loop_.Post([this, overloaded] {
    if (node_) node_->SetOverloaded(overloaded);
  });
}

void Driver::Describe(std::function<void(Snapshot)> done) {
  loop_.Post([this, done = std::move(done)] {
    Snapshot snapshot;
    snapshot.joined = joined();
    if (node_) {
      const Instant now = loop_.Now();
      snapshot.self = node_->self();
      snapshot.stats = node_->stats();
      snapshot.gauges = node_->gauges();
      snapshot.levels = node_->Levels(now);
      snapshot.peers = node_->Peers(now, 0);
    }
    done(std::move(snapshot));
  });
}

}  // namespace reef::dsht
