// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/chart.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sstream>
#include <tuple>

#include "base/check.h"
#include "tests/sim/html.h"
#include "tests/sim/measures.h"

namespace reef::sim {
namespace {

// Of the whole drawing and of the rectangle within its axes, y downwards.
constexpr double kWidth = 480, kHeight = 250;
constexpr double kLeft = 62, kRight = 450, kTop = 46, kBottom = 200;
// A stripe as wide as this has room for its number.
constexpr double kStripeMin = 24;
constexpr size_t kColours = 8;

// One letter after the point: finer than a screen shows.
std::string At(double coordinate) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", coordinate);
  std::string short_text = text;
  if (short_text.ends_with(".0")) short_text.resize(short_text.size() - 2);
  return short_text == "-0" ? "0" : short_text;
}

struct Axis {
  double low, high;   // values
  double begin, end;  // where they are drawn
  std::vector<double> ticks;

  double At(double value) const { return begin + (value - low) / (high - low) * (end - begin); }
};

Axis YAxis(double low, double high) {
  low = std::min(0.0, low);
  if (high <= low) high = low + 1;
  Axis axis = {low, high, kBottom, kTop, RoundTicks(low, high, 5)};
  axis.low = axis.ticks.front();
  axis.high = axis.ticks.back();
  return axis;
}

// Its ticks are those inside.
Axis XAxis(double low, double high) {
  Axis axis = {low, high, kLeft, kRight, RoundTicks(low, high, 6)};
  const double slack = (high - low) * 1e-9;
  std::erase_if(axis.ticks, [&](double tick) { return tick < low - slack || tick > high + slack; });
  return axis;
}

std::string Text(double x, double y, const std::string& anchor, const std::string& text) {
  return "<text x=\"" + At(x) + "\" y=\"" + At(y) + "\" text-anchor=\"" + anchor + "\">" +
         Escaped(text) + "</text>\n";
}

// Lines across, numbers at both axes, and what the numbers are.
void DrawAxes(const Axis& x, const Axis& y, const std::string& x_title, const std::string& y_title,
              std::ostream& out) {
  out << "<path class=\"rule\" d=\"";
  for (double tick : y.ticks) {
    out << 'M' << At(kLeft) << ' ' << At(y.At(tick)) << 'H' << At(kRight);
  }
  out << "\"/>\n<path class=\"axis\" d=\"M" << At(kLeft) << ' ' << At(y.At(0)) << 'H' << At(kRight);
  for (double tick : x.ticks) out << 'M' << At(x.At(tick)) << ' ' << At(kBottom) << "v5";
  out << "\"/>\n";
  for (double tick : y.ticks) out << Text(kLeft - 7, y.At(tick) + 5, "end", TickText(tick));
  for (double tick : x.ticks) out << Text(x.At(tick), kBottom + 21, "middle", TickText(tick));
  out << Text(0, 14, "start", y_title) << Text(kRight, kHeight - 6, "end", x_title);
}

void OpenFigure(const std::string& id, const std::string& title, const std::string& legend,
                const std::string& description, std::ostream& out) {
  out << "<figure class=\"card half\">\n<figcaption><h3 id=\"" << id << "-t\">" << Escaped(title)
      << "</h3>" << legend << "</figcaption>\n<svg class=\"chart\" viewBox=\"0 0 " << At(kWidth)
      << ' ' << At(kHeight) << "\" role=\"img\" aria-labelledby=\"" << id << "-t " << id
      << "-d\">\n<title>" << Escaped(title) << "</title>\n<desc id=\"" << id << "-d\">"
      << Escaped(description) << "</desc>\n";
}

// ---- Lines over time ---------------------------------------------------------------------------

struct TimeUnit {
  const char* name;
  double seconds;
};
TimeUnit UnitFor(double seconds) {
  if (seconds <= 300) return {"seconds", 1};
  if (seconds <= 5 * 3600) return {"minutes", 60};
  if (seconds <= 5 * 86400) return {"hours", 3600};
  return {"days", 86400};
}

double Lowest(const std::vector<Timeline::Point>& points) {
  double lowest = 0;
  for (const auto& point : points) lowest = std::min(lowest, point.value);
  return lowest;
}

double Highest(const std::vector<Timeline::Point>& points) {
  double highest = 0;
  for (const auto& point : points) highest = std::max(highest, point.value);
  return highest;
}

// Colour and dashes tell the lines apart: one of them is enough.
std::string LineStyle(size_t line) {
  constexpr const char* kDashes[] = {"", "6 4", "2 4", "10 4 2 4"};
  std::string style = " style=\"stroke:var(--c" + std::to_string(line % kColours + 1) + ")";
  if (line % 4 > 0) style += std::string(";stroke-dasharray:") + kDashes[line % 4];
  return style + "\"";
}

std::string LineLegend(const std::vector<Line>& lines) {
  if (lines.size() < 2) return "";
  std::string legend = "<span class=\"legend\">";
  for (size_t i = 0; i < lines.size(); ++i) {
    legend +=
        "<span><svg class=\"key\" viewBox=\"0 0 26 8\" aria-hidden=\"true\"><path class=\"line\" "
        "d=\"M1 4h24\"" +
        LineStyle(i) + "/></svg>" + Escaped(lines[i].label) + "</span>";
  }
  return legend + "</span>";
}

std::string DescriptionOf(const LineChart& chart) {
  std::string text = chart.unit + " over " + ReadableNumber(chart.seconds) + " simulated seconds.";
  for (const Line& line : chart.lines) {
    if (line.points.empty()) continue;
    text += " " + line.label + ": at most " + ReadableNumber(Highest(line.points)) +
            ", at the end " + ReadableNumber(line.points.back().value) + ".";
  }
  return text;
}

// Every second step has a grey ground; its number stands above where there is room.
void DrawSteps(const LineChart& chart, const Axis& x, std::ostream& out) {
  for (size_t i = 0; i < chart.step_begins.size(); ++i) {
    const bool is_last = i + 1 == chart.step_begins.size();
    const double from = x.At(chart.step_begins[i] / chart.seconds * x.high);
    const double to = is_last ? kRight : x.At(chart.step_begins[i + 1] / chart.seconds * x.high);
    if (i % 2 == 0 && to > from) {
      out << "<path class=\"stripe\" d=\"M" << At(from) << ' ' << At(kTop) << 'H' << At(to) << 'V'
          << At(kBottom) << 'H' << At(from) << "z\"/>\n";
    }
    if (to - from >= kStripeMin) out << Text((from + to) / 2, 38, "middle", std::to_string(i + 1));
  }
}

// A lone point is a dot: the line has round ends.
std::string PathOf(const std::vector<Timeline::Point>& points, double unit, const Axis& x,
                   const Axis& y) {
  std::string path;
  for (const Timeline::Point& point : points) {
    path += path.empty() ? "M" : "L";
    path += At(x.At(point.seconds / unit)) + " " + At(y.At(point.value));
  }
  return points.size() == 1 ? path + "h0" : path;
}

// ---- Histograms --------------------------------------------------------------------------------

// So many bars to a gap between ticks.
constexpr double kBarsPerTick = 4;
constexpr double kWholeNumbersMax = 24;

// Nearest rank.
double Quantile(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1) + 0.5)];
}

