// SPDX-License-Identifier: Apache-2.0
#include "tests/dsht/core/harness.h"

#include <algorithm>

#include "base/check.h"

namespace reef::dsht {

using namespace std::chrono_literals;

Id RandomId(Rng& rng) {
  Id id;
  for (uint8_t& b : id.bytes) b = static_cast<uint8_t>(rng.Below(256));
  return id;
}

Id IdWithHead(uint64_t head, int head_bits, Rng& rng) {
  Id id = RandomId(rng);
  for (int bit = 0; bit < head_bits; ++bit) {
    const auto at = static_cast<size_t>(bit / 8);
    const auto mask = static_cast<uint8_t>(0x80 >> (bit % 8));
    const bool one = (head >> (head_bits - 1 - bit)) & 1;
    id.bytes[at] = static_cast<uint8_t>(one ? id.bytes[at] | mask : id.bytes[at] & ~mask);
  }
  return id;
}

Options OneLevel() {
  Options options;
  options.diameters = {Duration::zero()};
  return options;
}

Harness::Harness(Setup setup) : setup_(std::move(setup)), rng_(setup_.seed) {
  for (size_t i = 0; i < setup_.nodes; ++i) {
    const NodeId id = i < setup_.ids.size() ? setup_.ids[i] : RandomId(rng_);
    Slot slot;
    slot.peer = PeerFor(i, id);
    by_endpoint_.emplace(slot.peer.rpc, i);
    slot.node = MakeNode(slot.peer, 0);
    slots_.push_back(std::move(slot));
  }
}

Peer Harness::PeerFor(size_t i, const NodeId& id) const {
  const IpAddress address = IpAddress::V4(
      {10, static_cast<uint8_t>(i >> 16), static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)});
  return Peer{.id = id, .rpc = {address, 8400}, .http = {address, 8090}, .dns = {address, 8053}};
}

std::unique_ptr<Node> Harness::MakeNode(const Peer& peer, uint64_t life) {
  Options options = setup_.options;
  options.first_attempt = (life << 32) + 1;
  return std::make_unique<Node>(peer, options, rng_.Fork());
}

void Harness::AcquaintAll() {
  std::vector<size_t> order(size());
  for (size_t i = 0; i < size(); ++i) order[i] = i;
  for (size_t i = 0; i < size(); ++i) {
    rng_.Shuffle(std::span<size_t>(order));
    for (size_t j : order) node(i).Acquaint(now_, peer(j), setup_.delay_min + setup_.delay_max);
    Flush(i);
  }
}

void Harness::JoinAll() {
  for (size_t i = 0; i < size(); ++i) {
    std::vector<Endpoint> seeds;
    if (i > 0) seeds.push_back(peer(0).rpc);
    node(i).Join(now_, seeds, out_);
    Flush(i);
  }
  RunFor(40s);
}

void Harness::Kill(size_t i, Death death) {
  slots_[i].death = death;
  slots_[i].node.reset();
  slots_[i].asked.clear();
  ++slots_[i].life;
}

void Harness::Restart(size_t i) {
  Slot& slot = slots_[i];
  if (slot.node != nullptr) Kill(i, Death::kSilent);
  slot.death.reset();
  slot.wake = kNever;
  slot.node = MakeNode(slot.peer, slot.life);
  slot.finished.clear();
  slot.lost.clear();
  slot.node->Join(now_, {peer(i == 0 ? 1 : 0).rpc}, out_);
  Flush(i);
}

void Harness::CutBoth(size_t a, size_t b) {
  Cut(a, b);
  Cut(b, a);
}

std::vector<Endpoint> Harness::Tell(size_t i, const Peer& sender) {
  Outbox out;
  node(i).OnMessage(now_, Message{.header = {.sender = sender}, .rpc = 1, .body = PingQuery{}},
                    out);
  std::vector<Endpoint> tried;
  while (!out.queries.empty()) {
    const RpcId rpc = out.queries.back().rpc;
    tried.push_back(out.queries.back().to);
    out.Clear();
    node(i).OnUnreachable(now_, rpc, out);
  }
  return tried;
}

