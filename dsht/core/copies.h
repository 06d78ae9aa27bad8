// SPDX-License-Identifier: Apache-2.0
//
// Copies: keeps each value and lease on the closest nodes to its key (Options::closest_count) while
// nodes come and go. Deviation from CoralCDN, where storers never replicate (docs/coral.md, 2.5).
//
// Of the nodes that hold an entry, only the closest acts, so a change costs one message for each
// batch of entries and receiver.
//
// Operations, owned by State. Not thread-safe, never blocks, does no I/O.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "dsht/core/message.h"
#include "dsht/core/operation.h"

namespace reef::dsht {

// Goes through all entries, a batch at a time, and hands each to whom Receivers names.
class HandOver : public Operation {
 public:
  void OnReply(Turn& turn, const Rpc& rpc, const Body& reply) override;
  void OnFailure(Turn& turn, const Rpc& rpc) override;

 protected:
  // The peers that are to have `key`.
  virtual std::vector<Peer> Receivers(const State& state, const Key& key) const = 0;
  // All entries have been offered, and every offer answered or given up.
  virtual void OnAllOffered(Turn& turn) = 0;

  void Step(Turn& turn);

 private:
  struct Batch {
    Peer to;
    HandOverQuery query;
  };
  // The next key to look at, first those with values, then those with a lease alone.
  std::optional<Key> NextKey(const State& state);

  std::optional<Key> value_cursor_;
  std::optional<Key> lease_cursor_;
  bool values_done_ = false;
  size_t in_flight_ = 0;
};

// After neighbours came or went.
class CopySweep : public HandOver {
 public:
  CopySweep(std::vector<NodeId> came, bool went);

  void Start(Turn& turn);

 protected:
  std::vector<Peer> Receivers(const State& state, const Key& key) const override;
  void OnAllOffered(Turn& turn) override;

 private:
  const std::vector<NodeId> came_;
  const bool went_;
};

// Before this node goes: its entries to the next closest, then a goodbye to every peer.
class Leave : public HandOver {
 public:
  void Start(Turn& turn);

  void OnReply(Turn& turn, const Rpc& rpc, const Body& reply) override;
  void OnFailure(Turn& turn, const Rpc& rpc) override;
  void OnTimer(Turn& turn) override;

 protected:
  std::vector<Peer> Receivers(const State& state, const Key& key) const override;
  void OnAllOffered(Turn& turn) override;

 private:
  void SayGoodbye(Turn& turn);
  void OnHeardGoodbye(Turn& turn);
  void Finish(Turn& turn);

  bool saying_goodbye_ = false;
  size_t waiting_ = 0;
};

}  // namespace reef::dsht
