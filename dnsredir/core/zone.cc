// SPDX-License-Identifier: Apache-2.0
#include "dnsredir/core/zone.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "dnsredir/core/proxy_view.h"

namespace reef::dns {
namespace {

// Of the records of one name and type: an answer of 64 KiB over TCP must hold them.
constexpr size_t kSetBytesMax = 16384;

constexpr uint16_t kCname = 5;
constexpr uint16_t kDname = 39;

constexpr uint8_t kDigit = 1;
constexpr uint8_t kHex = 2;
constexpr uint8_t kHostByte = 4;

constexpr std::array<uint8_t, 256> MakeClassTable() {
  std::array<uint8_t, 256> table{};
  for (size_t c = '0'; c <= '9'; ++c) table[c] = kDigit | kHex | kHostByte;
  for (size_t c = 'a'; c <= 'z'; ++c) table[c] = kHostByte;
  for (size_t c = 'a'; c <= 'f'; ++c) table[c] |= kHex;
  table['-'] = kHostByte;
  table['_'] = kHostByte;
  return table;
}
constexpr std::array<uint8_t, 256> kClass = MakeClassTable();

// True if every byte of `text` is in the class.
bool AllOf(std::string_view text, uint8_t bit) {
  uint8_t all = bit;
  for (const char c : text) all &= kClass[static_cast<uint8_t>(c)];
  return all != 0;
}

bool IsNsLabel(std::string_view label) {
  return label.size() == NameServer::kLabelBytes - 1 && label.starts_with("ns-") &&
         AllOf(label.substr(3), kHex);
}

bool IsHostLabel(std::string_view label) {
  return AllOf(label, kHostByte) && label[0] != '_';
}

// A port or an octet of an address. Requires: digits only.
bool IsPort(std::string_view digits) {
  return digits.size() < 5 || (digits.size() == 5 && digits <= "65535");
}

std::string_view LabelAt(const Query& query, size_t index) {
  const size_t at = query.label_at[index];
  return query.Name().substr(at + 1, static_cast<uint8_t>(query.name[at]));
}

enum class HostRule { kHost, kPortAlone, kNever };

// Rule 3 for the first `labels` labels of the name.
HostRule ApplyHostRule(const Query& query, size_t labels) {
  for (size_t i = 0; i < labels; ++i) {
    if (!IsHostLabel(LabelAt(query, i))) return HostRule::kNever;
  }
  const std::string_view last = LabelAt(query, labels - 1);
  if (!AllOf(last, kDigit)) return HostRule::kHost;
  if (!IsPort(last)) return HostRule::kNever;
  return labels == 1 ? HostRule::kPortAlone : HostRule::kHost;
}

// The node named `labels` in a list ordered by labels, made if absent.
Zone::Node& NodeAt(std::vector<Zone::Node>& nodes, std::string_view labels) {
  auto at = std::ranges::lower_bound(nodes, labels, {}, &Zone::Node::labels);
  if (at == nodes.end() || at->labels != labels) {
    at = nodes.insert(at, Zone::Node{std::string(labels), {}, false});
  }
  return *at;
}

Status AddToNode(Zone::Node& node, const StaticRecord& record) {
  auto set = std::ranges::find(node.sets, record.type, &Zone::RecordSet::type);
  if (set == node.sets.end()) {
    set = node.sets.insert(set, Zone::RecordSet{record.type, record.ttl_s, {}});
  }
  size_t bytes = record.rdata.size();
  for (const std::string& other : set->rdata) bytes += other.size();
  if (bytes > kSetBytesMax) {
    return InvalidArgument("record " + record.name + ": over 16 KiB under one name and type");
  }
  // Records of one set have one TTL (RFC 2181, 5.2): the smallest. A repeated one counts once.
  set->ttl_s = std::min(set->ttl_s, record.ttl_s);
  if (std::ranges::find(set->rdata, record.rdata) == set->rdata.end()) {
    set->rdata.push_back(record.rdata);
  }
  node.has_address |= record.type == kA || record.type == kAaaa;
  return absl::OkStatus();
}

}  // namespace

std::string AddressRdata(const IpAddress& address) {
  const std::span<const uint8_t> bytes = address.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string TxtRdata(std::string_view text) {
  std::string rdata;
  do {
    const std::string_view part = text.substr(0, 255);
    rdata.push_back(static_cast<char>(part.size()));
    rdata += part;
    text.remove_prefix(part.size());
  } while (!text.empty());
  return rdata;
}

std::string CaaRdata(uint8_t flags, std::string_view tag, std::string_view value) {
  REEF_CHECK(!tag.empty() && tag.size() <= 255);
  std::string rdata{static_cast<char>(flags), static_cast<char>(tag.size())};
  rdata += tag;
  rdata += value;
  return rdata;
}

const Zone::RecordSet* Zone::Node::FindSet(uint16_t type) const {
  const auto found = std::ranges::find(sets, type, &RecordSet::type);
  return found == sets.end() ? nullptr : &*found;
}

StatusOr<Zone> Zone::Make(const ZoneOptions& options) {
  const std::optional<std::string> name = NameFromText(options.name);
  if (!name || name->size() == 1) {
    return InvalidArgument("zone \"" + options.name + "\": not a domain name");
  }
  if (options.answers_max < 1 || options.answers_max > kAnswersMax) {
    return InvalidArgument("zone " + options.name + ": answers_max: expected 1 to " +
                           std::to_string(kAnswersMax));
  }
  Zone zone;
  zone.options_ = options;
  zone.name_ = *name;
  zone.label_count_ = LabelCount(*name);
  RETURN_IF_ERROR(zone.AddServers());
  for (const StaticRecord& record : options.records) RETURN_IF_ERROR(zone.AddRecord(record));

  const std::string contact =
      options.contact.empty() ? "hostmaster." + options.name : options.contact;
  ASSIGN_OR_RETURN(zone.contact_, zone.Compress(contact, "contact"));
  zone.has_primary_ = !options.primary.empty() || !zone.apex_servers_.empty();
  if (!options.primary.empty()) {
    ASSIGN_OR_RETURN(zone.primary_, zone.Compress(options.primary, "primary"));
  } else if (zone.has_primary_) {
    zone.primary_ = zone.apex_servers_[0].name;
  }
  return zone;
}

StatusOr<CompressedName> Zone::Compress(std::string_view text, std::string_view option) const {
  std::optional<std::string> wire = NameFromText(text);
  if (!wire) {
    return InvalidArgument("zone " + options_.name + ": " + std::string(option) + " \"" +
                           std::string(text) + "\": not a domain name");
  }
  if (!IsAtOrBelow(*wire, name_)) return CompressedName{std::move(*wire), false};
  return CompressedName{wire->substr(0, wire->size() - name_.size()), true};
}

Status Zone::AddServers() {
  for (const ZoneOptions::Server& server : options_.name_servers) {
    ASSIGN_OR_RETURN(CompressedName name, Compress(server.name, "name server"));
    if (name.in_zone && name.labels.empty()) {
      return InvalidArgument("zone " + options_.name +
                             ": the zone's own name gives proxies, it cannot name a server");
    }
    if (name.in_zone) {
      RETURN_IF_ERROR(AddRecord({server.name, server.address.is_v4() ? kA : kAaaa,
                                 options_.ns_ttl_s, AddressRdata(server.address)}));
    }
    auto known = std::ranges::find(apex_servers_, name.labels,
                                   [](const ApexServer& s) { return s.name.labels; });
    if (known == apex_servers_.end()) {
      known = apex_servers_.insert(known, ApexServer{std::move(name), {}});
    }
    known->addresses.push_back(server.address);
  }
  if (apex_servers_.size() > kApexServersMax) {
    return InvalidArgument("zone " + options_.name + ": more than " +
                           std::to_string(kApexServersMax) + " name servers");
  }
  return absl::OkStatus();
}

Status Zone::AddRecord(const StaticRecord& record) {
  const std::string where = "zone " + options_.name + ": record " + record.name;
  if (record.type == kSoa || record.type == kNs || record.type == kCname || record.type == kDname ||
      record.type == kOpt || (record.type >= 128 && record.type <= 255)) {
    return InvalidArgument(where + ": type " + std::to_string(record.type) +
                           " cannot be a static record");
  }
  const bool at_apex = record.name == "@";
  ASSIGN_OR_RETURN(const CompressedName name,
                   Compress(at_apex ? options_.name : record.name, "record"));
  if (!name.in_zone) return InvalidArgument(where + ": not in the zone");
  if (name.labels.empty()) {
    if (record.type == kA || record.type == kAaaa) {
      return InvalidArgument(where + ": the addresses of the zone's own name are the proxies'");
    }
    return AddToNode(apex_, record);
  }
  // Every name between exists too.
  std::string_view labels = name.labels;
  RETURN_IF_ERROR(AddToNode(NodeAt(nodes_, labels), record));
  while (true) {
    const size_t length = static_cast<uint8_t>(labels[0]);
    if (length + 1 == labels.size()) {
      if (!IsNsLabel(labels.substr(1))) return absl::OkStatus();
      return InvalidArgument(where + ": names of the form ns-XXXXXXXX are reserved");
    }
    labels.remove_prefix(1 + length);
    NodeAt(nodes_, labels);
  }
}

bool Zone::Contains(const Query& query) const {
  if (query.label_count < label_count_) return false;
  // A zone has a label, so the index is in range unless the query has none, which was seen above.
  const size_t at = query.label_at[query.label_count - label_count_];
  return query.Name().substr(at) == name_;
}

Zone::Match Zone::Find(const Query& query) const {
  const size_t labels = query.label_count - label_count_;
  if (labels == 0) return {Kind::kApex, &apex_};
  const Node* node = nullptr;
  if (!nodes_.empty()) {
    const std::string_view below = query.Name().substr(0, query.name_bytes - name_.size());
    const auto at = std::ranges::lower_bound(nodes_, below, {}, &Node::labels);
    if (at != nodes_.end() && at->labels == below) node = &*at;
  }
  if (node != nullptr && node->has_address) return {Kind::kStatic, node};
  if (IsNsLabel(LabelAt(query, labels - 1))) {
    return {labels == 1 ? Kind::kNsLabel : Kind::kNxDomain, nullptr};
  }
  const HostRule rule = ApplyHostRule(query, labels);
  if (rule == HostRule::kHost) return {Kind::kHost, node};
  if (node != nullptr) return {Kind::kStatic, node};
  return {rule == HostRule::kPortAlone ? Kind::kEmpty : Kind::kNxDomain, nullptr};
}

const Zone* FindZone(const std::vector<Zone>& zones, const Query& query) {
  const Zone* best = nullptr;
  for (const Zone& zone : zones) {
    if (zone.Contains(query) && (best == nullptr || zone.label_count() > best->label_count())) {
      best = &zone;
    }
  }
  return best;
}

}  // namespace reef::dns
