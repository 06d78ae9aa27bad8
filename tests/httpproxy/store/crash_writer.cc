// SPDX-License-Identifier: Apache-2.0
//
// crash_writer DIRECTORY DISK_BYTES SEED FIRST_STEP: takes one step after the other
// (crash_content.h), and after each ten waits until they are on disk and says so with one byte on
// stdout. Runs until it is killed (crash_test.cc).
#include <unistd.h>

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/check.h"
#include "tests/httpproxy/store/crash_content.h"

namespace reef::http {
namespace {

void Take(const CrashStep& step, Cache& cache) {
  switch (step.what) {
    case CrashStep::What::kPut:
      Store(cache, step.name, CrashContent(step.content_seed), step.etag);
      break;
    case CrashStep::What::kNewHead:
      if (const auto held = Get(cache, step.name)) {
        cache.Insert(MakeObject(step.name, held->body, step.etag));
      }
      break;
    case CrashStep::What::kErase:
      cache.Erase(KeyOf(step.name));
      break;
    case CrashStep::What::kAbort: {
      const auto body = cache.NewBody();
      cache.Insert(MakeObject(step.name, body));
      body->Append(CrashContent(step.content_seed));
      body->Abort("as the steps say");
      break;
    }
  }
}

}  // namespace
}  // namespace reef::http

int main(int argc, char** argv) {
  using namespace reef;
  using namespace reef::http;
  REEF_CHECK(argc == 5);
  auto opened = Cache::Open(CrashOptions(argv[1], ParseDecimal(argv[2]).value()));
  REEF_CHECK(opened.ok()) << opened.status();
  const uint64_t seed = ParseDecimal(argv[3]).value();
  for (uint64_t i = ParseDecimal(argv[4]).value();; ++i) {
    Take(CrashStepAt(seed, i), **opened);
    if (i % kReportedSteps != kReportedSteps - 1) continue;
    REEF_CHECK(WaitForDisk(**opened));
    if (write(STDOUT_FILENO, "x", 1) != 1) return 1;
  }
}
