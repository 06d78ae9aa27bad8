// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/origin.h"

namespace reef::http {

std::string Origin::Authority() const {
  const bool literal_v6 = host.find(':') != std::string::npos;
  std::string authority;
  authority.reserve(host.size() + 8);
  if (literal_v6) authority += '[';
  authority += host;
  if (literal_v6) authority += ']';
  if (port != (tls ? 443 : 80)) {
    authority += ':';
    authority += std::to_string(port);
  }
  return authority;
}

}  // namespace reef::http
