// SPDX-License-Identifier: Apache-2.0
#include "deploy/node/run.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>

#include "base/runtime/log.h"
#include "base/runtime/socket.h"
#include "deploy/node/node.h"
#include "httpproxy/server/access_log.h"

namespace reef::deploy {
namespace {

constexpr timespec kReadyPoll = {.tv_sec = 0, .tv_nsec = 50'000'000};

LogLevel ToLevel(config::LogLevel level) {
  switch (level) {
    case config::LOG_LEVEL_DEBUG:
      return LogLevel::kDebug;
    case config::LOG_LEVEL_WARNING:
      return LogLevel::kWarning;
    case config::LOG_LEVEL_ERROR:
      return LogLevel::kError;
    default:
      return LogLevel::kInfo;
  }
}

sigset_t OurSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

// Every connection is a descriptor: use what the system grants.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// The loops open it when they first write, and would only lose lines then.
Status CheckAccessLog(const std::string& file) {
  if (file.empty()) return absl::OkStatus();
  const UniqueFd fd(open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
  return fd ? absl::OkStatus() : Unavailable("access log " + file + ": " + std::strerror(errno));
}

void ReopenLogs() {
  if (const Status status = ReopenLog(); !status.ok()) {
    LogError("log not reopened: {}", std::string(FromAbsl(status.message())));
  }
  http::ReopenAccessLogs();
  LogInfo("log files reopened");
}

// Until SIGTERM or SIGINT, whose number is returned.
int Serve(const Node& node, const sigset_t& signals) {
  bool told = false;
  while (true) {
    if (!told && node.WhyNotReady().empty()) {
      told = true;
      std::printf("ready: %s\n", node.Endpoints().c_str());
      std::fflush(stdout);
    }
    const int signal =
        told ? sigwaitinfo(&signals, nullptr) : sigtimedwait(&signals, nullptr, &kReadyPoll);
    if (signal == SIGHUP) ReopenLogs();
    if (signal == SIGTERM || signal == SIGINT) return signal;
  }
}

int Failed(const Status& status) {
  std::fprintf(stderr, "reef: %s\n", std::string(FromAbsl(status.message())).c_str());
  return 1;
}

}  // namespace

int RunNode(const config::Config& config) {
  // Before there are threads: they inherit the mask, so that signals wait for this one.
  const sigset_t signals = OurSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  RaiseDescriptorLimit();
  if (const Status status = InitLog(ToLevel(config.log().level()), config.log().file());
      !status.ok()) {
    return Failed(status);
  }
  if (const Status status = CheckAccessLog(config.access_log().file()); !status.ok()) {
    return Failed(status);
  }

  Node node(config);
  if (const Status status = node.Start(); !status.ok()) return Failed(status);
  const int ended_by = Serve(node, signals);
  LogInfo("{}: draining", ended_by == SIGTERM ? "SIGTERM" : "SIGINT");
  // The second one has its usual effect, at once.
  sigset_t ending = signals;
  sigdelset(&ending, SIGHUP);
  pthread_sigmask(SIG_UNBLOCK, &ending, nullptr);
  node.Drain();
  node.Stop();
  LogInfo("stopped");
  return 0;
}

}  // namespace reef::deploy
