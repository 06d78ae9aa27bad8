// SPDX-License-Identifier: Apache-2.0
//
// Responder: the whole DNS service but its sockets: one message in, its answer in the same buffer
// (docs/dns.md has the table of clauses). Authoritative only: no recursion, no transfer.
//
// Owned by one worker; not thread-safe. Does not block, allocate, lock or read a clock: what it
// answers follows from its arguments, the zones and the state of its Rng.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/endpoint.h"
#include "base/instant.h"
#include "base/rng.h"
#include "dnsredir/core/cookie.h"
#include "dnsredir/core/proxy_view.h"
#include "dnsredir/core/rate_limiter.h"
#include "dnsredir/core/stats.h"
#include "dnsredir/core/wire.h"
#include "dnsredir/core/zone.h"

namespace reef::dns {

// A message as received; Answer overwrites it.
struct Packet {
  uint8_t* data;
  size_t size;
  size_t capacity;  // of data; an answer is never longer
  Transport transport;
  IpAddress client{};  // where it came from
};

struct ResponderOptions {
  // What this server calls itself to who asks (RFC 5001), 64 bytes at most; empty: nothing.
  std::string nsid;
  CookieSecret cookie_secret{};
  // Unix time less the clock of Instant, for cookies.
  Duration unix_offset{};
  // Of answers by UDP. Who brings a valid cookie is not limited, nor is an answer without a
  // question in it: it is never longer than what it answers.
  RateLimiter::Options rate_limit;
};

class Responder {
 public:
  // `zones` is borrowed.
  Responder(const std::vector<Zone>& zones, Rng rng, ResponderOptions options = {});

  // The size of the answer now in packet.data; 0: send nothing (not a query, or beyond the rate).
  // `view` is borrowed for the call. Requires: packet.size <= packet.capacity, packet.capacity >=
  // 512.
  size_t Answer(Instant now, const Packet& packet, const ProxyView& view);

  const Stats& stats() const { return stats_; }

 private:
  struct Answering;

  uint32_t CookieSeconds(Instant now) const;
  CookieCheck ReadCookie(Instant now, const Packet& packet, const Query& query);
  RateLimiter::Verdict JudgeRate(Instant now, const Packet& packet, const CookieCheck& cookie);
  bool TellsNsid(const Edns& edns) const { return edns.nsid && !options_.nsid.empty(); }
  size_t OptBytes(const Query& query) const;
  void AddOptions(const Answering& a, Writer& opt) const;
  size_t HeaderOnly(const Packet& packet, const Header& header, Rcode rcode);
  size_t Finish(Answering& a, Rcode rcode, bool authoritative);
  Rcode Resolve(Answering& a);
  void AnswerApex(Answering& a, const Zone::Node& node);
  void AnswerHost(Answering& a, const Zone::Node* node);
  bool AnswerNsLabel(Answering& a);  // false: no such server
  void AnswerAny(Answering& a);
  void AddStatic(Answering& a, const Zone::Node& node);
  void AddProxies(Answering& a);
  void AddSoa(Answering& a, uint16_t& section, bool negative);
  void AddNs(Answering& a);
  void AddConfiguredNs(Answering& a);
  void AddKnownNs(Answering& a);
  size_t AddNsRecord(Answering& a, std::string_view labels, bool in_zone);
  void AddGlue(Answering& a, size_t owner, const IpAddress& address);

  const std::vector<Zone>& zones_;
  const ResponderOptions options_;
  Rng rng_;
  RateLimiter limiter_;
  Stats stats_;
};

}  // namespace reef::dns
