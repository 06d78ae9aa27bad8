// SPDX-License-Identifier: Apache-2.0
//
// Metrics: counters, gauges and histograms of one process, written without locks, read as the
// Prometheus text format. Named as the field does: reef_ prefix, base units, _total for counters,
// bounded label values only (docs/metrics.md lists them).
//
// Threads: Add, Set and Observe from any thread, a few nanoseconds (a relaxed add on a cache line
// of the thread's own slot). Add* of Metrics and Exposition take a lock. References returned live
// as long as the Metrics; one is made in main and handed down, there is no global.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace reef {

class Counter {
 public:
  void Add(uint64_t n = 1) { slots_[ThreadSlot()].value.fetch_add(n, std::memory_order_relaxed); }
  uint64_t Value() const;

 private:
  static constexpr size_t kSlots = 16;
  struct alignas(64) Slot {
    std::atomic<uint64_t> value{0};
  };
  static size_t ThreadSlot();
  std::array<Slot, kSlots> slots_;
};

class Gauge {
 public:
  void Set(int64_t v) { value_.store(v, std::memory_order_relaxed); }
  void Add(int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  int64_t Value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// Fixed bounds, ascending; an implicit +Inf.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds);
  void Observe(double value);

  struct Snapshot {
    std::vector<double> bounds;
    std::vector<uint64_t> counts;  // per bucket, not cumulative; one more than bounds
    double sum = 0;
  };
  Snapshot Read() const;

 private:
  std::vector<double> bounds_;
  std::unique_ptr<std::atomic<uint64_t>[]> counts_;
  std::atomic<double> sum_{0};
};

class Metrics {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;

  Metrics();
  ~Metrics();

  // The same name and labels again return the same one. Requires: one help text and kind a name.
  Counter& AddCounter(const std::string& name, const std::string& help, Labels labels = {});
  Gauge& AddGauge(const std::string& name, const std::string& help, Labels labels = {});
  Histogram& AddHistogram(const std::string& name, const std::string& help,
                          std::vector<double> bounds, Labels labels = {});
  // Read when scraped, on the scraping thread and under the lock: `read` must not add metrics.
  // Several of one name and labels are added up. What `read` refers to must live as long as scrapes
  // come.
  void AddCounterCallback(const std::string& name, const std::string& help,
                          std::function<double()> read, Labels labels = {});
  void AddGaugeCallback(const std::string& name, const std::string& help,
                        std::function<double()> read, Labels labels = {});

  // Prometheus text exposition format 0.0.4.
  std::string Exposition() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// 1-2-5 steps from 100 us to 60 s.
std::vector<double> LatencyBounds();

}  // namespace reef
