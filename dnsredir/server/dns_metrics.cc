// SPDX-License-Identifier: Apache-2.0
#include "dnsredir/server/dns_metrics.h"

#include <bit>
#include <string>
#include <utility>

namespace reef::dns {
namespace {

constexpr const char* kClosedHelp = "DNS over TCP connections closed by us, by reason.";

}  // namespace

void StatsCell::Publish(const Stats& stats) {
  const auto numbers = std::bit_cast<std::array<uint64_t, kStatsCount>>(stats);
  for (size_t i = 0; i < numbers.size(); ++i) {
    values_[i].store(numbers[i], std::memory_order_relaxed);
  }
}

Stats StatsCell::Read() const {
  std::array<uint64_t, kStatsCount> numbers;
  for (size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = values_[i].load(std::memory_order_relaxed);
  }
  return std::bit_cast<Stats>(numbers);
}

DnsMetrics::DnsMetrics(Metrics& metrics, size_t cells)
    : udp_send_errors(metrics.AddCounter("reef_dns_udp_errors_total",
                                         "UDP system calls that failed, by call.",
                                         {{"call", "send"}})),
      udp_receive_errors(metrics.AddCounter("reef_dns_udp_errors_total",
                                            "UDP system calls that failed, by call.",
                                            {{"call", "receive"}})),
      tcp_accepted(metrics.AddCounter("reef_dns_tcp_connections_total",
                                      "DNS over TCP connections accepted.")),
      tcp_accept_errors(metrics.AddCounter("reef_dns_tcp_accept_errors_total",
                                           "Connections that could not be accepted.")),
      tcp_closed_idle(
          metrics.AddCounter("reef_dns_tcp_closed_total", kClosedHelp, {{"reason", "idle"}})),
      tcp_closed_for_room(
          metrics.AddCounter("reef_dns_tcp_closed_total", kClosedHelp, {{"reason", "limit"}})),
      tcp_closed_protocol(
          metrics.AddCounter("reef_dns_tcp_closed_total", kClosedHelp, {{"reason", "protocol"}})),
      tcp_open(metrics.AddGauge("reef_dns_tcp_connections", "DNS over TCP connections open.")),
      refreshes(metrics.AddCounter("reef_dns_view_refreshes_total",
                                   "Views of the proxies taken from the index.")),
      proxies_known(metrics.AddGauge("reef_dns_proxies", "Proxies in the current view, by state.",
                                     {{"state", "known"}})),
      proxies_live(metrics.AddGauge("reef_dns_proxies", "Proxies in the current view, by state.",
                                    {{"state", "live"}})),
      cells_(std::make_shared<Cells>(cells)) {
  constexpr std::array kTransports = {"udp", "tcp"};
  for (size_t i = 0; i < kTransports.size(); ++i) {
    Register(
        metrics, "reef_dns_queries_total", "DNS messages received, by transport.",
        {{"transport", kTransports[i]}},
        [](const Stats& stats, size_t row) { return stats.queries[row]; }, i);
  }
  constexpr std::array kRcodes = {"NOERROR", "FORMERR", "NXDOMAIN", "NOTIMP", "REFUSED", "BADVERS"};
  static_assert(kRcodes.size() == kRcodeRows);
  for (size_t i = 0; i < kRcodes.size(); ++i) {
    Register(
        metrics, "reef_dns_answers_total", "DNS answers sent, by response code.",
        {{"rcode", kRcodes[i]}}, [](const Stats& stats, size_t row) { return stats.answers[row]; },
        i);
  }
  constexpr std::array kTypes = {"A", "AAAA", "NS", "SOA", "TXT", "CAA", "HTTPS", "ANY", "other"};
  static_assert(kTypes.size() == kTypeRows);
  for (size_t i = 0; i < kTypes.size(); ++i) {
    Register(
        metrics, "reef_dns_questions_total", "Well-formed DNS questions, by type.",
        {{"type", kTypes[i]}}, [](const Stats& stats, size_t row) { return stats.types[row]; }, i);
  }
  for (size_t i = 1; i < kMalformedCount; ++i) {
    Register(
        metrics, "reef_dns_malformed_total", "DNS queries answered with FORMERR, by reason.",
        {{"reason", std::string(MalformedName(static_cast<Malformed>(i)))}},
        [](const Stats& stats, size_t row) { return stats.malformed[row]; }, i);
  }
  constexpr std::array kCookieStates = {"none", "new", "valid", "invalid"};
  for (size_t i = 1; i < kCookieStates.size(); ++i) {
    Register(
        metrics, "reef_dns_cookies_total", "DNS cookies that queries brought, by what they are.",
        {{"state", kCookieStates[i]}},
        [](const Stats& stats, size_t row) { return stats.cookies[row]; }, i);
  }
  const std::string limited = "reef_dns_rate_limited_total";
  const std::string limited_help = "Queries beyond the rate of their network, by what they got.";
  Register(
      metrics, limited, limited_help, {{"action", "truncated"}},
      [](const Stats& stats, size_t) { return stats.rate_truncated; }, 0);
  Register(
      metrics, limited, limited_help, {{"action", "dropped"}},
      [](const Stats& stats, size_t) { return stats.rate_dropped; }, 0);
  Register(
      metrics, "reef_dns_rate_limit_evictions_total", "Networks whose rate was forgotten early.",
      {}, [](const Stats& stats, size_t) { return stats.rate_evictions; }, 0);
  const std::string ignored = "reef_dns_ignored_total";
  const std::string ignored_help = "DNS messages not answered at all, by reason.";
  Register(
      metrics, ignored, ignored_help, {{"reason", "short"}},
      [](const Stats& stats, size_t) { return stats.short_messages; }, 0);
  Register(
      metrics, ignored, ignored_help, {{"reason", "response"}},
      [](const Stats& stats, size_t) { return stats.responses; }, 0);
  Register(
      metrics, "reef_dns_no_data_total", "NOERROR answers without a record.", {},
      [](const Stats& stats, size_t) { return stats.no_data; }, 0);
  Register(
      metrics, "reef_dns_truncated_total", "Answers that send the client to TCP (TC).", {},
      [](const Stats& stats, size_t) { return stats.truncated; }, 0);
  Register(
      metrics, "reef_dns_no_healthy_proxy_total",
      "Address answers given while no proxy was known to be healthy.", {},
      [](const Stats& stats, size_t) { return stats.guesses; }, 0);
  Register(
      metrics, "reef_dns_no_proxy_total",
      "Address questions left empty because no proxy is known and none runs here.", {},
      [](const Stats& stats, size_t) { return stats.without_address; }, 0);
}

void DnsMetrics::Register(Metrics& metrics, const std::string& name, const std::string& help,
                          Metrics::Labels labels, uint64_t (*read)(const Stats&, size_t),
                          size_t row) {
  metrics.AddCounterCallback(
      name, help,
      [cells = cells_, read, row] {
        uint64_t sum = 0;
        for (const StatsCell& cell : *cells) sum += read(cell.Read(), row);
        return static_cast<double>(sum);
      },
      std::move(labels));
}

}  // namespace reef::dns
