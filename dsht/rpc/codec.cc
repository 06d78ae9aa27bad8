// SPDX-License-Identifier: Apache-2.0
#include "dsht/rpc/codec.h"

#include <array>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/check.h"

namespace reef::dsht {
namespace {

using google::protobuf::RepeatedPtrField;

// ---- Encoding --------------------------------------------------------------------------------

std::string Raw(const Id& id) {
  return std::string(id.AsBytes());
}

std::string Raw(const IpAddress& address) {
  if (address.IsUnspecified()) return {};
  const auto bytes = address.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

uint64_t ToMs(Duration d) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  return ms < 0 ? 0 : std::min(static_cast<uint64_t>(ms), kDurationMsMax);
}

// Every enumeration has the same numbers on both sides, so that a cast translates. A new enumerator
// that is not on the wire yet does not compile here.
template <typename Core, typename Wire>
constexpr Wire Checked(Core core, Wire wire) {
  static_assert(std::is_enum_v<Core> && std::is_enum_v<Wire>);
  REEF_CHECK(static_cast<int>(core) == static_cast<int>(wire));
  return wire;
}

v1::LeaseState ToWire(LeaseState value) {
  switch (value) {
    case LeaseState::kPending:
      return Checked(value, v1::LEASE_STATE_PENDING);
    case LeaseState::kStreaming:
      return Checked(value, v1::LEASE_STATE_STREAMING);
    case LeaseState::kUncacheable:
      return Checked(value, v1::LEASE_STATE_UNCACHEABLE);
    case LeaseState::kFailed:
      return Checked(value, v1::LEASE_STATE_FAILED);
  }
  REEF_CHECK(false) << "no such LeaseState";
  return {};
}

v1::StoreOutcome ToWire(StoreOutcome value) {
  switch (value) {
    case StoreOutcome::kStored:
      return Checked(value, v1::STORE_OUTCOME_STORED);
    case StoreOutcome::kFull:
      return Checked(value, v1::STORE_OUTCOME_FULL);
    case StoreOutcome::kNoRoom:
      return Checked(value, v1::STORE_OUTCOME_NO_ROOM);
    case StoreOutcome::kSourceLimit:
      return Checked(value, v1::STORE_OUTCOME_SOURCE_LIMIT);
    case StoreOutcome::kInvalid:
      return Checked(value, v1::STORE_OUTCOME_INVALID);
  }
  REEF_CHECK(false) << "no such StoreOutcome";
  return {};
}

v1::ClaimStage ToWire(ClaimStage value) {
  switch (value) {
    case ClaimStage::kWalk:
      return Checked(value, v1::CLAIM_STAGE_WALK);
    case ClaimStage::kConfirm:
      return Checked(value, v1::CLAIM_STAGE_CONFIRM);
  }
  REEF_CHECK(false) << "no such ClaimStage";
  return {};
}

v1::ClaimVerdict ToWire(ClaimVerdict value) {
  switch (value) {
    case ClaimVerdict::kCloser:
      return Checked(value, v1::CLAIM_VERDICT_CLOSER);
    case ClaimVerdict::kHeld:
      return Checked(value, v1::CLAIM_VERDICT_HELD);
    case ClaimVerdict::kHeldByOther:
      return Checked(value, v1::CLAIM_VERDICT_HELD_BY_OTHER);
    case ClaimVerdict::kFirst:
      return Checked(value, v1::CLAIM_VERDICT_FIRST);
    case ClaimVerdict::kRival:
      return Checked(value, v1::CLAIM_VERDICT_RIVAL);
    case ClaimVerdict::kUncacheable:
      return Checked(value, v1::CLAIM_VERDICT_UNCACHEABLE);
    case ClaimVerdict::kRetry:
      return Checked(value, v1::CLAIM_VERDICT_RETRY);
    case ClaimVerdict::kStale:
      return Checked(value, v1::CLAIM_VERDICT_STALE);
    case ClaimVerdict::kBusy:
      return Checked(value, v1::CLAIM_VERDICT_BUSY);
  }
  REEF_CHECK(false) << "no such ClaimVerdict";
  return {};
}

v1::ClaimEnd ToWire(ClaimEnd value) {
  switch (value) {
    case ClaimEnd::kComplete:
      return Checked(value, v1::CLAIM_END_COMPLETE);
    case ClaimEnd::kUncacheable:
      return Checked(value, v1::CLAIM_END_UNCACHEABLE);
    case ClaimEnd::kFailed:
      return Checked(value, v1::CLAIM_END_FAILED);
  }
  REEF_CHECK(false) << "no such ClaimEnd";
  return {};
}

v1::Standing ToWire(Standing value) {
  switch (value) {
    case Standing::kGone:
      return Checked(value, v1::STANDING_GONE);
    case Standing::kStands:
      return Checked(value, v1::STANDING_STANDS);
    case Standing::kYields:
      return Checked(value, v1::STANDING_YIELDS);
  }
  REEF_CHECK(false) << "no such Standing";
  return {};
}

v1::Refusal ToWire(Refusal value) {
  switch (value) {
    case Refusal::kInvalid:
      return Checked(value, v1::REFUSAL_INVALID);
    case Refusal::kBusy:
      return Checked(value, v1::REFUSAL_BUSY);
    case Refusal::kLevel:
      return Checked(value, v1::REFUSAL_LEVEL);
  }
  REEF_CHECK(false) << "no such Refusal";
  return {};
}

void Write(const IpAddress& from, v1::Address& to) {
  to.set_ip(Raw(from));
}

void Write(const Endpoint& from, v1::Endpoint& to) {
  to.set_ip(Raw(from.address));
  to.set_port(from.port);
}

void Write(const Peer& from, v1::Peer& to) {
  to.set_id(Raw(from.id));
  Write(from.rpc, *to.mutable_rpc());
  if (from.http.port != 0) Write(from.http, *to.mutable_http());
  if (from.dns.port != 0) Write(from.dns, *to.mutable_dns());
  to.set_draining(from.draining);
  to.set_overloaded(from.overloaded);
}

void Write(const ClusterInfo& from, v1::Cluster& to) {
  to.set_level(from.level);
  to.set_id(Raw(from.cluster));
  to.set_age_ms(ToMs(from.age));
  to.set_size_estimate(from.size_estimate);
}

void Write(const Value& from, v1::Value& to) {
  to.set_publisher(Raw(from.publisher));
  to.set_bytes(from.bytes);
  to.set_ttl_ms(ToMs(from.ttl));
  to.set_complete(from.complete);
  to.set_level(from.level);
  to.set_signature(from.signature);
}

void Write(const Attempt& from, v1::Attempt& to) {
  to.set_node(Raw(from.node));
  to.set_counter(from.counter);
}

void Write(const Lease& from, v1::Lease& to) {
  Write(from.attempt, *to.mutable_attempt());
  to.set_epoch(from.epoch);
  to.set_state(ToWire(from.state));
  to.set_level(from.level);
  to.set_duration_ms(ToMs(from.duration));
  to.set_value(from.value);
  Write(from.rpc, *to.mutable_rpc());
}

void Write(const Entry& from, v1::Entry& to);

template <typename From, typename To>
void WriteAll(const std::vector<From>& from, RepeatedPtrField<To>* to) {
  for (const From& one : from) Write(one, *to->Add());
}

void WriteAll(const std::vector<NodeId>& from, RepeatedPtrField<std::string>* to) {
  for (const NodeId& id : from) *to->Add() = Raw(id);
}

void Write(const Entry& from, v1::Entry& to) {
  to.set_key(Raw(from.key));
  WriteAll(from.values, to.mutable_values());
  WriteAll(from.leases, to.mutable_leases());
}

// What every keyed query of a walk has.
template <typename From, typename To>
void WriteWalk(const From& from, To& to) {
  to.set_key(Raw(from.key));
  to.set_next_target(Raw(from.next_target));
  to.set_levels(from.levels);
}

class BodyWriter {
 public:
  explicit BodyWriter(v1::Envelope& to) : to_(to) {}

