// SPDX-License-Identifier: Apache-2.0
#include "base/runtime/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <thread>

namespace reef {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

// Reads the text format as a scraper does: sample with labels -> value. Fails on a line that is
// neither comment nor sample.
std::map<std::string, double> Parse(const std::string& exposition) {
  std::map<std::string, double> samples;
  std::istringstream lines(exposition);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    const size_t space = line.rfind(' ');
    EXPECT_NE(space, std::string::npos) << line;
    char* end = nullptr;
    samples[line.substr(0, space)] = std::strtod(line.c_str() + space, &end);
    EXPECT_EQ(*end, '\0') << line;
  }
  EXPECT_TRUE(exposition.empty() || exposition.back() == '\n');
  return samples;
}

TEST(MetricsTest, ShowsEveryKindAsPrometheusReadsIt) {
  Metrics metrics;
  metrics.AddCounter("reef_requests_total", "Requests.", {{"source", "hit"}}).Add(3);
  metrics.AddCounter("reef_requests_total", "Requests.", {{"source", "peer"}}).Add();
  metrics.AddGauge("reef_open", "Open.").Set(-7);
  metrics.AddGaugeCallback("reef_read", "Read when scraped.", [] { return 2.5; });

  const std::string text = metrics.Exposition();

  EXPECT_THAT(Parse(text), ElementsAre(Pair("reef_open", -7), Pair("reef_read", 2.5),
                                       Pair("reef_requests_total{source=\"hit\"}", 3),
                                       Pair("reef_requests_total{source=\"peer\"}", 1)));
  EXPECT_THAT(text, HasSubstr("# TYPE reef_requests_total counter\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE reef_open gauge\n"));
  EXPECT_THAT(text, HasSubstr("# HELP reef_requests_total Requests.\n"));
}

TEST(MetricsTest, HistogramBucketsAreCumulativeAndHoldTheirBound) {
  Metrics metrics;
  Histogram& histogram = metrics.AddHistogram("reef_seconds", "Time.", {0.5, 1, 2});
  for (const double value : {0.1, 0.5, 0.75, 1.5, 9.0}) histogram.Observe(value);

  const auto samples = Parse(metrics.Exposition());

  EXPECT_THAT(samples, ElementsAre(Pair("reef_seconds_bucket{le=\"+Inf\"}", 5),
                                   Pair("reef_seconds_bucket{le=\"0.5\"}", 2),
                                   Pair("reef_seconds_bucket{le=\"1\"}", 3),
                                   Pair("reef_seconds_bucket{le=\"2\"}", 4),
                                   Pair("reef_seconds_count", 5), Pair("reef_seconds_sum", 11.85)));
}

TEST(MetricsTest, SameNameAndLabelsInAnyOrderAreTheSame) {
  Metrics metrics;

  Counter& a = metrics.AddCounter("reef_x_total", "X.", {{"a", "1"}, {"b", "2"}});
  Counter& b = metrics.AddCounter("reef_x_total", "X.", {{"b", "2"}, {"a", "1"}});

  EXPECT_EQ(&a, &b);
}

TEST(MetricsTest, CallbacksOfOneSeriesAreAddedUp) {
  Metrics metrics;
  metrics.AddCounterCallback("reef_loop_total", "One a loop.", [] { return 2.0; });
  metrics.AddCounterCallback("reef_loop_total", "One a loop.", [] { return 3.0; });

  EXPECT_THAT(Parse(metrics.Exposition()), ElementsAre(Pair("reef_loop_total", 5)));
}

TEST(MetricsTest, LabelValuesAreEscaped) {
  Metrics metrics;
  metrics.AddGauge("reef_version", "Version.", {{"v", "a\"b\\c\nd"}}).Set(1);

  EXPECT_THAT(Parse(metrics.Exposition()), Contains(Key("reef_version{v=\"a\\\"b\\\\c\\nd\"}")));
}

TEST(MetricsTest, CountsWithoutLossFromMoreThreadsThanSlots) {
  Metrics metrics;
  Counter& counter = metrics.AddCounter("reef_x_total", "X.");
  Histogram& histogram = metrics.AddHistogram("reef_h", "H.", {1});
  std::vector<std::thread> threads;

  for (int t = 0; t < 20; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        counter.Add();
        histogram.Observe(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(counter.Value(), 20'000u);
  EXPECT_THAT(histogram.Read().counts, ElementsAre(20'000u, 0u));
  EXPECT_EQ(histogram.Read().sum, 20'000);
}

TEST(MetricsTest, LatencyBoundsAscendFromAHundredMicrosecondsToAMinute) {
  const std::vector<double> bounds = LatencyBounds();

  EXPECT_TRUE(std::ranges::is_sorted(bounds));
  EXPECT_EQ(bounds.front(), 0.0001);
  EXPECT_EQ(bounds.back(), 60);
}

TEST(MetricsDeathTest, OneNameOfTwoKindsIsABug) {
  Metrics metrics;
  metrics.AddCounter("reef_x", "X.");

  EXPECT_DEATH(metrics.AddGauge("reef_x", "X."), "two kinds");
  EXPECT_DEATH(metrics.AddGauge("not a name", "X."), "not a metric name");
}

}  // namespace
}  // namespace reef
