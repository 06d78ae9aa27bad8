// SPDX-License-Identifier: Apache-2.0
//
// Charts for a page, drawn as SVG that needs nothing else: lines over simulated time, and
// histograms. Each is a <figure>. Sizes are those of the report's style sheet, which makes the
// letters larger where the chart is shown smaller; there is room for the larger ones.
//
// Free functions over values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/timeline.h"

namespace reef::sim {

// Round numbers (1, 2 or 5 and zeros) at one distance, the fewest that enclose low to high in at
// most `gaps` gaps. Requires: low < high, gaps >= 2.
std::vector<double> RoundTicks(double low, double high, int gaps);

// A tick's label: at most six letters for whole numbers.
std::string TickText(double value);

struct Line {
  std::string label;
  std::vector<Timeline::Point> points;
};

struct LineChart {
  std::string id;  // of the page
  std::string title;
  std::string unit;
  std::vector<Line> lines;
  double seconds = 0;               // how long the run was, above 0
  std::vector<double> step_begins;  // seconds; a stripe for each step, with its number
};
std::string LineChartHtml(const LineChart& chart);

struct Histogram {
  std::string id;
  std::string title;
  std::string unit;
  std::vector<double> values;  // at least two different ones
};
std::string HistogramHtml(const Histogram& histogram);

// How a histogram divides its values: bars of one width from `begin` on; the few values far beyond
// the rest get no bar.
struct Bars {
  double begin = 0;
  double width = 0;
  std::vector<uint64_t> counts;
  uint64_t beyond_count = 0;
};
// Requires: at least two different values.
Bars BarsOf(const std::vector<double>& values);

}  // namespace reef::sim
