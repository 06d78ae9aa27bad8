// SPDX-License-Identifier: Apache-2.0
//
// StatusSource: what a node says of itself: the message behind /status.json, and whether it is
// alive and ready. The index is asked once a second, so that no page waits for it; the rest is read
// when asked for.
//
// Threads: Refresh from one; everything else from any. What is borrowed outlives this.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/instant.h"
#include "dsht/rpc/driver.h"
#include "httpproxy/server/proxy.h"
#include "httpproxy/store/cache.h"
#include "proto/config.pb.h"
#include "proto/control.pb.h"

namespace reef::deploy {

class StatusSource {
 public:
  // `now`: what the index says at the start, until Refresh brings news.
  StatusSource(const config::Config& config, dsht::Driver& index, dsht::Driver::Snapshot now,
               const http::Cache& cache, const http::Proxy& proxy);

  // Asks the index; the answer is used once it is there.
  void Refresh();

  control::Status Describe() const;
  std::string Json() const;

  // Sentences; empty: yes.
  std::vector<std::string> WhyNotAlive() const;
  std::vector<std::string> WhyNotReady() const;

  void SetServing(bool serving) { serving_ = serving; }
  void SetDraining() { draining_ = true; }
  void SetAdmin(const Endpoint& endpoint) { admin_ = endpoint; }  // before the first page

 private:
  // Outlives this: an answer may still be on its way.
  struct Answer {
    std::mutex mutex;
    dsht::Driver::Snapshot snapshot;  // guarded by mutex
    Instant at{};                     // guarded by mutex
  };

  const config::Config& config_;
  dsht::Driver& index_;
  const http::Cache& cache_;
  const http::Proxy& proxy_;
  const Instant started_;
  Endpoint admin_;
  std::atomic<bool> serving_{false};
  std::atomic<bool> draining_{false};
  const std::shared_ptr<Answer> answer_;
};

}  // namespace reef::deploy
