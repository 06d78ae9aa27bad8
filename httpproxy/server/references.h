// SPDX-License-Identifier: Apache-2.0
//
// References: this node's entries in the index: which objects it holds, published when complete,
// renewed before they lapse while the object is fresh, withdrawn when it is evicted or the node
// drains, and published again, paced, after a restart (docs/claim.md, "References").
//
// A leader's reference is published with its claim's end; a reader's when its copy is complete, one
// message each (batches come with the index's own).
//
// One per node. Its state lives on the loop handed in. Threads: every method from any; construction
// and destruction while that loop does not run, or on it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/endpoint.h"
#include "base/instant.h"
#include "base/runtime/event_loop.h"
#include "base/runtime/metrics.h"
#include "dsht/client.h"
#include "httpproxy/core/cache_key.h"
#include "httpproxy/store/cache.h"

namespace reef::http {

// The first 160 bits of the object's key.
dsht::Key IndexKey(const CacheKey& key);

struct ReferencesOptions {
  Endpoint self;                                 // the value
  Duration ttl_max = std::chrono::hours(24);     // renewed before that
  Duration fresh_min = std::chrono::seconds(5);  // shorter: not worth telling
  Duration streaming_ttl = std::chrono::seconds(20);
  int republish_per_second = 200;
  int withdraw_per_second = 20'000;   // while draining
  size_t references_max = 4'000'000;  // beyond: not published, counted
};

class References {
 public:
  // Makes itself the cache's OnEvicted.
  References(const ReferencesOptions& options, EventLoop& loop, Cache& cache, dsht::Client& index,
             Metrics& metrics);
  ~References();
  References(const References&) = delete;
  References& operator=(const References&) = delete;

  const std::string& value() const { return value_; }

  // How long a reference to an object that stays fresh for `fresh` more may live: a stale copy is
  // no holder (rule 9). Zero: publish nothing.
  Duration LifetimeFor(Duration fresh) const;

  // The object is complete here and stays fresh for `fresh` more. `in_index`: the claim's Release
  // has published it already.
  void Publish(const CacheKey& key, Duration fresh, bool in_index);
  // We read it from another node and have its head: a short reference, renewed until Publish or
  // Withdraw.
  void Streaming(const CacheKey& key);
  void Withdraw(const CacheKey& key);

  // Withdraws everything, paced; nothing is published any more. `done` runs on the loop once all is
  // sent.
  void Drain(Task done);
  // Publishes what the cache holds and is fresh, paced: once, after a start. Reads the list of keys
  // on the caller's thread.
  void Republish();

  size_t count() const;  // about: for status pages

 private:
  class State;
  struct Door;
  void Post(std::function<void(State&)> task);

  const ReferencesOptions options_;
  const std::string value_;
  Cache& cache_;
  std::shared_ptr<Door> door_;
  std::unique_ptr<State> state_;
};

}  // namespace reef::http
