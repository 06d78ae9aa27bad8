// SPDX-License-Identifier: Apache-2.0
//
// The zone of the redirector as the configuration tells it. Pure functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "dnsredir/core/zone.h"
#include "proto/config.pb.h"

namespace reef::deploy {

// Requires: FillDefaults. What is wrong with it as a whole, dns::Zone::Make tells.
dns::ZoneOptions ZoneOptionsOf(const config::Config& config);

// A CAA record from its form in a zone file, `0 issue "ca.example"` (RFC 8659, 4.1.1), with or
// without the quotes; nullopt if it is not of that form.
std::optional<std::string> CaaRdataOf(std::string_view text);

}  // namespace reef::deploy
