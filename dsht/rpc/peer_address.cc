// SPDX-License-Identifier: Apache-2.0
#include "dsht/rpc/peer_address.h"

#include <string>

#include "base/bytes.h"

namespace reef::dsht {
namespace {

std::string PercentDecoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = text[i] == '%' ? FromHex(text.substr(i + 1, 2)) : std::nullopt;
    if (byte && byte->size() == 1) {
      decoded += *byte;
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

}  // namespace

std::optional<Endpoint> ParsePeer(std::string_view peer) {
  if (!peer.starts_with("ipv4:") && !peer.starts_with("ipv6:")) return std::nullopt;
  return Endpoint::Parse(PercentDecoded(peer.substr(5)));
}

}  // namespace reef::dsht
