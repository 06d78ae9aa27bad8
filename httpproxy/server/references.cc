// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/references.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.h"

namespace reef::http {
namespace {

constexpr auto kTick = std::chrono::milliseconds(50);
constexpr int kTicksPerSecond = 20;

}  // namespace

dsht::Key IndexKey(const CacheKey& key) {
  return *dsht::Key::FromBytes(key.AsBytes().substr(0, dsht::kIdBytes));
}

// The way in from other threads, shut before the state goes: the cache keeps its callback.
struct References::Door {
  std::mutex mutex;
  EventLoop* loop = nullptr;  // guarded by mutex; null: shut
  State* state = nullptr;     // used on the loop only
};

class References::State {
 public:
  State(const References& owner, EventLoop& loop, dsht::Client& index, Metrics& metrics)
      : owner_(owner),
        options_(owner.options_),
        loop_(loop),
        index_(index),
        timer_(loop, [this] { OnTimer(); }),
        held_(metrics.AddGauge("reef_http_references", "Objects that the index names us for.")),
        puts_(metrics.AddCounter("reef_http_reference_puts_total",
                                 "References sent to the index, renewals included.")),
        withdrawals_(metrics.AddCounter("reef_http_reference_withdrawals_total",
                                        "References taken back from the index.")),
        dropped_(metrics.AddCounter("reef_http_references_dropped_total",
                                    "References not published because there are too many.")) {}

  void Publish(const CacheKey& key, Instant fresh_until, bool in_index) {
    const Instant now = loop_.Now();
    const Duration lifetime = owner_.LifetimeFor(fresh_until - now);
    if (draining_ || lifetime == Duration::zero()) return Withdraw(key, in_index);
    if (!entries_.contains(key) && entries_.size() >= options_.references_max) {
      return dropped_.Add();
    }
    if (!in_index) Put(key, lifetime, /*complete=*/true);
    Schedule(key, {.fresh_until = fresh_until, .lapses = now + lifetime}, now);
  }

  void Streaming(const CacheKey& key) {
    if (draining_ || entries_.size() >= options_.references_max) return;
    const Instant now = loop_.Now();
    Put(key, options_.streaming_ttl, /*complete=*/false);
    Schedule(key,
             {.fresh_until = kNever, .lapses = now + options_.streaming_ttl, .streaming = true},
             now);
  }

  void Withdraw(const CacheKey& key, bool in_index) {
    const auto entry = entries_.find(key);
    if (entry == entries_.end() && !in_index) return;
    if (entry != entries_.end()) Forget(entry);
    index_.Withdraw(IndexKey(key), owner_.value_);
    withdrawals_.Add();
  }

  void Drain(Task done) {
    draining_ = true;
    to_publish_.clear();
    drained_ = std::move(done);
    Arm();
  }

  void Republish(std::deque<CacheKey> keys) {
    if (draining_) return;
    to_publish_ = std::move(keys);
    Arm();
  }

  size_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  struct Entry {
    Instant fresh_until{};
    Instant lapses{};
    bool streaming = false;
    Instant due{};  // to be renewed or forgotten
  };
  using Entries = std::unordered_map<CacheKey, Entry, CacheKeyHash>;

  void Put(const CacheKey& key, Duration lifetime, bool complete) {
    puts_.Add();
    index_.Put(
        {.key = IndexKey(key), .value = owner_.value_, .ttl = lifetime, .complete = complete});
  }

  void Schedule(const CacheKey& key, Entry entry, Instant now) {
    if (const auto old = entries_.find(key); old != entries_.end()) Forget(old);
    // A tenth before it lapses, a streaming one at half its life; one that ends with the object's
    // freshness is not renewed but forgotten.
    const Duration life = entry.lapses - now;
    entry.due = entry.streaming                     ? now + life / 2
                : entry.lapses >= entry.fresh_until ? entry.lapses
                                                    : entry.lapses - life / 10;
    due_.insert({entry.due, key});
    entries_.emplace(key, entry);
    CountEntries();
    Arm();
  }

  void Forget(Entries::iterator entry) {
    due_.erase({entry->second.due, entry->first});
    entries_.erase(entry);
    CountEntries();
  }

  void CountEntries() {
    count_.store(entries_.size(), std::memory_order_relaxed);
    held_.Set(static_cast<int64_t>(entries_.size()));
  }

  void OnTimer() {
    if (draining_) {
      WithdrawSome();
    } else {
      RenewDue();
      RepublishSome();
    }
    Arm();
  }

  void RenewDue() {
    const Instant now = loop_.Now();
    while (!due_.empty() && due_.begin()->first <= now) {
      const CacheKey key = due_.begin()->second;
      const auto entry = entries_.find(key);
      REEF_CHECK(entry != entries_.end()) << "a reference is due that is not there";
      const Entry old = entry->second;
      if (old.streaming) {
        Streaming(key);
      } else if (old.lapses >= old.fresh_until) {
        Forget(entry);
      } else {
        Publish(key, old.fresh_until, /*in_index=*/false);
      }
      // What could not be renewed must not stay due.
      if (const auto same = entries_.find(key); same != entries_.end() && same->second.due <= now) {
        Forget(same);
      }
    }
  }