bool AreFewWholeNumbers(const std::vector<double>& sorted) {
  return sorted.back() - sorted.front() <= kWholeNumbersMax &&
         std::all_of(sorted.begin(), sorted.end(), [](double v) { return v == std::round(v); });
}

// Where the bars begin and end, and how wide they are.
Bars EmptyBars(const std::vector<double>& sorted) {
  Bars bars;
  double end;
  if (AreFewWholeNumbers(sorted)) {
    bars.begin = sorted.front() - 0.5;
    bars.width = 1;
    end = sorted.back() + 0.5;
  } else {
    const double most = Quantile(sorted, 0.99);
    const bool has_far = sorted.back() > 2 * most && most > sorted.front();
    const double low =
        sorted.front() >= 0 && sorted.front() < sorted.back() / 2 ? 0 : sorted.front();
    const std::vector<double> ticks = RoundTicks(low, has_far ? most : sorted.back(), 6);
    bars.begin = ticks.front();
    bars.width = (ticks[1] - ticks[0]) / kBarsPerTick;
    end = ticks.back();
  }
  bars.counts.assign(static_cast<size_t>(std::llround((end - bars.begin) / bars.width)), 0);
  return bars;
}

std::string Percentile(const std::string& name, double value, const std::string& unit) {
  return "<span>" + name + " <b>" + ReadableNumber(value) + "</b>" +
         (unit.empty() ? "" : " " + Escaped(unit)) + "</span>";
}

std::string HistogramLegend(const std::vector<double>& sorted, const std::string& unit) {
  return "<span class=\"legend\">" + Percentile("median", Quantile(sorted, 0.5), unit) +
         Percentile("p99", Quantile(sorted, 0.99), unit) + Percentile("most", sorted.back(), unit) +
         "<span><b>" + ReadableNumber(static_cast<double>(sorted.size())) +
         "</b> samples</span></span>";
}

bool IsBroken(double value) {
  return std::abs(value - std::round(value)) > 1e-9;
}

// At least five, so that its ticks are whole numbers.
double CountAxisEnd(const Bars& bars) {
  const uint64_t most = *std::max_element(bars.counts.begin(), bars.counts.end());
  return static_cast<double>(std::max<uint64_t>(5, most));
}

