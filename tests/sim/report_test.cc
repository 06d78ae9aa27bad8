// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace reef::sim {
namespace {

using testing::HasSubstr;
using testing::Not;

Report Small() {
  Report report;
  report.name = "small";
  report.about = "What a small run shows.";
  report.seed = 7;
  report.network = "synthetic";
  report.node_count = 20;
  report.seconds = 60;
  report.steps = {{"join", 0, 40, 20}, {"kill", 40, 60, 19}};
  report.verdicts = {{"a", 3, "==", 3, true}, {"b", 9, "<=", 4, false}};
  report.measures.Set("a", 3);
  report.measures.Set("b", 9);
  for (int i = 0; i < 100; ++i) report.measures.Sample("get.ms", i * 1.5);
  report.series = {{"get.started", {"Gets", "started", "a second"}, {{1, 2}, {2, 3}}},
                   {"get.found", {"Gets", "found", "a second"}, {{1, 2}, {2, 2}}}};
  return report;
}

TEST(ReportTest, ItSaysWhatWasPlayed) {
  const std::string html = ReportHtml(Small());

  for (const char* part : {"small</h1>", "What a small run shows.", "<b>7</b><span>seed",
                           "<b>synthetic</b>", "reef-sim small --seed 7"}) {
    EXPECT_THAT(html, HasSubstr(part));
  }
}

TEST(ReportTest, AnExpectationThatFailsIsMarked) {
  EXPECT_THAT(ReportHtml(Small()),
              HasSubstr("<tr><td class=\"bad\">FAIL</td><td class=\"word\"><code>b</code></td>"
                        "<td class=\"num\">9</td><td class=\"num\">&le; 4</td></tr>"));
}

TEST(ReportTest, TheHeadCountsWhatFailed) {
  Report report = Small();
  EXPECT_THAT(ReportHtml(report), HasSubstr("1 of 2 failed"));

  report.verdicts.pop_back();
  EXPECT_THAT(ReportHtml(report), HasSubstr("all hold"));
}

TEST(ReportTest, WhatWasNotMeasuredIsNamedSo) {
  Report report = Small();
  report.verdicts[1].value = std::nullopt;

  EXPECT_THAT(ReportHtml(report), HasSubstr("unmeasured"));
}

TEST(ReportTest, SeriesOfOneChartAreDrawnTogether) {
  const std::string html = ReportHtml(Small());

  EXPECT_THAT(html, HasSubstr("chart-0-t"));
  EXPECT_THAT(html, Not(HasSubstr("chart-1-t")));
}

TEST(ReportTest, ASeriesThatIsAlwaysZeroIsOnlyNamed) {
  Report report = Small();
  report.series.push_back({"c", {"Claims", "c", ""}, {{1, 0}, {2, 0}}});

  EXPECT_THAT(ReportHtml(report), HasSubstr("Zero throughout: Claims."));
}

TEST(ReportTest, ASampleWithoutSpreadIsOnlyNamed) {
  Report report = Small();
  report.measures.Sample("s", 4);
  report.measures.Sample("s", 4);

  EXPECT_THAT(ReportHtml(report), HasSubstr("s is always 4."));
}

TEST(ReportTest, RoundingIsNoSpread) {
  Report report = Small();
  report.measures.Sample("s", 0.3);
  report.measures.Sample("s", 0.1 + 0.2);

  EXPECT_THAT(ReportHtml(report), HasSubstr("s is always 0.3."));
}

TEST(ReportTest, MapsAreThereWhenThereArePoints) {
  Report report = Small();
  EXPECT_THAT(ReportHtml(report), Not(HasSubstr("Clusters")));

  report.map.emplace_back();
  EXPECT_THAT(ReportHtml(report), HasSubstr("Level 2"));
}

TEST(ReportTest, NothingFromElsewhereIsLoaded) {
  Report report = Small();
  report.map.emplace_back();
  const std::string html = ReportHtml(report);

  for (const char* part : {"<script", "<link", "<img", "@import", "url(", "http"}) {
    EXPECT_THAT(html, Not(HasSubstr(part)));
  }
}

TEST(ReportTest, EveryWordFromOutsideIsEscaped) {
  Report report = Small();
  report.name = report.about = report.network = report.map_about = "<i>";
  report.steps[0].name = report.verdicts[0].name = report.verdicts[0].op = "<i>";
  report.series[0].look = {"<i>", "<i>", "<i>"};
  report.measures.Set("<i>", 1);
  for (const double value : {1, 2}) report.measures.Sample("<i>", value);
  report.map.emplace_back().label = "<i>";

  EXPECT_THAT(ReportHtml(report), Not(HasSubstr("<i>")));
}

TEST(ReportTest, ARunWithoutStepsHasAReport) {
  Report report;
  report.name = "empty";

  EXPECT_THAT(ReportHtml(report), HasSubstr("empty</h1>"));
}

TEST(ReportTest, MeasuresAndExpectationsAreRowsOfOneTable) {
  Report report = Small();
  report.measures = Measures();
  report.measures.Set("a", 0.1);

  EXPECT_EQ(MeasuresCsv(report),
            "kind,name,value,op,bound,verdict\n"
            "measure,a,0.1,,,\n"
            "expect,a,3,==,3,ok\n"
            "expect,b,9,<=,4,FAIL\n");
}

class WriteReportTest : public testing::Test {
 protected:
  WriteReportTest() { std::filesystem::remove_all(folder_); }
  ~WriteReportTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_ = testing::TempDir() + "/reef_report_test/inner";
};

TEST_F(WriteReportTest, FilesAreNamedForScenarioAndSeed) {
  ASSERT_TRUE(WriteReport(Small(), folder_).ok());

  for (const char* name : {"small-7.html", "small-7.csv", "small-7-measures.csv"}) {
    EXPECT_TRUE(std::filesystem::is_regular_file(folder_ + "/" + name)) << name;
  }
}

TEST_F(WriteReportTest, AFolderThatCannotBeMadeIsNamed) {
  const Status status = WriteReport(Small(), "/dev/null/folder");

  EXPECT_THAT(std::string(status.message()), HasSubstr("/dev/null/folder"));
}

}  // namespace
}  // namespace reef::sim
