// SPDX-License-Identifier: Apache-2.0
//
// ChannelCache: one connection for each peer spoken to lately. The least recently used is dropped
// at the limit, any after `idle_max` without a call. A dropped channel lives on until its calls in
// flight have ended (gRPC holds it), so dropping is always safe.
//
// Owned by Driver. On the dsht thread alone; never blocks (gRPC connects on threads of its own).
#pragma once

#include <grpcpp/channel.h>

#include <list>
#include <map>
#include <memory>
#include <string>

#include "base/instant.h"

namespace reef::dsht {

// Both directions, requests and replies.
inline constexpr int kEnvelopeBytesMax = 64 << 10;

class ChannelCache {
 public:
  struct Options {
    size_t channels_max = 512;
    Duration idle_max = std::chrono::minutes(5);
  };

  explicit ChannelCache(const Options& options) : options_(options) {}

  // The channel to `target` ("192.0.2.1:8400", "host.example:8400"), made on demand.
  std::shared_ptr<grpc::Channel> For(const std::string& target, Instant now);

  // Drops what is idle. Call at or after NextDeadline().
  void CloseIdle(Instant now);
  // kNever when empty.
  Instant NextDeadline() const;

  size_t size() const { return by_target_.size(); }

 private:
  struct Entry {
    std::string target;
    std::shared_ptr<grpc::Channel> channel;
    Instant used_at;
  };
  using Entries = std::list<Entry>;

  Options options_;
  Entries entries_;  // most recently used first
  std::map<std::string, Entries::iterator> by_target_;
};

}  // namespace reef::dsht
