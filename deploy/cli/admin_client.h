// SPDX-License-Identifier: Apache-2.0
//
// Asking a node's admin listener, for the verbs that look at a running node. Blocks; any thread.
#pragma once

#include <string>

#include "base/endpoint.h"
#include "base/instant.h"
#include "base/status.h"

namespace reef::deploy {

// The body of a 200 answer. Errors: Unavailable if no whole answer came within `limit`; Internal if
// what answered is no admin listener, or refused.
StatusOr<std::string> AskAdmin(const Endpoint& admin, const std::string& path, Duration limit);

}  // namespace reef::deploy
