// SPDX-License-Identifier: Apache-2.0
//
// kill -9: a program (crash_writer.cc) works on a cache and is killed at a random point, over and
// over in the same folder. What it had said to be on disk must be there, byte for byte, and nothing
// wrong may be: no bytes that were never stored, no older version, nothing that was erased.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "base/runtime/clock.h"
#include "httpproxy/store/cache.h"
#include "tests/httpproxy/store/crash_content.h"
#include "tests/httpproxy/store/support.h"
#include "tests/httpproxy/store/temp_folder.h"

namespace reef::http {
namespace {

// How often in one folder.
int Kills() {
  return CountFrom("REEF_CRASH_KILLS", 10);
}

struct Held {
  std::string etag;
  Bytes content;

  friend bool operator==(const Held&, const Held&) = default;
  friend void PrintTo(const Held& held, std::ostream* out) {
    *out << "etag " << held.etag << ", ";
    PrintTo(held.content, out);
  }
};
using State = std::map<std::string, Held>;

void Apply(const CrashStep& step, State& state) {
  switch (step.what) {
    case CrashStep::What::kPut:
      state[step.name] = {step.etag, CrashContent(step.content_seed)};
      break;
    case CrashStep::What::kNewHead:
      if (const auto held = state.find(step.name); held != state.end()) {
        held->second.etag = step.etag;
      }
      break;
    case CrashStep::What::kErase:
      state.erase(step.name);
      break;
    case CrashStep::What::kAbort:
      break;
  }
}

std::optional<Held> Find(const State& state, const std::string& name) {
  const auto held = state.find(name);
  if (held == state.end()) return std::nullopt;
  return held->second;
}

// All that the cache holds, read back.
State Read(Cache& cache) {
  State state;
  for (int i = 0; i < 300; ++i) {
    const std::string name = std::to_string(i);
    const auto object = Get(cache, name);
    if (object == nullptr) continue;
    const ReadResult read = ReadWhole(object->body);
    if (read.end == Body::Chunk::What::kEnd) state[name] = {object->head.etag, read.bytes};
  }
  return state;
}

class CrashTest : public testing::TestWithParam<uint64_t> {
 protected:
  explicit CrashTest(uint64_t disk_bytes_max)
      : options_(CrashOptions(folder_.path() + "/cache", disk_bytes_max)) {}
  CrashTest() : CrashTest(4ull << 30) {}

  // Runs the writer from step `first` on. How many steps it had reported when it was killed.
  uint64_t RunUntilKilled(uint64_t first) {
    int ends[2];
    REEF_CHECK(pipe2(ends, O_CLOEXEC) == 0);
    const pid_t child = fork();
    REEF_CHECK(child >= 0);
    if (child == 0) {
      dup2(ends[1], STDOUT_FILENO);
      execl(REEF_CRASH_WRITER, REEF_CRASH_WRITER, options_.directory.c_str(),
            std::to_string(options_.disk_bytes_max).c_str(), std::to_string(GetParam()).c_str(),
            std::to_string(first).c_str(), nullptr);
      _exit(127);
    }
    close(ends[1]);
    uint64_t reported = 0;
    char byte;
    for (uint64_t left = 1 + rng_.Below(20); left > 0 && read(ends[0], &byte, 1) == 1; --left) {
      reported += kReportedSteps;
    }
    // Somewhere in the next steps: spinning is the finest delay there is.
    const Instant at = MonotonicNow() + std::chrono::microseconds(rng_.Below(5000));
    while (MonotonicNow() < at) {
    }
    kill(child, SIGKILL);
    while (read(ends[0], &byte, 1) == 1) reported += kReportedSteps;
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    return reported;
  }

  // `may_miss`: the disk is so small that objects leave it.
  void KillOverAndOver(bool may_miss) {
    State state;
    uint64_t step = 0;
    for (int kill = 0; kill < Kills(); ++kill) {
      const uint64_t reported = RunUntilKilled(step);
      ASSERT_GT(reported, 0u);
      // What was under way may be in effect or not, each key on its own.
      for (uint64_t i = 0; i < reported; ++i) Apply(CrashStepAt(GetParam(), step++), state);
      std::vector<State> possible = {state};
      for (uint64_t i = 0; i < kReportedSteps; ++i) {
        Apply(CrashStepAt(GetParam(), step++), state);
        possible.push_back(state);
      }

      auto cache = Cache::Open(options_);
      ASSERT_TRUE(cache.ok()) << cache.status();
      EXPECT_EQ((*cache)->stats().damaged_dropped, 0u);
      EXPECT_TRUE(WaitForDisk(**cache));
      EXPECT_LE((*cache)->stats().disk_bytes, options_.disk_bytes_max);
      state = Read(**cache);
      for (int i = 0; i < 300; ++i) {
        const std::string name = std::to_string(i);
        const auto held = Find(state, name);
        if (!held && may_miss) continue;
        ASSERT_TRUE(std::any_of(possible.begin(), possible.end(),
                                [&](const State& each) { return Find(each, name) == held; }))
            << "kill " << kill << ", object " << name << ": held " << testing::PrintToString(held)
            << ", reported " << testing::PrintToString(Find(possible.front(), name));
      }
    }
    EXPECT_GE(state.size(), 20u);
  }

  TempFolder folder_;
  const Cache::Options options_;
  Rng rng_{GetParam()};
};

TEST_P(CrashTest, LosesNothingReportedAndServesNothingWrongAfterKills) {
  KillOverAndOver(/*may_miss=*/false);
}

// Reclaims files and moves objects all the time.
class FullDiskCrashTest : public CrashTest {
 protected:
  FullDiskCrashTest() : CrashTest(16 << 20) {}
};

TEST_P(FullDiskCrashTest, ServesNothingWrongAndStaysWithinItsLimitAfterKills) {
  KillOverAndOver(/*may_miss=*/true);
}

INSTANTIATE_TEST_SUITE_P(Seeds, CrashTest, testing::Values(1, 2, 3));
INSTANTIATE_TEST_SUITE_P(Seeds, FullDiskCrashTest, testing::Values(4, 5));

}  // namespace
}  // namespace reef::http
