// SPDX-License-Identifier: Apache-2.0
#include "deploy/node/index_config.h"

#include <string>

#include "base/instant.h"

namespace reef::deploy {
namespace {

using google::protobuf::Duration;

constexpr int kDiametersMax = 7;
constexpr uint32_t kBitsMax = 160;
constexpr uint32_t kValuesMax = 16;
constexpr uint32_t kWindowMax = 16;

void Set(reef::Duration from, Duration* to) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(from);
  to->set_seconds(seconds.count());
  to->set_nanos(static_cast<int32_t>((from - seconds).count()));
}

reef::Duration Get(const Duration& from) {
  return std::chrono::seconds(from.seconds()) + std::chrono::nanoseconds(from.nanos());
}

Status AtMost(const std::string& key, uint32_t value, uint32_t most) {
  if (value <= most) return Status();
  return InvalidArgument("index." + key + ": " + std::to_string(value) + ": expected at most " +
                         std::to_string(most));
}

}  // namespace

void FillIndexDefaults(config::Index* index) {
  const dsht::Options defaults;
  if (index->diameters().empty()) {
    for (size_t level = 1; level < defaults.diameters.size(); ++level) {
      Set(defaults.diameters[level], index->add_diameters());
    }
  }
  const auto fill = [index](bool is_set, auto setter, auto value) {
    if (!is_set) (index->*setter)(static_cast<uint32_t>(value));
  };
  using I = config::Index;
  fill(index->has_bits_per_hop(), &I::set_bits_per_hop, defaults.bits_per_hop);
  fill(index->has_values_per_key(), &I::set_values_per_key, defaults.values_per_key_max);
  fill(index->has_leak_per_minute(), &I::set_leak_per_minute, defaults.leak_per_minute);
  fill(index->has_window(), &I::set_window, defaults.window);
  if (!index->has_timeout_min()) Set(defaults.rpc_timeout_min, index->mutable_timeout_min());
  if (!index->has_timeout_max()) Set(defaults.rpc_timeout_max, index->mutable_timeout_max());
}

Status CheckIndex(const config::Index& index) {
  RETURN_IF_ERROR(AtMost("bits_per_hop", index.bits_per_hop(), kBitsMax));
  RETURN_IF_ERROR(AtMost("values_per_key", index.values_per_key(), kValuesMax));
  RETURN_IF_ERROR(AtMost("window", index.window(), kWindowMax));
  if (index.diameters_size() > kDiametersMax) {
    return InvalidArgument("index.diameters: expected at most " + std::to_string(kDiametersMax));
  }
  for (int i = 0; i < index.diameters_size(); ++i) {
    const reef::Duration diameter = Get(index.diameters(i));
    const bool narrower = i == 0 || diameter < Get(index.diameters(i - 1));
    if (diameter > reef::Duration::zero() && narrower) continue;
    return InvalidArgument("index.diameters[" + std::to_string(i) +
                           "]: expected round-trip times from wide to narrow, such as 60ms, 20ms");
  }
  const bool timeouts = Get(index.timeout_min()) > reef::Duration::zero() &&
                        Get(index.timeout_min()) <= Get(index.timeout_max());
  if (!timeouts)
    return InvalidArgument("index.timeout_min: expected more than 0s and at most timeout_max");
  return Status();
}

dsht::Options IndexOptionsOf(const config::Index& index) {
  dsht::Options options;
  options.diameters = {reef::Duration::zero()};
  for (const Duration& diameter : index.diameters()) options.diameters.push_back(Get(diameter));
  options.bits_per_hop = static_cast<int>(index.bits_per_hop());
  options.values_per_key_max = index.values_per_key();
  options.leak_per_minute = index.leak_per_minute();
  options.window = index.window();
  options.rpc_timeout_min = Get(index.timeout_min());
  options.rpc_timeout_max = Get(index.timeout_max());
  return options;
}

}  // namespace reef::deploy
