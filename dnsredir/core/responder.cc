// SPDX-License-Identifier: Apache-2.0
#include "dnsredir/core/responder.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace reef::dns {
namespace {

constexpr uint16_t kFlagResponse = 0x8000;
constexpr uint16_t kFlagAuthoritative = 0x0400;
constexpr uint16_t kFlagTruncated = 0x0200;
constexpr uint16_t kFlagRecursionDesired = 0x0100;
constexpr uint16_t kOpcodeMask = 0x7800;

constexpr size_t kNsAnswersMax = 8;
constexpr size_t kNsidBytesMax = 64;

// RFC 8482, 4.2: CPU "RFC8482", OS empty.
constexpr std::string_view kAnyRdata("\x07RFC8482\x00", 9);

TypeRow RowOf(uint16_t type) {
  switch (type) {
    case kA:
      return TypeRow::kA;
    case kAaaa:
      return TypeRow::kAaaa;
    case kNs:
      return TypeRow::kNs;
    case kSoa:
      return TypeRow::kSoa;
    case kTxt:
      return TypeRow::kTxt;
    case kCaa:
      return TypeRow::kCaa;
    case kHttps:
      return TypeRow::kHttps;
    case kAny:
      return TypeRow::kAny;
    default:
      return TypeRow::kOther;
  }
}

RcodeRow RowOf(Rcode rcode) {
  switch (rcode) {
    case kNoError:
      return RcodeRow::kNoError;
    case kFormErr:
      return RcodeRow::kFormErr;
    case kNxDomain:
      return RcodeRow::kNxDomain;
    case kNotImp:
      return RcodeRow::kNotImp;
    case kRefused:
      return RcodeRow::kRefused;
    case kBadVers:
      return RcodeRow::kBadVers;
  }
  return RcodeRow::kNoError;
}

// Of any row of an enum class.
template <typename Row>
size_t Index(Row row) {
  return static_cast<size_t>(row);
}

void PutHeader(uint8_t* data, uint16_t id, uint16_t flags, uint16_t questions, uint16_t answers,
               uint16_t authority, uint16_t additional) {
  Writer writer(data, 0, kHeaderBytes);
  writer.U16(id);
  writer.U16(flags);
  writer.U16(questions);
  writer.U16(answers);
  writer.U16(authority);
  writer.U16(additional);
}

// Of the option as it is sent back.
size_t ClientSubnetBytes(const ClientSubnet& subnet) {
  return 4 + (subnet.source_bits + size_t{7}) / 8;
}

// How much of the buffer an answer may fill, the room for OPT apart.
size_t AnswerLimit(const Packet& packet, const Query& query, size_t opt_bytes) {
  size_t limit = std::min<size_t>(packet.capacity, 65535);
  if (packet.transport == Transport::kUdp) {
    const size_t asked = query.has_edns ? query.edns.payload_bytes : kPlainUdpBytes;
    limit = std::min(limit, std::clamp(asked, kPlainUdpBytes, kUdpPayloadBytes));
  }
  return limit - opt_bytes;
}

}  // namespace

// An answer under construction, after its question.
struct Responder::Answering {
  Answering(Instant at, const Packet& from, const Header& head, const Query& question,
            const ProxyView& proxies, const CookieCheck& brought, size_t opt_size)
      : now(at),
        packet(from),
        header(head),
        query(question),
        view(proxies),
        cookie(brought),
        opt_bytes(opt_size),
        writer(from.data, question.question_end, AnswerLimit(from, question, opt_size)) {}

  void Name(const CompressedName& name) {
    writer.Bytes(name.labels);
    if (name.in_zone) writer.Pointer(zone_at);
  }

  // After a record of the answer or authority section. One that does not fit empties the answer
  // and sets TC: the asker comes back by TCP (RFC 2181, 9).
  void Count(uint16_t& section) {
    if (writer.ok()) {
      ++section;
      return;
    }
    truncated = true;
    answers = authority = additional = 0;
    writer.Rewind(query.question_end);
  }

