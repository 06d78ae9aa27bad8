// SPDX-License-Identifier: Apache-2.0
//
// The side of the Store that works with the disk: what runs on the writer's and the readers'
// threads. Since one thread alone writes records and files, it finds them as it left them; what
// others may change meanwhile is the index in memory, so each result is checked against that before
// it counts.
#include <algorithm>
#include <utility>

#include "base/runtime/log.h"
#include "httpproxy/store/store.h"

namespace reef::http {
namespace {

// Objects up to here are brought to memory whole; of larger ones the first segment, the rest is
// read back as readers come.
constexpr uint64_t kLoadWholeBytes = 4 * kSegmentBytes;
// What a write that waits costs beside its bytes: so that a flood of empty bodies has a bound too.
constexpr uint64_t kQueuedWriteBytes = 256;

std::shared_ptr<SegmentedBody> BodyOf(const Object& object) {
  return std::static_pointer_cast<SegmentedBody>(object.body);
}

StoredSegment StoredAt(const Location& at) {
  return {at.file->number(), at.offset, at.length, at.xxh3};
}

uint32_t OldestFile(const StoredObject& stored) {
  uint32_t oldest = UINT32_MAX;
  for (const StoredSegment& segment : stored.segments) oldest = std::min(oldest, segment.file);
  return oldest;
}

}  // namespace

// ---- Writing ----

void Store::PushWrite(const CacheKey& key, std::shared_ptr<SegmentedBody> body) {
  if (body->in_write_queue.exchange(true)) return;
  const uint64_t bytes = kQueuedWriteBytes + std::min<uint64_t>(body->size(), kSegmentBytes);
  write_queue_bytes_ += bytes;
  disk_->writer().Push([this, key, bytes, body = std::move(body)] {
    // First: what becomes final from here on pushes anew.
    body->in_write_queue = false;
    WriteOut(key, body);
    write_queue_bytes_ -= bytes;
  });
}

void Store::PushDelete(const CacheKey& key) {
  write_queue_bytes_ += kQueuedWriteBytes;
  disk_->writer().Push([this, key] {
    DeleteRecord(key);
    write_queue_bytes_ -= kQueuedWriteBytes;
  });
}

// Writes what is final of a body, and its record once all of it is.
void Store::WriteOut(const CacheKey& key, const std::shared_ptr<SegmentedBody>& body) {
  std::shared_ptr<const Object> object;
  bool is_stored = false;
  {
    const std::lock_guard lock(policy_mutex_);
    object = FindObjectOf(key, *body);
    is_stored = IsStored(key, *body);
  }
  if (object == nullptr) return;  // erased or replaced meanwhile
  if (is_stored) {
    if (auto stored = disk_->records().Get(key)) {
      return Commit(key, body, std::move(*stored), std::move(object));  // a new head
    }
    DropDamaged(key, body->stored_as);  // and write it anew
  }
  auto segments = WriteSegments(*body, object->head);
  if (!segments) return GiveUpWriting(key, body);
  if (body->state() != Body::State::kComplete || segments->empty()) return;
  Commit(key, body, {key, {}, std::move(*segments)}, std::move(object));
}

// All of the body's if it is complete, else none yet. nullopt: it cannot be on disk.
std::optional<std::vector<StoredSegment>> Store::WriteSegments(SegmentedBody& body,
                                                               const ObjectHead& head) {
  std::vector<StoredSegment> segments;
  if (const auto whole = body.WholeIfSmall()) {
    const auto at = AppendSegment(*whole, RecordShare(head, 0));
    if (!at) return std::nullopt;
    segments.push_back(StoredAt(*at));
    return segments;
  }
  // Read first: what completes it is in what is written below, or a later call writes it.
  const bool is_complete = body.state() == Body::State::kComplete;
  while (const auto next = body.NextUnwritten()) {
    auto at = AppendSegment(next->bytes, RecordShare(head, next->segment));
    if (!at) return std::nullopt;
    body.OnWritten(next->segment, std::move(*at));
  }
  if (!is_complete) return segments;
  for (const Location& at : body.Locations()) {
    // Removed already: filling took so long that its first files were reclaimed.
    if (at.file == nullptr || at.file->is_removed()) return std::nullopt;
    segments.push_back(StoredAt(at));
  }
  return segments;
}

std::optional<Location> Store::AppendSegment(std::string_view bytes, uint64_t record_bytes) {
  if (!MakeRoomFor(bytes.size() + record_bytes)) {
    ++writes_skipped_;
    return std::nullopt;
  }
  auto at = disk_->files().Append(bytes, record_bytes);
  if (at.ok()) return std::move(*at);
  CountWriteError(at.status());
  // Somebody else fills the disk: make do with less.
  if (absl::IsResourceExhausted(at.status())) ReclaimOldest();
  return std::nullopt;
}

void Store::CountWriteError(const Status& status) {
  // One line a thousand: on a full disk each object fails.
  if (++write_errors_ % 1000 == 1) LogError("cache: {}", FromAbsl(status.message()));
}

// The one place where an object comes to be on disk: its segments were written before.
void Store::Commit(const CacheKey& key, const std::shared_ptr<SegmentedBody>& body,
                   StoredObject stored, std::shared_ptr<const Object> object) {
  const uint32_t oldest_file = OldestFile(stored);
  while (object != nullptr) {
    stored.head = object->head;
    if (const Status put = disk_->records().Put(stored); !put.ok()) {
      CountWriteError(put);
      return GiveUpWriting(key, body);
    }
    object = OnRecordWritten(key, *body, oldest_file, object);
  }
}

// nullptr: done. Else the head changed meanwhile, and the record is to be written again.
std::shared_ptr<const Object> Store::OnRecordWritten(const CacheKey& key, SegmentedBody& body,
                                                     uint32_t oldest_file,
                                                     const std::shared_ptr<const Object>& written) {
  Aftermath after;
  {
    const std::lock_guard lock(policy_mutex_);
    const std::shared_ptr<const Object> current = FindObjectOf(key, body);
    Resident* const resident = FindResident(key);
    Shard& shard = ShardOf(key);
    std::unique_lock shard_lock(shard.mutex);
    const auto entry = shard.disk.find(key);
    if (current == nullptr && entry == shard.disk.end()) {
      after.to_delete.push_back(key);  // erased meanwhile
    } else if (entry == shard.disk.end() || entry->second.stamp != body.stored_as) {
      body.stored_as = ++last_stamp_;
      shard.disk[key] = {oldest_file, body.stored_as, 0};
      ++disk_writes_;
    }
    shard_lock.unlock();
    if (current != nullptr && current != written) return current;
    if (resident != nullptr && resident->object == written &&
        resident->phase == Resident::Phase::kWriting) {
      resident->phase = Resident::Phase::kSettled;
      EvictWhileOver(resident, after);
    }
  }
  Finish(after);
  return nullptr;
}

// The object stays in memory alone.
void Store::GiveUpWriting(const CacheKey& key, const std::shared_ptr<SegmentedBody>& body) {
  Aftermath after;
  {
    const std::lock_guard lock(policy_mutex_);
    Resident* resident = FindResident(key);
    if (resident == nullptr || resident->object->body != body) return;
    resident->admission = Resident::Admission::kRefused;
    resident->phase = Resident::Phase::kFilling;
    body->SpillOver(SIZE_MAX);  // nothing more will be written: the writer must not wait for it
    resident = Advance(*resident, body, after);
    if (resident != nullptr) Charge(*resident, after);
  }
  Finish(after);
}

void Store::DeleteRecord(const CacheKey& key) {
  // It may have been written again since it was to be deleted.
  {
    const std::lock_guard lock(policy_mutex_);
    if (FindOnDisk(key)) return;
  }
  if (const Status deleted = disk_->records().Delete({&key, 1}); !deleted.ok()) {
    CountWriteError(deleted);
  }
}

// ---- Reclaim ----

// The limit may have been lowered: what is beyond it goes in one pass. Nothing is in memory yet, so
// nothing has earned to be moved, and nobody listens for what leaves.
void Store::MakeRoomAtStart() {
  const auto over = disk_->FilesOverLimit();
  if (over.empty()) return;
  const uint32_t last = over.back()->number();
  std::vector<CacheKey> dropped;
  for (Shard& shard : shards_) {
    for (const auto& [key, entry] : shard.disk) {
      if (entry.oldest_file <= last) dropped.push_back(key);
    }
  }
  for (const CacheKey& key : dropped) ShardOf(key).disk.erase(key);
  disk_evictions_ += dropped.size();
  if (const Status deleted = disk_->records().Delete(dropped); !deleted.ok()) {
    CountWriteError(deleted);  // the next start will find that their file is missing
  }
  for (const auto& file : over) disk_->files().Remove(file);
  disk_->writer().Push([this] { disk_->RefreshRecordsBytes(); });
}

bool Store::MakeRoomFor(uint64_t bytes) {
  while (!disk_->HasRoomFor(bytes)) {
    if (!ReclaimOldest()) return false;
  }
  return true;
}

// Removes the oldest segment file. Objects that were asked for since they were written move on to
// the newest one; over time that is half of what is reclaimed at most, so that reclaiming makes
// room. False: there is none.
bool Store::ReclaimOldest() {
  const std::shared_ptr<SegmentFile> file = disk_->files().Oldest();
  if (file == nullptr) return false;
  std::vector<std::pair<CacheKey, bool>> leaving;  // and whether it was touched
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const auto& [key, entry] : shard.disk) {
      if (entry.oldest_file != file->number()) continue;
      const auto resident = shard.memory.find(key);
      const bool is_hot =
          entry.touches > 0 || (resident != shard.memory.end() && (*resident)->touches.load() > 0);
      leaving.emplace_back(key, is_hot);
    }
  }
  // What is not used is saved up, or no object that fills files of its own could ever move.
  move_budget_ = std::min(move_budget_ + file->charged_bytes() / 2, options_.disk_bytes_max / 16);
  std::vector<CacheKey> dropped;
  for (const auto& [key, is_hot] : leaving) {
    if (!is_hot || !MoveOut(key, *file)) dropped.push_back(key);
  }
  Aftermath after;
  constexpr size_t kBatchKeys = 64;  // hits that take in objects must not wait for all of a file
  for (size_t begin = 0; begin < dropped.size(); begin += kBatchKeys) {
    const size_t end = std::min(begin + kBatchKeys, dropped.size());
    const std::lock_guard lock(policy_mutex_);
    for (size_t i = begin; i < end; ++i) DropWithFile(dropped[i], file->number(), after);
  }
  if (const Status deleted = disk_->records().Delete(dropped); !deleted.ok()) {
    CountWriteError(deleted);  // a start will find that their file is missing
  }
  disk_->files().Remove(file);
  Finish(after);
  return true;
}

