// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/world.h"

#include <array>
#include <bit>
#include <utility>

#include "base/check.h"

namespace reef::sim {
namespace {

using dsht::Finished;
using dsht::OperationId;
using dsht::RpcId;
using dsht::Stats;

constexpr uint16_t kRpcPort = 8400;

constexpr uint32_t kHostsANetwork = 200;

// The nodes of a site are at 10.x.y.1, 10.x.y.2 ..., a large site in several networks.
std::vector<IpAddress> AddressesFor(const Network& network, size_t nodes) {
  struct Site {
    uint32_t network = 0;
    uint32_t hosts = kHostsANetwork;  // full: the first node opens one
  };
  std::map<size_t, Site> sites;
  uint32_t networks = 0;
  std::vector<IpAddress> addresses;
  for (size_t node = 0; node < nodes; ++node) {
    Site& site = sites[network.SiteOf(node)];
    if (site.hosts == kHostsANetwork) site = {.network = networks++, .hosts = 0};
    ++site.hosts;
    addresses.push_back(
        IpAddress::V4({10, static_cast<uint8_t>(site.network >> 8),
                       static_cast<uint8_t>(site.network), static_cast<uint8_t>(site.hosts)}));
  }
  return addresses;
}

uint32_t NumberOf(const IpAddress& address) {
  const auto bytes = address.bytes();
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

void AddTo(Stats& total, const Stats& more) {
  using Words = std::array<uint64_t, sizeof(Stats) / sizeof(uint64_t)>;
  Words sum = std::bit_cast<Words>(total);
  const Words addend = std::bit_cast<Words>(more);
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += addend[i];
  total = std::bit_cast<Stats>(sum);
}

}  // namespace

World::World(Network network, std::vector<dsht::NodeId> ids, const dsht::Options& options, Rng rng)
    : network_(std::move(network)), options_(options), rng_(rng) {
  REEF_CHECK(ids.size() <= network_.size());
  addresses_ = AddressesFor(network_, ids.size());
  slots_.resize(ids.size());
  for (NodeIndex i = 0; i < ids.size(); ++i) {
    slots_[i].id = ids[i];
    index_of_.emplace(ids[i], i);
    at_address_.emplace(NumberOf(addresses_[i]), i);
  }
  REEF_CHECK(index_of_.size() == ids.size()) << "two nodes have the same id";
}

// ---- Nodes -------------------------------------------------------------------------------------

dsht::Peer World::PeerOf(NodeIndex node) const {
  dsht::Peer peer;
  peer.id = slots_[node].id;
  peer.rpc = {addresses_[node], kRpcPort};
  peer.http = {addresses_[node], 80};
  return peer;
}

std::optional<NodeIndex> World::IndexOf(const dsht::NodeId& id) const {
  const auto found = index_of_.find(id);
  return found == index_of_.end() ? std::nullopt : std::optional(found->second);
}

void World::Start(NodeIndex node) {
  Slot& slot = slots_[node];
  REEF_CHECK(slot.node == nullptr);
  ++slot.life;
  ++up_count_;
  dsht::Options options = options_;
  options.first_attempt = static_cast<uint64_t>(now_.time_since_epoch().count());
  slot.node = std::make_unique<dsht::Node>(PeerOf(node), options, rng_.Fork());
  PlanWake(node);
}

void World::Kill(NodeIndex node) {
  Slot& slot = slots_[node];
  if (slot.node == nullptr) return;
  AddTo(gone_, slot.node->stats());
  slot.node.reset();
  slot.waiting.clear();
  slot.wake_at = kNever;
  --up_count_;
}

Stats World::TotalStats() const {
  Stats total = gone_;
  for (const Slot& slot : slots_) {
    if (slot.node) AddTo(total, slot.node->stats());
  }
  return total;
}

// ---- Operations --------------------------------------------------------------------------------

void World::Join(NodeIndex node, const std::vector<NodeIndex>& seeds, Done done) {
  Slot& slot = slots_[node];
  if (!slot.node) return;
  std::vector<Endpoint> endpoints;
  for (NodeIndex seed : seeds) endpoints.push_back({addresses_[seed], kRpcPort});
  const OperationId id = slot.node->Join(now_, std::move(endpoints), out_);
  if (done) slot.waiting[id] = std::move(done);
  Flush(node);
}

void World::Get(NodeIndex node, const dsht::Key& key, Done done, int from_level) {
  Slot& slot = slots_[node];
  if (!slot.node) return;
  const OperationId id = slot.node->Get(now_, key, out_, from_level);
  if (done) slot.waiting[id] = std::move(done);
  Flush(node);
}

void World::Put(NodeIndex node, const dsht::PutRequest& request, Done done) {
  Slot& slot = slots_[node];
  if (!slot.node) return;
  const OperationId id = slot.node->Put(now_, request, out_);
  if (done) slot.waiting[id] = std::move(done);
  Flush(node);
}

void World::Leave(NodeIndex node, Done done) {
  Slot& slot = slots_[node];
  if (!slot.node) return;
  const OperationId id = slot.node->Leave(now_, out_);
  if (done) slot.waiting[id] = std::move(done);
  Flush(node);
}

void World::Claim(NodeIndex node, const dsht::ClaimRequest& request, Done done) {
  Slot& slot = slots_[node];
  if (!slot.node) return;
  const OperationId id = slot.node->Claim(now_, request, out_);
  if (done) slot.waiting[id] = std::move(done);
  Flush(node);
}

void World::Streaming(NodeIndex node, OperationId claim) {
  Slot& slot = slots_[node];
  if (!slot.node) return;
  slot.node->Streaming(now_, claim, out_);
  Flush(node);
}

void World::Release(NodeIndex node, OperationId claim, dsht::ClaimEnd end, Duration ttl) {
  Slot& slot = slots_[node];
  if (!slot.node) return;
  slot.waiting.erase(claim);
  slot.node->Release(now_, claim, end, ttl, out_);
  Flush(node);
}

void World::Acquaint(NodeIndex node, NodeIndex of) {
  Slot& slot = slots_[node];
  if (!slot.node) return;
  slot.node->Acquaint(now_, PeerOf(of), network_.Rtt(node, of));
}

// ---- Time --------------------------------------------------------------------------------------

void World::At(Instant when, std::function<void()> action) {
  queue_.Add(std::max(when, now_), std::move(action));
}

void World::RunUntil(Instant until) {
  while (queue_.NextAt() <= until) {
    now_ = queue_.NextAt();
    Dispatch(queue_.TakeNext());
  }
  now_ = std::max(now_, until);
}

void World::Dispatch(Event event) {
  ++event_count_;
  if (auto* arrival = std::get_if<Arrival>(&event)) {
    OnArrival(std::move(*arrival));
  } else if (auto* wake = std::get_if<Wake>(&event)) {
    Slot& slot = slots_[wake->node];
    if (!slot.node || slot.life != wake->life || slot.wake_at > now_) return;
    slot.wake_at = kNever;
    slot.node->OnDeadline(now_, out_);
    Flush(wake->node);
  } else {
    std::get<std::function<void()>>(event)();
  }
}

void World::PlanWake(NodeIndex node) {
  Slot& slot = slots_[node];
  const Instant next = slot.node->NextDeadline();
  if (next >= slot.wake_at) return;  // woken too early it does nothing and plans anew
  slot.wake_at = std::max(next, now_);
  queue_.Add(slot.wake_at, Wake{node, slot.life});
}

// ---- Messages ----------------------------------------------------------------------------------

void World::Flush(NodeIndex node) {
  Slot& slot = slots_[node];
  for (dsht::Outgoing& query : out_.queries) SendQuery(node, std::move(query));
  for (dsht::Answer& answer : out_.answers) SendReply(node, std::move(answer));
  std::vector<Finished> finished;
  finished.swap(out_.finished);
  out_.queries.clear();
  out_.answers.clear();
  PlanWake(node);
  // Last: what they do may come back here.
  const uint32_t life = slot.life;
  for (const Finished& one : finished) {
    if (slot.life == life && slot.node) Finish(node, one);
  }
}

void World::Finish(NodeIndex node, const Finished& finished) {
  std::map<OperationId, Done>& waiting = slots_[node].waiting;
  const bool is_claim = std::holds_alternative<dsht::ClaimAnswered>(finished) ||
                        std::holds_alternative<dsht::ClaimLost>(finished);
  const OperationId id = std::visit(
      [](const auto& done) {
        if constexpr (requires { done.claim; }) {
          return done.claim;
        } else {
          return done.operation;
        }
      },
      finished);
  const auto found = waiting.find(id);
  if (found == waiting.end()) return;
  const Done done = is_claim ? found->second : std::move(found->second);
  if (!is_claim) waiting.erase(found);
  done(finished);
}

void World::SendQuery(NodeIndex from, dsht::Outgoing query) {
  const auto found = at_address_.find(NumberOf(query.to.address));
  if (found == at_address_.end()) return;
  const NodeIndex to = found->second;
  const std::optional<Duration> delay = network_.Send(from, to);
  ++message_count_;
  if (!delay) return;
  queue_.Add(now_ + *delay, Arrival{from, to, slots_[from].life, query.rpc, true,
                                    std::make_unique<dsht::Message>(std::move(query.message))});
}

void World::SendReply(NodeIndex from, dsht::Answer answer) {
  const auto caller = callers_.extract(answer.rpc);
  REEF_CHECK(!caller.empty()) << "a query was answered twice";
  const auto [to, life, rpc] = caller.mapped();
  const std::optional<Duration> delay = network_.Send(from, to);
  ++message_count_;
  if (!delay) return;
  queue_.Add(now_ + *delay, Arrival{from, to, life, rpc, false,
                                    std::make_unique<dsht::Message>(std::move(answer.message))});
}

void World::OnArrival(Arrival arrival) {
  if (arrival.is_query) {
    OnQuery(std::move(arrival));
  } else {
    OnReply(std::move(arrival));
  }
}

void World::OnQuery(Arrival arrival) {
  Slot& slot = slots_[arrival.to];
  if (!slot.node) {
    if (!refuse_when_dead_) return;
    const std::optional<Duration> delay = network_.Send(arrival.to, arrival.from);
    if (!delay) return;
    queue_.Add(now_ + *delay,
               Arrival{arrival.to, arrival.from, arrival.life, arrival.rpc, false, nullptr});
    return;
  }
  if (observer_) observer_(arrival.from, arrival.to, *arrival.message);
  arrival.message->rpc = ++last_rpc_;
  arrival.message->from = addresses_[arrival.from];
  callers_[last_rpc_] = {arrival.from, arrival.life, arrival.rpc};
  slot.node->OnMessage(now_, *arrival.message, out_);
  Flush(arrival.to);
}

void World::OnReply(Arrival arrival) {
  Slot& slot = slots_[arrival.to];
  if (!slot.node || slot.life != arrival.life) return;
  if (arrival.message) {
    if (observer_) observer_(arrival.from, arrival.to, *arrival.message);
    arrival.message->rpc = arrival.rpc;
    arrival.message->from = addresses_[arrival.from];
    slot.node->OnMessage(now_, *arrival.message, out_);
  } else {
    slot.node->OnUnreachable(now_, arrival.rpc, out_);
  }
  Flush(arrival.to);
}

}  // namespace reef::sim
