// SPDX-License-Identifier: Apache-2.0
//
// One request and its response: what is served from the cache, what is asked for, what is said of
// it in the fields, and how other proxies are answered.
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "httpproxy/core/range.h"
#include "httpproxy/core/stored_head.h"
#include "tests/httpproxy/server/server_fixture.h"

namespace reef::http {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class ExchangeTest : public ServerTest {
 protected:
  TestResponse Get(std::string_view target, std::string_view fields = {}) {
    return Connect().Get(kHost, target, fields);
  }
  TestResponse Head(std::string_view target, std::string_view fields = {}) {
    TestClient client = Connect();
    client.Send("HEAD " + std::string(target) + " HTTP/1.1\r\nHost: " + std::string(kHost) +
                "\r\n" + std::string(fields) + "\r\n");
    return client.Read(/*head_only=*/true);
  }
  static void Tagged(ObjectHead& head) {
    head.etag = "\"v1\"";
    head.fields += "ETag: \"v1\"\r\n";
  }
  // Stale by a minute, and useful after its time for as long as said.
  static auto Stale(Duration while_revalidate, Duration if_error) {
    return [=](ObjectHead& head) {
      head.freshness.born = WallNow() - 2min;
      head.freshness.lifetime = 1min;
      head.freshness.stale_while_revalidate = while_revalidate;
      head.freshness.stale_if_error = if_error;
    };
  }
};

// ---- Hits ----

TEST_F(ExchangeTest, HitCarriesAgeViaAndCacheStatus) {
  Store("/a", "alpha", [](ObjectHead& head) { head.freshness.born = WallNow() - 100s; });
  Start();

  const TestResponse response = Get("/a");

  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "alpha");
  EXPECT_EQ(response.Field("Age"), "100");
  EXPECT_EQ(response.Field("Via"), "1.1 reef");
  EXPECT_EQ(response.Field("Cache-Status"), "reef; hit; ttl=3500");
  EXPECT_EQ(response.Field("Content-Type"), "text/plain");
  EXPECT_NE(response.Field("Date"), "");
}

TEST_F(ExchangeTest, LargeObjectIsServedWhole) {
  const std::string content(3'000'000, 'x');
  Store("/big", content);
  Start();
  TestClient client = Connect();

  EXPECT_TRUE(client.Get(kHost, "/big").body == content);
  EXPECT_TRUE(client.Get(kHost, "/big").body == content);
}

TEST_F(ExchangeTest, HeadIsTheHeadOfGetWithoutContent) {
  Store("/a", "alpha");
  Start();

  const TestResponse response = Head("/a");

  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.Field("Content-Length"), "5");
}

TEST_F(ExchangeTest, ContentOfNoBytesIsServed) {
  Store("/empty", "");
  Start();
  TestClient client = Connect();

  EXPECT_EQ(client.Get(kHost, "/empty").Field("Content-Length"), "0");
  EXPECT_EQ(client.Get(kHost, "/empty").status, 200);
}

TEST_F(ExchangeTest, MatchingConditionIsAnsweredWith304) {
  Store("/a", "alpha", Tagged);
  Start();

  const TestResponse same = Get("/a", "If-None-Match: \"v1\"\r\n");
  const TestResponse other = Get("/a", "If-None-Match: \"v2\"\r\n");

  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.Field("ETag"), "\"v1\"");
  EXPECT_EQ(same.Field("Content-Length"), "");
  EXPECT_EQ(other.body, "alpha");
  EXPECT_EQ(Metric("reef_http_not_modified_total"), "1");
}

TEST_F(ExchangeTest, FailedPreconditionIsAnsweredWith412) {
  Store("/a", "alpha", Tagged);
  Start();

  EXPECT_EQ(Get("/a", "If-Match: \"v2\"\r\n").status, 412);
}

