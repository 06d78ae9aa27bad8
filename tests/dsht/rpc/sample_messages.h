// SPDX-License-Identifier: Apache-2.0
//
// One message of each kind with every field set to something that is not its default: what the
// codec's test walks and what the seeds of its fuzzer are made from.
#pragma once

#include <vector>

#include "dsht/core/message.h"

namespace reef::dsht {

std::vector<Message> SampleMessages();

}  // namespace reef::dsht
