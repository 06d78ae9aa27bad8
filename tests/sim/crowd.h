// SPDX-License-Identifier: Apache-2.0
//
// Crowd: many proxies that want one new object at once, reduced to what the index sees of them
// (docs/claim.md): claim; fetch if first; else read from the holder named, and claim anew when it
// is lost. One Crowd is one key.
//
// A holder may itself still wait for its claim, or read from another: readers form a tree.
//
// Oracles: no two living nodes hold the right to fetch at one time; nobody waits for itself.
//
// Owned by the scenario; must live until the world has run out its events. One thread.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <vector>

#include "base/instant.h"
#include "dsht/core/outbox.h"
#include "tests/sim/measures.h"
#include "tests/sim/world.h"

namespace reef::sim {

class Crowd {
 public:
  struct Options {
    Duration within{};            // claims begin at random within this time
    Duration origin{};            // to the response head
    Duration transfer{};          // from the head to the last byte
    Duration kill_first_after{};  // zero: nobody is killed
    // A reader hears nothing from a dead holder for so long, then claims anew (rule 11).
    Duration stall = std::chrono::milliseconds(1500);
  };

  Crowd(World& world, const Options& options, Measures& measures);

  // `members` begin to ask for `key` from now on.
  void Begin(const dsht::Key& key, std::vector<NodeIndex> members);

  // Counts what is left unserved. Call once, at the end.
  void Close();

 private:
  enum class Stage { kIdle, kClaiming, kFetching, kReading, kServed, kDead };
  struct Member {
    Stage stage = Stage::kIdle;
    // Since when it has neither the right to fetch nor a live holder; kNever: it has.
    Instant waiting_since = kNever;
    dsht::OperationId claim = 0;
    uint64_t turn = 0;     // what was planned for an earlier turn is void
    NodeIndex holder = 0;  // while reading
    std::vector<dsht::NodeId> failed;
  };

  void Claim(NodeIndex node);
  void OnAnswer(NodeIndex node, const dsht::ClaimAnswered& answered);
  void OnLost(NodeIndex node);
  void Fetch(NodeIndex node);
  void FetchWithoutClaim(NodeIndex node);
  void Read(NodeIndex node, const std::vector<dsht::Holder>& holders);
  // The member and all that read from it have the object.
  void Serve(NodeIndex node);
  // The member and all that read from it have a live source.
  void EndWait(NodeIndex node);
  // The holder will send nothing more: its readers notice after `delay`.
  void LeaveReaders(NodeIndex holder, std::function<Duration(NodeIndex reader)> delay);
  bool ReadsFrom(NodeIndex node, NodeIndex source) const;
  void KillFirst();
  // In a new turn: the claim is given up for another.
  void ClaimAgain(NodeIndex node);
  // Runs `action` unless the member has turned to something else by then.
  void Later(NodeIndex node, Duration delay, std::function<void()> action);
  std::vector<NodeIndex> ReadersOf(NodeIndex holder) const;
  Duration TimeToStall();

  World& world_;
  const Options options_;
  Measures& measures_;
  dsht::Key key_;
  bool killed_ = false;
  std::map<NodeIndex, Member> members_;
  std::set<NodeIndex> leaders_;  // those with the right to fetch
  uint64_t origin_fetches_ = 0;
};

}  // namespace reef::sim
