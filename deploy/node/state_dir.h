// SPDX-License-Identifier: Apache-2.0
//
// StateDir: the folder of what outlives a restart, made if missing, held by one process at a time.
// Its lock goes with the process, however that ends.
#pragma once

#include <string>

#include "base/runtime/socket.h"
#include "base/status.h"

namespace reef::deploy {

class StateDir {
 public:
  // Errors name the folder, what is wrong with it, and which process has it.
  static StatusOr<StateDir> Open(const std::string& path);

  const std::string& path() const { return path_; }

 private:
  StateDir(std::string path, UniqueFd lock);

  std::string path_;
  UniqueFd lock_;
};

}  // namespace reef::deploy
