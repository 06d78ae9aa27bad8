// SPDX-License-Identifier: Apache-2.0
//
// The one translation between the core's messages (dsht/core/message.h) and the wire's
// (proto/dsht.proto). Free functions, any thread, no blocking.
//
// Encode drops what the wire does not carry: Message::rpc and from, which the transport supplies,
// and fractions of a millisecond. Decode believes nothing: sizes, counts and ranges beyond what any
// honest node sends are refused with a reason; finer limits are Node's own (dsht/core/options.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>

#include "dsht/core/message.h"
#include "proto/dsht.pb.h"

namespace reef::dsht {

// Bounds of what is accepted, above what Options can allow.
inline constexpr size_t kSignatureBytesMax = 64;
inline constexpr int kPeersMax = 64;     // and attempts, and ids, in one list
inline constexpr int kEntriesMax = 256;  // of one hand-over
inline constexpr int kValuesMax = 64;    // of one list of values or leases
inline constexpr int kClustersMax = 7;   // levels above the world
inline constexpr uint64_t kDurationMsMax = uint64_t{366} * 24 * 3600 * 1000;

enum class DecodeError : uint8_t {
  kNoBody,    // no alternative that this version knows
  kMissing,   // a part without which the message says nothing
  kId,        // not 20 bytes
  kAddress,   // not 0, 4 or 16 bytes, or a port above 65535
  kTooLong,   // a value or signature
  kTooMany,   // entries of a list
  kLevel,     // above kLevelMax
  kDuration,  // above kDurationMsMax
  kEnum,      // a number without a name
};
inline constexpr size_t kDecodeErrorCount = 9;
// For metrics: "no_body", "id", ...
const char* NameOf(DecodeError error);

v1::Envelope Encode(const Message& message);

std::variant<Message, DecodeError> Decode(const v1::Envelope& envelope);

}  // namespace reef::dsht
