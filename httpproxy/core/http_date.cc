// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/http_date.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"

namespace reef::http {
namespace {

using std::chrono::day;
using std::chrono::month;
using std::chrono::sys_days;
using std::chrono::year;
using std::chrono::year_month_day;

constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 7> kLongDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Reads a text from the left; the first mismatch makes it fail for good.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  void Literal(std::string_view literal) {
    if (!rest_.starts_with(literal)) return Fail();
    rest_.remove_prefix(literal.size());
  }
  // The index of the name that comes next.
  template <size_t kCount>
  unsigned OneOf(const std::array<std::string_view, kCount>& names) {
    for (unsigned i = 0; i < kCount; ++i) {
      if (rest_.starts_with(names[i])) {
        rest_.remove_prefix(names[i].size());
        return i;
      }
    }
    Fail();
    return 0;
  }
  unsigned Digits(size_t count) {
    unsigned value = 0;
    if (rest_.size() < count) return Fail(), 0;
    for (size_t i = 0; i < count; ++i) {
      if (!IsDigit(rest_[i])) return Fail(), 0;
      value = value * 10 + static_cast<unsigned>(rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }
  // asctime: "16" or " 6".
  unsigned DayOrPadded() {
    if (!rest_.starts_with(' ')) return Digits(2);
    rest_.remove_prefix(1);
    return Digits(1);
  }
  bool Finished() const { return !failed_ && rest_.empty(); }

 private:
  void Fail() { failed_ = true; }
  std::string_view rest_;
  bool failed_ = false;
};

// WallTime counts nanoseconds, 292 years to each side of 1970. Dates are clamped to where no sum of
// two of them, or of one and a lifetime, overflows: "long ago" and "far from now".
constexpr int64_t kFirst = -631'152'000;  // 1950
constexpr int64_t kLast = 4'102'444'800;  // 2100

struct Parts {
  unsigned year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;  // month from 1
};

void ReadTime(Reader& reader, Parts& parts) {
  parts.hour = reader.Digits(2);
  reader.Literal(":");
  parts.minute = reader.Digits(2);
  reader.Literal(":");
  parts.second = reader.Digits(2);
}

// Sun, 06 Nov 1994 08:49:37 GMT
bool ReadImf(std::string_view text, Parts& parts) {
  Reader reader(text);
  reader.OneOf(kDays);
  reader.Literal(", ");
  parts.day = reader.Digits(2);
  reader.Literal(" ");
  parts.month = reader.OneOf(kMonths) + 1;
  reader.Literal(" ");
  parts.year = reader.Digits(4);
  reader.Literal(" ");
  ReadTime(reader, parts);
  reader.Literal(" GMT");
  return reader.Finished();
}

// Sunday, 06-Nov-94 08:49:37 GMT
bool ReadRfc850(std::string_view text, Parts& parts) {
  Reader reader(text);
  reader.OneOf(kLongDays);
  reader.Literal(", ");
  parts.day = reader.Digits(2);
  reader.Literal("-");
  parts.month = reader.OneOf(kMonths) + 1;
  reader.Literal("-");
  const unsigned two_digits = reader.Digits(2);
  parts.year = two_digits < 70 ? 2000 + two_digits : 1900 + two_digits;
  reader.Literal(" ");
  ReadTime(reader, parts);
  reader.Literal(" GMT");
  return reader.Finished();
}

// Sun Nov  6 08:49:37 1994
bool ReadAsctime(std::string_view text, Parts& parts) {
  Reader reader(text);
  reader.OneOf(kDays);
  reader.Literal(" ");
  parts.month = reader.OneOf(kMonths) + 1;
  reader.Literal(" ");
  parts.day = reader.DayOrPadded();
  reader.Literal(" ");
  ReadTime(reader, parts);
  reader.Literal(" ");
  parts.year = reader.Digits(4);
  return reader.Finished();
}

std::optional<WallTime> Combine(const Parts& parts) {
  if (parts.hour > 23 || parts.minute > 59 || parts.second > 60) return std::nullopt;
  const year_month_day date(year(static_cast<int>(parts.year)), month(parts.month), day(parts.day));
  if (!date.ok() || parts.year == 0) return std::nullopt;
  const unsigned second = parts.second == 60 ? 59 : parts.second;
  const int64_t days = sys_days(date).time_since_epoch().count();
  const int64_t seconds = days * 86'400 + parts.hour * 3'600 + parts.minute * 60 + second;
  return FromUnixSeconds(std::clamp(seconds, kFirst, kLast));
}

void Put2(char* out, unsigned value) {
  out[0] = static_cast<char>('0' + value / 10);
  out[1] = static_cast<char>('0' + value % 10);
}

}  // namespace

std::optional<WallTime> ParseHttpDate(std::string_view text) {
  Parts parts;
  if (ReadImf(text, parts) || ReadRfc850(text, parts) || ReadAsctime(text, parts)) {
    return Combine(parts);
  }
  return std::nullopt;
}

void WriteHttpDate(WallTime time, char* out) {
  const int64_t seconds = UnixSeconds(time);
  const int64_t days = (seconds >= 0 ? seconds : seconds - 86'399) / 86'400;
  const auto of_day = static_cast<unsigned>(seconds - days * 86'400);
  const sys_days date{std::chrono::days(days)};
  const year_month_day parts(date);
  const auto y = static_cast<unsigned>(static_cast<int>(parts.year()));
  REEF_CHECK(y >= 1 && y <= 9999) << "year " << y;

  kDays[std::chrono::weekday(date).c_encoding()].copy(out, 3);
  out[3] = ',';
  out[4] = ' ';
  Put2(out + 5, static_cast<unsigned>(parts.day()));
  out[7] = ' ';
  kMonths[static_cast<unsigned>(parts.month()) - 1].copy(out + 8, 3);
  out[11] = ' ';
  Put2(out + 12, y / 100);
  Put2(out + 14, y % 100);
  out[16] = ' ';
  Put2(out + 17, of_day / 3'600);
  out[19] = ':';
  Put2(out + 20, of_day / 60 % 60);
  out[22] = ':';
  Put2(out + 23, of_day % 60);
  std::string_view(" GMT").copy(out + 25, 4);
}

std::string HttpDate(WallTime time) {
  std::string text(kHttpDateBytes, '\0');
  WriteHttpDate(time, text.data());
  return text;
}

}  // namespace reef::http