// Writes the object's segments in `file` again at the end of the newest. False: it is to be
// dropped.
bool Store::MoveOut(const CacheKey& key, const SegmentFile& file) {
  const auto on_disk = [&] {
    const std::lock_guard lock(policy_mutex_);
    return FindOnDisk(key);
  }();
  auto stored = disk_->records().Get(key);
  if (!on_disk || !stored) return false;

  uint64_t bytes = 0;
  for (size_t i = 0; i < stored->segments.size(); ++i) {
    if (stored->segments[i].file != file.number()) continue;
    bytes += stored->segments[i].length + RecordShare(stored->head, i);
  }
  if (bytes > move_budget_) return false;
  move_budget_ -= bytes;
  // An object in several files moves with one after the other, and earned that once for all.
  const bool has_moved_whole = stored->segments.back().file == file.number();

  if (!MoveSegments(*stored, file, on_disk->stamp)) return false;
  if (const Status put = disk_->records().Put(*stored); !put.ok()) {
    CountWriteError(put);
    return false;
  }
  const std::lock_guard lock(policy_mutex_);
  Shard& shard = ShardOf(key);
  const std::lock_guard shard_lock(shard.mutex);
  const auto entry = shard.disk.find(key);
  if (entry == shard.disk.end()) return false;  // erased meanwhile
  entry->second.oldest_file = OldestFile(*stored);
  if (has_moved_whole) entry->second.touches = 0;
  return true;
}

