// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/report.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

#include "tests/sim/chart.h"
#include "tests/sim/html.h"
#include "tests/sim/report_style.h"

namespace reef::sim {
namespace {

constexpr char kLogo[] =
    "<svg viewBox=\"0 0 32 32\" aria-hidden=\"true\"><path d=\"M16 29V11M16 21 8 15V8M16 "
    "18l8-5V6M8 "
    "15l-4-3M24 13l4-3\" fill=\"none\" stroke=\"#e0604c\" stroke-width=\"3.6\" "
    "stroke-linecap=\"round\" stroke-linejoin=\"round\"/></svg>";

std::string TimeText(double seconds) {
  if (seconds < 120) return ReadableNumber(seconds) + " s";
  const auto whole = static_cast<int64_t>(seconds);
  if (whole < 7200) {
    return std::to_string(whole / 60) + " min" +
           (whole % 60 > 0 ? " " + std::to_string(whole % 60) + " s" : "");
  }
  return ReadableNumber(static_cast<double>(whole / 3600)) + " h " +
         std::to_string(whole / 60 % 60) + " min";
}

size_t FailedCount(const Report& report) {
  return static_cast<size_t>(std::count_if(report.verdicts.begin(), report.verdicts.end(),
                                           [](const Verdict& v) { return !v.holds; }));
}

// A name that may be broken after its dots and underscores.
std::string Breakable(const std::string& name) {
  std::string html;
  for (const char c : name) {
    html += Escaped({&c, 1});
    if (c == '.' || c == '_') html += "<wbr>";
  }
  return html;
}

// Across the page. `html` is escaped.
void WriteNote(const std::string& html, std::ostream& out) {
  out << "<p class=\"note\">" << html << "</p>\n";
}

// ---- Head --------------------------------------------------------------------------------------

void WriteHeader(const Report& report, std::ostream& out) {
  const size_t failed = FailedCount(report);
  out << "<header>\n<div><h1>" << kLogo << Escaped(report.name) << "</h1><span class=\"badge "
      << (failed == 0 ? "good\">all hold"
                      : "bad\">" + std::to_string(failed) + " of " +
                            std::to_string(report.verdicts.size()) + " failed")
      << "</span></div>\n<p>" << Escaped(report.about) << "</p>\n</header>\n";
}

void WriteTile(const std::string& value, const std::string& what, std::ostream& out) {
  out << "<div class=\"tile\"><b>" << Escaped(value) << "</b><span>" << what << "</span></div>\n";
}

void WriteTiles(const Report& report, std::ostream& out) {
  out << "<div class=\"tiles\">\n";
  WriteTile(std::to_string(report.seed), "seed", out);
  WriteTile(ReadableNumber(static_cast<double>(report.node_count)), "nodes", out);
  WriteTile(report.network, "network", out);
  WriteTile(TimeText(report.seconds), "simulated", out);
  out << "</div>\n";
}

// ---- Tables ------------------------------------------------------------------------------------

std::string Sign(const std::string& op) {
  if (op == "<=") return "&le;";
  if (op == ">=") return "&ge;";
  return op == "==" ? "=" : Escaped(op);
}

void OpenTable(const std::string& id, const std::string& title, const std::string& half,
               std::ostream& out) {
  out << "<section class=\"card" << half << "\" aria-labelledby=\"" << id << "\">\n<h2 id=\"" << id
      << "\">" << title << "</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
      << "aria-labelledby=\"" << id << "\">\n<table>\n";
}
void CloseTable(std::ostream& out) {
  out << "</tbody>\n</table>\n</div>\n</section>\n";
}

void WriteVerdicts(const Report& report, std::ostream& out) {
  OpenTable("h-expect", "What is expected", " half", out);
  out << "<thead><tr><th scope=\"col\"></th><th scope=\"col\">measure</th>"
         "<th scope=\"col\" class=\"num\">is</th><th scope=\"col\" class=\"num\">must be</th>"
         "</tr></thead>\n<tbody>\n";
  for (const Verdict& v : report.verdicts) {
    out << (v.holds ? "<tr><td class=\"good\">ok</td>" : "<tr><td class=\"bad\">FAIL</td>")
        << "<td class=\"word\"><code>" << Breakable(v.name) << "</code></td><td class=\"num\">"
        << (v.value ? ReadableNumber(*v.value) : "unmeasured") << "</td><td class=\"num\">"
        << Sign(v.op) << ' ' << ReadableNumber(v.bound) << "</td></tr>\n";
  }
  CloseTable(out);
}

void WriteSteps(const Report& report, std::ostream& out) {
  OpenTable("h-steps", "Steps", " half", out);
  out << "<thead><tr><th scope=\"col\" class=\"num\"></th><th scope=\"col\">step</th>"
         "<th scope=\"col\" class=\"num\">from</th><th scope=\"col\" class=\"num\">to</th>"
         "<th scope=\"col\" class=\"num\">nodes up</th></tr></thead>\n<tbody>\n";
  for (size_t i = 0; i < report.steps.size(); ++i) {
    const StepTaken& step = report.steps[i];
    out << "<tr><td class=\"num soft\">" << i + 1 << "</td><td>" << Escaped(step.name)
        << "</td><td class=\"num\">" << TimeText(step.from_seconds) << "</td><td class=\"num\">"
        << TimeText(step.to_seconds) << "</td><td class=\"num\">"
        << ReadableNumber(static_cast<double>(step.nodes_up)) << "</td></tr>\n";
  }
  CloseTable(out);
}

void WriteSamples(const Measures& measures, std::ostream& out) {
  if (measures.samples().empty()) return;
  const std::map<std::string, double> all = measures.All();
  OpenTable("h-samples", "Samples", "", out);
  out << "<thead><tr><th scope=\"col\">sample</th>";
  for (const char* column : {"count", "mean", "median", "p99", "p99.9", "most"}) {
    out << "<th scope=\"col\" class=\"num\">" << column << "</th>";
  }
  out << "</tr></thead>\n<tbody>\n";
  for (const auto& [name, values] : measures.samples()) {
    out << "<tr><td><code>" << Escaped(name) << "</code></td>";
    for (const char* part : {".count", ".mean", ".p50", ".p99", ".p99_9", ".max"}) {
      out << "<td class=\"num\">" << ReadableNumber(all.at(name + part)) << "</td>";
    }
    out << "</tr>\n";
  }
  CloseTable(out);
}

void WriteValues(const Measures& measures, std::ostream& out) {
  if (measures.values().empty()) return;
  out << "<section class=\"card\" aria-labelledby=\"h-values\">\n<h2 id=\"h-values\">All other "
         "measures</h2>\n<div class=\"columns\">\n";
  for (const auto& [name, value] : measures.values()) {
    out << "<div><code>" << Breakable(name) << "</code><span class=\"num\">"
        << ReadableNumber(value) << "</span></div>\n";
  }
  out << "</div>\n</section>\n";
}

// ---- Charts ------------------------------------------------------------------------------------

bool IsFlatZero(const Timeline::Series& series) {
  return std::all_of(series.points.begin(), series.points.end(),
                     [](const Timeline::Point& point) { return point.value == 0; });
}

// In the order in which their first series was declared.
std::vector<LineChart> ChartsOf(const Report& report) {
  std::vector<LineChart> charts;
  for (const Timeline::Series& series : report.series) {
    auto chart = std::find_if(charts.begin(), charts.end(),
                              [&](const LineChart& one) { return one.title == series.look.chart; });
    if (chart == charts.end()) {
      LineChart fresh;
      fresh.id = "chart-" + std::to_string(charts.size());
      fresh.title = series.look.chart;
      fresh.unit = series.look.unit;
      fresh.seconds = report.seconds;
      for (const StepTaken& step : report.steps) fresh.step_begins.push_back(step.from_seconds);
      chart = charts.insert(charts.end(), std::move(fresh));
    }
    // A line that never leaves zero says nothing that its absence does not.
    if (!IsFlatZero(series)) chart->lines.push_back({series.look.label, series.points});
  }
  return charts;
}

void WriteCharts(const Report& report, std::ostream& out) {
  if (report.seconds <= 0 || report.series.empty()) return;
  out << "<h2>Over time</h2>\n";
  WriteNote("The stripes are the steps; the numbers above them are those of the list.", out);
  std::string nothing;
  for (const LineChart& chart : ChartsOf(report)) {
    if (chart.lines.empty()) {
      nothing += (nothing.empty() ? "" : ", ") + Escaped(chart.title);
    } else {
      out << LineChartHtml(chart);
    }
  }
  if (!nothing.empty()) WriteNote("Zero throughout: " + nothing + ".", out);
}

// By the name, as tests/sim/README.md has it.
std::string UnitOf(const std::string& name) {
  return name.ends_with("_ms") || name.ends_with(".ms") ? "ms" : "";
}

// Apart by less than this share, values are one value and some rounding.
constexpr double kSame = 1e-6;

void WriteHistograms(const Measures& measures, std::ostream& out) {
  if (measures.samples().empty()) return;
  out << "<h2>How samples are spread</h2>\n";
  size_t count = 0;
  std::string same;
  for (const auto& [name, values] : measures.samples()) {
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    if (*most - *least > kSame * std::max(std::abs(*least), std::abs(*most))) {
      out << HistogramHtml({"sample-" + std::to_string(count++), name, UnitOf(name), values});
    } else {
      same += (same.empty() ? "" : ", ") + Escaped(name) + " is always " + ReadableNumber(*most);
    }
  }
  if (!same.empty()) WriteNote(same + ".", out);
}

void WriteMaps(const Report& report, std::ostream& out) {
  if (report.map.empty()) return;
  out << "<h2>Clusters</h2>\n" << MapShapesHtml();
  if (!report.map_about.empty()) WriteNote(Escaped(report.map_about), out);
  for (size_t level = 0; level < kMapLevels; ++level) out << ClusterMapHtml(report.map, level);
}

Status WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  return file ? absl::OkStatus() : Unavailable("write " + path);
}

}  // namespace

