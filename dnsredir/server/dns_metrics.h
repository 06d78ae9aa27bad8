// SPDX-License-Identifier: Apache-2.0
//
// DnsMetrics: the counters of all workers under their names (docs/dns.md, "Metrics"). A worker
// counts into the plain Stats of its Responder and copies them to its own StatsCell after each
// batch: no shared cache line, no read-modify-write on the answer path.
//
// StatsCell: written by one thread, read by any. DnsMetrics: made before the threads; its cells
// live as long as the Metrics they are registered with, which may outlive the server.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/runtime/metrics.h"
#include "dnsredir/core/stats.h"

namespace reef::dns {

class StatsCell {
 public:
  void Publish(const Stats& stats);
  Stats Read() const;  // of a moment, each number for itself

 private:
  std::array<std::atomic<uint64_t>, kStatsCount> values_{};
};

class DnsMetrics {
 public:
  // `cells`: one for each thread that answers.
  DnsMetrics(Metrics& metrics, size_t cells);

  StatsCell& cell(size_t index) { return (*cells_)[index]; }

  Counter& udp_send_errors;
  Counter& udp_receive_errors;
  Counter& tcp_accepted;
  Counter& tcp_accept_errors;
  Counter& tcp_closed_idle;
  Counter& tcp_closed_for_room;
  Counter& tcp_closed_protocol;
  Gauge& tcp_open;
  Counter& refreshes;
  Gauge& proxies_known;
  Gauge& proxies_live;

 private:
  using Cells = std::vector<StatsCell>;
  void Register(Metrics& metrics, const std::string& name, const std::string& help,
                Metrics::Labels labels, uint64_t (*read)(const Stats&, size_t), size_t row);

  std::shared_ptr<Cells> cells_;
};

}  // namespace reef::dns
