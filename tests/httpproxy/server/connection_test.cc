// SPDX-License-Identifier: Apache-2.0
//
// The wire: persistence, pipelining, framing, limits and ends of connections (RFC 9112).
#include <atomic>
#include <future>
#include <string>
#include <thread>

#include "tests/httpproxy/server/server_fixture.h"

namespace reef::http {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using ConnectionTest = ServerTest;

std::string GetRequest(std::string_view target, std::string_view fields = {}) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: " + std::string(kHost) + "\r\n" +
         std::string(fields) + "\r\n";
}

TEST_F(ConnectionTest, ServesManyRequestsOnOneConnection) {
  Store("/a", "alpha");
  Store("/b", "beta");
  Start();
  TestClient client = Connect();

  EXPECT_EQ(client.Get(kHost, "/a").body, "alpha");
  EXPECT_EQ(client.Get(kHost, "/b").body, "beta");
  EXPECT_EQ(client.Get(kHost, "/a").body, "alpha");

  EXPECT_EQ(Metric("reef_http_connections_accepted_total"), "1");
}

TEST_F(ConnectionTest, AnswersPipelinedRequestsInOrder) {
  Start();
  std::string requests;
  for (int i = 0; i < 200; ++i) {
    const std::string target = "/" + std::to_string(i);
    Store(target, "content of " + target);
    requests += GetRequest(target);
  }
  TestClient client = Connect();

  client.Send(requests);

  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(client.Read().body, "content of /" + std::to_string(i));
  }
}

TEST_F(ConnectionTest, AHitBehindAMissWaitsForItsTurn) {
  Store("/hit", "hit");
  fills_.OnAsked([](const FakeFills::Asked&) { return std::nullopt; });
  Start();
  TestClient client = Connect();

  client.Send(GetRequest("/miss") + GetRequest("/hit"));
  ASSERT_TRUE(fills_.WaitForAsked(1));
  fills_.Answer(FakeFills::Of(Store("/miss", "miss")));

  EXPECT_EQ(client.Read().body, "miss");
  EXPECT_EQ(client.Read().body, "hit");
}

TEST_F(ConnectionTest, TakesAHeadInAnyPieces) {
  Store("/a", "alpha");
  Start();
  TestClient client = Connect();

  for (const char c : GetRequest("/a")) client.Send({&c, 1});

  EXPECT_EQ(client.Read().body, "alpha");
  EXPECT_EQ(client.Get(kHost, "/a").body, "alpha");
}

TEST_F(ConnectionTest, ClosesWhenAskedTo) {
  Store("/a", "alpha");
  Start();
  TestClient client = Connect();

  const TestResponse response = client.Get(kHost, "/a", "Connection: close\r\n");

  EXPECT_EQ(response.body, "alpha");
  EXPECT_EQ(response.Field("Connection"), "close");
  EXPECT_EQ(client.WaitForEnd(), TestClient::End::kClosed);
}

TEST_F(ConnectionTest, Http10ClosesUnlessAskedToKeep) {
  Store("/a", "alpha");
  Start();
  TestClient closing = Connect(), keeping = Connect();
  const std::string head = "GET /a HTTP/1.0\r\nHost: " + std::string(kHost) + "\r\n";

  closing.Send(head + "\r\n");
  keeping.Send(head + "Connection: keep-alive\r\n\r\n");

  EXPECT_EQ(closing.Read().body, "alpha");
  EXPECT_EQ(closing.WaitForEnd(), TestClient::End::kClosed);
  EXPECT_EQ(keeping.Read().Field("Connection"), "keep-alive");
  keeping.Send(head + "\r\n");
  EXPECT_EQ(keeping.Read().body, "alpha");
}