bool Store::MoveSegments(StoredObject& stored, const SegmentFile& file, uint32_t stamp) {
  const auto body = FindBodyStoredAs(stored.key, stamp);
  for (size_t i = 0; i < stored.segments.size(); ++i) {
    StoredSegment& segment = stored.segments[i];
    if (segment.file != file.number()) continue;
    const auto content = disk_->files().Read(
        {disk_->files().Find(segment.file), segment.offset, segment.xxh3, segment.length});
    if (content == nullptr) {
      DropDamaged(stored.key, stamp);
      return false;
    }
    const auto to =
        disk_->files().Append({content.get(), segment.length}, RecordShare(stored.head, i));
    if (!to.ok()) {
      CountWriteError(to.status());
      return false;
    }
    if (body != nullptr) body->OnWritten(i, *to);
    segment = StoredAt(*to);
  }
  return true;
}

std::shared_ptr<SegmentedBody> Store::FindBodyStoredAs(const CacheKey& key, uint32_t stamp) {
  const std::lock_guard lock(policy_mutex_);
  const Resident* const resident = FindResident(key);
  if (resident == nullptr) return nullptr;
  auto body = BodyOf(*resident->object);
  return body->stored_as == stamp ? body : nullptr;
}

// Under policy_mutex_. An object that is in memory whole lives on there.
void Store::DropWithFile(const CacheKey& key, uint32_t file, Aftermath& after) {
  {
    Shard& shard = ShardOf(key);
    const std::lock_guard lock(shard.mutex);
    const auto entry = shard.disk.find(key);
    if (entry == shard.disk.end() || entry->second.oldest_file != file) return;
    shard.disk.erase(entry);
  }
  ++disk_evictions_;
  Resident* const resident = FindResident(key);
  if (resident != nullptr && resident->phase == Resident::Phase::kSettled &&
      !BodyOf(*resident->object)->IsWholeInMemory()) {
    Remove(*resident, after);
  }
  after.left.push_back(key);
}