std::string ReportHtml(const Report& report) {
  std::ostringstream out;
  out << "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta name=\"color-scheme\" content=\"light dark\">\n<title>"
      << Escaped(report.name) << ", seed " << report.seed << " &ndash; Reef</title>\n<style>"
      << kReportStyle << "</style>\n</head>\n<body>\n";
  WriteHeader(report, out);
  out << "<main class=\"grid\">\n";
  WriteTiles(report, out);
  WriteVerdicts(report, out);
  WriteSteps(report, out);
  WriteCharts(report, out);
  WriteMaps(report, out);
  WriteHistograms(report.measures, out);
  out << "<h2>Measures</h2>\n";
  WriteSamples(report.measures, out);
  WriteValues(report.measures, out);
  WriteNote("Played again by <code>reef-sim " + Escaped(report.name) + " --seed " +
                std::to_string(report.seed) + "</code>. What a measure means: tests/sim/README.md.",
            out);
  out << "</main>\n</body>\n</html>\n";
  return out.str();
}

std::string MeasuresCsv(const Report& report) {
  std::string csv = "kind,name,value,op,bound,verdict\n";
  for (const auto& [name, value] : report.measures.All()) {
    csv += "measure," + CsvField(name) + "," + ExactNumber(value) + ",,,\n";
  }
  for (const Verdict& v : report.verdicts) {
    csv += "expect," + CsvField(v.name) + "," + (v.value ? ExactNumber(*v.value) : "") + "," +
           v.op + "," + ExactNumber(v.bound) + "," + (v.holds ? "ok" : "FAIL") + "\n";
  }
  return csv;
}

Status WriteReport(const Report& report, const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Unavailable("make folder " + folder + ": " + error.message());
  const std::string stem = folder + "/" + report.name + "-" + std::to_string(report.seed);
  RETURN_IF_ERROR(WriteFile(stem + ".html", ReportHtml(report)));
  RETURN_IF_ERROR(WriteFile(stem + ".csv", SeriesCsv(report.series)));
  return WriteFile(stem + "-measures.csv", MeasuresCsv(report));
}

}  // namespace reef::sim