void DrawBars(const Bars& bars, const Axis& x, const Axis& y, std::ostream& out) {
  out << "<path class=\"bars\" d=\"";
  for (size_t i = 0; i < bars.counts.size(); ++i) {
    if (bars.counts[i] == 0) continue;
    const double from = x.At(bars.begin + static_cast<double>(i) * bars.width);
    const double to = x.At(bars.begin + static_cast<double>(i + 1) * bars.width);
    // A count of one must be seen beside one of thousands.
    const double top = std::min(y.At(static_cast<double>(bars.counts[i])), kBottom - 1.5);
    out << 'M' << At(from + 0.5) << ' ' << At(kBottom) << 'V' << At(top) << 'H' << At(to - 0.5)
        << 'V' << At(kBottom) << 'z';
  }
  out << "\"/>\n";
}

}  // namespace

std::vector<double> RoundTicks(double low, double high, int gaps) {
  REEF_CHECK(low < high && std::isfinite(high - low) && gaps >= 2);
  double power = std::pow(10, std::floor(std::log10((high - low) / gaps)) - 1);
  while (true) {
    for (const double digit : {1, 2, 5}) {
      const double step = digit * power;
      // 0.3 / 0.1 is a little less than 3.
      const double first = std::floor(low / step + 1e-9);
      const double last = std::ceil(high / step - 1e-9);
      if (last - first > gaps) continue;
      std::vector<double> ticks;
      const int count = static_cast<int>(last - first) + 1;
      for (int i = 0; i < count; ++i) ticks.push_back((first + i) * step);
      return ticks;
    }
    power *= 10;
  }
}

std::string TickText(double value) {
  for (const auto& [from, scale, suffix] :
       {std::tuple(1e9, 1e9, " G"), {1e6, 1e6, " M"}, {1e4, 1e3, " k"}}) {
    if (std::abs(value) >= from) return NumberText(value / scale) + suffix;
  }
  return NumberText(value);
}

std::string LineChartHtml(const LineChart& chart) {
  REEF_CHECK(chart.seconds > 0);
  double low = 0;
  double high = 0;
  for (const Line& line : chart.lines) {
    low = std::min(low, Lowest(line.points));
    high = std::max(high, Highest(line.points));
  }
  const TimeUnit unit = UnitFor(chart.seconds);
  const Axis x = XAxis(0, chart.seconds / unit.seconds);
  const Axis y = YAxis(low, high);

  std::ostringstream out;
  OpenFigure(chart.id, chart.title, LineLegend(chart.lines), DescriptionOf(chart), out);
  DrawSteps(chart, x, out);
  DrawAxes(x, y, std::string("simulated ") + unit.name, chart.unit, out);
  for (size_t i = 0; i < chart.lines.size(); ++i) {
    out << "<path class=\"line\"" << LineStyle(i) << " d=\""
        << PathOf(chart.lines[i].points, unit.seconds, x, y) << "\"/>\n";
  }
  out << "</svg>\n</figure>\n";
  return out.str();
}

Bars BarsOf(const std::vector<double>& values) {
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  REEF_CHECK(sorted.size() >= 2 && sorted.front() < sorted.back());
  Bars bars = EmptyBars(sorted);
  const double end = bars.begin + bars.width * static_cast<double>(bars.counts.size());
  for (const double value : sorted) {
    const double bar = std::floor((value - bars.begin) / bars.width);
    if (value > end) {
      ++bars.beyond_count;
    } else {
      // The end itself belongs to the last bar.
      ++bars.counts[std::min(static_cast<size_t>(std::max(0.0, bar)), bars.counts.size() - 1)];
    }
  }
  return bars;
}

std::string HistogramHtml(const Histogram& histogram) {
  std::vector<double> sorted = histogram.values;
  std::sort(sorted.begin(), sorted.end());
  const std::string legend = HistogramLegend(sorted, histogram.unit);
  std::ostringstream out;
  const Bars bars = BarsOf(sorted);
  const double end = bars.begin + bars.width * static_cast<double>(bars.counts.size());
  Axis x = XAxis(bars.begin, end);
  if (bars.width == 1) std::erase_if(x.ticks, IsBroken);
  const Axis y = YAxis(0, CountAxisEnd(bars));
  const std::string beyond =
      bars.beyond_count == 0
          ? ""
          : ReadableNumber(static_cast<double>(bars.beyond_count)) + " beyond, not drawn; ";
  OpenFigure(histogram.id, histogram.title, legend,
             "Histogram from " + ReadableNumber(bars.begin) + " to " + ReadableNumber(end) + " " +
                 histogram.unit,
             out);
  DrawAxes(x, y, beyond + (histogram.unit.empty() ? "value" : histogram.unit), "samples", out);
  DrawBars(bars, x, y, out);
  out << "</svg>\n</figure>\n";
  return out.str();
}

}  // namespace reef::sim
