// SPDX-License-Identifier: Apache-2.0
//
// Small operations on byte strings that the standard library lacks: ASCII case, trimming, hex,
// strict decimal numbers. Locale-free, allocation only where a string is returned. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace reef {

inline constexpr char AsciiLower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
inline constexpr bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b);
bool EndsWithIgnoreCase(std::string_view text, std::string_view suffix);
std::string AsciiLower(std::string_view text);

// Without leading and trailing spaces and tabs (RFC 9110, 5.6.3: OWS).
std::string_view Trim(std::string_view text);

// Digits only: no sign, no space, no overflow; nullopt otherwise.
std::optional<uint64_t> ParseDecimal(std::string_view text);
std::optional<uint64_t> ParseHex(std::string_view text);

std::string ToHex(std::string_view bytes);
// nullopt unless `hex` is an even number of hex digits.
std::optional<std::string> FromHex(std::string_view hex);

}  // namespace reef
