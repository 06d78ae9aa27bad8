// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/host_name.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/bytes.h"
#include "base/check.h"
#include "base/endpoint.h"

namespace reef::http {
namespace {

constexpr size_t kNameBytesMax = 253;  // RFC 1035, 2.3.4, as text
constexpr size_t kLabelBytesMax = 63;
constexpr std::string_view kV6Label = "ip6";

bool IsNumber(std::string_view label) {
  return !label.empty() && std::all_of(label.begin(), label.end(), IsDigit);
}

// Letters, digits, '-' and '_' (which DNS has, and some sites use), no '-' at the ends.
bool IsLabel(std::string_view label) {
  if (label.empty() || label.size() > kLabelBytesMax) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  for (char c : label) {
    c = AsciiLower(c);
    if (!IsDigit(c) && !(c >= 'a' && c <= 'z') && c != '-' && c != '_') return false;
  }
  return true;
}

std::string_view LastLabel(std::string_view name) {
  const size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

// What inet_aton, and with it many a resolver, takes for the last part of an address.
bool LooksLikeAddress(std::string_view label) {
  if (IsNumber(label)) return true;
  if (label.size() < 2 || label[0] != '0' || AsciiLower(label[1]) != 'x') return false;
  return std::all_of(label.begin() + 2, label.end(), [](char c) {
    c = AsciiLower(c);
    return IsDigit(c) || (c >= 'a' && c <= 'f');
  });
}

// `name` is `suffix` or below it.
bool IsWithin(std::string_view name, std::string_view suffix) {
  if (!EndsWithIgnoreCase(name, suffix)) return false;
  return name.size() == suffix.size() || name[name.size() - suffix.size() - 1] == '.';
}

bool IsName(std::string_view name) {
  for (std::string_view rest = name;;) {
    const size_t dot = rest.find('.');
    if (!IsLabel(rest.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return !LooksLikeAddress(rest);
    rest.remove_prefix(dot + 1);
  }
}

// 0 if it is none.
uint16_t ParsePort(std::string_view label) {
  if (label.size() > 5 || label.front() == '0') return 0;
  const uint64_t port = ParseDecimal(label).value_or(0);
  return port <= 65'535 ? static_cast<uint16_t>(port) : 0;
}

// How many labels at the end of `name`, six at most, are numbers.
int NumbersAtEnd(std::string_view name) {
  int count = 0;
  while (count < 6 && !name.empty()) {
    const std::string_view label = LastLabel(name);
    if (!IsNumber(label)) break;
    ++count;
    name.remove_suffix(std::min(name.size(), label.size() + 1));
  }
  return count;
}

bool AllNumbers(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return IsDigit(c) || c == '.'; });
}

HostVerdict SetAddress(std::optional<IpAddress> address, const HostOptions& options,
                       Origin& origin) {
  if (!address) return HostVerdict::kBadName;
  if (!options.allow_addresses) return HostVerdict::kAddressRefused;
  origin.host = address->ToString();
  return HostVerdict::kOk;
}

// `name`: what is left once zone and port are gone.
HostVerdict SetHost(std::string_view name, std::string_view zone, const HostOptions& options,
                    Origin& origin) {
  if (AllNumbers(name)) return SetAddress(IpAddress::Parse(name), options, origin);
  if (name.size() > kV6Label.size() && IsWithin(name, kV6Label)) {
    std::string text(name.substr(0, name.size() - kV6Label.size() - 1));
    if (text.find_first_of(".:") != std::string::npos) return HostVerdict::kBadName;
    std::replace(text.begin(), text.end(), '-', ':');
    return SetAddress(IpAddress::Parse(text), options, origin);
  }
  if (IsWithin(name, zone)) return HostVerdict::kNested;
  if (!IsName(name)) return HostVerdict::kBadName;
  origin.host.assign(name);
  for (char& c : origin.host) c = AsciiLower(c);
  return HostVerdict::kOk;
}

// "2001-db8--1.ip6"
std::string V6Label(const IpAddress& address) {
  std::string text = address.ToString();
  if (text.find('.') != std::string::npos) {  // "::192.0.2.1": no dots in a label
    const auto bytes = address.bytes();
    text.clear();
    for (size_t i = 0; i < bytes.size(); i += 2) {
      char group[5];
      const auto value = static_cast<uint32_t>(bytes[i] << 8 | bytes[i + 1]);
      text.append(group, std::to_chars(group, group + sizeof group, value, 16).ptr);
      text += ':';
    }
    text.pop_back();
  }
  std::replace(text.begin(), text.end(), ':', '-');
  // "::1" and "fe80::" without hyphens at the ends, which no label may have.
  if (text.front() == '-') text.insert(0, 1, '0');
  if (text.back() == '-') text += '0';
  text += '.';
  text += kV6Label;
  return text;
}

// Where the ":port" of a Host field begins, or npos.
size_t ColonOfHost(std::string_view host) {
  const size_t colon = host.rfind(':');
  if (colon == std::string_view::npos) return colon;
  const std::string_view port = host.substr(colon + 1);
  return port.empty() || IsNumber(port) ? colon : std::string_view::npos;
}

}  // namespace

std::string_view HostVerdictName(HostVerdict verdict) {
  static constexpr std::array<std::string_view, kHostVerdictCount> kNames = {
      "ok", "empty", "not-ours", "apex", "bad-name", "bad-port", "address-refused", "nested"};
  return kNames[static_cast<size_t>(verdict)];
}

HostVerdict ParseCoralised(std::string_view host, std::string_view zone, const HostOptions& options,
                           Origin& origin) {
  host = host.substr(0, ColonOfHost(host));
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.empty()) return HostVerdict::kEmpty;
  if (!IsWithin(host, zone)) return HostVerdict::kNotOurs;
  if (host.size() == zone.size()) return HostVerdict::kApex;
  if (host.size() > kNameBytesMax) return HostVerdict::kBadName;

