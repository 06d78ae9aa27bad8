// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/peer_protocol.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"

namespace reef::http {
namespace {

constexpr size_t kValueBytesMax = 512;
constexpr size_t kTryMax = 4;
constexpr size_t kNodeHexMax = 64;

constexpr std::array<std::pair<std::string_view, PeerAnswer::What>, 5> kAnswers = {{
    {"not-held", PeerAnswer::What::kNotHeld},
    {"busy", PeerAnswer::What::kBusy},
    {"order", PeerAnswer::What::kOrder},
    {"uncacheable", PeerAnswer::What::kUncacheable},
    {"failed", PeerAnswer::What::kFailed},
}};

// Takes the text up to the next `separator` off the front of `rest`, trimmed.
std::string_view TakeUntil(std::string_view& rest, char separator) {
  const size_t end = rest.find(separator);
  const std::string_view part = Trim(rest.substr(0, end));
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return part;
}

bool SetAskParameter(std::string_view name, std::string_view value, PeerAsk& ask) {
  if (name == "node") {
    if (value.size() > kNodeHexMax || !FromHex(value)) return false;
    ask.node = AsciiLower(value);
    return true;
  }
  if (name == "at") {
    const auto endpoint = Endpoint::Parse(value);
    if (!endpoint || endpoint->port == 0) return false;
    ask.endpoint = *endpoint;
    return true;
  }
  if (name != "v" && name != "rank" && name != "have" && name != "head") return true;
  const auto number = ParseDecimal(value);
  if (!number) return false;
  if (name == "have") {
    ask.have = *number;
    return true;
  }
  if (name == "head") {
    ask.has_head = *number == 1;
    return *number <= 1;
  }
  if (name == "rank") {
    ask.rank = static_cast<int>(std::min<uint64_t>(*number, 3));
    return *number <= 3;
  }
  ask.version = static_cast<int>(std::min<uint64_t>(*number, 1'000));
  return *number >= 1 && *number <= 1'000;
}

}  // namespace

std::string WritePeerAsk(const PeerAsk& ask) {
  std::string out = "v=" + std::to_string(ask.version) + "; rank=" + std::to_string(ask.rank) +
                    "; have=" + std::to_string(ask.have) +
                    "; head=" + std::to_string(ask.has_head ? 1 : 0);
  if (!ask.node.empty()) out += "; node=" + ask.node;
  if (ask.endpoint.port != 0) out += "; at=" + ask.endpoint.ToString();
  return out;
}

std::optional<PeerAsk> ParsePeerAsk(std::string_view value) {
  if (value.size() > kValueBytesMax) return std::nullopt;
  PeerAsk ask;
  bool has_version = false;
  while (!value.empty()) {
    std::string_view parameter = TakeUntil(value, ';');
    const bool has_value = parameter.find('=') != std::string_view::npos;
    const std::string_view name = TakeUntil(parameter, '=');
    if (!has_value || !SetAskParameter(name, Trim(parameter), ask)) return std::nullopt;
    has_version |= name == "v";
  }
  if (!has_version) return std::nullopt;
  return ask;
}

std::string WritePeerAnswer(const PeerAnswer& answer) {
  std::string out;
  for (const auto& [name, what] : kAnswers) {
    if (what == answer.what) out = name;
  }
  if (answer.what != PeerAnswer::What::kBusy || answer.try_instead.empty()) return out;
  out += "; try=\"";
  const size_t count = std::min(answer.try_instead.size(), kTryMax);
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) out += ' ';
    out += answer.try_instead[i].ToString();
  }
  return out + '"';
}

std::optional<PeerAnswer> ParsePeerAnswer(std::string_view value) {
  if (value.size() > kValueBytesMax) return std::nullopt;
  const std::string_view name = TakeUntil(value, ';');
  const auto known = std::find_if(kAnswers.begin(), kAnswers.end(),
                                  [name](const auto& entry) { return entry.first == name; });
  if (known == kAnswers.end()) return std::nullopt;
  PeerAnswer answer;
  answer.what = known->second;
  while (!value.empty()) {
    std::string_view parameter = TakeUntil(value, ';');
    if (TakeUntil(parameter, '=') != "try") continue;
    std::string_view list = Trim(parameter);
    if (list.size() < 2 || list.front() != '"' || list.back() != '"') return std::nullopt;
    list = Trim(list.substr(1, list.size() - 2));
    while (!list.empty()) {
      const std::string_view text = TakeUntil(list, ' ');
      if (text.empty()) continue;
      const auto endpoint = Endpoint::Parse(text);
      if (!endpoint || endpoint->port == 0) return std::nullopt;
      if (answer.try_instead.size() < kTryMax) answer.try_instead.push_back(*endpoint);
    }
  }
  if (answer.what != PeerAnswer::What::kBusy) answer.try_instead.clear();
  return answer;
}

}  // namespace reef::http
