// SPDX-License-Identifier: Apache-2.0
//
// dsht_udp_load: dsht_load for hash tables that speak UDP. It asks one node for keys that this node
// stores, in the node's own protocol, with a window of queries outstanding.
//
//   dsht_udp_load --dialect opendht|libtorrent --to 127.0.0.1:4222 [flags of dsht_load]
//   dsht_udp_load --dialect opendht|libtorrent --to 127.0.0.1:20000 --peers 64
//
// opendht: `get` in msgpack. libtorrent: `get_peers` of the BitTorrent DHT (BEP 5). With --peers it
// is that many peers at the port and those after it, who answer every query with their id: what the
// node under test needs in its routing table. They say nothing else and run until they are ended.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/runtime/clock.h"
#include "base/runtime/socket.h"
#include "tests/bench/dsht_measurement.h"
#include "tests/bench/process_usage.h"

namespace reef::dsht {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

constexpr size_t kBatch = 64;
constexpr size_t kDatagramBytes = 2048;
// A query not answered for this long is given up, so that a loss does not shrink the window.
constexpr Duration kLossAfter = std::chrono::seconds(1);
constexpr uint64_t kReadEvery = 64;

// Transaction numbers have this bit, so that both protocols write them in four bytes.
constexpr uint32_t kNumbered = 0x40000000;

std::string FourBytes(uint32_t number) {
  return {static_cast<char>(number >> 24), static_cast<char>(number >> 16),
          static_cast<char>(number >> 8), static_cast<char>(number)};
}

std::string_view After(std::string_view text, std::string_view mark) {
  const size_t at = text.find(mark);
  return at == text.npos ? std::string_view() : text.substr(at + mark.size());
}

// What is said to the node and read from its replies. Replies are searched for marks, not parsed:
// the generator is to be faster than the node.
class Dialect {
 public:
  virtual ~Dialect() = default;

  virtual std::string Ping(const Id& self, uint32_t number) const = 0;
  virtual std::string Get(const Id& self, uint32_t number, const Key& key) const = 0;
  // The messages that store `values` values.
  virtual std::vector<std::string> Store(const Id& self, uint32_t number, const Key& key,
                                         const std::string& token, size_t values) const = 0;
  // A peer's answer to whatever was asked; empty if nothing was.
  virtual std::string Answer(const Id& self, std::string_view query) const = 0;

  virtual bool IsReply(std::string_view reply) const = 0;
  virtual std::optional<uint32_t> NumberOf(std::string_view reply) const = 0;
  virtual std::string_view IdOf(std::string_view reply) const = 0;
  virtual std::string TokenOf(std::string_view reply) const = 0;
  virtual size_t ValuesOf(std::string_view reply) const = 0;
};

uint32_t NumberAt(std::string_view bytes) {
  uint32_t number = 0;
  for (const char c : bytes.substr(0, 4)) number = number << 8 | static_cast<uint8_t>(c);
  return number;
}

std::optional<uint32_t> NumberAfterLast(std::string_view text, std::string_view mark) {
  const size_t at = text.rfind(mark);
  if (at == text.npos || text.size() < at + mark.size() + 4) return std::nullopt;
  return NumberAt(text.substr(at + mark.size()));
}

class Libtorrent : public Dialect {
 public:
  std::string Ping(const Id& self, uint32_t number) const override {
    return Query(self, "", "ping", number);
  }
  std::string Get(const Id& self, uint32_t number, const Key& key) const override {
    return Query(self, "9:info_hash" + Bytes(key.AsBytes()), "get_peers", number);
  }
  // Peers of one address and several ports.
  std::vector<std::string> Store(const Id& self, uint32_t number, const Key& key,
                                 const std::string& token, size_t values) const override {
    std::vector<std::string> messages;
    for (size_t i = 0; i < values; ++i) {
      const std::string arguments = "9:info_hash" + Bytes(key.AsBytes()) + "4:porti" +
                                    std::to_string(8090 + i) + "e5:token" + Bytes(token);
      messages.push_back(
          Query(self, arguments, "announce_peer", number + static_cast<uint32_t>(i)));
    }
    return messages;
  }
  std::string Answer(const Id& self, std::string_view query) const override {
    const size_t at = query.rfind("1:t");
    if (query.rfind("1:y1:q") == query.npos || at == query.npos) return {};
    const std::string_view number = query.substr(at + 3);
    const auto length = static_cast<size_t>(std::max(std::atoi(number.data()), 0));
    const size_t colon = number.find(':');
    if (colon == number.npos || number.size() < colon + 1 + length) return {};
    return "d1:rd2:id" + Bytes(self.AsBytes()) + "5:nodes0:5:token1:xe1:t" +
           Bytes(number.substr(colon + 1, length)) + "1:y1:re";
  }

