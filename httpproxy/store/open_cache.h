// SPDX-License-Identifier: Apache-2.0
//
// Cache::Open over a file layer of the caller's, for tests that make files fail.
#pragma once

#include <memory>

#include "base/status.h"
#include "httpproxy/store/cache.h"
#include "httpproxy/store/disk/file_layer.h"

namespace reef::http {

StatusOr<std::unique_ptr<Cache>> OpenCache(const Cache::Options& options,
                                           std::unique_ptr<FileLayer> layer);

}  // namespace reef::http
