// SPDX-License-Identifier: Apache-2.0
//
// The heads of the requests that a fill sends, to the origin and to other proxies, and what of
// their responses the fill's decisions need. Free functions over values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "httpproxy/core/fetch.h"
#include "httpproxy/core/http1_parser.h"
#include "httpproxy/core/peer_protocol.h"
#include "httpproxy/server/filler.h"

namespace reef::http {

// Which part of a representation is asked for, or on what condition. One of both at most.
struct FillPart {
  uint64_t offset = 0;                   // 0: the whole
  std::string if_range;                  // the validator that the rest must have
  const ObjectHead* validate = nullptr;  // sends its conditions
};

// A shared fetch: GET, Host as the origin knows itself. `host`: instead of the origin's authority.
std::string OriginRequestHead(const FetchRequest& request, std::string_view host,
                              const FillPart& part);
// For one asker: its own method; `framing` are the lines that frame its body.
std::string AloneRequestHead(const FetchRequest& request, std::string_view host,
                             std::string_view framing);
// To a holder (core/peer_protocol.h). `host`: the coralised name.
std::string PeerRequestHead(const FetchRequest& request, std::string_view host, const PeerAsk& ask,
                            const FillPart& part);

// What core/fetch.h wants to know of a response.
FetchHead FetchHeadOf(const ResponseHead& response);

// Every line's value of Cache-Status, origin-most first; empty if there is none.
std::string CacheStatusOf(const ResponseHead& response);

}  // namespace reef::http
