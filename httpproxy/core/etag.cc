// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/etag.h"

#include <algorithm>
#include <cstdint>

namespace reef::http {
namespace {

std::string_view WithoutWeak(std::string_view tag) {
  return tag.starts_with("W/") ? tag.substr(2) : tag;
}

}  // namespace

bool IsStrongEtag(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return false;
  // etagc: no quote, no space, no control bytes.
  return std::all_of(text.begin() + 1, text.end() - 1, [](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte > 0x20 && byte != '"' && byte != 0x7f;
  });
}

bool IsEtag(std::string_view text) {
  return IsStrongEtag(WithoutWeak(text));
}

bool StrongEtagMatch(std::string_view a, std::string_view b) {
  return a == b && IsStrongEtag(a);
}

bool WeakEtagMatch(std::string_view a, std::string_view b) {
  return WithoutWeak(a) == WithoutWeak(b) && IsEtag(a);
}

}  // namespace reef::http
