// SPDX-License-Identifier: Apache-2.0
//
// The program's verbs and flags. Runs on the main thread and blocks until the verb is done.
#pragma once

namespace reef::deploy {

// What scripts and service managers see (sysexits.h where it has a number).
enum ExitCode {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,         // unknown verb or flag, or a flag's value is wrong
  kUnreachable = 69,  // the node that was to be asked does not answer
  kBadConfig = 78,    // the configuration file is absent, unreadable or wrong
};

int RunCli(int argc, const char* const* argv);

}  // namespace reef::deploy
