// SPDX-License-Identifier: Apache-2.0
#include "dnsredir/core/rate_limiter.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/hash.h"

namespace reef::dns {
namespace {

constexpr Duration kBurst = std::chrono::seconds(1);
constexpr int kV4Bits = 24;
constexpr int kV6Bits = 56;

}  // namespace

RateLimiter::RateLimiter(const Options& options, uint64_t seed) : slip_(options.slip), seed_(seed) {
  if (options.answers_per_second == 0) return;
  interval_ = std::max(kBurst / options.answers_per_second, Duration(1));
  sets_.resize(std::max<size_t>(std::bit_ceil(options.networks_max) / std::tuple_size_v<Set>, 1));
}

RateLimiter::Verdict RateLimiter::Judge(Instant now, const IpAddress& client) {
  if (interval_ == Duration::zero()) return Verdict::kAnswer;
  Slot& slot = SlotFor(now, HashOf(client));
  const Instant full_at = std::max(slot.full_at, now) + interval_;
  if (full_at - now <= kBurst) {
    slot.full_at = full_at;
    return Verdict::kAnswer;
  }
  ++slot.beyond;
  return slip_ > 0 && slot.beyond % slip_ == 0 ? Verdict::kTruncate : Verdict::kDrop;
}

uint64_t RateLimiter::HashOf(const IpAddress& client) const {
  const IpAddress network = client.Masked(client.is_v4() ? kV4Bits : kV6Bits);
  const std::span<const uint8_t> bytes = network.bytes();
  std::array<char, sizeof seed_ + 16> keyed;
  std::memcpy(keyed.data(), &seed_, sizeof seed_);
  std::memcpy(keyed.data() + sizeof seed_, bytes.data(), bytes.size());
  return Xxh3({keyed.data(), sizeof seed_ + bytes.size()});
}

RateLimiter::Slot& RateLimiter::SlotFor(Instant now, uint64_t network) {
  Set& set = sets_[network & (sets_.size() - 1)];
  const auto known = std::ranges::find(set, network, &Slot::network);
  if (known != set.end()) return *known;
  Slot& idlest = *std::ranges::min_element(set, {}, &Slot::full_at);
  if (idlest.full_at > now) ++evictions_;
  idlest = {.network = network};
  return idlest;
}

}  // namespace reef::dns
