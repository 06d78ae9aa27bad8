// SPDX-License-Identifier: Apache-2.0
#include "dnsredir/core/name.h"

#include "base/bytes.h"

namespace reef::dns {

std::optional<std::string> NameFromText(std::string_view text) {
  if (text == ".") return std::string(1, '\0');
  if (text.ends_with('.')) text.remove_suffix(1);
  std::string wire;
  while (true) {
    const size_t dot = text.find('.');
    const std::string_view label = text.substr(0, dot);
    if (label.empty() || label.size() > kLabelBytesMax) return std::nullopt;
    wire.push_back(static_cast<char>(label.size()));
    wire += AsciiLower(label);
    if (dot == std::string_view::npos) break;
    text.remove_prefix(dot + 1);
  }
  wire.push_back('\0');
  if (wire.size() > kNameBytesMax) return std::nullopt;
  return wire;
}

std::string NameToText(std::string_view wire) {
  std::string text;
  for (size_t at = 0; wire[at] != '\0';) {
    if (!text.empty()) text.push_back('.');
    const size_t length = static_cast<uint8_t>(wire[at]);
    for (const char c : wire.substr(at + 1, length)) {
      if (c > ' ' && c < '\x7f' && c != '.' && c != '\\') {
        text.push_back(c);
      } else {
        const unsigned value = static_cast<uint8_t>(c);
        text.push_back('\\');
        text.push_back(static_cast<char>('0' + value / 100));
        text.push_back(static_cast<char>('0' + value / 10 % 10));
        text.push_back(static_cast<char>('0' + value % 10));
      }
    }
    at += 1 + length;
  }
  return text;
}

size_t LabelCount(std::string_view wire) {
  size_t count = 0;
  for (size_t at = 0; wire[at] != '\0'; at += 1 + static_cast<uint8_t>(wire[at])) ++count;
  return count;
}

bool IsAtOrBelow(std::string_view wire, std::string_view ancestor) {
  for (size_t at = 0;; at += 1 + static_cast<uint8_t>(wire[at])) {
    if (wire.size() - at <= ancestor.size()) return wire.substr(at) == ancestor;
  }
}

}  // namespace reef::dns
