// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/hints.h"

#include <optional>

#include "dsht/core/put.h"
#include "dsht/core/state.h"

namespace reef::dsht {

namespace {

constexpr int kPrefixV4 = 24;
constexpr int kPrefixV6 = 48;

}  // namespace

bool HasHint(const IpAddress& address) {
  return !address.IsLoopback() && !address.IsUnspecified();
}

Key HintKey(const IpAddress& address) {
  return Id::Hash("prefix:" + address.Masked(address.is_v4() ? kPrefixV4 : kPrefixV6).ToString());
}

Hints::Hints(const State& state) : Get(state, HintKey(state.self.rpc.address), 0) {}

void Hints::Found(Turn& turn, const std::vector<Value>& values) {
  State& state = turn.state;
  for (const Value& value : values) {
    const std::optional<Endpoint> rpc = Endpoint::Parse(value.bytes);
    // Anybody may write anything there: only an address of this prefix is tried.
    const bool sound = rpc && rpc->port != 0 && value.publisher != NodeId{} &&
                       value.ttl <= state.options.hint_ttl && HasHint(rpc->address) &&
                       HintKey(rpc->address) == HintKey(state.self.rpc.address);
    if (sound) turn.Ping(Peer{.id = value.publisher, .rpc = *rpc});
  }
  StartPut(turn,
           PutRequest{.key = HintKey(state.self.rpc.address),
                      .value = state.self.rpc.ToString(),
                      .ttl = state.options.hint_ttl},
           Put::Reach::kWorldAlone);
}

}  // namespace reef::dsht
