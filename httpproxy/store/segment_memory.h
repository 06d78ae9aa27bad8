// SPDX-License-Identifier: Apache-2.0
//
// Memory for segments of bodies. Larger ones lie in pages of one memory file (memfd_create(2)) that
// is mapped once: to everybody memory like any other, but the kernel can send them without copying
// (sendfile). Smaller ones are on the heap, where a copy costs less than a second system call; all
// are if the system gives no memory file.
//
// A segment in the file has kSegmentBytes of addresses and pages for what was written. Pages that
// the kernel may still be sending are never written again: when such a segment goes, they go back
// to the system (a hole is punched), and the kernel keeps them until it is done. Getting new ones
// costs several times what copying does, and most objects are asked for once (docs/performance.md);
// so the first bytes sent of a segment are copied, and one that was never lent to the kernel leaves
// its pages to the next.
//
// One for the process. Free functions; any thread; they block for system calls only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace reef::http {

// From here on a segment lies in the memory file.
inline constexpr size_t kSendableMin = 32 * 1024;

struct SegmentBytes {
  std::shared_ptr<char[]> bytes;
  size_t capacity = 0;  // at least what was asked for, at most twice; what it takes of memory
};
// Requires: bytes <= kSegmentBytes.
SegmentBytes AllocateSegment(size_t bytes);

// Makes the segment that begins at `bytes` larger where it is: its new capacity, at least `wanted`;
// 0: it is on the heap and cannot grow. Requires: wanted <= kSegmentBytes.
size_t GrowSegment(const char* bytes, size_t wanted);

// The segment that begins at `bytes` will not use more than `used`: the pages beyond are given
// back. Returns what it takes of memory from then on.
size_t TrimSegment(const char* bytes, size_t used);

// What `used` bytes take of memory after that: whole pages in the memory file.
size_t SegmentFootprint(const char* bytes, size_t used);

bool IsInMemoryFile(const char* bytes);

// Where bytes of a segment are in the memory file, to send them from there; nullopt: copy them.
// They may be read from there as long as the segment lives, and by the kernel as long as it likes.
struct FilePlace {
  int fd = -1;
  uint64_t offset = 0;
};
std::optional<FilePlace> LendSegment(const char* bytes, size_t size);

struct SegmentMemoryStats {
  uint64_t in_file = 0;           // segments there now
  uint64_t lent = 0;              // of those: their pages may be under way
  uint64_t on_heap_for_lack = 0;  // so far: the memory file has no more room, or there is none
};
SegmentMemoryStats ReadSegmentMemoryStats();

}  // namespace reef::http
