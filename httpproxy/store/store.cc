// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/store/store.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace reef::http {
namespace {

// What the allocator takes for `bytes`: glibc's header and rounding.
constexpr uint64_t Allocated(uint64_t bytes) {
  return bytes == 0 ? 0 : std::max<uint64_t>(32, (bytes + 8 + 15) / 16 * 16);
}

// What an object costs beyond its body's segments and what its head points to: object and body with
// their control blocks, the entry, and its share of the hash set, which is two thirds full.
constexpr uint64_t kObjectOverhead = Allocated(sizeof(Object) + 16) +
                                     Allocated(sizeof(SegmentedBody) + 16) +
                                     Allocated(sizeof(Resident)) + (sizeof(void*) + 1) * 3 / 2;
// Of what a body that cannot be kept holds for its readers.
constexpr size_t kUnkeptWindowBytes = 4 * kSegmentBytes;

uint64_t HeapBytes(const std::string& text) {
  return text.capacity() > 15 ? Allocated(text.capacity() + 1) : 0;  // 15: the inline buffer
}

uint64_t BytesOf(const Object& object) {
  const ObjectHead& head = object.head;
  uint64_t bytes = kObjectOverhead + HeapBytes(head.reason) + HeapBytes(head.fields) +
                   HeapBytes(head.etag) + HeapBytes(head.last_modified) +
                   Allocated(head.vary.capacity() * sizeof head.vary[0]);
  for (const auto& [name, value] : head.vary) bytes += HeapBytes(name) + HeapBytes(value);
  return bytes + static_cast<const SegmentedBody&>(*object.body).resident_bytes();
}

uint64_t BytesOf(const Resident& resident) {
  uint64_t bytes = BytesOf(*resident.object);
  if (resident.previous != nullptr) bytes += BytesOf(*resident.previous);
  return bytes;
}

std::shared_ptr<SegmentedBody> BodyOf(const Object& object) {
  return std::static_pointer_cast<SegmentedBody>(object.body);
}

}  // namespace

Store::Store(const Cache::Options& options)
    : options_(options),
      object_bytes_max_(std::min(options.object_bytes_max, options.memory_bytes_max / 4)),
      resident_max_(options.memory_bytes_max / 8),
      write_queue_bytes_max_(std::min<uint64_t>(options.memory_bytes_max / 4, 64 << 20)),
      fifo_(options.memory_bytes_max) {}

Store::~Store() = default;

StatusOr<std::shared_ptr<Store>> Store::Open(const Cache::Options& options,
                                             std::unique_ptr<FileLayer> layer) {
  auto store = std::make_shared<Store>(options);
  store->self_ = store;
  if (options.directory.empty()) return store;
  const auto found = [&store](const CacheKey& key, uint32_t oldest_file) {
    store->ShardOf(key).disk[key] = {oldest_file, ++store->last_stamp_, 0};
  };
  ASSIGN_OR_RETURN(store->disk_, DiskTier::Open(options, std::move(layer), found));
  store->damaged_dropped_ = store->disk_->dropped_at_start();
  store->move_budget_ = options.disk_bytes_max / 16;
  store->MakeRoomAtStart();
  return store;
}

void Store::Close() {
  {
    const std::lock_guard lock(policy_mutex_);
    is_closed_ = true;
  }
  // What is complete still goes to disk: so the memory tier is emptied after that.
  if (disk_ != nullptr) disk_->Close();
  Aftermath after;
  const std::lock_guard lock(policy_mutex_);
  for (Shard& shard : shards_) {
    const std::lock_guard shard_lock(shard.mutex);
    for (const auto& resident : shard.memory) {
      fifo_.Remove(*resident);
      after.unreferenced.push_back(resident->object);
      after.unreferenced.push_back(resident->previous);
    }
    shard.memory.clear();
    shard.disk.clear();
  }
}

Cache::Found Store::Find(const CacheKey& key) {
  Shard& shard = ShardOf(key);
  const std::lock_guard lock(shard.mutex);
  if (const auto found = shard.memory.find(key); found != shard.memory.end()) {
    (*found)->Touch();
    return {Cache::Found::Where::kMemory, (*found)->object};
  }
  if (shard.disk.contains(key)) return {Cache::Found::Where::kDisk, nullptr};
  return {};
}