  bool IsReply(std::string_view reply) const override {
    return reply.rfind("1:y1:r") != reply.npos;
  }
  std::optional<uint32_t> NumberOf(std::string_view reply) const override {
    return NumberAfterLast(reply, "1:t4:");
  }
  std::string_view IdOf(std::string_view reply) const override {
    return After(reply, "2:id20:").substr(0, kIdBytes);
  }
  std::string TokenOf(std::string_view reply) const override {
    const std::string_view rest = After(reply, "5:token");
    const std::string_view bytes = After(rest, ":");
    return std::string(bytes.substr(0, static_cast<size_t>(std::atoi(std::string(rest).c_str()))));
  }
  // "6:" and six bytes for each.
  size_t ValuesOf(std::string_view reply) const override {
    std::string_view rest = After(reply, "6:valuesl");
    size_t count = 0;
    for (; rest.size() > 8 && rest.starts_with("6:"); rest.remove_prefix(8)) ++count;
    return count;
  }

 private:
  static std::string Bytes(std::string_view bytes) {
    return std::to_string(bytes.size()) + ":" + std::string(bytes);
  }
  // Read-only (BEP 43): the asker is not to be in the node's routing table.
  static std::string Query(const Id& self, const std::string& arguments, const std::string& name,
                           uint32_t number) {
    return "d1:ad2:id" + Bytes(self.AsBytes()) + arguments + "e1:q" + Bytes(name) +
           "2:roi1e1:t4:" + FourBytes(number) + "1:y1:qe";
  }
};

class Opendht : public Dialect {
 public:
  std::string Ping(const Id& self, uint32_t number) const override {
    return Query({Text("id") + Binary(self.AsBytes())}, "ping", number);
  }
  std::string Get(const Id& self, uint32_t number, const Key& key) const override {
    // Wanted: IPv4 (2 is AF_INET).
    return Query({Text("id") + Binary(self.AsBytes()), Text("h") + Binary(key.AsBytes()),
                  Text("w") + "\x91\x02"},
                 "get", number);
  }
  std::vector<std::string> Store(const Id& self, uint32_t number, const Key& key,
                                 const std::string& token, size_t values) const override {
    std::string list(1, static_cast<char>(0x90 | values));
    for (size_t i = 0; i < values; ++i) {
      const std::string data = "127.0.0.1:" + std::to_string(8090 + i);
      const std::string body = Map({Text("type") + "\0"s, Text("data") + Binary(data)});
      list += Map({Text("id") + std::string(1, static_cast<char>(i + 1)),
                   Text("dat") + Map({Text("body") + body})});
    }
    return {Query({Text("id") + Binary(self.AsBytes()), Text("h") + Binary(key.AsBytes()),
                   Text("values") + list, Text("token") + Binary(token)},
                  "put", number)};
  }
  std::string Answer(const Id& self, std::string_view query) const override {
    const size_t at = query.rfind("\xa1t");
    if (query.rfind("\xa1y\xa1q") == query.npos || at == query.npos) return {};
    std::string_view number = query.substr(at + 2);
    if (number.empty()) return {};
    const auto kind = static_cast<uint8_t>(number[0]);  // an integer of 1 to 5 bytes
    number = number.substr(0, kind < 0x80 ? 1 : kind == 0xcc ? 2 : kind == 0xcd ? 3 : 5);
    const std::string said = Map({Text("id") + Binary(self.AsBytes()), Text("n4") + Binary(""),
                                  Text("token") + Binary("x")});
    return Map({Text("r") + said, Text("t") + std::string(number), Text("y") + Text("r"),
                Text("v") + Text("RNG1")});
  }

  bool IsReply(std::string_view reply) const override {
    return reply.rfind("\xa1y\xa1r") != reply.npos && reply.find(
                                                          "\xa1"sv
                                                          "e\x92") == reply.npos;
  }
  std::optional<uint32_t> NumberOf(std::string_view reply) const override {
    return NumberAfterLast(reply, "\xa1t\xce");
  }
  std::string_view IdOf(std::string_view reply) const override {
    return After(reply, "\xa2id\xc4\x14").substr(0, kIdBytes);
  }
  std::string TokenOf(std::string_view reply) const override {
    const std::string_view rest = After(reply, "\xa5token\xc4");
    return rest.empty() ? "" : std::string(rest.substr(1, static_cast<uint8_t>(rest[0])));
  }
  size_t ValuesOf(std::string_view reply) const override {
    const std::string_view rest = After(reply, "\xa6values");
    return rest.empty() ? 0 : static_cast<uint8_t>(rest[0]) & 0x0f;
  }

