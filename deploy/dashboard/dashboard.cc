// SPDX-License-Identifier: Apache-2.0
#include "deploy/dashboard/dashboard.h"

// The assembler copies the file: no generator, no generated source. The build names its path.
asm(".pushsection .rodata\n"
    ".local reef_dashboard_begin\n"
    ".local reef_dashboard_end\n"
    "reef_dashboard_begin:\n"
    ".incbin \"" REEF_DASHBOARD_HTML
    "\"\n"
    "reef_dashboard_end:\n"
    ".byte 0\n"
    ".popsection\n");

extern "C" const char reef_dashboard_begin[];
extern "C" const char reef_dashboard_end[];

namespace reef::deploy {

std::string_view DashboardHtml() {
  return {reef_dashboard_begin, reef_dashboard_end};
}

}  // namespace reef::deploy
