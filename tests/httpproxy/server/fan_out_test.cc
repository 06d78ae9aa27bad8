// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/fan_out.h"

#include <gmock/gmock.h>

namespace reef::http {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

CacheKey KeyOf(const char* host) {
  return PrimaryKey(false, host, 80, "/");
}
Endpoint Reader(uint16_t port) {
  return {IpAddress::V4({127, 0, 0, 1}), port};
}

class FanOutTest : public ::testing::Test {
 protected:
  std::optional<FanOut::Place> Enter(uint16_t port, const char* host = "a") {
    named_.clear();
    return fan_out_.Enter(KeyOf(host), Reader(port), named_);
  }

  FanOut fan_out_{2};
  std::vector<Endpoint> named_;
};

TEST_F(FanOutTest, AdmitsSoManyReadersOfOneObject) {
  const auto first = Enter(1), second = Enter(2);

  EXPECT_TRUE(first.has_value());
  EXPECT_TRUE(second.has_value());
  EXPECT_FALSE(Enter(3).has_value());
  EXPECT_TRUE(Enter(3, "b").has_value());
}

TEST_F(FanOutTest, NamesReadersThatHaveTheHead) {
  auto first = Enter(1);
  const auto second = Enter(2);
  first->HeadSent();

  Enter(3);

  EXPECT_THAT(named_, ElementsAre(Reader(1)));
}

TEST_F(FanOutTest, NeverNamesTheAskerItself) {
  auto first = Enter(1), second = Enter(2);
  first->HeadSent();
  second->HeadSent();

  Enter(2);

  EXPECT_THAT(named_, ElementsAre(Reader(1)));
}

TEST_F(FanOutTest, APlaceGivenBackIsFree) {
  auto first = Enter(1);
  const auto second = Enter(2);
  first->Leave();

  EXPECT_TRUE(Enter(3).has_value());
}

TEST_F(FanOutTest, NamesAFewAndOthersEachTime) {
  FanOut wide(6);
  std::vector<FanOut::Place> places;
  for (uint16_t port = 1; port <= 6; ++port) {
    places.push_back(*wide.Enter(KeyOf("a"), Reader(port), named_));
    places.back().HeadSent();
  }
  std::vector<Endpoint> once, again;

  wide.Enter(KeyOf("a"), Reader(9), once);
  wide.Enter(KeyOf("a"), Reader(9), again);

  EXPECT_THAT(once, SizeIs(FanOut::kNamedMax));
  EXPECT_NE(once, again);
}

}  // namespace
}  // namespace reef::http
