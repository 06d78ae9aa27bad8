// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/churn.h"

#include <cmath>

#include "base/check.h"
#include "tests/sim/population.h"

namespace reef::sim {
namespace {

constexpr Duration kTtl = std::chrono::hours(24);
// A put takes a moment; before, nobody can find it.
constexpr Duration kSettled = std::chrono::seconds(10);
constexpr size_t kPublishedMax = 2000;

}  // namespace

Churn::Churn(World& world, const Options& options, Measures& measures, Rng rng)
    : world_(world), options_(options), measures_(measures), rng_(rng), lives_(world.size()) {}

Duration Churn::Exponential(Duration median) {
  const double halves = -std::log2(1 - rng_.Unit());
  return Duration(static_cast<int64_t>(static_cast<double>(median.count()) * halves));
}

void Churn::Run() {
  ends_ = world_.now() + options_.over;
  for (NodeIndex node = 0; node < world_.size(); ++node) {
    if (world_.IsUp(node)) PlanEnd(node);
  }
  Repeat(options_.puts_per_minute, &Churn::Put);
  Repeat(options_.gets_per_minute, &Churn::Get);
  const uint64_t messages = world_.message_count();
  world_.RunUntil(ends_);
  const double node_seconds = Seconds(options_.over) * static_cast<double>(world_.up_count());
  measures_.Set("churn.messages_per_node_second",
                static_cast<double>(world_.message_count() - messages) / node_seconds);
  world_.RunFor(std::chrono::seconds(30));  // what was asked is answered
  const double gets = measures_.Find("churn.gets").value_or(0);
  if (gets > 0) {
    measures_.Set("churn.found_share", measures_.Find("churn.found").value_or(0) / gets);
  }
}

void Churn::PlanEnd(NodeIndex node) {
  world_.In(Exponential(options_.median_session), [this, node] {
    if (IsOver() || !world_.IsUp(node) || world_.up_count() < 3) return;
    measures_.Add("churn.departures", 1);
    ++lives_[node];
    world_.Kill(node);
    world_.In(Exponential(options_.median_absence), [this, node] { ComeBack(node); });
  });
}

void Churn::ComeBack(NodeIndex node) {
  if (IsOver() || world_.IsUp(node)) return;
  const NodeIndex seed = RandomUp();
  world_.Start(node);
  world_.Join(node, {seed}, nullptr);
  PlanEnd(node);
}

void Churn::Repeat(double per_minute, void (Churn::*action)()) {
  if (per_minute <= 0) return;
  const auto gap = Duration(static_cast<int64_t>(60e9 / per_minute));
  world_.In(gap, [this, per_minute, action] {
    if (IsOver()) return;
    (this->*action)();
    Repeat(per_minute, action);
  });
}

void Churn::Put() {
  const NodeIndex node = RandomUp();
  dsht::PutRequest put;
  put.key = RandomId(rng_);
  put.value = world_.PeerOf(node).http.ToString();
  put.ttl = kTtl;
  world_.Put(node, put, nullptr);
  world_.In(kSettled, [this, key = put.key, node, life = lives_[node]] {
    if (published_.size() < kPublishedMax) {
      published_.push_back({key, node, life});
    } else {
      published_[rng_.Below(kPublishedMax)] = {key, node, life};
    }
  });
}

void Churn::Get() {
  if (published_.empty()) return;
  const size_t at = rng_.Below(published_.size());
  const Published wanted = published_[at];
  if (lives_[wanted.by] != wanted.life) {
    published_[at] = published_.back();
    published_.pop_back();
    return;
  }
  const NodeIndex node = RandomUp();
  world_.Get(node, wanted.key,
             [this, wanted, asked = world_.now()](const dsht::Finished& finished) {
               if (lives_[wanted.by] != wanted.life) return;  // gone meanwhile
               const bool found = !std::get<dsht::GetDone>(finished).holders.empty();
               measures_.Add("churn.gets", 1);
               measures_.Add("churn.found", found);
               measures_.Sample("churn.get_ms", Seconds(world_.now() - asked) * 1000);
             });
}

NodeIndex Churn::RandomUp() {
  REEF_CHECK(world_.up_count() > 0);
  while (true) {
    const auto node = static_cast<NodeIndex>(rng_.Below(world_.size()));
    if (world_.IsUp(node)) return node;
  }
}

}  // namespace reef::sim