  Instant now;
  const Packet& packet;
  const Header& header;
  const Query& query;
  const ProxyView& view;
  const CookieCheck cookie;
  const size_t opt_bytes;  // kOptBytes: without options
  Writer writer;
  const Zone* zone = nullptr;
  size_t zone_at = 0;  // where the question spells the zone's name
  uint16_t answers = 0;
  uint16_t authority = 0;
  uint16_t additional = 0;
  bool truncated = false;
};

Responder::Responder(const std::vector<Zone>& zones, Rng rng, ResponderOptions options)
    : zones_(zones),
      options_(std::move(options)),
      rng_(rng),
      limiter_(options_.rate_limit, rng_.Next()) {
  REEF_CHECK(options_.nsid.size() <= kNsidBytesMax) << options_.nsid;
}

size_t Responder::Answer(Instant now, const Packet& packet, const ProxyView& view) {
  REEF_CHECK(packet.size <= packet.capacity && packet.capacity >= kPlainUdpBytes);
  ++stats_.queries[Index(packet.transport)];
  if (packet.size < kHeaderBytes) {
    ++stats_.short_messages;
    return 0;
  }
  const std::span<const uint8_t> message(packet.data, packet.size);
  const Header header = ReadHeader(message);
  if (header.is_response()) {  // else two servers could answer each other for ever
    ++stats_.responses;
    return 0;
  }
  if (header.opcode() != 0) return HeaderOnly(packet, header, kNotImp);

  Query query;
  const Malformed reason = ParseQuery(message, query);
  if (reason != Malformed::kNone) {
    ++stats_.malformed[Index(reason)];
    return HeaderOnly(packet, header, kFormErr);
  }
  ++stats_.types[Index(RowOf(query.type))];
  const CookieCheck cookie = ReadCookie(now, packet, query);
  const RateLimiter::Verdict verdict = JudgeRate(now, packet, cookie);
  if (verdict == RateLimiter::Verdict::kDrop) {
    ++stats_.rate_dropped;
    return 0;
  }
  if (verdict == RateLimiter::Verdict::kTruncate) {
    ++stats_.rate_truncated;
    // Without options it is no longer than the query, so that nobody gains by forging one.
    Answering refused(now, packet, header, query, view, cookie, query.has_edns ? kOptBytes : 0);
    refused.truncated = true;
    return Finish(refused, kNoError, false);
  }
  Answering answering(now, packet, header, query, view, cookie, OptBytes(query));
  // RFC 6891, 6.1.3
  if (query.has_edns && query.edns.version > 0) return Finish(answering, kBadVers, false);
  const Rcode rcode = Resolve(answering);
  // RFC 1035, 6.2: an answer for any class cannot be authoritative.
  return Finish(answering, rcode, rcode != kRefused && query.klass == kIn);
}

uint32_t Responder::CookieSeconds(Instant now) const {
  const Duration unix_time = now.time_since_epoch() + options_.unix_offset;
  return static_cast<uint32_t>(std::chrono::floor<std::chrono::seconds>(unix_time).count());
}

CookieCheck Responder::ReadCookie(Instant now, const Packet& packet, const Query& query) {
  if (!query.has_edns) return {};
  const std::span<const uint8_t> brought(query.edns.cookie.data(), query.edns.cookie_bytes);
  const CookieCheck cookie =
      CheckCookie(options_.cookie_secret, brought, packet.client, CookieSeconds(now));
  ++stats_.cookies[Index(cookie.state)];
  return cookie;
}

RateLimiter::Verdict Responder::JudgeRate(Instant now, const Packet& packet,
                                          const CookieCheck& cookie) {
  if (packet.transport == Transport::kTcp || cookie.state == CookieState::kValid) {
    return RateLimiter::Verdict::kAnswer;
  }
  const RateLimiter::Verdict verdict = limiter_.Judge(now, packet.client);
  stats_.rate_evictions = limiter_.evictions();
  return verdict;
}