Duration Harness::Delay(size_t from, size_t to) {
  if (setup_.delay) return setup_.delay(from, to);
  const auto spread = static_cast<uint64_t>((setup_.delay_max - setup_.delay_min).count() + 1);
  return setup_.delay_min + Duration(static_cast<int64_t>(rng_.Below(spread)));
}

void Harness::Schedule(Event event) {
  event.sequence = sequence_++;
  events_.push(std::move(event));
}

void Harness::Transmit(size_t from, size_t to, Message message, RpcId refused_rpc) {
  const Duration delay = Delay(from, to);
  if (forge) forge(from, to, message);
  if (filter && !filter(from, to, message)) return;
  if (cuts_.contains({from, to}) || rng_.Chance(setup_.loss)) return;
  if (slots_[to].death) {
    if (slots_[to].death == Death::kRefusing && refused_rpc != 0) {
      Schedule({now_ + 2 * delay, 0, from, slots_[from].life, Event::What::kUnreachable, to,
                refused_rpc, nullptr});
    }
    return;
  }
  Schedule({now_ + delay, 0, to, slots_[to].life, Event::What::kMessage, from, 0,
            std::make_shared<const Message>(std::move(message))});
}

void Harness::Flush(size_t i) {
  Outbox out = std::move(out_);
  out_ = Outbox{};
  Slot& slot = slots_[i];
  for (Outgoing& query : out.queries) {
    const auto to = by_endpoint_.find(query.to);
    query.message.from = slot.peer.rpc.address;
    if (to == by_endpoint_.end()) {
      Schedule({now_ + 1ms, 0, i, slot.life, Event::What::kUnreachable, i, query.rpc, nullptr});
      continue;
    }
    REEF_CHECK(query.timeout > Duration::zero());
    Transmit(i, to->second, std::move(query.message), query.rpc);
  }
  for (dsht::Answer& answer : out.answers) {
    const auto asked = slot.asked.find(answer.rpc);
    REEF_CHECK(asked != slot.asked.end()) << "answered twice, or never asked";
    const auto [to, rpc] = asked->second;
    slot.asked.erase(asked);
    answer.message.rpc = rpc;
    answer.message.from = slot.peer.rpc.address;
    Transmit(i, to, std::move(answer.message), 0);
  }
  for (dsht::Finished& finished : out.finished) {
    if (const auto* lost = std::get_if<ClaimLost>(&finished)) {
      REEF_CHECK(slot.lost.insert(lost->claim).second) << "lost twice";
      continue;
    }
    if (const auto* joined = std::get_if<JoinDone>(&finished)) {
      slot.joined = *joined;
      continue;
    }
    const OperationId op = std::visit(
        [](const auto& f) {
          if constexpr (requires { f.operation; }) {
            return f.operation;
          } else {
            return f.claim;
          }
        },
        finished);
    REEF_CHECK(slot.finished.emplace(op, std::move(finished)).second) << "finished twice";
  }
  if (slot.node == nullptr) return;
  const Instant wake = slot.node->NextDeadline();
  if (wake < slot.wake) {
    slot.wake = wake;
    Schedule({std::max(wake, now_), 0, i, slot.life, Event::What::kWake, i, 0, nullptr});
  }
}

void Harness::Handle(const Event& event) {
  Slot& slot = slots_[event.to];
  if (slot.node == nullptr || slot.life != event.life) return;
  switch (event.what) {
    case Event::What::kWake:
      if (event.at < slot.wake) return;
      slot.wake = kNever;
      slot.node->OnDeadline(now_, out_);
      break;
    case Event::What::kUnreachable:
      slot.node->OnUnreachable(now_, event.rpc, out_);
      break;
    case Event::What::kMessage: {
      ++delivered_;
      if (!IsQuery(event.message->body)) {
        slot.node->OnMessage(now_, *event.message, out_);
        break;
      }
      Message message = *event.message;
      const RpcId token = next_token_++;
      slot.asked.emplace(token, std::pair(event.from, message.rpc));
      message.rpc = token;
      slot.node->OnMessage(now_, message, out_);
      break;
    }
  }
  Flush(event.to);
}

bool Harness::Step(Instant limit) {
  if (events_.empty() || events_.top().at > limit) {
    now_ = limit;
    return false;
  }
  const Event event = events_.top();
  events_.pop();
  REEF_CHECK(event.at >= now_);
  now_ = event.at;
  Handle(event);
  return true;
}

