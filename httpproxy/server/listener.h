// SPDX-License-Identifier: Apache-2.0
//
// Listener: accepts on one listening socket of one loop. Each loop has its own socket on the same
// port (SO_REUSEPORT), so that the kernel spreads connections and no lock or hand-over is needed.
//
// On the loop's thread. Never blocks.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <functional>

#include "base/endpoint.h"
#include "base/runtime/event_loop.h"
#include "base/runtime/socket.h"

namespace reef::http {

class Listener {
 public:
  struct Handlers {
    // Non-blocking, close-on-exec, TCP_NODELAY.
    std::function<void(UniqueFd client, const Endpoint& peer)> accepted;
    // accept failed for lack of descriptors or memory; it is tried again after a pause.
    std::function<void()> exhausted;
  };

  Listener(EventLoop& loop, UniqueFd socket, Handlers handlers);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

 private:
  void OnReadable();

  const UniqueFd socket_;
  const Handlers handlers_;
  event readable_;
  Timer resume_;
};

}  // namespace reef::http
