// SPDX-License-Identifier: Apache-2.0
#include "tests/dnsredir/support/message.h"

#include <array>

#include "base/bytes.h"
#include "base/endpoint.h"

namespace reef::dns {
namespace {

std::string U32(uint32_t value) {
  return U16(static_cast<uint16_t>(value >> 16)) + U16(static_cast<uint16_t>(value));
}

std::string TypeText(uint16_t type) {
  switch (type) {
    case 1:
      return "A";
    case 2:
      return "NS";
    case 6:
      return "SOA";
    case 13:
      return "HINFO";
    case 16:
      return "TXT";
    case 28:
      return "AAAA";
    case 257:
      return "CAA";
    default:
      return "TYPE" + std::to_string(type);
  }
}

class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  bool ok = true;
  size_t at = 0;

  bool AtEnd() const { return at == bytes_.size(); }

  uint16_t Take16() {
    const std::string_view two = Take(2);
    if (two.empty()) return 0;
    return static_cast<uint16_t>(static_cast<uint8_t>(two[0]) << 8 | static_cast<uint8_t>(two[1]));
  }
  uint32_t Take32() {
    const uint32_t high = Take16();
    return high << 16 | Take16();
  }
  std::string_view Take(size_t count) {
    if (!ok || count > bytes_.size() - at) {
      ok = false;
      return {};
    }
    at += count;
    return bytes_.substr(at - count, count);
  }

  std::string Name() {
    std::string text;
    size_t here = at;
    bool jumped = false;
    for (size_t total = 0;;) {
      if (here >= bytes_.size()) return Fail();
      const size_t length = static_cast<uint8_t>(bytes_[here]);
      if (length >= 0xc0) {
        if (here + 1 >= bytes_.size()) return Fail();
        const size_t target = (length & 0x3f) << 8 | static_cast<uint8_t>(bytes_[here + 1]);
        if (target >= here || target < 12) return Fail();
        if (!jumped) at = here + 2;
        jumped = true;
        here = target;
        continue;
      }
      total += length + 1;
      if (length > 63 || total > 255 || here + 1 + length > bytes_.size()) return Fail();
      if (length == 0) break;
      if (!text.empty()) text.push_back('.');
      text += bytes_.substr(here + 1, length);
      here += 1 + length;
    }
    if (!jumped) at = here + 1;
    return text;
  }

 private:
  std::string Fail() {
    ok = false;
    return {};
  }

  std::string_view bytes_;
};

std::string CharacterStrings(std::string_view rdata, bool& ok) {
  std::string text;
  while (!rdata.empty()) {
    const size_t length = static_cast<uint8_t>(rdata[0]);
    if (length + 1 > rdata.size()) {
      ok = false;
      return {};
    }
    if (!text.empty()) text.push_back(' ');
    text.append("\"").append(rdata.substr(1, length)).append("\"");
    rdata.remove_prefix(1 + length);
  }
  return text;
}

template <size_t N>
std::array<uint8_t, N> AsArray(std::string_view bytes) {
  std::array<uint8_t, N> out{};
  for (size_t i = 0; i < N; ++i) out[i] = static_cast<uint8_t>(bytes[i]);
  return out;
}

std::string RdataText(Cursor& cursor, uint16_t type, uint16_t size) {
  const size_t end = cursor.at + size;
  std::string text;
  if (type == 2) {
    text = cursor.Name();
  } else if (type == 6) {
    text = cursor.Name();
    text += ' ' + cursor.Name();
    for (int i = 0; i < 5; ++i) text += ' ' + std::to_string(cursor.Take32());
  } else {
    const std::string_view rdata = cursor.Take(size);
    if (!cursor.ok) return {};
    if (type == 1 && size == 4) {
      text = IpAddress::V4(AsArray<4>(rdata)).ToString();
    } else if (type == 28 && size == 16) {
      text = IpAddress::V6(AsArray<16>(rdata)).ToString();
    } else if (type == 13 || type == 16) {
      text = CharacterStrings(rdata, cursor.ok);
    } else {
      text = ToHex(rdata);
    }
  }
  if (cursor.at != end) cursor.ok = false;
  return text;
}

}  // namespace

