// SPDX-License-Identifier: Apache-2.0
//
// ProxyView: what this redirector may answer with: an immutable picture of the proxies and name
// servers that the index knows, sorted by whether new clients should be sent there. Made every few
// seconds by the server, handed to its workers, never changed (docs/dns.md, "The view").
//
// A proxy is live if it answered within kVerifiedMax and is neither draining nor overloaded. Only
// live proxies are handed out; with none live all known ones are, and with none known this node's
// own, both with a short TTL: a wrong guess is better than no answer.
//
// Immutable, so any thread; built with allocation, read without.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/endpoint.h"
#include "base/instant.h"
#include "base/rng.h"
#include "dsht/client.h"

namespace reef::dns {

// A proxy not heard from for longer is not handed out (also: a view older than this).
inline constexpr Duration kVerifiedMax = std::chrono::seconds(30);

// A name server found through the index. Its name is ns-XXXXXXXX.ZONE in each zone, where the X are
// the first eight hex digits of its id.
struct NameServer {
  static constexpr size_t kLabelBytes = 12;  // the length byte and 11 characters
  std::array<char, kLabelBytes> label;
  IpAddress address;

  std::string_view Label() const { return {label.data(), label.size()}; }
};

class ProxyView {
 public:
  // `proxies` and `name_servers` as the index tells them at `now` (entries without that service are
  // skipped); `self` is this node as it is advertised, the last resort.
  ProxyView(Instant now, std::span<const dsht::NodeInfo> proxies,
            std::span<const dsht::NodeInfo> name_servers, const dsht::NodeInfo& self);

  // What to answer with, of one family; empty if no such address is to be handed out.
  std::span<const IpAddress> Proxies(IpAddress::Family family) const {
    return family == IpAddress::Family::kV4 ? v4_ : v6_;
  }
  bool IsEmpty() const { return v4_.empty() && v6_.empty(); }
  // True if Proxies are a guess: none is live, or the view has not been renewed for kVerifiedMax.
  bool IsGuess(Instant now) const { return !any_live_ || now > good_until_; }

  // Ordered by label, live ones only unless none is.
  std::span<const NameServer> NameServers() const { return name_servers_; }
  // Also one that is not live: its name outlives it in caches. Null if unknown. `label` in wire
  // form, lower case; the result is borrowed from the view.
  const NameServer* FindNameServer(std::string_view label) const;

  size_t live_proxy_count() const { return live_proxy_count_; }
  size_t known_proxy_count() const { return known_proxy_count_; }

 private:
  std::vector<IpAddress> v4_;
  std::vector<IpAddress> v6_;
  std::vector<NameServer> name_servers_;
  std::vector<NameServer> known_name_servers_;  // ordered by label
  size_t live_proxy_count_ = 0;
  size_t known_proxy_count_ = 0;
  bool any_live_ = false;
  Instant good_until_;
};

inline constexpr size_t kAnswersMax = 8;

// Picks which of `pool_size` equally good addresses a client gets, in which order: a random sample
// of at most `wanted` different indexes, written to `chosen`. Returns how many. This is the place
// of a ranking by nearness and load. Requires: wanted <= kAnswersMax.
size_t ChooseProxies(size_t pool_size, size_t wanted, Rng& rng,
                     std::array<uint32_t, kAnswersMax>& chosen);

}  // namespace reef::dns
