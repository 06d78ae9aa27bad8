// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/timeline.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "base/check.h"

namespace reef::sim {
namespace {

constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();

void KeepEverySecond(std::vector<double>& values) {
  for (size_t i = 0; 2 * i < values.size(); ++i) values[i] = values[2 * i];
  values.resize((values.size() + 1) / 2);
}

std::vector<Timeline::Point> PointsOf(const std::vector<double>& seconds,
                                      const std::vector<double>& values, Timeline::Kind kind) {
  std::vector<Timeline::Point> points;
  for (size_t i = 0; i < seconds.size(); ++i) {
    double value = values[i];
    if (kind == Timeline::Kind::kTotal) {
      value = i == 0 ? kAbsent : (value - values[i - 1]) / (seconds[i] - seconds[i - 1]);
    }
    if (std::isfinite(value)) points.push_back({seconds[i], value});
  }
  return points;
}

}  // namespace

Timeline::Timeline(const Options& options)
    : interval_(options.interval), points_max_(options.points_max) {
  REEF_CHECK(interval_ > Duration::zero());
  REEF_CHECK(points_max_ >= 2 && points_max_ % 2 == 0);
}

void Timeline::Declare(const std::string& name, const Look& look) {
  RowOf(name, look.kind).look = look;
}

void Timeline::Set(const std::string& name, double value) {
  RowOf(name, Kind::kLevel).current = value;
}

void Timeline::Add(const std::string& name, double value) {
  RowOf(name, Kind::kTotal).current += value;
}

Timeline::Row& Timeline::RowOf(const std::string& name, Kind kind_if_new) {
  const auto [at, is_new] = row_of_.emplace(name, rows_.size());
  if (is_new) {
    Row row;
    row.name = name;
    row.look = {.chart = name,
                .label = name,
                .unit = kind_if_new == Kind::kTotal ? "a second" : "",
                .kind = kind_if_new};
    row.values.assign(seconds_.size(), kAbsent);
    rows_.push_back(std::move(row));
  }
  return rows_[at->second];
}

void Timeline::Sample(double seconds) {
  REEF_CHECK(seconds_.empty() || seconds > seconds_.back());
  if (seconds_.size() == points_max_) Thin();
  seconds_.push_back(seconds);
  for (Row& row : rows_) row.values.push_back(row.current);
}

// Of an even number the first stays and the last goes: the point to come is in step with the rest.
void Timeline::Thin() {
  KeepEverySecond(seconds_);
  for (Row& row : rows_) KeepEverySecond(row.values);
  interval_ *= 2;
}

void Timeline::Watch(World& world, std::function<void()> refresh) {
  struct Again {
    Timeline* self;
    World* world;
    std::function<void()> refresh;
    void operator()() const {
      refresh();
      self->Sample(Seconds(world->now() - World::kStart));
      world->In(self->interval_, *this);
    }
  };
  Again{this, &world, std::move(refresh)}();
}

std::vector<Timeline::Series> Timeline::All() const {
  std::vector<Series> all;
  for (const Row& row : rows_) {
    all.push_back({row.name, row.look, PointsOf(seconds_, row.values, row.look.kind)});
  }
  return all;
}

void WatchWorld(World& world, Timeline& timeline) {
  using enum Timeline::Kind;
  timeline.Declare("node.up", {"Nodes", "up", "nodes", kLevel});
  timeline.Declare("value.stored", {"Values stored", "values", "values", kLevel});
  timeline.Declare("message.per_node_second",
                   {"Messages", "messages", "a node and second", kTotal});
  timeline.Declare("message.timeouts", {"Timeouts", "timeouts", "a second", kTotal});
  timeline.Declare("put.started", {"Puts", "started", "a second", kTotal});
  timeline.Declare("put.stored", {"Puts", "stored", "a second", kTotal});
  timeline.Declare("get.started", {"Gets", "started", "a second", kTotal});
  timeline.Declare("get.found", {"Gets", "found", "a second", kTotal});
  timeline.Declare("claim.started", {"Claims", "started", "a second", kTotal});
  timeline.Declare("claim.first", {"Told to fetch", "claims", "a second", kTotal});

  timeline.Watch(world, [&world, &timeline, messages = uint64_t{0}]() mutable {
    size_t values = 0;
    for (NodeIndex node = 0; node < world.size(); ++node) {
      if (world.IsUp(node)) values += world.NodeAt(node).gauges().values;
    }
    timeline.Set("node.up", static_cast<double>(world.up_count()));
    timeline.Set("value.stored", static_cast<double>(values));
    const uint64_t more = world.message_count() - std::exchange(messages, world.message_count());
    timeline.Add(
        "message.per_node_second",
        static_cast<double>(more) / static_cast<double>(std::max<size_t>(1, world.up_count())));
    const dsht::Stats stats = world.TotalStats();
    timeline.Set("message.timeouts", static_cast<double>(stats.rpc_timeouts));
    timeline.Set("put.started", static_cast<double>(stats.puts));
    timeline.Set("put.stored", static_cast<double>(stats.puts_stored));
    timeline.Set("get.started", static_cast<double>(stats.gets));
    timeline.Set("get.found", static_cast<double>(stats.gets_found));
    timeline.Set("claim.started", static_cast<double>(stats.claims));
    timeline.Set("claim.first", static_cast<double>(stats.claims_first));
  });
}

std::string SeriesCsv(const std::vector<Timeline::Series>& all) {
  std::string csv = "seconds,series,value\n";
  for (const Timeline::Series& series : all) {
    for (const Timeline::Point& point : series.points) {
      csv += ExactNumber(point.seconds) + "," + CsvField(series.name) + "," +
             ExactNumber(point.value) + "\n";
    }
  }
  return csv;
}

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string ExactNumber(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return {text, end};
}

}  // namespace reef::sim
