// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/access_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <utility>

namespace reef::http {
namespace {

using namespace std::chrono_literals;

constexpr size_t kBufferBytes = 64 * 1024;
constexpr Duration kFlushAfter = 1s;

std::atomic<uint64_t> reopen_generation{1};

void AppendNumber(std::string& out, uint64_t n) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, n);
  out.append(digits, end.ptr);
}

// Quotes, backslashes, controls and bytes beyond ASCII as \xHH (combined) or \u00HH (JSON).
void AppendEscaped(std::string& out, std::string_view text, std::string_view escape) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\') {
      out.append(escape);
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    } else {
      out.push_back(c);
    }
  }
}

// "25/Nov/2024:18:31:07 +0000" or "2024-11-25T18:31:07Z", made once a second and thread.
std::string_view Stamp(WallTime at, AccessLogFormat format) {
  struct Cached {
    int64_t second = -1;
    char text[32] = {};
    size_t size = 0;
  };
  thread_local Cached cached[2];
  Cached& c = cached[format == AccessLogFormat::kJson ? 1 : 0];
  const int64_t second = UnixSeconds(at);
  if (c.second != second) {
    const time_t when = static_cast<time_t>(second);
    std::tm utc{};
    gmtime_r(&when, &utc);
    static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const int n = format == AccessLogFormat::kJson
                      ? std::snprintf(c.text, sizeof c.text, "%04d-%02d-%02dT%02d:%02d:%02dZ",
                                      utc.tm_year % 10000 + 1900, utc.tm_mon + 1, utc.tm_mday,
                                      utc.tm_hour, utc.tm_min, utc.tm_sec)
                      : std::snprintf(c.text, sizeof c.text, "%02d/%s/%04d:%02d:%02d:%02d +0000",
                                      utc.tm_mday, kMonths[utc.tm_mon], utc.tm_year % 10000 + 1900,
                                      utc.tm_hour, utc.tm_min, utc.tm_sec);
    c.size = n > 0 ? static_cast<size_t>(n) : 0;
    c.second = second;
  }
  return {c.text, c.size};
}

uint64_t Microseconds(Duration d) {
  return d.count() > 0 ? static_cast<uint64_t>(d.count() / 1000) : 0;
}

void WriteCombined(const AccessRecord& r, std::string& out) {
  static constexpr std::string_view kEscape = "\\x";
  const auto quoted_or_dash = [&](std::string_view text) {
    out += " \"";
    if (text.empty()) out += '-';
    AppendEscaped(out, text, kEscape);
    out += '"';
  };
  out += r.client.ToString();
  out += " - - [";
  out += Stamp(r.at, AccessLogFormat::kCombined);
  out += "] \"";
  AppendEscaped(out, r.method, kEscape);
  out += ' ';
  AppendEscaped(out, r.target, kEscape);
  out += r.minor_version == 0 ? " HTTP/1.0\" " : " HTTP/1.1\" ";
  AppendNumber(out, static_cast<uint64_t>(r.status));
  out += ' ';
  AppendNumber(out, r.content_bytes);
  quoted_or_dash(r.referer);
  quoted_or_dash(r.user_agent);
  quoted_or_dash(r.host);
  out += ' ';
  out += r.source;
  out += ' ';
  out += r.detail.empty() ? std::string_view("-") : r.detail;
  out += ' ';
  AppendNumber(out, Microseconds(r.first_byte));
  out += ' ';
  AppendNumber(out, Microseconds(r.total));
  out += r.is_whole ? " whole\n" : " cut\n";
}

void WriteJson(const AccessRecord& r, std::string& out) {
  const auto text = [&](std::string_view name, std::string_view value) {
    out += ",\"";
    out += name;
    out += "\":\"";
    AppendEscaped(out, value, "\\u00");
    out += '"';
  };
  const auto number = [&](std::string_view name, uint64_t value) {
    out += ",\"";
    out += name;
    out += "\":";
    AppendNumber(out, value);
  };
  out += "{\"time\":\"";
  out += Stamp(r.at, AccessLogFormat::kJson);
  out += '"';
  text("client", r.client.ToString());
  text("method", r.method);
  text("host", r.host);
  text("target", r.target);
  text("protocol", r.minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1");
  number("status", static_cast<uint64_t>(r.status));
  number("bytes", r.content_bytes);
  text("referer", r.referer);
  text("user_agent", r.user_agent);
  text("source", r.source);
  text("detail", r.detail);
  number("first_byte_us", Microseconds(r.first_byte));
  number("total_us", Microseconds(r.total));
  out += r.is_whole ? ",\"whole\":true}\n" : ",\"whole\":false}\n";
}

}  // namespace

void WriteAccessLine(const AccessRecord& record, AccessLogFormat format, std::string& out) {
  if (format == AccessLogFormat::kJson) {
    WriteJson(record, out);
  } else {
    WriteCombined(record, out);
  }
}

void ReopenAccessLogs() {
  reopen_generation.fetch_add(1, std::memory_order_relaxed);
}

AccessLog::AccessLog(EventLoop& loop, std::string path, AccessLogFormat format)
    : path_(std::move(path)), format_(format), flush_(loop, [this] { Flush(); }) {
  if (enabled()) buffer_.reserve(kBufferBytes + 4096);
}

AccessLog::~AccessLog() {
  Flush();
  if (fd_ >= 0) close(fd_);
}

void AccessLog::Add(const AccessRecord& record) {
  WriteAccessLine(record, format_, buffer_);
  ++buffered_lines_;
  if (buffer_.size() >= kBufferBytes) {
    Flush();
  } else if (!flush_.armed()) {
    flush_.ArmIn(kFlushAfter);
  }
}

void AccessLog::Flush() {
  if (buffer_.empty()) return;
  const uint64_t generation = reopen_generation.load(std::memory_order_relaxed);
  if (fd_ >= 0 && generation != generation_) {
    close(fd_);
    fd_ = -1;
  }
  if (fd_ < 0) {
    fd_ = open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    generation_ = generation;
  }
  std::string_view left = buffer_;
  while (fd_ >= 0 && !left.empty()) {
    const ssize_t n = write(fd_, left.data(), left.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;
    left.remove_prefix(static_cast<size_t>(n));
  }
  if (!left.empty()) lines_lost_ += buffered_lines_;
  buffer_.clear();
  buffered_lines_ = 0;
}

}  // namespace reef::http
