// SPDX-License-Identifier: Apache-2.0
//
// What the pure part of a cache hit costs: parse, host name, key, decisions, response head. Their
// sum must stay well under 1 us beside the 4 us of system calls.
#include <benchmark/benchmark.h>

#include <string>

#include "base/instant.h"
#include "httpproxy/core/body_framing.h"
#include "httpproxy/core/cache_key.h"
#include "httpproxy/core/conditions.h"
#include "httpproxy/core/host_name.h"
#include "httpproxy/core/http1_parser.h"
#include "httpproxy/core/http_date.h"
#include "httpproxy/core/policy.h"
#include "httpproxy/core/response_head.h"
#include "httpproxy/core/stored_head.h"

namespace reef::http {
namespace {

const std::string& Small() {
  static const std::string request =
      "GET /o1k HTTP/1.1\r\nHost: origin.example.nyud.net:8090\r\n\r\n";
  return request;
}

const std::string& Browser() {
  static const std::string request =
      "GET /assets/js/application-3f2a9c.js?v=17 HTTP/1.1\r\n"
      "Host: www.example.com.nyud.net:8090\r\n"
      "Connection: keep-alive\r\n"
      "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
      "Chrome/120.0.0.0 Safari/537.36\r\n"
      "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n"
      "Accept-Language: en-GB,en;q=0.9,de;q=0.7\r\n"
      "Accept-Encoding: gzip, deflate, br\r\n"
      "Referer: http://www.example.com.nyud.net:8090/index.html\r\n"
      "Cache-Control: max-age=0\r\n"
      "If-None-Match: \"5f3a-61b2c7d8e9f00\"\r\n"
      "Upgrade-Insecure-Requests: 1\r\n\r\n";
  return request;
}

ObjectHead Stored() {
  static const std::string response =
      "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
      "Content-Type: application/javascript\r\nContent-Length: 1024\r\n"
      "Last-Modified: Sat, 05 Nov 1994 08:49:37 GMT\r\nETag: \"5f3a-61b2c7d8e9f00\"\r\n"
      "Cache-Control: public, max-age=31536000\r\nAccept-Ranges: bytes\r\n\r\n";
  ResponseHead head;
  HeadProgress progress;
  ParseResponseHead(response, kResponseHeadLimits, progress, head);
  const WallTime now = FromUnixSeconds(784'111'777);
  const SitePolicy policy = SitePolicy::OpenZone();
  const Admission admission = Admit({}, head, policy, now, now);
  return MakeObjectHead(head, admission, {}, policy, now);
}

void Parse(benchmark::State& state, const std::string& input) {
  RequestHead head;
  for (auto _ : state) {
    HeadProgress progress;
    benchmark::DoNotOptimize(ParseRequestHead(input, {}, progress, head));
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * input.size()));
}
void BM_ParseSmallRequest(benchmark::State& state) {
  Parse(state, Small());
}
BENCHMARK(BM_ParseSmallRequest);
void BM_ParseBrowserRequest(benchmark::State& state) {
  Parse(state, Browser());
}
BENCHMARK(BM_ParseBrowserRequest);

void BM_ParseHost(benchmark::State& state) {
  const std::string host = "www.example.com.nyud.net:8090";
  Origin origin;
  for (auto _ : state) {
    benchmark::DoNotOptimize(ParseCoralised(host, "nyud.net", {}, origin));
  }
}
BENCHMARK(BM_ParseHost);

void BM_PrimaryKey(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        PrimaryKey(false, "www.example.com", 80, "/assets/js/application-3f2a9c.js?v=17"));
  }
}
BENCHMARK(BM_PrimaryKey);

void BM_Decide(benchmark::State& state) {
  RequestHead head;
  HeadProgress progress;
  ParseRequestHead(Browser(), {}, progress, head);
  const ObjectHead stored = Stored();
  const SitePolicy policy = SitePolicy::OpenZone();
  const WallTime now = FromUnixSeconds(784'111'800);
  for (auto _ : state) {
    const RequestDirectives directives = ParseRequestDirectives(head.fields);
    benchmark::DoNotOptimize(DecideRequest(head, directives, policy));
    benchmark::DoNotOptimize(DecideReuse(stored.freshness, directives, policy, now));
    benchmark::DoNotOptimize(EvaluateConditions(head, stored));
  }
}
BENCHMARK(BM_Decide);

void WriteHead(const ObjectHead& stored, std::string& out) {
  CacheStatus status{.hit = true, .ttl_seconds = 3'600};
  ResponseStart start;
  start.status = stored.status;
  start.reason = stored.reason;
  start.fields = stored.fields;
  start.framing = {BodyFraming::Kind::kLength, 1'024};
  start.age_seconds = 23;
  start.via = "reef";
  start.cache_status = &status;
  AppendResponseHead(start, out);
}

void BM_WriteHead(benchmark::State& state) {
  const ObjectHead stored = Stored();
  std::string out;
  for (auto _ : state) {
    out.clear();
    WriteHead(stored, out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(BM_WriteHead);

// All of it, in the order of a hit.
void Hit(benchmark::State& state, const std::string& input) {
  const ObjectHead stored = Stored();
  const SitePolicy policy = SitePolicy::OpenZone();
  const WallTime now = FromUnixSeconds(784'111'800);
  RequestHead head;
  Origin origin;
  std::string out;
  for (auto _ : state) {
    HeadProgress progress;
    ParseRequestHead(input, {}, progress, head);
    ParseCoralised(head.host, "nyud.net", {}, origin);
    benchmark::DoNotOptimize(PrimaryKey(origin.tls, origin.host, origin.port, head.path));
    const RequestDirectives directives = ParseRequestDirectives(head.fields);
    benchmark::DoNotOptimize(DecideRequest(head, directives, policy));
    benchmark::DoNotOptimize(DecideReuse(stored.freshness, directives, policy, now));
    benchmark::DoNotOptimize(EvaluateConditions(head, stored));
    out.clear();
    WriteHead(stored, out);
    benchmark::DoNotOptimize(out.data());
  }
}
void BM_HitSmall(benchmark::State& state) {
  Hit(state, Small());
}
BENCHMARK(BM_HitSmall);
void BM_HitBrowser(benchmark::State& state) {
  Hit(state, Browser());
}
BENCHMARK(BM_HitBrowser);

void BM_Chunked(benchmark::State& state) {
  std::string input;
  for (int i = 0; i < 4; ++i) {
    AppendChunkHeader(8'192, input);
    input += std::string(8'192, 'x');
    input += kChunkEnd;
  }
  for (auto _ : state) {
    ChunkedDecoder decoder;
    std::string_view rest = input;
    while (!rest.empty()) {
      const auto step = decoder.Decode(rest);
      benchmark::DoNotOptimize(step.data.data());
      rest.remove_prefix(step.consumed);
    }
  }
}
BENCHMARK(BM_Chunked);

void BM_ParseDate(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(ParseHttpDate("Sun, 06 Nov 1994 08:49:37 GMT"));
}
BENCHMARK(BM_ParseDate);

}  // namespace
}  // namespace reef::http
