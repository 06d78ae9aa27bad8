// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/multipart_ranges.h"

#include <gtest/gtest.h>

namespace reef::http {
namespace {

std::string WholeText(const MultipartRanges& parts, std::string_view content) {
  std::string text;
  for (size_t i = 0; i < parts.count(); ++i) {
    text += parts.TextBefore(i);
    text += content.substr(parts.range(i).first, parts.range(i).size());
  }
  return text + parts.TextBefore(parts.count());
}

TEST(Rfc9110Section146Test, EachRangeHasItsHeadAndTheEndIsMarked) {
  const MultipartRanges parts({{8, 9}, {0, 2}}, 10, "text/plain", "xyz");

  EXPECT_EQ(WholeText(parts, "0123456789"),
            "--xyz\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89"
            "\r\n--xyz\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-2/10\r\n\r\n012"
            "\r\n--xyz--\r\n");
}

TEST(Rfc9110Section146Test, ContentLengthIsThatOfAll) {
  const MultipartRanges parts({{8, 9}, {0, 2}, {4, 4}}, 10, "text/plain", "xyz");
  EXPECT_EQ(parts.ContentLength(), WholeText(parts, "0123456789").size());
}

TEST(Rfc9110Section146Test, PartsOfWhatHasNoTypeHaveNone) {
  EXPECT_EQ(MultipartRanges({{0, 0}}, 10, "", "xyz").TextBefore(0),
            "--xyz\r\nContent-Range: bytes 0-0/10\r\n\r\n");
}

TEST(Rfc9110Section15372Test, TheHeadHasTheTypeOfTheMultipartOnly) {
  const MultipartRanges parts({{0, 0}}, 10, "text/plain", "xyz");
  EXPECT_EQ(
      parts.FieldsFor("A: 1\r\ncontent-type: text/plain\r\nSet-Cookie: b\r\nSet-Cookie: c\r\n"),
      "A: 1\r\nSet-Cookie: b\r\nSet-Cookie: c\r\n"
      "Content-Type: multipart/byteranges; boundary=xyz\r\n");
}

}  // namespace
}  // namespace reef::http