TEST_F(ExchangeTest, RangeIsAnsweredWith206) {
  Store("/a", "0123456789", Tagged);
  Start();

  const TestResponse middle = Get("/a", "Range: bytes=2-4\r\n");
  const TestResponse suffix = Get("/a", "Range: bytes=-3\r\n");

  EXPECT_EQ(middle.status, 206);
  EXPECT_EQ(middle.body, "234");
  EXPECT_EQ(middle.Field("Content-Range"), "bytes 2-4/10");
  EXPECT_EQ(suffix.body, "789");
}

TEST_F(ExchangeTest, RangeAcrossSegmentsIsRight) {
  std::string content(1'000'000, 'x');
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>('a' + i / 1000 % 26);
  Store("/big", content);
  Start();

  const TestResponse response = Get("/big", "Range: bytes=200000-900000\r\n");

  EXPECT_EQ(response.status, 206);
  EXPECT_TRUE(response.body == content.substr(200'000, 700'001));
}

TEST_F(ExchangeTest, RangeBeyondTheEndIsAnsweredWith416) {
  Store("/a", "0123456789");
  Start();

  const TestResponse response = Get("/a", "Range: bytes=10-\r\n");

  EXPECT_EQ(response.status, 416);
  EXPECT_EQ(response.Field("Content-Range"), "bytes */10");
}

// The content of the parts of a multipart/byteranges response, after its heads.
std::vector<std::pair<std::string, std::string>> PartsOf(const TestResponse& response) {
  const std::string type = response.Field("Content-Type");
  const std::string start = "multipart/byteranges; boundary=";
  EXPECT_TRUE(type.starts_with(start)) << type;
  const std::string mark = "--" + type.substr(start.size());
  std::vector<std::pair<std::string, std::string>> parts;
  size_t at = response.body.find(mark) + mark.size();
  while (response.body.compare(at, 2, "--") != 0) {
    const size_t content = response.body.find("\r\n\r\n", at) + 4;
    const size_t end = response.body.find("\r\n" + mark, content);
    if (end == std::string::npos) {
      ADD_FAILURE() << "a part without an end";
      return parts;
    }
    parts.emplace_back(response.body.substr(at + 2, content - at - 6),
                       response.body.substr(content, end - content));
    at = end + 2 + mark.size();
  }
  EXPECT_EQ(response.body.substr(at), "--\r\n");
  return parts;
}

