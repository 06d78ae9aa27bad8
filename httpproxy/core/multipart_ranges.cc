// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/multipart_ranges.h"

#include <utility>

#include "base/check.h"
#include "httpproxy/core/field_table.h"

namespace reef::http {
namespace {

constexpr std::string_view kCrlf = "\r\n";

}  // namespace

MultipartRanges::MultipartRanges(std::vector<ByteRange> ranges, uint64_t length,
                                 std::string_view content_type, std::string_view boundary)
    : ranges_(std::move(ranges)),
      length_(length),
      content_type_(content_type),
      boundary_(boundary) {
  REEF_CHECK(!ranges_.empty());
}

std::string MultipartRanges::TextBefore(size_t i) const {
  std::string text(i == 0 ? std::string_view() : kCrlf);
  text += "--";
  text += boundary_;
  if (i == ranges_.size()) return text + "--\r\n";
  text += kCrlf;
  if (!content_type_.empty()) {
    text += "Content-Type: ";
    text += content_type_;
    text += kCrlf;
  }
  text += "Content-Range: ";
  AppendContentRange(ranges_[i], length_, text);
  text += kCrlf;
  text += kCrlf;
  return text;
}

uint64_t MultipartRanges::ContentLength() const {
  uint64_t length = TextBefore(count()).size();
  for (size_t i = 0; i < count(); ++i) length += TextBefore(i).size() + ranges_[i].size();
  return length;
}

std::string MultipartRanges::FieldsFor(std::string_view fields) const {
  std::string out;
  FieldTable table;
  ReadFieldLines(fields, table);
  for (const Field& field : table) {
    if (field.id == FieldId::kContentType) continue;
    out += field.name;
    out += ": ";
    out += field.value;
    out += kCrlf;
  }
  out += "Content-Type: multipart/byteranges; boundary=";
  out += boundary_;
  out += kCrlf;
  return out;
}

}  // namespace reef::http