 private:
  static std::string Text(std::string_view text) {
    return static_cast<char>(0xa0 | text.size()) + std::string(text);
  }
  static std::string Binary(std::string_view bytes) {
    return "\xc4"s + static_cast<char>(bytes.size()) + std::string(bytes);
  }
  static std::string Map(const std::vector<std::string>& pairs) {
    std::string map(1, static_cast<char>(0x80 | pairs.size()));
    for (const std::string& pair : pairs) map += pair;
    return map;
  }
  // "s": a client, who is not to be in the node's routing table.
  static std::string Query(const std::vector<std::string>& arguments, const std::string& name,
                           uint32_t number) {
    return Map({Text("a") + Map(arguments), Text("q") + Text(name),
                Text("t") + "\xce" + FourBytes(number), Text("y") + Text("q"),
                Text("v") + Text("RNG1"), Text("s") + "\xc3"});
  }
};

UniqueFd Bound(const Endpoint& endpoint) {
  StatusOr<UniqueFd> fd = BindUdp(endpoint, false);
  if (!fd.ok()) Fail(fd.status().ToString());
  return *std::move(fd);
}

// ---- Peers --------------------------------------------------------------------------------------

[[noreturn]] void BePeers(const LoadOptions& options, const Dialect& dialect) {
  std::vector<UniqueFd> sockets;
  std::vector<pollfd> polled;
  std::vector<Id> ids;
  for (size_t i = 0; i < options.peers; ++i) {
    const auto port = static_cast<uint16_t>(options.to.port + i);
    sockets.push_back(Bound({options.to.address, port}));
    polled.push_back({sockets.back().get(), POLLIN, 0});
    ids.push_back(Id::Hash("peer " + std::to_string(i)));
  }
  std::puts("ready");
  std::fflush(stdout);
  std::array<char, kDatagramBytes> buffer;
  for (;;) {
    poll(polled.data(), polled.size(), -1);
    for (size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].revents == 0) continue;
      sockaddr_storage from;
      socklen_t from_size = sizeof(from);
      const ssize_t n = recvfrom(polled[i].fd, buffer.data(), buffer.size(), MSG_DONTWAIT,
                                 reinterpret_cast<sockaddr*>(&from), &from_size);
      if (n <= 0) continue;
      const std::string answer =
          dialect.Answer(ids[i], std::string_view(buffer.data(), static_cast<size_t>(n)));
      if (answer.empty()) continue;
      sendto(polled[i].fd, answer.data(), answer.size(), 0,
             reinterpret_cast<const sockaddr*>(&from), from_size);
    }
  }
}

// ---- Load ---------------------------------------------------------------------------------------

class Asker {
 public:
  Asker(const LoadOptions& options, const Dialect& dialect)
      : options_(options), dialect_(dialect), fd_(Bound({})) {
    sockaddr_storage address;
    const socklen_t size = ToSockaddr(options.to, &address);
    if (connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
      Fail("connect to " + options.to.ToString() + ": " + std::strerror(errno));
    }
    for (size_t i = 0; i < kBatch; ++i) {
      in_iov_[i] = {answers_[i].data(), kDatagramBytes};
      in_[i].msg_hdr.msg_iov = &in_iov_[i];
      in_[i].msg_hdr.msg_iovlen = 1;
      out_[i].msg_hdr.msg_iov = &out_iov_[i];
      out_[i].msg_hdr.msg_iovlen = 1;
    }
  }

  NodeId Ping() {
    const std::string reply = Exchange(dialect_.Ping(self_, NextNumber()), "ping");
    const std::optional<NodeId> id = NodeId::FromBytes(dialect_.IdOf(reply));
    if (!id) Fail("ping: no id in the reply");
    return *id;
  }

  void Fill(const std::vector<Key>& keys) {
    for (const Key& key : keys) {
      const std::string got = Exchange(dialect_.Get(self_, NextNumber(), key), "get");
      const uint32_t first = NextNumber();
      const std::vector<std::string> messages =
          dialect_.Store(self_, first, key, dialect_.TokenOf(got), options_.values);
      number_ += static_cast<uint32_t>(messages.size());
      for (const std::string& message : messages) Exchange(message, "store");
    }
    // They say that they stored it whether or not they did.
    const std::string got = Exchange(dialect_.Get(self_, NextNumber(), keys[0]), "get");
    if (dialect_.ValuesOf(got) != options_.values) Fail("store: the values are not there");
  }

  void Run(const std::vector<Key>& keys, Measurement& measurement) {
    Rng rng(3);
    Instant heard = MonotonicNow();
    for (Instant now = heard; !measurement.Over(now); now = MonotonicNow()) {
      const size_t received = Receive(now, measurement);
      if (received > 0 || outstanding_ == 0) {
        heard = now;
      } else if (now - heard > kLossAfter) {
        measurement.Lost(outstanding_);
        outstanding_ = 0;
      }
      Send(keys, rng, measurement);
    }
  }