TEST_F(ExchangeTest, SeveralRangesAreAnsweredInParts) {
  std::string content(1'000'000, 'x');
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>('a' + i / 1000 % 26);
  Store("/big", content, [](ObjectHead& head) {
    Tagged(head);
    head.fields += "Content-Type: text/plain\r\n";
  });
  Start();

  const TestResponse response = Get("/big", "Range: bytes=-300000,0-9,200000-600000\r\n");

  EXPECT_EQ(response.status, 206);
  EXPECT_EQ(response.Field("Content-Range"), "");
  EXPECT_EQ(response.Field("ETag"), "\"v1\"");
  const auto parts = PartsOf(response);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].first,
            "Content-Type: text/plain\r\nContent-Range: bytes 700000-999999/1000000");
  EXPECT_TRUE(parts[0].second == content.substr(700'000));
  EXPECT_EQ(parts[1].second, content.substr(0, 10));
  EXPECT_TRUE(parts[2].second == content.substr(200'000, 400'001));
}

TEST_F(ExchangeTest, SeveralRangesThatAreOneInTruthAreAnsweredAsOne) {
  Store("/a", "0123456789", Tagged);
  Start();

  const TestResponse overlapping = Get("/a", "Range: bytes=0-4,3-7\r\n");
  const TestResponse one_is_beyond = Get("/a", "Range: bytes=2-4,20-\r\n");
  const TestResponse all_are_beyond = Get("/a", "Range: bytes=20-,30-\r\n");

  EXPECT_EQ(overlapping.Field("Content-Range"), "bytes 0-7/10");
  EXPECT_EQ(overlapping.body, "01234567");
  EXPECT_EQ(one_is_beyond.body, "234");
  EXPECT_EQ(all_are_beyond.status, 416);
}

TEST_F(ExchangeTest, TooManyRangesAreAnsweredWithTheWhole) {
  Store("/a", std::string(100'000, 'x'), Tagged);
  Start();
  std::string ranges = "Range: bytes=0-0";
  for (size_t i = 1; i <= kRangesMax; ++i) {
    ranges += "," + std::to_string(i * 1000) + "-" + std::to_string(i * 1000);
  }

  EXPECT_EQ(Get("/a", ranges + "\r\n").status, 200);
}

TEST_F(ExchangeTest, SeveralRangesOfAFillingObjectComeInAscendingOrderAsTheyArrive) {
  const auto object =
      fills_.Filling(KeyOf("/a"), true, [](ObjectHead& head) { head.content_length = 1000; });
  const std::string content = std::string(500, 'a') + std::string(500, 'b');
  object->body->Append(content.substr(0, 400));
  Start();
  TestClient client = Connect();
  client.SendGet(kHost, "/a", "Range: bytes=900-949,0-49\r\n");
  TestResponse response = client.ReadHead();

  object->body->Append(content.substr(400));
  object->body->Complete();

  response.body = client.ReadBytes(std::stoul(response.Field("Content-Length")));
  const auto parts = PartsOf(response);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].second, std::string(50, 'a'));
  EXPECT_EQ(parts[1].second, std::string(50, 'b'));
}

TEST_F(ExchangeTest, RangeUnderAnotherValidatorIsAnsweredWithTheWhole) {
  Store("/a", "0123456789", Tagged);
  Start();

  EXPECT_EQ(Get("/a", "Range: bytes=2-4\r\nIf-Range: \"v1\"\r\n").status, 206);
  EXPECT_EQ(Get("/a", "Range: bytes=2-4\r\nIf-Range: \"v2\"\r\n").status, 200);
}

TEST_F(ExchangeTest, RangeOfAFillingObjectIsServedOnceItsBytesAreThere) {
  const auto object =
      fills_.Filling(KeyOf("/a"), true, [](ObjectHead& head) { head.content_length = 10; });
  object->body->Append("01234");
  Start();
  TestClient client = Connect();
  client.SendGet(kHost, "/a", "Range: bytes=3-7\r\n");
  const TestResponse head = client.ReadHead();

  object->body->Append("56789");
  object->body->Complete();

  EXPECT_EQ(head.Field("Content-Range"), "bytes 3-7/10");
  EXPECT_EQ(client.ReadBytes(5), "34567");
}

// ---- Names and methods ----

TEST_F(ExchangeTest, HostsThatNameNoOriginGetAPageThatSaysSo) {
  Start();

  const TestResponse apex = Connect().Get("nyud.net", "/");
  const TestResponse foreign = Connect().Get("example.org", "/");
  const TestResponse address = Connect().Get("127.0.0.1.nyud.net", "/");

  EXPECT_EQ(apex.status, 404);
  EXPECT_EQ(foreign.status, 404);
  EXPECT_GE(address.status, 400);
  EXPECT_THAT(foreign.body, Not(::testing::IsEmpty()));
  EXPECT_EQ(Metric("reef_http_host_refused_total{reason=\"not-ours\"}"), "1");
  EXPECT_EQ(Requests(Source::kError), 3u);
}

TEST_F(ExchangeTest, HostMayHaveAnyPortAndCase) {
  Store("/a", "alpha");
  Start();

  EXPECT_EQ(Connect().Get("EXAMPLE.com.NYUD.net:8090", "/a").body, "alpha");
}

TEST_F(ExchangeTest, AbsoluteTargetCountsBeforeHost) {
  Store("/a", "alpha");
  Start();
  TestClient client = Connect();

  client.Send("GET http://example.com.nyud.net/a HTTP/1.1\r\nHost: other.example\r\n\r\n");

  EXPECT_EQ(client.Read().body, "alpha");
}

TEST_F(ExchangeTest, TheOpenZoneTakesNoUnsafeMethods) {
  Start();
  TestClient client = Connect();

  client.Send("DELETE /a HTTP/1.1\r\nHost: " + std::string(kHost) + "\r\n\r\n");

  const TestResponse response = client.Read();
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(response.Field("Allow"), "GET, HEAD, OPTIONS");
  EXPECT_TRUE(fills_.asked().empty());
}

TEST_F(ExchangeTest, OptionsOfTheServerIsAnsweredHere) {
  Start();
  TestClient client = Connect();

  client.Send("OPTIONS * HTTP/1.1\r\nHost: " + std::string(kHost) + "\r\n\r\n");

  const TestResponse response = client.Read();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.Field("Allow"), "GET, HEAD, OPTIONS");
}

