// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scenario.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace reef::sim {
namespace {

using testing::HasSubstr;

class ScenarioTest : public testing::Test {
 protected:
  static v1::Scenario Parse(const std::string& text) {
    v1::Scenario scenario;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &scenario));
    return scenario;
  }

  // What a play prints; the verdict goes to all_hold_.
  std::string Output(const v1::Scenario& scenario, uint64_t seed) {
    std::ostringstream out;
    const StatusOr<Played> played =
        Play(scenario, {.name = "test", .seed = seed, .data_folder = ""}, out);
    EXPECT_TRUE(played.ok());
    all_hold_ = played.ok() && played->all_hold;
    return out.str();
  }

  bool all_hold_ = false;
};

constexpr char kSmall[] = R"(
  population { nodes: 40 }
  network { loss: 0.02 jitter: 0.2 }
  step { join { over_ms: 10000 settle_ms: 20000 } }
  step { put { keys: 20 ttl_ms: 3600000 over_ms: 2000 } }
  step { claim { keys: 1 within_ms: 50 origin_ms: 100 transfer_ms: 300 settle_ms: 20000 } }
  step { kill { count: 2 } }
  step { get { count: 40 over_ms: 2000 } }
  expect { name: "get.count" op: EQ bound: 40 }
)";

TEST_F(ScenarioTest, TheSameSeedPrintsTheSame) {
  const v1::Scenario scenario = Parse(kSmall);

  const std::string first = Output(scenario, 5);

  EXPECT_EQ(Output(scenario, 5), first);
  EXPECT_NE(Output(scenario, 6), first);
}

TEST_F(ScenarioTest, TheSameSeedGivesTheSameReport) {
  const v1::Scenario scenario = Parse(kSmall);
  std::vector<std::string> reports;
  for (int i = 0; i < 2; ++i) {
    std::ostringstream out;
    const StatusOr<Played> played =
        Play(scenario, {.name = "test", .seed = 5, .data_folder = "", .watch = true}, out);
    ASSERT_TRUE(played.ok());
    reports.push_back(ReportHtml(played->report) + SeriesCsv(played->report.series) +
                      MeasuresCsv(played->report));
  }

  EXPECT_EQ(reports[0], reports[1]);
}

TEST_F(ScenarioTest, ItsReportHasStepsVerdictsAndSeries) {
  std::ostringstream out;
  const StatusOr<Played> played =
      Play(Parse(kSmall), {.name = "test", .seed = 5, .data_folder = "", .watch = true}, out);

  ASSERT_TRUE(played.ok());
  const Report& report = played->report;
  EXPECT_EQ(report.steps.at(3).name, "kill");
  EXPECT_EQ(report.steps.at(3).nodes_up, 38u);
  EXPECT_EQ(report.verdicts.at(0).value, 40);
  EXPECT_EQ(report.series.at(0).points.back().value, 38);
}

TEST_F(ScenarioTest, EachExpectationIsALineAndDecides) {
  v1::Scenario scenario = Parse(kSmall);
  EXPECT_THAT(Output(scenario, 5), HasSubstr("\nEXPECT get.count 40 == 40 ok\n"));
  EXPECT_TRUE(all_hold_);

  *scenario.add_expect() = Parse(R"(expect { name: "get.count" op: LE bound: 39 })").expect(0);
  EXPECT_THAT(Output(scenario, 5), HasSubstr("\nEXPECT get.count 40 <= 39 FAIL\n"));
  EXPECT_FALSE(all_hold_);
}

TEST_F(ScenarioTest, WhatWasNotMeasuredFails) {
  const v1::Scenario scenario =
      Parse(R"(population { nodes: 1 } expect { name: "no.such" op: GE bound: 0 })");

  EXPECT_THAT(Output(scenario, 1), HasSubstr("EXPECT no.such unmeasured >= 0 FAIL"));
  EXPECT_FALSE(all_hold_);
}

TEST_F(ScenarioTest, AnErrorInAFileIsNamedWithItsLine) {
  const std::string path = testing::TempDir() + "/bad.scenario";
  std::ofstream(path) << "population { nodes: 3 }\nstep { jump {} }\n";

  const StatusOr<v1::Scenario> scenario = ReadScenario(path);

  ASSERT_FALSE(scenario.ok());
  EXPECT_THAT(scenario.status().ToString(), HasSubstr("bad.scenario:2:"));
  std::filesystem::remove(path);
}

TEST_F(ScenarioTest, AFileWithoutNodesIsRefused) {
  const std::string path = testing::TempDir() + "/empty.scenario";
  std::ofstream(path) << "about: \"nothing\"\n";

  EXPECT_FALSE(ReadScenario(path).ok());
  EXPECT_FALSE(ReadScenario("/nonexistent.scenario").ok());
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace reef::sim
