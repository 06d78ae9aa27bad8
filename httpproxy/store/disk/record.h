// SPDX-License-Identifier: Apache-2.0
//
// Records of objects on disk to bytes and back (proto/cache_record.proto). Free functions; any
// thread. What they read may be damaged: nullopt then, never a crash.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "httpproxy/core/cache_key.h"
#include "httpproxy/core/object_head.h"

namespace reef::http {

struct StoredSegment {
  uint32_t file = 0;
  uint64_t offset = 0;
  uint32_t length = 0;
  uint64_t xxh3 = 0;

  friend bool operator==(const StoredSegment&, const StoredSegment&) = default;
};

struct StoredObject {
  CacheKey key;
  ObjectHead head;
  std::vector<StoredSegment> segments;

  uint64_t Length() const;
  friend bool operator==(const StoredObject&, const StoredObject&) = default;
};

// What the index in memory has to know of an object at start.
struct StoredSpan {
  uint32_t file = 0;
  uint64_t end = 0;

  friend bool operator==(const StoredSpan&, const StoredSpan&) = default;
};

// What a segment is charged on disk beside its bytes: its part of the record, as RocksDB keeps it.
// The first one bears the head. An estimate from above, so that empty bodies fill a disk too.
uint64_t RecordShare(const ObjectHead& head, size_t segment);

std::string WriteRecord(const StoredObject& object);
// nullopt: not the record of a whole object under `key`.
std::optional<StoredObject> ParseRecord(const CacheKey& key, std::string_view record);

std::string WriteIndexEntry(const StoredObject& object);
// nullopt if damaged.
std::optional<std::vector<StoredSpan>> ParseIndexEntry(std::string_view entry);

}  // namespace reef::http
