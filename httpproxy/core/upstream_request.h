// SPDX-License-Identifier: Apache-2.0
//
// The fields of a client's request as they go on to the origin or to another proxy, and how often
// a request has come through this CDN before. RFC 9110, 7.6; RFC 8586. Free functions; any thread.
#pragma once

#include <string>
#include <string_view>

#include "httpproxy/core/http1_parser.h"
#include "httpproxy/core/policy.h"

namespace reef::http {

struct UpstreamContext {
  std::string_view via = "reef";      // our pseudonym in Via
  std::string_view cdn_id = "reef";   // our id in CDN-Loop: one for all nodes
  std::string_view client_address{};  // for X-Forwarded-For; empty: add nothing
  // False for a fetch whose whole answer is cached: conditions and ranges are answered from it
  // here.
  bool keep_conditions = false;
};

// Appends "Name: value\r\n" lines: end-to-end fields only (nothing that Connection names), no Host,
// no framing (Content-Length, Transfer-Encoding, Expect), no Reef-Peer; Via, CDN-Loop and
// X-Forwarded-For with ourselves appended. Unknown fields pass.
void AppendUpstreamFields(const RequestHead& request, const SitePolicy& policy,
                          const UpstreamContext& context, std::string& out);

// How often CDN-Loop names `cdn_id` or Via names `via`, whichever is more: 0 for a client's
// request.
int TimesSeen(const FieldTable& fields, std::string_view via, std::string_view cdn_id);

// A hop-by-hop field, or one named by Connection (RFC 9110, 7.6.1). Framing, routing and caching
// fields cannot be shed by naming them there.
bool IsHopByHop(const Field& field, const FieldTable& fields);

}  // namespace reef::http
