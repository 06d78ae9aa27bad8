// SPDX-License-Identifier: Apache-2.0
#include "deploy/cli/cli.h"

#include <google/protobuf/util/json_util.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/endpoint.h"
#include "base/runtime/yaml_message.h"
#include "base/status.h"
#include "deploy/cli/admin_client.h"
#include "deploy/cli/status_text.h"
#include "deploy/node/config.h"
#include "deploy/node/run.h"
#include "deploy/node/version.h"
#include "proto/control.pb.h"

namespace reef::deploy {
namespace {

constexpr Duration kAskMax = std::chrono::seconds(5);
constexpr uint16_t kAdminPort = 8401;

// A flag of `up` that stands for a key of the configuration.
struct ConfigFlag {
  enum class Kind { kValue, kPath, kList, kEntry, kSwitch };
  const char* flag;
  const char* key;
  Kind kind;
  const char* type;
  const char* help;
};

using Kind = ConfigFlag::Kind;
constexpr std::array kConfigFlags = {
    ConfigFlag{"--join", "join", Kind::kList, "HOST[:PORT]",
               "A node of the reef to join, port 8400 unless given (repeatable)"},
    ConfigFlag{"--advertise", "advertise", Kind::kValue, "ADDRESS",
               "The address under which others reach this node"},
    ConfigFlag{"--listen", "listen", Kind::kValue, "ADDRESS", "The address to listen on [0.0.0.0]"},
    ConfigFlag{"--zone", "zone", Kind::kValue, "DOMAIN",
               "The zone of the coralised names [nyud.net]"},
    ConfigFlag{"--state-dir", "state_dir", Kind::kPath, "DIR",
               "Where the node's key and cache are kept"},
    ConfigFlag{"--http-port", "ports.http", Kind::kValue, "PORT", "Port of the proxy [80]"},
    ConfigFlag{"--dns-port", "ports.dns", Kind::kValue, "PORT", "Port of the redirector [53]"},
    ConfigFlag{"--dsht-port", "ports.dsht", Kind::kValue, "PORT", "Port of the index [8400]"},
    ConfigFlag{"--admin-port", "ports.admin", Kind::kValue, "PORT",
               "Port of health, metrics and dashboard [8401]"},
    ConfigFlag{"--memory", "memory_bytes", Kind::kValue, "SIZE",
               "Memory for cached objects [256MiB]"},
    ConfigFlag{"--disk", "disk_bytes", Kind::kValue, "SIZE", "Disk for cached objects [10GiB]"},
    ConfigFlag{"--loops", "loops", Kind::kValue, "COUNT", "Event loops that serve HTTP [the CPUs]"},
    ConfigFlag{"--origin", "origins", Kind::kEntry, "NAME=ADDRESS:PORT",
               "NAME.ZONE is fetched from that server (repeatable)"},
    ConfigFlag{"--ns", "ns", Kind::kEntry, "NAME=ADDRESS",
               "A name server at the top of the zone (repeatable)"},
    ConfigFlag{"--allow-private", "allow_private", Kind::kSwitch, "",
               "Origins may be on private and loopback addresses"},
    ConfigFlag{"--log-level", "log.level", Kind::kValue, "LEVEL",
               "debug, info, warning or error [info]"},
    ConfigFlag{"--log-file", "log.file", Kind::kPath, "FILE", "The log's file [standard error]"},
    ConfigFlag{"--access-log", "access_log.file", Kind::kPath, "FILE",
               "A line for every request [none]"},
};

// What was given on the command line, by flag.
using Given = std::map<std::string, std::vector<std::string>>;

// A message may have several lines: each says where it comes from.
int Tell(ExitCode code, std::string_view message) {
  while (!message.empty()) {
    const size_t end = std::min(message.find('\n'), message.size());
    std::fprintf(stderr, "reef: %s\n", std::string(message.substr(0, end)).c_str());
    message.remove_prefix(std::min(end + 1, message.size()));
  }
  return code;
}
int Tell(ExitCode code, const Status& status) {
  return Tell(code, FromAbsl(status.message()));
}

// CLI11's own words for a verb that does not exist are that one is required.
std::string UsageError(const CLI::ParseError& error, int argc, const char* const* argv) {
  const bool no_verb = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError);
  const std::string_view last = argc > 1 ? argv[argc - 1] : "";
  std::string text = error.what();
  if (no_verb && text.starts_with("A subcommand") && !last.empty() && !last.starts_with('-')) {
    text = last == "config" ? "config wants a verb: check or show"
                            : "there is no verb \"" + std::string(last) +
                                  "\": expected up, status, config check, config show or version";
  } else if (no_verb && text.starts_with("A subcommand")) {
    text = "expected a verb: up, status, config check, config show or version";
  }
  return text + "; see reef --help and reef VERB --help";
}

Status Apply(const ConfigFlag& flag, const std::vector<std::string>& values,
             config::Config* config) {
  if (flag.kind == Kind::kList) config->clear_join();
  for (const std::string& value : values) {
    if (flag.kind == Kind::kEntry) {
      RETURN_IF_ERROR(AddFromFlag(flag.key, value, flag.flag, config));
    } else {
      const bool is_path = flag.kind == Kind::kPath && !value.empty();
      const std::string text = is_path ? std::filesystem::absolute(value).string() : value;
      RETURN_IF_ERROR(SetFromFlag(flag.key, text, flag.flag, config));
    }
  }
  return absl::OkStatus();
}

// The configuration of FILE (none: empty) with flags before it and defaults behind it.
struct Effective {
  ExitCode code = kDone;
  Status status;
  config::Config config;
};
Effective EffectiveConfig(const std::string& file, const Given& given) {
  Effective out;
  if (!file.empty()) {
    StatusOr<config::Config> read = ReadConfig(file);
    if (!read.ok()) return {kBadConfig, read.status(), {}};
    out.config = *std::move(read);
  }
  for (const ConfigFlag& flag : kConfigFlags) {
    const auto values = given.find(flag.flag);
    if (values == given.end() || values->second.empty()) continue;
    if (const Status applied = Apply(flag, values->second, &out.config); !applied.ok()) {
      return {kUsage, applied, {}};
    }
  }
  FillDefaults(ThisMachine(), &out.config);
  if (const Status whole = CheckWhole(out.config); !whole.ok()) return {kBadConfig, whole, {}};
  return out;
}

int Up(const std::string& file, const Given& given) {
  const Effective effective = EffectiveConfig(file, given);
  if (effective.code != kDone) return Tell(effective.code, effective.status);
  return RunNode(effective.config);
}

int ConfigCheck(const std::string& file) {
  const Effective effective = EffectiveConfig(file, {});
  if (effective.code != kDone) return Tell(effective.code, effective.status);
  std::printf("%s: all right\n", file.c_str());
  return kDone;
}

int ConfigShow(const std::string& file) {
  const Effective effective = EffectiveConfig(file, {});
  if (effective.code != kDone) return Tell(effective.code, effective.status);
  std::fputs(WriteYaml(effective.config).c_str(), stdout);
  return kDone;
}

// ADDRESS, ADDRESS:PORT, or localhost in the place of the address.
std::optional<Endpoint> ParseAdmin(std::string text) {
  constexpr std::string_view kLocalhost = "localhost";
  if (text.starts_with(kLocalhost)) text.replace(0, kLocalhost.size(), "127.0.0.1");
  if (const auto address = IpAddress::Parse(text)) return Endpoint{*address, kAdminPort};
  return Endpoint::Parse(text);
}

int ShowStatus(const std::string& admin, bool json) {
  const std::optional<Endpoint> endpoint = ParseAdmin(admin);
  if (!endpoint) {
    return Tell(kUsage,
                InvalidArgument("--admin: \"" + admin +
                                "\": expected ADDRESS or ADDRESS:PORT, such as 127.0.0.1:8401"));
  }
  const StatusOr<std::string> answer = AskAdmin(*endpoint, "/status.json", kAskMax);
  if (absl::IsUnavailable(answer.status())) {
    return Tell(kUnreachable,
                Unavailable(std::string(FromAbsl(answer.status().message())) +
                            "; is the node up, and is this its admin address (--admin)?"));
  }
  if (!answer.ok()) return Tell(kFailed, answer.status());
  if (json) {
    std::fputs(answer->c_str(), stdout);
    return kDone;
  }
  // Fields of a later version are no mistake.
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  control::Status status;
  if (!google::protobuf::util::JsonStringToMessage(*answer, &status, options).ok()) {
    return Tell(kFailed, Internal("ask " + endpoint->ToString() +
                                  ": the answer is no status of a node; is that its admin port?"));
  }
  std::fputs(StatusText(status).c_str(), stdout);
  return kDone;
}

void AddConfigFlags(CLI::App* up, Given* given) {
  for (const ConfigFlag& flag : kConfigFlags) {
    std::vector<std::string>& values = (*given)[flag.flag];
    if (flag.kind == Kind::kSwitch) {
      up->add_flag_callback(
          flag.flag, [&values] { values = {"true"}; }, flag.help);
      continue;
    }
    CLI::Option* const option = up->add_option(flag.flag, values, flag.help)->type_name(flag.type);
    const bool repeats = flag.kind == Kind::kList || flag.kind == Kind::kEntry;
    option->expected(repeats ? -1 : 1)
        ->allow_extra_args(false)
        ->multi_option_policy(repeats ? CLI::MultiOptionPolicy::TakeAll
                                      : CLI::MultiOptionPolicy::Throw);
  }
}

}  // namespace

