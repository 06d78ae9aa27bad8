// SPDX-License-Identifier: Apache-2.0
#include "deploy/node/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <string>
#include <system_error>

#include "base/runtime/clock.h"
#include "deploy/node/version.h"
#include "httpproxy/store/segment_memory.h"

namespace reef::deploy {
namespace {

double ResidentBytes() {
  // The second number is the resident set, in pages (proc(5)).
  unsigned long resident = 0;
  if (std::FILE* const file = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(file, "%*u %lu", &resident) != 1) resident = 0;
    std::fclose(file);
  }
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double OpenDescriptors() {
  std::error_code error;
  const std::filesystem::directory_iterator all("/proc/self/fd", error);
  // Without the one that reads the folder.
  return error ? 0 : static_cast<double>(std::distance(begin(all), end(all)) - 1);
}

double DescriptorsMax() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

}  // namespace

void AddProcessMetrics(Metrics& metrics) {
  metrics
      .AddGauge("reef_build_info", "Always 1; the version is in the label.",
                {{"version", std::string(kVersion)}})
      .Set(1);
  metrics.AddGauge("process_start_time_seconds", "Start of the process since the Unix epoch.")
      .Set(UnixSeconds(WallNow()));
  metrics.AddCounterCallback("process_cpu_seconds_total", "User and system CPU time spent.",
                             CpuSeconds);
  metrics.AddGaugeCallback("process_resident_memory_bytes", "Resident memory.", ResidentBytes);
  metrics.AddGaugeCallback("process_open_fds", "Open file descriptors.", OpenDescriptors);
  metrics.AddGaugeCallback("process_max_fds", "Limit of open file descriptors.", DescriptorsMax);
}

void AddCacheMetrics(const http::Cache& cache, Metrics& metrics) {
  using Stats = http::Cache::Stats;
  const auto read = [&cache](uint64_t Stats::*field) {
    return [&cache, field] { return static_cast<double>(cache.stats().*field); };
  };
  const auto gauge = [&](const char* name, const char* help, const char* tier,
                         uint64_t Stats::*field) {
    metrics.AddGaugeCallback(name, help, read(field), {{"tier", tier}});
  };
  gauge("reef_cache_objects", "Objects held.", "memory", &Stats::memory_objects);
  gauge("reef_cache_objects", "Objects held.", "disk", &Stats::disk_objects);
  gauge("reef_cache_bytes", "Bytes held, with overhead.", "memory", &Stats::memory_bytes);
  gauge("reef_cache_bytes", "Bytes held, with overhead.", "disk", &Stats::disk_bytes);
  const auto counter = [&](const char* name, const char* help, Metrics::Labels labels,
                           uint64_t Stats::*field) {
    metrics.AddCounterCallback(name, help, read(field), std::move(labels));
  };
  counter("reef_cache_evictions_total", "Objects evicted to make room.", {{"tier", "memory"}},
          &Stats::memory_evictions);
  counter("reef_cache_evictions_total", "Objects evicted to make room.", {{"tier", "disk"}},
          &Stats::disk_evictions);
  counter("reef_cache_damaged_total", "Objects dropped because their checksum was wrong.", {},
          &Stats::damaged_dropped);
  counter("reef_cache_disk_writes_total", "Objects that came to be on disk.", {},
          &Stats::disk_writes);
  counter("reef_cache_write_errors_total", "Writes to disk that failed.", {}, &Stats::write_errors);
  counter("reef_cache_writes_skipped_total",
          "Objects kept in memory alone: too large for the disk, or it is too slow.", {},
          &Stats::writes_skipped);
  metrics.AddGaugeCallback("reef_cache_disk_queue_bytes", "Bytes that wait to be written to disk.",
                           read(&Stats::disk_queue_bytes));

  using Segments = http::SegmentMemoryStats;
  const auto segments = [](uint64_t Segments::*field) {
    return [field] { return static_cast<double>(http::ReadSegmentMemoryStats().*field); };
  };
  metrics.AddGaugeCallback("reef_segments", "Segments of bodies in the memory file.",
                           segments(&Segments::in_file));
  metrics.AddGaugeCallback("reef_segments_lent", "Of those: the kernel may be sending from them.",
                           segments(&Segments::lent));
  metrics.AddCounterCallback("reef_segments_on_heap_total",
                             "Segments that found no room in the memory file.",
                             segments(&Segments::on_heap_for_lack));
}

}  // namespace reef::deploy