TEST_F(ConnectionTest, UnknownLengthIsChunkedToHttp11AndEndsWithTheConnectionForHttp10) {
  const auto object = fills_.Filling(KeyOf("/a"), true);
  fills_.OnAsked([](const FakeFills::Asked&) { return std::nullopt; });
  Start();
  TestClient modern = Connect(), old = Connect();
  modern.SendGet(kHost, "/a");
  old.Send("GET /a HTTP/1.0\r\nHost: " + std::string(kHost) + "\r\n\r\n");

  const TestResponse modern_head = modern.ReadHead();
  const TestResponse old_head = old.ReadHead();
  object->body->Append("some bytes");
  object->body->Complete();

  EXPECT_EQ(modern_head.Field("Transfer-Encoding"), "chunked");
  EXPECT_EQ(modern.ReadBytes(20), "a\r\nsome bytes\r\n0\r\n\r\n");
  EXPECT_EQ(old_head.Field("Transfer-Encoding"), "");
  EXPECT_EQ(old.ReadBytes(100), "some bytes");
  EXPECT_EQ(old.WaitForEnd(), TestClient::End::kClosed);
}

TEST_F(ConnectionTest, BrokenOffBodyNeverLooksWhole) {
  struct Case {
    std::string version;
    std::optional<uint64_t> length;
  };
  for (const Case& c : {Case{"1.1", std::nullopt}, Case{"1.1", 100}, Case{"1.0", std::nullopt}}) {
    const auto object = fills_.Filling(KeyOf("/a"), true,
                                       [&](ObjectHead& head) { head.content_length = c.length; });
    Start();
    TestClient client = Connect();
    client.Send("GET /a HTTP/" + c.version + "\r\nHost: " + std::string(kHost) + "\r\n\r\n");
    object->body->Append("some bytes");
    const TestResponse head = client.ReadHead();
    ASSERT_EQ(head.status, 200);

    object->body->Abort("the origin broke off");

    const TestClient::End end = client.WaitForEnd();
    const std::string rest = client.ReadBytes(1000);
    EXPECT_THAT(rest, Not(HasSubstr("0\r\n\r\n")));
    EXPECT_EQ(end, c.version == "1.0" ? TestClient::End::kReset : TestClient::End::kClosed);
    proxy_.reset();
  }
}

TEST_F(ConnectionTest, SlowReaderHoldsBackTheSourceAndGetsEveryByte) {
  // A body that passes through: its window is what may wait in memory.
  constexpr size_t kBytes = 32 << 20;
  const auto object =
      fills_.Filling(KeyOf("/big"), false, [&](ObjectHead& head) { head.content_length = kBytes; });
  fills_.OnAsked([&](const FakeFills::Asked&) {
    FetchOutcome outcome = FakeFills::Of(object);
    outcome.kind = FetchOutcome::Kind::kPassThrough;
    return outcome;
  });
  Start();
  TestClient client = Connect();
  client.SendGet(kHost, "/big");
  ASSERT_EQ(client.ReadHead().status, 200);

  // The writer, on a loop of its own, writes when there is room.
  LoopThread writer("writer");
  std::atomic<uint64_t> written = 0;
  std::function<void()> write = [&] {
    while (written < kBytes) {
      const std::string bytes(64 * 1024, static_cast<char>('a' + (written >> 16) % 26));
      written += bytes.size();
      if (!object->body->Append(bytes)) {
        return object->body->WhenRoom(writer.loop(), [&] { write(); });
      }
    }
    object->body->Complete();
  };
  writer.RunAndWait([&] { write(); });
  EXPECT_LT(written, kBytes / 2) << "nothing held the source back";

  std::string received;
  while (received.size() < kBytes) {
    const std::string bytes = client.ReadBytes(64 * 1024);
    ASSERT_EQ(bytes, std::string(64 * 1024, static_cast<char>('a' + (received.size() >> 16) % 26)));
    received += bytes;
  }
  writer.RunAndWait([&] { EXPECT_EQ(written, kBytes); });
}

TEST_F(ConnectionTest, WriteTimeoutResetsAClientThatTakesNothing) {
  options_.write_timeout = 50ms;
  const auto object = fills_.Filling(KeyOf("/big"), true);
  object->body->Append(std::string(16 << 20, 'x'));
  object->body->Complete();
  Start();
  TestClient client = Connect();
  client.SendGet(kHost, "/big");

  // Reads nothing until the server has given up.
  ASSERT_TRUE(
      Eventually([&] { return Metric("reef_http_timeouts_total{phase=\"write\"}") == "1"; }));

  EXPECT_EQ(client.WaitForEnd(), TestClient::End::kReset);
}

