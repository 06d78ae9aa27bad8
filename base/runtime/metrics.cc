// SPDX-License-Identifier: Apache-2.0
#include "base/runtime/metrics.h"

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <string_view>

#include "base/check.h"

namespace reef {
namespace {

// The data model of the Prometheus documentation: [a-zA-Z_:][a-zA-Z0-9_:]*, labels without colons.
bool IsName(std::string_view name, bool colons) {
  const auto is_letter = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colons && c == ':');
  };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return !name.empty() && is_letter(name[0]) &&
         std::ranges::all_of(name, [&](char c) { return is_letter(c) || is_digit(c); });
}

// One time series. Exactly one of the four is set.
struct Series {
  Metrics::Labels labels;
  std::unique_ptr<Counter> counter;
  std::unique_ptr<Gauge> gauge;
  std::unique_ptr<Histogram> histogram;
  std::vector<std::function<double()>> read;  // callbacks, added up
};

prometheus::ClientMetric::Histogram ToPrometheus(const Histogram::Snapshot& snapshot) {
  prometheus::ClientMetric::Histogram out;
  out.sample_sum = snapshot.sum;
  for (size_t i = 0; i < snapshot.bounds.size(); ++i) {
    out.sample_count += snapshot.counts[i];
    out.bucket.push_back({out.sample_count, snapshot.bounds[i]});
  }
  out.sample_count += snapshot.counts.back();
  return out;
}

prometheus::ClientMetric ToPrometheus(const Series& series, prometheus::MetricType type) {
  prometheus::ClientMetric out;
  for (const auto& [name, value] : series.labels) out.label.push_back({name, value});
  double value = 0;
  if (series.histogram != nullptr) {
    out.histogram = ToPrometheus(series.histogram->Read());
  } else if (series.counter != nullptr) {
    value = static_cast<double>(series.counter->Value());
  } else if (series.gauge != nullptr) {
    value = static_cast<double>(series.gauge->Value());
  }
  for (const auto& read : series.read) value += read();
  (type == prometheus::MetricType::Gauge ? out.gauge.value : out.counter.value) = value;
  return out;
}

}  // namespace

size_t Counter::ThreadSlot() {
  static std::atomic<size_t> next{0};
  thread_local const size_t slot = next.fetch_add(1, std::memory_order_relaxed) % kSlots;
  return slot;
}

uint64_t Counter::Value() const {
  uint64_t sum = 0;
  for (const Slot& slot : slots_) sum += slot.value.load(std::memory_order_relaxed);
  return sum;
}

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(new std::atomic<uint64_t>[bounds_.size() + 1]()) {
  REEF_CHECK(std::ranges::is_sorted(bounds_, std::less_equal<>())) << "bounds must ascend";
}

void Histogram::Observe(double value) {
  // A bucket holds what is at most its bound (Prometheus: "le").
  const auto bucket = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
  counts_[static_cast<size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

Histogram::Snapshot Histogram::Read() const {
  Snapshot out;
  out.bounds = bounds_;
  for (size_t i = 0; i <= bounds_.size(); ++i) {
    out.counts.push_back(counts_[i].load(std::memory_order_relaxed));
  }
  out.sum = sum_.load(std::memory_order_relaxed);
  return out;
}

struct Metrics::State : prometheus::Collectable {
  struct Family {
    std::string help;
    prometheus::MetricType type;
    std::vector<std::unique_ptr<Series>> series;
  };

  Series& Find(const std::string& name, const std::string& help, prometheus::MetricType type,
               Labels labels) {
    std::ranges::sort(labels);
    auto [at, is_new] = families.try_emplace(name);
    Family& family = at->second;
    if (is_new) {
      REEF_CHECK(IsName(name, true)) << "not a metric name: " << name;
      family.help = help;
      family.type = type;
    }
    REEF_CHECK(family.type == type && family.help == help) << "two kinds or help texts: " << name;
    for (const auto& series : family.series) {
      if (series->labels == labels) return *series;
    }
    for (const auto& label : labels) {
      REEF_CHECK(IsName(label.first, false)) << "not a label name: " << label.first;
    }
    family.series.push_back(std::make_unique<Series>());
    family.series.back()->labels = std::move(labels);
    return *family.series.back();
  }

  std::vector<prometheus::MetricFamily> Collect() const override {
    const std::lock_guard lock(mutex);
    std::vector<prometheus::MetricFamily> out;
    for (const auto& [name, family] : families) {
      prometheus::MetricFamily& collected = out.emplace_back();
      collected.name = name;
      collected.help = family.help;
      collected.type = family.type;
      for (const auto& series : family.series) {
        collected.metric.push_back(ToPrometheus(*series, family.type));
      }
    }
    return out;
  }

  mutable std::mutex mutex;
  std::map<std::string, Family> families;  // guarded by mutex
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

Counter& Metrics::AddCounter(const std::string& name, const std::string& help, Labels labels) {
  const std::lock_guard lock(state_->mutex);
  Series& series = state_->Find(name, help, prometheus::MetricType::Counter, std::move(labels));
  if (series.counter == nullptr) series.counter = std::make_unique<Counter>();
  return *series.counter;
}

Gauge& Metrics::AddGauge(const std::string& name, const std::string& help, Labels labels) {
  const std::lock_guard lock(state_->mutex);
  Series& series = state_->Find(name, help, prometheus::MetricType::Gauge, std::move(labels));
  if (series.gauge == nullptr) series.gauge = std::make_unique<Gauge>();
  return *series.gauge;
}

Histogram& Metrics::AddHistogram(const std::string& name, const std::string& help,
                                 std::vector<double> bounds, Labels labels) {
  const std::lock_guard lock(state_->mutex);
  Series& series = state_->Find(name, help, prometheus::MetricType::Histogram, std::move(labels));
  if (series.histogram == nullptr)
    series.histogram = std::make_unique<Histogram>(std::move(bounds));
  return *series.histogram;
}

void Metrics::AddCounterCallback(const std::string& name, const std::string& help,
                                 std::function<double()> read, Labels labels) {
  const std::lock_guard lock(state_->mutex);
  Series& series = state_->Find(name, help, prometheus::MetricType::Counter, std::move(labels));
  series.read.push_back(std::move(read));
}

void Metrics::AddGaugeCallback(const std::string& name, const std::string& help,
                               std::function<double()> read, Labels labels) {
  const std::lock_guard lock(state_->mutex);
  Series& series = state_->Find(name, help, prometheus::MetricType::Gauge, std::move(labels));
  series.read.push_back(std::move(read));
}

std::string Metrics::Exposition() const {
  return prometheus::TextSerializer().Serialize(state_->Collect());
}

std::vector<double> LatencyBounds() {
  return {0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05,
          0.1,    0.2,    0.5,    1,     2,     5,     10,   20,   60};
}

}  // namespace reef
