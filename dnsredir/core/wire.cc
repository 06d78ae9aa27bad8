// SPDX-License-Identifier: Apache-2.0
#include "dnsredir/core/wire.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace reef::dns {
namespace {

constexpr std::array<char, 256> MakeLowerTable() {
  std::array<char, 256> table{};
  for (size_t c = 0; c < table.size(); ++c) {
    table[c] = static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  }
  return table;
}
constexpr std::array<char, 256> kLower = MakeLowerTable();

void Store16(uint8_t* to, uint16_t value) {
  to[0] = static_cast<uint8_t>(value >> 8);
  to[1] = static_cast<uint8_t>(value);
}

void Store32(uint8_t* to, uint32_t value) {
  Store16(to, static_cast<uint16_t>(value >> 16));
  Store16(to + 2, static_cast<uint16_t>(value));
}

// A cursor that fails once and stays failed: reads after that give zeros.
class Reader {
 public:
  Reader(std::span<const uint8_t> bytes, size_t at) : bytes_(bytes), at_(at) {}

  bool ok() const { return ok_; }
  size_t at() const { return at_; }
  size_t left() const { return bytes_.size() - at_; }

  uint8_t U8() {
    if (!Take(1)) return 0;
    return bytes_[at_ - 1];
  }
  uint16_t U16() {
    if (!Take(2)) return 0;
    return static_cast<uint16_t>(bytes_[at_ - 2] << 8 | bytes_[at_ - 1]);
  }
  uint32_t U32() {
    const uint32_t high = U16();
    return high << 16 | U16();
  }
  // Borrowed from the message; empty on failure.
  std::span<const uint8_t> Bytes(size_t count) {
    if (!Take(count)) return {};
    return bytes_.subspan(at_ - count, count);
  }

 private:
  bool Take(size_t count) {
    if (!ok_ || count > left()) return ok_ = false;
    at_ += count;
    return true;
  }

