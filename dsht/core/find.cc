// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/find.h"

#include "dsht/core/state.h"

namespace reef::dsht {

Find::Find(const State& state, int level, const Id& target, const std::vector<Peer>& known,
           OperationId parent)
    : level_(level),
      walk_(target, state.self.id, state.options, state.TableOf(level), state.options.bits_per_hop,
            state.options.bucket_size),
      parent_(parent) {
  for (const Peer& peer : known) walk_.Learn(peer);
}

void Find::Advance(Turn& turn) {
  while (std::optional<Peer> peer = walk_.Next()) {
    // The closest peers too, not only those half-way: this walk is after peers.
    turn.Ask(id(), *peer, FindQuery{walk_.key(), OnlyLevel(level_)}, 0);
  }
  if (walk_.in_flight() > 0) return;
  const auto parent = turn.state.operations.find(parent_);
  turn.End(*this);
  if (parent != turn.state.operations.end()) parent->second->OnChildEnded(turn);
}

void Find::OnReply(Turn& turn, const Rpc& rpc, const Body& reply) {
  const FindReply* said = std::get_if<FindReply>(&reply);
  if (said == nullptr) return OnFailure(turn, rpc);
  walk_.Answered(rpc.to.id, rpc.sent, said->peers);
  Advance(turn);
}

void Find::OnFailure(Turn& turn, const Rpc& rpc) {
  if (rpc.outside) {
    walk_.Outside(rpc.to.id);
  } else {
    walk_.Failed(rpc.to.id, rpc.sent);
  }
  Advance(turn);
}

void Find::OnSlow(Turn& turn, const Rpc& rpc) {
  walk_.Slow(rpc.to.id, rpc.sent);
  Advance(turn);
}

Id RandomIdSharing(const Id& id, int shared_bits, Rng& rng) {
  Id result;
  for (uint8_t& b : result.bytes) b = static_cast<uint8_t>(rng.Below(256));
  for (int bit = 0; bit <= shared_bits && bit < kIdBits; ++bit) {
    const auto at = static_cast<size_t>(bit / 8);
    const auto mask = static_cast<uint8_t>(0x80 >> (bit % 8));
    const bool wanted = id.Bit(bit) != (bit == shared_bits);
    result.bytes[at] =
        static_cast<uint8_t>(wanted ? result.bytes[at] | mask : result.bytes[at] & ~mask);
  }
  return result;
}

}  // namespace reef::dsht
