// SPDX-License-Identifier: Apache-2.0
#include "deploy/node/config.h"

#include <google/protobuf/descriptor.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "base/endpoint.h"
#include "base/runtime/yaml_message.h"
#include "deploy/node/index_config.h"
#include "deploy/node/zone_config.h"

namespace reef::deploy {
namespace {

// Letters, digits, hyphens and underscores in labels of 1 to 63 (RFC 1035, 2.3.4; underscores
// occur).
bool IsDomain(std::string_view text) {
  constexpr size_t kTextMax = 253;
  constexpr size_t kLabelMax = 63;
  const auto is_good = [](char c) {
    const char lower = AsciiLower(c);
    return IsDigit(c) || (lower >= 'a' && lower <= 'z') || c == '-' || c == '_';
  };
  if (text.empty() || text.size() > kTextMax) return false;
  while (true) {
    const size_t dot = text.find('.');
    const std::string_view label = text.substr(0, dot);
    if (label.empty() || label.size() > kLabelMax || !std::ranges::all_of(label, is_good)) {
      return false;
    }
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool IsPort(std::string_view text) {
  const auto port = ParseDecimal(text);
  return port && *port >= 1 && *port <= 65535;
}

bool IsEndpoint(std::string_view text) {
  const auto endpoint = Endpoint::Parse(text);
  return endpoint && endpoint->port != 0;
}

// HOST, HOST:PORT, ADDRESS, ADDRESS:PORT or [V6]:PORT.
bool IsHostPort(std::string_view text) {
  if (IsEndpoint(text) || IpAddress::Parse(text) || IsDomain(text)) return true;
  const size_t colon = text.rfind(':');
  return colon != std::string_view::npos && IsDomain(text.substr(0, colon)) &&
         IsPort(text.substr(colon + 1));
}

std::string ExpectedInstead(const google::protobuf::FieldDescriptor& field,
                            const std::string& value) {
  const auto unless = [](bool is_good, std::string_view expected) {
    return is_good ? std::string() : std::string(expected);
  };
  switch (field.options().GetExtension(config::format)) {
    case config::FORMAT_DOMAIN:
      return unless(IsDomain(value), "a domain name, such as www.example.org");
    case config::FORMAT_ADDRESS:
      return unless(IpAddress::Parse(value).has_value(),
                    "an IP address without a port, such as 192.0.2.7 or 2001:db8::7");
    case config::FORMAT_ENDPOINT:
      return unless(IsEndpoint(value),
                    "ADDRESS:PORT, such as 192.0.2.7:8080 or \"[2001:db8::7]:8080\"");
    case config::FORMAT_HOST_PORT:
      return unless(IsHostPort(value), "HOST or HOST:PORT, such as reef.example.org:8400");
    case config::FORMAT_PORT:
      return unless(IsPort(value), "a port, 1 to 65535");
    case config::FORMAT_COUNT:
      return unless(value != "0", "at least 1");
    case config::FORMAT_PATH:
      return unless(value.empty() || value.starts_with('/'),
                    "an absolute path, such as /var/lib/reef");
    case config::FORMAT_CAA:
      return unless(CaaRdataOf(value).has_value(), "FLAGS TAG VALUE, such as 0 issue ca.example");
    default:
      return "";
  }
}

// The map's entries under names in lower case.
template <typename Map>
void LowerKeys(Map* map) {
  Map lowered;
  for (auto& [name, value] : *map) lowered[AsciiLower(name)] = value;
  map->swap(lowered);
}

// What tells about a node must not be open to all by default.
std::string AdminAddress(const std::string& listen) {
  const std::optional<IpAddress> address = IpAddress::Parse(listen);
  if (!address || !address->IsUnspecified()) return listen;
  return address->is_v4() ? "127.0.0.1" : "::1";
}

std::string Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string DefaultStateDir() {
  // systemd separates several by colons; the first is ours.
  if (const std::string given = Environment("STATE_DIRECTORY"); !given.empty()) {
    return given.substr(0, given.find(':'));
  }
  if (geteuid() == 0) return "/var/lib/reef";
  if (const std::string xdg = Environment("XDG_STATE_HOME"); !xdg.empty()) return xdg + "/reef";
  const std::string home = Environment("HOME");
  return home.empty() ? "" : home + "/.local/state/reef";
}

uint32_t UsableCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<uint32_t>(std::max(CPU_COUNT(&set), 1));
}

}  // namespace

Machine ThisMachine() {
  return {.cpus = UsableCpus(), .state_dir = DefaultStateDir()};
}

StatusOr<config::Config> ReadConfig(const std::string& path) {
  config::Config config;
  RETURN_IF_ERROR(ReadYamlFile(path, ExpectedInstead, &config));
  return config;
}

Status SetFromFlag(std::string_view path, const std::string& text, std::string_view flag,
                   config::Config* config) {
  return SetYamlValue(path, text, flag, ExpectedInstead, config);
}

Status AddFromFlag(std::string_view map, const std::string& text, std::string_view flag,
                   config::Config* config) {
  const size_t equals = text.find('=');
  const std::string name = AsciiLower(text.substr(0, equals));
  if (equals == std::string::npos || !IsDomain(name)) {
    return InvalidArgument(
        std::string(flag) + ": \"" + text + "\": expected NAME=VALUE, such as " +
        (map == "ns" ? "ns1.example.org=192.0.2.1" : "www.example.org=192.0.2.7:8080"));
  }
  const std::string value = text.substr(equals + 1);
  if (map == "ns") {
    return SetYamlValue("addresses", value, flag, ExpectedInstead, &(*config->mutable_ns())[name]);
  }
  REEF_CHECK(map == "origins") << map;
  return SetYamlValue("address", value, flag, ExpectedInstead, &(*config->mutable_origins())[name]);
}

void FillDefaults(const Machine& machine, config::Config* config) {
  const auto fill = [config](bool is_set, auto setter, auto value) {
    if (!is_set) (config->*setter)(value);
  };
  using C = config::Config;
  if (!config->has_zone()) config->set_zone("nyud.net");
  if (!config->has_listen()) config->set_listen("0.0.0.0");
  if (!config->has_state_dir()) config->set_state_dir(machine.state_dir);
  fill(config->has_loops(), &C::set_loops, machine.cpus);
  fill(config->has_memory_bytes(), &C::set_memory_bytes, uint64_t{256} << 20);
  fill(config->has_disk_bytes(), &C::set_disk_bytes, uint64_t{10} << 30);
  fill(config->has_allow_private(), &C::set_allow_private, false);
  fill(config->has_allow_addresses(), &C::set_allow_addresses, config->allow_private());
  if (!config->has_drain()) config->mutable_drain()->set_seconds(5);

  config::Ports& ports = *config->mutable_ports();
  if (!ports.has_http()) ports.set_http(80);
  if (!ports.has_dns()) ports.set_dns(53);
  if (!ports.has_dsht()) ports.set_dsht(8400);
  if (!ports.has_admin()) ports.set_admin(8401);

  config::Admin& admin = *config->mutable_admin();
  if (!admin.has_listen()) admin.set_listen(AdminAddress(config->listen()));
  for (std::string& host : *admin.mutable_hosts()) host = AsciiLower(host);

  config::Dns& dns = *config->mutable_dns();
  if (!dns.has_answers_per_second()) dns.set_answers_per_second(1000);
  if (!dns.has_slip()) dns.set_slip(2);
  for (auto& [name, records] : *dns.mutable_records()) {
    if (!records.has_ttl()) records.mutable_ttl()->set_seconds(300);
  }

  FillIndexDefaults(config->mutable_index());

  config::Log& log = *config->mutable_log();
  if (!log.has_level()) log.set_level(config::LOG_LEVEL_INFO);
  if (!log.has_file()) log.set_file("");
  config::AccessLog& access = *config->mutable_access_log();
  if (!access.has_file()) access.set_file("");
  if (!access.has_format()) access.set_format(config::ACCESS_LOG_FORMAT_COMBINED);

  config->set_zone(AsciiLower(config->zone()));
  LowerKeys(config->mutable_origins());
  LowerKeys(config->mutable_ns());
  LowerKeys(config->mutable_dns()->mutable_records());
}

Status CheckWhole(const config::Config& config) {
  const config::Ports& ports = config.ports();
  const std::vector<std::pair<std::string, uint32_t>> claims = {{"http", ports.http()},
                                                                {"dns", ports.dns()},
                                                                {"dsht", ports.dsht()},
                                                                {"admin", ports.admin()}};
  std::map<uint32_t, std::string> owner;
  for (const auto& [service, port] : claims) {
    const auto [at, is_free] = owner.emplace(port, service);
    if (!is_free) {
      return InvalidArgument("ports." + service + " and ports." + at->second + " are both " +
                             std::to_string(port) + ": expected a port for each");
    }
  }
  for (const auto& [name, server] : config.ns()) {
    if (server.addresses().empty()) {
      return InvalidArgument("ns." + name + ": expected an address at least");
    }
  }
  for (const auto& [name, origin] : config.origins()) {
    if (!origin.has_address()) {
      return InvalidArgument("origins." + name + ": expected an address");
    }
  }
  for (const auto& [name, records] : config.dns().records()) {
    constexpr int64_t kTtlMax = 2147483647;  // RFC 2181, 8
    const std::string where = "dns.records." + name;
    if (records.txt().empty() && records.addresses().empty() && records.caa().empty()) {
      return InvalidArgument(where + ": expected a record at least: txt, addresses or caa");
    }
    if (records.ttl().seconds() > kTtlMax) {
      return InvalidArgument(where + ".ttl: expected at most " + std::to_string(kTtlMax) + "s");
    }
  }
  RETURN_IF_ERROR(CheckIndex(config.index()));
  return dns::Zone::Make(ZoneOptionsOf(config)).status();
}

}  // namespace reef::deploy