void Store::Load(const CacheKey& key, EventLoop& loop,
                 std::function<void(std::shared_ptr<const Object>)> done) {
  Shard& shard = ShardOf(key);
  {
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.memory.find(key);
    const auto on_disk = shard.disk.find(key);
    if (found != shard.memory.end() || on_disk == shard.disk.end()) {
      loop.Post([object = found == shard.memory.end() ? nullptr : (*found)->object,
                 done = std::move(done)]() mutable { done(std::move(object)); });
      return;
    }
    OnDisk& entry = on_disk->second;
    if (entry.touches < 3) ++entry.touches;
    auto& waiters = shard.loading[key];
    waiters.push_back({&loop, std::move(done)});
    if (waiters.size() > 1) return;  // one read serves them all
  }
  if (!disk_->readers().Push([this, key] { ReadObject(key); })) Deliver(key, nullptr);
}

void Store::Insert(std::shared_ptr<const Object> object) {
  const CacheKey key = object->key;
  const std::shared_ptr<SegmentedBody> body = BodyOf(*object);
  REEF_CHECK(body->is_cached()) << "Insert of a body that only passes through";
  // First: what happens to the body from here on comes after this insertion.
  if (!body->Attach(key)) return;

  Aftermath after;
  {
    const std::lock_guard lock(policy_mutex_);
    if (is_closed_) return;
    Resident* resident = FindResident(key);
    if (resident == nullptr) {
      resident = &AddResident(std::move(object));
    } else {
      Replace(*resident, std::move(object), after);
    }
    resident = Advance(*resident, body, after);
    if (resident != nullptr) Charge(*resident, after);
  }
  Finish(after);
}

Resident& Store::AddResident(std::shared_ptr<const Object> object) {
  auto made = std::make_unique<Resident>();
  made->object = std::move(object);
  Resident& resident = *made;
  fifo_.Add(resident, BytesOf(resident));
  Shard& shard = ShardOf(resident.object->key);
  const std::lock_guard lock(shard.mutex);
  shard.memory.insert(std::move(made));
  return resident;
}

void Store::Replace(Resident& resident, std::shared_ptr<const Object> object, Aftermath& after) {
  const bool is_same_body = resident.object->body == object->body;
  const bool is_filling = resident.phase == Resident::Phase::kFilling;
  {
    const std::lock_guard shard_lock(ShardOf(object->key).mutex);
    std::swap(resident.object, object);
  }
  resident.phase = Resident::Phase::kFilling;  // Advance sees what it is
  if (!is_same_body || !is_filling) resident.admission = Resident::Admission::kUndecided;
  if (!is_same_body && is_filling) after.unkept.push_back(BodyOf(*object));
  if (!is_same_body && !is_filling) std::swap(resident.previous, object);
  after.unreferenced.push_back(std::move(object));
}

void Store::Erase(const CacheKey& key) {
  Aftermath after;
  {
    const std::lock_guard lock(policy_mutex_);
    bool is_held = FindOnDisk(key).has_value();
    if (Resident* const resident = FindResident(key)) {
      const bool is_filling = resident->phase == Resident::Phase::kFilling;
      is_held |= !is_filling || resident->previous != nullptr;
      if (is_filling) after.unkept.push_back(BodyOf(*resident->object));
      Remove(*resident, after);
    }
    if (is_held) after.left.push_back(key);
    RemoveFromDisk(key, after);
  }
  Finish(after);
}

void Store::ForEachKey(const std::function<void(const CacheKey&)>& visit) const {
  const std::lock_guard lock(policy_mutex_);
  for (const Shard& shard : shards_) {
    const std::lock_guard shard_lock(shard.mutex);
    for (const auto& [key, entry] : shard.disk) visit(key);
    for (const auto& resident : shard.memory) {
      const bool is_filling = resident->phase == Resident::Phase::kFilling;
      if (is_filling && resident->previous == nullptr) continue;
      if (!shard.disk.contains(resident->object->key)) visit(resident->object->key);
    }
  }
}

