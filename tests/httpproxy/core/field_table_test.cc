// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/field_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/bytes.h"

namespace reef::http {
namespace {

using testing::ElementsAre;

struct Known {
  std::string name;
  FieldId id;
};

// Every id but kOther, once.
std::vector<Known> AllKnown() {
  using enum FieldId;
  return {{"accept-encoding", kAcceptEncoding},
          {"accept-ranges", kAcceptRanges},
          {"age", kAge},
          {"authorization", kAuthorization},
          {"cache-control", kCacheControl},
          {"cache-status", kCacheStatus},
          {"cdn-cache-control", kCdnCacheControl},
          {"cdn-loop", kCdnLoop},
          {"connection", kConnection},
          {"content-encoding", kContentEncoding},
          {"content-length", kContentLength},
          {"content-location", kContentLocation},
          {"content-range", kContentRange},
          {"content-type", kContentType},
          {"cookie", kCookie},
          {"cookie2", kCookie2},
          {"date", kDate},
          {"etag", kEtag},
          {"expect", kExpect},
          {"expires", kExpires},
          {"host", kHost},
          {"if-match", kIfMatch},
          {"if-modified-since", kIfModifiedSince},
          {"if-none-match", kIfNoneMatch},
          {"if-range", kIfRange},
          {"if-unmodified-since", kIfUnmodifiedSince},
          {"keep-alive", kKeepAlive},
          {"last-modified", kLastModified},
          {"location", kLocation},
          {"pragma", kPragma},
          {"proxy-authenticate", kProxyAuthenticate},
          {"proxy-authentication-info", kProxyAuthenticationInfo},
          {"proxy-authorization", kProxyAuthorization},
          {"proxy-connection", kProxyConnection},
          {"proxy-status", kProxyStatus},
          {"range", kRange},
          {"reef-answer", kReefAnswer},
          {"reef-peer", kReefPeer},
          {"set-cookie", kSetCookie},
          {"set-cookie2", kSetCookie2},
          {"te", kTe},
          {"trailer", kTrailer},
          {"transfer-encoding", kTransferEncoding},
          {"upgrade", kUpgrade},
          {"vary", kVary},
          {"via", kVia},
          {"x-forwarded-for", kXForwardedFor}};
}

std::string Upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

TEST(IdentifyFieldTest, KnowsEachNameInAnyCase) {
  const auto known = AllKnown();
  ASSERT_EQ(known.size(), kFieldIdCount - 1);
  for (const auto& [name, id] : known) {
    EXPECT_EQ(IdentifyField(name), id) << name;
    EXPECT_EQ(IdentifyField(Upper(name)), id) << name;
  }
}

TEST(IdentifyFieldTest, TakesNoNameForAnotherThatDiffersInOneByte) {
  for (const auto& [name, id] : AllKnown()) {
    for (size_t i = 0; i < name.size(); ++i) {
      for (const char c : std::string_view("x9_~^`.")) {
        std::string other = name;
        if (other[i] == c) continue;
        other[i] = c;
        EXPECT_EQ(IdentifyField(other), FieldId::kOther) << other;
      }
    }
    EXPECT_NE(IdentifyField(name + "x"), id) << name;
    EXPECT_NE(IdentifyField(name.substr(1)), id) << name;
  }
}

TEST(FieldTableTest, FindsTheFirstOfARepeatedFieldAndThenTheNext) {
  FieldTable table;
  table.Clear();
  table.Add("Vary", "a");
  table.Add("X", "1");
  table.Add("vary", "b");

  const Field* first = table.Find(FieldId::kVary);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->value, "a");
  const Field* second = table.FindNext(first);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->value, "b");
  EXPECT_EQ(table.FindNext(second), nullptr);
  EXPECT_EQ(table.FindNamed("x")->value, "1");
  EXPECT_EQ(table.FindNamed("y"), nullptr);
}

TEST(FieldTableTest, RefusesMoreThanItHolds) {
  FieldTable table;
  for (size_t i = 0; i < FieldTable::kMax; ++i) ASSERT_TRUE(table.Add("X", "1"));

  EXPECT_FALSE(table.Add("Host", "h"));
  EXPECT_FALSE(table.Has(FieldId::kHost));
}

TEST(FieldTableTest, ForgetsAllWhenCleared) {
  FieldTable table;
  table.Add("Host", "h");
  table.Clear();

  EXPECT_EQ(table.size(), 0u);
  EXPECT_FALSE(table.Has(FieldId::kHost));
  EXPECT_EQ(table.Value(FieldId::kHost), "");
}

TEST(ReadFieldLinesTest, ReadsWhatWasSerialised) {
  FieldTable table;
  ASSERT_TRUE(ReadFieldLines("Host: h\r\nX-Empty:\r\nB:  two words \r\n", table));

  ASSERT_EQ(table.size(), 3u);
  EXPECT_EQ(table.Value(FieldId::kHost), "h");
  EXPECT_EQ(table.FindNamed("x-empty")->value, "");
  EXPECT_EQ(table.FindNamed("b")->value, "two words");
}

TEST(ReadFieldLinesTest, RefusesWhatIsNoFieldLine) {
  FieldTable table;
  for (const std::string text : {"Host: h", "no colon\r\n", ": v\r\n", "a b: c\r\n", "\r\n"}) {
    EXPECT_FALSE(ReadFieldLines(text, table)) << text;
  }
}

std::vector<std::string> Members(std::string_view list) {
  std::vector<std::string> members;
  std::string_view member;
  while (NextListMember(list, member)) members.emplace_back(member);
  return members;
}

TEST(Rfc9110Section561Test, ListsSkipEmptyMembersAndBlanks) {
  EXPECT_THAT(Members("a, b ,,\t c,"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(Members(" , ,"), ElementsAre());
  EXPECT_THAT(Members(""), ElementsAre());
}

TEST(Rfc9110Section561Test, QuotedStringsHideCommas) {
  EXPECT_THAT(Members("a=\"x, y\", \"q\\\", r\", c"),
              ElementsAre("a=\"x, y\"", "\"q\\\", r\"", "c"));
  EXPECT_THAT(Members("\"open, end"), ElementsAre("\"open, end"));
  EXPECT_THAT(Members("\"end\\"), ElementsAre("\"end\\"));
}

TEST(ListsTokenTest, LooksIntoEveryLineOfTheField) {
  FieldTable table;
  table.Add("Connection", "keep-alive");
  table.Add("Connection", "X-A, CLOSE");

  EXPECT_TRUE(ListsToken(table, FieldId::kConnection, "close"));
  EXPECT_TRUE(ListsToken(table, FieldId::kConnection, "x-a"));
  EXPECT_FALSE(ListsToken(table, FieldId::kConnection, "x"));
  table.Add("Connection", "a\", b");
  EXPECT_TRUE(ListsToken(table, FieldId::kConnection, "b")) << "hidden by a quote";
  EXPECT_FALSE(ListsToken(table, FieldId::kVary, "close"));
}

}  // namespace
}  // namespace reef::http
