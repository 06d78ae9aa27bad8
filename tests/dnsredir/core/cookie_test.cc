// SPDX-License-Identifier: Apache-2.0
#include "dnsredir/core/cookie.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace reef::dns {
namespace {

std::vector<uint8_t> Bytes(std::string_view hex) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

CookieSecret Secret(std::string_view hex) {
  CookieSecret secret{};
  std::ranges::copy(Bytes(hex), secret.begin());
  return secret;
}

std::string Hex(std::span<const uint8_t> bytes) {
  return ToHex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

IpAddress At(std::string_view address) {
  return IpAddress::Parse(address).value();
}

const CookieSecret kSecret = Secret("e5e973e5a6b2a43f48e7dc849e37bfcf");
const IpAddress kClient = At("198.51.100.100");
constexpr uint32_t kMade = 1559731985;

std::vector<uint8_t> Made(uint32_t at = kMade) {
  const Cookie cookie = MakeCookie(kSecret, Bytes("2464c4abcf10c957"), kClient, at);
  return {cookie.begin(), cookie.end()};
}

TEST(Cookie, IsAsRfc9018_A1LearnsOneAsAnIpv4Client) {
  EXPECT_EQ(Hex(Made()), "2464c4abcf10c957010000005cf79f111f8130c3eee29480");
}

TEST(Cookie, IsAsRfc9018_A4RollsASecretOverForAnIpv6Client) {
  const IpAddress client = At("2001:db8:220:1:59de:d0f4:8769:82b8");
  const auto made = [&](std::string_view secret, uint32_t at) {
    return Hex(MakeCookie(Secret(secret), Bytes("22681ab97d52c298"), client, at));
  };

  EXPECT_EQ(made("dd3bdf9344b678b185a6f5cb60fca715", 0x5cf7c579),
            "22681ab97d52c298010000005cf7c57926556bd0934c72f8");
  EXPECT_EQ(made("445536bcd2513298075a5d379663c962", 0x5cf7c609),
            "22681ab97d52c298010000005cf7c609a6bb79d16625507a");
}

TEST(Cookie, IsAsRfc9018_A3ValidWithAnyReservedBytes) {
  const std::vector<uint8_t> cookie = Bytes("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5");
  const IpAddress client = At("203.0.113.203");

  EXPECT_EQ(CheckCookie(kSecret, cookie, client, 0x5cf78f71).state, CookieState::kValid);
  EXPECT_EQ(CheckCookie(kSecret, cookie, client, 0x5cf7a871).state, CookieState::kInvalid)
      << "too old by then";
}

TEST(Cookie, TellsAClientsAloneAndNoneApart) {
  EXPECT_EQ(CheckCookie(kSecret, {}, kClient, kMade).state, CookieState::kNone);
  EXPECT_EQ(CheckCookie(kSecret, Bytes("2464c4abcf10c957"), kClient, kMade).state,
            CookieState::kNew);
}

TEST(Cookie, IsInvalidWithAnyBitChanged) {
  for (size_t bit = 0; bit < 8 * kCookieBytes; ++bit) {
    std::vector<uint8_t> cookie = Made();
    cookie[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_EQ(CheckCookie(kSecret, cookie, kClient, kMade).state, CookieState::kInvalid) << bit;
  }
}

TEST(Cookie, IsInvalidFromAnotherAddressOrWithAnotherSecretOrOfAnotherLength) {
  CookieSecret other = kSecret;
  other[15] ^= 1;
  std::vector<uint8_t> longer = Made();
  longer.push_back(0);

  EXPECT_EQ(CheckCookie(kSecret, Made(), At("198.51.100.101"), kMade).state, CookieState::kInvalid);
  EXPECT_EQ(CheckCookie(other, Made(), kClient, kMade).state, CookieState::kInvalid);
  EXPECT_EQ(CheckCookie(kSecret, longer, kClient, kMade).state, CookieState::kInvalid);
}

TEST(Cookie, LastsAnHourAndIsRenewedAfterHalf) {  // RFC 9018, 4.3
  const auto after = [](uint32_t made, int64_t seconds) {
    return CheckCookie(kSecret, Made(made), kClient, static_cast<uint32_t>(made + seconds));
  };
  for (const uint32_t made : {kMade, 0xffffff00u}) {  // the seconds wrap
    EXPECT_FALSE(after(made, 1800).is_to_be_renewed);
    EXPECT_TRUE(after(made, 1801).is_to_be_renewed);
    EXPECT_EQ(after(made, 3600).state, CookieState::kValid);
    EXPECT_EQ(after(made, 3601).state, CookieState::kInvalid);
    EXPECT_EQ(after(made, -300).state, CookieState::kValid) << "clocks of two servers differ";
    EXPECT_EQ(after(made, -301).state, CookieState::kInvalid);
  }
}

}  // namespace
}  // namespace reef::dns
