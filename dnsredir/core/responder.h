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
#include <string_view>
#include <vector>

#include "base/endpoint.h"
#include "base/instant.h"
#include "base/rng.h"
#include "dnsredir/core/proxy_view.h"
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
};

class Responder {
 public:
  // `zones` is borrowed.
  Responder(const std::vector<Zone>& zones, Rng rng) : zones_(zones), rng_(rng) {}

  // The size of the answer now in packet.data; 0: send nothing (not a query). `view` is borrowed
  // for the call. Requires: packet.size <= packet.capacity, packet.capacity >= 512.
  size_t Answer(Instant now, const Packet& packet, const ProxyView& view);

  const Stats& stats() const { return stats_; }

 private:
  struct Answering;

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
  Rng rng_;
  Stats stats_;
};

}  // namespace reef::dns
