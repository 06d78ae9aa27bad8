// SPDX-License-Identifier: Apache-2.0
//
// Any message to the DNS responder: the first byte chooses transport and view, the rest is the
// message. What must hold of every answer is in CheckAnswer; reading it back is left to the tests'
// own parser.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "dnsredir/core/responder.h"
#include "tests/dnsredir/support/message.h"
#include "tests/dnsredir/support/nodes.h"

namespace reef::dns {
namespace {

constexpr Instant kNow = Instant(std::chrono::hours(1));
constexpr size_t kUdpCapacity = 2048;
constexpr size_t kTcpCapacity = 65535;

const std::vector<Zone>& Zones() {
  static const std::vector<Zone> zones = [] {
    ZoneOptions configured;
    configured.name_servers = {{"ns1.nyud.net", IpAddress::V4({192, 0, 2, 53})},
                               {"ns.other.example", IpAddress::V4({192, 0, 2, 54})}};
    configured.records = {{"@", kTxt, 300, TxtRdata(std::string(1500, 'x'))},
                          {"_443._tcp.site.nyud.net", kTxt, 60, TxtRdata("deep")},
                          {"site.nyud.net", kCaa, 60, CaaRdata(0, "issue", "ca.example")}};
    ZoneOptions found;
    found.name = "b";
    found.contact = std::string(60, 'c') + "." + std::string(60, 'c') + ".example";
    found.answers_max = kAnswersMax;
    std::vector<Zone> made;
    for (const ZoneOptions& options : {configured, found}) {
      StatusOr<Zone> zone = Zone::Make(options);
      REEF_CHECK(zone.ok()) << zone.status().ToString();
      made.push_back(*std::move(zone));
    }
    return made;
  }();
  return zones;
}

ProxyView MakeView(int count) {
  std::vector<dsht::NodeInfo> nodes;
  for (int i = 1; i <= count; ++i) {
    nodes.push_back(NodeAt((i % 2 != 0 ? "192.0.2." : "2001:db8::") + std::to_string(i),
                           static_cast<uint8_t>(i)));
  }
  return ProxyView(kNow, nodes, nodes, NodeAt("198.51.100.99", 0x99));
}

void CheckAnswer(std::string_view query, std::string_view answer, bool udp) {
  const bool silent = query.size() < 12 || (query[2] & 0x80) != 0;
  REEF_CHECK(answer.empty() == silent);
  if (silent) return;
  const std::optional<ParsedMessage> parsed = ParsedMessage::Parse(answer);
  REEF_CHECK(parsed.has_value());
  REEF_CHECK(parsed->response && !parsed->recursion_available && parsed->z == 0);
  REEF_CHECK(answer.substr(0, 2) == query.substr(0, 2));
  REEF_CHECK((answer[2] & 0x79) == (query[2] & 0x79)) << "opcode and RD";
  REEF_CHECK(!udp || answer.size() <= (parsed->edns ? kUdpPayloadBytes : kPlainUdpBytes));
  REEF_CHECK(!(parsed->truncated && !parsed->answers.empty()));
  if (parsed->question.empty()) {
    REEF_CHECK(answer.size() == 12);
    REEF_CHECK(parsed->rcode == kFormErr || parsed->rcode == kNotImp);
  } else {
    const size_t question = WireName(parsed->question.substr(0, parsed->question.find(' '))).size();
    REEF_CHECK(answer.substr(12, question) == query.substr(12, question)) << "0x20";
  }
  // A negative answer can be cached (RFC 2308, 5); a positive one has no authority section.
  REEF_CHECK(parsed->rcode != kNxDomain || parsed->answers.empty());
  if (parsed->rcode == kNxDomain || parsed->rcode == kNoError) {
    REEF_CHECK(parsed->truncated || parsed->answers.empty() == (parsed->authority.size() == 1));
  }
}

}  // namespace
}  // namespace reef::dns

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reef::dns;
  static const std::vector<ProxyView> views = {MakeView(0), MakeView(1), MakeView(20)};
  static Responder responder(Zones(), reef::Rng(1), [] {
    ResponderOptions options;
    options.nsid = "a1b2c3d4";
    return options;
  }());
  if (size == 0) return 0;
  const bool udp = (data[0] & 1) != 0;
  const ProxyView& view = views[(data[0] >> 1) % views.size()];
  const size_t capacity = udp ? kUdpCapacity : kTcpCapacity;

  const std::string query(reinterpret_cast<const char*>(data) + 1, std::min(size - 1, capacity));
  // Exactly the capacity, so that the address sanitizer sees a byte too many.
  std::vector<uint8_t> buffer(capacity);
  std::ranges::copy(query, buffer.begin());
  const size_t answer_size = responder.Answer(
      kNow, {buffer.data(), query.size(), capacity, udp ? Transport::kUdp : Transport::kTcp}, view);
  REEF_CHECK(answer_size <= capacity);
  CheckAnswer(query, {reinterpret_cast<const char*>(buffer.data()), answer_size}, udp);
  return 0;
}
