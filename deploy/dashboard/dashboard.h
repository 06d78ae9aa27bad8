// SPDX-License-Identifier: Apache-2.0
//
// The dashboard: one self-contained HTML page (index.html), linked into the program. Any thread.
#pragma once

#include <string_view>

namespace reef::deploy {

std::string_view DashboardHtml();

}  // namespace reef::deploy