 private:
  uint32_t NextNumber() { return kNumbered | ++number_; }

  // One query and its reply, asked again when it is lost. Replies to what was asked before are
  // skipped: OpenDHT confirms each stored value on its own.
  std::string Exchange(const std::string& query, const std::string& what) {
    constexpr int kTries = 3;
    constexpr int kWaitMs = 1000;
    const std::optional<uint32_t> number = dialect_.NumberOf(query);
    for (int i = 0; i < kTries; ++i) {
      if (send(fd_.get(), query.data(), query.size(), 0) < 0) continue;
      pollfd polled = {fd_.get(), POLLIN, 0};
      while (poll(&polled, 1, kWaitMs) > 0) {
        std::array<char, kDatagramBytes>& buffer = answers_[0];
        const ssize_t n = recv(fd_.get(), buffer.data(), buffer.size(), 0);
        const std::string_view reply(buffer.data(), n > 0 ? static_cast<size_t>(n) : 0);
        if (dialect_.NumberOf(reply) != number) continue;
        if (!dialect_.IsReply(reply)) Fail(what + ": refused: " + std::string(reply));
        return std::string(reply);
      }
    }
    Fail(what + ": no reply");
  }

  size_t Receive(Instant now, Measurement& measurement) {
    const int n = recvmmsg(fd_.get(), in_.data(), kBatch, MSG_DONTWAIT, nullptr);
    const size_t received = n > 0 ? static_cast<size_t>(n) : 0;
    for (size_t i = 0; i < received; ++i) {
      const std::string_view reply(answers_[i].data(), in_[i].msg_len);
      const std::optional<uint32_t> number = dialect_.NumberOf(reply);
      const bool read = ++read_ % kReadEvery == 1;
      const bool good =
          number && dialect_.IsReply(reply) &&
          (!read || dialect_.ValuesOf(reply) == (options_.miss ? 0 : options_.values));
      outstanding_ -= std::min<size_t>(outstanding_, 1);
      if (!good) {
        measurement.Wrong();
        continue;
      }
      measurement.Answered(now, now - sent_at_[*number % sent_at_.size()], reply.size());
    }
    return received;
  }

  void Send(const std::vector<Key>& keys, Rng& rng, Measurement& measurement) {
    const size_t room = std::min(options_.window - outstanding_, kBatch);
    if (room == 0) return;
    const Instant now = MonotonicNow();
    for (size_t i = 0; i < room; ++i) {
      const uint32_t number = NextNumber();
      queries_[i] = dialect_.Get(self_, number, keys[rng.Below(keys.size())]);
      out_iov_[i] = {queries_[i].data(), queries_[i].size()};
      sent_at_[number % sent_at_.size()] = now;
      measurement.Sent();
    }
    const int n = sendmmsg(fd_.get(), out_.data(), static_cast<unsigned>(room), 0);
    outstanding_ += n > 0 ? static_cast<size_t>(n) : 0;
  }

  const LoadOptions& options_;
  const Dialect& dialect_;
  const Id self_ = Id::Hash("load");
  UniqueFd fd_;
  uint32_t number_ = 0;
  uint64_t read_ = 0;
  size_t outstanding_ = 0;
  std::array<Instant, 65536> sent_at_{};
  std::array<std::string, kBatch> queries_;
  std::array<std::array<char, kDatagramBytes>, kBatch> answers_;
  std::array<iovec, kBatch> out_iov_{};
  std::array<iovec, kBatch> in_iov_{};
  std::array<mmsghdr, kBatch> out_{};
  std::array<mmsghdr, kBatch> in_{};
};

int Main(int argc, char** argv) {
  const LoadOptions options = ParseLoadOptions(argc, argv);
  std::unique_ptr<Dialect> dialect;
  if (options.dialect == "opendht") dialect = std::make_unique<Opendht>();
  if (options.dialect == "libtorrent") dialect = std::make_unique<Libtorrent>();
  if (!dialect) Fail("--dialect opendht or libtorrent is needed");
  if (options.peers > 0) BePeers(options, *dialect);

  const auto asker = std::make_unique<Asker>(options, *dialect);
  const NodeId server = asker->Ping();
  const std::vector<Key> keys = KeysNear(server, options.keys, 1);
  if (options.fill) {
    const uint64_t before = ResidentBytes(options.pids);
    asker->Fill(keys);
    ReportFill(options, before);
  }
  Measurement measurement(options);
  asker->Run(options.miss ? KeysNear(server, options.keys, 2) : keys, measurement);
  return measurement.Report();
}

}  // namespace
}  // namespace reef::dsht

int main(int argc, char** argv) {
  return reef::dsht::Main(argc, argv);
}
