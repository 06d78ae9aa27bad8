// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/id.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace reef::dsht {
namespace {

Id RandomId(Rng& rng) {
  Id id;
  for (uint8_t& b : id.bytes) b = static_cast<uint8_t>(rng.Below(256));
  return id;
}

Id WithBit(int bit) {
  Id id;
  id.bytes[static_cast<size_t>(bit / 8)] = static_cast<uint8_t>(0x80 >> (bit % 8));
  return id;
}

TEST(IdTest, IsTheFirst160BitsOfSha256) {
  EXPECT_EQ(Id::Hash("abc").ToHex(), "ba7816bf8f01cfea414140de5dae2223b00361a3");
}

TEST(IdTest, GoesToHexAndBack) {
  const Id id = Id::Hash("x");

  EXPECT_EQ(Id::FromHex(id.ToHex()), id);
  EXPECT_EQ(Id::FromBytes(id.AsBytes()), id);
  EXPECT_EQ(id.Short(), id.ToHex().substr(0, 8));
}

TEST(IdTest, RefusesWrongLengthsAndDigits) {
  EXPECT_EQ(Id::FromHex("12"), std::nullopt);
  EXPECT_EQ(Id::FromHex(std::string(40, 'g')), std::nullopt);
  EXPECT_EQ(Id::FromHex(std::string(42, '0')), std::nullopt);
  EXPECT_EQ(Id::FromBytes(std::string(19, 'x')), std::nullopt);
}

TEST(IdTest, SharedPrefixCountsLeadingEqualBits) {
  for (int bit = 0; bit < kIdBits; ++bit) EXPECT_EQ(SharedPrefix(Id{}, WithBit(bit)), bit);
  EXPECT_EQ(SharedPrefix(Id{}, Id{}), kIdBits);
}

TEST(IdTest, CloserAgreesWithTheOrderOfDistances) {
  Rng rng(1);
  for (int i = 0; i < 2000; ++i) {
    const Id key = RandomId(rng);
    Id a = RandomId(rng);
    Id b = RandomId(rng);
    const size_t equal = rng.Below(kIdBytes + 1);
    for (size_t j = 0; j < equal; ++j) b.bytes[j] = a.bytes[j];
    EXPECT_EQ(Closer(key, a, b), Distance(a, key) < Distance(b, key));
  }
}

TEST(IdTest, NothingIsCloserThanItself) {
  const Id id = Id::Hash("x");

  EXPECT_FALSE(Closer(id, id, id));
  EXPECT_TRUE(Closer(id, id, Id::Hash("y")));
}

}  // namespace
}  // namespace reef::dsht
