// SPDX-License-Identifier: Apache-2.0
#include "tests/dsht/rpc/sample_messages.h"

#include <utility>

namespace reef::dsht {
namespace {

using namespace std::chrono_literals;

Peer SamplePeer(const char* name) {
  return {.id = Id::Hash(name),
          .rpc = *Endpoint::Parse("192.0.2.1:8400"),
          .http = *Endpoint::Parse("[2001:db8::1]:80"),
          .dns = *Endpoint::Parse("192.0.2.3:53"),
          .draining = true,
          .overloaded = true};
}

Value SampleValue(const char* name) {
  return {.publisher = Id::Hash(name),
          .bytes = "192.0.2.1:80",
          .ttl = 3600s,
          .complete = true,
          .level = 2,
          .signature = std::string(64, 's')};
}

Attempt SampleAttempt(const char* name) {
  return {.node = Id::Hash(name), .counter = 77};
}

Lease SampleLease(const char* name, LeaseState state) {
  return {.attempt = SampleAttempt(name),
          .epoch = 3,
          .state = state,
          .level = 1,
          .duration = 19'500ms,
          .value = "192.0.2.9:80",
          .rpc = *Endpoint::Parse("192.0.2.9:8400")};
}

std::vector<Body> SampleBodies() {
  const Key key = Id::Hash("key");
  const Id next = Id::Hash("next");
  const std::vector<Peer> peers = {SamplePeer("a"), SamplePeer("b")};
  const std::vector<Value> values = {SampleValue("c"), SampleValue("d")};
  const std::vector<Lease> leases = {SampleLease("e", LeaseState::kStreaming),
                                     SampleLease("f", LeaseState::kUncacheable)};
  const IpAddress seen = *IpAddress::Parse("198.51.100.7");
  return {
      PingQuery{},
      PingReply{.seen_as = seen},
      FindQuery{.target = key, .levels = 0b101},
      FindReply{.peers = peers, .seen_as = seen},
      GetQuery{.key = key, .next_target = next, .levels = 0b110},
      GetReply{.values = values, .peers = peers, .outer_peers = peers},
      StatusQuery{.key = key, .next_target = next, .levels = 0b11},
      StatusReply{.loaded = true,
                  .value_count = 4,
                  .shortest_ttl = 12s,
                  .peers = peers,
                  .outer_peers = peers},
      StoreQuery{.key = key, .value = SampleValue("g")},
      StoreReply{.outcome = StoreOutcome::kSourceLimit},
      WithdrawQuery{.key = key, .next_target = next, .levels = 0b100, .value = "192.0.2.1:80"},
      WithdrawReply{.removed = true, .peers = peers},
      ClaimQuery{.key = key,
                 .next_target = next,
                 .levels = 0b111,
                 .stage = ClaimStage::kConfirm,
                 .attempt = SampleAttempt("h"),
                 .claimant = *Endpoint::Parse("192.0.2.4:8400"),
                 .value = "192.0.2.4:80",
                 .epoch = 9,
                 .state = LeaseState::kFailed,
                 .exclude = {Id::Hash("i"), Id::Hash("j")},
                 .behind = {Id::Hash("behind")},
                 .unreachable = {Id::Hash("k")},
                 .superseded = {SampleAttempt("l")},
                 .relayed = true},
      ClaimReply{.verdict = ClaimVerdict::kStale,
                 .epoch = 9,
                 .left = 250ms,
                 .values = values,
                 .leases = leases,
                 .peers = peers,
                 .outer_peers = peers},
      RenewQuery{.key = key, .lease = leases[0]},
      RenewReply{.kept = true, .rival = {leases[1]}, .peers = peers},
      ReleaseQuery{.key = key,
                   .levels = 0b11,
                   .attempt = SampleAttempt("m"),
                   .end = ClaimEnd::kUncacheable,
                   .value = {SampleValue("n")}},
      ReleaseReply{},
      ContestQuery{.key = key,
                   .level = 2,
                   .attempt = SampleAttempt("o"),
                   .rival = {SampleAttempt("p")},
                   .site = {SamplePeer("q")},
                   .rival_value = "192.0.2.5:80"},
      ContestReply{.standing = Standing::kYields, .value = "192.0.2.6:80"},
      HandOverQuery{.entries = {{.key = key, .values = values, .leases = leases},
                                {.key = next, .values = values, .leases = {}}}},
      HandOverReply{.accepted = 2},
      LeaveQuery{},
      LeaveReply{},
      RefusedReply{.reason = Refusal::kLevel},
  };
}

}  // namespace

std::vector<Message> SampleMessages() {
  std::vector<Message> messages;
  for (Body& body : SampleBodies()) {
    Message message;
    message.header = {
        .version = 2,
        .sender = SamplePeer("sender"),
        .clusters = {{.level = 1, .cluster = Id::Hash("cluster"), .age = 90s, .size_estimate = 41}},
        .signature = std::string(64, 'h')};
    message.body = std::move(body);
    messages.push_back(std::move(message));
  }
  return messages;
}

}  // namespace reef::dsht
