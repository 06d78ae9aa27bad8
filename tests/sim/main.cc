// SPDX-License-Identifier: Apache-2.0
//
// reef-sim SCENARIO [--seed N] [--hunt N] [--out FOLDER]: plays a scenario (a name under
// tests/sim/scenarios or a path) and, if told where, writes a report of it. Exit code 0: everything
// expected holds; 1: something does not; 2: it could not be played.
#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <random>
#include <sstream>
#include <string>

#include "tests/sim/scenario.h"
#include "tests/sim/topology.h"

namespace {

using reef::Status;
using reef::StatusOr;
using namespace reef::sim;

// A path, or a name in the folder of the sources or under the current one.
std::string FindScenario(const std::string& given) {
  for (const std::string& path : {given, "tests/sim/scenarios/" + given + ".scenario",
                                  std::string(REEF_SCENARIOS) + "/" + given + ".scenario"}) {
    if (std::filesystem::is_regular_file(path)) return path;
  }
  return given;
}

// Writes a report where `folder` is not empty.
int PlayOnce(const v1::Scenario& scenario, PlayOptions options, const std::string& folder,
             std::ostream& out) {
  options.watch = !folder.empty();
  const auto began = std::chrono::steady_clock::now();
  const StatusOr<Played> played = Play(scenario, options, out);
  if (!played.ok()) {
    std::cerr << "reef-sim: " << played.status().message() << '\n';
    return 2;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::cerr << options.name << ": " << played->simulated_seconds << " simulated seconds, "
            << played->event_count << " events in " << took.count() << " s\n";
  if (!folder.empty()) {
    if (const Status written = WriteReport(played->report, folder); !written.ok()) {
      std::cerr << "reef-sim: " << written.message() << '\n';
      return 2;
    }
  }
  return played->all_hold ? 0 : 1;
}

// Fresh seeds until one fails; that one is reported.
int Hunt(const v1::Scenario& scenario, PlayOptions options, const std::string& folder, int tries) {
  std::random_device fresh;
  for (int i = 0; i < tries; ++i) {
    options.seed = uint64_t{fresh()} << 16 | fresh() % 65536;
    std::ostringstream out;
    const int code = PlayOnce(scenario, options, "", out);
    if (code == 0) continue;
    std::ostringstream again;
    if (!folder.empty() && PlayOnce(scenario, options, folder, again) == 2) return 2;
    std::cout << out.str() << "repeat with: reef-sim " << options.name << " --seed " << options.seed
              << '\n';
    return code;
  }
  std::cout << tries << " seeds, all hold\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Plays a simulation of the index.", "reef-sim");
  std::string name;
  uint64_t seed = 1;
  int tries = 0;
  std::string folder;
  app.add_option("scenario", name, "name or path of a .scenario file")->required();
  app.add_option("--seed", seed, "decides the whole run");
  app.add_option("--hunt", tries, "play so many fresh seeds, stop at one that fails");
  app.add_option("--out", folder, "write a page and tables of the run there");
  CLI11_PARSE(app, argc, argv);

  const std::string path = FindScenario(name);
  const StatusOr<v1::Scenario> scenario = ReadScenario(path);
  if (!scenario.ok()) {
    std::cerr << "reef-sim: " << scenario.status().message() << '\n';
    return 2;
  }
  const PlayOptions options = {
      .name = std::filesystem::path(path).stem(), .seed = seed, .data_folder = FindDataFolder()};
  return tries > 0 ? Hunt(*scenario, options, folder, tries)
                   : PlayOnce(*scenario, options, folder, std::cout);
}