  std::span<const uint8_t> bytes_;
  size_t at_;
  bool ok_ = true;
};

// The question's name. A pointer there could only lead into the header or itself, so it is refused
// like the reserved label types (RFC 1035, 4.1.4).
bool ReadQuestionName(std::span<const uint8_t> message, Query& query) {
  size_t from = kHeaderBytes;
  size_t to = 0;
  size_t labels = 0;
  while (true) {
    if (from >= message.size()) return false;
    const size_t length = message[from];
    if (length > kLabelBytesMax) return false;
    if (to + 1 + length > kNameBytesMax || from + 1 + length > message.size()) return false;
    query.name[to] = static_cast<char>(length);
    if (length == 0) break;
    query.label_at[labels++] = static_cast<uint8_t>(to);
    for (size_t i = 1; i <= length; ++i) query.name[to + i] = kLower[message[from + i]];
    from += 1 + length;
    to += 1 + length;
  }
  query.name_bytes = to + 1;
  query.label_count = labels;
  query.question_end = from + 1;
  return true;
}

// The owner of a record after the question, which we do not need: labels up to the root or a
// pointer, which must point back; it is not followed. Sets `root` if it is the root itself.
bool SkipName(Reader& reader, bool& root) {
  const size_t start = reader.at();
  for (size_t bytes = 0;;) {
    const size_t here = reader.at();
    const uint8_t length = reader.U8();
    if (!reader.ok()) return false;
    if (length == 0) {
      root = here == start;
      return true;
    }
    if (length >= 0xc0) {
      const size_t target = static_cast<size_t>(length & 0x3f) << 8 | reader.U8();
      root = false;
      return reader.ok() && target >= kHeaderBytes && target < start;
    }
    bytes += 1 + size_t{length};
    if (length > kLabelBytesMax || bytes >= kNameBytesMax) return false;
    reader.Bytes(length);
  }
}

// RFC 7871, 6 and 7.1.1. An address family that we do not know is no error: the option is ignored.
Malformed ReadClientSubnet(Reader option, Edns& edns) {
  const uint16_t family = option.U16();
  const uint8_t source_bits = option.U8();
  const uint8_t scope_bits = option.U8();
  if (!option.ok()) return Malformed::kClientSubnet;
  if (family != 1 && family != 2) return Malformed::kNone;
  const size_t bits_max = family == 1 ? 32 : 128;
  const size_t address_bytes = (source_bits + size_t{7}) / 8;
  if (source_bits > bits_max || scope_bits != 0 || option.left() != address_bytes) {
    return Malformed::kClientSubnet;
  }
  std::array<uint8_t, 16> bytes{};
  std::ranges::copy(option.Bytes(address_bytes), bytes.begin());
  if (source_bits % 8 != 0 && (bytes[address_bytes - 1] & (0xff >> source_bits % 8)) != 0) {
    return Malformed::kClientSubnet;
  }
  edns.client_subnet.emplace();
  edns.client_subnet->source_bits = source_bits;
  edns.client_subnet->address =
      family == 1 ? IpAddress::V4({bytes[0], bytes[1], bytes[2], bytes[3]}) : IpAddress::V6(bytes);
  return Malformed::kNone;
}

// Options that we do not know are ignored (RFC 6891, 6.1.2).
Malformed ReadOptions(Reader options, Edns& edns) {
  while (options.left() > 0) {
    const uint16_t code = options.U16();
    const uint16_t length = options.U16();
    const std::span<const uint8_t> value = options.Bytes(length);
    if (!options.ok()) return Malformed::kOption;
    if (code == kOptionNsid) {
      edns.nsid = true;
    } else if (code == kOptionCookie) {
      if (edns.cookie_bytes > 0) continue;  // RFC 7873, 5.2: the first alone counts
      if (length != 8 && (length < 16 || length > 40)) return Malformed::kCookie;
      edns.cookie_bytes = static_cast<uint8_t>(length);
      std::ranges::copy(value, edns.cookie.begin());
    } else if (code == kOptionClientSubnet) {
      const Malformed reason = ReadClientSubnet(Reader(value, 0), edns);
      if (reason != Malformed::kNone) return reason;
    }
  }
  return Malformed::kNone;
}

// One record after the question. All but OPT are skipped.
Malformed ReadRecord(Reader& reader, bool additional, Query& query) {
  bool root = false;
  if (!SkipName(reader, root)) return Malformed::kRecordCut;
  const uint16_t type = reader.U16();
  const uint16_t klass = reader.U16();
  const uint32_t ttl = reader.U32();
  const std::span<const uint8_t> rdata = reader.Bytes(reader.U16());
  if (!reader.ok()) return Malformed::kRecordCut;
  if (type != kOpt || !additional) return Malformed::kNone;

  if (query.has_edns) return Malformed::kOptTwice;  // RFC 6891, 6.1.1
  if (!root) return Malformed::kOptOwner;           // RFC 6891, 6.1.2
  query.has_edns = true;
  query.edns.payload_bytes = klass;
  query.edns.version = static_cast<uint8_t>(ttl >> 16);
  query.edns.dnssec_ok = (ttl & 0x8000) != 0;
  query.edns.nsid = false;
  query.edns.cookie_bytes = 0;
  query.edns.client_subnet.reset();
  // The options of another version may be built otherwise: the answer is BADVERS in any case.
  return query.edns.version == 0 ? ReadOptions(Reader(rdata, 0), query.edns) : Malformed::kNone;
}

}  // namespace

std::string_view MalformedName(Malformed reason) {
  switch (reason) {
    case Malformed::kNone:
      return "none";
    case Malformed::kQuestionCount:
      return "question-count";
    case Malformed::kName:
      return "name";
    case Malformed::kQuestionCut:
      return "question-cut";
    case Malformed::kRecordCount:
      return "record-count";
    case Malformed::kRecordCut:
      return "record-cut";
    case Malformed::kOptTwice:
      return "opt-twice";
    case Malformed::kOptOwner:
      return "opt-owner";
    case Malformed::kOption:
      return "option";
    case Malformed::kClientSubnet:
      return "client-subnet";
    case Malformed::kCookie:
      return "cookie";
    case Malformed::kTrailing:
      return "trailing";
    case Malformed::kMetaType:
      return "meta-type";
  }
  return "none";
}