// Of OPT in the answer, options included.
size_t Responder::OptBytes(const Query& query) const {
  if (!query.has_edns) return 0;
  size_t bytes = kOptBytes;
  if (TellsNsid(query.edns)) bytes += kOptionHeadBytes + options_.nsid.size();
  if (query.edns.cookie_bytes > 0) bytes += kOptionHeadBytes + kCookieBytes;
  if (query.edns.client_subnet) {
    bytes += kOptionHeadBytes + ClientSubnetBytes(*query.edns.client_subnet);
  }
  return bytes;
}

void Responder::AddOptions(const Answering& a, Writer& opt) const {
  if (a.opt_bytes == kOptBytes) return;
  const Edns& edns = a.query.edns;
  if (TellsNsid(edns)) {
    opt.OptionHead(kOptionNsid, options_.nsid.size());
    opt.Bytes(options_.nsid);
  }
  if (edns.cookie_bytes > 0) {
    opt.OptionHead(kOptionCookie, kCookieBytes);
    const bool is_good = a.cookie.state == CookieState::kValid && !a.cookie.is_to_be_renewed;
    const std::span<const uint8_t> brought(edns.cookie.data(), edns.cookie_bytes);
    const Cookie made = is_good ? Cookie{}
                                : MakeCookie(options_.cookie_secret, brought, a.packet.client,
                                             CookieSeconds(a.now));
    opt.Bytes(is_good ? brought : made);
  }
  if (edns.client_subnet) {
    // RFC 7871, 7.2.1: a scope of 0, for the answer holds for every network.
    const size_t bytes = ClientSubnetBytes(*edns.client_subnet);
    opt.OptionHead(kOptionClientSubnet, bytes);
    opt.U16(edns.client_subnet->address.is_v4() ? 1 : 2);
    opt.U8(edns.client_subnet->source_bits);
    opt.U8(0);
    opt.Bytes(edns.client_subnet->address.bytes().first(bytes - 4));
  }
}

// Where the question cannot be relied on, or need not be read (RFC 8906, 3.1.4).
size_t Responder::HeaderOnly(const Packet& packet, const Header& header, Rcode rcode) {
  ++stats_.answers[Index(RowOf(rcode))];
  const auto flags = static_cast<uint16_t>(
      kFlagResponse | (header.flags & (kOpcodeMask | kFlagRecursionDesired)) | rcode);
  PutHeader(packet.data, header.id, flags, 0, 0, 0, 0);
  return kHeaderBytes;
}

size_t Responder::Finish(Answering& a, Rcode rcode, bool authoritative) {
  ++stats_.answers[Index(RowOf(rcode))];
  if (a.truncated) ++stats_.truncated;
  if (rcode == kNoError && a.answers == 0 && !a.truncated) ++stats_.no_data;

  size_t size = a.writer.at();
  if (a.query.has_edns) {
    Writer opt(a.packet.data, size, size + a.opt_bytes);
    opt.Opt(rcode, a.query.edns.dnssec_ok, a.opt_bytes - kOptBytes);
    AddOptions(a, opt);
    REEF_CHECK(opt.ok());
    size = opt.at();
    ++a.additional;
  }
  // RFC 1035, 4.1.1: RD is copied; RA, Z, and AD and CD (we do no DNSSEC) are clear.
  const auto flags =
      static_cast<uint16_t>(kFlagResponse | (authoritative ? kFlagAuthoritative : 0) |
                            (a.truncated ? kFlagTruncated : 0) |
                            (a.header.flags & kFlagRecursionDesired) | (rcode & 0xf));
  PutHeader(a.packet.data, a.header.id, flags, 1, a.answers, a.authority, a.additional);
  REEF_CHECK(size <= a.packet.capacity);
  return size;
}

