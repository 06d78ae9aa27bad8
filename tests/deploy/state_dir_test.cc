// SPDX-License-Identifier: Apache-2.0
#include "deploy/node/state_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace reef::deploy {
namespace {

using ::testing::HasSubstr;

class StateDirTest : public testing::Test {
 protected:
  StateDirTest() {
    std::string name = testing::TempDir() + "state-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~StateDirTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
};

TEST_F(StateDirTest, IsMadeWithWhatLeadsToItForItsOwnerAlone) {
  const auto dir = StateDir::Open(folder_ + "/a/b");

  ASSERT_TRUE(dir.ok()) << dir.status();
  struct stat status;
  ASSERT_EQ(stat(dir->path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
}

TEST_F(StateDirTest, SecondProcessIsTurnedAwayAndToldWhoHasIt) {
  const auto first = StateDir::Open(folder_);
  ASSERT_TRUE(first.ok()) << first.status();

  const auto second = StateDir::Open(folder_);

  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.status().ToString(),
              HasSubstr(folder_ + ": in use by process " + std::to_string(getpid())));
  EXPECT_THAT(second.status().ToString(), HasSubstr("--state-dir"));
}

TEST_F(StateDirTest, CanBeTakenAgainOnceLetGo) {
  { ASSERT_TRUE(StateDir::Open(folder_).ok()); }

  EXPECT_TRUE(StateDir::Open(folder_).ok());
}

TEST_F(StateDirTest, FileInItsPlaceIsNamed) {
  std::ofstream(folder_ + "/file") << "x";

  const auto in_place = StateDir::Open(folder_ + "/file");
  const auto on_the_way = StateDir::Open(folder_ + "/file/sub");

  EXPECT_THAT(in_place.status().ToString(), HasSubstr(folder_ + "/file: Not a directory"));
  EXPECT_THAT(on_the_way.status().ToString(), HasSubstr("choose another"));
}

}  // namespace
}  // namespace reef::deploy
