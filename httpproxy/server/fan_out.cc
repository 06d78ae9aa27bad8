// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/fan_out.h"

#include <algorithm>
#include <utility>

namespace reef::http {

FanOut::Place::Place(Place&& other) noexcept {
  *this = std::move(other);
}

FanOut::Place& FanOut::Place::operator=(Place&& other) noexcept {
  if (this == &other) return *this;
  Leave();
  fan_out_ = std::exchange(other.fan_out_, nullptr);
  key_ = other.key_;
  id_ = other.id_;
  return *this;
}

void FanOut::Place::HeadSent() {
  if (fan_out_ != nullptr) fan_out_->MarkHead(key_, id_);
}

void FanOut::Place::Leave() {
  if (fan_out_ != nullptr) std::exchange(fan_out_, nullptr)->Remove(key_, id_);
}

std::optional<FanOut::Place> FanOut::Enter(const CacheKey& key, const Endpoint& reader,
                                           std::vector<Endpoint>& try_instead) {
  const std::lock_guard lock(mutex_);
  std::vector<Reader>& readers = readers_[key];
  if (readers.size() < readers_max_) {
    Place place;
    place.fan_out_ = this;
    place.key_ = key;
    place.id_ = next_id_++;
    readers.push_back({place.id_, reader, false});
    return place;
  }
  ++turn_;
  for (size_t i = 0; i < readers.size() && try_instead.size() < kNamedMax; ++i) {
    const Reader& r = readers[(turn_ + i) % readers.size()];
    // Never the asker itself, nor one whose own listener is not known.
    if (r.has_head && r.endpoint.port != 0 && r.endpoint != reader)
      try_instead.push_back(r.endpoint);
  }
  return std::nullopt;
}

void FanOut::MarkHead(const CacheKey& key, uint64_t id) {
  const std::lock_guard lock(mutex_);
  for (Reader& r : readers_[key]) r.has_head |= r.id == id;
}

void FanOut::Remove(const CacheKey& key, uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = readers_.find(key);
  if (found == readers_.end()) return;
  std::erase_if(found->second, [&](const Reader& r) { return r.id == id; });
  if (found->second.empty()) readers_.erase(found);
}

}  // namespace reef::http