TEST_F(ExchangeTest, NamedSiteIsOneOriginWhateverThePortInItsName) {
  options_.origins["site"] = Endpoint{IpAddress::V4({127, 0, 0, 1}), 1};
  Start();

  Connect().Get("site.nyud.net", "/a");
  Connect().Get("site.8080.nyud.net", "/a");

  const auto asked = fills_.asked();
  EXPECT_EQ(asked.at(0).request.origin, (Origin{false, "site", 80}));
  EXPECT_EQ(asked.at(0).request.key, asked.at(1).request.key);
}

// ---- Misses ----

TEST_F(ExchangeTest, MissIsFetchedAndSaysFromWhere) {
  fills_.OnAsked([this](const FakeFills::Asked& asked) {
    FetchOutcome outcome = FakeFills::Of(fills_.Stored(asked.request.key, "alpha"));
    outcome.source = "peer-l1";
    outcome.upstream_cache_status = "reef; fwd=uri-miss; detail=origin";
    return outcome;
  });
  Start();

  const TestResponse response = Get("/a");

  EXPECT_EQ(response.body, "alpha");
  EXPECT_EQ(response.Field("Cache-Status"),
            "reef; fwd=uri-miss; detail=origin, "
            "reef; fwd=uri-miss; fwd-status=200; stored; detail=peer-l1");
  EXPECT_EQ(Requests(Source::kPeer), 1u);
  EXPECT_EQ(proxy_->stats().origin_avoided, 1u);
}

TEST_F(ExchangeTest, FetchCarriesTheClientsFieldsButNotItsConditions) {
  Start();

  Get("/a?b=c",
      "X-Unknown: kept\r\nIf-None-Match: \"v\"\r\nRange: bytes=0-1\r\nCookie: secret\r\n");

  const FetchRequest request = fills_.asked().at(0).request;
  EXPECT_EQ(request.key, KeyOf("/a?b=c"));
  EXPECT_EQ(request.target, "/a?b=c");
  EXPECT_THAT(request.fields, HasSubstr("X-Unknown: kept\r\n"));
  EXPECT_THAT(request.fields, HasSubstr("CDN-Loop: "));
  EXPECT_THAT(request.fields, Not(HasSubstr("If-None-Match")));
  EXPECT_THAT(request.fields, Not(HasSubstr("Range")));
  EXPECT_THAT(request.fields, Not(HasSubstr("Cookie"))) << "the open zone has no cookies";
}

TEST_F(ExchangeTest, MissesOfAllKeysAreAnsweredOnEveryLoop) {
  options_.loops = 4;
  fills_.OnAsked([this](const FakeFills::Asked& asked) {
    return FakeFills::Of(fills_.Stored(asked.request.key, "content of " + asked.request.target));
  });
  Start();
  std::vector<TestClient> clients;
  for (int i = 0; i < 16; ++i) clients.push_back(Connect());

  for (int i = 0; i < 160; ++i) {
    const std::string target = "/" + std::to_string(i);
    EXPECT_EQ(clients[static_cast<size_t>(i % 16)].Get(kHost, target).body, "content of " + target);
  }
}

TEST_F(ExchangeTest, ConditionOnWhatHadToBeFetchedIsAnsweredFromIt) {
  fills_.OnAsked([this](const FakeFills::Asked& asked) {
    return FakeFills::Of(fills_.Stored(asked.request.key, "alpha", Tagged));
  });
  Start();

  EXPECT_EQ(Get("/a", "If-None-Match: \"v1\"\r\n").status, 304);
  EXPECT_EQ(Get("/b", "Range: bytes=1-2\r\n").body, "lp");
}

