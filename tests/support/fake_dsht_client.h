// SPDX-License-Identifier: Apache-2.0
//
// FakeIndex and FakeDshtClient: the index as the proxies see it (dsht/client.h), in memory, for
// tests and benchmarks without a DSHT: one table that any number of proxies of this process share,
// one level (the world), claims decided at once. The first claimant of a key is first; the others
// are told the holders. Leases and references do not expire.
//
// Threads: every method from any thread; callbacks run on the index's own thread, as the real ones
// do on the DSHT's. Destroy the clients' users first, then the clients, then the index.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/runtime/event_loop.h"
#include "dsht/client.h"

namespace reef::dsht {

class FakeIndex {
 public:
  FakeIndex() : thread_("fake-index") {}

  // Answers every claim and get with "no answer" while false.
  void SetAnswering(bool answering);
  // Takes the lease of `key` away from whoever holds it.
  void Revoke(const Key& key);

  struct Stats {
    uint64_t claims = 0, firsts = 0, held = 0, uncacheable = 0;
    uint64_t puts = 0, withdrawals = 0;
  };
  Stats stats() const;
  std::vector<Holder> HoldersOf(const Key& key) const;

 private:
  friend class FakeDshtClient;

  struct Lease {
    const void* client = nullptr;
    ClaimId claim = 0;
    Holder holder;
    std::function<void()> lost;
  };
  struct Entry {
    std::optional<Lease> lease;
    std::vector<Holder> references;
    bool uncacheable = false;
  };

  void RunLater(Task task) { thread_.loop().Post(std::move(task)); }

  mutable std::mutex mutex_;
  bool answering_ = true;         // guarded by mutex_
  std::map<Key, Entry> entries_;  // guarded by mutex_
  Stats stats_;                   // guarded by mutex_
  LoopThread thread_;             // last: its tasks use the members above
};

class FakeDshtClient : public Client {
 public:
  // `http`: where this node's proxy listens, for Nodes.
  FakeDshtClient(FakeIndex& index, NodeId self, Endpoint http = {})
      : index_(index), self_(self), http_(http) {}

  void Get(const Key& key, std::function<void(std::vector<Holder>)> done) override;
  void Put(PutRequest request) override;
  void Withdraw(const Key& key, const std::string& value) override;
  ClaimId Claim(ClaimRequest request, std::function<void(ClaimAnswer)> answered,
                std::function<void()> lost) override;
  void Streaming(ClaimId claim) override;
  void Release(ClaimId claim, ClaimEnd end, Duration ttl) override;
  void Nodes(int level, size_t count, uint32_t services,
             std::function<void(std::vector<NodeInfo>)> done) override;
  void Levels(std::function<void(std::vector<LevelInfo>)> done) override;
  void SetDraining(bool draining) override;

 private:
  FakeIndex& index_;
  const NodeId self_;
  const Endpoint http_;
  ClaimId next_claim_ = 1;         // guarded by index_.mutex_
  std::map<ClaimId, Key> claims_;  // guarded by index_.mutex_
  bool draining_ = false;          // guarded by index_.mutex_
};

}  // namespace reef::dsht