  std::string_view name = host.substr(0, host.size() - zone.size() - 1);
  uint16_t port = 80;
  // Exactly four numbers are an address without a port; every other last number is one.
  if (IsNumber(LastLabel(name)) && !(AllNumbers(name) && NumbersAtEnd(name) == 4)) {
    const std::string_view label = LastLabel(name);
    port = ParsePort(label);
    if (port == 0) return HostVerdict::kBadPort;
    if (label.size() == name.size()) return HostVerdict::kBadName;
    name.remove_suffix(label.size() + 1);
  }
  const HostVerdict verdict = SetHost(name, zone, options, origin);
  if (verdict != HostVerdict::kOk) return verdict;
  origin.port = port;
  origin.tls = port == 443;
  return HostVerdict::kOk;
}

std::optional<std::string> CoralisedHost(const Origin& origin, std::string_view zone) {
  if (origin.tls != (origin.port == 443) || origin.port == 0) return std::nullopt;
  std::string name;
  if (const auto address = IpAddress::Parse(origin.host)) {
    name = address->is_v4() ? address->ToString() : V6Label(*address);
  } else {
    if (!IsName(origin.host) || IsWithin(origin.host, zone)) return std::nullopt;
    // "a.ip6" would read as an address.
    if (IsWithin(origin.host, kV6Label) && origin.host.size() > kV6Label.size()) {
      return std::nullopt;
    }
    name = AsciiLower(origin.host);
  }
  if (origin.port != 80) {
    name += '.';
    name += std::to_string(origin.port);
  }
  name += '.';
  name += zone;
  if (name.size() > kNameBytesMax) return std::nullopt;
  return name;
}

std::string_view PortOfHost(std::string_view host) {
  const size_t colon = ColonOfHost(host);
  return colon == std::string_view::npos ? std::string_view() : host.substr(colon + 1);
}

}  // namespace reef::http
