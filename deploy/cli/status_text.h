// SPDX-License-Identifier: Apache-2.0
//
// A node's status as a text for people, fit for a terminal. Pure; any thread.
#pragma once

#include <string>

#include "proto/control.pb.h"

namespace reef::deploy {

std::string StatusText(const control::Status& status);

// "1.5 MiB", "3 h 12 min".
std::string BytesText(double bytes);
std::string DurationText(double seconds);

}  // namespace reef::deploy
