// SPDX-License-Identifier: Apache-2.0
//
// dns_load: a UDP load generator on one core, for servers that are faster than dnsperf (which
// saturates first). It keeps a window of queries outstanding, takes answers in batches, checks each
// one's header, and prints one line: queries a second, and a second of the server's CPU time.
//
//   dns_load --to 127.0.0.1:8053 [--zone nyud.net] [--names 10000] [--sockets 8] [--window 512]
//            [--seconds 5] [--no-edns] [--subnet] [--pid SERVER]...
//
// It asks for A of host-N.example.ZONE, N at random below --names, the same sequence at every run;
// --names 0: names that have never been asked before. --subnet: with a client subnet at random (RFC
// 7871). --pid: a process of the server (all its threads count); several are added up.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/endpoint.h"
#include "base/rng.h"
#include "base/runtime/clock.h"
#include "base/runtime/socket.h"
#include "tests/bench/process_usage.h"
#include "tests/dnsredir/support/message.h"

namespace reef::dns {
namespace {

constexpr size_t kBatch = 64;
constexpr size_t kAnswerBytes = 1500;
// Queries not answered for this long are given up, so that a loss does not shrink the window.
constexpr Duration kLossAfter = std::chrono::milliseconds(100);

struct Options {
  Endpoint to;
  std::string zone = "nyud.net";
  uint64_t names = 10000;
  size_t sockets = 8;
  size_t window = 512;
  double seconds = 5;
  bool edns = true;
  bool subnet = false;
  std::vector<int> pids;
};

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "dns_load: %s\n", what.c_str());
  std::exit(1);
}

struct Totals {
  uint64_t sent = 0;
  uint64_t answered = 0;
  uint64_t wrong = 0;  // not a NOERROR answer with a record
  uint64_t lost = 0;
};

// One socket with its part of the window.
class Asker {
 public:
  Asker(const Options& options, uint64_t seed) : options_(options), rng_(seed) {
    StatusOr<UniqueFd> fd = BindUdp({}, false);
    if (!fd.ok()) Fail(fd.status().ToString());
    fd_ = *std::move(fd);
    sockaddr_storage address;
    const socklen_t size = ToSockaddr(options.to, &address);
    if (connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
      Fail("connect to " + options.to.ToString() + ": " + std::strerror(errno));
    }
    QuerySpec spec;
    spec.edns = options.edns;
    spec.name = "host-00000000.example." + options.zone;
    if (options.subnet) spec.options = Option(8, std::string("\0\1\x18\0\0\0\0", 7));
    for (size_t i = 0; i < kBatch; ++i) {
      queries_[i] = spec.Bytes();
      out_iov_[i] = {queries_[i].data(), queries_[i].size()};
      out_[i].msg_hdr.msg_iov = &out_iov_[i];
      out_[i].msg_hdr.msg_iovlen = 1;
      in_iov_[i] = {answers_[i].data(), kAnswerBytes};
      in_[i].msg_hdr.msg_iov = &in_iov_[i];
      in_[i].msg_hdr.msg_iovlen = 1;
    }
  }

  // One turn: takes what is there, and asks as many again. Returns answers taken.
  size_t Turn(size_t window, Instant now, Totals& totals) {
    const int n = recvmmsg(fd_.get(), in_.data(), kBatch, MSG_DONTWAIT, nullptr);
    const size_t received = n > 0 ? static_cast<size_t>(n) : 0;
    for (size_t i = 0; i < received; ++i) totals.wrong += IsGood(i) ? 0 : 1;
    totals.answered += received;
    outstanding_ -= std::min(outstanding_, received);
    if (received > 0 || outstanding_ == 0) {
      heard_ = now;
    } else if (now - heard_ > kLossAfter) {
      totals.lost += outstanding_;
      outstanding_ = 0;
      heard_ = now;
    }
    const size_t room = std::min(window - outstanding_, kBatch);
    if (room > 0) Send(room, totals);
    return received;
  }

 private:
  bool IsGood(size_t i) const {
    const std::array<uint8_t, kAnswerBytes>& answer = answers_[i];
    return in_[i].msg_len > 12 && (answer[2] & 0x80) != 0 && (answer[3] & 0x0f) == 0 &&
           (answer[6] | answer[7]) != 0;
  }

