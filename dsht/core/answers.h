// SPDX-License-Identifier: Apache-2.0
//
// Answers: what a node replies to each kind of query, from its own state alone. An operation of the
// node that comes past the node itself uses the same functions, without a message.
//
// Free functions over State; they run on the thread of its owner and do no I/O.
#pragma once

#include "base/instant.h"
#include "dsht/core/message.h"
#include "dsht/core/operation.h"
#include "dsht/core/peer.h"

namespace reef::dsht {

// Replies to `message`, a query, now or (a relayed claim) in a later turn.
void AnswerQuery(Turn& turn, const Message& message);

// At most Options::reply_peers_max peers: near `key`, and near `next_target`. Suspect ones are left
// out, except near the key of a claim: who is closest there is not to be guessed.
enum class Suspects : uint8_t { kLeftOut, kNamed };
std::vector<Peer> PeersFor(const State& state, int level, const Key& key, const Id& next_target,
                           const NodeId& asker, Suspects suspects);
// The same one level further out, if the walk of `levels` goes on there.
std::vector<Peer> OuterPeersFor(const State& state, Levels levels, const Key& key,
                                const Id& next_target, const NodeId& asker);

// One of each publisher; the whole ones first, of those the nearer ones, else in random order.
std::vector<Value> LiveValues(State& state, Instant now, const Key& key, Levels levels);
// Of the highest of the query's levels. Counts as one request toward "loaded".
StatusReply AnswerStatus(State& state, Instant now, const StatusQuery& query, const NodeId& asker);
// Takes a value; a complete one ends a marker that the key cannot be shared.
StoreOutcome StoreValue(State& state, Instant now, const Key& key, const Value& value);
RenewReply AnswerRenew(State& state, Instant now, const RenewQuery& query);
void AnswerRelease(State& state, Instant now, const ReleaseQuery& query);

}  // namespace reef::dsht
