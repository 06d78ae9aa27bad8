// SPDX-License-Identifier: Apache-2.0
#include "deploy/cli/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "deploy/admin/admin_server.h"

namespace reef::deploy {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

struct Ran {
  int code = 0;
  std::string out;
  std::string err;
};

class CliTest : public testing::Test {
 protected:
  CliTest() {
    std::string name = testing::TempDir() + "cli-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~CliTest() override { std::filesystem::remove_all(folder_); }

  static Ran Reef(std::vector<std::string> arguments) {
    std::vector<const char*> argv = {"reef"};
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Ran ran;
    ran.code = RunCli(static_cast<int>(argv.size()), argv.data());
    ran.out = testing::internal::GetCapturedStdout();
    ran.err = testing::internal::GetCapturedStderr();
    return ran;
  }
  std::string File(std::string_view text) const {
    std::ofstream(folder_ + "/reef.yaml") << text;
    return folder_ + "/reef.yaml";
  }

  std::string folder_;
};

TEST_F(CliTest, VersionIsOneLine) {
  const Ran ran = Reef({"version"});

  EXPECT_EQ(ran.code, kDone);
  EXPECT_THAT(ran.out, testing::MatchesRegex("reef [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST_F(CliTest, HelpNamesTheVerbsAndTheExitCodes) {
  const Ran ran = Reef({"--help"});

  EXPECT_EQ(ran.code, kDone);
  for (const char* word : {"up", "status", "config", "version", "78 bad configuration"}) {
    EXPECT_THAT(ran.out, HasSubstr(word));
  }
}

TEST_F(CliTest, WrongUsageIsTwoAndSaidOnStandardError) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{},
                                             {"upp"},
                                             {"up", "--lisen", "127.0.0.1"},
                                             {"up", "extra"},
                                             {"up", "--zone"},
                                             {"up", "--zone", "a", "--zone", "b"},
                                             {"config"},
                                             {"config", "check"}}) {
    const Ran ran = Reef(arguments);

    EXPECT_EQ(ran.code, kUsage) << testing::PrintToString(arguments);
    EXPECT_THAT(ran.out, IsEmpty());
    EXPECT_NE(ran.err, "");
  }
}

TEST_F(CliTest, WrongUsageNamesWhatWasWrong) {
  EXPECT_THAT(Reef({}).err, StartsWith("reef: expected a verb: up, status,"));
  EXPECT_THAT(Reef({"upp"}).err,
              StartsWith("reef: there is no verb \"upp\": expected up, status,"));
  EXPECT_THAT(Reef({"config"}).err, StartsWith("reef: config wants a verb: check or show;"));
  EXPECT_THAT(Reef({"up", "--lisen", "x"}).err, HasSubstr("--lisen"));
  EXPECT_THAT(Reef({"up", "--listen", "127.0.0.1", "extra"}).err, HasSubstr("extra"));
  EXPECT_THAT(Reef({"config", "chekc"}).err, HasSubstr("chekc"));
}

TEST_F(CliTest, WrongValueOfAFlagNamesTheFlag) {
  const Ran ran = Reef({"up", "--listen", "everywhere"});

  EXPECT_EQ(ran.code, kUsage);
  EXPECT_EQ(ran.err,
            "reef: --listen: \"everywhere\": expected an IP address without a port, such as "
            "192.0.2.7 or 2001:db8::7\n");
}

TEST_F(CliTest, GoodConfigurationPassesTheCheck) {
  const std::string file = File("zone: nyud.net\n");

  const Ran ran = Reef({"config", "check", file});

  EXPECT_EQ(ran.code, kDone);
  EXPECT_EQ(ran.out, file + ": all right\n");
}

TEST_F(CliTest, BadConfigurationIsSeventyEightForEveryVerb) {
  const std::string file = File("zoen: nyud.net\nloops: 0\n");

  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"config", "check", file}, {"config", "show", file}, {"up", "--config", file}}) {
    const Ran ran = Reef(arguments);

    EXPECT_EQ(ran.code, kBadConfig);
    EXPECT_EQ(ran.err, "reef: " + file + ":1: zoen: unknown key; did you mean \"zone\"?\n" +
                           "reef: " + file + ":2: loops: \"0\": expected at least 1\n");
  }
}

