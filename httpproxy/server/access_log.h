// SPDX-License-Identifier: Apache-2.0
//
// AccessLog: one line a request, in the combined form of Apache and nginx with what the cache did
// behind it, or as JSON. Each loop has its own: lines gather in memory and go to the file, opened
// for append, in whole lines by one write of up to 64 KiB, at the latest a second later. No lock,
// no hand-over, nothing on a request's path but formatting.
//
// The file is opened again after ReopenAccessLogs (log rotation).
//
// On its loop's thread; ReopenAccessLogs from any. A write to a file does not wait for the disk,
// only, in the worst case, for memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/endpoint.h"
#include "base/instant.h"
#include "base/runtime/event_loop.h"

namespace reef::http {

struct AccessRecord {
  WallTime at{};
  IpAddress client;
  std::string_view method;
  std::string_view target;
  std::string_view host;  // as asked for
  int minor_version = 1;  // HTTP/1.x
  int status = 0;
  uint64_t content_bytes = 0;
  std::string_view referer;
  std::string_view user_agent;
  std::string_view source;  // hit, stale, peer, origin, pass, error
  std::string_view detail;  // where a fetch was answered: origin, peer-l0 ... peer-l2
  Duration first_byte{};    // from the request's head to the answer's
  Duration total{};
  bool is_whole = true;  // false: the client left or the body was cut short
};

enum class AccessLogFormat { kCombined, kJson };

// Appends one line. Whatever the client sent cannot break out of its field.
void WriteAccessLine(const AccessRecord& record, AccessLogFormat format, std::string& out);

// Every AccessLog opens its file again before its next write.
void ReopenAccessLogs();

class AccessLog {
 public:
  // `path` empty: nothing is logged.
  AccessLog(EventLoop& loop, std::string path, AccessLogFormat format);
  ~AccessLog();  // writes what is left
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  bool enabled() const { return !path_.empty(); }
  void Add(const AccessRecord& record);
  void Flush();

  uint64_t lines_lost() const { return lines_lost_; }  // the file could not be written

 private:
  const std::string path_;
  const AccessLogFormat format_;
  int fd_ = -1;
  uint64_t generation_ = 0;  // of ReopenAccessLogs when fd_ was opened
  std::string buffer_;
  uint64_t buffered_lines_ = 0;
  uint64_t lines_lost_ = 0;
  Timer flush_;
};

}  // namespace reef::http