std::string U16(uint16_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)};
}

std::string WireName(std::string_view text) {
  std::string wire;
  while (!text.empty()) {
    const std::string_view label = text.substr(0, text.find('.'));
    wire += static_cast<char>(label.size());
    wire += label;
    text.remove_prefix(std::min(text.size(), label.size() + 1));
  }
  return wire + '\0';
}

std::string Option(uint16_t code, std::string_view value) {
  return U16(code) + U16(static_cast<uint16_t>(value.size())) + std::string(value);
}

std::string QuerySpec::Bytes() const {
  std::string bytes = U16(id) + U16(flags) + U16(question_count.value_or(1)) +
                      U16(answer_count.value_or(0)) + U16(authority_count.value_or(0)) +
                      U16(additional_count.value_or(edns ? 1 : 0));
  bytes += WireName(name) + U16(type) + U16(klass) + after_question;
  if (edns) {
    bytes += '\0' + U16(41) + U16(payload) +
             U32(static_cast<uint32_t>(version) << 16 | (dnssec_ok ? 0x8000u : 0u)) +
             U16(static_cast<uint16_t>(options.size())) + options;
  }
  return bytes + trailing;
}

std::optional<ParsedMessage> ParsedMessage::Parse(std::string_view bytes) {
  Cursor cursor(bytes);
  ParsedMessage message;
  message.id = cursor.Take16();
  const uint16_t flags = cursor.Take16();
  message.response = (flags & 0x8000) != 0;
  message.opcode = flags >> 11 & 0xf;
  message.authoritative = (flags & 0x0400) != 0;
  message.truncated = (flags & 0x0200) != 0;
  message.recursion_desired = (flags & 0x0100) != 0;
  message.recursion_available = (flags & 0x0080) != 0;
  message.z = flags >> 4 & 0x7;
  message.rcode = flags & 0xf;
  std::array<uint16_t, 4> counts{};
  for (uint16_t& count : counts) count = cursor.Take16();
  if (!cursor.ok || counts[0] > 1) return std::nullopt;
  if (counts[0] == 1) {
    const std::string name = cursor.Name();
    const uint16_t type = cursor.Take16();
    const uint16_t klass = cursor.Take16();
    message.question =
        name + (klass == 1 ? " IN " : " CLASS" + std::to_string(klass) + " ") + TypeText(type);
  }
  const std::array<std::vector<std::string>*, 3> sections = {&message.answers, &message.authority,
                                                             &message.additional};
  for (size_t section = 0; section < sections.size(); ++section) {
    for (int i = 0; i < counts[section + 1]; ++i) {
      const std::string name = cursor.Name();
      const uint16_t type = cursor.Take16();
      const uint16_t klass = cursor.Take16();
      const uint32_t ttl = cursor.Take32();
      const uint16_t size = cursor.Take16();
      if (type == 41) {
        if (section != 2 || message.edns || !name.empty()) return std::nullopt;
        message.edns = true;
        message.payload = klass;
        message.rcode |= static_cast<int>(ttl >> 24) << 4;
        message.dnssec_ok = (ttl & 0x8000) != 0;
        if ((ttl & 0x7fff) != 0) return std::nullopt;
        for (const size_t end = cursor.at + size; cursor.ok && cursor.at < end;) {
          const uint16_t code = cursor.Take16();
          const std::string_view value = cursor.Take(cursor.Take16());
          if (cursor.at > end || !message.options.emplace(code, value).second) return std::nullopt;
        }
        continue;
      }
      if (klass != 1) return std::nullopt;
      const std::string rdata = RdataText(cursor, type, size);
      sections[section]->push_back(name + ' ' + std::to_string(ttl) + ' ' + TypeText(type) + ' ' +
                                   rdata);
    }
  }
  if (!cursor.ok || !cursor.AtEnd()) return std::nullopt;
  return message;
}

}  // namespace reef::dns
