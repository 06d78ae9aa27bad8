// SPDX-License-Identifier: Apache-2.0
#include "deploy/node/state_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace reef::deploy {
namespace {

Status Failed(const std::string& path, std::string_view why, std::string_view remedy) {
  return FailedPrecondition("state folder " + path + ": " + std::string(why) + "; " +
                            std::string(remedy));
}

constexpr std::string_view kChooseAnother = "choose another with --state-dir or state_dir";

}  // namespace

StateDir::StateDir(std::string path, UniqueFd lock)
    : path_(std::move(path)), lock_(std::move(lock)) {}

StatusOr<StateDir> StateDir::Open(const std::string& path) {
  // Those above it are made as any; the folder itself holds a private key.
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  if (error) return Failed(path, error.message(), kChooseAnother);
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return Failed(path, std::strerror(errno), kChooseAnother);
  }
  const std::string lock_path = path + "/lock";
  UniqueFd lock(open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return Failed(path, std::strerror(errno), kChooseAnother);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    std::array<char, 16> holder{};
    const ssize_t n = read(lock.get(), holder.data(), holder.size() - 1);
    const std::string pid(holder.data(), n > 0 ? static_cast<size_t>(n) : 0);
    return Failed(path, "in use by process " + (pid.empty() ? "unknown" : pid),
                  "stop that one, or give this node a folder of its own with --state-dir");
  }
  const std::string pid = std::to_string(getpid());
  // For that message only: a failure to write does no harm.
  if (ftruncate(lock.get(), 0) == 0) {
    [[maybe_unused]] const ssize_t n = pwrite(lock.get(), pid.data(), pid.size(), 0);
  }
  return StateDir(path, std::move(lock));
}

}  // namespace reef::deploy
