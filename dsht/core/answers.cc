// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/answers.h"

#include <algorithm>
#include <tuple>

#include "dsht/core/claim_answer.h"
#include "dsht/core/state.h"

namespace reef::dsht {

namespace {

template <typename... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <typename... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

bool IsSound(const Options& options, const Lease& lease) {
  return lease.duration > Duration::zero() && lease.level < options.diameters.size() &&
         lease.duration <= std::max(options.lease, options.marker) &&
         lease.value.size() <= kValueBytesMax && lease.state != LeaseState::kFailed &&
         lease.epoch <= kEpochMax;
}

HandOverReply TakeOver(State& state, Instant now, const HandOverQuery& query) {
  HandOverReply reply;
  const size_t entries = std::min(query.entries.size(), state.options.hand_over_max);
  for (size_t i = 0; i < entries; ++i) {
    const Entry& entry = query.entries[i];
    bool taken = false;
    const size_t values = std::min(entry.values.size(), state.options.values_per_key_max);
    for (size_t v = 0; v < values; ++v) {
      if (entry.values[v].level != 0) continue;  // a cluster's are not handed over
      taken |= state.values.Store(now, entry.key, entry.values[v], ValueStore::From::kCopy) ==
               StoreOutcome::kStored;
    }
    const size_t leases = std::min(entry.leases.size(), state.options.diameters.size());
    for (size_t l = 0; l < leases; ++l) {
      const Lease& lease = entry.leases[l];
      if (!IsSound(state.options, lease) || lease.level != 0) continue;
      if (!MayReplace(state.leases.Find(now, entry.key, lease.level), lease)) continue;
      taken |= state.leases.Put(now, entry.key, lease);
    }
    reply.accepted += taken;
  }
  state.stats.taken_over += reply.accepted;
  return reply;
}

// The load of a key is another at each level.
Id AtLevel(const Key& key, int level) {
  Id at = key;
  at.bytes.back() ^= static_cast<uint8_t>(level);
  return at;
}

// Queries that change what is stored here or that cost us messages.
bool IsCostly(const Body& body) {
  return !std::holds_alternative<PingQuery>(body) && !std::holds_alternative<FindQuery>(body) &&
         !std::holds_alternative<GetQuery>(body);
}

// A walk or a store in a cluster is for its members.
bool IsForSharedLevel(const Body& body, Levels shared) {
  const auto level = [](const auto& q) {
    if constexpr (requires { q.next_target; }) {
      return HighestLevel(q.levels);
    } else if constexpr (requires { q.value.level; }) {
      return int{q.value.level};
    } else {
      return 0;
    }
  };
  const int wanted = std::visit(level, body);
  return wanted >= 0 && wanted <= kLevelMax && (shared & OnlyLevel(wanted)) != 0;
}

}  // namespace

std::vector<Peer> PeersFor(const State& state, int level, const Key& key, const Id& next_target,
                           const NodeId& asker, Suspects suspects) {
  const RoutingTable& table = state.TableOf(level);
  const size_t max = state.options.reply_peers_max;
  std::vector<Peer> peers;
  peers.reserve(max);
  const auto add = [&](const std::vector<const RoutingTable::Entry*>& nearest) {
    for (const RoutingTable::Entry* entry : nearest) {
      const auto same = [&](const Peer& p) { return p.id == entry->peer.id; };
      if (entry->peer.id == asker || peers.size() == max) continue;
      if (std::none_of(peers.begin(), peers.end(), same)) peers.push_back(entry->peer);
    }
  };
  add(table.Nearest(key, max / 2, suspects == Suspects::kLeftOut));
  add(table.Nearest(next_target, max / 2, true));
  return peers;
}

std::vector<Peer> OuterPeersFor(const State& state, Levels levels, const Key& key,
                                const Id& next_target, const NodeId& asker) {
  const int level = HighestLevel(levels);
  const bool goes_on = level > 0 && (levels & OnlyLevel(level - 1)) != 0;
  if (!goes_on) return {};
  return PeersFor(state, level - 1, key, next_target, asker, Suspects::kLeftOut);
}

std::vector<Value> LiveValues(State& state, Instant now, const Key& key, Levels levels) {
  std::vector<Value> values = state.values.Live(now, key, levels);
  // One reference of each publisher: that of the nearest level.
  const auto order = [](const Value& v) {
    return std::tuple<const NodeId&, const std::string&, int>(v.publisher, v.bytes, -v.level);
  };
  std::sort(values.begin(), values.end(),
            [&](const Value& a, const Value& b) { return order(a) < order(b); });
  const auto same = [](const Value& a, const Value& b) {
    return a.publisher == b.publisher && a.bytes == b.bytes;
  };
  values.erase(std::unique(values.begin(), values.end(), same), values.end());
  state.rng.Shuffle(std::span<Value>(values));
  std::stable_sort(values.begin(), values.end(), [](const Value& a, const Value& b) {
    return std::pair(a.complete, a.level) > std::pair(b.complete, b.level);
  });
  return values;
}

StatusReply AnswerStatus(State& state, Instant now, const StatusQuery& query, const NodeId& asker) {
  const int level = HighestLevel(query.levels);
  const ValueStore::Fill fill = state.values.FillOf(now, query.key, level);
  StatusReply reply;
  reply.loaded = !state.loaded.Take(now, AtLevel(query.key, level));
  reply.value_count = fill.value_count;
  reply.shortest_ttl = fill.shortest_ttl;
  state.stats.loaded_answers += reply.loaded;
  if (asker != state.self.id) {
    reply.peers = PeersFor(state, level, query.key, query.next_target, asker, Suspects::kLeftOut);
    if (!state.TableOf(level).KnowsCloser(query.key)) {
      reply.outer_peers = OuterPeersFor(state, query.levels, query.key, query.next_target, asker);
    }
  }
  return reply;
}

StoreOutcome StoreValue(State& state, Instant now, const Key& key, const Value& value) {
  const StoreOutcome outcome = state.values.Store(now, key, value, ValueStore::From::kPublisher);
  if (outcome == StoreOutcome::kStored && value.complete) {
    const std::optional<Lease> lease = state.leases.Find(now, key, value.level);
    if (lease && lease->state == LeaseState::kUncacheable) {
      state.leases.Vacate(now, key, value.level, lease->attempt);
    }
  }
  return outcome;
}

RenewReply AnswerRenew(State& state, Instant now, const RenewQuery& query) {
  RenewReply reply;
  for (const RoutingTable::Entry* entry :
       state.world().Nearest(query.key, state.options.closest_count, true)) {
    reply.peers.push_back(entry->peer);
  }
  const bool of_world = query.lease.level == 0;  // no others are granted
  if (!of_world || !IsSound(state.options, query.lease) || !IsHeld(query.lease)) return reply;
  const std::optional<Lease> here = state.leases.Find(now, query.key, query.lease.level);
  if (!MayReplace(here, query.lease)) {
    if (IsHeld(*here)) reply.rival.push_back(*here);
    return reply;
  }
  reply.kept = state.leases.Put(now, query.key, query.lease);
  return reply;
}

void AnswerRelease(State& state, Instant now, const ReleaseQuery& query) {
  for (uint8_t level = 0; level < state.options.diameters.size(); ++level) {
    if (((query.levels >> level) & 1) == 0) continue;
    const std::optional<Lease> here = state.leases.Find(now, query.key, level);
    const bool ours = here && here->attempt == query.attempt;
    if (query.end == ClaimEnd::kComplete && query.value.size() == 1) {
      // The value first, so that no claim finds neither.
      Value value = query.value.front();
      value.level = level;
      StoreValue(state, now, query.key, value);
    }
    if (!ours) continue;
    if (query.end == ClaimEnd::kUncacheable) {
      Lease marker = *here;
      marker.state = LeaseState::kUncacheable;
      marker.duration = state.options.marker;
      state.leases.Put(now, query.key, marker);
    } else {
      state.leases.Vacate(now, query.key, level, query.attempt);
    }
  }
}

void AnswerQuery(Turn& turn, const Message& message) {
  State& state = turn.state;
  const Instant now = turn.now;
  const NodeId& asker = message.header.sender.id;
  const auto reply = [&](Body body) { turn.Reply(message.rpc, std::move(body)); };

  if (IsCostly(message.body) && !state.sources.Take(now, asker)) {
    ++state.stats.source_limited;
    return reply(RefusedReply{Refusal::kBusy});
  }
  const Levels shared = state.clusters.SharedWith(message.header.clusters);
  if (!IsForSharedLevel(message.body, shared)) {
    ++state.stats.level_refusals;
    return reply(RefusedReply{Refusal::kLevel});
  }
  std::visit(
      Overloaded{
          [&](const PingQuery&) { reply(PingReply{message.from}); },
          [&](const FindQuery& q) {
            // Of our cluster, whether or not the asker is in it: it may want to join.
            const int level = HighestLevel(q.levels);
            if (level < 0 || level >= state.clusters.level_count()) {
              return reply(RefusedReply{Refusal::kLevel});
            }
            reply(FindReply{PeersFor(state, level, q.target, q.target, asker, Suspects::kLeftOut),
                            message.from});
          },
          [&](const GetQuery& q) {
            const int level = HighestLevel(q.levels);
            std::vector<Value> values = LiveValues(state, now, q.key, q.levels & shared);
            if (values.size() > state.options.values_per_key_max) {
              values.resize(state.options.values_per_key_max);
            }
            GetReply found{std::move(values), {}, {}};
            found.peers = PeersFor(state, level, q.key, q.next_target, asker, Suspects::kLeftOut);
            if (!state.TableOf(level).KnowsCloser(q.key)) {
              found.outer_peers =
                  OuterPeersFor(state, q.levels & shared, q.key, q.next_target, asker);
            }
            reply(std::move(found));
          },
          [&](const StatusQuery& q) {
            StatusQuery here = q;
            here.levels &= shared;
            reply(AnswerStatus(state, now, here, asker));
          },
          [&](const StoreQuery& q) {
            // Only one's own: others' values come by hand-over.
            if (q.value.publisher != asker) return reply(StoreReply{StoreOutcome::kInvalid});
            reply(StoreReply{StoreValue(state, now, q.key, q.value)});
          },
          [&](const WithdrawQuery& q) {
            reply(WithdrawReply{state.values.Remove(q.key, asker, q.value),
                                PeersFor(state, HighestLevel(q.levels), q.key, q.next_target, asker,
                                         Suspects::kLeftOut)});
          },
          [&](const ClaimQuery& q) {
            ClaimQuery here = q;
            here.levels &= shared;
            AnswerClaimQuery(turn, message.rpc, here);
          },
          [&](const RenewQuery& q) {
            if (q.lease.attempt.node != asker) return reply(RefusedReply{Refusal::kInvalid});
            reply(AnswerRenew(state, now, q));
          },
          [&](const ReleaseQuery& q) {
            const bool foreign =
                q.attempt.node != asker || (!q.value.empty() && q.value.front().publisher != asker);
            if (foreign) return reply(RefusedReply{Refusal::kInvalid});
            ReleaseQuery here = q;
            here.levels &= shared;
            AnswerRelease(state, now, here);
            reply(ReleaseReply{});
          },
          [&](const ContestQuery& q) { reply(AnswerContest(turn, q)); },
          [&](const HandOverQuery& q) { reply(TakeOver(state, now, q)); },
          [&](const LeaveQuery&) {
            state.upkeep.OnLeft(turn, asker, message.from);
            reply(LeaveReply{});
          },
          [&](const auto&) { reply(RefusedReply{Refusal::kInvalid}); },
      },
      message.body);
}

}  // namespace reef::dsht
