// SPDX-License-Identifier: Apache-2.0
//
// http_load: a load generator on one core, for servers that are faster than wrk (which saturates
// first). Keep-alive connections over bare epoll; it counts whole answers and their bytes, checks
// each status and length, and prints one line of figures.
//
//   http_load --to 127.0.0.1:8090 --host NAME --path /x [--paths N] [--connections 64]
//             [--seconds 5 | --requests N] [--pipeline 1] [--header "Name: value"]...
//
// --paths N asks for PATH0 .. PATH(N-1) at random, the same sequence at every run.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
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

namespace reef {
namespace {

struct Options {
  Endpoint to;
  std::string host = "localhost";
  std::string path = "/";
  uint64_t path_count = 0;
  int connections = 64;
  double seconds = 5;
  uint64_t requests = 0;  // 0: as many as fit into `seconds`
  int pipeline = 1;
  std::string fields;
};

// Powers of two in eighths: 9 % wide buckets from 1 us on.
class Latencies {
 public:
  void Add(Duration d) {
    const double us = std::max(1.0, static_cast<double>(d.count()) / 1000.0);
    const auto bucket = static_cast<size_t>(std::log2(us) * 8);
    ++counts_[std::min(bucket, counts_.size() - 1)];
    ++total_;
  }
  double QuantileMicroseconds(double q) const {
    uint64_t left = static_cast<uint64_t>(q * static_cast<double>(total_));
    for (size_t i = 0; i < counts_.size(); ++i) {
      if (left < counts_[i]) return std::exp2(static_cast<double>(i + 1) / 8);
      left -= counts_[i];
    }
    return 0;
  }

 private:
  std::vector<uint64_t> counts_ = std::vector<uint64_t>(256);
  uint64_t total_ = 0;
};

struct Totals {
  uint64_t answers = 0;
  uint64_t bytes = 0;
  uint64_t wrong = 0;  // status other than 200 or 206
  uint64_t lost = 0;   // connections that ended before their answer did
  Latencies latencies;
};

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "http_load: %s\n", what.c_str());
  std::exit(1);
}

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options), rng_(1), epoll_(epoll_create1(0)), buffer_(256 * 1024) {
    connections_.resize(static_cast<size_t>(options.connections));
    for (size_t i = 0; i < connections_.size(); ++i) Open(i);
  }

  // Bounded by --seconds, or by ten times that if --requests are asked for.
  const Totals& Run() {
    const Instant start = MonotonicNow();
    const double limit = options_.requests > 0 ? options_.seconds * 10 : options_.seconds;
    const Instant end = start + Duration(static_cast<int64_t>(limit * 1e9));
    for (size_t i = 0; i < connections_.size(); ++i) SendBatch(i, start);
    std::vector<epoll_event> events(connections_.size());
    while (open_ > 0 && (options_.requests == 0 || totals_.answers < options_.requests)) {
      const int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
      const Instant now = MonotonicNow();
      if (now >= end) break;
      for (int i = 0; i < n; ++i) OnReadable(events[static_cast<size_t>(i)].data.u64, now);
    }
    elapsed_ = MonotonicNow() - start;
    return totals_;
  }

  Duration elapsed() const { return elapsed_; }

 private:
  struct Connection {
    int fd = -1;
    int waiting = 0;  // answers of the batch still to come
    uint64_t body_left = 0;
    std::string head;  // of an answer whose head came in pieces
    Instant sent{};
  };

  void Open(size_t index) {
    Connection& c = connections_[index];
    c = {};
    c.fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(options_.to.port);
    std::memcpy(&to.sin_addr, options_.to.address.bytes().data(), 4);
    if (connect(c.fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
      Fail("cannot connect to " + options_.to.ToString() + ": " + std::strerror(errno));
    }
    const int on = 1;
    setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(c.fd, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &event);
    ++open_;
  }

  void Close(Connection& c) {
    close(c.fd);
    c.fd = -1;
    --open_;
  }

  void SendBatch(size_t index, Instant now) {
    Connection& c = connections_[index];
    request_.clear();
    for (int i = 0; i < options_.pipeline; ++i) {
      request_ += "GET " + options_.path;
      if (options_.path_count > 0) request_ += std::to_string(rng_.Below(options_.path_count));
      request_ += " HTTP/1.1\r\nHost: " + options_.host + "\r\n" + options_.fields + "\r\n";
    }
    // Small enough for any socket buffer: a short write means a broken set-up.
    if (write(c.fd, request_.data(), request_.size()) != static_cast<ssize_t>(request_.size())) {
      ++totals_.lost;
      Close(c);
      return;
    }
    c.waiting = options_.pipeline;
    c.sent = now;
  }

  void OnReadable(size_t index, Instant now) {
    Connection& c = connections_[index];
    if (c.fd < 0) return;
    const ssize_t n = read(c.fd, buffer_.data(), buffer_.size());
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      totals_.lost += c.waiting > 0;
      Close(c);
      if (n == 0) {
        Open(index);
        SendBatch(index, now);
      }
      return;
    }
    Take(c, {buffer_.data(), static_cast<size_t>(n)}, now);
    if (c.waiting == 0) SendBatch(index, now);
  }

  void Take(Connection& c, std::string_view bytes, Instant now) {
    totals_.bytes += bytes.size();
    while (!bytes.empty()) {
      if (c.body_left > 0) {
        const uint64_t n = std::min<uint64_t>(c.body_left, bytes.size());
        c.body_left -= n;
        bytes.remove_prefix(n);
        if (c.body_left == 0) Count(c, now);
        continue;
      }
      const bool in_pieces = !c.head.empty();
      if (in_pieces) c.head += bytes;
      const std::string_view text = in_pieces ? std::string_view(c.head) : bytes;
      const size_t end = text.find("\r\n\r\n");
      if (end == std::string_view::npos) {
        if (!in_pieces) c.head = bytes;
        return;
      }
      c.body_left = OnHead(text.substr(0, end + 2));
      bytes.remove_prefix(end + 4 - (text.size() - bytes.size()));
      c.head.clear();
      if (c.body_left == 0) Count(c, now);
    }
  }

  void Count(Connection& c, Instant now) {
    ++totals_.answers;
    --c.waiting;
    totals_.latencies.Add(now - c.sent);
  }

  // The content's length.
  uint64_t OnHead(std::string_view head) {
    if (head.substr(9, 3) != "200" && head.substr(9, 3) != "206") ++totals_.wrong;
    constexpr std::string_view kName = "\ncontent-length: ";
    for (size_t at = head.find('\n'); at != std::string_view::npos; at = head.find('\n', at + 1)) {
      if (head.size() - at <= kName.size()) break;
      if (strncasecmp(head.data() + at, kName.data(), kName.size()) != 0) continue;
      uint64_t length = 0;
      std::from_chars(head.data() + at + kName.size(), head.data() + head.size(), length);
      return length;
    }
    Fail("an answer without Content-Length: " + std::string(head));
  }

  const Options options_;
  Rng rng_;
  const int epoll_;
  std::vector<char> buffer_;
  std::string request_;
  std::vector<Connection> connections_;
  int open_ = 0;
  Totals totals_;
  Duration elapsed_{};
};