TEST_F(ExchangeTest, WhatCannotBeSharedIsFetchedAgainAlone) {
  fills_.OnAsked([this](const FakeFills::Asked& asked) {
    if (!asked.alone) return FakeFills::Of(FetchOutcome::Kind::kRetryAlone);
    FetchOutcome own = FakeFills::Of(fills_.Filling(asked.request.key, false));
    own.kind = FetchOutcome::Kind::kPassThrough;
    own.object->body->Append("own");
    own.object->body->Complete();
    return own;
  });
  Start();

  EXPECT_EQ(Get("/a").body, "own");
  EXPECT_EQ(Requests(Source::kPass), 1u);
}

TEST_F(ExchangeTest, CredentialsAreFetchedAloneWithTheConditions) {
  Start();

  Get("/a", "Authorization: Basic x\r\nIf-None-Match: \"v\"\r\n");

  const FakeFills::Asked asked = fills_.asked().at(0);
  EXPECT_TRUE(asked.alone);
  EXPECT_THAT(asked.request.fields, HasSubstr("Authorization: Basic x\r\n"));
  EXPECT_THAT(asked.request.fields, HasSubstr("If-None-Match: \"v\"\r\n"));
}

TEST_F(ExchangeTest, FailureSaysWhatWasTried) {
  fills_.OnAsked([](const FakeFills::Asked&) {
    FetchOutcome outcome = FakeFills::Of(FetchOutcome::Kind::kError);
    outcome.status = 504;
    outcome.detail = "example.com:80 did not answer";
    return outcome;
  });
  Start();

  const TestResponse response = Get("/a");

  EXPECT_EQ(response.status, 504);
  EXPECT_THAT(response.Field("Proxy-Status"), StartsWith("reef; error="));
  EXPECT_THAT(response.Field("Proxy-Status"), HasSubstr("example.com:80 did not answer"));
  EXPECT_THAT(response.body, HasSubstr("example.com:80 did not answer"));
}

TEST_F(ExchangeTest, OnlyIfCachedIsNeverFetched) {
  Store("/a", "alpha");
  Start();

  EXPECT_EQ(Get("/a", "Cache-Control: only-if-cached\r\n").body, "alpha");
  EXPECT_EQ(Get("/b", "Cache-Control: only-if-cached\r\n").status, 504);
  EXPECT_TRUE(fills_.asked().empty());
}

TEST_F(ExchangeTest, RequestThatHasComeThroughThisCdnIsNotForwardedAgain) {
  Start();

  EXPECT_EQ(Get("/a", "CDN-Loop: reef\r\n").status, 508);
  EXPECT_TRUE(fills_.asked().empty());
  EXPECT_EQ(Metric("reef_http_loops_refused_total"), "1");
}

TEST_F(ExchangeTest, AnswerToOtherFieldsSendsTheRequestForItsOwnVariant) {
  Store("/a", "in German", [](ObjectHead& head) { head.vary = {{"accept-language", "de"}}; });
  fills_.OnAsked([this](const FakeFills::Asked& asked) {
    return FakeFills::Of(fills_.Stored(asked.request.key, "in French", [](ObjectHead& head) {
      head.vary = {{"accept-language", "fr"}};
    }));
  });
  Start();

  EXPECT_EQ(Get("/a", "Accept-Language: de\r\n").body, "in German");
  const TestResponse fetched = Get("/a", "Accept-Language: fr\r\n");
  const TestResponse again = Get("/a", "Accept-Language: fr\r\n");

  EXPECT_EQ(fetched.body, "in French");
  EXPECT_THAT(fetched.Field("Cache-Status"), HasSubstr("fwd=vary-miss"));
  EXPECT_EQ(again.body, "in French");
  EXPECT_EQ(fills_.asked().size(), 1u);
}

