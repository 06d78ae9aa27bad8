// SPDX-License-Identifier: Apache-2.0
//
// Hashes of byte strings. Sha256 where an adversary may choose the input (ids, keys of the index,
// object identity), Xxh3 for checksums against accidents. Any thread, no allocation.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace reef {

using Sha256Digest = std::array<uint8_t, 32>;

Sha256Digest Sha256(std::string_view bytes);

// XXH3, 64 bits. Stable across versions: it is part of the disk format.
uint64_t Xxh3(std::string_view bytes);

}  // namespace reef
