// SPDX-License-Identifier: Apache-2.0
//
// What another proxy says in Reef-Peer and Reef-Answer. A value that is accepted reads back the
// same when it is written again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "httpproxy/core/peer_protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reef::http;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto ask = ParsePeerAsk(text)) {
    REEF_CHECK(ParsePeerAsk(WritePeerAsk(*ask)) == ask);
  }
  if (const auto answer = ParsePeerAnswer(text)) {
    REEF_CHECK(ParsePeerAnswer(WritePeerAnswer(*answer)) == answer);
  }
  return 0;
}