  void operator()(const PingQuery&) { to_.mutable_ping_query(); }
  void operator()(const PingReply& from) {
    Write(from.seen_as, *to_.mutable_ping_reply()->mutable_seen_as());
  }
  void operator()(const FindQuery& from) {
    v1::FindQuery& to = *to_.mutable_find_query();
    to.set_target(Raw(from.target));
    to.set_levels(from.levels);
  }
  void operator()(const FindReply& from) {
    v1::FindReply& to = *to_.mutable_find_reply();
    WriteAll(from.peers, to.mutable_peers());
    Write(from.seen_as, *to.mutable_seen_as());
  }
  void operator()(const GetQuery& from) { WriteWalk(from, *to_.mutable_get_query()); }
  void operator()(const GetReply& from) {
    v1::GetReply& to = *to_.mutable_get_reply();
    WriteAll(from.values, to.mutable_values());
    WriteAll(from.peers, to.mutable_peers());
    WriteAll(from.outer_peers, to.mutable_outer_peers());
  }
  void operator()(const StatusQuery& from) { WriteWalk(from, *to_.mutable_status_query()); }
  void operator()(const StatusReply& from) {
    v1::StatusReply& to = *to_.mutable_status_reply();
    to.set_loaded(from.loaded);
    to.set_value_count(from.value_count);
    to.set_shortest_ttl_ms(ToMs(from.shortest_ttl));
    WriteAll(from.peers, to.mutable_peers());
    WriteAll(from.outer_peers, to.mutable_outer_peers());
  }
  void operator()(const StoreQuery& from) {
    v1::StoreQuery& to = *to_.mutable_store_query();
    to.set_key(Raw(from.key));
    Write(from.value, *to.mutable_value());
  }
  void operator()(const StoreReply& from) {
    to_.mutable_store_reply()->set_outcome(ToWire(from.outcome));
  }
  void operator()(const WithdrawQuery& from) {
    v1::WithdrawQuery& to = *to_.mutable_withdraw_query();
    WriteWalk(from, to);
    to.set_value(from.value);
  }
  void operator()(const WithdrawReply& from) {
    v1::WithdrawReply& to = *to_.mutable_withdraw_reply();
    to.set_removed(from.removed);
    WriteAll(from.peers, to.mutable_peers());
  }
  void operator()(const ClaimQuery& from) {
    v1::ClaimQuery& to = *to_.mutable_claim_query();
    WriteWalk(from, to);
    to.set_stage(ToWire(from.stage));
    Write(from.attempt, *to.mutable_attempt());
    Write(from.claimant, *to.mutable_claimant());
    to.set_value(from.value);
    to.set_epoch(from.epoch);
    to.set_state(ToWire(from.state));
    WriteAll(from.exclude, to.mutable_exclude());
    WriteAll(from.behind, to.mutable_behind());
    WriteAll(from.unreachable, to.mutable_unreachable());
    WriteAll(from.superseded, to.mutable_superseded());
    to.set_relayed(from.relayed);
  }
  void operator()(const ClaimReply& from) {
    v1::ClaimReply& to = *to_.mutable_claim_reply();
    to.set_verdict(ToWire(from.verdict));
    to.set_epoch(from.epoch);
    to.set_left_ms(ToMs(from.left));
    WriteAll(from.values, to.mutable_values());
    WriteAll(from.leases, to.mutable_leases());
    WriteAll(from.peers, to.mutable_peers());
    WriteAll(from.outer_peers, to.mutable_outer_peers());
  }
  void operator()(const RenewQuery& from) {
    v1::RenewQuery& to = *to_.mutable_renew_query();
    to.set_key(Raw(from.key));
    Write(from.lease, *to.mutable_lease());
  }
  void operator()(const RenewReply& from) {
    v1::RenewReply& to = *to_.mutable_renew_reply();
    to.set_kept(from.kept);
    WriteAll(from.rival, to.mutable_rival());
    WriteAll(from.peers, to.mutable_peers());
  }
  void operator()(const ReleaseQuery& from) {
    v1::ReleaseQuery& to = *to_.mutable_release_query();
    to.set_key(Raw(from.key));
    to.set_levels(from.levels);
    Write(from.attempt, *to.mutable_attempt());
    to.set_end(ToWire(from.end));
    WriteAll(from.value, to.mutable_value());
  }
  void operator()(const ReleaseReply&) { to_.mutable_release_reply(); }
  void operator()(const ContestQuery& from) {
    v1::ContestQuery& to = *to_.mutable_contest_query();
    to.set_key(Raw(from.key));
    to.set_level(from.level);
    Write(from.attempt, *to.mutable_attempt());
    WriteAll(from.rival, to.mutable_rival());
    WriteAll(from.site, to.mutable_site());
    to.set_rival_value(from.rival_value);
  }
  void operator()(const ContestReply& from) {
    v1::ContestReply& to = *to_.mutable_contest_reply();
    to.set_standing(ToWire(from.standing));
    to.set_value(from.value);
  }
  void operator()(const HandOverQuery& from) {
    WriteAll(from.entries, to_.mutable_hand_over_query()->mutable_entries());
  }
  void operator()(const HandOverReply& from) {
    to_.mutable_hand_over_reply()->set_accepted(from.accepted);
  }
  void operator()(const LeaveQuery&) { to_.mutable_leave_query(); }
  void operator()(const LeaveReply&) { to_.mutable_leave_reply(); }
  void operator()(const RefusedReply& from) {
    to_.mutable_refused_reply()->set_reason(ToWire(from.reason));
  }

