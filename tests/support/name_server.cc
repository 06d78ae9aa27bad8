// SPDX-License-Identifier: Apache-2.0
#include "tests/support/name_server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"

namespace reef::testing {
namespace {

constexpr size_t kHeaderBytes = 12;
constexpr uint16_t kTypeA = 1;
constexpr uint16_t kTypeAaaa = 28;

void Put16(std::string& out, size_t value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value);
}

}  // namespace

NameServer::NameServer() {
  fd_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  REEF_CHECK(bind(fd_, reinterpret_cast<sockaddr*>(&at), size) == 0) << "no port";
  getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size);
  endpoint_ = {IpAddress::V4({127, 0, 0, 1}), ntohs(at.sin_port)};
  thread_ = std::thread([this] { Run(); });
}

NameServer::~NameServer() {
  shutdown(fd_, SHUT_RDWR);  // wakes recvfrom
  thread_.join();
  close(fd_);
}

void NameServer::Set(const std::string& name, std::vector<IpAddress> addresses,
                     uint32_t ttl_seconds) {
  const std::lock_guard lock(mutex_);
  entries_[name] = {std::move(addresses), ttl_seconds};
}

void NameServer::SetSilent(bool silent) {
  const std::lock_guard lock(mutex_);
  silent_ = silent;
}

size_t NameServer::QueryCount(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto it = queries_.find(name);
  return it == queries_.end() ? 0 : it->second;
}

void NameServer::Run() {
  while (true) {
    char buffer[1500];
    sockaddr_in from{};
    socklen_t size = sizeof from;
    const ssize_t n =
        recvfrom(fd_, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (n <= 0) return;
    const std::string answer = Answer({buffer, static_cast<size_t>(n)});
    if (answer.empty()) continue;
    sendto(fd_, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
  }
}

std::string NameServer::Answer(std::string_view query) {
  std::string name;
  size_t at = kHeaderBytes;
  while (at < query.size() && query[at] != 0) {
    const auto length = static_cast<uint8_t>(query[at]);
    if (!name.empty()) name += '.';
    name += AsciiLower(query.substr(at + 1, length));
    at += length + 1u;
  }
  at += 5;
  if (at > query.size()) return "";
  const auto type = static_cast<uint16_t>(static_cast<uint8_t>(query[at - 4]) << 8 |
                                          static_cast<uint8_t>(query[at - 3]));
  const std::lock_guard lock(mutex_);
  if (type == kTypeA) ++queries_[name];
  if (silent_) return "";

  const auto entry = entries_.find(name);
  std::string records;
  size_t count = 0;
  if (entry != entries_.end()) {
    for (const IpAddress& address : entry->second.addresses) {
      if (address.is_v4() != (type == kTypeA) || (type != kTypeA && type != kTypeAaaa)) continue;
      ++count;
      Put16(records, 0xc00c);  // the question's name
      Put16(records, type);
      Put16(records, 1);
      Put16(records, entry->second.ttl_seconds >> 16);
      Put16(records, entry->second.ttl_seconds & 0xffff);
      Put16(records, address.bytes().size());
      records.append(reinterpret_cast<const char*>(address.bytes().data()), address.bytes().size());
    }
  }
  std::string out(query.substr(0, 2));
  Put16(out, entry == entries_.end() ? 0x8183u : 0x8180u);  // response, recursion; NXDOMAIN
  Put16(out, 1);
  Put16(out, count);
  Put16(out, 0);
  Put16(out, 0);
  return out + std::string(query.substr(kHeaderBytes, at - kHeaderBytes)) + records;
}

}  // namespace reef::testing
