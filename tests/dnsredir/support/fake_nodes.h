// SPDX-License-Identifier: Apache-2.0
//
// FakeNodes: a dsht::Client that knows the nodes a test tells it. Answers at once, on the caller's
// thread, or, while held, when the test lets it. Any thread.
#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "dsht/client.h"

namespace reef::dns {

class FakeNodes : public dsht::Client {
 public:
  using Asked = std::function<void(std::vector<dsht::NodeInfo>)>;

  void SetNodes(std::vector<dsht::NodeInfo> nodes) {
    const std::lock_guard lock(mutex_);
    nodes_ = std::move(nodes);
  }

  // From now on questions wait for AnswerHeld.
  void Hold() {
    const std::lock_guard lock(mutex_);
    holding_ = true;
  }
  size_t held_count() {
    const std::lock_guard lock(mutex_);
    return held_.size();
  }
  void AnswerHeld() {
    std::vector<Asked> held;
    std::vector<dsht::NodeInfo> nodes;
    {
      const std::lock_guard lock(mutex_);
      held.swap(held_);
      nodes = nodes_;
    }
    for (Asked& asked : held) asked(nodes);
  }

  void Nodes(int, size_t, uint32_t services, Asked done) override {
    std::vector<dsht::NodeInfo> answer;
    {
      const std::lock_guard lock(mutex_);
      if (holding_) return held_.push_back(std::move(done));
      for (const dsht::NodeInfo& node : nodes_) {
        const Endpoint& wanted = services == dsht::kServiceHttp ? node.http : node.dns;
        if (wanted.port != 0) answer.push_back(node);
      }
    }
    done(std::move(answer));
  }

  // The redirector uses nothing else.
  void Get(const dsht::Key&, std::function<void(std::vector<dsht::Holder>)>) override {}
  void Put(dsht::PutRequest) override {}
  void Withdraw(const dsht::Key&, const std::string&) override {}
  dsht::ClaimId Claim(dsht::ClaimRequest, std::function<void(dsht::ClaimAnswer)>,
                      std::function<void()>) override {
    return 0;
  }
  void Streaming(dsht::ClaimId) override {}
  void Release(dsht::ClaimId, dsht::ClaimEnd, Duration) override {}
  void Levels(std::function<void(std::vector<dsht::LevelInfo>)>) override {}
  void SetDraining(bool) override {}

 private:
  std::mutex mutex_;
  std::vector<dsht::NodeInfo> nodes_;
  bool holding_ = false;
  std::vector<Asked> held_;
};

}  // namespace reef::dns