TEST_F(ExchangeTest, DroppedCookiesSelectNoVariant) {
  Store("/a", "alpha", [](ObjectHead& head) {
    head.vary = {{"cookie", std::string(kAbsentField)}};
  });
  Start();

  EXPECT_EQ(Get("/a", "Cookie: a=b\r\n").body, "alpha");
}

// ---- Stale copies ----

TEST_F(ExchangeTest, StaleCopyIsServedAtOnceWhileOneRefreshRuns) {
  Store("/a", "old", Stale(1h, 0s));
  fills_.OnAsked([](const FakeFills::Asked&) { return std::nullopt; });
  Start();

  const TestResponse first = Get("/a"), second = Get("/a");

  EXPECT_EQ(first.body, "old");
  EXPECT_EQ(second.body, "old");
  EXPECT_EQ(first.Field("Cache-Status"), "reef; hit; ttl=-60");
  ASSERT_TRUE(fills_.WaitForAsked(1));
  EXPECT_EQ(fills_.asked().size(), 1u);
  EXPECT_NE(fills_.asked()[0].request.stale, nullptr);
  EXPECT_EQ(Requests(Source::kStale), 2u);

  fills_.Answer(FakeFills::Of(Store("/a", "new")));
  EXPECT_TRUE(Eventually([&] { return Get("/a").body == "new"; }));
}

TEST_F(ExchangeTest, StaleCopyIsValidatedFirst) {
  const auto old = Store("/a", "old", Stale(0s, 0s));
  fills_.OnAsked([&](const FakeFills::Asked&) {
    FetchOutcome outcome = FakeFills::Of(Store("/a", "new"));
    outcome.upstream_status = 304;
    outcome.revalidated = true;
    return outcome;
  });
  Start();

  const TestResponse response = Get("/a");

  EXPECT_EQ(response.body, "new");
  EXPECT_THAT(response.Field("Cache-Status"), StartsWith("reef; fwd=stale; fwd-status=304"));
  EXPECT_EQ(fills_.asked().at(0).request.stale, old);
}

TEST_F(ExchangeTest, StaleCopyIsServedInsteadOfAnError) {
  Store("/a", "old", Stale(0s, 1h));
  Store("/b", "old", [](ObjectHead& head) {
    Stale(0s, 1h)(head);
    head.freshness.must_revalidate = true;
  });
  Start();

  const TestResponse allowed = Get("/a"), forbidden = Get("/b");

  EXPECT_EQ(allowed.body, "old");
  EXPECT_THAT(allowed.Field("Cache-Status"), StartsWith("reef; fwd=stale"));
  EXPECT_EQ(forbidden.status, 502);
}

TEST_F(ExchangeTest, StaleCopyIsServedInsteadOfTheOriginsServerError) {
  Store("/a", "old", Stale(0s, 1h));
  fills_.OnAsked([this](const FakeFills::Asked& asked) {
    FetchOutcome outcome = FakeFills::Of(
        fills_.Filling(asked.request.key, false, [](ObjectHead& head) { head.status = 503; }));
    outcome.object->body->Complete();
    return outcome;
  });
  Start();

  EXPECT_EQ(Get("/a").body, "old");
}

// ---- Other proxies ----

class PeerTest : public ExchangeTest {
 protected:
  static std::string Ask(const PeerAsk& ask) {
    return "Cache-Control: only-if-cached\r\n" + std::string(kPeerField) + ": " +
           WritePeerAsk(ask) + "\r\n";
  }
  static PeerAsk From(uint16_t port) {
    PeerAsk ask;
    ask.rank = 3;
    ask.node = "00";
    ask.endpoint = {IpAddress::V4({127, 0, 0, 9}), port};
    return ask;
  }
  static std::optional<PeerAnswer> AnswerOf(const TestResponse& response) {
    return ParsePeerAnswer(response.Field(kAnswerField));
  }
  static PeerAnswer::What WhatOf(const TestResponse& response) {
    const auto answer = AnswerOf(response);
    EXPECT_TRUE(answer.has_value()) << response.head;
    return answer ? answer->what : PeerAnswer::What{};
  }
};

