// SPDX-License-Identifier: Apache-2.0
//
// The version of this program, as the build says ("0.1.0"). Any thread.
#pragma once

#include <string_view>

namespace reef::deploy {

inline constexpr std::string_view kVersion = REEF_VERSION;

}  // namespace reef::deploy