int RunCli(int argc, const char* const* argv) {
  CLI::App app("Reef: a content delivery network of peers. HOST.ZONE is HOST, served from nearby.",
               "reef");
  app.require_subcommand(1);
  app.set_version_flag("--version", "reef " + std::string(kVersion));
  app.footer(
      "Exit codes: 0 done, 1 failed, 2 wrong usage, 69 node unreachable, 78 bad configuration.");

  std::string file;
  Given given;
  CLI::App* const up = app.add_subcommand("up", "Run a node in the foreground");
  up->add_option("--config", file, "The configuration file; flags go before it")->type_name("FILE");
  AddConfigFlags(up, &given);

  std::string admin = "127.0.0.1:8401";
  bool json = false;
  CLI::App* const status = app.add_subcommand("status", "Show what a running node does and knows");
  status->add_option("--admin", admin, "The node's admin address [127.0.0.1:8401]")
      ->type_name("ADDRESS[:PORT]");
  status->add_flag("--json", json, "As JSON (proto/control.proto)");

  CLI::App* const config = app.add_subcommand("config", "Check or show a configuration");
  config->require_subcommand(1);
  CLI::App* const check = config->add_subcommand("check", "Find mistakes in a file");
  check->add_option("file", file)->required()->type_name("FILE");
  CLI::App* const show =
      config->add_subcommand("show", "Print a file, or nothing, with all defaults");
  show->add_option("file", file)->type_name("FILE");

  CLI::App* const version = app.add_subcommand("version", "Print the version");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
      return app.exit(error);  // prints the help or the version
    }
    return Tell(kUsage, UsageError(error, argc, argv));
  }
  if (up->parsed()) return Up(file, given);
  if (status->parsed()) return ShowStatus(admin, json);
  if (check->parsed()) return ConfigCheck(file);
  if (show->parsed()) return ConfigShow(file);
  if (version->parsed()) std::printf("reef %s\n", std::string(kVersion).c_str());
  return kDone;
}

}  // namespace reef::deploy
