// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/cluster_map.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <sstream>

#include "base/check.h"
#include "tests/sim/html.h"

namespace reef::sim {
namespace {

constexpr double kWidth = 720, kMargin = 12;
// Height to width.
constexpr double kFlattest = 0.4, kTallest = 0.8;
// Eight colours, then the same with the next shape.
constexpr size_t kColours = 8;
constexpr size_t kNamedMax = 24;
constexpr const char* kShapes[] = {"disc", "wedge", "box"};

// One scale for both axes: distances on the map are distances.
struct Projection {
  double x_middle, y_middle;
  double scale;
  double height;

  double X(const MapPoint& p) const { return kWidth / 2 + (p.x - x_middle) * scale; }
  double Y(const MapPoint& p) const { return height / 2 - (p.y - y_middle) * scale; }
};

bool IsDrawn(const MapPoint& point) {
  return std::isfinite(point.x) && std::isfinite(point.y);
}

Projection FitTo(const std::vector<MapPoint>& points) {
  double west = std::numeric_limits<double>::max(), east = std::numeric_limits<double>::lowest();
  double south = west, north = east;
  for (const MapPoint& point : points) {
    if (!IsDrawn(point)) continue;
    west = std::min(west, point.x);
    east = std::max(east, point.x);
    south = std::min(south, point.y);
    north = std::max(north, point.y);
  }
  if (west > east) west = east = south = north = 0;
  // All at one place is a place, too.
  const double wide = std::max(east - west, 1e-9);
  const double tall = std::max(north - south, 1e-9);
  const double height = kWidth * std::clamp(tall / wide, kFlattest, kTallest);
  const double scale = std::min((kWidth - 2 * kMargin) / wide, (height - 2 * kMargin) / tall);
  return {(west + east) / 2, (south + north) / 2, scale, height};
}

std::string Tenths(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

// As the dashboard has it: the first eight digits of an id that fills its 64 bits.
std::string IdText(uint64_t cluster) {
  char text[24];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(cluster));
  const std::string digits = text;
  return digits.substr(cluster >> 32 == 0 ? 8 : 0, 8);
}

// A cluster that is told apart must be worth a look.
size_t NamedCount(const std::vector<ClusterSize>& sizes, size_t point_count) {
  const size_t least = std::max<size_t>(2, point_count / 250);
  size_t named = 0;
  while (named < std::min(sizes.size(), kNamedMax) && sizes[named].nodes >= least) ++named;
  return named;
}

std::string Plural(size_t count, const std::string& noun) {
  return ReadableNumber(static_cast<double>(count)) + " " + noun + (count == 1 ? "" : "s");
}

std::string SummaryOf(const std::vector<ClusterSize>& sizes, const std::vector<MapPoint>& points) {
  const auto hidden = static_cast<size_t>(std::count_if(
      points.begin(), points.end(), [](const MapPoint& point) { return !IsDrawn(point); }));
  std::string summary = Plural(points.size(), "node") + " in " + Plural(sizes.size(), "cluster");
  if (sizes.size() > 1) {
    summary += ", the largest of " + ReadableNumber(static_cast<double>(sizes.front().nodes));
  }
  return hidden > 0 ? summary + "; " + Plural(hidden, "node") + " without a place" : summary;
}

std::string ColourOf(size_t rank) {
  return "fill:var(--c" + std::to_string(rank % kColours + 1) + ")";
}

// `rank` among the largest clusters; kNamedMax: one of the others.
std::string ShapeOf(size_t rank) {
  return rank >= kNamedMax ? "ring" : kShapes[rank / kColours];
}

double PointSize(size_t point_count) {
  return std::clamp(240 / std::sqrt(static_cast<double>(point_count)), 3.5, 12.0);
}

void DrawPoint(const MapPoint& point, const Projection& where, const std::string& shape,
               double size, std::ostream& out) {
  out << "<use href=\"#" << shape << "\" x=\"" << Tenths(where.X(point) - size / 2) << "\" y=\""
      << Tenths(where.Y(point) - size / 2) << "\" width=\"" << Tenths(size) << "\" height=\""
      << Tenths(size) << '"';
  if (point.label.empty()) {
    out << "/>";
  } else {
    out << "><title>" << Escaped(point.label) << "</title></use>";
  }
}

// The others first, then from the largest on: the small ones lie on top.
void DrawPoints(const std::vector<MapPoint>& points, size_t level,
                const std::vector<ClusterSize>& sizes, size_t named, std::ostream& out) {
  std::map<uint64_t, size_t> rank_of;
  for (size_t rank = 0; rank < named; ++rank) rank_of[sizes[rank].cluster] = rank;
  std::vector<std::vector<const MapPoint*>> groups(named + 1);
  for (const MapPoint& point : points) {
    if (!IsDrawn(point)) continue;
    const auto rank = rank_of.find(point.cluster_by_level[level]);
    groups[rank == rank_of.end() ? 0 : rank->second + 1].push_back(&point);
  }
  const Projection where = FitTo(points);
  const double size = PointSize(points.size());
  for (size_t i = 0; i <= named; ++i) {
    out << "<g" << (i == 0 ? " class=\"other\"" : " style=\"" + ColourOf(i - 1) + "\"") << ">\n";
    for (const MapPoint* point : groups[i]) {
      DrawPoint(*point, where, ShapeOf(i == 0 ? kNamedMax : i - 1), size, out);
    }
    out << "</g>\n";
  }
}

void ListEntry(const std::string& style, const std::string& shape, const std::string& name,
               size_t nodes, std::ostream& out) {
  out << "<li><svg class=\"mark\" viewBox=\"0 0 10 10\" aria-hidden=\"true\"" << style
      << "><use href=\"#" << shape << "\" width=\"10\" height=\"10\"/></svg>" << name
      << " <span class=\"num\">" << ReadableNumber(static_cast<double>(nodes)) << "</span></li>\n";
}

void ListClusters(const std::vector<ClusterSize>& sizes, size_t named, std::ostream& out) {
  out << "<ul class=\"clusters\">\n";
  for (size_t rank = 0; rank < named; ++rank) {
    ListEntry(" style=\"" + ColourOf(rank) + "\"", ShapeOf(rank),
              "<code>" + IdText(sizes[rank].cluster) + "</code>", sizes[rank].nodes, out);
  }
  size_t others = 0;
  for (size_t rank = named; rank < sizes.size(); ++rank) others += sizes[rank].nodes;
  if (others > 0) {
    ListEntry("", ShapeOf(kNamedMax), Plural(sizes.size() - named, "other"), others, out);
  }
  out << "</ul>\n";
}

}  // namespace

std::vector<ClusterSize> ClusterSizes(const std::vector<MapPoint>& points, size_t level) {
  REEF_CHECK(level < kMapLevels);
  std::map<uint64_t, size_t> nodes_of;
  for (const MapPoint& point : points) ++nodes_of[point.cluster_by_level[level]];
  std::vector<ClusterSize> sizes;
  for (const auto& [cluster, nodes] : nodes_of) sizes.push_back({cluster, nodes});
  std::stable_sort(sizes.begin(), sizes.end(),
                   [](const ClusterSize& a, const ClusterSize& b) { return a.nodes > b.nodes; });
  return sizes;
}

std::string ClusterMapHtml(const std::vector<MapPoint>& points, size_t level) {
  REEF_CHECK(!points.empty());
  const std::vector<ClusterSize> sizes = ClusterSizes(points, level);
  const size_t named = NamedCount(sizes, points.size());
  const std::string id = "map-" + std::to_string(level);
  const std::string summary = SummaryOf(sizes, points);
  std::ostringstream out;
  out << "<section class=\"card\" aria-labelledby=\"" << id << "-t\">\n<h3 id=\"" << id
      << "-t\">Level " << level << "</h3><p class=\"soft\">" << summary
      << "</p>\n<div class=\"map\">\n<svg viewBox=\"0 0 " << Tenths(kWidth) << ' '
      << Tenths(FitTo(points).height) << "\" role=\"img\" aria-labelledby=\"" << id << "-s\">\n"
      << "<title id=\"" << id << "-s\">Map of level " << level << ": " << summary << "</title>\n";
  DrawPoints(points, level, sizes, named, out);
  out << "</svg>\n";
  ListClusters(sizes, named, out);
  out << "</div>\n</section>\n";
  return out.str();
}

std::string MapShapesHtml() {
  return R"svg(<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>
<symbol id="disc" viewBox="0 0 10 10"><circle cx="5" cy="5" r="4.6"/></symbol>
<symbol id="wedge" viewBox="0 0 10 10"><path d="M5 .2L9.8 9H.2z"/></symbol>
<symbol id="box" viewBox="0 0 10 10"><path d="M1 1h8v8H1z"/></symbol>
<symbol id="ring" viewBox="0 0 10 10"><circle cx="5" cy="5" r="3.6" fill="none" stroke="var(--ring)" stroke-width="1.8"/></symbol>
</defs></svg>
)svg";
}

}  // namespace reef::sim
