// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/store/segment_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "httpproxy/store/body.h"

namespace reef::http {
namespace {

// What the kernel would send.
std::string InFile(const FilePlace& place, size_t size) {
  std::string bytes(size, '\0');
  EXPECT_EQ(pread(place.fd, bytes.data(), size, static_cast<off_t>(place.offset)),
            static_cast<ssize_t>(size));
  return bytes;
}

SegmentBytes Filled(size_t size, char with) {
  SegmentBytes made = AllocateSegment(size);
  std::memset(made.bytes.get(), with, size);
  return made;
}

// As after many sends.
FilePlace Lent(const SegmentBytes& segment) {
  LendSegment(segment.bytes.get(), kSegmentBytes);
  return LendSegment(segment.bytes.get(), 1).value();
}

TEST(SegmentMemoryTest, LargerSegmentsAreInTheFileAsTheyAreInMemory) {
  const SegmentBytes made = Filled(kSendableMin, 'a');
  std::memset(made.bytes.get() + 5000, 'b', 1000);
  ASSERT_GE(made.capacity, kSendableMin);
  ASSERT_TRUE(IsInMemoryFile(made.bytes.get()));

  const FilePlace begin = Lent(made);
  const FilePlace inside = LendSegment(made.bytes.get() + 5000, 1).value();

  EXPECT_EQ(InFile(begin, 5000), std::string(5000, 'a'));
  EXPECT_EQ(InFile(inside, 1000), std::string(1000, 'b'));
}

TEST(SegmentMemoryTest, SmallSegmentsAreOnTheHeapWithTheSizeAskedFor) {
  const SegmentBytes made = AllocateSegment(kSendableMin - 1);
  EXPECT_EQ(made.capacity, kSendableMin - 1);
  EXPECT_FALSE(IsInMemoryFile(made.bytes.get()));
  EXPECT_FALSE(LendSegment(made.bytes.get(), kSegmentBytes).has_value());
  EXPECT_EQ(TrimSegment(made.bytes.get(), 100), 100u);
}

TEST(SegmentMemoryTest, LendsOnceAsManyBytesWereSentAsASegmentHas) {
  const SegmentBytes made = Filled(kSegmentBytes, 'a');
  const char* const bytes = made.bytes.get();
  const uint64_t lent = ReadSegmentMemoryStats().lent;

  EXPECT_FALSE(LendSegment(bytes, kSegmentBytes / 2).has_value());
  EXPECT_EQ(ReadSegmentMemoryStats().lent, lent);
  EXPECT_FALSE(LendSegment(bytes + kSegmentBytes / 2, kSegmentBytes / 2).has_value());
  EXPECT_TRUE(LendSegment(bytes, kSegmentBytes / 2).has_value());
  EXPECT_EQ(ReadSegmentMemoryStats().lent, lent + 1);
}

TEST(SegmentMemoryTest, TakesWholePagesOfWhatIsUsedOnceTrimmed) {
  const SegmentBytes made = Filled(kSegmentBytes, 'a');
  const FilePlace place = Lent(made);

  EXPECT_EQ(TrimSegment(made.bytes.get(), 40'000), 40'960u);

  EXPECT_EQ(InFile(place, 40'000), std::string(40'000, 'a'));
  EXPECT_EQ(InFile({place.fd, place.offset + 40'960}, 4096), std::string(4096, '\0'));
}

TEST(SegmentMemoryTest, PagesThatWereLentGoBackToTheSystem) {
  const uint64_t before = ReadSegmentMemoryStats().in_file;
  SegmentBytes made = Filled(kSegmentBytes, 'a');
  const FilePlace place = Lent(made);
  EXPECT_EQ(ReadSegmentMemoryStats().in_file, before + 1);

  made.bytes.reset();

  EXPECT_EQ(ReadSegmentMemoryStats().in_file, before);
  EXPECT_EQ(InFile(place, kSegmentBytes), std::string(kSegmentBytes, '\0'));
}

TEST(SegmentMemoryTest, PagesThatWereNotAreForTheNext) {
  SegmentBytes made = Filled(kSegmentBytes, 'a');
  const char* const address = made.bytes.get();

  made.bytes.reset();
  made = AllocateSegment(kSegmentBytes);

  EXPECT_EQ(made.bytes.get(), address);
  EXPECT_EQ(made.bytes[100], 'a');
}

TEST(SegmentMemoryTest, PagesGoToThoseOnlyThatAreChargedForThem) {
  SegmentBytes large = Filled(kSegmentBytes, 'a');
  const char* const address = large.bytes.get();
  large.bytes.reset();

  const SegmentBytes small = AllocateSegment(kSendableMin);
  const SegmentBytes next_large = AllocateSegment(kSegmentBytes);

  EXPECT_EQ(small.capacity, kSendableMin);
  EXPECT_NE(small.bytes.get(), address);
  EXPECT_EQ(next_large.bytes.get(), address);
}

TEST(SegmentMemoryTest, GrowsWhereItIs) {
  const SegmentBytes made = Filled(kSendableMin, 'a');

  EXPECT_EQ(GrowSegment(made.bytes.get(), kSendableMin + 1), 2 * kSendableMin);
  EXPECT_EQ(GrowSegment(made.bytes.get(), kSegmentBytes), kSegmentBytes);

  std::memset(made.bytes.get(), 'b', kSegmentBytes);
  EXPECT_EQ(GrowSegment(AllocateSegment(100).bytes.get(), 200), 0u) << "not on the heap";
}

// A pipe holds what a socket's queue does: references to the pages.
TEST(SegmentMemoryTest, WhatTheKernelStillSendsIsNotOverwrittenByTheNextOwner) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  SegmentBytes made = Filled(kSendableMin, 'a');
  const char* const address = made.bytes.get();
  const FilePlace place = Lent(made);
  auto offset = static_cast<off64_t>(place.offset);
  ASSERT_EQ(splice(place.fd, &offset, pipe_ends[1], nullptr, kSendableMin, 0),
            static_cast<ssize_t>(kSendableMin));

  // Until the same addresses come again.
  made = {};
  std::vector<SegmentBytes> others;
  do {
    others.push_back(Filled(kSendableMin, 'b'));
  } while (others.back().bytes.get() != address && others.size() < 1000);
  ASSERT_EQ(others.back().bytes.get(), address);

  std::string received(kSendableMin, '\0');
  ASSERT_EQ(read(pipe_ends[0], received.data(), received.size()),
            static_cast<ssize_t>(kSendableMin));
  EXPECT_EQ(received, std::string(kSendableMin, 'a'));
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

TEST(SegmentMemoryTest, ManyThreadsNeverShareASegment) {
  std::vector<std::thread> threads;
  for (int id = 0; id < 4; ++id) {
    threads.emplace_back([id] {
      for (int round = 0; round < 200; ++round) {
        std::vector<SegmentBytes> mine;
        for (int i = 0; i < 5; ++i) {
          mine.push_back(Filled(kSendableMin, static_cast<char>(id)));
          if (i % 2 == 0) Lent(mine.back());
        }
        for (const SegmentBytes& segment : mine) {
          const std::string expected(kSendableMin, static_cast<char>(id));
          ASSERT_EQ(std::memcmp(segment.bytes.get(), expected.data(), kSendableMin), 0);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace reef::http
