// SPDX-License-Identifier: Apache-2.0
//
// Message: what DSHT nodes say to each other, as plain structs. Queries ask, replies answer; each
// query gets exactly one reply (its own kind, or RefusedReply). dsht/rpc/codec is the only
// translation to protobuf; the simulator passes these structs as they are.
//
// Durations travel, never points in time: no two clocks need agree. Every keyed query names the
// levels it is for and carries the point of the walk after this hop (`next_target`), so that the
// reply can bring peers near it (docs/dsht.md, "Walk").
//
// Limits on what is accepted are in options.h; a message beyond them is refused and counted.
//
// Values; any thread.
#pragma once

#include <bit>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/endpoint.h"
#include "base/instant.h"
#include "dsht/client.h"
#include "dsht/core/id.h"
#include "dsht/core/peer.h"

namespace reef::dsht {

inline constexpr uint32_t kProtocolVersion = 1;

// Names one exchange. For a query that a node sends: chosen by that node, repeated by its driver
// when it hands the reply in. For a query that a node receives: chosen by the driver, repeated by
// the node in the reply (Outbox::replies).
using RpcId = uint64_t;

// A set of levels: bit i stands for level i. Level 0 is the world. In a query that walks, the
// highest is the level of the walk, and what is kept at the others is wanted too.
using Levels = uint8_t;
inline constexpr Levels kWorld = 1;
inline constexpr Levels kAllLevels = 0xff;
constexpr Levels OnlyLevel(int level) {
  return static_cast<Levels>(1 << level);
}
constexpr Levels LevelsUpTo(int level) {
  return static_cast<Levels>((2 << level) - 1);
}
inline constexpr int kLevelMax = 7;  // Levels has 8 bits
// The highest level of the set; -1 if it is empty.
constexpr int HighestLevel(Levels levels) {
  return std::bit_width(levels) - 1;
}

// One cluster that the sender is in; level 0 is left out, all nodes share it.
struct ClusterInfo {
  uint8_t level = 0;
  Id cluster{};
  Duration age{};
  uint64_t size_estimate = 0;

  friend bool operator==(const ClusterInfo&, const ClusterInfo&) = default;
};

struct Header {
  uint32_t version = kProtocolVersion;
  Peer sender{};
  std::vector<ClusterInfo> clusters{};
  std::string signature{};  // over the encoded message, by the sender's key; may be empty

  friend bool operator==(const Header&, const Header&) = default;
};

// One reference under a key. A publisher may have several values under a key; one value is stored
// once for each publisher.
struct Value {
  NodeId publisher{};
  std::string bytes{};
  Duration ttl{};  // what is left
  bool complete = true;
  uint8_t level = 0;
  std::string signature{};  // by the publisher; kept and passed on as it is

  friend bool operator==(const Value&, const Value&) = default;
};

// One try of one node to become the fetcher of a key.
struct Attempt {
  NodeId node{};
  uint64_t counter = 0;  // grows within a node, also across its restarts

  friend auto operator<=>(const Attempt&, const Attempt&) = default;
};

enum class LeaseState : uint8_t { kPending, kStreaming, kUncacheable, kFailed };

// The right to fetch a key, held by an attempt (docs/claim.md, rule 1). With kUncacheable it is a
// marker that the key cannot be shared.
struct Lease {
  Attempt attempt{};
  uint32_t epoch = 0;  // grows when the right passes on
  LeaseState state = LeaseState::kPending;
  uint8_t level = 0;
  Duration duration{};  // what is left
  std::string value{};  // the holder's reference, given to those who are told "held"
  Endpoint rpc{};       // the holder's index address: where to ask whether it still stands

  friend bool operator==(const Lease&, const Lease&) = default;
};

struct PingQuery {
  friend bool operator==(const PingQuery&, const PingQuery&) = default;
};
struct PingReply {
  IpAddress seen_as{};  // the asker's address as the answerer's transport saw it

  friend bool operator==(const PingReply&, const PingReply&) = default;
};

// Peers near `target`.
struct FindQuery {
  Id target{};
  Levels levels = kWorld;

  friend bool operator==(const FindQuery&, const FindQuery&) = default;
};
struct FindReply {
  std::vector<Peer> peers{};
  IpAddress seen_as{};

