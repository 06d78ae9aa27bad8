// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/store/segmented_body.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "httpproxy/store/segment_memory.h"

namespace reef::http {
namespace {

// What an allocation of a segment costs beyond its bytes: control block and allocator.
constexpr size_t kAllocationOverhead = 48;

// A place in a circular list that its element leaves by itself.
struct Link {
  Link* previous = this;
  Link* next = this;

  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  bool IsAlone() const { return next == this; }
  void InsertBefore(Link& other) {
    previous = other.previous;
    next = &other;
    previous->next = this;
    other.previous = this;
  }
  void Leave() {
    previous->next = next;
    next->previous = previous;
    previous = next = this;
  }
};

}  // namespace

class SegmentedBody::Private {};

// The readers of one body that live on one loop and wait. Shared with the posted task, which may
// outlive them all.
struct SegmentedBody::LoopGroup {
  explicit LoopGroup(EventLoop& on) : loop(on) {}

  static void Post(const std::shared_ptr<LoopGroup>& group) {
    if (group->is_posted.exchange(true)) return;
    group->loop.Post([group] { group->Run(); });
  }
  void Run();

  EventLoop& loop;
  std::atomic<bool> is_posted{false};
  Link waiting;        // the loop's thread only
  bool armed = false;  // guarded by the body's mutex: somebody waits for a change
  size_t readers = 0;  // guarded by the body's mutex
};

struct SegmentedBody::Flow {
  std::shared_ptr<BodyHost> host;
  std::weak_ptr<SegmentedBody> self;
  CacheKey key;
  bool is_attached = false;

  size_t segment_bytes = kSegmentBytes;
  size_t limit_bytes = 0;      // of memory when spilled, of the window
  std::vector<Slot> slots;     // the first is segment `first_segment`
  uint64_t first_segment = 0;  // window: those before it are gone
  uint64_t next_unwritten = 0;
  std::vector<uint32_t> spillable;  // segments in memory and on disk, the longest there first

  std::vector<ReaderPlace*> readers;
  uint64_t last_floor = 0;  // where the slowest was when the last reader left
  bool was_left = false;    // there were readers, and the last one left
  std::vector<std::shared_ptr<LoopGroup>> groups;

  EventLoop* room_loop = nullptr;
  Task room;
  std::string abort_reason;

  // The writer's thread only: the segment being filled.
  std::shared_ptr<char[]> tail;
  size_t tail_capacity = 0;
  size_t tail_used = 0;
};

class SegmentedBody::ReaderPlace final : public Body::Reader, private Link {
 public:
  ReaderPlace(SegmentedBody& body, EventLoop& loop, uint64_t offset)
      : body_(body), loop_(loop), offset_(offset) {
    const std::lock_guard lock(body_.mutex_);
    if (body_.flow_ == nullptr) return;  // a small complete body: nothing will ever change
    is_registered_ = true;
    place_ = body_.flow_->readers.size();
    body_.flow_->readers.push_back(this);
  }
  ~ReaderPlace() override;

  Chunk Peek(size_t max) override;
  void Advance(size_t bytes) override;
  uint64_t offset() const override { return offset_; }
  void WhenReadable(Task ready) override;

 private:
  friend class SegmentedBody;
  friend struct LoopGroup;

  std::shared_ptr<LoopGroup> FindOrMakeGroup();  // under the body's mutex

