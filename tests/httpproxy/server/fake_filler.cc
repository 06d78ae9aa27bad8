// SPDX-License-Identifier: Apache-2.0
#include "tests/httpproxy/server/fake_filler.h"

#include <map>
#include <utility>

#include "base/runtime/clock.h"

namespace reef::http {

using namespace std::chrono_literals;

class FakeFills::FakeFiller final : public Filler {
 public:
  FakeFiller(FakeFills& fills, EventLoop& loop) : fills_(fills), loop_(loop) {}
  ~FakeFiller() override { *alive_ = false; }

  uint64_t Fetch(FetchRequest request, Done done, Interim) override {
    return Ask({std::move(request), false, nullptr}, std::move(done));
  }
  uint64_t FetchAlone(FetchRequest request, std::shared_ptr<Body> body, Done done,
                      Interim) override {
    return Ask({std::move(request), true, std::move(body)}, std::move(done));
  }
  void Cancel(uint64_t token) override {
    open_.erase(token);
    const std::lock_guard lock(fills_.mutex_);
    ++fills_.cancelled_;
    fills_.changed_.notify_all();
  }

 private:
  uint64_t Ask(Asked asked, Done done) {
    const uint64_t token = next_token_++;
    open_[token] = std::move(done);
    const auto later = [this, token, &loop = loop_, alive = alive_](FetchOutcome outcome) {
      loop.Post([this, token, alive, outcome = std::move(outcome)]() mutable {
        if (!*alive || !open_.contains(token)) return;
        const Done finished = std::exchange(open_[token], {});
        finished(std::move(outcome));
      });
    };
    const std::lock_guard lock(fills_.mutex_);
    std::optional<FetchOutcome> outcome = fills_.answerer_(asked);
    if (outcome) {
      later(*std::move(outcome));
    } else {
      fills_.held_.push_back(later);
    }
    fills_.asked_.push_back(std::move(asked));
    fills_.changed_.notify_all();
    return token;
  }

  FakeFills& fills_;
  EventLoop& loop_;
  uint64_t next_token_ = 1;
  std::map<uint64_t, Done> open_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

void FakeFills::OnAsked(Answerer answerer) {
  const std::lock_guard lock(mutex_);
  answerer_ = std::move(answerer);
}

void FakeFills::Answer(const FetchOutcome& outcome) {
  const std::lock_guard lock(mutex_);
  for (const auto& answer : std::exchange(held_, {})) answer(outcome);
}

std::unique_ptr<Filler> FakeFills::MakeFiller(EventLoop& loop) {
  return std::make_unique<FakeFiller>(*this, loop);
}

std::vector<FakeFills::Asked> FakeFills::asked() const {
  const std::lock_guard lock(mutex_);
  return asked_;
}

size_t FakeFills::cancelled() const {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

bool FakeFills::WaitUntil(const std::function<bool()>& holds) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, 10s, holds);
}

bool FakeFills::WaitForAsked(size_t count) const {
  return WaitUntil([&] { return asked_.size() >= count; });
}

bool FakeFills::WaitForCancelled(size_t count) const {
  return WaitUntil([&] { return cancelled_ >= count; });
}

std::shared_ptr<const Object> FakeFills::Filling(const CacheKey& key, bool insert,
                                                 std::function<void(ObjectHead&)> change) {
  auto object = std::make_shared<Object>();
  object->key = key;
  object->head.fields = "Content-Type: text/plain\r\nDate: Mon, 25 Nov 2024 18:31:00 GMT\r\n";
  object->head.freshness.born = WallNow();
  object->head.freshness.lifetime = 1h;
  if (change) change(object->head);
  object->body = insert ? cache_.NewBody() : Cache::NewPassThroughBody(256 * 1024);
  if (insert) cache_.Insert(object);
  return object;
}

std::shared_ptr<const Object> FakeFills::Stored(const CacheKey& key, const std::string& content,
                                                std::function<void(ObjectHead&)> change) {
  auto object = Filling(key, true, [&](ObjectHead& head) {
    head.content_length = content.size();
    if (change) change(head);
  });
  object->body->Append(content);
  object->body->Complete();
  return object;
}

FetchOutcome FakeFills::Of(std::shared_ptr<const Object> object) {
  FetchOutcome outcome;
  outcome.kind = FetchOutcome::Kind::kObject;
  outcome.upstream_status = object->head.status;
  outcome.object = std::move(object);
  outcome.source = "origin";
  outcome.stored = true;
  return outcome;
}

FetchOutcome FakeFills::Of(FetchOutcome::Kind kind) {
  FetchOutcome outcome;
  outcome.kind = kind;
  return outcome;
}

}  // namespace reef::http
