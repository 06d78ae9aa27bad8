// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/access_log.h"

#include <gmock/gmock.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace reef::http {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

AccessRecord Example() {
  AccessRecord r;
  r.at = FromUnixSeconds(1732559467);  // 25 Nov 2024, 18:31:07
  r.client = *IpAddress::Parse("192.0.2.7");
  r.method = "GET";
  r.target = "/a?b=c";
  r.host = "example.com.nyud.net";
  r.status = 200;
  r.content_bytes = 1024;
  r.user_agent = "curl/7.88";
  r.source = "peer";
  r.detail = "peer-l1";
  r.first_byte = 1500us;
  r.total = 2ms;
  return r;
}

std::string Line(const AccessRecord& record, AccessLogFormat format) {
  std::string line;
  WriteAccessLine(record, format, line);
  return line;
}

TEST(AccessLineTest, CombinedFormIsThatOfApacheAndWhatTheCacheDid) {
  EXPECT_EQ(Line(Example(), AccessLogFormat::kCombined),
            "192.0.2.7 - - [25/Nov/2024:18:31:07 +0000] \"GET /a?b=c HTTP/1.1\" 200 1024 \"-\" "
            "\"curl/7.88\" \"example.com.nyud.net\" peer peer-l1 1500 2000 whole\n");
}

TEST(AccessLineTest, JsonFormHasTheSame) {
  EXPECT_EQ(Line(Example(), AccessLogFormat::kJson),
            "{\"time\":\"2024-11-25T18:31:07Z\",\"client\":\"192.0.2.7\",\"method\":\"GET\","
            "\"host\":\"example.com.nyud.net\",\"target\":\"/a?b=c\",\"protocol\":\"HTTP/1.1\","
            "\"status\":200,\"bytes\":1024,\"referer\":\"\",\"user_agent\":\"curl/7.88\","
            "\"source\":\"peer\",\"detail\":\"peer-l1\",\"first_byte_us\":1500,\"total_us\":2000,"
            "\"whole\":true}\n");
}

TEST(AccessLineTest, WhatAClientSendsCannotLeaveItsField) {
  AccessRecord record = Example();
  record.user_agent = "a\"b\\c\nd\xff";

  EXPECT_THAT(Line(record, AccessLogFormat::kCombined), HasSubstr("\"a\\x22b\\x5cc\\x0ad\\xff\""));
  EXPECT_THAT(Line(record, AccessLogFormat::kJson),
              HasSubstr("\"a\\u0022b\\u005cc\\u000ad\\u00ff\""));
}

TEST(AccessLineTest, SaysThatAResponseWasCut) {
  AccessRecord record = Example();
  record.is_whole = false;

  EXPECT_THAT(Line(record, AccessLogFormat::kCombined), HasSubstr(" cut\n"));
  EXPECT_THAT(Line(record, AccessLogFormat::kJson), HasSubstr("\"whole\":false"));
}

class AccessLogTest : public ::testing::Test {
 protected:
  AccessLogTest() {
    char name[] = "/tmp/reef-access-log-XXXXXX";
    folder_ = mkdtemp(name);
    path_ = folder_ + "/access.log";
  }
  ~AccessLogTest() override {
    unlink(path_.c_str());
    unlink((path_ + ".1").c_str());
    rmdir(folder_.c_str());
  }
  static std::string Content(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  EventLoop loop_;
  std::string folder_, path_;
};

TEST_F(AccessLogTest, WritesWhatItWasGivenWhenItEnds) {
  {
    AccessLog log(loop_, path_, AccessLogFormat::kCombined);
    log.Add(Example());
    EXPECT_EQ(Content(path_), "");
  }

  EXPECT_EQ(Content(path_), Line(Example(), AccessLogFormat::kCombined));
}

TEST_F(AccessLogTest, GoesOnInANewFileAfterRotation) {
  AccessLog log(loop_, path_, AccessLogFormat::kCombined);
  log.Add(Example());
  log.Flush();
  ASSERT_EQ(rename(path_.c_str(), (path_ + ".1").c_str()), 0);
  AccessRecord second = Example();
  second.status = 404;

  ReopenAccessLogs();
  log.Add(second);
  log.Flush();

  EXPECT_EQ(Content(path_), Line(second, AccessLogFormat::kCombined));
  EXPECT_EQ(Content(path_ + ".1"), Line(Example(), AccessLogFormat::kCombined));
}

TEST_F(AccessLogTest, CountsLinesThatCouldNotBeWritten) {
  AccessLog log(loop_, folder_ + "/absent/access.log", AccessLogFormat::kCombined);
  log.Add(Example());
  log.Add(Example());

  log.Flush();

  EXPECT_EQ(log.lines_lost(), 2u);
}

TEST_F(AccessLogTest, WithoutAPathLogsNothing) {
  AccessLog log(loop_, "", AccessLogFormat::kCombined);

  EXPECT_FALSE(log.enabled());
}

}  // namespace
}  // namespace reef::http