Cache::Stats Store::stats() const {
  Cache::Stats stats;
  {
    const std::lock_guard lock(policy_mutex_);
    stats.memory_bytes = fifo_.bytes();
    stats.memory_objects = fifo_.count();
    if (disk_ != nullptr && !is_closed_) stats.disk_bytes = disk_->bytes();
  }
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    stats.disk_objects += shard.disk.size();
  }
  stats.memory_evictions = memory_evictions_;
  stats.disk_evictions = disk_evictions_;
  stats.disk_writes = disk_writes_;
  stats.disk_queue_bytes = write_queue_bytes_;
  stats.damaged_dropped = damaged_dropped_;
  stats.write_errors = write_errors_;
  stats.writes_skipped = writes_skipped_;
  return stats;
}

// ---- Bodies ----

void Store::OnProgress(const CacheKey& key, const std::shared_ptr<SegmentedBody>& body) {
  Aftermath after;
  {
    const std::lock_guard lock(policy_mutex_);
    Resident* resident = FindResident(key);
    if (is_closed_ || resident == nullptr) return;
    const bool is_current = resident->object->body == body;
    if (is_current && resident->phase == Resident::Phase::kFilling) {
      resident = Advance(*resident, body, after);
    }
    if (resident != nullptr) Charge(*resident, after);
  }
  Finish(after);
}

// ---- Under policy_mutex_ ----