// ---- Reading ----

void Store::ReadObject(const CacheKey& key) {
  std::shared_ptr<const Object> object;
  Aftermath after;
  // Again if it was replaced or moved while it was read.
  for (int attempt = 0; attempt < 3 && object == nullptr; ++attempt) {
    const auto before = [&] {
      const std::lock_guard lock(policy_mutex_);
      return FindOnDisk(key);
    }();
    if (!before) break;
    auto read = ReadFromDisk(key, before->stamp);

    const std::lock_guard lock(policy_mutex_);
    const auto now = FindOnDisk(key);
    const bool is_same = now && now->stamp == before->stamp;
    if (const Resident* const resident = FindResident(key)) {
      object = resident->object;  // fetched meanwhile
    } else if (read != nullptr && is_same) {
      object = read;
      Resident& loaded = AddResident(std::move(read));
      loaded.phase = Resident::Phase::kSettled;
      EvictWhileOver(&loaded, after);
    } else if (is_same && now->oldest_file == before->oldest_file) {
      RemoveDamaged(key, now->stamp, after);
      break;
    }
  }
  Finish(after);
  Deliver(key, object);
}

// nullptr: damaged, or not there any more.
std::shared_ptr<const Object> Store::ReadFromDisk(const CacheKey& key, uint32_t stamp) {
  auto stored = disk_->records().Get(key);
  if (!stored) return nullptr;
  std::vector<Location> locations;
  for (const StoredSegment& segment : stored->segments) {
    auto file = disk_->files().Find(segment.file);
    if (file == nullptr) return nullptr;
    locations.push_back({std::move(file), segment.offset, segment.xxh3, segment.length});
  }
  const uint64_t length = stored->Length();
  const size_t to_read = length <= kLoadWholeBytes ? locations.size() : 1;
  std::vector<std::shared_ptr<char[]>> read;
  for (size_t i = 0; i < to_read; ++i) {
    read.push_back(disk_->files().Read(locations[i]));
    if (read.back() == nullptr) return nullptr;
  }

  std::shared_ptr<SegmentedBody> body;
  if (locations.size() == 1) {
    body = SegmentedBody::MakeWhole(std::move(read[0]), length);
  } else {
    body =
        SegmentedBody::MakeSpilled(self_.lock(), key, std::move(locations), length, resident_max_);
    for (size_t i = 0; i < to_read; ++i) body->OnSegmentRead(i, std::move(read[i]));
  }
  body->stored_as = stamp;
  auto object = std::make_shared<Object>();
  object->key = key;
  object->head = std::move(stored->head);
  object->body = std::move(body);
  return object;
}

