// SPDX-License-Identifier: Apache-2.0
//
// What the load generators for hash tables share (dsht_load, dsht_udp_load): their flags, what they
// measure and the line they print, so that figures of different protocols can stand side by side.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/instant.h"
#include "base/rng.h"
#include "dsht/core/id.h"

namespace reef::dsht {

struct LoadOptions {
  Endpoint to;
  size_t window = 64;  // queries outstanding
  double seconds = 5;
  uint64_t calls = 0;        // at most; 0: as many as fit into `seconds`
  size_t keys = 10'000;      // stored before, and asked for at random
  size_t values = 4;         // of each key
  bool miss = false;         // ask for keys that are not stored
  bool fill = true;          // store them first; else they are there already
  std::vector<int> pids;     // of the server: its CPU time and memory are read
  std::string dialect = {};  // dsht_udp_load only
  size_t peers = 0;          // dsht_udp_load only: be so many peers instead
};

// Prints why and ends the process.
[[noreturn]] void Fail(const std::string& what);

// Exits on a mistake, which it explains.
LoadOptions ParseLoadOptions(int argc, char** argv);

// Keys to which no peer is closer than the server: some tables refuse others.
std::vector<Key> KeysNear(const NodeId& server, size_t count, uint64_t seed);

// Prints what memory the server had and what it took for each value that was stored since.
void ReportFill(const LoadOptions& options, uint64_t resident_before);

class Measurement {
 public:
  // Starts now.
  explicit Measurement(const LoadOptions& options);

  bool Over(Instant now) const { return now >= end_ || (calls_max_ > 0 && sent_ >= calls_max_); }
  void Sent() { ++sent_; }
  // Counts unless it comes after the end.
  void Answered(Instant now, Duration took, size_t reply_bytes);
  void Wrong() { ++wrong_; }
  void Lost(size_t count) { lost_ += count; }

  // Prints the line; the process's exit code.
  int Report();

 private:
  double Quantile(double q);

  const std::vector<int> pids_;
  const uint64_t calls_max_;
  const Instant start_;
  const Instant end_;
  const double cpu_before_;
  Instant last_;
  uint64_t sent_ = 0;
  uint64_t wrong_ = 0;
  uint64_t lost_ = 0;
  uint64_t reply_bytes_ = 0;
  std::vector<uint32_t> took_us_;
};

}  // namespace reef::dsht