  SegmentedBody& body_;
  EventLoop& loop_;
  uint64_t offset_;  // written by this thread under the body's mutex
  bool is_registered_ = false;
  size_t place_ = 0;  // in Flow::readers; guarded by the body's mutex
  std::shared_ptr<LoopGroup> group_;
  Task ready_;
  // A segment that was read back for this reader, so that it is there when the reader comes,
  // however many others pull the rest of the memory to and fro. Guarded by the body's mutex.
  uint64_t held_segment_ = 0;
  std::shared_ptr<char[]> held_;
};

// ---- Making one ----

SegmentedBody::SegmentedBody(const Private&) : flow_(std::make_unique<Flow>()) {}

SegmentedBody::~SegmentedBody() {
  REEF_CHECK(flow_ == nullptr || flow_->readers.empty()) << "a body died before its readers";
}

std::shared_ptr<SegmentedBody> SegmentedBody::MakeHeld(std::shared_ptr<BodyHost> host) {
  auto body = std::make_shared<SegmentedBody>(Private());
  body->flow_->host = std::move(host);
  body->flow_->self = body;
  return body;
}

std::shared_ptr<SegmentedBody> SegmentedBody::MakeWindow(size_t window_bytes) {
  auto body = std::make_shared<SegmentedBody>(Private());
  body->is_cached_ = false;
  body->keep_ = Keep::kWindow;
  body->flow_->limit_bytes = window_bytes;
  // Whole segments are dropped, so they are a fraction of the window.
  body->flow_->segment_bytes = std::clamp<size_t>(
      std::bit_floor(std::max<size_t>(window_bytes / 4, 1)), 4096, kSegmentBytes);
  return body;
}

std::shared_ptr<SegmentedBody> SegmentedBody::MakeWhole(std::shared_ptr<char[]> bytes,
                                                        size_t length) {
  REEF_CHECK(length <= kSegmentBytes);
  auto body = std::make_shared<SegmentedBody>(Private());
  body->flow_.reset();
  body->only_ = std::move(bytes);
  body->size_ = length;
  body->resident_bytes_ = SegmentFootprint(body->only_.get(), length) + kAllocationOverhead;
  body->state_ = State::kComplete;
  body->is_whole_ = true;
  return body;
}

std::shared_ptr<SegmentedBody> SegmentedBody::MakeSpilled(std::shared_ptr<BodyHost> host,
                                                          const CacheKey& key,
                                                          std::vector<Location> segments,
                                                          uint64_t length, size_t resident_max) {
  auto body = MakeHeld(std::move(host));
  Flow& flow = *body->flow_;
  flow.key = key;
  flow.is_attached = true;
  flow.limit_bytes = std::max(resident_max, 2 * kSegmentBytes);
  flow.slots.resize(segments.size());
  for (size_t i = 0; i < segments.size(); ++i) flow.slots[i].stored = std::move(segments[i]);
  flow.next_unwritten = segments.size();
  body->keep_ = Keep::kSpilled;
  body->size_ = length;
  body->state_ = State::kComplete;
  return body;
}

// ---- Writer ----

// Puts what fits into the segment being filled, beyond what readers can see. Small bodies get just
// the size of their first piece; growth doubles within a first segment.
size_t SegmentedBody::CopyToTail(std::string_view bytes) {
  Flow& flow = *flow_;
  const auto allocate = [&flow](size_t wanted) {
    SegmentBytes made = AllocateSegment(std::min(wanted, flow.segment_bytes));
    flow.tail_capacity = std::min(made.capacity, flow.segment_bytes);
    return std::move(made.bytes);
  };
  if (flow.tail == nullptr || flow.tail_used == flow.segment_bytes) {
    flow.tail = allocate(flow.tail == nullptr ? bytes.size() : flow.segment_bytes);
    flow.tail_used = 0;
  } else if (flow.tail_used == flow.tail_capacity) {
    const size_t wanted = std::min(std::max(2 * flow.tail_capacity, flow.tail_used + bytes.size()),
                                   flow.segment_bytes);
    if (const size_t grown = GrowSegment(flow.tail.get(), wanted); grown > 0) {
      flow.tail_capacity = std::min(grown, flow.segment_bytes);
    } else {
      auto larger = allocate(wanted);
      std::memcpy(larger.get(), flow.tail.get(), flow.tail_used);
      flow.tail = std::move(larger);  // readers keep the shorter one while they need it
    }
  }
  const size_t count = std::min(bytes.size(), flow.tail_capacity - flow.tail_used);
  std::memcpy(flow.tail.get() + flow.tail_used, bytes.data(), count);
  flow.tail_used += count;
  return count;
}

bool SegmentedBody::Append(std::string_view bytes) {
  REEF_CHECK(state() != State::kComplete) << "Append after Complete";
  bool tell = false;
  while (!bytes.empty()) {
    if (state() != State::kFilling) return false;
    const size_t count = CopyToTail(bytes);
    bytes.remove_prefix(count);

    const std::lock_guard lock(mutex_);
    const uint64_t size = size_.load(std::memory_order_relaxed);
    const uint64_t segment = size / flow_->segment_bytes;
    if (segment == flow_->first_segment + flow_->slots.size()) flow_->slots.emplace_back();
    Slot& slot = *FindSlot(segment);
    if (slot.bytes != flow_->tail || slot.capacity != flow_->tail_capacity) {
      SetBytes(slot, flow_->tail, flow_->tail_capacity);
      tell = true;
    }
    size_.store(size + count, std::memory_order_release);
    tell |= flow_->tail_used == flow_->segment_bytes;
    DropWhatMay();
    Wake();
  }
  if (tell) {
    std::unique_lock lock(mutex_);
    const HostCall call = Host();
    lock.unlock();
    call.Progress();
  }

  std::unique_lock lock(mutex_);
  if (!IsOver()) return true;
  if (IsAbandoned()) {
    lock.unlock();
    End(State::kAborted, "it cannot be kept, and nobody reads it any more");
  }
  return false;
}

void SegmentedBody::WhenRoom(EventLoop& loop, Task room) {
  std::unique_lock lock(mutex_);
  if (flow_ == nullptr) {
    loop.Post(std::move(room));
    return;
  }
  flow_->room_loop = &loop;
  std::swap(flow_->room, room);
  PostRoomIfAny();
  lock.unlock();  // the replaced task is destroyed without the lock
}

// Nobody will append: what the last segment does not need is given back.
void SegmentedBody::ShrinkTail() {
  Flow& flow = *flow_;
  const size_t waste = flow.tail_capacity - flow.tail_used;
  if (flow.tail == nullptr || waste == 0) return;  // a window may have dropped it by now
  if (flow.tail_used < kSendableMin || !IsInMemoryFile(flow.tail.get())) {
    if (waste <= std::max<size_t>(64, flow.tail_capacity / 8)) return;
    SegmentBytes exact = AllocateSegment(flow.tail_used);
    std::memcpy(exact.bytes.get(), flow.tail.get(), flow.tail_used);
    flow.tail = std::move(exact.bytes);
  }
  flow.tail_capacity = TrimSegment(flow.tail.get(), flow.tail_used);
  const std::lock_guard lock(mutex_);
  Slot& slot = flow.slots.back();
  if (slot.bytes != nullptr) SetBytes(slot, flow.tail, flow.tail_capacity);
}

void SegmentedBody::Complete() {
  REEF_CHECK(state() != State::kComplete) << "Complete twice";
  if (state() == State::kFilling) ShrinkTail();
  End(State::kComplete, "");
}

void SegmentedBody::Abort(std::string reason) {
  REEF_CHECK(state() != State::kComplete) << "Abort after Complete";
  End(State::kAborted, std::move(reason));
}

void SegmentedBody::End(State state, std::string reason) {
  Task unneeded;
  std::unique_ptr<Flow> idle;
  HostCall call;
  {
    const std::lock_guard lock(mutex_);
    if (this->state() != State::kFilling) return;  // it aborted by itself before
    unneeded = std::exchange(flow_->room, Task());
    SetState(state, std::move(reason));
    flow_->tail.reset();
    call = Host();
    idle = TakeFlowIfIdle();
  }
  call.Progress();
}

void SegmentedBody::SetState(State state, std::string reason) {
  flow_->abort_reason = std::move(reason);
  state_.store(state, std::memory_order_release);
  const bool is_one_segment = flow_->first_segment == 0 && flow_->slots.size() <= 1;
  if (state == State::kComplete && is_one_segment && is_cached_ && keep_ != Keep::kWindow) {
    if (!flow_->slots.empty()) only_ = flow_->slots[0].bytes;
    is_whole_.store(true, std::memory_order_release);
  }
  Wake();
  PostRoomIfAny();
}

// ---- Anyone ----

std::string SegmentedBody::abort_reason() const {
  const std::lock_guard lock(mutex_);
  return flow_ == nullptr ? std::string() : flow_->abort_reason;
}

std::optional<std::string_view> SegmentedBody::WholeIfSmall() const {
  if (!is_whole_.load(std::memory_order_acquire)) return std::nullopt;
  return std::string_view(only_.get(), size_.load(std::memory_order_relaxed));
}

bool SegmentedBody::IsWholeInMemory() const {
  const std::lock_guard lock(mutex_);
  if (is_whole_) return true;
  return flow_->first_segment == 0 &&
         std::all_of(flow_->slots.begin(), flow_->slots.end(),
                     [](const Slot& slot) { return slot.bytes != nullptr; });
}

std::unique_ptr<Body::Reader> SegmentedBody::NewReader(EventLoop& loop, uint64_t offset) {
  return std::make_unique<ReaderPlace>(*this, loop, offset);
}

// ---- The cache ----

bool SegmentedBody::Attach(const CacheKey& key) {
  const std::lock_guard lock(mutex_);
  if (keep_ == Keep::kWindow) return false;
  if (flow_ == nullptr) return true;
  REEF_CHECK(!flow_->is_attached || flow_->key == key) << "one body under two keys";
  flow_->key = key;
  flow_->is_attached = true;
  return true;
}

bool SegmentedBody::SpillOver(size_t resident_max) {
  const std::lock_guard lock(mutex_);
  if (flow_ == nullptr || keep_ == Keep::kWindow) return false;
  keep_ = Keep::kSpilled;
  flow_->limit_bytes = std::max(resident_max, 2 * kSegmentBytes);
  const uint64_t before = resident_bytes();
  DropWhatMay();
  PostRoomIfAny();
  return resident_bytes() < before;
}

void SegmentedBody::PassThrough(size_t window_bytes) {
  const std::lock_guard lock(mutex_);
  if (flow_ == nullptr || is_whole_) return;
  keep_ = Keep::kWindow;
  flow_->limit_bytes = window_bytes;
  flow_->is_attached = false;
  DropWhatMay();
  PostRoomIfAny();
}

std::optional<SegmentedBody::Unwritten> SegmentedBody::NextUnwritten() const {
  const std::lock_guard lock(mutex_);
  if (flow_ == nullptr) return std::nullopt;
  const uint64_t segment = flow_->next_unwritten;
  const Slot* slot = FindSlot(segment);
  if (slot == nullptr || slot->bytes == nullptr) return std::nullopt;
  const uint64_t begin = segment * flow_->segment_bytes;
  const uint64_t length = std::min<uint64_t>(size() - begin, flow_->segment_bytes);
  const bool is_final = length == flow_->segment_bytes || state() == State::kComplete;
  if (!is_final) return std::nullopt;
  return Unwritten{segment, {slot->bytes.get(), length}, slot->bytes};
}

void SegmentedBody::OnWritten(size_t segment, Location at) {
  std::unique_lock lock(mutex_);
  if (flow_ == nullptr) return;
  Slot* slot = FindSlot(segment);
  if (slot == nullptr) return;
  if (slot->stored.file == nullptr && slot->bytes != nullptr) {
    flow_->spillable.push_back(static_cast<uint32_t>(segment));
  }
  slot->stored = std::move(at);
  flow_->next_unwritten = std::max<uint64_t>(flow_->next_unwritten, segment + 1);
  const uint64_t before = resident_bytes();
  DropWhatMay();
  PostRoomIfAny();
  if (resident_bytes() == before) return;
  const HostCall call = Host();
  lock.unlock();
  call.Progress();
}

std::vector<Location> SegmentedBody::Locations() const {
  const std::lock_guard lock(mutex_);
  std::vector<Location> locations;
  if (flow_ == nullptr) return locations;
  locations.reserve(flow_->slots.size());
  for (const Slot& slot : flow_->slots) locations.push_back(slot.stored);
  return locations;
}

void SegmentedBody::OnSegmentRead(size_t segment, std::shared_ptr<char[]> bytes) {
  std::unique_lock lock(mutex_);
  Slot* slot = flow_ == nullptr ? nullptr : FindSlot(segment);
  if (slot == nullptr) return;
  const HostCall call = Host();
  if (bytes == nullptr) {
    const bool had_aborted = state_.exchange(State::kAborted) == State::kAborted;
    // First the object goes, then its readers learn why: who asks again must not find it.
    lock.unlock();
    if (call.host != nullptr) call.host->OnDamaged(call.key, call.self);
    lock.lock();
    if ((slot = FindSlot(segment)) != nullptr) {
      slot->loading = false;
      slot->damaged = true;
    }
    SetState(State::kAborted, had_aborted ? flow_->abort_reason : "a segment on disk is damaged");
    return;
  }
  slot->loading = false;
  for (ReaderPlace* reader : flow_->readers) {
    if (reader->offset_ / flow_->segment_bytes != segment) continue;
    reader->held_segment_ = segment;
    reader->held_ = bytes;
  }
  if (slot->bytes == nullptr) {
    const size_t footprint = SegmentFootprint(bytes.get(), slot->stored.length);
    SetBytes(*slot, std::move(bytes), footprint);
    flow_->spillable.push_back(static_cast<uint32_t>(segment));
  }
  DropWhatMay();
  Wake();
  lock.unlock();
  call.Progress();
}

void SegmentedBody::HostCall::Progress() const {
  if (host != nullptr) host->OnProgress(key, self);
}

// ---- Under the lock ----

SegmentedBody::HostCall SegmentedBody::Host() const {
  if (!flow_->is_attached) return {};
  return {flow_->host, flow_->self.lock(), flow_->key};
}

SegmentedBody::Slot* SegmentedBody::FindSlot(uint64_t segment) const {
  if (segment < flow_->first_segment) return nullptr;
  const uint64_t index = segment - flow_->first_segment;
  return index < flow_->slots.size() ? &flow_->slots[index] : nullptr;
}

Body::Chunk SegmentedBody::PeekAt(const ReaderPlace& reader, size_t max) const {
  Chunk chunk;
  const uint64_t offset = reader.offset_;
  const uint64_t end = size();
  if (offset >= end) {
    if (state() == State::kComplete) chunk.what = Chunk::What::kEnd;
    if (state() == State::kAborted) chunk.what = Chunk::What::kAborted;
    return chunk;
  }
  const uint64_t segment = offset / flow_->segment_bytes;
  const Slot* slot = FindSlot(segment);
  if (slot == nullptr) {
    chunk.what = Chunk::What::kGone;
    return chunk;
  }
  const bool is_held = reader.held_ != nullptr && reader.held_segment_ == segment;
  const auto& bytes = slot->bytes != nullptr || !is_held ? slot->bytes : reader.held_;
  if (bytes == nullptr) {
    if (slot->damaged) chunk.what = Chunk::What::kAborted;
    return chunk;
  }
  const uint64_t begin = segment * flow_->segment_bytes;
  const uint64_t available =
      std::min(end - begin, uint64_t{flow_->segment_bytes}) - (offset - begin);
  chunk.what = Chunk::What::kBytes;
  chunk.bytes = {bytes.get() + (offset - begin), std::min<uint64_t>(available, max)};
  chunk.pin = bytes;
  return chunk;
}

bool SegmentedBody::IsReadable(const ReaderPlace& reader) const {
  return is_whole_ || PeekAt(reader, 1).what != Chunk::What::kWait;
}

void SegmentedBody::CollectReadBacks(uint64_t first, int count,
                                     std::vector<ReadBackRequest>& requests) {
  for (uint64_t segment = first; count > 0; ++segment, --count) {
    Slot* slot = flow_ == nullptr ? nullptr : FindSlot(segment);
    if (slot == nullptr) return;
    if (slot->bytes != nullptr || slot->loading || slot->damaged || slot->stored.file == nullptr) {
      continue;
    }
    slot->loading = true;
    requests.push_back({segment, slot->stored});
  }
}

uint64_t SegmentedBody::Floor() const {
  if (flow_->readers.empty()) return flow_->last_floor;
  uint64_t floor = UINT64_MAX;
  for (const ReaderPlace* reader : flow_->readers) floor = std::min(floor, reader->offset_);
  return std::min(floor, size());
}

bool SegmentedBody::IsOver() const {
  switch (keep_) {
    case Keep::kHeld:
      return false;
    case Keep::kSpilled:
      return resident_bytes() > flow_->limit_bytes;
    case Keep::kWindow:
      return size() - Floor() > flow_->limit_bytes;
  }
  return false;
}

bool SegmentedBody::HasRoom() const {
  // Half a window, so that a fast source is not woken for every few bytes.
  if (keep_ == Keep::kWindow) return size() - Floor() <= flow_->limit_bytes / 2;
  return !IsOver();
}

// It cannot be kept and its last reader has left. Before the first one comes, the writer just waits
// for it.
bool SegmentedBody::IsAbandoned() const {
  return is_cached_ && keep_ == Keep::kWindow && flow_->readers.empty() && flow_->was_left;
}

void SegmentedBody::SetBytes(Slot& slot, std::shared_ptr<char[]> bytes, size_t capacity) {
  uint64_t resident = resident_bytes();
  if (slot.bytes != nullptr) resident -= slot.capacity + kAllocationOverhead;
  if (bytes != nullptr) resident += capacity + kAllocationOverhead;
  slot.bytes = std::move(bytes);
  slot.capacity = static_cast<uint32_t>(capacity);
  resident_bytes_.store(resident, std::memory_order_relaxed);
}

void SegmentedBody::DropWhatMay() {
  if (keep_ == Keep::kWindow) {
    const uint64_t floor = Floor();
    size_t count = 0;
    while (count < flow_->slots.size() &&
           (flow_->first_segment + count + 1) * flow_->segment_bytes <= floor) {
      SetBytes(flow_->slots[count++], nullptr, 0);
    }
    flow_->slots.erase(flow_->slots.begin(), flow_->slots.begin() + static_cast<ptrdiff_t>(count));
    flow_->first_segment += count;
    return;
  }
  if (keep_ != Keep::kSpilled || is_whole_) return;
  size_t count = 0;
  while (count < flow_->spillable.size() && IsOver()) {
    SetBytes(*FindSlot(flow_->spillable[count++]), nullptr, 0);
  }
  flow_->spillable.erase(flow_->spillable.begin(),
                         flow_->spillable.begin() + static_cast<ptrdiff_t>(count));
}

void SegmentedBody::Wake() {
  for (const auto& group : flow_->groups) {
    if (std::exchange(group->armed, false)) LoopGroup::Post(group);
  }
}

void SegmentedBody::PostRoomIfAny() {
  // A paused writer of what nobody reads is let go on, so that it learns that it may stop.
  if (!flow_->room || (state() == State::kFilling && !HasRoom() && !IsAbandoned())) return;
  flow_->room_loop->Post(std::exchange(flow_->room, Task()));
}

std::unique_ptr<SegmentedBody::Flow> SegmentedBody::TakeFlowIfIdle() {
  if (!is_whole_ || flow_ == nullptr || !flow_->readers.empty()) return nullptr;
  return std::move(flow_);
}

// ---- Readers ----

SegmentedBody::ReaderPlace::~ReaderPlace() {
  Leave();
  if (!is_registered_) return;
  std::unique_ptr<Flow> idle;
  const std::lock_guard lock(body_.mutex_);
  Flow& flow = *body_.flow_;
  if (flow.readers.size() == 1) {
    flow.last_floor = body_.Floor();
    flow.was_left = true;
  }
  flow.readers[place_] = flow.readers.back();
  flow.readers[place_]->place_ = place_;
  flow.readers.pop_back();
  if (group_ != nullptr && --group_->readers == 0) std::erase(flow.groups, group_);
  if (body_.keep_ == Keep::kWindow) {
    body_.DropWhatMay();
    body_.PostRoomIfAny();
  }
  idle = body_.TakeFlowIfIdle();
}

Body::Chunk SegmentedBody::ReaderPlace::Peek(size_t max) {
  if (const auto whole = body_.WholeIfSmall()) {
    Chunk chunk;
    chunk.what = Chunk::What::kEnd;
    if (offset_ >= whole->size()) return chunk;
    chunk.what = Chunk::What::kBytes;
    chunk.bytes = whole->substr(offset_, max);
    chunk.pin = body_.only_;
    return chunk;
  }
  std::vector<ReadBackRequest> requests;
  Chunk chunk;
  {
    const std::lock_guard lock(body_.mutex_);
    chunk = body_.PeekAt(*this, max);
    // Entering a segment: have the next one ready.
    const size_t segment_bytes = body_.flow_->segment_bytes;
    if (body_.keep_ == Keep::kSpilled && offset_ % segment_bytes == 0) {
      body_.CollectReadBacks(offset_ / segment_bytes + 1, 1, requests);
    }
  }
  body_.Start(requests);
  return chunk;
}

void SegmentedBody::ReaderPlace::Advance(size_t bytes) {
  if (!is_registered_) {
    offset_ += bytes;
    return;
  }
  std::shared_ptr<char[]> passed;
  const std::lock_guard lock(body_.mutex_);
  offset_ += bytes;
  if (held_ != nullptr && offset_ / body_.flow_->segment_bytes != held_segment_) {
    passed = std::move(held_);
  }
  if (body_.keep_ == Keep::kWindow) {
    body_.DropWhatMay();
    body_.PostRoomIfAny();
  }
}

void SegmentedBody::ReaderPlace::WhenReadable(Task ready) {
  std::swap(ready_, ready);
  std::vector<ReadBackRequest> requests;
  {
    const std::lock_guard lock(body_.mutex_);
    if (group_ == nullptr) group_ = FindOrMakeGroup();
    if (IsAlone()) InsertBefore(group_->waiting);
    if (body_.IsReadable(*this)) {
      LoopGroup::Post(group_);
    } else {
      group_->armed = true;
      body_.CollectReadBacks(offset_ / body_.flow_->segment_bytes, 2, requests);
    }
  }
  body_.Start(requests);
}

std::shared_ptr<SegmentedBody::LoopGroup> SegmentedBody::ReaderPlace::FindOrMakeGroup() {
  if (!is_registered_) return std::make_shared<LoopGroup>(loop_);
  auto& groups = body_.flow_->groups;
  const auto found = std::find_if(groups.begin(), groups.end(),
                                  [this](const auto& group) { return &group->loop == &loop_; });
  const auto group =
      found != groups.end() ? *found : groups.emplace_back(std::make_shared<LoopGroup>(loop_));
  ++group->readers;
  return group;
}

void SegmentedBody::LoopGroup::Run() {
  // First: what changes from here on posts anew.
  is_posted = false;
  if (waiting.IsAlone()) return;  // all readers left; the body may be gone

  SegmentedBody& body = static_cast<ReaderPlace*>(waiting.next)->body_;
  Link ready;
  std::vector<ReadBackRequest> requests;
  {
    const std::lock_guard lock(body.mutex_);
    for (Link* link = waiting.next; link != &waiting;) {
      auto& reader = static_cast<ReaderPlace&>(*link);
      link = link->next;
      if (body.IsReadable(reader)) {
        reader.Leave();
        reader.InsertBefore(ready);
      } else {
        armed = true;
        body.CollectReadBacks(reader.offset_ / body.flow_->segment_bytes, 2, requests);
      }
    }
  }
  body.Start(requests);
  // A task may destroy any of these readers: each leaves the list by itself.
  while (!ready.IsAlone()) {
    auto& reader = static_cast<ReaderPlace&>(*ready.next);
    reader.Leave();
    Task task = std::exchange(reader.ready_, Task());
    task();
  }
}

void SegmentedBody::Start(const std::vector<ReadBackRequest>& requests) {
  if (requests.empty()) return;
  std::unique_lock lock(mutex_);
  const std::shared_ptr<BodyHost> host = flow_->host;
  const std::shared_ptr<SegmentedBody> self = flow_->self.lock();
  lock.unlock();
  for (const ReadBackRequest& request : requests) {
    host->ReadBack(self, request.segment, request.from);
  }
}

}  // namespace reef::http
