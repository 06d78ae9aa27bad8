// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/store/disk/record.h"

#include <gtest/gtest.h>

#include "httpproxy/store/body.h"
#include "tests/httpproxy/store/support.h"

namespace reef::http {
namespace {

StoredObject AnObject() {
  StoredObject object;
  object.key = KeyOf("a");
  object.head.etag = "\"1\"";
  object.segments = {{3, 100, kSegmentBytes, 7}, {4, 0, 20, 8}};
  return object;
}

TEST(RecordTest, ComesBackAsItWasWritten) {
  EXPECT_EQ(ParseRecord(KeyOf("a"), WriteRecord(AnObject())), AnObject());
}

TEST(RecordTest, OfAnotherKeyIsRefused) {
  EXPECT_EQ(ParseRecord(KeyOf("b"), WriteRecord(AnObject())), std::nullopt);
}

TEST(RecordTest, CutShortIsRefused) {
  const std::string record = WriteRecord(AnObject());
  for (size_t length = 0; length < record.size(); ++length) {
    EXPECT_EQ(ParseRecord(KeyOf("a"), record.substr(0, length)), std::nullopt) << length;
  }
}

TEST(RecordTest, WithSegmentsThatAreNoBodyIsRefused) {
  StoredObject gap = AnObject();
  gap.segments[0].length = 1000;
  StoredObject long_segment = AnObject();
  long_segment.segments[1].length = kSegmentBytes + 1;
  StoredObject none = AnObject();
  none.segments.clear();
  StoredObject empty_last = AnObject();
  empty_last.segments[1].length = 0;

  for (const auto& object : {gap, long_segment, none, empty_last}) {
    EXPECT_EQ(ParseRecord(object.key, WriteRecord(object)), std::nullopt);
  }
}

TEST(RecordTest, OfAnEmptyBodyHasOneEmptySegment) {
  StoredObject empty = AnObject();
  empty.segments = {{3, 100, 0, 7}};

  EXPECT_EQ(ParseRecord(empty.key, WriteRecord(empty)), empty);
}

TEST(RecordTest, IsIndexedByTheFilesItNeedsOldestFirst) {
  StoredObject object = AnObject();
  object.segments = {{9, 100, kSegmentBytes, 1}, {4, 10, kSegmentBytes, 2}, {9, 0, 50, 3}};

  const std::vector<StoredSpan> spans = {{4, 10 + kSegmentBytes}, {9, 100 + kSegmentBytes}};
  EXPECT_EQ(ParseIndexEntry(WriteIndexEntry(object)), spans);
}

}  // namespace
}  // namespace reef::http
