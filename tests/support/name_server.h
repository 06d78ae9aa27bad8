// SPDX-License-Identifier: Apache-2.0
//
// NameServer: a DNS responder for tests, on UDP on its own thread and its own port of the loopback.
// It knows what it is told, and counts what it is asked. Every method from any thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/endpoint.h"

namespace reef::testing {

class NameServer {
 public:
  NameServer();
  ~NameServer();
  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;

  Endpoint endpoint() const { return endpoint_; }

  // Names without an entry do not exist.
  void Set(const std::string& name, std::vector<IpAddress> addresses, uint32_t ttl_seconds);
  // While silent, queries are counted and not answered.
  void SetSilent(bool silent);
  // Of type A: one for each time the name was looked up.
  size_t QueryCount(const std::string& name) const;

 private:
  struct Entry {
    std::vector<IpAddress> addresses;
    uint32_t ttl_seconds = 0;
  };
  void Run();
  std::string Answer(std::string_view query);

  int fd_ = -1;
  Endpoint endpoint_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;   // guarded by mutex_
  std::map<std::string, size_t> queries_;  // guarded by mutex_
  bool silent_ = false;                    // guarded by mutex_
  std::thread thread_;
};

}  // namespace reef::testing
