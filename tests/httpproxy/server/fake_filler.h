// SPDX-License-Identifier: Apache-2.0
//
// FakeFills: what the fillers of a proxy under test answer, by a function of the test's, and what
// they were asked. An answer may be held back until the test lets it go: so the order of events is
// the test's, without sleeping.
//
// Threads: every method from any; the answering functions run on the filler's loop.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/runtime/event_loop.h"
#include "httpproxy/server/filler.h"
#include "httpproxy/store/cache.h"

namespace reef::http {

class FakeFills {
 public:
  struct Asked {
    FetchRequest request;
    bool alone = false;
    std::shared_ptr<Body> body;
  };
  // nullopt: not yet; Answer gives it later.
  using Answerer = std::function<std::optional<FetchOutcome>(const Asked&)>;

  explicit FakeFills(Cache& cache) : cache_(cache) {}

  void OnAsked(Answerer answerer);
  // Gives all that wait this outcome.
  void Answer(const FetchOutcome& outcome);

  std::unique_ptr<Filler> MakeFiller(EventLoop& loop);

  std::vector<Asked> asked() const;
  size_t cancelled() const;
  // False after ten seconds.
  bool WaitForAsked(size_t count) const;
  bool WaitForCancelled(size_t count) const;

  // An object that is in the cache, its body complete.
  std::shared_ptr<const Object> Stored(const CacheKey& key, const std::string& content,
                                       std::function<void(ObjectHead&)> change = {});
  // An object whose body is still to come; `insert`: can be found.
  std::shared_ptr<const Object> Filling(const CacheKey& key, bool insert,
                                        std::function<void(ObjectHead&)> change = {});
  static FetchOutcome Of(std::shared_ptr<const Object> object);
  static FetchOutcome Of(FetchOutcome::Kind kind);

 private:
  class FakeFiller;

  bool WaitUntil(const std::function<bool()>& holds) const;

  Cache& cache_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  Answerer answerer_;                                    // guarded by mutex_
  std::vector<Asked> asked_;                             // guarded by mutex_
  size_t cancelled_ = 0;                                 // guarded by mutex_
  std::vector<std::function<void(FetchOutcome)>> held_;  // guarded by mutex_
};

}  // namespace reef::http
