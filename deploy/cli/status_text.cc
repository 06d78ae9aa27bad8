// SPDX-License-Identifier: Apache-2.0
#include "deploy/cli/status_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace reef::deploy {
namespace {

std::string_view StateText(control::State state) {
  switch (state) {
    case control::STATE_READY:
      return "ready";
    case control::STATE_DRAINING:
      return "draining";
    default:
      return "starting";
  }
}

std::string_view StateText(const control::Node& node) {
  if (node.draining()) return "leaving";
  return node.overloaded() ? "overloaded" : "alive";
}

std::string OrDash(const std::string& text) {
  return text.empty() ? "-" : text;
}

std::string Tier(std::string_view name, double objects, double bytes, double bytes_max) {
  if (bytes_max == 0) return fmt::format("{} none", name);
  return fmt::format("{} {:.0f} objects, {} of {}", name, objects, BytesText(bytes),
                     BytesText(bytes_max));
}

// Columns as wide as their widest cell.
std::string Table(const std::vector<std::array<std::string, 6>>& rows) {
  std::array<size_t, 6> widths{};
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line = " ";
    for (size_t i = 0; i < row.size(); ++i) line += fmt::format(" {:<{}} ", row[i], widths[i]);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string Nodes(const control::Status& status) {
  std::vector<std::array<std::string, 6>> rows = {
      {"node", "state", "http", "dns", "dsht", "round trip"}};
  for (const control::Node& node : status.nodes()) {
    rows.push_back({node.id().substr(0, 8), std::string(StateText(node)), OrDash(node.http()),
                    OrDash(node.dns()), OrDash(node.dsht()),
                    node.self() ? "this one" : fmt::format("{:.1f} ms", node.rtt_ms())});
  }
  return Table(rows);
}

}  // namespace

std::string BytesText(double bytes) {
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < kUnits.size(); ++unit) bytes /= 1024;
  return unit == 0 || bytes >= 100 ? fmt::format("{:.0f} {}", bytes, kUnits[unit])
                                   : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

std::string DurationText(double seconds) {
  const auto s = static_cast<uint64_t>(std::max(seconds, 0.0));
  if (s >= 86400) return fmt::format("{} d {} h", s / 86400, s / 3600 % 24);
  if (s >= 3600) return fmt::format("{} h {} min", s / 3600, s / 60 % 60);
  if (s >= 60) return fmt::format("{} min {} s", s / 60, s % 60);
  return fmt::format("{} s", s);
}

std::string StatusText(const control::Status& status) {
  const control::Requests& r = status.requests();
  const control::Cache& c = status.cache();
  std::string text =
      fmt::format("node {}  {}  up {}  zone {}  version {}\n", status.node_id().substr(0, 8),
                  StateText(status.state()), DurationText(status.uptime_seconds()), status.zone(),
                  status.version());
  text += fmt::format("cache     {}\n          {}\n",
                      Tier("memory", c.memory_objects(), c.memory_bytes(), c.memory_bytes_max()),
                      Tier("disk", c.disk_objects(), c.disk_bytes(), c.disk_bytes_max()));
  text += fmt::format(
      "requests  {:.0f}: hit {:.0f}, stale {:.0f}, peer {:.0f}, origin {:.0f}, pass {:.0f}, error "
      "{:.0f}\n          the origin was spared {:.0f}; {:.0f} served to other nodes\n",
      r.total(), r.hit(), r.stale(), r.peer(), r.origin(), r.pass(), r.error(), r.origin_avoided(),
      r.peers_served());
  for (const control::Cluster& cluster : status.clusters()) {
    text += fmt::format(
        "cluster   level {}: about {:.0f} nodes{}\n", cluster.level(), cluster.size_estimate(),
        cluster.diameter_ms() > 0 ? fmt::format(", under {:.0f} ms apart", cluster.diameter_ms())
                                  : "");
  }
  return text + "\n" + Nodes(status);
}

}  // namespace reef::deploy