Resident* Store::FindResident(const CacheKey& key) {
  Shard& shard = ShardOf(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.memory.find(key);
  return found == shard.memory.end() ? nullptr : found->get();
}

std::optional<Store::OnDisk> Store::FindOnDisk(const CacheKey& key) const {
  const Shard& shard = ShardOf(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.disk.find(key);
  if (found == shard.disk.end()) return std::nullopt;
  return found->second;
}

// Whether the record on disk is of this very body.
bool Store::IsStored(const CacheKey& key, const SegmentedBody& body) const {
  const auto on_disk = FindOnDisk(key);
  return on_disk && body.stored_as != 0 && on_disk->stamp == body.stored_as;
}

bool Store::IsHeldWhole(const CacheKey& key) {
  const std::lock_guard lock(policy_mutex_);
  const Resident* const resident = FindResident(key);
  const bool is_whole = resident != nullptr && (resident->phase != Resident::Phase::kFilling ||
                                                resident->previous != nullptr);
  return is_whole || FindOnDisk(key);
}

std::shared_ptr<const Object> Store::FindObjectOf(const CacheKey& key, const SegmentedBody& body) {
  const Resident* const resident = FindResident(key);
  if (resident == nullptr) return nullptr;
  if (resident->object->body.get() == &body) return resident->object;
  const auto& previous = resident->previous;
  return previous != nullptr && previous->body.get() == &body ? previous : nullptr;
}

// What follows from the state of a body in phase kFilling. nullptr: the object is out.
Resident* Store::Advance(Resident& resident, const std::shared_ptr<SegmentedBody>& body,
                         Aftermath& after) {
  const Body::State state = body->state();
  if (state == Body::State::kAborted) return TakeOut(resident, after);

  const uint64_t announced = resident.object->head.content_length.value_or(0);
  const bool is_complete = state == Body::State::kComplete;
  const uint64_t length = is_complete ? body->size() : std::max(announced, body->size());
  const bool is_due = is_complete || body->size() >= kSegmentBytes;
  if (is_due && resident.admission == Resident::Admission::kUndecided) {
    resident.admission = Admit(resident, *body, length);
  }
  const bool is_admitted = resident.admission == Resident::Admission::kAdmitted;
  if (length > LengthMax(resident)) {
    after.unkept.push_back(body);
    if (is_complete) after.left.push_back(resident.object->key);
    return TakeOut(resident, after);
  }
  if (is_complete) {
    resident.phase = is_admitted ? Resident::Phase::kWriting : Resident::Phase::kSettled;
    after.unreferenced.push_back(std::exchange(resident.previous, nullptr));
    // An older version on disk must not be found again after this one.
    if (!is_admitted) RemoveFromDisk(resident.object->key, after);
  }
  if (is_admitted) after.to_write.push_back({resident.object->key, body});
  return &resident;
}

Resident::Admission Store::Admit(const Resident& resident, SegmentedBody& body, uint64_t length) {
  if (disk_ == nullptr) return Resident::Admission::kRefused;
  if (IsStored(resident.object->key, body)) return Resident::Admission::kAdmitted;
  const bool is_queue_full = write_queue_bytes_ > write_queue_bytes_max_;
  if (is_queue_full || length > disk_->object_bytes_max()) {
    ++writes_skipped_;
    return Resident::Admission::kRefused;
  }
  body.SpillOver(resident_max_);
  return Resident::Admission::kAdmitted;
}

uint64_t Store::LengthMax(const Resident& resident) const {
  const bool may_spill = disk_ != nullptr && resident.admission != Resident::Admission::kRefused;
  return may_spill ? disk_->object_bytes_max() : object_bytes_max_;
}

void Store::Charge(Resident& resident, Aftermath& after) {
  fifo_.Resize(resident, BytesOf(resident));
  EvictWhileOver(&resident, after);
}

// The filling object leaves; the whole one that it replaced comes back.
Resident* Store::TakeOut(Resident& resident, Aftermath& after) {
  // The whole one may have turned out to be damaged meanwhile.
  const auto& previous = resident.previous;
  if (previous == nullptr || previous->body->state() != Body::State::kComplete) {
    Remove(resident, after);
    return nullptr;
  }
  const std::lock_guard lock(ShardOf(resident.object->key).mutex);
  after.unreferenced.push_back(
      std::exchange(resident.object, std::exchange(resident.previous, nullptr)));
  resident.phase = Resident::Phase::kSettled;
  return &resident;
}

void Store::Remove(Resident& resident, Aftermath& after) {
  fifo_.Remove(resident);
  Shard& shard = ShardOf(resident.object->key);
  const std::lock_guard lock(shard.mutex);
  after.unreferenced.push_back(resident.object);
  after.unreferenced.push_back(resident.previous);
  shard.memory.erase(shard.memory.find(resident.object->key));
}

void Store::RemoveFromDisk(const CacheKey& key, Aftermath& after) {
  Shard& shard = ShardOf(key);
  const std::lock_guard lock(shard.mutex);
  if (shard.disk.erase(key) > 0) after.to_delete.push_back(key);
}

void Store::EvictWhileOver(Resident* growing, Aftermath& after) {
  while (fifo_.bytes() > options_.memory_bytes_max) {
    Resident* const victim = fifo_.Victim();
    if (victim == nullptr) {
      ShedFilling(growing, after);
      return;
    }
    if (victim == growing) growing = nullptr;
    fifo_.Remember(*victim);
    after.left.push_back(victim->object->key);
    Remove(*victim, after);
    ++memory_evictions_;
  }
}

// Everything in memory fills or is being written: what grows now is the one too many.
void Store::ShedFilling(Resident* growing, Aftermath& after) {
  if (growing == nullptr || growing->phase != Resident::Phase::kFilling) return;
  auto body = BodyOf(*growing->object);
  if (growing->admission == Resident::Admission::kAdmitted) {
    after.to_shrink.push_back({growing->object->key, std::move(body)});
    return;
  }
  after.unkept.push_back(std::move(body));
  TakeOut(*growing, after);
}

// ---- Without locks ----

void Store::Finish(Aftermath& after) {
  for (const auto& body : after.unkept) body->PassThrough(kUnkeptWindowBytes);
  for (auto& [key, body] : after.to_write) PushWrite(key, std::move(body));
  for (const CacheKey& key : after.to_delete) PushDelete(key);
  for (const auto& [key, body] : after.to_shrink) {
    if (body->SpillOver(0)) OnProgress(key, body);
  }
  if (evicted_ == nullptr) return;
  for (const CacheKey& key : after.left) {
    if (!IsHeldWhole(key)) evicted_(key);  // in the other tier, or back meanwhile
  }
}

}  // namespace reef::http
