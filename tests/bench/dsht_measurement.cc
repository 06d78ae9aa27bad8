// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/dsht_measurement.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/bytes.h"
#include "base/runtime/clock.h"
#include "tests/bench/process_usage.h"

namespace reef::dsht {
namespace {

// Answers of which the latency is kept, 4 bytes each; beyond, the run ends.
constexpr uint64_t kCallsMax = 20'000'000;

uint64_t Number(std::string_view flag, const char* text) {
  const std::optional<uint64_t> number = ParseDecimal(text);
  if (!number) Fail(std::string(flag) + ": not a number: " + text);
  return *number;
}

}  // namespace

void Fail(const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, what.c_str());
  std::exit(1);
}

LoadOptions ParseLoadOptions(int argc, char** argv) {
  LoadOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--miss") {
      options.miss = true;
      continue;
    }
    if (flag == "--filled") {
      options.fill = false;
      continue;
    }
    if (++i >= argc) Fail("no value for " + std::string(flag));
    const char* const value = argv[i];
    if (flag == "--to") {
      options.to = Endpoint::Parse(value).value_or(Endpoint{});
    } else if (flag == "--window") {
      options.window = std::clamp<size_t>(Number(flag, value), 1, 4096);
    } else if (flag == "--seconds") {
      options.seconds = std::clamp(std::atof(value), 0.1, 600.0);
    } else if (flag == "--calls") {
      options.calls = Number(flag, value);
    } else if (flag == "--keys") {
      options.keys = std::clamp<size_t>(Number(flag, value), 1, 100'000);
    } else if (flag == "--values") {
      options.values = std::clamp<size_t>(Number(flag, value), 1, 4);
    } else if (flag == "--pid") {
      options.pids.push_back(static_cast<int>(Number(flag, value)));
    } else if (flag == "--dialect") {
      options.dialect = value;
    } else if (flag == "--peers") {
      options.peers = std::clamp<size_t>(Number(flag, value), 1, 256);
    } else {
      Fail("unknown flag " + std::string(flag));
    }
  }
  if (options.to.port == 0) Fail("--to ADDRESS:PORT is needed");
  return options;
}

std::vector<Key> KeysNear(const NodeId& server, size_t count, uint64_t seed) {
  Rng rng(seed);
  std::vector<Key> keys(count, server);
  for (Key& key : keys) {
    for (size_t i = 4; i < kIdBytes; ++i) key.bytes[i] = static_cast<uint8_t>(rng.Below(256));
  }
  return keys;
}

void ReportFill(const LoadOptions& options, uint64_t resident_before) {
  if (options.pids.empty()) return;
  const auto before = static_cast<double>(resident_before);
  std::printf("resident_bytes=%.0f bytes_a_value=%.0f\n", before,
              (static_cast<double>(ResidentBytes(options.pids)) - before) /
                  static_cast<double>(options.keys * options.values));
}

Measurement::Measurement(const LoadOptions& options)
    : pids_(options.pids),
      calls_max_(options.calls > 0 ? std::min(options.calls, kCallsMax) : kCallsMax),
      start_(MonotonicNow()),
      end_(start_ + Duration(static_cast<int64_t>(options.seconds * 1e9))),
      cpu_before_(CpuSeconds(pids_)),
      last_(start_) {
  took_us_.reserve(1 << 20);
}

void Measurement::Answered(Instant now, Duration took, size_t reply_bytes) {
  if (now >= end_) return;
  last_ = now;
  reply_bytes_ += reply_bytes;
  took_us_.push_back(static_cast<uint32_t>(took.count() / 1000));
}

double Measurement::Quantile(double q) {
  if (took_us_.empty()) return 0;
  const auto at =
      std::min(static_cast<size_t>(q * static_cast<double>(took_us_.size())), took_us_.size() - 1);
  std::nth_element(took_us_.begin(), took_us_.begin() + static_cast<ptrdiff_t>(at), took_us_.end());
  return took_us_[at];
}

int Measurement::Report() {
  const double cpu = CpuSeconds(pids_) - cpu_before_;
  const auto answered = static_cast<double>(took_us_.size());
  const double elapsed = std::max(Seconds(last_ - start_), 1e-9);
  std::printf(
      "calls_per_s=%.0f p50_us=%.0f p99_us=%.0f answered=%.0f wrong=%llu lost=%llu "
      "reply_bytes=%.0f cpu_seconds=%.2f calls_per_cpu=%.0f\n",
      answered / elapsed, Quantile(0.5), Quantile(0.99), answered,
      static_cast<unsigned long long>(wrong_), static_cast<unsigned long long>(lost_),
      answered > 0 ? static_cast<double>(reply_bytes_) / answered : 0.0, cpu,
      cpu > 0 ? answered / cpu : 0.0);
  return answered > 0 && wrong_ == 0 ? 0 : 1;
}

}  // namespace reef::dsht
