// SPDX-License-Identifier: Apache-2.0
//
// How a server under measurement is told to stop: by SIGTERM or SIGINT.
//
// Free functions. Of the system alone: the peers' servers are compiled without Reef.
#pragma once

#include <signal.h>

namespace reef {

inline sigset_t StopSignals() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  return ends;
}

// Call before any thread is started: each inherits it.
inline void BlockStopSignals() {
  const sigset_t ends = StopSignals();
  sigprocmask(SIG_BLOCK, &ends, nullptr);
}

// Blocks until one comes. Requires: BlockStopSignals.
inline void AwaitStopSignal() {
  const sigset_t ends = StopSignals();
  int signal = 0;
  sigwait(&ends, &signal);
}

}  // namespace reef