TEST_F(PeerTest, IsGivenWhatIsHere) {
  Store("/a", "alpha");
  Start();

  const TestResponse response = Get("/a", Ask(From(1)));

  EXPECT_EQ(response.body, "alpha");
  EXPECT_EQ(response.Field("Cache-Status"), "reef; hit; ttl=3600");
  EXPECT_EQ(proxy_->stats().peers_served, 1u);
  EXPECT_EQ(Requests(Source::kHit), 0u) << "counted apart from clients";
}

TEST_F(PeerTest, WhatIsNeitherHereNorFetchedIsNotHeldAndNotFetched) {
  fills_.OnAsked(
      [](const FakeFills::Asked&) { return FakeFills::Of(FetchOutcome::Kind::kNotHeld); });
  Start();
  PeerAsk ask = From(1);
  ask.rank = 2;

  const TestResponse response = Get("/a", Ask(ask));

  EXPECT_EQ(response.status, 504);
  EXPECT_EQ(WhatOf(response), PeerAnswer::What::kNotHeld);
  const FetchRequest request = fills_.asked().at(0).request;
  EXPECT_TRUE(request.only_if_cached && request.from_peer);
  EXPECT_EQ(request.peer_rank, 2);
}

TEST_F(PeerTest, AStaleCopyIsNotHeld) {
  Store("/a", "old", Stale(1h, 1h));
  fills_.OnAsked(
      [](const FakeFills::Asked&) { return FakeFills::Of(FetchOutcome::Kind::kNotHeld); });
  Start();

  EXPECT_EQ(WhatOf(Get("/a", Ask(From(1)))), PeerAnswer::What::kNotHeld);
}

TEST_F(PeerTest, OutcomesOfARunningFetchAreToldAsWhatTheyAre) {
  struct Case {
    FetchOutcome::Kind kind;
    PeerAnswer::What what;
    int status;
  };
  for (const Case& c : {Case{FetchOutcome::Kind::kOrder, PeerAnswer::What::kOrder, 504},
                        Case{FetchOutcome::Kind::kRetryAlone, PeerAnswer::What::kUncacheable, 504},
                        Case{FetchOutcome::Kind::kError, PeerAnswer::What::kFailed, 502}}) {
    fills_.OnAsked([&](const FakeFills::Asked&) { return FakeFills::Of(c.kind); });
    Start();

    const TestResponse response = Get("/a", Ask(From(1)));

    EXPECT_EQ(WhatOf(response), c.what);
    EXPECT_EQ(response.status, c.status);
    proxy_.reset();
  }
}

TEST_F(PeerTest, WaitsUnderSignsOfLifeUntilTheHeadIsThere) {
  options_.interim_interval = 10ms;
  options_.loops = 3;
  fills_.OnAsked([](const FakeFills::Asked&) { return std::nullopt; });
  Start();
  for (int i = 0; i < 6; ++i) {  // keys of every home loop
    const std::string target = "/" + std::to_string(i);
    TestClient client = Connect();
    client.SendGet(kHost, target, Ask(From(1)));

    EXPECT_EQ(client.Read().status, 102);
    EXPECT_EQ(client.Read().status, 102);
    fills_.Answer(FakeFills::Of(Store(target, "alpha")));
    TestResponse response = client.Read();
    while (response.status == 102) response = client.Read();

    EXPECT_EQ(response.body, "alpha");
  }
}

TEST_F(PeerTest, FirstSignOfLifeDoesNotWaitForTheInterval) {
  options_.interim_interval = 1h;
  fills_.OnAsked([](const FakeFills::Asked&) { return std::nullopt; });
  Start();
  TestClient client = Connect();

  client.SendGet(kHost, "/a", Ask(From(1)));

  EXPECT_EQ(client.Read().status, 102);
}

TEST_F(PeerTest, WhoHasAsMuchAlreadyIsSentElsewhere) {
  const auto object = fills_.Filling(KeyOf("/a"), true);
  object->body->Append("0123456789");
  Start();
  PeerAsk as_much = From(1), less = From(2);
  as_much.have = 10;
  as_much.has_head = less.has_head = true;
  less.have = 9;
  TestClient client = Connect();

  EXPECT_EQ(WhatOf(Get("/a", Ask(as_much))), PeerAnswer::What::kOrder);
  client.SendGet(kHost, "/a", Ask(less));
  EXPECT_EQ(client.ReadHead().status, 200);
}

