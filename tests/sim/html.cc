// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/html.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace reef::sim {
namespace {

std::string Formatted(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

// A comma before every third digit of the whole part.
std::string Grouped(std::string digits) {
  const size_t first = digits.starts_with('-') ? 1 : 0;
  size_t at = digits.find('.');
  if (at == std::string::npos) at = digits.size();
  while (at > first + 3) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

}  // namespace

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string ReadableNumber(double value) {
  const double size = std::abs(value);
  if (!(size < 1e15)) return Formatted("%.4g", value);
  if (value == std::round(value)) return Grouped(Formatted("%.0f", value + 0.0));
  if (size >= 10000) return Grouped(Formatted("%.0f", value));
  if (size >= 1000) return Grouped(Formatted("%.1f", value));
  return Formatted("%.4g", value);
}

}  // namespace reef::sim
