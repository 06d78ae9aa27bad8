// SPDX-License-Identifier: Apache-2.0
//
// What a process tells of itself under the names that Prometheus clients share (process_*), and the
// cache's figures, which the cache itself only counts. Read from /proc when scraped.
#pragma once

#include "base/runtime/metrics.h"
#include "httpproxy/store/cache.h"

namespace reef::deploy {

void AddProcessMetrics(Metrics& metrics);

// `cache` must outlive the last scrape.
void AddCacheMetrics(const http::Cache& cache, Metrics& metrics);

}  // namespace reef::deploy
