// SPDX-License-Identifier: Apache-2.0
//
// The index's options from the configuration (proto/config.proto, Index). The defaults are those of
// dsht::Options.
//
// Free functions; any thread.
#pragma once

#include "base/status.h"
#include "dsht/core/options.h"
#include "proto/config.pb.h"

namespace reef::deploy {

void FillIndexDefaults(config::Index* index);

// Requires: FillIndexDefaults.
Status CheckIndex(const config::Index& index);

// Requires: CheckIndex.
dsht::Options IndexOptionsOf(const config::Index& index);

}  // namespace reef::deploy
