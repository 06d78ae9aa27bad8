// SPDX-License-Identifier: Apache-2.0
//
// What the program that is killed (crash_writer.cc) does to its cache, step by step, and the test
// that kills it expects: both compute it from the seed.
#pragma once

#include <cstdint>
#include <iterator>
#include <string>

#include "base/rng.h"
#include "httpproxy/store/cache.h"
#include "tests/httpproxy/store/support.h"

namespace reef::http {

inline Cache::Options CrashOptions(const std::string& directory, uint64_t disk_bytes_max) {
  Cache::Options options;
  options.directory = directory;
  options.memory_bytes_max = 16 << 20;
  options.disk_bytes_max = disk_bytes_max;
  return options;
}

// The writer reports after so many steps that they are on disk.
inline constexpr uint64_t kReportedSteps = 10;

struct CrashStep {
  enum class What { kPut, kNewHead, kErase, kAbort } what = What::kPut;
  std::string name;
  std::string etag;           // kPut, kNewHead
  uint64_t content_seed = 0;  // kPut, kAbort
};

inline CrashStep CrashStepAt(uint64_t seed, uint64_t i) {
  Rng rng(seed * 1'000'003 + i);
  CrashStep step;
  const uint64_t choice = rng.Below(100);
  step.what = choice < 65   ? CrashStep::What::kPut
              : choice < 80 ? CrashStep::What::kNewHead
              : choice < 95 ? CrashStep::What::kErase
                            : CrashStep::What::kAbort;
  step.name = std::to_string(rng.Below(300));
  step.etag = std::to_string(i);
  step.content_seed = rng.Next();
  return step;
}

// Some empty, most small, some of several segments.
inline std::string CrashContent(uint64_t seed) {
  const size_t sizes[] = {0, 10, 700, 3000, 20'000, kSegmentBytes, 700'000};
  return ContentOf(seed, sizes[Rng(seed).Below(std::size(sizes))]);
}

}  // namespace reef::http