Header ReadHeader(std::span<const uint8_t> message) {
  REEF_CHECK(message.size() >= kHeaderBytes);
  Reader reader(message, 0);
  Header header;
  header.id = reader.U16();
  header.flags = reader.U16();
  header.question_count = reader.U16();
  header.answer_count = reader.U16();
  header.authority_count = reader.U16();
  header.additional_count = reader.U16();
  return header;
}

Malformed ParseQuery(std::span<const uint8_t> message, Query& query) {
  const Header header = ReadHeader(message);
  query.has_edns = false;
  if (header.question_count != 1) return Malformed::kQuestionCount;
  if (!ReadQuestionName(message, query)) return Malformed::kName;
  Reader reader(message, query.question_end);
  query.type = reader.U16();
  query.klass = reader.U16();
  if (!reader.ok()) return Malformed::kQuestionCut;
  query.question_end = reader.at();
  if (query.type == kOpt || query.type == kTsig || query.type == kTkey) {
    return Malformed::kMetaType;
  }

  // An IXFR query carries the SOA that the asker has (RFC 1995, 3).
  const size_t authority_max = query.type == kIxfr ? 1 : 0;
  if (header.answer_count != 0 || header.authority_count > authority_max) {
    return Malformed::kRecordCount;
  }
  // Every record takes at least 11 bytes, so a forged count ends at the message's end.
  const size_t records = size_t{header.authority_count} + header.additional_count;
  for (size_t i = 0; i < records; ++i) {
    const Malformed reason = ReadRecord(reader, i >= header.authority_count, query);
    if (reason != Malformed::kNone) return reason;
  }
  return reader.left() == 0 ? Malformed::kNone : Malformed::kTrailing;
}

void Writer::Rewind(size_t at) {
  REEF_CHECK(at <= at_);
  at_ = at;
  ok_ = true;
}

bool Writer::Room(size_t bytes) {
  if (!ok_ || bytes > limit_ - at_) return ok_ = false;
  return true;
}

void Writer::U8(uint8_t value) {
  if (!Room(1)) return;
  buffer_[at_++] = value;
}

void Writer::U16(uint16_t value) {
  if (!Room(2)) return;
  Store16(buffer_ + at_, value);
  at_ += 2;
}

void Writer::U32(uint32_t value) {
  if (!Room(4)) return;
  Store32(buffer_ + at_, value);
  at_ += 4;
}

void Writer::Bytes(std::string_view bytes) {
  if (!Room(bytes.size())) return;
  std::memcpy(buffer_ + at_, bytes.data(), bytes.size());
  at_ += bytes.size();
}

void Writer::RecordHead(size_t owner, uint16_t type, uint32_t ttl_s, uint16_t rdata_bytes) {
  constexpr size_t kBytes = 12;
  if (!Room(kBytes)) return;
  uint8_t* const to = buffer_ + at_;
  Store16(to, static_cast<uint16_t>(0xc000 | owner));
  Store16(to + 2, type);
  Store16(to + 4, kIn);
  Store32(to + 6, ttl_s);
  Store16(to + 10, rdata_bytes);
  at_ += kBytes;
}

void Writer::Address(size_t owner, const IpAddress& address, uint32_t ttl_s) {
  const std::span<const uint8_t> bytes = address.bytes();
  RecordHead(owner, address.is_v4() ? kA : kAaaa, ttl_s, static_cast<uint16_t>(bytes.size()));
  Bytes(bytes);
}

void Writer::Opt(Rcode rcode, bool dnssec_ok, size_t options_bytes) {
  U8(0);
  U16(kOpt);
  U16(kUdpPayloadBytes);
  U32(static_cast<uint32_t>(rcode >> 4) << 24 | (dnssec_ok ? 0x8000u : 0u));
  U16(static_cast<uint16_t>(options_bytes));
}

void Writer::OptionHead(OptionCode code, size_t value_bytes) {
  U16(code);
  U16(static_cast<uint16_t>(value_bytes));
}

void Writer::Patch16(size_t at, uint16_t value) {
  REEF_CHECK(at + 2 <= at_);
  Store16(buffer_ + at, value);
}

}  // namespace reef::dns