Rcode Responder::Resolve(Answering& a) {
  const Query& query = a.query;
  if (query.klass != kIn && query.klass != kAnyClass) return kRefused;
  a.zone = FindZone(zones_, query);
  if (a.zone == nullptr || query.type == kAxfr || query.type == kIxfr) return kRefused;
  a.zone_at = kHeaderBytes + query.name_bytes - a.zone->name().size();

  const Zone::Match match = a.zone->Find(query);
  Rcode rcode = kNoError;
  switch (match.kind) {
    case Zone::Kind::kApex:
      AnswerApex(a, *match.node);
      break;
    case Zone::Kind::kHost:
      AnswerHost(a, match.node);
      break;
    case Zone::Kind::kStatic:
      if (query.type == kAny && !match.node->sets.empty()) {
        AnswerAny(a);
      } else {
        AddStatic(a, *match.node);
      }
      break;
    case Zone::Kind::kNsLabel:
      if (!AnswerNsLabel(a)) rcode = kNxDomain;
      break;
    case Zone::Kind::kEmpty:
      break;
    case Zone::Kind::kNxDomain:
      rcode = kNxDomain;
      break;
  }
  if (a.answers == 0 && !a.truncated) AddSoa(a, a.authority, true);
  return rcode;
}

void Responder::AnswerApex(Answering& a, const Zone::Node& node) {
  switch (a.query.type) {
    case kSoa:
      return AddSoa(a, a.answers, false);
    case kNs:
      return AddNs(a);
    case kA:
    case kAaaa:
      return AddProxies(a);
    case kAny:
      return AnswerAny(a);
    default:
      return AddStatic(a, node);
  }
}

void Responder::AnswerHost(Answering& a, const Zone::Node* node) {
  if (a.query.type == kA || a.query.type == kAaaa) return AddProxies(a);
  if (a.query.type == kAny) return AnswerAny(a);
  if (node != nullptr) AddStatic(a, *node);
}

bool Responder::AnswerNsLabel(Answering& a) {
  const NameServer* server =
      a.view.FindNameServer(a.query.Name().substr(0, NameServer::kLabelBytes));
  if (server == nullptr) return false;
  if (a.query.type == kAny) {
    AnswerAny(a);
  } else if (a.query.type == (server->address.is_v4() ? kA : kAaaa)) {
    a.writer.Address(kHeaderBytes, server->address, a.zone->options().ns_ttl_s);
    a.Count(a.answers);
  }
  return true;
}

void Responder::AnswerAny(Answering& a) {
  a.writer.RecordHead(kHeaderBytes, kHinfo, a.zone->options().ns_ttl_s,
                      static_cast<uint16_t>(kAnyRdata.size()));
  a.writer.Bytes(kAnyRdata);
  a.Count(a.answers);
}

void Responder::AddStatic(Answering& a, const Zone::Node& node) {
  const Zone::RecordSet* set = node.FindSet(a.query.type);
  if (set == nullptr) return;
  for (const std::string& rdata : set->rdata) {
    a.writer.RecordHead(kHeaderBytes, set->type, set->ttl_s, static_cast<uint16_t>(rdata.size()));
    a.writer.Bytes(rdata);
    a.Count(a.answers);
    if (a.truncated) return;
  }
}

void Responder::AddProxies(Answering& a) {
  const auto family = a.query.type == kA ? IpAddress::Family::kV4 : IpAddress::Family::kV6;
  const std::span<const IpAddress> pool = a.view.Proxies(family);
  if (pool.empty()) {
    if (a.view.IsEmpty()) ++stats_.without_address;
    return;
  }
  const ZoneOptions& options = a.zone->options();
  uint32_t ttl_s = options.address_ttl_s;
  if (a.view.IsGuess(a.now)) {
    ++stats_.guesses;
    ttl_s = options.guess_ttl_s;
  }
  std::array<uint32_t, kAnswersMax> chosen;
  const size_t count = ChooseProxies(pool.size(), options.answers_max, rng_, chosen);
  for (size_t i = 0; i < count; ++i) {
    a.writer.Address(kHeaderBytes, pool[chosen[i]], ttl_s);
    a.Count(a.answers);
  }
}