TEST_F(PeerTest, BeyondTheFanOutIsPointedToReadersThatHaveTheHead) {
  options_.peer_readers_max = 2;
  const auto object = fills_.Filling(KeyOf("/a"), true);
  Start();
  TestClient first = Connect(), second = Connect();
  first.SendGet(kHost, "/a", Ask(From(1)));
  second.SendGet(kHost, "/a", Ask(From(2)));
  ASSERT_EQ(first.ReadHead().status, 200);
  ASSERT_EQ(second.ReadHead().status, 200);

  const TestResponse third = Get("/a", Ask(From(3)));

  EXPECT_EQ(third.status, 503);
  ASSERT_EQ(WhatOf(third), PeerAnswer::What::kBusy);
  EXPECT_THAT(AnswerOf(third)->try_instead,
              ::testing::UnorderedElementsAre(From(1).endpoint, From(2).endpoint));
  EXPECT_EQ(Connect().Get(kHost, "/b").status, 502) << "other objects are not concerned";
}

TEST_F(PeerTest, AReaderThatLeavesMakesRoom) {
  options_.peer_readers_max = 1;
  const auto object = fills_.Filling(KeyOf("/a"), true);
  Start();
  TestClient first = Connect();
  first.SendGet(kHost, "/a", Ask(From(1)));
  ASSERT_EQ(first.ReadHead().status, 200);

  first.Reset();

  EXPECT_TRUE(Eventually([&] {
    TestClient next = Connect();
    next.SendGet(kHost, "/a", Ask(From(2)));
    return next.ReadHead().status == 200;
  }));
}

TEST_F(PeerTest, ACompleteObjectHasNoFanOut) {
  options_.peer_readers_max = 1;
  Store("/a", std::string(10 << 20, 'x'));
  Start();
  TestClient first = Connect(), second = Connect();

  first.SendGet(kHost, "/a", Ask(From(1)));
  second.SendGet(kHost, "/a", Ask(From(2)));

  EXPECT_EQ(first.ReadHead().status, 200);
  EXPECT_EQ(second.ReadHead().status, 200);
}

TEST_F(PeerTest, MalformedQuestionIsThatOfAClient) {
  Start();

  const TestResponse response =
      Get("/a", "Cache-Control: only-if-cached\r\nReef-Peer: nonsense\r\n");

  EXPECT_EQ(response.status, 504);
  EXPECT_EQ(response.Field(kAnswerField), "");
  EXPECT_TRUE(fills_.asked().empty());
}

// ---- Log ----

TEST_F(ExchangeTest, LogsEachRequestWithItsOutcome) {
  char name[] = "/tmp/reef-server-test-XXXXXX";
  const std::string folder = mkdtemp(name);
  options_.access_log = folder + "/access.log";
  Store("/hit", "alpha");
  fills_.OnAsked([this](const FakeFills::Asked& asked) {
    return FakeFills::Of(fills_.Stored(asked.request.key, "beta"));
  });
  Start();

  Get("/hit", "User-Agent: tester\r\n");
  Get("/miss");
  proxy_.reset();

  std::ostringstream log;
  log << std::ifstream(options_.access_log).rdbuf();
  EXPECT_THAT(log.str(), HasSubstr("\"GET /hit HTTP/1.1\" 200 5 \"-\" \"tester\" "
                                   "\"example.com.nyud.net\" hit - 0 0 whole\n"));
  EXPECT_THAT(log.str(), HasSubstr("\"GET /miss HTTP/1.1\" 200 4 \"-\" \"-\" "
                                   "\"example.com.nyud.net\" origin origin "));
  unlink(options_.access_log.c_str());
  rmdir(folder.c_str());
}

}  // namespace
}  // namespace reef::http
