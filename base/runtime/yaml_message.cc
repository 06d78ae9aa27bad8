// SPDX-License-Identifier: Apache-2.0
#include "base/runtime/yaml_message.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"

namespace reef {
namespace {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptor;

struct Unit {
  std::string_view name;
  uint64_t size;
};

// Largest first: the writer takes the first that divides.
constexpr std::array kByteUnits = {Unit{"TiB", 1ull << 40}, Unit{"TB", 1'000'000'000'000},
                                   Unit{"GiB", 1ull << 30}, Unit{"GB", 1'000'000'000},
                                   Unit{"MiB", 1ull << 20}, Unit{"MB", 1'000'000},
                                   Unit{"KiB", 1ull << 10}, Unit{"kB", 1'000},
                                   Unit{"KB", 1'000},       Unit{"B", 1}};
constexpr std::array kTimeUnits = {  // in nanoseconds
    Unit{"h", 3'600'000'000'000}, Unit{"m", 60'000'000'000}, Unit{"s", 1'000'000'000},
    Unit{"ms", 1'000'000},        Unit{"us", 1'000},         Unit{"ns", 1}};

template <size_t N>
std::optional<uint64_t> UnitSize(const std::array<Unit, N>& units, std::string_view name) {
  const auto at = std::ranges::find(units, name, &Unit::name);
  return at == units.end() ? std::nullopt : std::optional(at->size);
}

// Digits and a unit at the head of `text`, which is cut off; nullopt for anything else.
template <size_t N>
std::optional<uint64_t> TakeQuantity(const std::array<Unit, N>& units, std::string_view& text) {
  const auto is_digit = [](char c) { return IsDigit(c); };
  const auto digits = std::ranges::find_if_not(text, is_digit) - text.begin();
  const auto number = ParseDecimal(text.substr(0, static_cast<size_t>(digits)));
  text.remove_prefix(static_cast<size_t>(digits));
  const auto letters = std::ranges::find_if(text, is_digit) - text.begin();
  const auto size = UnitSize(units, text.substr(0, static_cast<size_t>(letters)));
  text.remove_prefix(static_cast<size_t>(letters));
  uint64_t product = 0;
  if (!number || !size || __builtin_mul_overflow(*number, *size, &product)) return std::nullopt;
  return product;
}

std::optional<uint64_t> ParseBytes(std::string_view text) {
  if (const auto plain = ParseDecimal(text)) return plain;
  const auto bytes = TakeQuantity(kByteUnits, text);
  return text.empty() ? bytes : std::nullopt;
}

std::optional<uint64_t> ParseNanoseconds(std::string_view text) {
  if (text == "0") return 0;
  uint64_t sum = 0;
  do {
    const auto part = TakeQuantity(kTimeUnits, text);
    if (!part || __builtin_add_overflow(sum, *part, &sum)) return std::nullopt;
  } while (!text.empty());
  return sum;
}

template <size_t N>
std::string WriteQuantity(const std::array<Unit, N>& units, uint64_t value) {
  const auto divides = [&](const Unit& unit) { return value % unit.size == 0; };
  // Zero is divided by all: it is written in the smallest unit that is common, not as 0TiB.
  if (value == 0) return "0";
  const auto unit = std::ranges::find_if(units, divides);
  return std::to_string(value / unit->size) + std::string(unit->name);
}

bool IsBytes(const Field& field) {
  return field.cpp_type() != Field::CPPTYPE_STRING && field.name().ends_with("_bytes");
}
bool IsDuration(const Field& field) {
  return field.cpp_type() == Field::CPPTYPE_MESSAGE &&
         field.message_type()->full_name() == "google.protobuf.Duration";
}
bool IsStruct(const Field& field) {
  return field.cpp_type() == Field::CPPTYPE_MESSAGE && !IsDuration(field);
}

// LOG_LEVEL_INFO of the enumeration LogLevel: "info".
std::string EnumText(const pb::EnumValueDescriptor& value) {
  std::string prefix;
  for (const char c : value.type()->name()) {
    if (c >= 'A' && c <= 'Z' && !prefix.empty()) prefix += '_';
    prefix += AsciiLower(c);
  }
  const std::string name = AsciiLower(value.name());
  return name.starts_with(prefix + "_") ? name.substr(prefix.size() + 1) : name;
}

// The values that a file may name: number 0 stands for "not said" where it is so called.
std::map<std::string, const pb::EnumValueDescriptor*> EnumValues(const pb::EnumDescriptor& type) {
  std::map<std::string, const pb::EnumValueDescriptor*> values;
  for (int i = 0; i < type.value_count(); ++i) {
    const std::string text = EnumText(*type.value(i));
    if (text != "unspecified") values[text] = type.value(i);
  }
  return values;
}

template <typename Range>
std::string JoinedNames(const Range& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// Edits of one character (insert, delete, replace, swap of two neighbours) from a to b.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1,
                             cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

// The hint after an unknown name: the near miss, else all there is.
std::string Suggestion(std::string_view wrong, const std::vector<std::string>& known) {
  constexpr size_t kNameMax = 64;
  const std::string* best = nullptr;
  size_t best_distance = wrong.size() <= 4 ? 2 : 3;  // exclusive
  if (wrong.size() <= kNameMax) {
    for (const std::string& name : known) {
      const size_t distance = EditDistance(AsciiLower(wrong), name);
      if (distance < best_distance) {
        best = &name;
        best_distance = distance;
      }
    }
  }
  if (best != nullptr) return "did you mean \"" + *best + "\"?";
  return "expected one of " + JoinedNames(known);
}

std::string KindOf(const YAML::Node& node) {
  if (node.IsMap()) return "a map";
  if (node.IsSequence()) return "a list";
  if (node.IsScalar()) return "\"" + node.Scalar() + "\"";
  return "an empty value";
}

class Reader {
 public:
  Reader(std::string_view file, const ValueCheck& check) : file_(file), check_(check) {}

  void ReadMessage(const YAML::Node& node, int line, const std::string& path,
                   pb::Message* message) {
    if (node.IsNull()) return;
    if (!node.IsMap()) {
      return Error(line, path,
                   KindOf(node) + ": expected a map of " +
                       JoinedNames(FieldNames(*message->GetDescriptor())));
    }
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const auto key = Key(entry.first, path, seen);
      if (!key) continue;
      const int key_line = LineOf(entry.first);
      const std::string key_path = Below(path, *key);
      const Field* field = message->GetDescriptor()->FindFieldByName(*key);
      if (field == nullptr) {
        Error(key_line, key_path,
              "unknown key; " + Suggestion(*key, FieldNames(*message->GetDescriptor())));
        continue;
      }
      ReadField(entry.second, key_line, key_path, *field, message);
    }
  }

  // One value, set or added to a repeated field.
  void ReadValue(const YAML::Node& node, int line, const std::string& path, const Field& field,
                 pb::Message* message) {
    const pb::Reflection& reflection = *message->GetReflection();
    if (IsStruct(field)) {
      return ReadMessage(node, line, path,
                         field.is_repeated() ? reflection.AddMessage(message, &field)
                                             : reflection.MutableMessage(message, &field));
    }
    if (!node.IsScalar()) {
      return Error(line, path, KindOf(node) + ": expected " + Expected(field));
    }
    const std::string& text = node.Scalar();
    if (!SetScalar(text, field, message)) {
      return Error(line, path, "\"" + text + "\": expected " + Expected(field));
    }
    Passes(line, path, field, text);
  }

  void Error(int line, const std::string& path, const std::string& what) {
    std::string& error = errors_.emplace_back(file_);
    if (line > 0) error.append(":").append(std::to_string(line));
    error.append(": ");
    if (!path.empty()) error.append(path).append(": ");
    error.append(what);
  }

  Status Result() const {
    if (errors_.empty()) return absl::OkStatus();
    std::string text;
    for (const std::string& error : errors_) text += (text.empty() ? "" : "\n") + error;
    return InvalidArgument(text);
  }

 private:
  static int LineOf(const YAML::Node& node) { return node.Mark().line + 1; }

  static std::string Below(const std::string& path, const std::string& key) {
    return path.empty() ? key : path + "." + key;
  }

  static std::vector<std::string> FieldNames(const pb::Descriptor& type) {
    std::vector<std::string> names;
    for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
    return names;
  }

  std::optional<std::string> Key(const YAML::Node& node, const std::string& path,
                                 std::set<std::string>& seen) {
    if (!node.IsScalar()) {
      Error(LineOf(node), path, KindOf(node) + ": expected a name as key");
      return std::nullopt;
    }
    if (!seen.insert(node.Scalar()).second) {
      Error(LineOf(node), Below(path, node.Scalar()), "given twice");
      return std::nullopt;
    }
    return node.Scalar();
  }

  void ReadField(const YAML::Node& node, int line, const std::string& path, const Field& field,
                 pb::Message* message) {
    if (field.is_map()) return ReadMap(node, line, path, field, message);
    if (field.is_repeated()) return ReadList(node, line, path, field, message);
    ReadValue(node, line, path, field, message);
  }

  void ReadMap(const YAML::Node& node, int line, const std::string& path, const Field& field,
               pb::Message* message) {
    if (node.IsNull()) return;
    if (!node.IsMap()) {
      return Error(line, path, KindOf(node) + ": expected a map, such as {name: value}");
    }
    const Field& value_field = *field.message_type()->map_value();
    std::set<std::string> seen;
    for (const auto& pair : node) {
      const auto key = Key(pair.first, path, seen);
      if (!key) continue;
      const int key_line = LineOf(pair.first);
      const std::string key_path = Below(path, *key);
      pb::Message* const entry = message->GetReflection()->AddMessage(message, &field);
      // Of the key no more is known than of the map: its check is that of the map's field.
      if (!Passes(key_line, key_path, field, *key)) continue;
      entry->GetReflection()->SetString(entry, field.message_type()->map_key(), *key);
      ReadMapValue(pair.second, key_line, key_path, value_field, entry);
    }
  }

  void ReadMapValue(const YAML::Node& node, int line, const std::string& path, const Field& field,
                    pb::Message* entry) {
    if (!IsStruct(field) || node.IsMap()) return ReadValue(node, line, path, field, entry);
    if (node.IsNull())
      return Error(line, path, "an empty value: expected what the name stands for");
    pb::Message* const value = entry->GetReflection()->MutableMessage(entry, &field);
    const Field* const first = value->GetDescriptor()->FindFieldByNumber(1);
    REEF_CHECK(first != nullptr) << "no short form: " << value->GetTypeName();
    ReadField(node, line, path, *first, value);
  }

  void ReadList(const YAML::Node& node, int line, const std::string& path, const Field& field,
                pb::Message* message) {
    if (node.IsNull()) return;
    if (!node.IsSequence()) return ReadValue(node, line, path, field, message);
    size_t index = 0;
    for (const YAML::Node& item : node) {
      const std::string item_path = path + "[" + std::to_string(index++) + "]";
      ReadValue(item, item.IsNull() ? line : LineOf(item), item_path, field, message);
    }
  }

  bool Passes(int line, const std::string& path, const Field& field, const std::string& text) {
    const std::string expected = check_ ? check_(field, text) : "";
    if (expected.empty()) return true;
    Error(line, path, "\"" + text + "\": expected " + expected);
    return false;
  }

  static std::string Expected(const Field& field) {
    if (IsBytes(field)) return "a size, such as 64MiB, 10GB or a number of bytes";
    if (IsDuration(field)) return "a duration, such as 500ms, 20s, 5m or 12h";
    switch (field.cpp_type()) {
      case Field::CPPTYPE_BOOL:
        return "true or false";
      case Field::CPPTYPE_ENUM: {
        std::vector<std::string> names;
        for (const auto& [name, value] : EnumValues(*field.enum_type())) names.push_back(name);
        return "one of " + JoinedNames(names);
      }
      case Field::CPPTYPE_DOUBLE:
      case Field::CPPTYPE_FLOAT:
        return "a number";
      case Field::CPPTYPE_INT32:
        return WholeNumber<int32_t>();
      case Field::CPPTYPE_INT64:
        return WholeNumber<int64_t>();
      case Field::CPPTYPE_UINT32:
        return WholeNumber<uint32_t>();
      case Field::CPPTYPE_UINT64:
        return WholeNumber<uint64_t>();
      default:
        return "a text";
    }
  }

  template <typename T>
  static std::string WholeNumber() {
    return "a whole number, " + std::to_string(std::numeric_limits<T>::min()) + " to " +
           std::to_string(std::numeric_limits<T>::max());
  }

  // False if the text is no value of the field's type.
  static bool SetScalar(const std::string& text, const Field& field, pb::Message* message) {
    const pb::Reflection& reflection = *message->GetReflection();
    const auto put = [&](auto set, auto add, const auto& value) {
      if (field.is_repeated()) {
        (reflection.*add)(message, &field, value);
      } else {
        (reflection.*set)(message, &field, value);
      }
      return true;
    };
    using R = pb::Reflection;
    switch (field.cpp_type()) {
      case Field::CPPTYPE_STRING:
        return put(&R::SetString, &R::AddString, text);
      case Field::CPPTYPE_BOOL:
        return (text == "true" || text == "false") && put(&R::SetBool, &R::AddBool, text == "true");
      case Field::CPPTYPE_ENUM: {
        const auto values = EnumValues(*field.enum_type());
        const auto at = values.find(text);
        return at != values.end() && put(&R::SetEnum, &R::AddEnum, at->second);
      }
      case Field::CPPTYPE_INT32: {
        const auto n = Whole<int32_t>(field, text);
        return n && put(&R::SetInt32, &R::AddInt32, *n);
      }
      case Field::CPPTYPE_INT64: {
        const auto n = Whole<int64_t>(field, text);
        return n && put(&R::SetInt64, &R::AddInt64, *n);
      }
      case Field::CPPTYPE_UINT32: {
        const auto n = Whole<uint32_t>(field, text);
        return n && put(&R::SetUInt32, &R::AddUInt32, *n);
      }
      case Field::CPPTYPE_UINT64: {
        const auto n = Whole<uint64_t>(field, text);
        return n && put(&R::SetUInt64, &R::AddUInt64, *n);
      }
      case Field::CPPTYPE_DOUBLE: {
        const auto n = Number<double>(text);
        return n && put(&R::SetDouble, &R::AddDouble, *n);
      }
      case Field::CPPTYPE_FLOAT: {
        const auto n = Number<float>(text);
        return n && put(&R::SetFloat, &R::AddFloat, *n);
      }
      case Field::CPPTYPE_MESSAGE:
        return SetDuration(text, field.is_repeated() ? reflection.AddMessage(message, &field)
                                                     : reflection.MutableMessage(message, &field));
    }
    return false;
  }

  template <typename T>
  static std::optional<T> Number(std::string_view text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool is_whole = error == std::errc() && end == text.data() + text.size();
    return is_whole ? std::optional(value) : std::nullopt;
  }

  template <typename T>
  static std::optional<T> Whole(const Field& field, std::string_view text) {
    if (!IsBytes(field)) return Number<T>(text);
    const auto bytes = ParseBytes(text);
    return bytes && std::in_range<T>(*bytes) ? std::optional(static_cast<T>(*bytes)) : std::nullopt;
  }

  static bool SetDuration(std::string_view text, pb::Message* duration) {
    const auto ns = ParseNanoseconds(text);
    if (!ns) return false;
    const pb::Descriptor& type = *duration->GetDescriptor();
    const pb::Reflection& reflection = *duration->GetReflection();
    reflection.SetInt64(duration, type.FindFieldByName("seconds"),
                        static_cast<int64_t>(*ns / 1'000'000'000));
    reflection.SetInt32(duration, type.FindFieldByName("nanos"),
                        static_cast<int32_t>(*ns % 1'000'000'000));
    return true;
  }

  const std::string file_;
  const ValueCheck& check_;
  std::vector<std::string> errors_;
};

class Writer {
 public:
  std::string Write(const pb::Message& message) {
    WriteMessage(message);
    return std::string(out_.c_str()) + "\n";
  }

 private:
  void WriteMessage(const pb::Message& message) {
    const pb::Descriptor& type = *message.GetDescriptor();
    out_ << YAML::BeginMap;
    for (int i = 0; i < type.field_count(); ++i) {
      const Field& field = *type.field(i);
      if (field.has_presence() && !message.GetReflection()->HasField(message, &field)) continue;
      out_ << YAML::Key << field.name() << YAML::Value;
      WriteField(message, field);
    }
    out_ << YAML::EndMap;
  }

  void WriteField(const pb::Message& message, const Field& field) {
    if (field.is_map()) return WriteMap(message, field);
    if (!field.is_repeated()) return WriteValue(message, field, -1);
    const int count = message.GetReflection()->FieldSize(message, &field);
    if (count == 0) out_ << YAML::Flow;
    out_ << YAML::BeginSeq;
    for (int i = 0; i < count; ++i) WriteValue(message, field, i);
    out_ << YAML::EndSeq;
  }

  void WriteMap(const pb::Message& message, const Field& field) {
    const pb::Reflection& reflection = *message.GetReflection();
    const Field* const key = field.message_type()->map_key();
    const Field& value = *field.message_type()->map_value();
    std::map<std::string, const pb::Message*> entries;
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
      const pb::Message& entry = reflection.GetRepeatedMessage(message, &field, i);
      entries[entry.GetReflection()->GetString(entry, key)] = &entry;
    }
    if (entries.empty()) out_ << YAML::Flow;
    out_ << YAML::BeginMap;
    for (const auto& [name, entry] : entries) {
      out_ << YAML::Key << name << YAML::Value;
      if (IsStruct(value)) {
        WriteMapValue(entry->GetReflection()->GetMessage(*entry, &value));
      } else {
        WriteValue(*entry, value, -1);
      }
    }
    out_ << YAML::EndMap;
  }

  // In the short form where nothing but field number 1 is said.
  void WriteMapValue(const pb::Message& message) {
    std::vector<const Field*> set;
    message.GetReflection()->ListFields(message, &set);
    if (set.size() == 1 && set[0]->number() == 1 && !IsStruct(*set[0])) {
      return WriteField(message, *set[0]);
    }
    WriteMessage(message);
  }

  // `index` within a repeated field, else -1.
  void WriteValue(const pb::Message& message, const Field& field, int index) {
    const pb::Reflection& reflection = *message.GetReflection();
    const auto get = [&](auto one, auto repeated) {
      return index < 0 ? (reflection.*one)(message, &field)
                       : (reflection.*repeated)(message, &field, index);
    };
    using R = pb::Reflection;
    switch (field.cpp_type()) {
      case Field::CPPTYPE_STRING:
        out_ << get(&R::GetString, &R::GetRepeatedString);
        return;
      case Field::CPPTYPE_BOOL:
        out_ << get(&R::GetBool, &R::GetRepeatedBool);
        return;
      case Field::CPPTYPE_ENUM:
        out_ << EnumText(*get(&R::GetEnum, &R::GetRepeatedEnum));
        return;
      case Field::CPPTYPE_INT32:
        return WriteWhole(field, get(&R::GetInt32, &R::GetRepeatedInt32));
      case Field::CPPTYPE_INT64:
        return WriteWhole(field, get(&R::GetInt64, &R::GetRepeatedInt64));
      case Field::CPPTYPE_UINT32:
        return WriteWhole(field, get(&R::GetUInt32, &R::GetRepeatedUInt32));
      case Field::CPPTYPE_UINT64:
        return WriteWhole(field, get(&R::GetUInt64, &R::GetRepeatedUInt64));
      case Field::CPPTYPE_DOUBLE:
        out_ << get(&R::GetDouble, &R::GetRepeatedDouble);
        return;
      case Field::CPPTYPE_FLOAT:
        out_ << get(&R::GetFloat, &R::GetRepeatedFloat);
        return;
      case Field::CPPTYPE_MESSAGE:
        break;
    }
    const pb::Message& value = index < 0 ? reflection.GetMessage(message, &field)
                                         : reflection.GetRepeatedMessage(message, &field, index);
    if (IsDuration(field)) return WriteDuration(value);
    WriteMessage(value);
  }

  template <typename T>
  void WriteWhole(const Field& field, T value) {
    if (IsBytes(field) && value >= 0) {
      out_ << WriteQuantity(kByteUnits, static_cast<uint64_t>(value));
    } else {
      out_ << std::to_string(value);
    }
  }

  void WriteDuration(const pb::Message& duration) {
    const pb::Descriptor& type = *duration.GetDescriptor();
    const pb::Reflection& reflection = *duration.GetReflection();
    const int64_t seconds = reflection.GetInt64(duration, type.FindFieldByName("seconds"));
    const int32_t nanos = reflection.GetInt32(duration, type.FindFieldByName("nanos"));
    out_ << WriteQuantity(
        kTimeUnits, static_cast<uint64_t>(seconds) * 1'000'000'000 + static_cast<uint64_t>(nanos));
  }

  YAML::Emitter out_;
};

}  // namespace

Status ReadYaml(std::string_view text, std::string_view name, const ValueCheck& check,
                pb::Message* message) {
  Reader reader(name, check);
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    if (documents.size() > 1) reader.Error(0, "", "holds several documents: expected one");
    if (documents.size() == 1) reader.ReadMessage(documents[0], 1, "", message);
  } catch (const YAML::Exception& e) {
    reader.Error(e.mark.line + 1, "", "not YAML: " + e.msg);
  }
  return reader.Result();
}

Status ReadYamlFile(const std::string& path, const ValueCheck& check, pb::Message* message) {
  const auto failed = [&] {
    const std::string what = "read " + path + ": " + std::strerror(errno);
    return errno == ENOENT ? NotFound(what) : FailedPrecondition(what);
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             &std::fclose);
  if (file == nullptr) return failed();
  std::string text;
  std::array<char, 4096> piece;
  while (const size_t n = std::fread(piece.data(), 1, piece.size(), file.get())) {
    text.append(piece.data(), n);
  }
  if (std::ferror(file.get()) != 0) return failed();
  return ReadYaml(text, path, check, message);
}

Status SetYamlValue(std::string_view path, const std::string& text, std::string_view name,
                    const ValueCheck& check, pb::Message* message) {
  Reader reader(name, check);
  for (size_t dot; (dot = path.find('.')) != std::string_view::npos; path.remove_prefix(dot + 1)) {
    const Field* const field =
        message->GetDescriptor()->FindFieldByName(std::string(path.substr(0, dot)));
    REEF_CHECK(field != nullptr && IsStruct(*field) && !field->is_repeated()) << path;
    message = message->GetReflection()->MutableMessage(message, field);
  }
  const Field* const field = message->GetDescriptor()->FindFieldByName(std::string(path));
  REEF_CHECK(field != nullptr && !IsStruct(*field)) << path;
  reader.ReadValue(YAML::Node(text), 0, "", *field, message);
  return reader.Result();
}

std::string WriteYaml(const pb::Message& message) {
  return Writer().Write(message);
}

}  // namespace reef
