// SPDX-License-Identifier: Apache-2.0
//
// ProxyOptions: everything that can be set on the HTTP proxy's client side, each limit with what
// happens beyond it. A value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "base/endpoint.h"
#include "base/instant.h"
#include "httpproxy/core/http1_parser.h"
#include "httpproxy/server/access_log.h"

namespace reef::http {

struct ProxyOptions {
  Endpoint listen{IpAddress::V4({127, 0, 0, 1}), 8090};  // port 0: any
  std::string zone = "nyud.net";                         // lower case, without dots at its ends
  size_t loops = 1;
  std::string name = "reef";    // in Via, Cache-Status, Proxy-Status
  std::string cdn_id = "reef";  // in CDN-Loop: one for all nodes of a CDN
  // Named sites: NAME.ZONE, whatever its port, under plain RFC 9111 with all methods. Every other
  // coralised name falls under the open zone's policy.
  std::map<std::string, Endpoint, std::less<>> origins;
  bool allow_addresses = false;  // 127.0.0.1.8080.ZONE and the like

  // A loop's share is its loops-th part. Beyond: the connection idle longest is closed for the new
  // one; with none idle, the new one is.
  size_t connections_max = 100'000;
  HeadLimits head;
  uint64_t requests_per_connection_max = 1'000'000;  // then the connection is closed
  // Unasked content (of a GET) is read and dropped up to this; beyond, the connection is closed
  // after the answer.
  uint64_t discard_bytes_max = 64 * 1024;
  size_t request_window_bytes = 256 * 1024;  // of a request's content on its way to the origin

  Duration idle_timeout = std::chrono::seconds(60);   // between requests
  Duration head_timeout = std::chrono::seconds(10);   // from a head's first byte to its last
  Duration body_timeout = std::chrono::seconds(30);   // between bytes of a request's content
  Duration write_timeout = std::chrono::seconds(30);  // the client takes nothing
  Duration linger_timeout = std::chrono::seconds(2);  // after an error, for the client to read it
  // A client that has closed its side may still read; it has this long for a head to come.
  Duration half_closed_timeout = std::chrono::seconds(10);

  size_t peer_readers_max = 8;  // proxies that read one filling object; docs/claim.md, rule 13
  Duration interim_interval = std::chrono::milliseconds(500);  // rule 11

  std::string access_log;  // a file; empty: none
  AccessLogFormat access_log_format = AccessLogFormat::kCombined;
};

}  // namespace reef::http
