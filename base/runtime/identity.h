// SPDX-License-Identifier: Apache-2.0
//
// Identity: the Ed25519 key that a node is known by (RFC 8032). Made at the first start, kept in
// the state folder, never sent anywhere. The index derives a node's id from the public key.
//
// A value that cannot be copied. Sign from any thread. Files are touched only when loaded.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

struct evp_pkey_st;

namespace reef {

class Identity {
 public:
  static constexpr size_t kPublicKeyBytes = 32;
  static constexpr size_t kSignatureBytes = 64;

  // The key in DIRECTORY/identity.key (PEM, PKCS #8), made there if that file is absent: readable
  // by its owner only, and whole or not at all after a crash. A file that others can read or that
  // is no such key is an error: a new key would make this a new node in silence. Requires: the
  // directory exists.
  static StatusOr<Identity> LoadOrCreate(const std::string& directory);
  // For a node without a state folder: a key for this run.
  static Identity Generate();

  Identity(Identity&&) noexcept;
  Identity& operator=(Identity&&) noexcept;
  ~Identity();

  // 32 raw bytes.
  const std::string& public_key() const { return public_key_; }
  // 64 raw bytes.
  std::string Sign(std::string_view message) const;

  // False also for a key or signature of the wrong length.
  static bool Verify(std::string_view public_key, std::string_view message,
                     std::string_view signature);

 private:
  struct FreeKey {
    void operator()(evp_pkey_st* key) const;
  };
  using Key = std::unique_ptr<evp_pkey_st, FreeKey>;
  explicit Identity(Key key);

  Key key_;
  std::string public_key_;
};

}  // namespace reef
