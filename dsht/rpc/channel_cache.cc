// SPDX-License-Identifier: Apache-2.0
#include "dsht/rpc/channel_cache.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>

#include "base/check.h"
#include "dsht/rpc/credentials.h"

namespace reef::dsht {
namespace {

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& target) {
  grpc::ChannelArguments arguments;
  // Nodes speak to each other directly, whatever proxy the environment names.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Its own connection: closing the channel closes it, and tests may run many nodes in a process.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // A restarted peer is found within a second; gRPC's own default goes up to two minutes.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  // Despite its name the time that one attempt to connect may take.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2000);
  // The core has deadlines and retries of its own; gRPC's would hide a dead peer from it.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  // No look-ups of service configuration in DNS for a plain host and port.
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  arguments.SetMaxReceiveMessageSize(kEnvelopeBytesMax);
  arguments.SetMaxSendMessageSize(kEnvelopeBytesMax);
  return grpc::CreateCustomChannel(target, NodeChannelCredentials(), arguments);
}

}  // namespace

std::shared_ptr<grpc::Channel> ChannelCache::For(const std::string& target, Instant now) {
  if (const auto found = by_target_.find(target); found != by_target_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    entries_.front().used_at = now;
    return entries_.front().channel;
  }
  if (entries_.size() >= options_.channels_max) {
    by_target_.erase(entries_.back().target);
    entries_.pop_back();
  }
  entries_.push_front({target, MakeChannel(target), now});
  by_target_.emplace(target, entries_.begin());
  REEF_CHECK(by_target_.size() == entries_.size());
  return entries_.front().channel;
}

void ChannelCache::CloseIdle(Instant now) {
  while (!entries_.empty() && entries_.back().used_at + options_.idle_max <= now) {
    by_target_.erase(entries_.back().target);
    entries_.pop_back();
  }
}

Instant ChannelCache::NextDeadline() const {
  return entries_.empty() ? kNever : entries_.back().used_at + options_.idle_max;
}

}  // namespace reef::dsht
