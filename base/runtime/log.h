// SPDX-License-Identifier: Apache-2.0
//
// The process's log: levels, one line a record, fmt-style formatting, through spdlog. To stderr by
// default. Cores never log: their drivers do. Any thread; a call below the level costs a load.
//
// Never on the path of a cache hit or a DNS answer (those count into metrics and the access log),
// and never a secret: keys, tokens, cookies, authorization.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace reef {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// Before threads are started. `file` empty: stderr. Until called, and after a failure: stderr,
// info.
Status InitLog(LogLevel level, const std::string& file);
// For log rotation (SIGHUP): opens the file again and closes the old one; if that fails the old one
// stays in use.
Status ReopenLog();
bool LogEnabled(LogLevel level);
// Control characters are written as \xNN: a stranger's text cannot forge a record.
void WriteLog(LogLevel level, std::string_view text);

template <typename... Args>
void LogAt(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (LogEnabled(level)) WriteLog(level, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void LogDebug(fmt::format_string<Args...> format, Args&&... args) {
  LogAt(LogLevel::kDebug, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogInfo(fmt::format_string<Args...> format, Args&&... args) {
  LogAt(LogLevel::kInfo, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogWarning(fmt::format_string<Args...> format, Args&&... args) {
  LogAt(LogLevel::kWarning, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogError(fmt::format_string<Args...> format, Args&&... args) {
  LogAt(LogLevel::kError, format, std::forward<Args>(args)...);
}

}  // namespace reef
