// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/hot_key.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "base/check.h"
#include "tests/sim/population.h"

namespace reef::sim {
namespace {

using namespace std::chrono_literals;

// A node acts at least this seldom: at high rates it does several pairs at a time.
constexpr Duration kPeriodMin = 20ms;

}  // namespace

HotKey::HotKey(World& world, const Options& options, Measures& measures)
    : world_(world), options_(options), measures_(measures) {}

void HotKey::Run(const dsht::Key& key) {
  key_ = key;
  began_ = world_.now();
  closest_ = ClosestTo(world_, key, 1).front();
  per_minute_.assign(static_cast<size_t>(options_.minutes), 0);
  world_.set_observer([this](NodeIndex from, NodeIndex to, const dsht::Message& message) {
    if (to == closest_ && from != closest_) OnMessage(from, message);
  });

  const double of_node = options_.pairs_per_minute / static_cast<double>(world_.up_count());
  const Duration between = Duration(static_cast<int64_t>(60e9 / of_node));
  const uint64_t pairs = static_cast<uint64_t>((kPeriodMin + between - 1ns) / between);
  for (NodeIndex node = 0; node < world_.size(); ++node) {
    Plan(node, between * static_cast<int64_t>(pairs), pairs);
  }
  world_.RunFor(std::chrono::minutes(options_.minutes));
  world_.set_observer(nullptr);
  world_.RunFor(std::chrono::minutes(1));  // what was planned ends
  Report();
}

void HotKey::Plan(NodeIndex node, Duration period, uint64_t pairs) {
  const uint64_t phase_ns = world_.rng().Below(static_cast<uint64_t>(period.count()));
  // One action that plans itself again; it ends with the experiment.
  struct Again {
    HotKey* self;
    NodeIndex node;
    Duration period;
    uint64_t pairs;
    void operator()() const {
      if (self->world_.now() >= self->began_ + std::chrono::minutes(self->options_.minutes)) return;
      self->Pairs(node, pairs);
      self->world_.In(period, *this);
    }
  };
  world_.In(Duration(static_cast<int64_t>(phase_ns)), Again{this, node, period, pairs});
}

void HotKey::Pairs(NodeIndex node, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) {
    dsht::PutRequest put;
    put.key = key_;
    put.value = std::to_string(++value_);
    put.ttl = options_.ttl;
    world_.Put(node, put, nullptr);
    world_.Get(node, key_, nullptr);
    measures_.Add("hot_key.pairs", 1);
  }
}

void HotKey::OnMessage(NodeIndex from, const dsht::Message& message) {
  bool counts = false;
  if (const auto* status = std::get_if<dsht::StatusQuery>(&message.body)) {
    counts = status->key == key_;
    if (counts) ++status_from_[from];
  } else if (const auto* store = std::get_if<dsht::StoreQuery>(&message.body)) {
    uint64_t& open = status_from_[from];
    counts = store->key == key_ && open == 0;
    if (open > 0) --open;
  } else if (const auto* get = std::get_if<dsht::GetQuery>(&message.body)) {
    counts = get->key == key_;
  }
  if (!counts) return;
  const size_t minute = static_cast<size_t>((world_.now() - began_) / 1min);
  if (minute < per_minute_.size()) ++per_minute_[minute];
  ++senders_[from];
}

void HotKey::Report() {
  REEF_CHECK(per_minute_.size() >= 2);
  const auto second = per_minute_.begin() + 1;
  const double later = std::accumulate(second, per_minute_.end(), 0.0);
  const double most = static_cast<double>(*std::max_element(second, per_minute_.end()));
  measures_.Set("hot_key.closest_minute_1", static_cast<double>(per_minute_[0]));
  measures_.Set("hot_key.closest_mean", later / static_cast<double>(per_minute_.size() - 1));
  measures_.Set("hot_key.closest_most", most);
  measures_.Set("hot_key.senders", static_cast<double>(senders_.size()));
  measures_.Set("hot_key.closest_most_per_sender",
                senders_.empty() ? 0 : most / static_cast<double>(senders_.size()));
}

}  // namespace reef::sim
