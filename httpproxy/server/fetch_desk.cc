// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/fetch_desk.h"

namespace reef::http {

FetchDesk::FetchDesk(EventLoop& loop, size_t index, std::unique_ptr<Filler> filler)
    : loop_(loop), index_(index), filler_(std::move(filler)) {}

uint64_t FetchDesk::Fetch(FetchRequest request, Asker asker) {
  const uint64_t id = next_id_++;
  const size_t home = request.key.Bits() % desks_.size();
  const Tell tell = {.waiting = asker.waiting != nullptr, .interim = asker.interim != nullptr};
  open_[id] = {std::move(asker), home};
  if (home == index_) {
    Serve({index_, id}, std::move(request), tell);
  } else {
    Reach(home, [desk = desks_[home], from = Origin{index_, id}, request = std::move(request),
                 tell]() mutable { desk->Serve(from, std::move(request), tell); });
  }
  return id;
}

uint64_t FetchDesk::FetchAlone(FetchRequest request, std::shared_ptr<Body> request_body,
                               Asker asker) {
  const uint64_t id = next_id_++;
  const Origin from = {index_, id};
  const Filler::Interim interim = [this, id](int status, const std::string& fields) {
    OnInterim(id, status, fields);
  };
  open_[id] = {std::move(asker), index_};
  serving_[from].token = filler_->FetchAlone(
      std::move(request), std::move(request_body),
      [this, from](FetchOutcome outcome) { Answer(from, std::move(outcome)); }, interim);
  return id;
}

void FetchDesk::Serve(Origin from, FetchRequest request, Tell tell) {
  if (filler_ == nullptr) return;
  Filler::Interim interim;
  if (tell.interim) {
    interim = [this, from](int status, const std::string& fields) {
      if (from.first == index_) return OnInterim(from.second, status, fields);
      Reach(from.first, [desk = desks_[from.first], id = from.second, status, fields] {
        desk->OnInterim(id, status, fields);
      });
    };
  }
  serving_[from].token = filler_->Fetch(
      std::move(request), [this, from](FetchOutcome outcome) { Answer(from, std::move(outcome)); },
      std::move(interim));
  if (!tell.waiting) return;
  // A refusal is posted by Fetch itself: what is still open behind it is being waited for.
  loop_.Post([this, from] {
    const auto found = serving_.find(from);
    if (found == serving_.end() || found->second.answered) return;
    Reach(from.first, [desk = desks_[from.first], id = from.second] { desk->OnWaiting(id); });
  });
}

void FetchDesk::Answer(Origin from, FetchOutcome outcome) {
  serving_[from].answered = true;
  if (from.first == index_) return OnOutcome(from.second, std::move(outcome));
  Reach(from.first,
        [desk = desks_[from.first], id = from.second, outcome = std::move(outcome)]() mutable {
          desk->OnOutcome(id, std::move(outcome));
        });
}

void FetchDesk::Cancel(uint64_t id) {
  Leave(id, /*cancel=*/true);
}

void FetchDesk::Leave(uint64_t id, bool cancel) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  const size_t home = found->second.home;
  open_.erase(found);
  if (home == index_) return Forget({index_, id}, cancel);
  Reach(home,
        [desk = desks_[home], from = Origin{index_, id}, cancel] { desk->Forget(from, cancel); });
}

void FetchDesk::Forget(Origin from, bool cancel) {
  const auto found = serving_.find(from);
  if (found == serving_.end()) return;
  const uint64_t token = found->second.token;
  serving_.erase(found);
  if (cancel && filler_ != nullptr) filler_->Cancel(token);
}

void FetchDesk::OnOutcome(uint64_t id, FetchOutcome outcome) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  const Asker asker = std::exchange(found->second.asker, {});
  asker.done(std::move(outcome));
}

void FetchDesk::OnWaiting(uint64_t id) {
  const auto found = open_.find(id);
  if (found == open_.end() || found->second.asker.waiting == nullptr) return;
  const std::function<void()> waiting = std::exchange(found->second.asker.waiting, nullptr);
  waiting();
}

void FetchDesk::OnInterim(uint64_t id, int status, const std::string& fields) {
  const auto found = open_.find(id);
  if (found == open_.end() || found->second.asker.interim == nullptr) return;
  // By value: it may end the exchange, and with it this asker.
  const Filler::Interim interim = found->second.asker.interim;
  interim(status, fields);
}

void FetchDesk::Refresh(FetchRequest request) {
  if (refreshing_.size() >= kRefreshesMax) return;
  const CacheKey key = request.key;
  if (!refreshing_.insert(key).second) return;
  // Left without cancelling: the fill goes on to its end though nobody reads it.
  const auto id = std::make_shared<uint64_t>(0);
  *id = Fetch(std::move(request), {.done =
                                       [this, key, id](const FetchOutcome&) {
                                         refreshing_.erase(key);
                                         Leave(*id, /*cancel=*/false);
                                       },
                                   .waiting = nullptr,
                                   .interim = nullptr});
}

}  // namespace reef::http