 private:
  v1::Envelope& to_;
};

// ---- Decoding --------------------------------------------------------------------------------

// Reads parts and remembers the first thing that was wrong; what it returns afterwards is unused.
class Reader {
 public:
  std::optional<DecodeError> error() const { return error_; }

  Id ReadId(const std::string& raw) {
    const std::optional<Id> id = Id::FromBytes(raw);
    if (!id) Fail(DecodeError::kId);
    return id.value_or(Id());
  }

  IpAddress ReadIp(const std::string& raw) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(raw.data());
    if (raw.size() == 4) return IpAddress::V4({bytes[0], bytes[1], bytes[2], bytes[3]});
    if (raw.size() == 16) {
      std::array<uint8_t, 16> v6;
      std::copy(bytes, bytes + 16, v6.begin());
      const IpAddress address = IpAddress::V6(v6);
      return address.IsUnspecified() ? IpAddress() : address;  // one spelling
    }
    if (!raw.empty()) Fail(DecodeError::kAddress);
    return {};
  }

  Endpoint Read(const v1::Endpoint& from) {
    if (from.port() > std::numeric_limits<uint16_t>::max()) Fail(DecodeError::kAddress);
    return {ReadIp(from.ip()), static_cast<uint16_t>(from.port())};
  }

  // Without a port there is none, whatever the address.
  Endpoint ReadService(const v1::Endpoint& from) {
    const Endpoint service = Read(from);
    return service.port == 0 ? Endpoint() : service;
  }