TEST_F(ConnectionTest, IdleConnectionIsClosed) {
  options_.idle_timeout = 20ms;
  Start();
  TestClient client = Connect();

  EXPECT_EQ(client.WaitForEnd(), TestClient::End::kClosed);
  EXPECT_EQ(Metric("reef_http_timeouts_total{phase=\"idle\"}"), "1");
}

TEST_F(ConnectionTest, SlowHeadIsAnsweredWith408) {
  options_.head_timeout = 20ms;
  Start();
  TestClient client = Connect();

  client.Send("GET / HT");

  EXPECT_EQ(client.Read().status, 408);
  EXPECT_EQ(client.WaitForEnd(), TestClient::End::kClosed);
}

TEST_F(ConnectionTest, AtTheLimitTheConnectionIdleLongestMakesRoom) {
  options_.connections_max = 2;
  Store("/a", "alpha");
  Start();
  TestClient first = Connect();
  EXPECT_EQ(first.Get(kHost, "/a").status, 200);
  TestClient second = Connect();
  EXPECT_EQ(second.Get(kHost, "/a").status, 200);

  TestClient third = Connect();

  EXPECT_EQ(third.Get(kHost, "/a").status, 200);
  EXPECT_EQ(first.WaitForEnd(), TestClient::End::kClosed);
  EXPECT_EQ(second.Get(kHost, "/a").status, 200);
}

TEST_F(ConnectionTest, WithNoneIdleAtTheLimitTheNewOneIsClosed) {
  options_.connections_max = 1;
  fills_.OnAsked([](const FakeFills::Asked&) { return std::nullopt; });
  Start();
  TestClient busy = Connect();
  busy.SendGet(kHost, "/slow");
  ASSERT_TRUE(fills_.WaitForAsked(1));

  TestClient late = Connect();

  EXPECT_NE(late.WaitForEnd(), TestClient::End::kOpen);
  EXPECT_EQ(Metric("reef_http_connections_refused_total"), "1");
}

TEST_F(ConnectionTest, HalfClosedClientStillGetsItsAnswer) {
  fills_.OnAsked([](const FakeFills::Asked&) { return std::nullopt; });
  Start();
  TestClient client = Connect();
  client.SendGet(kHost, "/a");
  client.HalfClose();
  ASSERT_TRUE(fills_.WaitForAsked(1));

  fills_.Answer(FakeFills::Of(Store("/a", "alpha")));

  EXPECT_EQ(client.Read().body, "alpha");
  EXPECT_EQ(client.WaitForEnd(), TestClient::End::kClosed);
}

TEST_F(ConnectionTest, HalfClosedClientGetsTheAnswersToAllItAsked) {
  fills_.OnAsked([](const FakeFills::Asked&) { return std::nullopt; });
  Store("/b", "beta");
  Start();
  TestClient client = Connect();
  client.Send(GetRequest("/a") + GetRequest("/b") + "GET /c HTTP/1.1\r\n");
  client.HalfClose();
  ASSERT_TRUE(fills_.WaitForAsked(1));

  fills_.Answer(FakeFills::Of(Store("/a", "alpha")));

  EXPECT_EQ(client.Read().body, "alpha");
  EXPECT_EQ(client.Read().body, "beta");
  EXPECT_EQ(client.WaitForEnd(), TestClient::End::kClosed);
}

TEST_F(ConnectionTest, ClientThatLeavesWhileItWaitsIsGivenUpAfterAWhile) {
  options_.half_closed_timeout = 20ms;
  fills_.OnAsked([](const FakeFills::Asked&) { return std::nullopt; });
  Start();
  TestClient client = Connect();
  client.SendGet(kHost, "/a");
  client.HalfClose();

  EXPECT_TRUE(fills_.WaitForCancelled(1));
  EXPECT_EQ(client.WaitForEnd(), TestClient::End::kClosed);
}

TEST_F(ConnectionTest, ClientThatResetsCancelsItsFetch) {
  fills_.OnAsked([](const FakeFills::Asked&) { return std::nullopt; });
  Start();
  TestClient client = Connect();
  client.SendGet(kHost, "/a");
  ASSERT_TRUE(fills_.WaitForAsked(1));

  client.Reset();

  EXPECT_TRUE(fills_.WaitForCancelled(1));
}

