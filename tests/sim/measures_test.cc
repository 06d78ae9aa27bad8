// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/measures.h"

#include <gtest/gtest.h>

namespace reef::sim {
namespace {

TEST(MeasuresTest, NumbersAddUp) {
  Measures measures;
  measures.Add("a", 2);
  measures.Add("a", 3);
  measures.Max("b", 5);
  measures.Max("b", 4);

  EXPECT_EQ(measures.Find("a"), 5);
  EXPECT_EQ(measures.Find("b"), 5);
  EXPECT_EQ(measures.Find("c"), std::nullopt);
}

TEST(MeasuresTest, ASampleIsSummedUpByItsPercentiles) {
  Measures measures;
  for (int i = 1000; i >= 0; --i) measures.Sample("s", i);

  EXPECT_EQ(measures.Find("s.count"), 1001);
  EXPECT_EQ(measures.Find("s.mean"), 500);
  EXPECT_EQ(measures.Find("s.p50"), 500);
  EXPECT_EQ(measures.Find("s.p99"), 990);
  EXPECT_EQ(measures.Find("s.p99_9"), 999);
  EXPECT_EQ(measures.Find("s.max"), 1000);
}

TEST(MeasuresTest, ASingleSampleIsAllItsPercentiles) {
  Measures measures;
  measures.Sample("s", 7);

  EXPECT_EQ(measures.Find("s.p50"), 7);
  EXPECT_EQ(measures.Find("s.p99_9"), 7);
}

TEST(MeasuresTest, NumbersArePrintedShort) {
  EXPECT_EQ(NumberText(3), "3");
  EXPECT_EQ(NumberText(0.1), "0.1");
  EXPECT_EQ(NumberText(1234567), "1.23457e+06");
}

}  // namespace
}  // namespace reef::sim