  void Send(size_t count, Totals& totals) {
    for (size_t i = 0; i < count; ++i) Vary(queries_[i]);
    const int n = sendmmsg(fd_.get(), out_.data(), static_cast<unsigned>(count), 0);
    if (n <= 0) return;
    outstanding_ += static_cast<size_t>(n);
    totals.sent += static_cast<uint64_t>(n);
  }

  void Vary(std::string& query) {
    const uint64_t number =
        options_.names > 0 ? rng_.Below(options_.names) : rng_.Below(100'000'000);
    constexpr size_t kDigitsAt = 12 + 1 + 5;  // header, length, "host-"
    uint64_t rest = number;
    for (size_t i = 8; i-- > 0; rest /= 10) {
      query[kDigitsAt + i] = static_cast<char>('0' + rest % 10);
    }
    ++id_;
    query[0] = static_cast<char>(id_ >> 8);
    query[1] = static_cast<char>(id_);
    if (options_.subnet) {
      const uint64_t bits = rng_.Next();
      std::memcpy(query.data() + query.size() - 3, &bits, 3);
    }
  }

  const Options& options_;
  Rng rng_;
  UniqueFd fd_;
  uint16_t id_ = 0;
  size_t outstanding_ = 0;
  Instant heard_{};
  std::array<std::string, kBatch> queries_;
  std::array<std::array<uint8_t, kAnswerBytes>, kBatch> answers_;
  std::array<iovec, kBatch> out_iov_;
  std::array<iovec, kBatch> in_iov_;
  std::array<mmsghdr, kBatch> out_{};
  std::array<mmsghdr, kBatch> in_{};
};

Totals Run(const Options& options, Duration& elapsed) {
  std::vector<std::unique_ptr<Asker>> askers;
  for (size_t i = 0; i < options.sockets; ++i) {
    askers.push_back(std::make_unique<Asker>(options, i + 1));
  }
  const size_t window = std::max<size_t>(options.window / options.sockets, 1);
  const Instant start = MonotonicNow();
  const Instant end = start + Duration(static_cast<int64_t>(options.seconds * 1e9));
  Totals totals;
  for (Instant now = start; now < end; now = MonotonicNow()) {
    for (const auto& asker : askers) asker->Turn(window, now, totals);
  }
  elapsed = MonotonicNow() - start;
  return totals;
}

uint64_t Number(const char* text) {
  const std::optional<uint64_t> number = ParseDecimal(text);
  if (!number) Fail(std::string("not a number: ") + text);
  return *number;
}

Options Parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--no-edns") {
      options.edns = false;
      continue;
    }
    if (flag == "--subnet") {
      options.subnet = true;
      continue;
    }
    if (++i >= argc) Fail("no value for " + std::string(flag));
    const char* const value = argv[i];
    if (flag == "--to") {
      options.to = Endpoint::Parse(value).value_or(Endpoint{});
    } else if (flag == "--zone") {
      options.zone = value;
    } else if (flag == "--names") {
      options.names = Number(value);
    } else if (flag == "--sockets") {
      options.sockets = std::clamp<size_t>(Number(value), 1, 256);
    } else if (flag == "--window") {
      options.window = std::clamp<size_t>(Number(value), 1, 65536);
    } else if (flag == "--seconds") {
      options.seconds = std::clamp(std::atof(value), 0.1, 600.0);
    } else if (flag == "--pid") {
      options.pids.push_back(static_cast<int>(Number(value)));
    } else {
      Fail("unknown flag " + std::string(flag));
    }
  }
  if (options.to.port == 0) Fail("--to ADDRESS:PORT is needed");
  if (options.subnet && !options.edns) Fail("--subnet needs EDNS");
  return options;
}

int Main(int argc, char** argv) {
  const Options options = Parse(argc, argv);
  const double cpu_before = CpuSeconds(options.pids);
  Duration elapsed{};
  const Totals totals = Run(options, elapsed);
  const double cpu = CpuSeconds(options.pids) - cpu_before;
  const auto answered = static_cast<double>(totals.answered);
  std::printf("qps=%.0f answered=%llu wrong=%llu lost=%llu cpu_seconds=%.2f qps_per_cpu=%.0f\n",
              answered / Seconds(elapsed), static_cast<unsigned long long>(totals.answered),
              static_cast<unsigned long long>(totals.wrong),
              static_cast<unsigned long long>(totals.lost), cpu, cpu > 0 ? answered / cpu : 0.0);
  return totals.answered > 0 && totals.wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace reef::dns

int main(int argc, char** argv) {
  return reef::dns::Main(argc, argv);
}