// In a negative answer its TTL is how long the answer holds (RFC 2308, 5).
void Responder::AddSoa(Answering& a, uint16_t& section, bool negative) {
  const ZoneOptions& options = a.zone->options();
  const std::span<const NameServer> servers = a.view.NameServers();
  const uint32_t ttl_s =
      negative ? std::min(options.ns_ttl_s, options.negative_ttl_s) : options.ns_ttl_s;
  Writer& w = a.writer;
  w.RecordHead(a.zone_at, kSoa, ttl_s, 0);
  const size_t rdata_at = w.at();
  if (!a.zone->has_primary() && !servers.empty()) w.Bytes(servers[0].Label());
  a.Name(a.zone->primary());
  a.Name(a.zone->contact());
  w.U32(options.serial);
  w.U32(options.refresh_s);
  w.U32(options.retry_s);
  w.U32(options.expire_s);
  w.U32(options.negative_ttl_s);
  if (w.ok()) w.Patch16(rdata_at - 2, static_cast<uint16_t>(w.at() - rdata_at));
  a.Count(section);
}

void Responder::AddNs(Answering& a) {
  if (a.zone->apex_servers().empty()) {
    AddKnownNs(a);
  } else {
    AddConfiguredNs(a);
  }
}

// Writes an NS record and its name; returns where the name begins.
size_t Responder::AddNsRecord(Answering& a, std::string_view labels, bool in_zone) {
  const size_t bytes = labels.size() + (in_zone ? 2 : 0);
  a.writer.RecordHead(a.zone_at, kNs, a.zone->options().ns_ttl_s, static_cast<uint16_t>(bytes));
  const size_t name_at = a.writer.at();
  a.writer.Bytes(labels);
  if (in_zone) a.writer.Pointer(a.zone_at);
  a.Count(a.answers);
  return name_at;
}

// Additional data that does not fit is left out, without TC (RFC 2181, 9).
void Responder::AddGlue(Answering& a, size_t owner, const IpAddress& address) {
  const size_t before = a.writer.at();
  a.writer.Address(owner, address, a.zone->options().ns_ttl_s);
  if (a.writer.ok()) {
    ++a.additional;
  } else {
    a.writer.Rewind(before);
  }
}

void Responder::AddConfiguredNs(Answering& a) {
  std::array<size_t, kApexServersMax> name_at;
  size_t count = 0;
  for (const Zone::ApexServer& server : a.zone->apex_servers()) {
    name_at[count++] = AddNsRecord(a, server.name.labels, server.name.in_zone);
    if (a.truncated) return;
  }
  for (size_t i = 0; i < count; ++i) {
    const Zone::ApexServer& server = a.zone->apex_servers()[i];
    if (!server.name.in_zone) continue;
    for (const IpAddress& address : server.addresses) AddGlue(a, name_at[i], address);
  }
}

// Of many servers some, from a random place on, so that all are found in time.
void Responder::AddKnownNs(Answering& a) {
  const std::span<const NameServer> servers = a.view.NameServers();
  if (servers.empty()) return;
  const size_t first = rng_.Below(servers.size());
  const size_t count = std::min(servers.size(), kNsAnswersMax);
  std::array<size_t, kNsAnswersMax> name_at;
  for (size_t i = 0; i < count; ++i) {
    name_at[i] = AddNsRecord(a, servers[(first + i) % servers.size()].Label(), true);
    if (a.truncated) return;
  }
  for (size_t i = 0; i < count; ++i) {
    AddGlue(a, name_at[i], servers[(first + i) % servers.size()].address);
  }
}

}  // namespace reef::dns