  Duration ReadMs(uint64_t ms) {
    if (ms > kDurationMsMax) Fail(DecodeError::kDuration);
    return std::chrono::milliseconds(std::min(ms, kDurationMsMax));
  }

  uint8_t ReadLevel(uint32_t level) {
    if (level > uint32_t{kLevelMax}) Fail(DecodeError::kLevel);
    return static_cast<uint8_t>(level);
  }

  Levels ReadLevels(uint32_t mask) {
    if (mask == 0 || mask > kAllLevels) Fail(DecodeError::kLevel);
    return static_cast<Levels>(mask);
  }

  std::string ReadValueBytes(const std::string& raw) { return ReadText(raw, kValueBytesMax); }
  std::string ReadSignature(const std::string& raw) { return ReadText(raw, kSignatureBytesMax); }

  // proto3 keeps numbers that it has no name for.
  template <typename Core, typename Wire>
  Core ReadEnum(Wire from, bool (*is_valid)(int)) {
    if (!is_valid(from)) Fail(DecodeError::kEnum);
    return static_cast<Core>(from);
  }
  LeaseState Read(v1::LeaseState from) {
    return ReadEnum<LeaseState>(from, v1::LeaseState_IsValid);
  }

  Peer Read(const v1::Peer& from) {
    return {.id = ReadId(from.id()),
            .rpc = Read(from.rpc()),
            .http = ReadService(from.http()),
            .dns = ReadService(from.dns()),
            .draining = from.draining(),
            .overloaded = from.overloaded()};
  }

