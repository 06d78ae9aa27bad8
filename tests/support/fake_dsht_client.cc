// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_dsht_client.h"

#include <algorithm>
#include <utility>

namespace reef::dsht {

void FakeIndex::SetAnswering(bool answering) {
  const std::lock_guard lock(mutex_);
  answering_ = answering;
}

void FakeIndex::Revoke(const Key& key) {
  const std::lock_guard lock(mutex_);
  std::optional<Lease>& lease = entries_[key].lease;
  if (!lease) return;
  RunLater(std::move(lease->lost));
  lease.reset();
}

FakeIndex::Stats FakeIndex::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

std::vector<Holder> FakeIndex::HoldersOf(const Key& key) const {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(key);
  return entry == entries_.end() ? std::vector<Holder>{} : entry->second.references;
}

void FakeDshtClient::Get(const Key& key, std::function<void(std::vector<Holder>)> done) {
  const std::lock_guard lock(index_.mutex_);
  std::vector<Holder> found;
  if (index_.answering_) found = index_.entries_[key].references;
  index_.RunLater(
      [found = std::move(found), done = std::move(done)]() mutable { done(std::move(found)); });
}

void FakeDshtClient::Put(PutRequest request) {
  const std::lock_guard lock(index_.mutex_);
  ++index_.stats_.puts;
  std::vector<Holder>& references = index_.entries_[request.key].references;
  std::erase_if(references, [&](const Holder& h) { return h.node == self_; });
  references.push_back({self_, request.value, request.complete, 0});
}

void FakeDshtClient::Withdraw(const Key& key, const std::string& value) {
  const std::lock_guard lock(index_.mutex_);
  ++index_.stats_.withdrawals;
  std::erase_if(index_.entries_[key].references,
                [&](const Holder& h) { return h.node == self_ && h.value == value; });
}

ClaimId FakeDshtClient::Claim(ClaimRequest request, std::function<void(ClaimAnswer)> answered,
                              std::function<void()> lost) {
  const std::lock_guard lock(index_.mutex_);
  const ClaimId id = next_claim_++;
  claims_[id] = request.key;
  ++index_.stats_.claims;
  ClaimAnswer answer;
  if (index_.answering_) {
    const auto excluded = [&](const Holder& h) {
      return std::ranges::find(request.exclude, h.node) != request.exclude.end() || h.node == self_;
    };
    FakeIndex::Entry& entry = index_.entries_[request.key];
    for (const Holder& h : entry.references) {
      const bool behind =
          !h.complete && std::ranges::find(request.behind, h.node) != request.behind.end();
      if (!excluded(h) && !behind) answer.holders.push_back(h);
    }
    std::stable_partition(answer.holders.begin(), answer.holders.end(),
                          [](const Holder& holder) { return holder.complete; });
    if (entry.lease && !excluded(entry.lease->holder))
      answer.holders.push_back(entry.lease->holder);
    if (entry.uncacheable) {
      answer.kind = ClaimAnswer::Kind::kUncacheable;
      answer.marker_left = std::chrono::seconds(60);
      ++index_.stats_.uncacheable;
    } else if (!answer.holders.empty()) {
      answer.kind = ClaimAnswer::Kind::kHeld;
      ++index_.stats_.held;
    } else {
      answer.kind = ClaimAnswer::Kind::kFirst;
      answer.rank = 0;
      ++index_.stats_.firsts;
      if (entry.lease && entry.lease->client != this) index_.RunLater(std::move(entry.lease->lost));
      entry.lease = FakeIndex::Lease{this, id, {self_, request.value, false, 0}, std::move(lost)};
    }
  }
  index_.RunLater([answer = std::move(answer), answered = std::move(answered)]() mutable {
    answered(std::move(answer));
  });
  return id;
}

void FakeDshtClient::Streaming(ClaimId) {}

void FakeDshtClient::Release(ClaimId claim, ClaimEnd end, Duration ttl) {
  const std::lock_guard lock(index_.mutex_);
  const auto found = claims_.find(claim);
  if (found == claims_.end()) return;
  FakeIndex::Entry& entry = index_.entries_[found->second];
  claims_.erase(found);
  if (!entry.lease || entry.lease->client != this || entry.lease->claim != claim) return;
  if (end == ClaimEnd::kComplete && ttl > Duration::zero()) {
    entry.lease->holder.complete = true;
    std::erase_if(entry.references, [&](const Holder& h) { return h.node == self_; });
    entry.references.push_back(entry.lease->holder);
  }
  if (end == ClaimEnd::kUncacheable) entry.uncacheable = true;
  entry.lease.reset();
}

void FakeDshtClient::Nodes(int level, size_t count, uint32_t services,
                           std::function<void(std::vector<NodeInfo>)> done) {
  const std::lock_guard lock(index_.mutex_);
  std::vector<NodeInfo> nodes;
  if (level == 0 && count > 0 && (services & ~uint32_t{kServiceHttp}) == 0) {
    NodeInfo self;
    self.id = self_;
    self.http = http_;
    self.draining = draining_;
    nodes.push_back(self);
  }
  index_.RunLater(
      [nodes = std::move(nodes), done = std::move(done)]() mutable { done(std::move(nodes)); });
}

void FakeDshtClient::Levels(std::function<void(std::vector<LevelInfo>)> done) {
  index_.RunLater([done = std::move(done)] {
    done({{.level = 0, .diameter = {}, .cluster = "world", .size_estimate = 1}});
  });
}

void FakeDshtClient::SetDraining(bool draining) {
  const std::lock_guard lock(index_.mutex_);
  draining_ = draining;
}

}  // namespace reef::dsht
