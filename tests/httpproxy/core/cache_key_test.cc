// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/cache_key.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "httpproxy/core/origin.h"

namespace reef::http {
namespace {

TEST(OriginTest, AuthorityNamesThePortOnlyIfItIsNotTheSchemesOwn) {
  EXPECT_EQ((Origin{false, "a.example", 80}.Authority()), "a.example");
  EXPECT_EQ((Origin{true, "a.example", 443}.Authority()), "a.example");
  EXPECT_EQ((Origin{false, "a.example", 443}.Authority()), "a.example:443");
  EXPECT_EQ((Origin{true, "a.example", 80}.Authority()), "a.example:80");
  EXPECT_EQ((Origin{false, "127.0.0.1", 18000}.Authority()), "127.0.0.1:18000");
}

TEST(OriginTest, AuthorityPutsIpv6InBrackets) {
  EXPECT_EQ((Origin{false, "2001:db8::1", 80}.Authority()), "[2001:db8::1]");
  EXPECT_EQ((Origin{false, "2001:db8::1", 81}.Authority()), "[2001:db8::1]:81");
}

// Nodes of all versions must agree, and objects on disk are found by it: never change it.
TEST(PrimaryKeyTest, IsSha256OfTheUrl) {
  EXPECT_EQ(PrimaryKey(false, "example.com", 80, "/a?b").digest,
            Sha256("http://example.com:80/a?b"));
  EXPECT_EQ(PrimaryKey(true, "example.com", 443, "/").digest, Sha256("https://example.com:443/"));
  EXPECT_EQ(PrimaryKey(false, "h", 8080, "/").digest, Sha256("http://h:8080/"));
  EXPECT_EQ(PrimaryKey(false, "h", 65535, "/").digest, Sha256("http://h:65535/"));
  EXPECT_EQ(PrimaryKey(false, "h", 1, "/").digest, Sha256("http://h:1/"));
}

TEST(PrimaryKeyTest, TakesTargetsOfAnyLength) {
  for (const size_t size : {900, 1'000, 1'024, 5'000}) {
    const std::string target = "/" + std::string(size, 'a');
    EXPECT_EQ(PrimaryKey(false, "h", 80, target).digest, Sha256("http://h:80" + target)) << size;
  }
}

TEST(VariantKeyTest, DiffersByNameByValueAndByWhereOneEnds) {
  const CacheKey primary = PrimaryKey(false, "h", 80, "/");
  using Fields = std::vector<std::pair<std::string, std::string>>;
  const std::vector<Fields> all = {{},
                                   {{"accept", "a"}},
                                   {{"accept", "b"}},
                                   {{"accept-encoding", "a"}},
                                   {{"accept", "a"}, {"b", "c"}},
                                   {{"accept", "ab"}, {"", "c"}},
                                   {{"accepta", ""}}};
  std::set<CacheKey> keys;
  for (const Fields& fields : all) keys.insert(VariantKey(primary, fields));

  EXPECT_EQ(keys.size(), all.size());
  EXPECT_FALSE(keys.contains(primary));
  EXPECT_NE(VariantKey(PrimaryKey(false, "i", 80, "/"), all[1]), VariantKey(primary, all[1]));
}

TEST(VariantKeyTest, NeverChanges) {
  const std::vector<std::pair<std::string, std::string>> fields = {{"accept-encoding", "gzip"}};
  const CacheKey primary = PrimaryKey(false, "h", 80, "/");
  const std::string preimage = std::string(primary.AsBytes()) + std::string("\x0f\0\0\0", 4) +
                               "accept-encoding" + std::string("\x04\0\0\0", 4) + "gzip";
  EXPECT_EQ(VariantKey(primary, fields).digest, Sha256(preimage));
}

}  // namespace
}  // namespace reef::http