  ClusterInfo Read(const v1::Cluster& from) {
    return {.level = ReadLevel(from.level()),
            .cluster = ReadId(from.id()),
            .age = ReadMs(from.age_ms()),
            .size_estimate = from.size_estimate()};
  }

  Value Read(const v1::Value& from) {
    return {.publisher = ReadId(from.publisher()),
            .bytes = ReadValueBytes(from.bytes()),
            .ttl = ReadMs(from.ttl_ms()),
            .complete = from.complete(),
            .level = ReadLevel(from.level()),
            .signature = ReadSignature(from.signature())};
  }

  Attempt Read(const v1::Attempt& from) {
    return {.node = ReadId(from.node()), .counter = from.counter()};
  }

  Lease Read(const v1::Lease& from) {
    return {.attempt = Read(from.attempt()),
            .epoch = from.epoch(),
            .state = Read(from.state()),
            .level = ReadLevel(from.level()),
            .duration = ReadMs(from.duration_ms()),
            .value = ReadValueBytes(from.value()),
            .rpc = Read(from.rpc())};
  }

  Entry Read(const v1::Entry& from) {
    return {.key = ReadId(from.key()),
            .values = ReadAll<Value>(from.values(), kValuesMax),
            .leases = ReadAll<Lease>(from.leases(), kValuesMax)};
  }

  template <typename To, typename From>
  std::vector<To> ReadAll(const RepeatedPtrField<From>& from, int count_max) {
    std::vector<To> all;
    if (from.size() > count_max) {
      Fail(DecodeError::kTooMany);
      return all;
    }
    all.reserve(static_cast<size_t>(from.size()));
    for (const From& one : from) all.push_back(Read(one));
    return all;
  }

  std::vector<NodeId> ReadIds(const RepeatedPtrField<std::string>& from) {
    std::vector<NodeId> all;
    if (from.size() > kPeersMax) {
      Fail(DecodeError::kTooMany);
      return all;
    }
    for (const std::string& one : from) all.push_back(ReadId(one));
    return all;
  }

  std::vector<Peer> ReadPeers(const RepeatedPtrField<v1::Peer>& from) {
    return ReadAll<Peer>(from, kPeersMax);
  }

  void Require(bool present) {
    if (!present) Fail(DecodeError::kMissing);
  }

  Body ReadBody(const v1::Envelope& from);

 private:
  template <typename Core, typename Wire>
  Core ReadWalk(const Wire& from) {
    Core core;
    core.key = ReadId(from.key());
    core.next_target = ReadId(from.next_target());
    core.levels = ReadLevels(from.levels());
    return core;
  }
  ClaimQuery ReadClaimQuery(const v1::ClaimQuery& from);
  ClaimReply ReadClaimReply(const v1::ClaimReply& from);
  ReleaseQuery ReadReleaseQuery(const v1::ReleaseQuery& from);
  ContestQuery ReadContestQuery(const v1::ContestQuery& from);

  std::string ReadText(const std::string& raw, size_t bytes_max) {
    if (raw.size() <= bytes_max) return raw;
    Fail(DecodeError::kTooLong);
    return {};
  }

