// SPDX-License-Identifier: Apache-2.0
//
// The DNS message, as far as an authoritative server needs it: a strict reader of queries and a
// writer of answers in the very buffer that holds the query (RFC 1035, 4; EDNS0: RFC 6891).
//
// ParseQuery copies out everything that is needed after the question, so that a Writer may
// overwrite it; the question itself stays where it is, byte for byte: its case is the resolver's
// (RFC 4343; the "0x20" check against forgery), and the names of the answer are pointers into it.
//
// Values and plain functions; no allocation, no I/O; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/endpoint.h"
#include "dnsredir/core/name.h"

namespace reef::dns {

inline constexpr size_t kHeaderBytes = 12;
inline constexpr size_t kOptBytes = 11;           // of an OPT record without options
inline constexpr size_t kOptionHeadBytes = 4;     // of an option without its value
inline constexpr size_t kPlainUdpBytes = 512;     // RFC 1035, 4.2.1
inline constexpr size_t kUdpPayloadBytes = 1232;  // ours: fits an IPv6 packet of the minimum MTU

enum Type : uint16_t {
  kA = 1,
  kNs = 2,
  kSoa = 6,
  kHinfo = 13,
  kTxt = 16,
  kAaaa = 28,
  kOpt = 41,
  kHttps = 65,
  kTkey = 249,
  kTsig = 250,
  kIxfr = 251,
  kAxfr = 252,
  kAny = 255,
  kCaa = 257,
};

// EDNS options (RFC 5001, 7871, 7873).
enum OptionCode : uint16_t { kOptionNsid = 3, kOptionClientSubnet = 8, kOptionCookie = 10 };

enum Class : uint16_t { kIn = 1, kAnyClass = 255 };

enum Rcode : uint8_t {
  kNoError = 0,
  kFormErr = 1,
  kNxDomain = 3,
  kNotImp = 4,
  kRefused = 5,
  kBadVers = 16,  // its upper bits travel in the OPT record (RFC 6891, 6.1.3)
};

// Why a query with a readable header cannot be read; each is a counter.
enum class Malformed : uint8_t {
  kNone,
  kQuestionCount,  // not exactly one (RFC 9619)
  kName,           // cut short, over 255 bytes, or with a pointer or a reserved label type
  kQuestionCut,
  kRecordCount,  // answer or authority records in a query
  kRecordCut,
  kOptTwice,
  kOptOwner,  // not the root
  kOption,    // options that do not fill the record exactly
  kClientSubnet,
  kCookie,
  kTrailing,  // bytes after the last record
  kMetaType,  // a question for OPT, TSIG or TKEY
};
inline constexpr size_t kMalformedCount = static_cast<size_t>(Malformed::kMetaType) + 1;
std::string_view MalformedName(Malformed reason);

// The client's network as its resolver tells it (RFC 7871, 6); the address is masked.
struct ClientSubnet {
  IpAddress address;
  uint8_t source_bits = 0;

  friend bool operator==(const ClientSubnet&, const ClientSubnet&) = default;
};

struct Edns {
  uint16_t payload_bytes = 0;  // as sent; below 512 means 512 (RFC 6891, 6.2.3)
  uint8_t version = 0;
  bool dnssec_ok = false;
  bool nsid = false;                 // RFC 5001: wants the server's name
  uint8_t cookie_bytes = 0;          // 0, 8 or 16 to 40 (RFC 7873, 4)
  std::array<uint8_t, 40> cookie{};  // its first cookie_bytes
  std::optional<ClientSubnet> client_subnet;
};

// Left uninitialised on purpose: it is filled once for each query, on the hot path.
struct Query {
  uint16_t type;
  uint16_t klass;
  size_t question_end;                   // offset of the first byte after the question
  size_t name_bytes;                     // of the wire name, the root's zero byte included
  size_t label_count;                    // without the root
  std::array<char, kNameBytesMax> name;  // lower case, wire form
  std::array<uint8_t, 128> label_at;     // offset of each label in `name`
  bool has_edns;
  Edns edns;

  std::string_view Name() const { return {name.data(), name_bytes}; }
};

// The fixed header, unchecked. Requires: message.size() >= kHeaderBytes.
struct Header {
  uint16_t id;
  uint16_t flags;
  uint16_t question_count;
  uint16_t answer_count;
  uint16_t authority_count;
  uint16_t additional_count;

  bool is_response() const { return (flags & 0x8000) != 0; }
  int opcode() const { return (flags >> 11) & 0xf; }
  bool recursion_desired() const { return (flags & 0x0100) != 0; }
};
Header ReadHeader(std::span<const uint8_t> message);

// Reads a query of opcode QUERY into `query`. On anything but kNone `query` is unspecified.
// Requires: message.size() >= kHeaderBytes.
Malformed ParseQuery(std::span<const uint8_t> message, Query& query);

// Cursor over a message under construction. A write that would pass `limit` changes nothing and
// leaves the writer failed until Rewind: check ok() once, after a record.
class Writer {
 public:
  // Borrows `buffer`; writing starts at `at`. Requires: at <= limit.
  Writer(uint8_t* buffer, size_t at, size_t limit) : buffer_(buffer), at_(at), limit_(limit) {}

  size_t at() const { return at_; }
  bool ok() const { return ok_; }
  void Rewind(size_t at);

  void U8(uint8_t value);
  void U16(uint16_t value);
  void U32(uint32_t value);
  void Bytes(std::string_view bytes);
  void Bytes(std::span<const uint8_t> bytes) {
    Bytes({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  // A compression pointer to an offset of the message (RFC 1035, 4.1.4).
  void Pointer(size_t offset) { U16(static_cast<uint16_t>(0xc000 | offset)); }

  // A record's fixed part with its owner a pointer to `owner`; the caller then writes rdata_bytes.
  void RecordHead(size_t owner, uint16_t type, uint32_t ttl_s, uint16_t rdata_bytes);
  void Address(size_t owner, const IpAddress& address, uint32_t ttl_s);
  // RFC 6891, 6.1.2: our payload size, the upper bits of the rcode, the DO bit as asked (RFC 3225,
  // 3); the caller then writes options of `options_bytes` in all.
  void Opt(Rcode rcode, bool dnssec_ok, size_t options_bytes);
  void OptionHead(OptionCode code, size_t value_bytes);

  // Puts `value` over two bytes already written.
  void Patch16(size_t at, uint16_t value);

 private:
  bool Room(size_t bytes);

  uint8_t* buffer_;
  size_t at_;
  size_t limit_;
  bool ok_ = true;
};

}  // namespace reef::dns
