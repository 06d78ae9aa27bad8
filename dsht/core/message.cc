// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/message.h"

#include <array>

namespace reef::dsht {

const char* NameOf(const Body& body) {
  static constexpr std::array<const char*, 13> kNames = {
      "ping",  "find",    "get",     "status",    "store", "withdraw", "claim",
      "renew", "release", "contest", "hand_over", "leave", "refused"};
  static_assert(kNames.size() == std::variant_size_v<Body> / 2 + 1);
  return kNames[body.index() / 2];
}

}  // namespace reef::dsht
