// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/store/segment_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <fstream>
#include <mutex>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/runtime/socket.h"
#include "httpproxy/store/body.h"

namespace reef::http {
namespace {

constexpr size_t kPageBytes = 4096;
// A segment of the smallest size uses an eighth of its addresses: so many hold all of memory.
constexpr size_t kAddressesPerMemory = kSegmentBytes / kSendableMin;
constexpr size_t kAddressesMin = size_t{64} << 20;
// Free segments that keep their pages: 16 MiB at most, outside the cache's limit.
constexpr size_t kWarmMax = 64;

// Capacities in the file are powers of two.
constexpr size_t kCapacities = std::countr_zero(kSegmentBytes / kSendableMin) + 1;

size_t CapacityFor(size_t bytes) {
  return std::max(std::bit_ceil(bytes), kSendableMin);
}

size_t WholePages(size_t bytes) {
  return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
}

// By the system's owner, for all memory files, whatever a program asks.
bool AreHugePagesForced() {
  std::ifstream policy("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
  std::string text;
  std::getline(policy, text);
  return text.find("[force]") != std::string::npos;
}

class MemoryFile {
 public:
  static MemoryFile& Get() {
    static MemoryFile& file = *new MemoryFile;  // outlives every segment
    return file;
  }

  // nullptr: no room. `capacity`: as of CapacityFor.
  char* Take(size_t capacity);
  void Grow(const char* bytes, size_t capacity) {
    slot_[IndexOf(bytes)].pages_bytes = static_cast<uint32_t>(capacity);
  }
  void GiveBack(char* bytes);
  size_t Trim(const char* bytes, size_t used);
  std::optional<FilePlace> Lend(const char* bytes, size_t size);

  bool Contains(const char* bytes) const {
    return bytes >= base_ && bytes < base_ + slots_ * kSegmentBytes;
  }
  SegmentMemoryStats stats() const { return {in_use_, lent_, 0}; }

 private:
  // Zero as it comes from the system: it is never touched for addresses that are not used.
  struct Slot {
    uint32_t pages_bytes;  // so far from the beginning there may be pages; its owner's
    uint32_t sent_bytes;   // by atomic_ref: any thread that sends
  };

  MemoryFile();
  bool TryMap(size_t slots);
  size_t IndexOf(const char* bytes) const {
    return static_cast<size_t>(bytes - base_) / kSegmentBytes;
  }
  bool DropPages(size_t index, size_t from, size_t to);
  // Those that have pages for no more than `bytes`, rounded up to a capacity.
  std::vector<size_t>& WarmFor(size_t bytes) {
    return warm_[static_cast<size_t>(std::countr_zero(CapacityFor(bytes) / kSendableMin))];
  }

  UniqueFd fd_;
  char* base_ = nullptr;
  size_t slots_ = 0;
  Slot* slot_ = nullptr;
  std::atomic<uint64_t> in_use_{0};
  std::atomic<uint64_t> lent_{0};

  std::mutex mutex_;
  size_t next_ = 0;  // those from here on were never used
  // Free, with pages that were never lent, by capacity: who takes one is charged for its pages.
  std::array<std::vector<size_t>, kCapacities> warm_;
  size_t warm_count_ = 0;
  std::vector<size_t> cold_;  // free, without pages
};

MemoryFile::MemoryFile() {
  // A hole that is punched into a larger page clears it where it stands, under the kernel's hands.
  if (sysconf(_SC_PAGESIZE) != kPageBytes || AreHugePagesForced()) return;
  const auto pages = static_cast<size_t>(std::max(sysconf(_SC_PHYS_PAGES), 1L));
  fd_ = UniqueFd(memfd_create("reef-segments", MFD_CLOEXEC));
  if (fd_.get() < 0) return;
  // Sizes of files may be limited, by a signal that ends the process; addresses too (RLIMIT_AS).
  rlimit file_size{};
  if (getrlimit(RLIMIT_FSIZE, &file_size) != 0) return;
  size_t size = std::min<uint64_t>(pages * kPageBytes * kAddressesPerMemory, file_size.rlim_cur);
  for (; size >= kAddressesMin; size /= 2) {
    if (TryMap(size / kSegmentBytes)) return;
  }
}

bool MemoryFile::TryMap(size_t slots) {
  const size_t size = slots * kSegmentBytes;
  if (ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return false;
  const int protection = PROT_READ | PROT_WRITE;
  void* const base = mmap(nullptr, size, protection, MAP_SHARED | MAP_NORESERVE, fd_.get(), 0);
  if (base == MAP_FAILED) return false;
  void* const slot = mmap(nullptr, slots * sizeof(Slot), protection,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (slot == MAP_FAILED) {
    munmap(base, size);
    return false;
  }
  // Fails where the kernel knows no huge pages.
  madvise(base, size, MADV_NOHUGEPAGE);
  madvise(base, size, MADV_DONTDUMP);  // other people's pages have no place in a core dump
  base_ = static_cast<char*>(base);
  // Without holes memory would only grow.
  if (!DropPages(0, 0, kSegmentBytes)) {
    munmap(base, size);
    munmap(slot, slots * sizeof(Slot));
    base_ = nullptr;
    return false;
  }
  slots_ = slots;
  slot_ = static_cast<Slot*>(slot);
  return true;
}

char* MemoryFile::Take(size_t capacity) {
  const std::lock_guard lock(mutex_);
  size_t index = next_;
  if (auto& warm = WarmFor(capacity); !warm.empty()) {
    index = warm.back();
    warm.pop_back();
    --warm_count_;
  } else if (!cold_.empty()) {
    index = cold_.back();
    cold_.pop_back();
  } else if (next_ < slots_) {
    ++next_;
  } else {
    return nullptr;
  }
  in_use_.fetch_add(1, std::memory_order_relaxed);
  slot_[index].pages_bytes = static_cast<uint32_t>(capacity);
  return base_ + index * kSegmentBytes;
}

void MemoryFile::GiveBack(char* bytes) {
  const size_t index = IndexOf(bytes);
  Slot& slot = slot_[index];
  in_use_.fetch_sub(1, std::memory_order_relaxed);
  const bool was_lent = slot.sent_bytes >= kSegmentBytes;
  if (was_lent) lent_.fetch_sub(1, std::memory_order_relaxed);
  slot.sent_bytes = 0;
  if (!was_lent) {
    const std::lock_guard lock(mutex_);
    if (warm_count_ < kWarmMax) {
      WarmFor(slot.pages_bytes).push_back(index);
      ++warm_count_;
      return;
    }
  }
  // Where that fails the pages may still be under way to a client: nobody shall write there.
  if (!DropPages(index, 0, kSegmentBytes)) return;
  const std::lock_guard lock(mutex_);
  cold_.push_back(index);
}

size_t MemoryFile::Trim(const char* bytes, size_t used) {
  const size_t index = IndexOf(bytes);
  const size_t keep = WholePages(used);
  Slot& slot = slot_[index];
  if (keep < slot.pages_bytes && DropPages(index, keep, slot.pages_bytes)) {
    slot.pages_bytes = static_cast<uint32_t>(keep);
  }
  return slot.pages_bytes;
}

bool MemoryFile::DropPages(size_t index, size_t from, size_t to) {
  const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  const auto at = static_cast<off_t>(index * kSegmentBytes + from);
  return from == to || fallocate(fd_.get(), mode, at, static_cast<off_t>(to - from)) == 0;
}

std::optional<FilePlace> MemoryFile::Lend(const char* bytes, size_t size) {
  if (!Contains(bytes)) return std::nullopt;
  const std::atomic_ref<uint32_t> sent(slot_[IndexOf(bytes)].sent_bytes);
  if (sent.load(std::memory_order_relaxed) < kSegmentBytes) {
    const uint32_t before = sent.fetch_add(static_cast<uint32_t>(size), std::memory_order_relaxed);
    if (before < kSegmentBytes && before + size >= kSegmentBytes) {
      lent_.fetch_add(1, std::memory_order_relaxed);
    }
    if (before < kSegmentBytes) return std::nullopt;
  }
  return FilePlace{fd_.get(), static_cast<uint64_t>(bytes - base_)};
}

std::atomic<uint64_t> on_heap_for_lack{0};

}  // namespace

SegmentBytes AllocateSegment(size_t bytes) {
  REEF_CHECK(bytes <= kSegmentBytes) << bytes;
  if (bytes >= kSendableMin) {
    const size_t capacity = CapacityFor(bytes);
    if (char* const taken = MemoryFile::Get().Take(capacity); taken != nullptr) {
      const auto give_back = [](char* segment) { MemoryFile::Get().GiveBack(segment); };
      return {std::shared_ptr<char[]>(taken, give_back), capacity};
    }
    on_heap_for_lack.fetch_add(1, std::memory_order_relaxed);
  }
  return {std::make_shared_for_overwrite<char[]>(bytes), bytes};
}

size_t GrowSegment(const char* bytes, size_t wanted) {
  REEF_CHECK(wanted <= kSegmentBytes) << wanted;
  if (!IsInMemoryFile(bytes)) return 0;
  const size_t capacity = CapacityFor(wanted);
  MemoryFile::Get().Grow(bytes, capacity);
  return capacity;
}

size_t TrimSegment(const char* bytes, size_t used) {
  return IsInMemoryFile(bytes) ? MemoryFile::Get().Trim(bytes, used) : used;
}

size_t SegmentFootprint(const char* bytes, size_t used) {
  return IsInMemoryFile(bytes) ? WholePages(used) : used;
}

bool IsInMemoryFile(const char* bytes) {
  return MemoryFile::Get().Contains(bytes);
}

std::optional<FilePlace> LendSegment(const char* bytes, size_t size) {
  return MemoryFile::Get().Lend(bytes, size);
}

SegmentMemoryStats ReadSegmentMemoryStats() {
  SegmentMemoryStats stats = MemoryFile::Get().stats();
  stats.on_heap_for_lack = on_heap_for_lack.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace reef::http
