// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/scan.h"

#include <gtest/gtest.h>

#include <string>

namespace reef::http {
namespace {

// Each byte at each place of a text of 40 otherwise good ones: where the vector step ends, and
// where the table takes over, must make no difference.
template <typename Skip, typename IsGood>
void ExpectSkipStopsAtTheFirstBadByte(Skip skip, IsGood is_good) {
  for (int byte = 0; byte < 256; ++byte) {
    for (size_t place = 0; place < 40; ++place) {
      std::string text(40, 'a');
      text[place] = static_cast<char>(byte);
      const char* const end = text.data() + text.size();
      const char* const expected = is_good(text[place]) ? end : text.data() + place;
      ASSERT_EQ(skip(text.data(), end), expected) << "byte " << byte << " at " << place;
    }
  }
}

TEST(ScanTest, ATokenEndsWhereTheTableSays) {
  ExpectSkipStopsAtTheFirstBadByte(SkipToken, IsTokenByte);
}

TEST(ScanTest, AFieldValueEndsWhereTheRuleSays) {
  ExpectSkipStopsAtTheFirstBadByte(SkipFieldValue, IsFieldValueByte);
}

TEST(ScanTest, ATargetEndsWhereTheRuleSays) {
  ExpectSkipStopsAtTheFirstBadByte(SkipTarget, IsTargetByte);
}

TEST(Rfc9110Section562Test, TokenBytesAreTheGrammarsOwn) {
  const std::string_view marks = "!#$%&'*+-.^_`|~";
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool alphanumeric =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool expected = alphanumeric || (byte != 0 && marks.find(c) != std::string_view::npos);
    EXPECT_EQ(IsTokenByte(c), expected) << byte;
  }
}

}  // namespace
}  // namespace reef::http
