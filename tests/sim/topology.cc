// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/topology.h"

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <numbers>
#include <sstream>

#include "base/check.h"

namespace reef::sim {
namespace {

constexpr float kSameSiteMs = 1.0F;

// Metropolitan areas and bounds in degrees. PlanetLab's own mix: mostly North America and Europe.
struct Continent {
  int metros;
  double south, north, west, east;
};
constexpr Continent kContinents[] = {
    {42, 29, 47, -122, -72},  // North America
    {29, 38, 58, -8, 28},     // Europe
    {12, 20, 40, 110, 140},   // East Asia
    {4, -33, -3, -70, -40},   // South America
    {3, -38, -28, 116, 152}   // Australia
};
constexpr size_t kSites = 490;

// Sum of uniforms: close enough to a normal distribution, and the same on every platform.
double Normal(Rng& rng) {
  double sum = 0;
  for (int i = 0; i < 12; ++i) sum += rng.Unit();
  return sum - 6;
}

struct Place3d {
  double x, y, z;
};

Place3d RandomPlace(const Continent& within, Rng& rng) {
  constexpr double kRadian = std::numbers::pi / 180;
  const double lat = (within.south + rng.Unit() * (within.north - within.south)) * kRadian;
  const double lon = (within.west + rng.Unit() * (within.east - within.west)) * kRadian;
  return {std::cos(lat) * std::cos(lon), std::cos(lat) * std::sin(lon), std::sin(lat)};
}

double KilometresApart(const Place3d& a, const Place3d& b) {
  const double cosine = std::clamp(a.x * b.x + a.y * b.y + a.z * b.z, -1.0, 1.0);
  return 6371 * std::acos(cosine);
}

std::vector<std::string> Fields(const std::string& line) {
  std::vector<std::string> fields;
  std::stringstream in(line);
  for (std::string field; std::getline(in, field, ',');) fields.push_back(field);
  return fields;
}

// NaN for anything but a number that is not negative.
float ParseMs(const std::string& text) {
  float value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool good = error == std::errc() && end == text.data() + text.size() && value >= 0;
  return good ? value : std::nanf("");
}

StatusOr<std::string> Unzipped(const std::string& path) {
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return NotFound("open " + path);
  std::string text;
  std::string block(1 << 16, '\0');
  int got;
  while ((got = gzread(file, block.data(), static_cast<unsigned>(block.size()))) > 0) {
    text.append(block, 0, static_cast<size_t>(got));
  }
  gzclose(file);
  if (got < 0) return InvalidArgument("read " + path + ": not gzip");
  return text;
}

}  // namespace

std::string FindDataFolder() {
  const char* const named = std::getenv("REEF_DATA");
  std::error_code none;
  std::string folder;
  if (named != nullptr) {
    folder = named;
  } else if (std::filesystem::is_directory(REEF_SHARED_DATA, none)) {
    folder = std::filesystem::weakly_canonical(REEF_SHARED_DATA, none).string();
  }
  std::cerr << "measured data: " << (folder.empty() ? "none" : folder) << '\n';
  return folder;
}

Topology Topology::Synthetic(size_t count, Rng rng) {
  Topology t;
  t.sites_ = kSites;
  t.core_ms_.assign(kSites * kSites, kSameSiteMs);
  std::vector<Place3d> places;
  for (const Continent& continent : kContinents) {
    for (int i = 0; i < continent.metros; ++i) places.push_back(RandomPlace(continent, rng));
  }
  const size_t metros = places.size();
  while (places.size() < kSites) places.push_back(places[rng.Below(metros)]);
  for (size_t a = 0; a < kSites; ++a) {
    for (size_t b = a + 1; b < kSites; ++b) {
      // 1 ms of round trip for 100 km of straight fibre; real paths are longer, each in its own
      // way, which is what makes detours pay.
      const double detour = 1.85 * std::exp(0.3 * Normal(rng));
      const double ms = 2 + 8 * rng.Unit() + KilometresApart(places[a], places[b]) / 100 * detour;
      t.Core(a, b) = t.Core(b, a) = static_cast<float>(ms);
    }
  }
  for (size_t i = 0; i < count; ++i) {
    const double access_ms = std::min(40.0, std::exp(Normal(rng)));  // median 1 ms
    t.nodes_.push_back({static_cast<uint32_t>(rng.Below(kSites)), static_cast<float>(access_ms)});
  }
  return t;
}

Topology Topology::Separable(size_t count, Rng rng) {
  constexpr size_t kAreas = 6;  // of a continent
  Topology t;
  t.sites_ = 3 * kAreas;
  t.core_ms_.assign(t.sites_ * t.sites_, kSameSiteMs);
  for (size_t a = 0; a < t.sites_; ++a) {
    for (size_t b = a + 1; b < t.sites_; ++b) {
      const bool one_continent = a / kAreas == b / kAreas;
      const double ms = one_continent ? 25 + 20 * rng.Unit() : 100 + 100 * rng.Unit();
      t.Core(a, b) = t.Core(b, a) = static_cast<float>(ms);
    }
  }
  for (size_t i = 0; i < count; ++i) {
    const double access_ms = 0.2 + 2.3 * rng.Unit();
    t.nodes_.push_back({static_cast<uint32_t>(rng.Below(t.sites_)), static_cast<float>(access_ms)});
  }
  return t;
}

StatusOr<Topology> Topology::Measured(const std::string& folder, const std::string& name) {
  Topology t;
  const std::string core_path = folder + "/rtt-planetlab490/rtt_median.csv.gz";
  ASSIGN_OR_RETURN(const std::string core, Unzipped(core_path));
  std::stringstream core_lines(core);
  std::string line;
  std::getline(core_lines, line);
  std::map<std::string, uint32_t> site_of;
  for (const std::string& label : Fields(line)) {
    if (label != "node") site_of.emplace(label, static_cast<uint32_t>(site_of.size()));
  }
  t.sites_ = site_of.size();
  while (std::getline(core_lines, line)) {
    const std::vector<std::string> fields = Fields(line);
    if (fields.size() != t.sites_ + 1) return InvalidArgument(core_path + ": a row is too short");
    for (size_t i = 1; i < fields.size(); ++i) {
      const float ms = ParseMs(fields[i]);
      if (std::isnan(ms)) return InvalidArgument(core_path + ": not a number: " + fields[i]);
      t.core_ms_.push_back(ms);
    }
  }
  if (t.core_ms_.size() != t.sites_ * t.sites_) return InvalidArgument(core_path + ": not square");
  for (size_t i = 0; i < t.sites_; ++i) t.Core(i, i) = kSameSiteMs;

  const std::string table_path = folder + "/rtt-composed/" + name + ".csv";
  std::ifstream table(table_path);
  if (!table) return NotFound("open " + table_path);
  std::getline(table, line);
  while (std::getline(table, line)) {
    const std::vector<std::string> fields = Fields(line);
    if (fields.size() != 3 || !site_of.contains(fields[1]) || std::isnan(ParseMs(fields[2]))) {
      return InvalidArgument(table_path + ": expected id,site,access_ms: " + line);
    }
    t.nodes_.push_back({site_of[fields[1]], ParseMs(fields[2])});
  }
  return t;
}

Duration Topology::Rtt(size_t a, size_t b) const {
  REEF_CHECK(a < nodes_.size() && b < nodes_.size());
  if (a == b) return Duration::zero();
  const float ms = core_ms_[nodes_[a].site * sites_ + nodes_[b].site] + nodes_[a].access_ms +
                   nodes_[b].access_ms;
  return std::chrono::microseconds(static_cast<int64_t>(ms * 1000));
}

}  // namespace reef::sim
