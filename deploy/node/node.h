// SPDX-License-Identifier: Apache-2.0
//
// Node: one participant of a reef, assembled from the configuration. It holds the order in which
// services start, drain and stop, and nothing else:
//
//   start   state folder, identity, index (listens), cache, proxy, redirector, admin; joins last
//   drain   tells the others; redirector and proxy take nothing new; what has begun ends within
//           `drain`; references are withdrawn; the index entries are handed on
//   stop    in the reverse order of start
//
// Threads: every method from the one that owns the node, and it may block: on no loop of its
// services.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/status.h"
#include "proto/config.pb.h"

namespace reef::deploy {

class Node {
 public:
  // Requires: FillDefaults and CheckWhole were passed.
  explicit Node(config::Config config);
  ~Node();  // stops
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // The error says which service could not be started, on what, and what to do; nothing is left
  // running.
  Status Start();
  void Drain();
  void Stop();  // idempotent

  // What keeps clients from being sent here, a sentence each; empty: ready. Any thread while
  // started.
  std::vector<std::string> WhyNotReady() const;
  // "http 127.0.0.1:8090 dns 127.0.0.1:8053 dsht 127.0.0.1:8400 admin http://127.0.0.1:8401/".
  // Requires: started.
  std::string Endpoints() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace reef::deploy