  friend bool operator==(const FindReply&, const FindReply&) = default;
};

struct GetQuery {
  Key key{};
  Id next_target{};
  Levels levels = kWorld;

  friend bool operator==(const GetQuery&, const GetQuery&) = default;
};
struct GetReply {
  std::vector<Value> values{};  // all that is live here, shuffled
  std::vector<Peer> peers{};
  // Of the next level outward, if the answerer knows nobody closer to the key at the walk's level:
  // where the walk goes on.
  std::vector<Peer> outer_peers{};

  friend bool operator==(const GetReply&, const GetReply&) = default;
};

// The forward phase of a put: could you take it?
struct StatusQuery {
  Key key{};
  Id next_target{};
  Levels levels = kWorld;

  friend bool operator==(const StatusQuery&, const StatusQuery&) = default;
};
struct StatusReply {
  bool loaded = false;
  uint32_t value_count = 0;
  Duration shortest_ttl{};  // the least that any of them has left; zero if there is none
  std::vector<Peer> peers{};
  std::vector<Peer> outer_peers{};  // as GetReply::outer_peers

  friend bool operator==(const StatusReply&, const StatusReply&) = default;
};

// The reverse phase, and the copies on the closest nodes.
struct StoreQuery {
  Key key{};
  Value value{};

  friend bool operator==(const StoreQuery&, const StoreQuery&) = default;
};
enum class StoreOutcome : uint8_t {
  kStored,
  kFull,         // values_per_key_max values, each with at least half of this ttl left
  kNoRoom,       // the store's bound on keys or bytes
  kSourceLimit,  // the publisher's share of the store
  kInvalid,      // ttl, size or level out of bounds
};
struct StoreReply {
  StoreOutcome outcome = StoreOutcome::kInvalid;

  friend bool operator==(const StoreReply&, const StoreReply&) = default;
};

// Removes the sender's own value.
struct WithdrawQuery {
  Key key{};
  Id next_target{};
  Levels levels = kWorld;
  std::string value{};

  friend bool operator==(const WithdrawQuery&, const WithdrawQuery&) = default;
};
struct WithdrawReply {
  bool removed = false;
  std::vector<Peer> peers{};

  friend bool operator==(const WithdrawReply&, const WithdrawReply&) = default;
};

enum class ClaimStage : uint8_t {
  kWalk,     // on the way: held if you know a holder; decide if you know no closer node
  kConfirm,  // `epoch` was granted by another: store the lease, or name who stands against it
};

struct ClaimQuery {
  Key key{};
  Id next_target{};
  Levels levels = kWorld;
  ClaimStage stage = ClaimStage::kWalk;
  Attempt attempt{};
  Endpoint claimant{};  // index address of the attempt's node (a relayed query has another sender)
  std::string value{};
  uint32_t epoch = 0;                       // kConfirm: as granted
  LeaseState state = LeaseState::kPending;  // kConfirm: a late site is told where the fill stands
  std::vector<NodeId> exclude{};            // holders that failed the claimant: a complaint
  std::vector<NodeId> behind{};             // holders with no more of the object than the claimant
  std::vector<NodeId> unreachable{};        // closer nodes that the claimant itself cannot reach
  std::vector<Attempt> superseded{};        // kConfirm: attempts that have yielded or are gone
  bool relayed = false;  // sent on for a claimant that cannot reach you: never relay on

  friend bool operator==(const ClaimQuery&, const ClaimQuery&) = default;
};
enum class ClaimVerdict : uint8_t {
  kCloser,       // nothing here, and not mine to decide: see `peers`
  kHeld,         // `values` and `leases` are usable by the claimant
  kHeldByOther,  // the one lease here is of a node that the claimant excludes, and it stands
  kFirst,        // kWalk: granted under `epoch`; kConfirm: stored
  kRival,        // kConfirm: leases[0] is another live attempt
  kUncacheable,  // a marker with `left` to go
  kRetry,        // the holder or a closer node is being checked: ask again after `left`
  kStale,        // a newer attempt of the same node is known
  kBusy,         // no room for another lease
};
struct ClaimReply {
  ClaimVerdict verdict = ClaimVerdict::kCloser;
  uint32_t epoch = 0;
  Duration left{};
  std::vector<Value> values{};
  std::vector<Lease> leases{};
  std::vector<Peer> peers{};
  std::vector<Peer> outer_peers{};  // as GetReply::outer_peers