void Harness::RunFor(Duration duration) {
  const Instant limit = now_ + duration;
  while (Step(limit)) {
  }
}

bool Harness::RunUntil(const std::function<bool()>& done, Duration limit) {
  const Instant until = now_ + limit;
  while (!done()) {
    if (!Step(until)) return done();
  }
  return true;
}

OperationId Harness::Get(size_t i, const Key& key, int from_level) {
  const OperationId op = node(i).Get(now_, key, out_, from_level);
  Flush(i);
  return op;
}

OperationId Harness::Put(size_t i, const Key& key, Duration ttl) {
  return Put(i, PutRequest{.key = key, .value = Reference(i), .ttl = ttl});
}

OperationId Harness::Put(size_t i, const PutRequest& request) {
  const OperationId op = node(i).Put(now_, request, out_);
  Flush(i);
  return op;
}

OperationId Harness::Withdraw(size_t i, const Key& key) {
  const OperationId op = node(i).Withdraw(now_, key, Reference(i), out_);
  Flush(i);
  return op;
}

OperationId Harness::Claim(size_t i, const Key& key, std::vector<NodeId> exclude,
                           std::vector<NodeId> behind) {
  const OperationId op = node(i).Claim(
      now_, ClaimRequest{key, Reference(i), std::move(exclude), std::move(behind)}, out_);
  Flush(i);
  return op;
}

void Harness::Release(size_t i, OperationId claim, ClaimEnd end, Duration ttl) {
  node(i).Release(now_, claim, end, ttl, out_);
  Flush(i);
}

OperationId Harness::Nodes(size_t i, size_t count, uint32_t services) {
  const OperationId op = node(i).Nodes(now_, 0, count, services, out_);
  Flush(i);
  return op;
}

OperationId Harness::Leave(size_t i) {
  const OperationId op = node(i).Leave(now_, out_);
  Flush(i);
  return op;
}

void Harness::SetDraining(size_t i, bool draining) {
  node(i).SetDraining(now_, draining, out_);
  Flush(i);
}

bool Harness::Finished(size_t i, OperationId op) const {
  return slots_[i].finished.contains(op);
}

const std::vector<Holder>& Harness::Found(size_t i, OperationId get) const {
  return std::get<GetDone>(slots_[i].finished.at(get)).holders;
}

PutDone Harness::Stored(size_t i, OperationId put) const {
  return std::get<PutDone>(slots_[i].finished.at(put));
}

const ClaimAnswer& Harness::Answer(size_t i, OperationId claim) const {
  return std::get<ClaimAnswered>(slots_[i].finished.at(claim)).answer;
}

const std::vector<NodeInfo>& Harness::Listed(size_t i, OperationId nodes) const {
  return std::get<NodesDone>(slots_[i].finished.at(nodes)).nodes;
}

std::vector<size_t> Harness::ByDistance(const Key& key) const {
  std::vector<size_t> order;
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].node != nullptr) order.push_back(i);
  }
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return Closer(key, id(a), id(b)); });
  return order;
}

Stats Harness::Total() const {
  Stats total;
  for (const Slot& slot : slots_) {
    if (slot.node == nullptr) continue;
    const Stats& stats = slot.node->stats();
    for (size_t i = 0; i < total.sent.size(); ++i) {
      total.sent[i] += stats.sent[i];
      total.received[i] += stats.received[i];
    }
    total.rpc_timeouts += stats.rpc_timeouts;
    total.peers_dropped += stats.peers_dropped;
    total.cluster_moves += stats.cluster_moves;
    total.level_refusals += stats.level_refusals;
    total.claims_first += stats.claims_first;
    total.claims_held += stats.claims_held;
    total.claims_no_answer += stats.claims_no_answer;
    total.claims_unconfirmed += stats.claims_unconfirmed;
    total.claims_yielded += stats.claims_yielded;
    total.claims_lost += stats.claims_lost;
    total.claim_hops += stats.claim_hops;
    total.get_hops += stats.get_hops;
    total.leases_revoked += stats.leases_revoked;
  }
  return total;
}

}  // namespace reef::dsht
