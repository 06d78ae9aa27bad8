// SPDX-License-Identifier: Apache-2.0
#include "deploy/node/index_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/runtime/yaml_message.h"
#include "deploy/node/config.h"

namespace reef::deploy {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

config::Index Read(std::string_view yaml) {
  config::Config config;
  const Status read = ReadYaml(yaml, "test", nullptr, &config);
  EXPECT_TRUE(read.ok()) << read;
  FillDefaults({}, &config);
  return config.index();
}

std::string Error(std::string_view yaml) {
  return CheckIndex(Read(yaml)).ToString();
}

TEST(IndexConfig, DefaultsAreThoseOfTheIndex) {
  const config::Index index = Read("");
  ASSERT_TRUE(CheckIndex(index).ok());

  const dsht::Options options = IndexOptionsOf(index);

  EXPECT_EQ(options.diameters, dsht::Options().diameters);
  EXPECT_EQ(options.leak_per_minute, dsht::Options().leak_per_minute);
  EXPECT_EQ(options.rpc_timeout_min, dsht::Options().rpc_timeout_min);
}

TEST(IndexConfig, WhatIsSaidReachesTheIndex) {
  const config::Index index = Read(
      "index: {diameters: [100ms, 30ms, 5ms], bits_per_hop: 2, values_per_key: 8,\n"
      "        leak_per_minute: 60, window: 4, timeout_min: 50ms, timeout_max: 2s}\n");
  ASSERT_TRUE(CheckIndex(index).ok());

  const dsht::Options options = IndexOptionsOf(index);

  EXPECT_THAT(options.diameters, ElementsAre(0ms, 100ms, 30ms, 5ms));
  EXPECT_EQ(options.bits_per_hop, 2);
  EXPECT_EQ(options.values_per_key_max, 8U);
  EXPECT_EQ(options.leak_per_minute, 60);
  EXPECT_EQ(options.window, 4U);
  EXPECT_EQ(options.rpc_timeout_min, 50ms);
  EXPECT_EQ(options.rpc_timeout_max, 2s);
}

TEST(IndexConfig, DiametersThatDoNotShrinkAreRefused) {
  EXPECT_THAT(Error("index: {diameters: [20ms, 60ms]}"), HasSubstr("index.diameters[1]"));
  EXPECT_THAT(Error("index: {diameters: [0s]}"), HasSubstr("index.diameters[0]"));
  EXPECT_THAT(Error("index: {diameters: [8ms, 7ms, 6ms, 5ms, 4ms, 3ms, 2ms, 1ms]}"),
              HasSubstr("at most 7"));
}

TEST(IndexConfig, NumbersBeyondTheirBoundsAreRefused) {
  EXPECT_THAT(Error("index: {bits_per_hop: 161}"), HasSubstr("index.bits_per_hop: 161"));
  EXPECT_THAT(Error("index: {values_per_key: 17}"), HasSubstr("index.values_per_key: 17"));
  EXPECT_THAT(Error("index: {window: 17}"), HasSubstr("index.window: 17"));
  EXPECT_THAT(Error("index: {timeout_min: 2s, timeout_max: 1s}"), HasSubstr("index.timeout_min"));
}

}  // namespace
}  // namespace reef::deploy
