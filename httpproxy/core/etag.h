// SPDX-License-Identifier: Apache-2.0
//
// Entity tags, RFC 9110, 8.8.3. Free functions over field values; any thread.
#pragma once

#include <string_view>

namespace reef::http {

// [ "W/" ] DQUOTE *etagc DQUOTE
bool IsEtag(std::string_view text);
bool IsStrongEtag(std::string_view text);

// RFC 9110, 8.8.3.2. False if either is not an entity tag.
bool StrongEtagMatch(std::string_view a, std::string_view b);
bool WeakEtagMatch(std::string_view a, std::string_view b);

}  // namespace reef::http
