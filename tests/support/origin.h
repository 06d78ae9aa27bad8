// SPDX-License-Identifier: Apache-2.0
//
// Origin: a scriptable HTTP/1.1 server for tests and benchmarks, on its own loop thread and its own
// port of the loopback. It answers what it is told to, well-formed or not: late, slow, cut short,
// with a wrong length, reset. It logs what it was asked. A test holds and releases responses
// instead of sleeping.
//
// Threads: every method from any, but not from a handler: those run on the origin's own thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/endpoint.h"
#include "base/instant.h"

struct ssl_ctx_st;

namespace reef::testing {

struct OriginRequest {
  std::string method;
  std::string target;
  std::string head;         // the request line and all fields, as received
  std::string body;         // without the chunked coding
  uint64_t connection = 0;  // counts up from 1

  // The first value of a field; nullopt if there is none.
  std::optional<std::string> Field(std::string_view name) const;
};

struct OriginReply {
  int status = 200;
  std::string reason = "OK";
  std::string fields;  // "Name: value\r\n" each
  std::string body;    // not sent in answer to HEAD, nor with 204 and 304

  enum class Framing { kLength, kChunked, kClose };
  Framing framing = Framing::kLength;
  std::optional<uint64_t> claimed_length;  // a lie in Content-Length
  bool omit_last_chunk = false;            // then closes
  std::string interim;                     // raw bytes before the head: 1xx responses
  std::string raw;                         // if set, exactly these bytes instead of all the above
  std::string http_version = "HTTP/1.1";

  Duration head_delay{};
  uint64_t bytes_per_second = 0;     // of the body; 0: as fast as it goes
  bool hold_head = false;            // nothing is sent until Release(target)
  std::optional<uint64_t> hold_at;   // the body stops at this many bytes until Release(target)
  std::optional<uint64_t> close_at;  // the connection is closed after so many bytes of the body
  bool reset = false;                // close_at resets instead; without close_at: at once
  bool close = false;                // after the response
};

// What a static file server would answer for one resource: conditions (If-None-Match,
// If-Modified-Since by equality), Range: bytes=N-[M] with If-Range, HEAD.
OriginReply StaticReply(const OriginRequest& request, const std::string& body,
                        const std::string& etag, const std::string& fields);

// `bytes` bytes that differ at each offset and for each seed.
std::string TestBytes(size_t bytes, uint64_t seed);

class Origin {
 public:
  struct Options {
    Endpoint listen{IpAddress::V4({127, 0, 0, 1}), 0};
    ssl_ctx_st* tls = nullptr;  // borrowed; null: plain
  };
  using Handler = std::function<OriginReply(const OriginRequest&)>;

  Origin();
  explicit Origin(const Options& options);
  ~Origin();
  Origin(const Origin&) = delete;
  Origin& operator=(const Origin&) = delete;

  Endpoint endpoint() const;

  // For this target; without one: 404.
  void Serve(const std::string& target, OriginReply reply);
  void Serve(const std::string& target, Handler handler);
  // A resource with an ETag and one hour of freshness, by StaticReply.
  void ServeStatic(const std::string& target, const std::string& body, const std::string& etag);
  // For every target without one of its own.
  void ServeAll(Handler handler);

  // Lets what is held for `target` go on, once.
  void Release(const std::string& target);
  // Closes every connection, also in mid-response; goes on listening.
  void CloseConnections();
  // As a machine that is switched off: refuses connections from now on.
  void StopListening();

  std::vector<OriginRequest> Requests() const;
  size_t RequestCount(const std::string& target) const;
  size_t ConnectionCount() const;  // accepted so far
  size_t OpenConnectionCount() const;
  // Body bytes handed to the kernel so far, over all responses.
  uint64_t BodyBytesSent() const;
  // False after ten seconds: fail the test.
  bool WaitForRequests(size_t count) const;
  bool WaitForRequests(const std::string& target, size_t count) const;
  // Until at most `count` connections are open.
  bool WaitForOpenConnections(size_t count) const;

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace reef::testing
