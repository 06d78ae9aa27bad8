// SPDX-License-Identifier: Apache-2.0
//
// ObjectHeads from responses: what is kept of them, what a 304 changes (RFC 9111, 3.1, 3.2, 4.3.4),
// which request they answer (4.1). Free functions; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/instant.h"
#include "httpproxy/core/http1_parser.h"
#include "httpproxy/core/object_head.h"
#include "httpproxy/core/policy.h"

namespace reef::http {

// Keeps end-to-end fields but those withheld by Cache-Control's no-cache="..." and private="...";
// adds a Date if there was none (RFC 9110, 6.6.1); Via of those before us stays, ours is a line of
// its own when it is sent. `request_fields` are the lines sent upstream, for Vary. Fit for passing
// through too, stored or not.
ObjectHead MakeObjectHead(const ResponseHead& response, const Admission& admission,
                          std::string_view request_fields, const SitePolicy& policy,
                          WallTime received);

// The lines that MakeObjectHead leaves out because they are withheld: only who made the request may
// see them. `directives`: what holds of the response.
std::string WithheldFields(const ResponseHead& response, const ResponseDirectives& directives,
                           const SitePolicy& policy);

// The lines of an interim response that a proxy passes on (RFC 9110, 15.2).
std::string EndToEndFields(const ResponseHead& interim, const SitePolicy& policy);

// Whether a 304 speaks of `stored` (RFC 9111, 4.3.4); if not, it must not freshen it.
bool ConfirmsStored(const ObjectHead& stored, const ResponseHead& not_modified);

// What a 304 makes of a stored response.
struct Freshened {
  ObjectHead head;         // with the 304's fields in place of its own, its freshness computed anew
  std::string own_fields;  // lines of the 304 that only who made the request may see
  // Of both together, as of Admission. Not kStored: it may be kept no longer.
  StoreReason reason = StoreReason::kNoFreshness;
  bool share = false;
};
Freshened Freshen(const ObjectHead& stored, const ResponseHead& not_modified,
                  const SitePolicy& policy, WallTime sent, WallTime received);

// "If-None-Match: ...\r\nIf-Modified-Since: ...\r\n" of what is stored; empty without validators.
std::string ValidationFields(const ObjectHead& stored);

// The value by which a field selects, RFC 9111, 4.1: its lines as one. Where blanks around commas
// and empty members have no meaning, of Accept, Accept-Charset, Accept-Encoding and
// Accept-Language, neither matters, nor the case of the latter two. An absent field is no empty
// one.
inline constexpr std::string_view kAbsentField = "\n";  // no value holds a line end
std::string SelectingValue(const FieldTable& request, std::string_view name);

// RFC 9111, 4.1: whether `stored` was selected by the same values of the fields that it varies on.
// `request`: as it goes upstream (AppendUpstreamFields), for that is what the origin saw. Host is
// in the key already.
bool MatchesVary(const ObjectHead& stored, const FieldTable& request);

}  // namespace reef::http
