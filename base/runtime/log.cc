// SPDX-License-Identifier: Apache-2.0
#include "base/runtime/log.h"

#include <fcntl.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>

namespace reef {
namespace {

// spdlog's file sink of this version cannot reopen, and buffers: a crash would lose the records
// that explain it. One write(2) a record keeps records whole (O_APPEND) and needs no flush.
class DescriptorSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  ~DescriptorSink() override { CloseOwned(); }

  Status Open(const std::string& file) {
    const int fd = open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
      return Unavailable(fmt::format("log file {}: {}", file, std::strerror(errno)));
    }
    const std::lock_guard lock(mutex_);
    CloseOwned();
    fd_ = fd;
    file_ = file;
    return absl::OkStatus();
  }

  Status Reopen() {
    std::string file;
    {
      const std::lock_guard lock(mutex_);
      file = file_;
    }
    return file.empty() ? absl::OkStatus() : Open(file);
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    // A full disk or a closed pipe must not stop the node: the record is lost.
    [[maybe_unused]] const ssize_t n = write(fd_, line.data(), line.size());
  }
  void flush_() override {}

 private:
  void CloseOwned() {
    if (fd_ != STDERR_FILENO) close(fd_);
  }

  int fd_ = STDERR_FILENO;
  std::string file_;  // empty: stderr
};

struct Log {
  Log() : sink(std::make_shared<DescriptorSink>()), logger("reef", sink) {
    logger.set_formatter(std::make_unique<spdlog::pattern_formatter>(
        "%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc));
    logger.set_level(spdlog::level::debug);  // ours is the one that counts
  }

  std::shared_ptr<DescriptorSink> sink;
  spdlog::logger logger;
};

// Never destroyed: threads may log until the process ends.
Log& TheLog() {
  static Log& log = *new Log;
  return log;
}

std::atomic<LogLevel> threshold{LogLevel::kInfo};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      break;
  }
  return spdlog::level::err;
}

std::string Printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

Status InitLog(LogLevel level, const std::string& file) {
  if (!file.empty()) RETURN_IF_ERROR(TheLog().sink->Open(file));
  threshold.store(level, std::memory_order_relaxed);
  return absl::OkStatus();
}

Status ReopenLog() {
  return TheLog().sink->Reopen();
}

bool LogEnabled(LogLevel level) {
  return level >= threshold.load(std::memory_order_relaxed);
}

void WriteLog(LogLevel level, std::string_view text) {
  const std::string line = Printable(text);
  TheLog().logger.log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace reef