TEST_F(CliTest, ConfigurationThatCannotBeReadIsNamed) {
  const Ran ran = Reef({"up", "--config", folder_ + "/absent.yaml"});

  EXPECT_EQ(ran.code, kBadConfig);
  EXPECT_EQ(ran.err, "reef: read " + folder_ + "/absent.yaml: No such file or directory\n");
}

TEST_F(CliTest, ClashOfPortsIsFoundBeforeAnythingStarts) {
  const Ran ran = Reef({"up", "--http-port", "53"});

  EXPECT_EQ(ran.code, kBadConfig);
  EXPECT_THAT(ran.err, HasSubstr("ports.dns and ports.http are both 53"));
}

TEST_F(CliTest, ShowPrintsDefaultsAndWhatTheFileSays) {
  const Ran ran = Reef({"config", "show", File("ports: {http: 8090}\n")});

  EXPECT_EQ(ran.code, kDone);
  EXPECT_THAT(ran.out, AllOf(StartsWith("zone: nyud.net\n"), HasSubstr("  http: 8090\n"),
                             HasSubstr("  dsht: 8400\n"), HasSubstr("memory_bytes: 256MiB\n")));
}

TEST_F(CliTest, ShowNeedsNoFile) {
  EXPECT_THAT(Reef({"config", "show"}).out, StartsWith("zone: nyud.net\n"));
}

class StatusTest : public CliTest {
 protected:
  StatusTest()
      : server_({.listen = {IpAddress::V4({127, 0, 0, 1}), 0}, .names = {}},
                {.why_not_alive = {},
                 .why_not_ready = {},
                 .metrics = {},
                 .status_json = [this] { return json_; },
                 .dashboard = ""}) {
    EXPECT_TRUE(server_.Start().ok());
    admin_ = server_.endpoint().ToString();
  }

  std::string json_ = R"({"node_id": "0123456789abcdef", "zone": "nyud.net", "state": "STATE_READY",
      "uptime_seconds": 5, "a_field_of_later": {"x": 1}, "cache": {"disk_objects": 12}})";
  std::string admin_;
  AdminServer server_;
};

TEST_F(StatusTest, IsShownForPeople) {
  const Ran ran = Reef({"status", "--admin", admin_});

  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_THAT(ran.out, StartsWith("node 01234567  ready  up 5 s  zone nyud.net"));
}

TEST_F(StatusTest, IsShownAsJsonUntouched) {
  const Ran ran = Reef({"status", "--json", "--admin", admin_});

  EXPECT_EQ(ran.code, kDone);
  EXPECT_EQ(ran.out, json_);
}

TEST_F(StatusTest, SomethingElseOnThePortIsAFailure) {
  json_ = "<html>";

  const Ran ran = Reef({"status", "--admin", admin_});

  EXPECT_EQ(ran.code, kFailed);
  EXPECT_THAT(ran.err, HasSubstr("is that its admin port?"));
}

TEST_F(StatusTest, NodeThatIsNotThereIsSixtyNine) {
  server_.Stop();

  const Ran ran = Reef({"status", "--admin", admin_});

  EXPECT_EQ(ran.code, kUnreachable);
  EXPECT_THAT(ran.err, HasSubstr("http://" + admin_ + "/status.json: connect: connection refused"));
  EXPECT_THAT(ran.err, HasSubstr("is the node up"));
}

TEST_F(StatusTest, AddressThatIsNoneIsWrongUsage) {
  EXPECT_EQ(Reef({"status", "--admin", "node-one"}).code, kUsage);
}

}  // namespace
}  // namespace reef::deploy
