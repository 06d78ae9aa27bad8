// SPDX-License-Identifier: Apache-2.0
//
// Conditional and range requests answered from a stored response: RFC 9110, 13.2.2 (order of the
// preconditions), 14.2; RFC 9111, 4.3.2. Free functions; any thread.
#pragma once

#include <vector>

#include "httpproxy/core/http1_parser.h"
#include "httpproxy/core/object_head.h"
#include "httpproxy/core/range.h"

namespace reef::http {

enum class Precondition { kProceed, kNotModified, kFailed };

// Only a stored 200 has conditions; for other statuses, and methods other than GET and HEAD,
// kProceed.
Precondition EvaluateConditions(const RequestHead& request, const ObjectHead& stored);

// The ranges to be sent from a stored 200 once EvaluateConditions said kProceed: after If-Range.
// None: the whole. ResolveAll() against the length, when it is known, says which are satisfiable.
std::vector<ByteRangeSpec> RequestedRanges(const RequestHead& request, const ObjectHead& stored);

// Range or a precondition: what answers it where it is sent on (206, 304, 412, 416) may be an
// answer to that alone.
bool IsConditional(const FieldTable& request);

}  // namespace reef::http
