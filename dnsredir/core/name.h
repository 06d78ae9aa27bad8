// SPDX-License-Identifier: Apache-2.0
//
// Domain names in wire form (RFC 1035, 3.1): length-prefixed labels and the root's zero byte, kept
// as a std::string of at most 255 bytes. For the configuration and for tests; the answer path reads
// names in place (wire.h). Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace reef::dns {

inline constexpr size_t kNameBytesMax = 255;  // RFC 1035, 2.3.4, the root's zero byte included
inline constexpr size_t kLabelBytesMax = 63;

// "www.example.com", with or without the final dot, to wire form, lower case. "." is the root.
// nullopt if a label is empty or over 63 bytes, or the name is over 255. No escapes: a label may
// hold any byte but a dot.
std::optional<std::string> NameFromText(std::string_view text);

// For logs and tests: labels joined by dots, no final dot; bytes that are not printable as \ddd
// (RFC 4343, 2.1). Requires: a well-formed wire name.
std::string NameToText(std::string_view wire);

// Labels without the root. Requires: a well-formed wire name.
size_t LabelCount(std::string_view wire);

// True if `wire` is `ancestor` or below it; both lower case.
bool IsAtOrBelow(std::string_view wire, std::string_view ancestor);

}  // namespace reef::dns
