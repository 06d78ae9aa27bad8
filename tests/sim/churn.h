// SPDX-License-Identifier: Apache-2.0
//
// Churn: nodes that come and go while the others put and get. What counts is a key whose publisher
// has been up ever since it put it: that must be found.
//
// Owned by the scenario; must live until the world has run out its events. One thread.
#pragma once

#include <vector>

#include "base/instant.h"
#include "base/rng.h"
#include "tests/sim/measures.h"
#include "tests/sim/world.h"

namespace reef::sim {

class Churn {
 public:
  struct Options {
    Duration over{};
    Duration median_session{};
    Duration median_absence{};
    double puts_per_minute = 0;
    double gets_per_minute = 0;
  };

  Churn(World& world, const Options& options, Measures& measures, Rng rng);

  // Takes `over` of simulated time.
  void Run();

 private:
  struct Published {
    dsht::Key key;
    NodeIndex by;
    uint32_t life;  // of the publisher: which of its sessions
  };

  bool IsOver() const { return world_.now() >= ends_; }
  void PlanEnd(NodeIndex node);
  void ComeBack(NodeIndex node);
  void Put();
  void Get();
  // Runs `action` again and again, `per_minute` times on average.
  void Repeat(double per_minute, void (Churn::*action)());
  NodeIndex RandomUp();
  Duration Exponential(Duration median);

  World& world_;
  const Options options_;
  Measures& measures_;
  Rng rng_;
  Instant ends_{};
  std::vector<uint32_t> lives_;
  std::vector<Published> published_;
};

}  // namespace reef::sim
