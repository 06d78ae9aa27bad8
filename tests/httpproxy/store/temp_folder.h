// SPDX-License-Identifier: Apache-2.0
//
// TempFolder: a folder of its own for a test, removed with all it holds.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "base/check.h"

namespace reef {

class TempFolder {
 public:
  TempFolder() : path_(std::filesystem::temp_directory_path() / "reef-test-XXXXXX") {
    REEF_CHECK(mkdtemp(path_.data()) != nullptr) << path_;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace reef
