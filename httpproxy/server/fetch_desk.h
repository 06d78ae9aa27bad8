// SPDX-License-Identifier: Apache-2.0
//
// FetchDesk: where the exchanges of one loop ask for what is not here, and where the answers come
// back. A shared fetch runs on its key's home loop (hash % loops), so the question may cross to
// another loop and its outcome cross back. Only values and ids cross; an outcome whose asker has
// left is dropped.
//
// One per loop; all of one proxy know each other and live until every loop has ended. Each is used
// on its own loop's thread; it reaches the others by Post alone.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "base/runtime/event_loop.h"
#include "httpproxy/core/cache_key.h"
#include "httpproxy/server/filler.h"
#include "httpproxy/store/body.h"

namespace reef::http {

class FetchDesk {
 public:
  struct Asker {
    std::function<void(FetchOutcome)> done;  // once, never inline
    // May be null. Runs at most once, before `done`: the answer is waited for, not refused at once.
    std::function<void()> waiting;
    // May be null: interim responses, before `done`.
    Filler::Interim interim;
  };

  FetchDesk(EventLoop& loop, size_t index, std::unique_ptr<Filler> filler);
  FetchDesk(const FetchDesk&) = delete;
  FetchDesk& operator=(const FetchDesk&) = delete;

  // Once, before the loops run: every desk in the order of its index, this one included.
  void Introduce(std::vector<FetchDesk*> desks) { desks_ = std::move(desks); }

  // Filler::Fetch on the key's home loop. The id cancels.
  uint64_t Fetch(FetchRequest request, Asker asker);
  // Filler::FetchAlone, on this loop.
  uint64_t FetchAlone(FetchRequest request, std::shared_ptr<Body> request_body, Asker asker);
  // Ends what Fetch and FetchAlone began, before the outcome or after: the asker's functions do not
  // run any more, and a fetch that all askers have left goes on only if it is worth it. To be
  // called once for each; 0 is ignored.
  void Cancel(uint64_t id);

  // Fetches what `request.stale` is to be replaced by, for nobody in particular. One at a time a
  // key and loop until its head is there; at most kRefreshesMax at once, beyond that none.
  void Refresh(FetchRequest request);
  bool IsRefreshing(const CacheKey& key) const { return refreshing_.contains(key); }

  // Drops the filler: its open fetches end. On this loop, or after it ended.
  void Close() { filler_.reset(); }

 private:
  static constexpr size_t kRefreshesMax = 1'000;
  using Origin = std::pair<size_t, uint64_t>;  // asking loop, its id

  struct Open {
    Asker asker;  // emptied once its answer is there
    size_t home = 0;
  };
  // What an asker on another loop wants to hear of beside the answer.
  struct Tell {
    bool waiting = false;
    bool interim = false;
  };

  // On the home loop.
  void Serve(Origin from, FetchRequest request, Tell tell);
  void Answer(Origin from, FetchOutcome outcome);
  void Forget(Origin from, bool cancel);
  // On the asking loop.
  void OnOutcome(uint64_t id, FetchOutcome outcome);
  void OnWaiting(uint64_t id);
  void OnInterim(uint64_t id, int status, const std::string& fields);
  void Leave(uint64_t id, bool cancel);
  // Runs `task` on the loop of `desk`: never inline.
  void Reach(size_t index, Task task) { desks_[index]->loop_.Post(std::move(task)); }

  EventLoop& loop_;
  const size_t index_;
  std::unique_ptr<Filler> filler_;
  std::vector<FetchDesk*> desks_;
  uint64_t next_id_ = 1;
  std::map<uint64_t, Open> open_;  // of our exchanges, by id
  struct Served {
    uint64_t token = 0;  // our filler's
    bool answered = false;
  };
  std::map<Origin, Served> serving_;
  std::set<CacheKey> refreshing_;
};

}  // namespace reef::http
