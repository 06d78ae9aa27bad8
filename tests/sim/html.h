// SPDX-License-Identifier: Apache-2.0
//
// Html: words and numbers on their way into a page.
//
// Free functions.
#pragma once

#include <string>
#include <string_view>

namespace reef::sim {

// As text of an element or in the quotes of an attribute.
std::string Escaped(std::string_view text);

// As people read numbers: 1,234,567; 1,234.5; 0.01235.
std::string ReadableNumber(double value);

}  // namespace reef::sim
