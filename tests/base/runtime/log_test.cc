// SPDX-License-Identifier: Apache-2.0
#include "base/runtime/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace reef {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

class LogTest : public testing::Test {
 protected:
  LogTest() {
    std::string name = testing::TempDir() + "log-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~LogTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(std::string_view name) const { return folder_ + "/" + std::string(name); }
  static std::string Read(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string folder_;
};

TEST_F(LogTest, WritesOneLineWithTimeAndLevel) {
  ASSERT_TRUE(InitLog(LogLevel::kInfo, Path("log")).ok());

  LogWarning("node {} left after {} s", "abc", 3);

  EXPECT_THAT(Read(Path("log")),
              MatchesRegex("[0-9-]+T[0-9:.]+Z warning node abc left after 3 s\n"));
}

TEST_F(LogTest, SkipsWhatIsBelowTheLevel) {
  ASSERT_TRUE(InitLog(LogLevel::kWarning, Path("log")).ok());

  LogInfo("not this");
  EXPECT_FALSE(LogEnabled(LogLevel::kInfo));
  EXPECT_TRUE(LogEnabled(LogLevel::kError));

  EXPECT_THAT(Read(Path("log")), IsEmpty());
}

TEST_F(LogTest, ForeignTextCannotForgeARecord) {
  ASSERT_TRUE(InitLog(LogLevel::kInfo, Path("log")).ok());

  LogInfo("host {}", "a\n2026-01-01T00:00:00.000Z info forged\x1b[2J");

  EXPECT_THAT(Read(Path("log")),
              EndsWith("host a\\x0a2026-01-01T00:00:00.000Z info forged\\x1b[2J\n"));
}

TEST_F(LogTest, GoesOnInANewFileAfterRotation) {
  ASSERT_TRUE(InitLog(LogLevel::kInfo, Path("log")).ok());
  LogInfo("before");
  std::filesystem::rename(Path("log"), Path("log.1"));

  ASSERT_TRUE(ReopenLog().ok());
  LogInfo("after");

  EXPECT_THAT(Read(Path("log.1")), EndsWith("before\n"));
  EXPECT_THAT(Read(Path("log")), EndsWith("after\n"));
}

TEST_F(LogTest, KeepsTheOldFileWhenItCannotBeOpenedAgain) {
  std::filesystem::create_directory(Path("sub"));
  ASSERT_TRUE(InitLog(LogLevel::kInfo, Path("sub/log")).ok());
  std::filesystem::rename(Path("sub"), Path("moved"));

  EXPECT_FALSE(ReopenLog().ok());
  LogInfo("still here");

  EXPECT_THAT(Read(Path("moved/log")), HasSubstr("still here"));
}

TEST_F(LogTest, FileThatCannotBeOpenedIsNamed) {
  const Status status = InitLog(LogLevel::kInfo, Path("absent/log"));

  EXPECT_THAT(status.ToString(), HasSubstr(Path("absent/log")));
  EXPECT_THAT(status.ToString(), HasSubstr("No such file"));
}

}  // namespace
}  // namespace reef
