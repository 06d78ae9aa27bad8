// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace reef::sim {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pointwise;
using testing::SizeIs;

// ---- Ticks -------------------------------------------------------------------------------------

TEST(RoundTicksTest, TheyEncloseTheRange) {
  const std::vector<double> ticks = RoundTicks(3, 96, 5);

  EXPECT_THAT(ticks, Pointwise(DoubleNear(1e-9), {0.0, 20.0, 40.0, 60.0, 80.0, 100.0}));
}

TEST(RoundTicksTest, SmallRangesHaveRoundTicksToo) {
  EXPECT_THAT(RoundTicks(0, 0.004, 4),
              Pointwise(DoubleNear(1e-12), {0.0, 0.001, 0.002, 0.003, 0.004}));
}

TEST(RoundTicksTest, ARangeBelowZeroIsEnclosed) {
  EXPECT_THAT(RoundTicks(-7, 12, 5),
              Pointwise(DoubleNear(1e-9), {-10.0, -5.0, 0.0, 5.0, 10.0, 15.0}));
}

TEST(RoundTicksTest, ThereAreNeverMoreGapsThanAllowed) {
  for (double high = 0.01; high < 1e7; high *= 1.37) {
    EXPECT_THAT(RoundTicks(0, high, 5), SizeIs(testing::Le(6u))) << high;
  }
}

TEST(TickTextTest, LargeNumbersAreShort) {
  EXPECT_EQ(TickText(2000), "2000");
  EXPECT_EQ(TickText(20000), "20 k");
  EXPECT_EQ(TickText(1500000), "1.5 M");
  EXPECT_EQ(TickText(0.25), "0.25");
}

// ---- Lines -------------------------------------------------------------------------------------

LineChart TwoLines() {
  return {.id = "c",
          .title = "Gets",
          .unit = "a second",
          .lines = {{"started", {{0, 0}, {100, 10}}}, {"found", {{0, 0}, {100, 5}}}},
          .seconds = 100,
          .step_begins = {0, 50}};
}

TEST(LineChartTest, ALineRunsFromCornerToCorner) {
  EXPECT_THAT(LineChartHtml(TwoLines()), HasSubstr(" d=\"M62 200L450 46\"/>"));
}

TEST(LineChartTest, SeveralLinesHaveALegend) {
  EXPECT_THAT(LineChartHtml(TwoLines()), HasSubstr("</svg>started</span>"));
}

TEST(LineChartTest, ALineAloneNeedsNoLegend) {
  LineChart chart = TwoLines();
  chart.lines.pop_back();

  EXPECT_THAT(LineChartHtml(chart), Not(HasSubstr("legend")));
}

TEST(LineChartTest, ALongRunIsShownInHours) {
  LineChart chart = TwoLines();
  chart.seconds = 10 * 3600;

  EXPECT_THAT(LineChartHtml(chart), HasSubstr(">simulated hours</text>"));
}

TEST(LineChartTest, ItIsDescribedForThoseWhoDoNotSeeIt) {
  EXPECT_THAT(LineChartHtml(TwoLines()), HasSubstr("found: at most 5, at the end 5."));
}

TEST(LineChartTest, AStepTooShortForItsNumberHasNone) {
  LineChart chart = TwoLines();
  chart.step_begins = {0, 99};

  EXPECT_THAT(LineChartHtml(chart), Not(HasSubstr(" y=\"38\" text-anchor=\"middle\">2<")));
}

TEST(LineChartTest, ItsWordsAreEscaped) {
  LineChart chart = TwoLines();
  chart.title = chart.unit = chart.lines[0].label = "<b>";

  EXPECT_THAT(LineChartHtml(chart), Not(HasSubstr("<b>")));
}

// ---- Histograms --------------------------------------------------------------------------------

TEST(BarsTest, FewWholeNumbersHaveABarEach) {
  const Bars bars = BarsOf({1, 1, 2, 4});

  EXPECT_EQ(bars.begin, 0.5);
  EXPECT_THAT(bars.counts, ElementsAre(2, 1, 0, 1));
}

TEST(BarsTest, EveryValueIsInABarOrBeyond) {
  std::vector<double> values;
  for (int i = 0; i < 1000; ++i) values.push_back(i * 0.37);
  values.push_back(1e6);

  const Bars bars = BarsOf(values);

  EXPECT_EQ(std::accumulate(bars.counts.begin(), bars.counts.end(), bars.beyond_count), 1001u);
}

TEST(BarsTest, ValuesFarFromTheRestDoNotSqueezeIt) {
  std::vector<double> values(1000, 0.5);
  values.push_back(1.5);
  values.push_back(1e6);
  for (int i = 0; i < 1000; ++i) values.push_back(i * 0.01);

  const Bars bars = BarsOf(values);

  EXPECT_EQ(bars.beyond_count, 1u);
}

TEST(HistogramTest, ItSaysHowManyAreNotDrawn) {
  std::vector<double> values;
  for (int i = 0; i < 1000; ++i) values.push_back(i * 0.01);
  values.push_back(1e6);

  EXPECT_THAT(HistogramHtml({"h", "get.ms", "ms", values}), HasSubstr("1 beyond, not drawn; ms"));
}

TEST(HistogramTest, ItsLegendHasThePercentiles) {
  EXPECT_THAT(HistogramHtml({"h", "get.ms", "ms", {1, 2, 9}}),
              HasSubstr("<span>median <b>2</b> ms</span>"));
}

}  // namespace
}  // namespace reef::sim
