// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/response_head.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"

namespace reef::http {
namespace {

constexpr std::string_view kCrlf = "\r\n";

// "Name: number\r\n"
void AppendNumberLine(std::string_view name, uint64_t value, std::string& out) {
  char line[64];
  char* p = line + name.copy(line, name.size());
  p = std::to_chars(p, line + sizeof line, value).ptr;
  *p++ = '\r';
  *p++ = '\n';
  out.append(line, p);
}

void AppendLine(std::string_view name, std::string_view value, std::string& out) {
  out += name;
  out += value;
  out += kCrlf;
}

void AppendStatusLine(int status, std::string_view reason, std::string& out) {
  REEF_CHECK(status >= 100 && status <= 999) << status;
  if (status == 200 && (reason.empty() || reason == "OK")) {
    out += "HTTP/1.1 200 OK\r\n";
    return;
  }
  char digits[4] = {static_cast<char>('0' + status / 100),
                    static_cast<char>('0' + status / 10 % 10), static_cast<char>('0' + status % 10),
                    ' '};
  out += "HTTP/1.1 ";
  out.append(digits, sizeof digits);
  AppendLine(reason.empty() ? ReasonPhrase(status) : reason, {}, out);
}

void AppendConnection(const ResponseStart& start, std::string& out) {
  if (start.status < 200) return;
  if (!start.keep_alive) {
    out += "Connection: close\r\n";
  } else if (start.minor == 0) {
    out += "Connection: keep-alive\r\n";  // RFC 9112, C.2.2
  }
}

// An upper bound of what AppendResponseHead writes, so that the buffer grows once.
size_t HeadBytesMax(const ResponseStart& start) {
  constexpr size_t kFixed = 320;
  size_t bytes = kFixed + start.reason.size() + start.fields.size() + start.more_fields.size() +
                 start.via.size() + start.upstream_cache_status.size();
  if (start.cache_status != nullptr) {
    bytes +=
        kCacheStatusBytesMax + start.cache_status->cache.size() + start.cache_status->detail.size();
  }
  return bytes;
}

}  // namespace

void AppendResponseHead(const ResponseStart& start, std::string& out) {
  const size_t needed = out.size() + HeadBytesMax(start);
  if (out.capacity() < needed) out.reserve(std::max(needed, out.capacity() * 2));

  AppendStatusLine(start.status, start.reason, out);
  if (!start.date.empty()) AppendLine("Date: ", start.date, out);
  out += start.fields;
  out += start.more_fields;
  if (start.framing.kind == BodyFraming::Kind::kLength) {
    AppendNumberLine("Content-Length: ", start.framing.length, out);
  } else if (start.framing.kind == BodyFraming::Kind::kChunked) {
    out += "Transfer-Encoding: chunked\r\n";
  }
  if (start.age_seconds) {
    AppendNumberLine("Age: ", static_cast<uint64_t>(std::max<int64_t>(*start.age_seconds, 0)), out);
  }
  if (!start.via.empty()) AppendLine("Via: 1.1 ", start.via, out);
  if (start.cache_status != nullptr) {
    out += "Cache-Status: ";
    if (!start.upstream_cache_status.empty()) {
      out += start.upstream_cache_status;
      out += ", ";
    }
    AppendCacheStatus(*start.cache_status, out);
    out += kCrlf;
  }
  AppendConnection(start, out);
  out += kCrlf;
}

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 102:
      return "Processing";
    case 103:
      return "Early Hints";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 203:
      return "Non-Authoritative Information";
    case 204:
      return "No Content";
    case 205:
      return "Reset Content";
    case 206:
      return "Partial Content";
    case 300:
      return "Multiple Choices";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 451:
      return "Unavailable For Legal Reasons";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 508:
      return "Loop Detected";
    default:
      return "Unknown";
  }
}

}  // namespace reef::http