  void Fail(DecodeError error) {
    if (!error_) error_ = error;
  }

  std::optional<DecodeError> error_;
};

ClaimQuery Reader::ReadClaimQuery(const v1::ClaimQuery& from) {
  ClaimQuery core = ReadWalk<ClaimQuery>(from);
  core.stage = ReadEnum<ClaimStage>(from.stage(), v1::ClaimStage_IsValid);
  core.attempt = Read(from.attempt());
  core.claimant = Read(from.claimant());
  core.value = ReadValueBytes(from.value());
  core.epoch = from.epoch();
  core.state = Read(from.state());
  core.exclude = ReadIds(from.exclude());
  core.behind = ReadIds(from.behind());
  core.unreachable = ReadIds(from.unreachable());
  core.superseded = ReadAll<Attempt>(from.superseded(), kPeersMax);
  core.relayed = from.relayed();
  return core;
}

ClaimReply Reader::ReadClaimReply(const v1::ClaimReply& from) {
  return {.verdict = ReadEnum<ClaimVerdict>(from.verdict(), v1::ClaimVerdict_IsValid),
          .epoch = from.epoch(),
          .left = ReadMs(from.left_ms()),
          .values = ReadAll<Value>(from.values(), kValuesMax),
          .leases = ReadAll<Lease>(from.leases(), kValuesMax),
          .peers = ReadPeers(from.peers()),
          .outer_peers = ReadPeers(from.outer_peers())};
}

ReleaseQuery Reader::ReadReleaseQuery(const v1::ReleaseQuery& from) {
  return {.key = ReadId(from.key()),
          .levels = ReadLevels(from.levels()),
          .attempt = Read(from.attempt()),
          .end = ReadEnum<ClaimEnd>(from.end(), v1::ClaimEnd_IsValid),
          .value = ReadAll<Value>(from.value(), 1)};
}

ContestQuery Reader::ReadContestQuery(const v1::ContestQuery& from) {
  return {.key = ReadId(from.key()),
          .level = ReadLevel(from.level()),
          .attempt = Read(from.attempt()),
          .rival = ReadAll<Attempt>(from.rival(), 1),
          .site = ReadAll<Peer>(from.site(), 1),
          .rival_value = ReadValueBytes(from.rival_value())};
}

Body Reader::ReadBody(const v1::Envelope& from) {
  switch (from.body_case()) {
    case v1::Envelope::kPingQuery:
      return PingQuery{};
    case v1::Envelope::kPingReply:
      return PingReply{.seen_as = ReadIp(from.ping_reply().seen_as().ip())};
    case v1::Envelope::kFindQuery:
      return FindQuery{.target = ReadId(from.find_query().target()),
                       .levels = ReadLevels(from.find_query().levels())};
    case v1::Envelope::kFindReply:
      return FindReply{.peers = ReadPeers(from.find_reply().peers()),
                       .seen_as = ReadIp(from.find_reply().seen_as().ip())};
    case v1::Envelope::kGetQuery:
      return ReadWalk<GetQuery>(from.get_query());
    case v1::Envelope::kGetReply:
      return GetReply{.values = ReadAll<Value>(from.get_reply().values(), kValuesMax),
                      .peers = ReadPeers(from.get_reply().peers()),
                      .outer_peers = ReadPeers(from.get_reply().outer_peers())};
    case v1::Envelope::kStatusQuery:
      return ReadWalk<StatusQuery>(from.status_query());
    case v1::Envelope::kStatusReply:
      return StatusReply{.loaded = from.status_reply().loaded(),
                         .value_count = from.status_reply().value_count(),
                         .shortest_ttl = ReadMs(from.status_reply().shortest_ttl_ms()),
                         .peers = ReadPeers(from.status_reply().peers()),
                         .outer_peers = ReadPeers(from.status_reply().outer_peers())};
    case v1::Envelope::kStoreQuery:
      Require(from.store_query().has_value());
      return StoreQuery{.key = ReadId(from.store_query().key()),
                        .value = Read(from.store_query().value())};
    case v1::Envelope::kStoreReply:
      return StoreReply{.outcome = ReadEnum<StoreOutcome>(from.store_reply().outcome(),
                                                          v1::StoreOutcome_IsValid)};
    case v1::Envelope::kWithdrawQuery: {
      WithdrawQuery core = ReadWalk<WithdrawQuery>(from.withdraw_query());
      core.value = ReadValueBytes(from.withdraw_query().value());
      return core;
    }
    case v1::Envelope::kWithdrawReply:
      return WithdrawReply{.removed = from.withdraw_reply().removed(),
                           .peers = ReadPeers(from.withdraw_reply().peers())};
    case v1::Envelope::kClaimQuery:
      return ReadClaimQuery(from.claim_query());
    case v1::Envelope::kClaimReply:
      return ReadClaimReply(from.claim_reply());
    case v1::Envelope::kRenewQuery:
      Require(from.renew_query().has_lease());
      return RenewQuery{.key = ReadId(from.renew_query().key()),
                        .lease = Read(from.renew_query().lease())};
    case v1::Envelope::kRenewReply:
      return RenewReply{.kept = from.renew_reply().kept(),
                        .rival = ReadAll<Lease>(from.renew_reply().rival(), 1),
                        .peers = ReadPeers(from.renew_reply().peers())};
    case v1::Envelope::kReleaseQuery:
      return ReadReleaseQuery(from.release_query());
    case v1::Envelope::kReleaseReply:
      return ReleaseReply{};
    case v1::Envelope::kContestQuery:
      return ReadContestQuery(from.contest_query());
    case v1::Envelope::kContestReply:
      return ContestReply{
          .standing = ReadEnum<Standing>(from.contest_reply().standing(), v1::Standing_IsValid),
          .value = ReadValueBytes(from.contest_reply().value())};
    case v1::Envelope::kHandOverQuery:
      return HandOverQuery{.entries =
                               ReadAll<Entry>(from.hand_over_query().entries(), kEntriesMax)};
    case v1::Envelope::kHandOverReply:
      return HandOverReply{.accepted = from.hand_over_reply().accepted()};
    case v1::Envelope::kLeaveQuery:
      return LeaveQuery{};
    case v1::Envelope::kLeaveReply:
      return LeaveReply{};
    case v1::Envelope::kRefusedReply:
      return RefusedReply{
          .reason = ReadEnum<Refusal>(from.refused_reply().reason(), v1::Refusal_IsValid)};
    case v1::Envelope::BODY_NOT_SET:
      Fail(DecodeError::kNoBody);
  }
  return PingQuery{};
}

}  // namespace

const char* NameOf(DecodeError error) {
  static constexpr std::array<const char*, kDecodeErrorCount> kNames = {
      "no_body", "missing", "id", "address", "too_long", "too_many", "level", "duration", "enum"};
  return kNames[static_cast<size_t>(error)];
}

v1::Envelope Encode(const Message& message) {
  v1::Envelope envelope;
  envelope.set_version(message.header.version);
  Write(message.header.sender, *envelope.mutable_sender());
  WriteAll(message.header.clusters, envelope.mutable_clusters());
  envelope.set_signature(message.header.signature);
  std::visit(BodyWriter(envelope), message.body);
  return envelope;
}

std::variant<Message, DecodeError> Decode(const v1::Envelope& envelope) {
  Reader reader;
  Message message;
  reader.Require(envelope.has_sender());
  message.header.version = envelope.version();
  message.header.sender = reader.Read(envelope.sender());
  message.header.clusters = reader.ReadAll<ClusterInfo>(envelope.clusters(), kClustersMax);
  message.header.signature = reader.ReadSignature(envelope.signature());
  message.body = reader.ReadBody(envelope);
  if (reader.error()) return *reader.error();
  return message;
}

}  // namespace reef::dsht