Options ParseArguments(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (++i == argc) Fail("no value for " + std::string(name));
    const std::string value = argv[i];
    if (name == "--to") {
      const std::optional<Endpoint> to = Endpoint::Parse(value);
      if (!to || !to->address.is_v4()) Fail("--to wants ADDRESS:PORT (IPv4), not " + value);
      o.to = *to;
    } else if (name == "--host") {
      o.host = value;
    } else if (name == "--path") {
      o.path = value;
    } else if (name == "--header") {
      o.fields += value + "\r\n";
    } else if (name == "--paths") {
      o.path_count = std::strtoull(value.c_str(), nullptr, 10);
    } else if (name == "--connections") {
      o.connections = std::atoi(value.c_str());
    } else if (name == "--seconds") {
      o.seconds = std::atof(value.c_str());
    } else if (name == "--requests") {
      o.requests = std::strtoull(value.c_str(), nullptr, 10);
    } else if (name == "--pipeline") {
      o.pipeline = std::atoi(value.c_str());
    } else {
      Fail("unknown argument " + std::string(name));
    }
  }
  if (o.to.port == 0 || o.connections < 1 || o.pipeline < 1) Fail("--to ADDRESS:PORT is needed");
  return o;
}

int Main(int argc, char** argv) {
  Load load(ParseArguments(argc, argv));
  const Totals& t = load.Run();
  const double seconds = Seconds(load.elapsed());
  std::printf(
      "answers %llu wrong %llu lost %llu seconds %.3f rps %.0f MB/s %.1f p50_us %.0f p99_us %.0f\n",
      static_cast<unsigned long long>(t.answers), static_cast<unsigned long long>(t.wrong),
      static_cast<unsigned long long>(t.lost), seconds, static_cast<double>(t.answers) / seconds,
      static_cast<double>(t.bytes) / seconds / 1e6, t.latencies.QuantileMicroseconds(0.5),
      t.latencies.QuantileMicroseconds(0.99));
  return t.wrong == 0 && t.lost == 0 && t.answers > 0 ? 0 : 1;
}

}  // namespace
}  // namespace reef

int main(int argc, char** argv) {
  return reef::Main(argc, argv);
}
