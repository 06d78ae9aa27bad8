// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a DSHT envelope: never a crash; and what is accepted means the same after one more
// way over the wire.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

#include "base/check.h"
#include "dsht/rpc/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reef::dsht;
  v1::Envelope envelope;
  if (!envelope.ParseFromArray(data, static_cast<int>(size))) return 0;
  const auto first = Decode(envelope);
  const auto* message = std::get_if<Message>(&first);
  if (message == nullptr) return 0;
  const auto second = Decode(Encode(*message));
  REEF_CHECK(std::holds_alternative<Message>(second)) << "our own message is refused";
  REEF_CHECK(std::get<Message>(second) == *message) << "a message changed on its way";
  return 0;
}