TEST_F(ConnectionTest, StopsReadingWhenTooMuchIsPipelinedBehindAMiss) {
  fills_.OnAsked([](const FakeFills::Asked&) { return std::nullopt; });
  Start();
  TestClient client = Connect();
  client.SendGet(kHost, "/miss");
  ASSERT_TRUE(fills_.WaitForAsked(1));
  for (int i = 0; i < 20'000; ++i) Store("/" + std::to_string(i % 10), "x");
  std::thread sender([&] {
    for (int i = 0; i < 20'000; ++i) client.SendGet(kHost, "/" + std::to_string(i % 10));
  });

  // Two megabytes are on their way; the proxy has taken its limit and a read more at most.
  const uint64_t received = Settled([&] { return proxy_->stats().bytes_in; });
  EXPECT_LE(received, 3 * 64 * 1024u);

  fills_.Answer(FakeFills::Of(Store("/miss", "miss")));
  EXPECT_EQ(client.Read().body, "miss");
  for (int i = 0; i < 20'000; ++i) ASSERT_EQ(client.Read().body, "x");
  sender.join();
}

// ---- Requests' content ----

// Takes what a fetch alone is sent, once it is whole.
FakeFills::Answerer Echo(FakeFills& fills, std::string status = "created") {
  return [&fills, status](const FakeFills::Asked& asked) -> std::optional<FetchOutcome> {
    FetchOutcome outcome = FakeFills::Of(fills.Filling(asked.request.key, false));
    outcome.kind = FetchOutcome::Kind::kPassThrough;
    outcome.object->body->Append(status);
    outcome.object->body->Complete();
    return outcome;
  };
}

std::string PostRequest(std::string_view fields, std::string_view body) {
  return "POST /form HTTP/1.1\r\nHost: site.nyud.net\r\n" + std::string(fields) + "\r\n" +
         std::string(body);
}

class RequestContentTest : public ServerTest {
 protected:
  RequestContentTest() {
    options_.origins["site"] = Endpoint{IpAddress::V4({127, 0, 0, 1}), 1};
    fills_.OnAsked([](const FakeFills::Asked&) { return std::nullopt; });
  }
  // Reads a request's content as an upstream connection would.
  static std::string ReadAll(const std::shared_ptr<Body>& body) {
    LoopThread thread("reader");
    std::string all;
    std::unique_ptr<Body::Reader> reader;
    std::promise<void> done;
    std::function<void()> read = [&] {
      for (;;) {
        const Body::Chunk chunk = reader->Peek(64 * 1024);
        if (chunk.what == Body::Chunk::What::kWait) {
          return reader->WhenReadable([&] { read(); });
        }
        if (chunk.what != Body::Chunk::What::kBytes) {
          if (chunk.what != Body::Chunk::What::kEnd) all += "(broken off)";
          return done.set_value();
        }
        all += chunk.bytes;
        reader->Advance(chunk.bytes.size());
      }
    };
    thread.RunAndWait([&] {
      reader = body->NewReader(thread.loop(), 0);
      read();
    });
    done.get_future().wait();
    thread.RunAndWait([&] { reader.reset(); });
    return all;
  }
};

TEST_F(RequestContentTest, StreamsContentOfKnownLength) {
  Start();
  TestClient client = Connect();
  client.Send(PostRequest("Content-Length: 11\r\n", "hello "));
  ASSERT_TRUE(fills_.WaitForAsked(1));
  client.Send("world");

  const FakeFills::Asked asked = fills_.asked().at(0);

  EXPECT_TRUE(asked.alone);
  EXPECT_EQ(asked.request.method, "POST");
  EXPECT_EQ(asked.request.body_length, 11u);
  EXPECT_EQ(ReadAll(asked.body), "hello world");
}

TEST_F(RequestContentTest, StreamsChunkedContentWithoutItsFraming) {
  Start();
  TestClient client = Connect();
  client.Send(PostRequest("Transfer-Encoding: chunked\r\n", "6\r\nhello \r\n5;x=y\r\nwor"));
  ASSERT_TRUE(fills_.WaitForAsked(1));
  client.Send("ld\r\n0\r\n\r\n");

  const FakeFills::Asked asked = fills_.asked().at(0);

  EXPECT_EQ(asked.request.body_length, std::nullopt);
  EXPECT_EQ(ReadAll(asked.body), "hello world");
}

TEST_F(RequestContentTest, GoesOnWithTheNextRequestAfterContent) {
  fills_.OnAsked(Echo(fills_));
  Start();
  TestClient client = Connect();
  client.Send(PostRequest("Content-Length: 5\r\n", "hello"));
  EXPECT_EQ(client.Read().body, "created");
  client.Send(PostRequest("Content-Length: 5\r\n", "again"));

  EXPECT_EQ(client.Read().body, "created");
}

TEST_F(RequestContentTest, TellsAWaitingClientToGoOnThoughTheOriginIsSilent) {
  Start();
  TestClient client = Connect();

  client.Send(PostRequest("Content-Length: 5\r\nExpect: 100-continue\r\n", ""));

  EXPECT_EQ(client.Read().status, 100);
}

TEST_F(RequestContentTest, HoldsBackAClientThatSendsFasterThanTheOriginTakes) {
  Start();
  TestClient client = Connect();
  constexpr size_t kBytes = 16 << 20;
  const std::string content(kBytes, 'x');
  client.Send(PostRequest("Content-Length: " + std::to_string(kBytes) + "\r\n", ""));
  ASSERT_TRUE(fills_.WaitForAsked(1));
  std::thread sender([&] { client.Send(content); });
  const FakeFills::Asked asked = fills_.asked().at(0);

  // Nobody reads: what is taken stays at the window and a read.
  const uint64_t size = Settled([&] { return asked.body->size(); });
  EXPECT_LE(size, options_.request_window_bytes + 2 * 64 * 1024);

  EXPECT_EQ(ReadAll(asked.body), content);
  sender.join();
}

TEST_F(RequestContentTest, BrokenChunkingIsRefusedAndTheFetchBrokenOff) {
  Start();
  TestClient client = Connect();

  client.Send(PostRequest("Transfer-Encoding: chunked\r\n", "5\r\nhelloXX"));

  EXPECT_EQ(client.Read().status, 400);
  EXPECT_EQ(client.WaitForEnd(), TestClient::End::kClosed);
  EXPECT_TRUE(fills_.WaitForCancelled(1));
  EXPECT_EQ(ReadAll(fills_.asked().at(0).body), "hello(broken off)");
  EXPECT_EQ(Metric("reef_http_body_errors_total"), "1");
}

TEST_F(RequestContentTest, RefusedContentIsReadPastIfSmall) {
  Start();
  Store("/a", "alpha");
  TestClient client = Connect();

  // The open zone takes no POST.
  client.Send("POST /a HTTP/1.1\r\nHost: " + std::string(kHost) +
              "\r\nContent-Length: 5\r\n\r\nhello" + GetRequest("/a"));

  EXPECT_EQ(client.Read().status, 405);
  EXPECT_EQ(client.Read().body, "alpha");
}

TEST_F(RequestContentTest, RefusedContentThatIsLargeEndsTheConnectionAfterTheAnswer) {
  Start();
  TestClient client = Connect();

  client.Send("POST /a HTTP/1.1\r\nHost: " + std::string(kHost) +
              "\r\nContent-Length: 10000000\r\n\r\n" + std::string(100'000, 'x'));

  const TestResponse response = client.Read();
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(response.Field("Connection"), "close");
  EXPECT_TRUE(response.whole);
  EXPECT_EQ(client.WaitForEnd(), TestClient::End::kClosed);
}

TEST_F(RequestContentTest, AnswerBeforeTheContentsEndIsWhole) {
  fills_.OnAsked(Echo(fills_, "no need"));
  Start();
  TestClient client = Connect();

  client.Send(PostRequest("Content-Length: 1000\r\n", "hello"));

  EXPECT_EQ(client.Read().body, "no need");
  EXPECT_EQ(client.WaitForEnd(), TestClient::End::kClosed);
}

// ---- Malformed requests ----

struct Malformed {
  std::string name;
  std::string request;
  int status;
  std::string reason;
};
void PrintTo(const Malformed& row, std::ostream* out) {
  *out << row.name;
}

class MalformedTest : public ServerTest, public ::testing::WithParamInterface<Malformed> {};

TEST_P(MalformedTest, IsRefusedCountedAndTheConnectionClosed) {
  Start();
  TestClient client = Connect();

  client.Send(GetParam().request);

  const TestResponse response = client.Read();
  EXPECT_EQ(response.status, GetParam().status);
  EXPECT_TRUE(response.whole);
  EXPECT_EQ(client.WaitForEnd(), TestClient::End::kClosed);
  EXPECT_EQ(Metric("reef_http_parse_errors_total{reason=\"" + GetParam().reason + "\"}"), "1");
  EXPECT_EQ(proxy_->stats().malformed, 1u);
}

const std::string kHostLine = "Host: example.com.nyud.net\r\n";

INSTANTIATE_TEST_SUITE_P(
    Table, MalformedTest,
    ::testing::Values(
        Malformed{"NoVersion", "GET /\r\n\r\n", 400, "request-line"},
        Malformed{"NotHttp", "\x16\x03\x01\x02\r\n\r\n", 400, "method"},
        Malformed{"Version2", "GET / HTTP/2.0\r\n" + kHostLine + "\r\n", 505,
                  "version-unsupported"},
        Malformed{"BareLf", "GET / HTTP/1.1\n" + kHostLine + "\r\n", 400, "bare-lf"},
        Malformed{"Folded", "GET / HTTP/1.1\r\n" + kHostLine + "A: b\r\n c\r\n\r\n", 400, "fold"},
        Malformed{"SpaceBeforeColon", "GET / HTTP/1.1\r\n" + kHostLine + "A : b\r\n\r\n", 400,
                  "blank-before-colon"},
        Malformed{"NoHost", "GET / HTTP/1.1\r\n\r\n", 400, "host-missing"},
        Malformed{"TwoHosts", "GET / HTTP/1.1\r\n" + kHostLine + kHostLine + "\r\n", 400,
                  "host-repeated"},
        Malformed{
            "TwoLengths",
            "POST / HTTP/1.1\r\n" + kHostLine + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
            400, "content-length-repeated"},
        Malformed{"LengthAndChunked",
                  "POST / HTTP/1.1\r\n" + kHostLine +
                      "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                  400, "length-and-encoding"},
        Malformed{"LongTarget",
                  "GET /" + std::string(10'000, 'a') + " HTTP/1.1\r\n" + kHostLine + "\r\n", 414,
                  "target-too-long"},
        Malformed{"LongHead",
                  "GET / HTTP/1.1\r\n" + kHostLine + "A: " + std::string(10'000, 'a') + "\r\n\r\n",
                  431, "field-too-long"}),
    [](const auto& row) { return row.param.name; });

// ---- The end of a proxy ----

TEST_F(ConnectionTest, DrainClosesIdleConnectionsAndLetsAnswersFinish) {
  fills_.OnAsked([](const FakeFills::Asked&) { return std::nullopt; });
  options_.loops = 1;  // so that the idle one's end shows that the busy one's loop drains
  Start();
  TestClient idle = Connect(), busy = Connect();
  busy.SendGet(kHost, "/a");
  ASSERT_TRUE(fills_.WaitForAsked(1));
  std::thread drain([&] { EXPECT_TRUE(proxy_->Drain(10s)); });

  EXPECT_EQ(idle.WaitForEnd(), TestClient::End::kClosed);
  fills_.Answer(FakeFills::Of(Store("/a", "alpha")));
  const TestResponse last = busy.Read();

  EXPECT_EQ(last.body, "alpha");
  EXPECT_EQ(last.Field("Connection"), "close");
  EXPECT_EQ(busy.WaitForEnd(), TestClient::End::kClosed);
  drain.join();
}

TEST_F(ConnectionTest, StopEndsEverythingAtOnce) {
  fills_.OnAsked([](const FakeFills::Asked&) { return std::nullopt; });
  options_.loops = 2;
  Start();
  TestClient busy = Connect();
  busy.SendGet(kHost, "/a");
  ASSERT_TRUE(fills_.WaitForAsked(1));

  proxy_->Stop();

  EXPECT_NE(busy.WaitForEnd(), TestClient::End::kOpen);
}

}  // namespace
}  // namespace reef::http
