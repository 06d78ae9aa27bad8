// SPDX-License-Identifier: Apache-2.0
#include "dsht/core/lease_release.h"

#include <utility>

namespace reef::dsht {

LeaseRelease::LeaseRelease(ReleaseQuery query) : query_(std::move(query)) {}

void LeaseRelease::Start(Turn& turn, const std::vector<Peer>& peers) {
  in_flight_ = peers.size();
  for (const Peer& peer : peers) turn.Ask(id(), peer, query_, 0);
}

void LeaseRelease::OnReply(Turn& turn, const Rpc&, const Body&) {
  if (--in_flight_ == 0) turn.End(*this);
}

void LeaseRelease::OnFailure(Turn& turn, const Rpc& rpc) {
  if (rpc.step == 0) return turn.Ask(id(), rpc.to, query_, 1);
  if (--in_flight_ == 0) turn.End(*this);
}

}  // namespace reef::dsht