  friend bool operator==(const ClaimReply&, const ClaimReply&) = default;
};

// The leader's sign of life to each node that keeps its lease.
struct RenewQuery {
  Key key{};
  Lease lease{};

  friend bool operator==(const RenewQuery&, const RenewQuery&) = default;
};
struct RenewReply {
  bool kept = false;
  std::vector<Lease> rival{};  // not kept: who holds it now, if known (at most one)
  std::vector<Peer> peers{};   // near the key: the leader notices when closer nodes join

  friend bool operator==(const RenewReply&, const RenewReply&) = default;
};

// The end of an attempt; with kComplete the value takes the lease's place in the same step.
struct ReleaseQuery {
  Key key{};
  Levels levels = kWorld;
  Attempt attempt{};
  ClaimEnd end = ClaimEnd::kFailed;
  std::vector<Value> value{};  // kComplete: exactly one

  friend bool operator==(const ReleaseQuery&, const ReleaseQuery&) = default;
};
struct ReleaseReply {
  friend bool operator==(const ReleaseReply&, const ReleaseReply&) = default;
};

// To the node of `attempt`: do you still stand? With a rival: if both are unconfirmed, the one
// farther from the key yields. `site` is a node that keeps the rival's lease and should keep yours.
struct ContestQuery {
  Key key{};
  uint8_t level = 0;
  Attempt attempt{};
  std::vector<Attempt> rival{};  // at most one
  std::vector<Peer> site{};      // at most one
  std::string rival_value{};     // a reader's way to the rival if you yield

  friend bool operator==(const ContestQuery&, const ContestQuery&) = default;
};
enum class Standing : uint8_t { kGone, kStands, kYields };
struct ContestReply {
  Standing standing = Standing::kGone;
  std::string value{};  // kStands: the holder's reference

  friend bool operator==(const ContestReply&, const ContestReply&) = default;
};

// Entries for which the receiver has become one of the closest nodes.
struct Entry {
  Key key{};
  std::vector<Value> values{};
  std::vector<Lease> leases{};

  friend bool operator==(const Entry&, const Entry&) = default;
};
struct HandOverQuery {
  std::vector<Entry> entries{};

  friend bool operator==(const HandOverQuery&, const HandOverQuery&) = default;
};
struct HandOverReply {
  uint32_t accepted = 0;

  friend bool operator==(const HandOverReply&, const HandOverReply&) = default;
};

// "I am leaving: forget me."
struct LeaveQuery {
  friend bool operator==(const LeaveQuery&, const LeaveQuery&) = default;
};
struct LeaveReply {
  friend bool operator==(const LeaveReply&, const LeaveReply&) = default;
};

// In place of any reply.
enum class Refusal : uint8_t { kInvalid, kBusy, kLevel };
struct RefusedReply {
  Refusal reason = Refusal::kInvalid;

  friend bool operator==(const RefusedReply&, const RefusedReply&) = default;
};

// Queries at even positions, each followed by its reply; RefusedReply last.
using Body =
    std::variant<PingQuery, PingReply, FindQuery, FindReply, GetQuery, GetReply, StatusQuery,
                 StatusReply, StoreQuery, StoreReply, WithdrawQuery, WithdrawReply, ClaimQuery,
                 ClaimReply, RenewQuery, RenewReply, ReleaseQuery, ReleaseReply, ContestQuery,
                 ContestReply, HandOverQuery, HandOverReply, LeaveQuery, LeaveReply, RefusedReply>;

inline bool IsQuery(const Body& body) {
  return body.index() % 2 == 0 && body.index() + 1 < std::variant_size_v<Body>;
}

// "ping", "claim", ...: a query and its reply have the same name. For metrics and logs.
const char* NameOf(const Body& body);

struct Message {
  Header header{};
  RpcId rpc = 0;
  // Set by the receiving driver: the address the message came from; unspecified if unknown.
  IpAddress from{};
  Body body{};
  // Set by the receiving driver, of a reply: a connection was made first, so the time it took says
  // nothing about the distance.
  bool cold = false;

  friend bool operator==(const Message&, const Message&) = default;
};

}  // namespace reef::dsht
