// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace reef {
namespace {

TEST(HashTest, Sha256IsTheStandardOne) {
  const Sha256Digest digest = Sha256("abc");

  // FIPS 180-4, example of SHA-256.
  EXPECT_EQ(ToHex({reinterpret_cast<const char*>(digest.data()), digest.size()}),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(HashTest, Xxh3IsThePublishedOneOfTheEmptyString) {
  EXPECT_EQ(Xxh3(""), 0x2d06800538d394c2u);
}

}  // namespace
}  // namespace reef
