// SPDX-License-Identifier: Apache-2.0
//
// FileLayer: how segment files are written and read, so that a test can make either fail. Both
// calls take or give all bytes or an errno. Any thread; they block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace reef::http {

class FileLayer {
 public:
  virtual ~FileLayer() = default;
  // 0 or an errno.
  virtual int Write(int fd, std::string_view bytes, uint64_t offset) = 0;
  virtual int Read(int fd, char* to, size_t size, uint64_t offset) = 0;  // EIO if the file is short
};

class PosixFiles final : public FileLayer {
 public:
  int Write(int fd, std::string_view bytes, uint64_t offset) override;
  int Read(int fd, char* to, size_t size, uint64_t offset) override;
};

}  // namespace reef::http
