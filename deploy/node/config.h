// SPDX-License-Identifier: Apache-2.0
//
// The configuration of a node: reading and checking it, and the one place of its defaults. The
// schema and what each key means: proto/config.proto.
//
// Free functions; any thread. ReadConfig reads the file, ThisMachine asks the system.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "proto/config.pb.h"

namespace reef::deploy {

// What defaults depend on.
struct Machine {
  uint32_t cpus = 1;      // that this process may run on
  std::string state_dir;  // empty: the system has no place for it
};
Machine ThisMachine();

// As written: nothing is filled in. Errors are those of ReadYamlFile.
StatusOr<config::Config> ReadConfig(const std::string& path);

// Sets the key `path` ("ports.http") as the value of `flag` ("--http-port"): replaces what was
// there, adds to a list. Requires: there is such a key.
Status SetFromFlag(std::string_view path, const std::string& text, std::string_view flag,
                   config::Config* config);

// An entry of a map from "NAME=VALUE": origins or ns.
Status AddFromFlag(std::string_view map, const std::string& text, std::string_view flag,
                   config::Config* config);

// Fills in every value that is absent, and brings names to lower case.
void FillDefaults(const Machine& machine, config::Config* config);

// What no single value shows: services that claim one port, records that are not in the zone.
// Requires: FillDefaults.
Status CheckWhole(const config::Config& config);

}  // namespace reef::deploy
