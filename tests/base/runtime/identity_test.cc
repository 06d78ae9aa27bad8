// SPDX-License-Identifier: Apache-2.0
#include "base/runtime/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/bytes.h"

namespace reef {
namespace {

using ::testing::HasSubstr;

class IdentityTest : public testing::Test {
 protected:
  IdentityTest() {
    std::string name = testing::TempDir() + "identity-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~IdentityTest() override { std::filesystem::remove_all(folder_); }

  std::string KeyPath() const { return folder_ + "/identity.key"; }
  void WriteKey(std::string_view text, mode_t mode = 0600) const {
    std::ofstream(KeyPath()) << text;
    chmod(KeyPath().c_str(), mode);
  }

  std::string folder_;
};

TEST_F(IdentityTest, IsTheSameAfterARestart) {
  const auto first = Identity::LoadOrCreate(folder_);
  const auto second = Identity::LoadOrCreate(folder_);

  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(first->public_key().size(), Identity::kPublicKeyBytes);
  EXPECT_EQ(first->public_key(), second->public_key());
}

TEST_F(IdentityTest, KeyFileIsItsOwnersAloneAndNothingElseIsLeft) {
  ASSERT_TRUE(Identity::LoadOrCreate(folder_).ok());

  struct stat status;
  ASSERT_EQ(stat(KeyPath().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(IdentityTest, StartKilledBeforeTheKeyWasWholeIsForgotten) {
  std::ofstream(KeyPath() + ".new") << "-----BEGIN PRIV";

  EXPECT_TRUE(Identity::LoadOrCreate(folder_).ok());
  EXPECT_FALSE(std::filesystem::exists(KeyPath() + ".new"));
}

TEST_F(IdentityTest, RefusesAKeyThatOthersCanRead) {
  ASSERT_TRUE(Identity::LoadOrCreate(folder_).ok());
  chmod(KeyPath().c_str(), 0644);

  const auto identity = Identity::LoadOrCreate(folder_);

  ASSERT_FALSE(identity.ok());
  EXPECT_THAT(identity.status().ToString(), HasSubstr(KeyPath()));
  EXPECT_THAT(identity.status().ToString(), HasSubstr("chmod 600"));
}

TEST_F(IdentityTest, NeverReplacesAFileThatIsNoKey) {
  for (const std::string_view text : {"", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n"}) {
    WriteKey(text);

    const auto identity = Identity::LoadOrCreate(folder_);

    EXPECT_FALSE(identity.ok());
    std::ifstream file(KeyPath());
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), text);
  }
}

TEST_F(IdentityTest, MissingFolderIsNamed) {
  const auto identity = Identity::LoadOrCreate(folder_ + "/absent");

  ASSERT_FALSE(identity.ok());
  EXPECT_THAT(identity.status().ToString(), HasSubstr(folder_ + "/absent"));
}

TEST_F(IdentityTest, SignatureHoldsForItsKeyAndMessageOnly) {
  const Identity mine = Identity::Generate();
  const Identity other = Identity::Generate();
  const std::string signature = mine.Sign("message");
  std::string forged = signature;
  forged[10] ^= 1;

  EXPECT_TRUE(Identity::Verify(mine.public_key(), "message", signature));
  EXPECT_FALSE(Identity::Verify(mine.public_key(), "massage", signature));
  EXPECT_FALSE(Identity::Verify(other.public_key(), "message", signature));
  EXPECT_FALSE(Identity::Verify(mine.public_key(), "message", forged));
  EXPECT_FALSE(Identity::Verify(mine.public_key(), "message", signature.substr(1)));
  EXPECT_FALSE(Identity::Verify("", "message", signature));
}

// RFC 8032, 7.1, test 2.
TEST_F(IdentityTest, VerifiesTheVectorOfTheRfc) {
  const std::string key =
      *FromHex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  const std::string signature = *FromHex(
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");

  EXPECT_TRUE(Identity::Verify(key, "\x72", signature));
}

}  // namespace
}  // namespace reef
