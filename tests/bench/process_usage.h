// SPDX-License-Identifier: Apache-2.0
//
// What a server under measurement has used, from /proc. A process that is not there is a mistake of
// whoever started the measurement: said on stderr, exit code 1.
//
// Free functions; read files.
#pragma once

#include <cstdint>
#include <vector>

namespace reef {

// User and system time of the processes and all their threads so far.
double CpuSeconds(const std::vector<int>& pids);
// Of all of them, shared pages included.
uint64_t ResidentBytes(const std::vector<int>& pids);

}  // namespace reef
