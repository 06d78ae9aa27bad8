// SPDX-License-Identifier: Apache-2.0
#include "deploy/node/status_source.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/runtime/clock.h"
#include "deploy/node/version.h"

namespace reef::deploy {
namespace {

constexpr size_t kNodesMax = 512;
// The index answers a question within a turn of its loop: this long is a loop that hangs.
constexpr Duration kSilenceMax = std::chrono::seconds(30);

double Milliseconds(Duration d) {
  return Seconds(d) * 1e3;
}

std::string TextOf(const Endpoint& endpoint) {
  return endpoint.port == 0 ? "" : endpoint.ToString();
}

void Fill(const dsht::Peer& self, control::Node* out) {
  out->set_id(self.id.ToHex());
  out->set_dsht(TextOf(self.rpc));
  out->set_http(TextOf(self.http));
  out->set_dns(TextOf(self.dns));
  out->set_self(true);
  out->set_draining(self.draining);
  out->set_overloaded(self.overloaded);
}

void Fill(const dsht::NodeInfo& node, control::Node* out) {
  out->set_id(node.id.ToHex());
  out->set_dsht(TextOf(node.rpc));
  out->set_http(TextOf(node.http));
  out->set_dns(TextOf(node.dns));
  out->set_draining(node.draining);
  out->set_overloaded(node.overloaded);
  out->set_rtt_ms(Milliseconds(node.rtt));
  out->set_verified_seconds_ago(Seconds(node.verified_ago));
}

void Fill(const dsht::LevelInfo& level, control::Cluster* out) {
  out->set_level(static_cast<uint32_t>(level.level));
  out->set_id(level.cluster);
  out->set_diameter_ms(Milliseconds(level.diameter));
  out->set_size_estimate(static_cast<double>(level.size_estimate));
}

// A node that listens on every address tells its peers "as you see me"; a person wants to know.
Endpoint Seen(Endpoint endpoint, const IpAddress& advertised) {
  if (endpoint.address.IsUnspecified()) endpoint.address = advertised;
  return endpoint;
}

void Fill(const dsht::Driver::Snapshot& index, const IpAddress& advertised, control::Status* out) {
  dsht::Peer self = index.self;
  for (Endpoint* const endpoint : {&self.rpc, &self.http, &self.dns}) {
    *endpoint = Seen(*endpoint, advertised);
  }
  out->mutable_endpoints()->set_dsht(TextOf(self.rpc));
  out->mutable_endpoints()->set_dns(TextOf(self.dns));
  for (const dsht::LevelInfo& level : index.levels) Fill(level, out->add_clusters());
  Fill(self, out->add_nodes());
  for (const dsht::NodeInfo& node : index.peers) {
    if (static_cast<size_t>(out->nodes_size()) == kNodesMax) break;
    if (node.id != index.self.id) Fill(node, out->add_nodes());
  }
}

void Fill(const http::Cache::Stats& stats, control::Cache* out) {
  out->set_memory_objects(static_cast<double>(stats.memory_objects));
  out->set_memory_bytes(static_cast<double>(stats.memory_bytes));
  out->set_disk_objects(static_cast<double>(stats.disk_objects));
  out->set_disk_bytes(static_cast<double>(stats.disk_bytes));
  out->set_memory_evictions(static_cast<double>(stats.memory_evictions));
  out->set_disk_evictions(static_cast<double>(stats.disk_evictions));
  out->set_damaged_dropped(static_cast<double>(stats.damaged_dropped));
  out->set_write_errors(static_cast<double>(stats.write_errors));
}

void Fill(const http::Proxy::Stats& stats, control::Requests* out) {
  const auto of = [&](http::Source source) {
    return static_cast<double>(stats.requests[static_cast<size_t>(source)]);
  };
  out->set_hit(of(http::Source::kHit));
  out->set_stale(of(http::Source::kStale));
  out->set_peer(of(http::Source::kPeer));
  out->set_origin(of(http::Source::kOrigin));
  out->set_pass(of(http::Source::kPass));
  out->set_error(of(http::Source::kError));
  double total = 0;
  for (const uint64_t n : stats.requests) total += static_cast<double>(n);
  out->set_total(total);
  out->set_collapsed(static_cast<double>(stats.collapsed));
  out->set_origin_avoided(static_cast<double>(stats.origin_avoided));
  out->set_peers_served(static_cast<double>(stats.peers_served));
  out->set_malformed(static_cast<double>(stats.malformed));
  out->set_connections_open(static_cast<double>(stats.connections_open));
  out->set_bytes_in(static_cast<double>(stats.bytes_in));
  out->set_bytes_out(static_cast<double>(stats.bytes_out));
}

}  // namespace

StatusSource::StatusSource(const config::Config& config, dsht::Driver& index,
                           dsht::Driver::Snapshot now, const http::Cache& cache,
                           const http::Proxy& proxy)
    : config_(config),
      index_(index),
      cache_(cache),
      proxy_(proxy),
      started_(MonotonicNow()),
      answer_(std::make_shared<Answer>()) {
  answer_->snapshot = std::move(now);
  answer_->at = started_;
}

void StatusSource::Refresh() {
  index_.Describe([answer = answer_](dsht::Driver::Snapshot snapshot) {
    const std::lock_guard lock(answer->mutex);
    answer->snapshot = std::move(snapshot);
    answer->at = MonotonicNow();
  });
}

control::Status StatusSource::Describe() const {
  control::Status status;
  {
    const std::lock_guard lock(answer_->mutex);
    status.set_node_id(answer_->snapshot.self.id.ToHex());
    Fill(answer_->snapshot, proxy_.advertised().address, &status);
  }
  status.set_version(std::string(kVersion));
  status.set_zone(config_.zone());
  status.set_uptime_seconds(Seconds(MonotonicNow() - started_));
  status.set_state(draining_               ? control::STATE_DRAINING
                   : WhyNotReady().empty() ? control::STATE_READY
                                           : control::STATE_STARTING);
  status.mutable_endpoints()->set_http(TextOf(proxy_.advertised()));
  status.mutable_endpoints()->set_admin(TextOf(admin_));
  control::Cache* const cache = status.mutable_cache();
  Fill(cache_.stats(), cache);
  cache->set_memory_bytes_max(static_cast<double>(config_.memory_bytes()));
  const bool has_disk = !config_.state_dir().empty() && config_.disk_bytes() > 0;
  cache->set_disk_bytes_max(has_disk ? static_cast<double>(config_.disk_bytes()) : 0);
  cache->set_references(static_cast<double>(proxy_.reference_count()));
  Fill(proxy_.stats(), status.mutable_requests());
  return status;
}

std::string StatusSource::Json() const {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto written = google::protobuf::util::MessageToJsonString(Describe(), &json, options);
  REEF_CHECK(written.ok()) << written.ToString();
  return json + "\n";
}

std::vector<std::string> StatusSource::WhyNotAlive() const {
  const std::lock_guard lock(answer_->mutex);
  if (MonotonicNow() - answer_->at <= kSilenceMax) return {};
  return {"the index has not answered this process for 30 s"};
}

std::vector<std::string> StatusSource::WhyNotReady() const {
  if (draining_) return {"draining: this node is about to stop"};
  std::vector<std::string> reasons = WhyNotAlive();
  if (!serving_) reasons.push_back("starting: not all services listen yet");
  if (!index_.joined()) {
    std::string seeds;
    for (const std::string& seed : config_.join()) seeds += (seeds.empty() ? "" : ", ") + seed;
    reasons.push_back("not joined: no other node has answered yet; asking " + seeds);
  }
  return reasons;
}

}  // namespace reef::deploy
