// SPDX-License-Identifier: Apache-2.0
//
// Zone: one zone of which this server is an authority: its parameters, its static records, and the
// rule which names exist in it.
//
// Which names exist (docs/dns.md, "What exists"):
//  1. the apex, and every name with a static record, and the names between (RFC 4592, 2.2.2);
//  2. ns-XXXXXXXX below the apex, for the name servers that the index knows; the other names of
//     this form, and everything below such a name, do not exist;
//  3. every other name below the apex whose labels could be part of a host name: letters, digits,
//     hyphens, underscores, not beginning with an underscore (RFC 8552 keeps those for other uses),
//     and whose label next to the apex, if all digits, is at most 65535: a port or part of an
//     address. One such label of digits alone is no host: an empty non-terminal (RFC 8020).
// Nothing else exists. If a name does not exist, none below it does.
//
// Immutable after Make; any thread. Find does not allocate.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/endpoint.h"
#include "base/instant.h"
#include "base/status.h"
#include "dnsredir/core/wire.h"

namespace reef::dns {

// A record from the configuration. Types as Type; SOA and NS are not among them.
struct StaticRecord {
  std::string name;  // "@" for the apex, else a full name in the zone
  uint16_t type = kTxt;
  uint32_t ttl_s = 300;
  std::string rdata;  // wire form, see below
};
std::string AddressRdata(const IpAddress& address);
// In strings of at most 255 bytes (RFC 1035, 3.3.14).
std::string TxtRdata(std::string_view text);
// RFC 8659, 4.1. Requires: tag of 1 to 255 bytes.
std::string CaaRdata(uint8_t flags, std::string_view tag, std::string_view value);

struct ZoneOptions {
  std::string name = "nyud.net";

  // The apex NS set, in this order, with the addresses that become glue; a name may come several
  // times. Empty: the name servers that the index knows, as ns-XXXXXXXX.ZONE.
  struct Server {
    std::string name;
    IpAddress address;
  };
  std::vector<Server> name_servers;
  std::vector<StaticRecord> records;

  // SOA (RFC 1035, 3.3.13). There are no secondaries: the three timers are for show.
  std::string primary;  // empty: the first name server
  std::string contact;  // of the mailbox as a name; empty: hostmaster.ZONE
  uint32_t serial = 1;
  uint32_t refresh_s = 3600;
  uint32_t retry_s = 600;
  uint32_t expire_s = 604800;
  uint32_t negative_ttl_s = 60;  // RFC 2308, 4

  uint32_t address_ttl_s = 30;  // of proxies
  uint32_t guess_ttl_s = 5;     // of proxies when none is live
  uint32_t ns_ttl_s = 3600;     // of NS, their addresses and SOA
  size_t answers_max = 3;       // proxies in one answer: 1 to kAnswersMax
};

// A name to be written into an answer: its leading labels, then a pointer to the zone's name in the
// question if it is in the zone.
struct CompressedName {
  std::string labels;  // wire form; with the root's zero byte if not in_zone
  bool in_zone = false;
};

inline constexpr size_t kApexServersMax = 13;

class Zone {
 public:
  struct RecordSet {
    uint16_t type;
    uint32_t ttl_s;
    std::vector<std::string> rdata;
  };
  struct Node {
    std::string labels;  // below the apex: wire form without the apex, lower case; empty: the apex
    std::vector<RecordSet> sets;
    bool has_address = false;  // then no proxies are handed out under this name

    const RecordSet* FindSet(uint16_t type) const;
  };
  struct ApexServer {
    CompressedName name;
    std::vector<IpAddress> addresses;
  };

  // An invalid option gives a sentence that names it.
  static StatusOr<Zone> Make(const ZoneOptions& options);

  const std::string& name() const { return name_; }  // wire form, lower case
  size_t label_count() const { return label_count_; }
  const ZoneOptions& options() const { return options_; }
  const std::vector<ApexServer>& apex_servers() const { return apex_servers_; }
  // The zone's own name if !has_primary(): a name server that the view knows goes before it.
  const CompressedName& primary() const { return primary_; }
  bool has_primary() const { return has_primary_; }
  const CompressedName& contact() const { return contact_; }
  const Node& apex() const { return apex_; }

  // True if the query's name is the apex or below it.
  bool Contains(const Query& query) const;

  enum class Kind : uint8_t {
    kApex,
    kHost,     // a coralised name: proxies' addresses, and node's records if there are some
    kStatic,   // what node says, nothing else
    kNsLabel,  // rule 2: exists if the view knows that server
    kEmpty,    // exists without records
    kNxDomain,
  };
  struct Match {
    Kind kind;
    const Node* node;  // null if there are no static records; borrowed from the zone
  };
  // Requires: Contains(query).
  Match Find(const Query& query) const;

 private:
  Zone() = default;
  Status AddRecord(const StaticRecord& record);
  Status AddServers();
  StatusOr<CompressedName> Compress(std::string_view text, std::string_view option) const;

  ZoneOptions options_;
  std::string name_;
  size_t label_count_ = 0;
  std::vector<ApexServer> apex_servers_;
  CompressedName primary_{"", true};
  bool has_primary_ = false;
  CompressedName contact_;
  Node apex_;
  std::vector<Node> nodes_;  // ordered by labels; with the empty names between
};

// The zone that the query's name is in, the innermost if several; null if none.
const Zone* FindZone(const std::vector<Zone>& zones, const Query& query);

}  // namespace reef::dns