void Store::Deliver(const CacheKey& key, const std::shared_ptr<const Object>& object) {
  std::vector<Waiter> waiters;
  {
    Shard& shard = ShardOf(key);
    const std::lock_guard lock(shard.mutex);
    const auto loading = shard.loading.find(key);
    if (loading == shard.loading.end()) return;
    waiters = std::move(loading->second);
    shard.loading.erase(loading);
  }
  for (Waiter& waiter : waiters) {
    waiter.loop->Post([object, done = std::move(waiter.done)] { done(object); });
  }
}

void Store::ReadBack(std::shared_ptr<SegmentedBody> body, size_t segment, Location from) {
  const bool pushed = disk_->readers().Push([this, body, segment, from = std::move(from)] {
    body->OnSegmentRead(segment, disk_->files().Read(from));
  });
  if (!pushed) body->OnSegmentRead(segment, nullptr);  // closed: its readers end
}

// ---- Damage ----

void Store::OnDamaged(const CacheKey& key, const std::shared_ptr<SegmentedBody>& body) {
  Aftermath after;
  {
    const std::lock_guard lock(policy_mutex_);
    if (is_closed_) return;
    RemoveDamaged(key, body->stored_as, after);
    Resident* const resident = FindResident(key);
    if (resident != nullptr && resident->object->body == body) {
      // It has aborted: it must not be found, whether it was filling or whole.
      if (resident->phase != Resident::Phase::kFilling) after.left.push_back(key);
      TakeOut(*resident, after);
    }
  }
  Finish(after);
}

void Store::DropDamaged(const CacheKey& key, uint32_t stamp) {
  Aftermath after;
  {
    const std::lock_guard lock(policy_mutex_);
    if (is_closed_) return;
    RemoveDamaged(key, stamp, after);
  }
  Finish(after);
}

// Under policy_mutex_.
void Store::RemoveDamaged(const CacheKey& key, uint32_t stamp, Aftermath& after) {
  ++damaged_dropped_;
  const auto on_disk = FindOnDisk(key);
  if (!on_disk || on_disk->stamp != stamp) return;
  RemoveFromDisk(key, after);
  Resident* const resident = FindResident(key);
  const bool is_of_it = resident != nullptr && BodyOf(*resident->object)->stored_as == stamp;
  if (is_of_it && !BodyOf(*resident->object)->IsWholeInMemory()) Remove(*resident, after);
  after.left.push_back(key);
}

}  // namespace reef::http
