// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/process_usage.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace reef {
namespace {

[[noreturn]] void NoProcess(int pid) {
  std::fprintf(stderr, "no process %d: expected the id of the server that is measured\n", pid);
  std::exit(1);
}

}  // namespace

double CpuSeconds(const std::vector<int>& pids) {
  double ticks = 0;
  for (const int pid : pids) {
    // proc(5): stat, fields 14 and 15.
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const size_t after_name = text.rfind(')');
    if (after_name == std::string::npos) NoProcess(pid);
    std::istringstream fields(text.substr(after_name + 1));
    std::string skipped;
    for (int i = 3; i < 14; ++i) fields >> skipped;
    double user = 0;
    double system = 0;
    fields >> user >> system;
    ticks += user + system;
  }
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

uint64_t ResidentBytes(const std::vector<int>& pids) {
  uint64_t pages = 0;
  for (const int pid : pids) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
    uint64_t size = 0;
    uint64_t resident = 0;
    if (!(file >> size >> resident)) NoProcess(pid);
    pages += resident;
  }
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace reef
