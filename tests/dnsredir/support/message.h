// SPDX-License-Identifier: Apache-2.0
//
// DNS messages for tests: queries made by parts (also wrong ones) and answers read by a parser of
// its own, stricter than any resolver's and independent of dnsredir/core. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reef::dns {

// A query, part by part; Bytes() puts them together. The defaults give a plain IN query.
struct QuerySpec {
  std::string name = "www.example.com.nyud.net";  // text; case is kept
  uint16_t type = 1;
  uint16_t klass = 1;
  uint16_t id = 0x1234;
  uint16_t flags = 0;
  // OPT
  bool edns = false;
  uint16_t payload = 1232;
  uint8_t version = 0;
  bool dnssec_ok = false;
  std::string options;  // raw
  // Counts that differ from what is there.
  std::optional<uint16_t> question_count;
  std::optional<uint16_t> answer_count;
  std::optional<uint16_t> authority_count;
  std::optional<uint16_t> additional_count;
  std::string after_question;  // raw records before OPT; not counted
  std::string trailing;

  std::string Bytes() const;
};

// Labels as they are, without the checks of the product's code.
std::string WireName(std::string_view text);
// One EDNS option.
std::string Option(uint16_t code, std::string_view value);
std::string U16(uint16_t value);

struct ParsedMessage {
  uint16_t id = 0;
  bool response = false;
  int opcode = 0;
  bool authoritative = false;
  bool truncated = false;
  bool recursion_desired = false;
  bool recursion_available = false;
  int z = 0;             // the reserved bit, AD and CD
  int rcode = 0;         // with OPT's upper bits
  std::string question;  // "NAME CLASS TYPE", the case as it came; empty if there is none
  // "NAME TTL TYPE RDATA" with A, NS, ... or TYPE123; names without the final dot
  std::vector<std::string> answers;
  std::vector<std::string> authority;
  std::vector<std::string> additional;  // without OPT
  bool edns = false;
  uint16_t payload = 0;
  bool dnssec_ok = false;
  std::map<uint16_t, std::string> options;  // raw values by code

  // nullopt if anything is not as RFC 1035 wants it: cut, counts wrong, a pointer forward, an EDNS
  // option twice, bytes left over.
  static std::optional<ParsedMessage> Parse(std::string_view bytes);
};

}  // namespace reef::dns
