// SPDX-License-Identifier: Apache-2.0
//
// Reads a YAML document onto a protobuf message by reflection, and writes one back. The message is
// the schema: keys are field names, and what does not fit is an error that names file and line, key
// path, what was found and what was expected.
//
//   *_bytes (integers)       64MiB, 10GB, 4096      powers of 1024: KiB MiB GiB TiB; of 1000: kB MB
//   GB TB google.protobuf.Duration 500ms, 20s, 5m, 12h, 1h30m enumerations             value names
//   in lower case, without the prefix: LOG_LEVEL_INFO is info bool                     true, false
//   repeated                 a list; one value alone is a list of one
//   map<string, ...>         a map; a key may be given once, as everywhere
//   map<string, message>     where a value is no map, it is the message's field number 1
//
// An empty value is an empty list, map or message, and an error for anything else. Pure functions
// but for ReadYamlFile, which reads the file; any thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace google::protobuf {
class FieldDescriptor;
class Message;
}  // namespace google::protobuf

namespace reef {

// Judges a value of the right type: what was expected instead ("a port, 1 to 65535"), or empty if
// it is good. `value` is the text as written; for a key of a map, `field` is the map.
using ValueCheck = std::function<std::string(const google::protobuf::FieldDescriptor& field,
                                             const std::string& value)>;

// Merges the document into `message`, which is half read after an error. Errors: NotFound or
// FailedPrecondition if the file cannot be read; InvalidArgument with one line for each thing that
// is wrong, in the order of the file.
Status ReadYamlFile(const std::string& path, const ValueCheck& check,
                    google::protobuf::Message* message);

// The same for a text; `name` stands for the file's in errors.
Status ReadYaml(std::string_view text, std::string_view name, const ValueCheck& check,
                google::protobuf::Message* message);

// Sets one field, or adds to a repeated one, as the document `PATH: TEXT` would: for flags that
// stand for a key. `path` may lead through messages ("log.level"); `name` stands for the file's.
// Requires: there is such a field, and it is no map or message.
Status SetYamlValue(std::string_view path, const std::string& text, std::string_view name,
                    const ValueCheck& check, google::protobuf::Message* message);

// The message as YAML that ReadYaml reads back to an equal one. Fields with presence are left out
// if absent; maps are in the order of their keys.
std::string WriteYaml(const google::protobuf::Message& message);

}  // namespace reef
