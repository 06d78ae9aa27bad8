// SPDX-License-Identifier: Apache-2.0
//
// ExportStats: what a Node counts, as metrics of the process (docs/metrics.md).
//
// `read` is called on the scraping thread, once for each metric; it must not block for long.
#pragma once

#include <functional>

#include "base/runtime/metrics.h"
#include "dsht/core/node.h"
#include "dsht/core/stats.h"

namespace reef::dsht {

void ExportStats(Metrics& metrics, std::function<Stats()> read);
void ExportGauges(Metrics& metrics, std::function<Node::Gauges()> read);

}  // namespace reef::dsht
