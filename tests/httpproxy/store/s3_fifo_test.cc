// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/store/s3_fifo.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "tests/httpproxy/store/support.h"

namespace reef::http {
namespace {

// A cache of 1000 bytes and objects of 10, without bodies.
class S3FifoTest : public testing::Test {
 protected:
  void Add(const std::string& name) {
    auto& resident = held_[name] = std::make_unique<Resident>();
    resident->object = MakeObject(name, nullptr);
    resident->phase = Resident::Phase::kSettled;
    fifo_.Add(*resident, 10);
    while (fifo_.bytes() > 1000) Evict();
  }
  void Evict() {
    Resident* const victim = fifo_.Victim();
    ASSERT_NE(victim, nullptr);
    fifo_.Remember(*victim);
    fifo_.Remove(*victim);
    std::erase_if(held_, [&](const auto& entry) { return entry.second.get() == victim; });
  }
  void Scan(int count) {
    for (int i = 0; i < count; ++i) Add("scan" + std::to_string(scanned_++));
  }

  S3Fifo fifo_{1000};
  std::map<std::string, std::unique_ptr<Resident>> held_;
  int scanned_ = 0;
};

TEST_F(S3FifoTest, LetsWhatIsNotAskedForLeaveInOrder) {
  Scan(150);

  EXPECT_EQ(held_.size(), 100u);
  EXPECT_TRUE(held_.contains("scan149"));
  EXPECT_FALSE(held_.contains("scan49"));
}

TEST_F(S3FifoTest, KeepsWhatIsAskedForTwiceThroughAScan) {
  Add("hot");
  held_["hot"]->Touch();
  held_["hot"]->Touch();
  Scan(5000);

  EXPECT_TRUE(held_.contains("hot"));
}

TEST_F(S3FifoTest, LetsWhatWasHotLongAgoLeaveOnceOthersAreHot) {
  Add("was hot");
  for (int i = 0; i < 3; ++i) held_["was hot"]->Touch();
  for (int i = 0; i < 400; ++i) {
    const std::string name = "new" + std::to_string(i);
    Add(name);
    for (int j = 0; j < 2; ++j) held_[name]->Touch();
  }

  EXPECT_FALSE(held_.contains("was hot"));
}

TEST_F(S3FifoTest, KeepsThroughAScanWhatCameBackSoonAfterItHadLeft) {
  Add("back");
  Scan(120);
  ASSERT_FALSE(held_.contains("back"));
  Add("back");
  Scan(500);

  EXPECT_TRUE(held_.contains("back"));
}

TEST_F(S3FifoTest, PassesOverWhatIsBusy) {
  Add("busy");
  held_["busy"]->phase = Resident::Phase::kFilling;
  Scan(500);

  EXPECT_TRUE(held_.contains("busy"));
}

TEST_F(S3FifoTest, HasNoVictimWhenAllAreBusy) {
  Scan(10);
  for (auto& [name, resident] : held_) resident->phase = Resident::Phase::kWriting;

  EXPECT_EQ(fifo_.Victim(), nullptr);
}

TEST_F(S3FifoTest, CountsBytesAsTheyChange) {
  Add("a");
  fifo_.Resize(*held_["a"], 500);
  EXPECT_EQ(fifo_.bytes(), 500u);
  fifo_.Remove(*held_["a"]);

  EXPECT_EQ(fifo_.bytes(), 0u);
  EXPECT_EQ(fifo_.count(), 0u);
}

}  // namespace
}  // namespace reef::http
