// SPDX-License-Identifier: Apache-2.0
//
// Names as text and in queries: what becomes a wire name reads back as itself in a question, and
// no name exists below one that does not (RFC 8020).
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "dnsredir/core/name.h"
#include "dnsredir/core/wire.h"
#include "dnsredir/core/zone.h"

namespace reef::dns {
namespace {

const Zone& NyudNet() {
  static const StatusOr<Zone> zone = Zone::Make(ZoneOptions{});
  REEF_CHECK(zone.ok());
  return *zone;
}

// The name as the question of a query for A.
Query Ask(const std::string& wire) {
  const std::string message =
      std::string("\0\0\0\0\0\1\0\0\0\0\0\0", 12) + wire + std::string("\0\1\0\1", 4);
  Query query;
  const Malformed reason =
      ParseQuery({reinterpret_cast<const uint8_t*>(message.data()), message.size()}, query);
  REEF_CHECK(reason == Malformed::kNone) << MalformedName(reason);
  return query;
}

bool Exists(const std::string& wire) {
  return NyudNet().Find(Ask(wire)).kind != Zone::Kind::kNxDomain;
}

}  // namespace
}  // namespace reef::dns

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reef;
  using namespace reef::dns;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::optional<std::string> wire = NameFromText(text);
  if (!wire) return 0;
  REEF_CHECK(wire->size() <= kNameBytesMax && wire->back() == '\0');
  REEF_CHECK(IsAtOrBelow(*wire, *wire) && IsAtOrBelow(*wire, std::string(1, '\0')));
  const Query query = Ask(*wire);
  REEF_CHECK(query.Name() == *wire);
  REEF_CHECK(query.label_count == LabelCount(*wire));
  REEF_CHECK(NyudNet().Contains(query) == IsAtOrBelow(*wire, NyudNet().name()));
  REEF_CHECK(NameToText(*wire).size() >= wire->size() - (wire->size() == 1 ? 1 : 2));

  const std::string below = wire->substr(0, wire->size() - 1) + NyudNet().name();
  if (below.size() > kNameBytesMax) return 0;
  const std::string child = "\1a" + below;
  REEF_CHECK(child.size() > kNameBytesMax || Exists(below) || !Exists(child));
  return 0;
}
