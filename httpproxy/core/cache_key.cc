// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/cache_key.h"

#include <cstdint>

namespace reef::http {
namespace {

// What is hashed, gathered in one piece: on the stack unless it is long. Each part goes in with its
// length, so that no two lists of parts give the same bytes.
class Preimage {
 public:
  void Part(std::string_view bytes) {
    char size[4];  // little-endian on every machine: nodes must agree
    for (int i = 0; i < 4; ++i) size[i] = static_cast<char>(bytes.size() >> (8 * i));
    Raw({size, sizeof size});
    Raw(bytes);
  }
  void Raw(std::string_view bytes) {
    if (long_.empty() && size_ + bytes.size() <= sizeof short_) {
      std::memcpy(short_ + size_, bytes.data(), bytes.size());
      size_ += bytes.size();
      return;
    }
    if (long_.empty()) long_.assign(short_, size_);
    long_ += bytes;
  }
  CacheKey Hash() const {
    return {Sha256(long_.empty() ? std::string_view(short_, size_) : std::string_view(long_))};
  }

 private:
  size_t size_ = 0;
  char short_[1024];
  std::string long_;
};

}  // namespace

// "http://host:port/path?query": a text, so that any language can compute an object's key. No part
// before the target can hold a '/', and the port's end is the target's '/'.
CacheKey PrimaryKey(bool tls, std::string_view host, uint16_t port, std::string_view target) {
  Preimage preimage;
  preimage.Raw(tls ? "https://" : "http://");
  preimage.Raw(host);
  char digits[6] = {':'};
  size_t size = 1;
  for (uint32_t unit = 10'000; unit > 0; unit /= 10) {
    if (port >= unit || unit == 1) digits[size++] = static_cast<char>('0' + port / unit % 10);
  }
  preimage.Raw({digits, size});
  preimage.Raw(target);
  return preimage.Hash();
}

CacheKey VariantKey(const CacheKey& primary,
                    std::span<const std::pair<std::string, std::string>> fields) {
  Preimage preimage;
  preimage.Raw(primary.AsBytes());
  for (const auto& [name, value] : fields) {
    preimage.Part(name);
    preimage.Part(value);
  }
  return preimage.Hash();
}

}  // namespace reef::http
