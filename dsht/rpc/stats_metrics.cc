// SPDX-License-Identifier: Apache-2.0
#include "dsht/rpc/stats_metrics.h"

#include <string>
#include <type_traits>
#include <utility>

namespace reef::dsht {
namespace {

struct Metric {
  const char* name;  // without reef_dsht_ and _total
  const char* help;
  const char* label;  // nullptr: none
  const char* value;
  uint64_t Stats::*field;
};

constexpr const char* kOperations = "Operations that ended, by operation and outcome";
constexpr const char* kHops = "Queries sent for operations, by operation";
constexpr const char* kPeers = "Changes of the routing table, by change";
constexpr const char* kRefused = "What was not believed or not accepted, by reason";
constexpr const char* kStores = "Values offered to this node, by outcome";
constexpr const char* kLeases = "Leases kept by this node, by what became of them";
constexpr const char* kFailures = "Queries sent that failed, by reason";

constexpr Metric kMetrics[] = {
    {"query_failures", kFailures, "reason", "timeout", &Stats::rpc_timeouts},
    {"query_failures", kFailures, "reason", "unreachable", &Stats::rpc_unreachable},
    {"refused", kRefused, "reason", "late_reply", &Stats::late_replies},
    {"refused", kRefused, "reason", "unexpected_reply", &Stats::unexpected_replies},
    {"refused", kRefused, "reason", "invalid_message", &Stats::invalid_messages},
    {"refused", kRefused, "reason", "version", &Stats::version_mismatches},
    {"refused", kRefused, "reason", "source_limit", &Stats::source_limited},
    {"refused", kRefused, "reason", "too_many_operations", &Stats::operations_refused},
    {"peer_changes", kPeers, "change", "added", &Stats::peers_added},
    {"peer_changes", kPeers, "change", "dropped", &Stats::peers_dropped},
    {"peer_changes", kPeers, "change", "left", &Stats::peers_left},
    {"peer_changes", kPeers, "change", "no_room", &Stats::bucket_full},
    {"peer_changes", kPeers, "change", "prefix_limited", &Stats::prefix_limited},
    {"surveys", "Clusters looked at with a view to join them", nullptr, nullptr, &Stats::surveys},
    {"cluster_moves", "Moves to another cluster", nullptr, nullptr, &Stats::cluster_moves},
    {"clusters_left", "Moves to be alone, because a cluster's members are too far", nullptr,
     nullptr, &Stats::clusters_left},
    {"refused", kRefused, "reason", "level", &Stats::level_refusals},
    {"gets", "Gets begun", nullptr, nullptr, &Stats::gets},
    {"gets_found", "Gets that found a value", nullptr, nullptr, &Stats::gets_found},
    {"puts", "Puts begun", nullptr, nullptr, &Stats::puts},
    {"withdraws", "Withdrawals begun", nullptr, nullptr, &Stats::withdraws},
    {"claims", "Claims begun", nullptr, nullptr, &Stats::claims},
    {"put_outcomes", kOperations, "outcome", "stored", &Stats::puts_stored},
    {"put_outcomes", kOperations, "outcome", "saturated", &Stats::puts_saturated},
    {"put_outcomes", kOperations, "outcome", "refused", &Stats::puts_refused},
    {"claim_outcomes", kOperations, "outcome", "first", &Stats::claims_first},
    {"claim_outcomes", kOperations, "outcome", "held", &Stats::claims_held},
    {"claim_outcomes", kOperations, "outcome", "uncacheable", &Stats::claims_uncacheable},
    {"claim_outcomes", kOperations, "outcome", "no_answer", &Stats::claims_no_answer},
    {"claim_outcomes", kOperations, "outcome", "leader_apart", &Stats::claims_leader_apart},
    {"claims_unconfirmed", "Grants acted on although a confirmer was silent", nullptr, nullptr,
     &Stats::claims_unconfirmed},
    {"claims_lost", "Claims taken away after they were first", nullptr, nullptr,
     &Stats::claims_lost},
    {"claims_yielded", "Grants given up for a rival", nullptr, nullptr, &Stats::claims_yielded},
    {"markers_used", "Claims answered from a remembered marker", nullptr, nullptr,
     &Stats::markers_used},
    {"operation_queries", kHops, "operation", "get", &Stats::get_hops},
    {"operation_queries", kHops, "operation", "put", &Stats::put_hops},
    {"operation_queries", kHops, "operation", "claim", &Stats::claim_hops},
    {"stores", kStores, "outcome", "accepted", &Stats::stores_accepted},
    {"stores", kStores, "outcome", "full", &Stats::stores_full},
    {"stores", kStores, "outcome", "no_room", &Stats::stores_no_room},
    {"stores", kStores, "outcome", "source_limit", &Stats::stores_source_limit},
    {"stores", kStores, "outcome", "invalid", &Stats::stores_invalid},
    {"values_displaced", "Values displaced by one with a longer life", nullptr, nullptr,
     &Stats::values_displaced},
    {"values_expired", "Values whose time was up", nullptr, nullptr, &Stats::values_expired},
    {"loaded_answers", "Times this node said that it is loaded for a key", nullptr, nullptr,
     &Stats::loaded_answers},
    {"guard_evictions", "Tracked keys forgotten early", nullptr, nullptr, &Stats::guard_evictions},
    {"leases", kLeases, "event", "granted", &Stats::leases_granted},
    {"leases", kLeases, "event", "confirmed", &Stats::leases_confirmed},
    {"leases", kLeases, "event", "expired", &Stats::leases_expired},
    {"leases", kLeases, "event", "revoked", &Stats::leases_revoked},
    {"leases", kLeases, "event", "no_room", &Stats::leases_no_room},
    {"leases", kLeases, "event", "source_limit", &Stats::leases_source_limit},
    {"relays", "Claims passed on for others", nullptr, nullptr, &Stats::relays},
    {"relays_refused", "Claims not passed on", nullptr, nullptr, &Stats::relays_refused},
    {"checks_refused", "Complaints whose lease was not checked yet", nullptr, nullptr,
     &Stats::checks_refused},
    {"handed_over", "Entries given to closer nodes", nullptr, nullptr, &Stats::handed_over},
    {"taken_over", "Entries accepted from others", nullptr, nullptr, &Stats::taken_over},
};

// A body of each alternative, for its name.
template <size_t... I>
std::vector<Body> EveryBody(std::index_sequence<I...>) {
  return {Body(std::in_place_index<I>)...};
}

void ExportMessages(Metrics& metrics, const std::function<Stats()>& read) {
  using Counts = std::array<uint64_t, std::variant_size_v<Body>> Stats::*;
  const auto bodies = EveryBody(std::make_index_sequence<std::variant_size_v<Body>>());
  for (size_t i = 0; i < bodies.size(); ++i) {
    for (const auto& [direction, counts] :
         {std::pair<const char*, Counts>("sent", &Stats::sent), {"received", &Stats::received}}) {
      metrics.AddCounterCallback(
          "reef_dsht_messages_total", "DSHT messages, by kind and direction",
          [read, i, counts = counts] { return static_cast<double>((read().*counts)[i]); },
          {{"message", NameOf(bodies[i])},
           {"part", IsQuery(bodies[i]) ? "query" : "reply"},
           {"direction", direction}});
    }
  }
}

}  // namespace

void ExportStats(Metrics& metrics, std::function<Stats()> read) {
  for (const Metric& metric : kMetrics) {
    Metrics::Labels labels;
    if (metric.label != nullptr) labels.emplace_back(metric.label, metric.value);
    metrics.AddCounterCallback(
        std::string("reef_dsht_") + metric.name + "_total", metric.help,
        [read, field = metric.field] { return static_cast<double>(read().*field); }, labels);
  }
  ExportMessages(metrics, read);
}

void ExportGauges(Metrics& metrics, std::function<Node::Gauges()> read) {
  using Field = size_t Node::Gauges::*;
  const auto add = [&](const char* name, const char* help, Field field) {
    metrics.AddGaugeCallback(std::string("reef_dsht_") + name, help,
                             [read, field] { return static_cast<double>(read().*field); });
  };
  add("peers", "Nodes in the routing table", &Node::Gauges::peers);
  add("keys", "Keys with a value or lease stored here", &Node::Gauges::keys);
  add("values", "Values stored here", &Node::Gauges::values);
  add("stored_bytes", "Bytes of the values stored here", &Node::Gauges::stored_bytes);
  add("leases_kept", "Leases kept here", &Node::Gauges::leases);
  add("operations_open", "Operations of this node that have not ended", &Node::Gauges::operations);
  add("queries_open", "Queries of this node that wait for a reply", &Node::Gauges::rpcs);
}

}  // namespace reef::dsht
