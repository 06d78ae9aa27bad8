// SPDX-License-Identifier: Apache-2.0
//
// Timeline: how named numbers went during a run, taken every interval of simulated time. Bounded:
// when all series are full, every second point is dropped and the interval doubled.
//
// Owned by the scenario. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/instant.h"
#include "tests/sim/world.h"

namespace reef::sim {

class Timeline {
 public:
  // A total only grows; it is shown as its growth a second since the point before.
  enum class Kind { kLevel, kTotal };
  struct Look {
    std::string chart;  // series of one name share a chart
    std::string label;  // in its legend
    std::string unit;
    Kind kind = Kind::kLevel;
  };
  struct Point {
    double seconds = 0;
    double value = 0;
    bool operator==(const Point&) const = default;
  };
  struct Series {
    std::string name;
    Look look;
    std::vector<Point> points;
  };
  struct Options {
    Duration interval = std::chrono::seconds(1);
    size_t points_max = 600;  // of a series; even
  };

  explicit Timeline(const Options& options);

  // The series has points from the next one on.
  void Declare(const std::string& name, const Look& look);
  // The value that the next point takes. A name that was not declared gets a chart of its own: as a
  // level if it is set first, as a total if it is added to.
  void Set(const std::string& name, double value);
  void Add(const std::string& name, double value);

  // Takes a point of every series. Requires: later than the one before.
  void Sample(double seconds);

  // Takes a point now and at each interval, after `refresh` has set what it knows. It must stay
  // where it is while the world runs.
  void Watch(World& world, std::function<void()> refresh);

  Duration interval() const { return interval_; }
  // In the order declared.
  std::vector<Series> All() const;

 private:
  struct Row {
    std::string name;
    Look look;
    double current = 0;
    std::vector<double> values;  // one for each of seconds_; NaN: there was no such series yet
  };

  Row& RowOf(const std::string& name, Kind kind_if_new);
  void Thin();

  Duration interval_;
  size_t points_max_;
  std::vector<double> seconds_;
  std::vector<Row> rows_;
  std::map<std::string, size_t> row_of_;
};

// Watches what every scenario has: messages, timeouts, nodes, values, gets, puts and claims.
void WatchWorld(World& world, Timeline& timeline);

// A line "seconds,series,value" for each point.
std::string SeriesCsv(const std::vector<Timeline::Series>& all);
// One field of a CSV line, quoted where it must be.
std::string CsvField(const std::string& text);
// The shortest text that reads back as the same number.
std::string ExactNumber(double value);

}  // namespace reef::sim
