// SPDX-License-Identifier: Apache-2.0
//
// RunNode: a node in the foreground, from start to the signal that ends it. The main thread's: it
// blocks, and takes the process's signals.
//
//   SIGTERM, SIGINT  drain, stop, return 0; a second one ends the process at once
//   SIGHUP           open the log files again
#pragma once

#include "proto/config.pb.h"

namespace reef::deploy {

// Prints "ready: ..." to stdout once clients may come. Returns the exit code: 0, or 1 with a
// sentence on stderr. Requires: FillDefaults and CheckWhole were passed.
int RunNode(const config::Config& config);

}  // namespace reef::deploy
