// SPDX-License-Identifier: Apache-2.0
#include "dnsredir/core/proxy_view.h"

#include <algorithm>
#include <string>

#include "base/bytes.h"
#include "base/check.h"

namespace reef::dns {
namespace {

bool IsUsable(const Endpoint& endpoint) {
  return endpoint.port != 0 && !endpoint.address.IsUnspecified();
}

NameServer MakeNameServer(const dsht::NodeInfo& node) {
  const std::string text = "ns-" + ToHex(node.id.AsBytes().substr(0, 4));
  NameServer server{{static_cast<char>(text.size())}, node.dns.address};
  std::ranges::copy(text, server.label.begin() + 1);
  return server;
}

// Two nodes whose ids begin alike would share a name: the first keeps it.
void SortByLabel(std::vector<NameServer>& servers) {
  std::ranges::stable_sort(servers, {}, &NameServer::label);
  const auto same = [](const NameServer& a, const NameServer& b) { return a.label == b.label; };
  servers.erase(std::unique(servers.begin(), servers.end(), same), servers.end());
}

void SortAddresses(std::vector<IpAddress>& addresses) {
  std::ranges::sort(addresses);
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
}

// A 32-bit random number to [0, bound), without a division; the bias is below bound / 2^32.
uint32_t Scale(uint64_t random32, uint32_t bound) {
  return static_cast<uint32_t>((random32 * bound) >> 32);
}

}  // namespace

ProxyView::ProxyView(Instant now, std::span<const dsht::NodeInfo> proxies,
                     std::span<const dsht::NodeInfo> name_servers, const dsht::NodeInfo& self)
    : good_until_(now + kVerifiedMax) {
  std::vector<IpAddress> live;
  std::vector<IpAddress> known;
  for (const dsht::NodeInfo& node : proxies) {
    if (!IsUsable(node.http)) continue;
    known.push_back(node.http.address);
    if (node.draining || node.overloaded || node.verified_ago > kVerifiedMax) continue;
    live.push_back(node.http.address);
  }
  SortAddresses(live);
  SortAddresses(known);
  live_proxy_count_ = live.size();
  known_proxy_count_ = known.size();
  any_live_ = !live.empty();
  if (known.empty() && IsUsable(self.http)) known.push_back(self.http.address);
  for (const IpAddress& address : any_live_ ? live : known) {
    (address.is_v4() ? v4_ : v6_).push_back(address);
  }

  for (const dsht::NodeInfo& node : name_servers) {
    if (!IsUsable(node.dns)) continue;
    known_name_servers_.push_back(MakeNameServer(node));
    // An overloaded proxy may well answer DNS.
    if (node.draining || node.verified_ago > kVerifiedMax) continue;
    name_servers_.push_back(known_name_servers_.back());
  }
  if (known_name_servers_.empty() && IsUsable(self.dns)) {
    known_name_servers_.push_back(MakeNameServer(self));
  }
  SortByLabel(known_name_servers_);
  SortByLabel(name_servers_);
  if (name_servers_.empty()) name_servers_ = known_name_servers_;
}

const NameServer* ProxyView::FindNameServer(std::string_view label) const {
  const auto found = std::ranges::lower_bound(known_name_servers_, label, {}, &NameServer::Label);
  return found != known_name_servers_.end() && found->Label() == label ? &*found : nullptr;
}

size_t ChooseProxies(size_t pool_size, size_t wanted, Rng& rng,
                     std::array<uint32_t, kAnswersMax>& chosen) {
  REEF_CHECK(wanted <= kAnswersMax);
  const size_t count = std::min(pool_size, wanted);
  // Floyd's sample: `count` draws, whatever the size of the pool. Inserting each at a random place
  // makes the order random too.
  for (size_t i = 0; i < count; ++i) {
    const auto last = static_cast<uint32_t>(pool_size - count + i);
    const uint64_t random = rng.Next();
    uint32_t pick = Scale(random >> 32, last + 1);
    const auto end = chosen.begin() + static_cast<ptrdiff_t>(i);
    if (std::find(chosen.begin(), end, pick) != end) pick = last;
    chosen[i] = pick;
    std::swap(chosen[i], chosen[Scale(random & 0xffffffff, static_cast<uint32_t>(i + 1))]);
  }
  return count;
}

}  // namespace reef::dns