  void RepublishSome() {
    int left = std::max(options_.republish_per_second / kTicksPerSecond, 1);
    for (; left > 0 && !to_publish_.empty(); --left) {
      const CacheKey key = to_publish_.front();
      to_publish_.pop_front();
      const Cache::Found found = owner_.cache_.Find(key);
      if (found.where == Cache::Found::Where::kMemory) {
        PublishObject(found.object);
      } else if (found.where == Cache::Found::Where::kDisk) {
        owner_.cache_.Load(
            key, loop_,
            [door = std::weak_ptr<Door>(owner_.door_)](std::shared_ptr<const Object> object) {
              const auto open = door.lock();
              if (open != nullptr && open->state != nullptr && object != nullptr) {
                open->state->PublishObject(object);
              }
            });
      }
    }
  }

  void PublishObject(const std::shared_ptr<const Object>& object) {
    const Freshness& freshness = object->head.freshness;
    const WallTime now = loop_.Wall();
    if (object->body->state() != Body::State::kComplete || !freshness.IsFreshAt(now)) return;
    if (entries_.contains(object->key)) return;
    Publish(object->key, loop_.Now() + (freshness.lifetime - freshness.AgeAt(now)),
            /*in_index=*/false);
  }

  void WithdrawSome() {
    int left = std::max(options_.withdraw_per_second / kTicksPerSecond, 1);
    for (; left > 0 && !entries_.empty(); --left) {
      const CacheKey key = entries_.begin()->first;  // a copy: its entry goes
      Withdraw(key, /*in_index=*/false);
    }
    if (entries_.empty() && drained_) std::exchange(drained_, nullptr)();
  }

  void Arm() {
    Instant next = due_.empty() ? kNever : due_.begin()->first;
    const bool paced = draining_ ? (!entries_.empty() || drained_) : !to_publish_.empty();
    if (paced) next = std::min(next, loop_.Now() + kTick);
    timer_.ArmAt(next);
  }

  const References& owner_;
  const ReferencesOptions& options_;
  EventLoop& loop_;
  dsht::Client& index_;
  Timer timer_;
  Entries entries_;
  std::set<std::pair<Instant, CacheKey>> due_;
  std::deque<CacheKey> to_publish_;
  bool draining_ = false;
  Task drained_;
  std::atomic<size_t> count_{0};
  Gauge& held_;
  Counter& puts_;
  Counter& withdrawals_;
  Counter& dropped_;
};

References::References(const ReferencesOptions& options, EventLoop& loop, Cache& cache,
                       dsht::Client& index, Metrics& metrics)
    : options_(options),
      value_(options.self.ToString()),
      cache_(cache),
      door_(std::make_shared<Door>()),
      state_(std::make_unique<State>(*this, loop, index, metrics)) {
  door_->loop = &loop;
  door_->state = state_.get();
  cache.OnEvicted([door = door_](const CacheKey& key) {
    const std::lock_guard lock(door->mutex);
    if (door->loop == nullptr) return;
    door->loop->Post([door, key] {
      if (door->state != nullptr) door->state->Withdraw(key, /*in_index=*/false);
    });
  });
}

References::~References() {
  const std::lock_guard lock(door_->mutex);
  door_->loop = nullptr;
  door_->state = nullptr;
}

void References::Post(std::function<void(State&)> task) {
  const std::lock_guard lock(door_->mutex);
  door_->loop->Post([door = door_, task = std::move(task)] {
    if (door->state != nullptr) task(*door->state);
  });
}

Duration References::LifetimeFor(Duration fresh) const {
  if (fresh < options_.fresh_min) return Duration::zero();
  return std::min(fresh, options_.ttl_max);
}

void References::Publish(const CacheKey& key, Duration fresh, bool in_index) {
  Post([key, fresh_until = MonotonicNow() + fresh, in_index](State& state) {
    state.Publish(key, fresh_until, in_index);
  });
}

void References::Streaming(const CacheKey& key) {
  Post([key](State& state) { state.Streaming(key); });
}

void References::Withdraw(const CacheKey& key) {
  Post([key](State& state) { state.Withdraw(key, /*in_index=*/false); });
}

void References::Drain(Task done) {
  auto shared = std::make_shared<Task>(std::move(done));
  Post([shared](State& state) { state.Drain(std::move(*shared)); });
}

void References::Republish() {
  std::deque<CacheKey> keys;
  cache_.ForEachKey([&keys](const CacheKey& key) { keys.push_back(key); });
  auto shared = std::make_shared<std::deque<CacheKey>>(std::move(keys));
  Post([shared](State& state) { state.Republish(std::move(*shared)); });
}

size_t References::count() const {
  return state_->count();
}

}  // namespace reef::http
