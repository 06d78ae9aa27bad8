// SPDX-License-Identifier: Apache-2.0
#include "tests/support/origin.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "base/runtime/event_loop.h"

namespace reef::testing {
namespace {

constexpr size_t kReadBytes = 16 * 1024;
constexpr size_t kSliceBytes = 64 * 1024;
constexpr auto kTick = std::chrono::milliseconds(10);

// The value of the first field `name` in a serialised head.
std::optional<std::string> FieldIn(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos && EqualsIgnoreCase(line.substr(0, colon), name)) {
      return std::string(Trim(line.substr(colon + 1)));
    }
    if (end == std::string_view::npos) break;
    head.remove_prefix(end + 2);
  }
  return std::nullopt;
}

std::string Chunked(std::string_view body, bool last_chunk) {
  std::string out;
  while (!body.empty()) {
    const std::string_view chunk = body.substr(0, 8000);
    char size[32];
    snprintf(size, sizeof size, "%zx\r\n", chunk.size());
    out.append(size).append(chunk).append("\r\n");
    body.remove_prefix(chunk.size());
  }
  if (last_chunk) out.append("0\r\n\r\n");
  return out;
}

}  // namespace

std::optional<std::string> OriginRequest::Field(std::string_view name) const {
  return FieldIn(head, name);
}

OriginReply StaticReply(const OriginRequest& request, const std::string& body,
                        const std::string& etag, const std::string& fields) {
  OriginReply reply;
  reply.fields = "ETag: " + etag + "\r\n" + fields;
  if (request.Field("If-None-Match") == etag) {
    reply.status = 304;
    reply.reason = "Not Modified";
    return reply;
  }
  reply.body = body;
  const std::string range = request.Field("Range").value_or("");
  const bool same = request.Field("If-Range").value_or(etag) == etag;
  if (!same || range.substr(0, 6) != "bytes=") return reply;
  const size_t dash = range.find('-');
  const auto first = ParseDecimal(std::string_view(range).substr(6, dash - 6));
  const auto last = ParseDecimal(std::string_view(range).substr(dash + 1));
  if (!first) return reply;
  const std::string total = std::to_string(body.size());
  if (*first >= body.size()) {
    reply.status = 416;
    reply.reason = "Range Not Satisfiable";
    reply.fields += "Content-Range: bytes */" + total + "\r\n";
    reply.body.clear();
    return reply;
  }
  const uint64_t end = std::min<uint64_t>(last.value_or(body.size() - 1), body.size() - 1);
  reply.status = 206;
  reply.reason = "Partial Content";
  reply.fields += "Content-Range: bytes " + std::to_string(*first) + "-" + std::to_string(end) +
                  "/" + total + "\r\n";
  reply.body = body.substr(*first, end - *first + 1);
  return reply;
}

std::string TestBytes(size_t bytes, uint64_t seed) {
  std::string out(bytes, '\0');
  uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
  for (size_t i = 0; i < bytes; ++i) {
    if (i % 8 == 0) {
      x ^= x << 13;
      x ^= x >> 7;
      x ^= x << 17;
    }
    out[i] = static_cast<char>(x >> (8 * (i % 8)));
  }
  return out;
}

class Origin::Server {
 public:
  explicit Server(const Options& options) : tls_(options.tls), thread_("origin") {
    // SSL_write and a reset connection would otherwise end the test.
    std::signal(SIGPIPE, SIG_IGN);
    Listen(options.listen);
    thread_.RunAndWait([this] {
      const auto on_accept = [](evutil_socket_t, short, void* self) {
        static_cast<Server*>(self)->Accept();
      };
      accept_ = event_new(loop().base(), listen_fd_, EV_READ | EV_PERSIST, on_accept, this);
      event_add(accept_, nullptr);
    });
  }

  ~Server() {
    thread_.RunAndWait([this] {
      CloseListener();
      connections_.clear();
    });
    thread_.StopAndJoin();
  }

  EventLoop& loop() { return thread_.loop(); }
  Endpoint endpoint() const { return endpoint_; }

  void Set(const std::string& target, Handler handler) {
    const std::lock_guard lock(mutex_);
    handlers_[target] = std::make_shared<Handler>(std::move(handler));
  }
  void SetAll(Handler handler) {
    const std::lock_guard lock(mutex_);
    any_ = std::make_shared<Handler>(std::move(handler));
  }

  void Release(const std::string& target) {
    thread_.RunAndWait([this, &target] {
      for (auto& [id, connection] : connections_) connection->Release(target);
      Sweep();
    });
  }

  void CloseConnections() {
    thread_.RunAndWait([this] {
      connections_.clear();
      Changed();
    });
  }
  void StopListening() {
    thread_.RunAndWait([this] { CloseListener(); });
  }

  std::vector<OriginRequest> Requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  size_t Count(const std::string& target) const {
    const std::lock_guard lock(mutex_);
    return CountLocked(target);
  }
  size_t accepted() const {
    const std::lock_guard lock(mutex_);
    return accepted_;
  }
  size_t open() const {
    const std::lock_guard lock(mutex_);
    return open_;
  }
  uint64_t body_bytes_sent() const {
    const std::lock_guard lock(mutex_);
    return body_bytes_sent_;
  }
  bool Wait(const std::function<bool()>& reached) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), reached);
  }
  size_t CountLocked(const std::string& target) const {
    return static_cast<size_t>(std::count_if(requests_.begin(), requests_.end(),
                                             [&](auto& r) { return r.target == target; }));
  }
  size_t TotalLocked() const { return requests_.size(); }
  size_t OpenLocked() const { return open_; }

 private:
  // One connection: reads a request, sends its reply, reads the next.
  class Connection {
   public:
    Connection(Server& server, int fd, uint64_t id)
        : server_(server), fd_(fd), id_(id), timer_(server.loop(), [this] { OnTimer(); }) {
      const int one = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      if (server.tls_ != nullptr) {
        ssl_ = SSL_new(server.tls_);
        SSL_set_fd(ssl_, fd);
        SSL_set_accept_state(ssl_);
      }
      const auto on_event = [](evutil_socket_t, short, void* self) {
        auto* connection = static_cast<Connection*>(self);
        connection->Run();
        connection->server_.Sweep();
      };
      read_ = event_new(server.loop().base(), fd, EV_READ, on_event, this);
      write_ = event_new(server.loop().base(), fd, EV_WRITE, on_event, this);
      event_add(read_, nullptr);
    }
    ~Connection() {
      event_free(read_);
      event_free(write_);
      if (ssl_ != nullptr) SSL_free(ssl_);
      if (reset_) {
        const linger now = {1, 0};
        setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
      }
      close(fd_);
    }

    bool dead() const { return dead_; }

    void Release(const std::string& target) {
      if (!replying_ || target_ != target) return;
      if (reply_.hold_head) {
        reply_.hold_head = false;
      } else if (reply_.hold_at && body_sent_ >= *reply_.hold_at) {
        reply_.hold_at.reset();
      }
      Run();
    }

   private:
    enum class Io { kOk, kBlocked, kClosed };

    void Run() {
      while (!dead_) {
        if (replying_) {
          if (!SendReply()) return;
        } else if (!ReadRequest()) {
          return;
        }
      }
    }

    void OnTimer() {
      waiting_ = false;
      Run();
      server_.Sweep();
    }

    // False: nothing more can be done now.
    bool ReadRequest() {
      if (TakeRequest()) return true;
      char buffer[kReadBytes];
      size_t n = 0;
      switch (Read(buffer, sizeof buffer, n)) {
        case Io::kOk:
          in_.append(buffer, n);
          return true;
        case Io::kBlocked:
          return false;
        case Io::kClosed:
          dead_ = true;
          return false;
      }
      return false;
    }

    bool TakeRequest() {
      const size_t end = in_.find("\r\n\r\n");
      if (end == std::string::npos) return false;
      OriginRequest request;
      request.head = in_.substr(0, end + 2);
      size_t used = end + 4;
      if (!TakeBody(request, used)) return false;
      in_.erase(0, used);
      const std::string_view line =
          std::string_view(request.head).substr(0, request.head.find("\r\n"));
      request.method = line.substr(0, line.find(' '));
      const size_t target = request.method.size() + 1;
      request.target = line.substr(target, line.find(' ', target) - target);
      request.connection = id_;
      Begin(request);
      return true;
    }

    bool TakeBody(OriginRequest& request, size_t& used) const {
      if (EqualsIgnoreCase(FieldIn(request.head, "Transfer-Encoding").value_or(""), "chunked")) {
        while (true) {
          const size_t eol = in_.find("\r\n", used);
          if (eol == std::string::npos) return false;
          const auto size = ParseHex(std::string_view(in_).substr(used, eol - used));
          REEF_CHECK(size.has_value()) << "a request with a bad chunk reached the origin";
          if (in_.size() < eol + 2 + *size + 2) return false;
          request.body.append(in_, eol + 2, *size);
          used = eol + 2 + *size + 2;
          if (*size == 0) return true;
        }
      }
      const uint64_t length =
          ParseDecimal(FieldIn(request.head, "Content-Length").value_or("0")).value_or(0);
      if (in_.size() < used + length) return false;
      request.body = in_.substr(used, length);
      used += length;
      return true;
    }

    void Begin(const OriginRequest& request) {
      reply_ = server_.Answer(request);
      target_ = request.target;
      replying_ = true;
      body_sent_ = 0;
      const bool bodiless =
          request.method == "HEAD" || reply_.status == 204 || reply_.status == 304;
      head_ = reply_.interim + Head(bodiless);
      if (!reply_.raw.empty()) head_ = std::exchange(reply_.raw, "");
      const bool raw = head_.substr(0, 5) != "HTTP/" && reply_.interim.empty();
      if (raw) reply_.close = true;
      body_ = bodiless ? std::string() : std::move(reply_.body);
      if (reply_.framing == OriginReply::Framing::kChunked && !bodiless) {
        body_ = Chunked(body_, !reply_.omit_last_chunk);
      }
      if (reply_.framing == OriginReply::Framing::kClose || reply_.omit_last_chunk)
        reply_.close = true;
      started_.reset();
      if (reply_.head_delay > Duration::zero()) ArmIn(reply_.head_delay);
    }

    std::string Head(bool bodiless) const {
      std::string head = reply_.http_version + " " + std::to_string(reply_.status) + " " +
                         reply_.reason + "\r\n" + reply_.fields;
      const bool no_length = reply_.status == 204 || (bodiless && reply_.status == 304);
      if (reply_.framing == OriginReply::Framing::kChunked) {
        head += "Transfer-Encoding: chunked\r\n";
      } else if (reply_.framing == OriginReply::Framing::kLength && !no_length) {
        const uint64_t length = reply_.claimed_length.value_or(reply_.body.size());
        head += "Content-Length: " + std::to_string(length) + "\r\n";
      }
      if (reply_.close || reply_.framing == OriginReply::Framing::kClose)
        head += "Connection: close\r\n";
      return head + "\r\n";
    }

    void ArmIn(Duration delay) {
      waiting_ = true;
      timer_.ArmIn(delay);
    }

    // False: waits, or is done with the connection.
    bool SendReply() {
      if (waiting_ || reply_.hold_head) return WatchForClose();
      if (reply_.reset && !reply_.close_at) return End(true);
      if (!head_.empty()) {
        size_t n = 0;
        const Io io = Write(head_, n);
        head_.erase(0, n);
        if (io != Io::kOk) return Blocked(io);
        return true;
      }
      uint64_t until = body_.size();
      if (reply_.close_at) until = std::min(until, *reply_.close_at);
      if (reply_.hold_at) until = std::min(until, *reply_.hold_at);
      if (body_sent_ < until) return SendBody(until);
      if (reply_.hold_at && body_sent_ >= *reply_.hold_at) return WatchForClose();
      if (reply_.close_at && body_sent_ >= *reply_.close_at) return End(reply_.reset);
      if (reply_.close) return End(false);
      replying_ = false;
      return true;
    }

    bool SendBody(uint64_t until) {
      uint64_t allowed = until - body_sent_;
      if (reply_.bytes_per_second > 0) {
        if (!started_) started_ = MonotonicNow();
        const double elapsed = Seconds(MonotonicNow() - *started_);
        const auto due =
            static_cast<uint64_t>(elapsed * static_cast<double>(reply_.bytes_per_second));
        if (due <= body_sent_) {
          ArmIn(kTick);
          return false;
        }
        allowed = std::min(allowed, due - body_sent_);
      }
      size_t n = 0;
      const Io io = Write(
          std::string_view(body_).substr(body_sent_, std::min<uint64_t>(allowed, kSliceBytes)), n);
      body_sent_ += n;
      server_.AddBodyBytes(n);
      if (io != Io::kOk) return Blocked(io);
      return true;
    }

    bool Blocked(Io io) {
      if (io == Io::kClosed) dead_ = true;
      return false;
    }

    // While a response is held, only the client's going away is of interest.
    bool WatchForClose() {
      if (ssl_ == nullptr) {
        char c;
        const ssize_t n = recv(fd_, &c, 1, MSG_PEEK | MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN)) dead_ = true;
        if (n < 0 && errno == EAGAIN) event_add(read_, nullptr);
      }
      return false;
    }

    bool End(bool reset) {
      reset_ = reset;
      dead_ = true;
      return false;
    }

    Io Read(char* data, size_t size, size_t& n) {
      if (ssl_ != nullptr) {
        ERR_clear_error();
        const int r = SSL_read(ssl_, data, static_cast<int>(size));
        n = r > 0 ? static_cast<size_t>(r) : 0;
        return r > 0 ? Io::kOk : TlsOutcome(r);
      }
      const ssize_t r = recv(fd_, data, size, 0);
      n = r > 0 ? static_cast<size_t>(r) : 0;
      if (r > 0) return Io::kOk;
      if (r < 0 && errno == EAGAIN) {
        event_add(read_, nullptr);
        return Io::kBlocked;
      }
      return Io::kClosed;
    }

    Io Write(std::string_view bytes, size_t& n) {
      if (ssl_ != nullptr) {
        ERR_clear_error();
        const int r = SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()));
        n = r > 0 ? static_cast<size_t>(r) : 0;
        return r > 0 ? Io::kOk : TlsOutcome(r);
      }
      const ssize_t r = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      n = r > 0 ? static_cast<size_t>(r) : 0;
      if (r > 0) return Io::kOk;
      if (r < 0 && errno == EAGAIN) {
        event_add(write_, nullptr);
        return Io::kBlocked;
      }
      return Io::kClosed;
    }

    Io TlsOutcome(int r) {
      switch (SSL_get_error(ssl_, r)) {
        case SSL_ERROR_WANT_READ:
          event_add(read_, nullptr);
          return Io::kBlocked;
        case SSL_ERROR_WANT_WRITE:
          event_add(write_, nullptr);
          return Io::kBlocked;
        default:
          return Io::kClosed;
      }
    }

    Server& server_;
    const int fd_;
    const uint64_t id_;
    SSL* ssl_ = nullptr;
    event* read_ = nullptr;
    event* write_ = nullptr;
    Timer timer_;
    std::string in_;
    bool dead_ = false;
    bool reset_ = false;

    bool replying_ = false;
    bool waiting_ = false;  // for the timer
    OriginReply reply_;
    std::string target_;
    std::string head_;
    std::string body_;  // framed
    uint64_t body_sent_ = 0;
    std::optional<Instant> started_;  // since the first byte of the body is due
  };

  void Listen(const Endpoint& at) {
    sockaddr_storage address{};
    socklen_t size = 0;
    if (at.address.is_v4()) {
      auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
      v4->sin_family = AF_INET;
      v4->sin_port = htons(at.port);
      std::memcpy(&v4->sin_addr, at.address.bytes().data(), 4);
      size = sizeof *v4;
    } else {
      auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
      v6->sin6_family = AF_INET6;
      v6->sin6_port = htons(at.port);
      std::memcpy(&v6->sin6_addr, at.address.bytes().data(), 16);
      size = sizeof *v6;
    }
    listen_fd_ = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int one = 1;
    setsockopt(listen_fd_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    const bool bound = bind(listen_fd_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                       listen(listen_fd_, 1024) == 0;
    REEF_CHECK(bound) << "origin cannot listen on " << at.ToString() << ": " << strerror(errno);
    getsockname(listen_fd_, reinterpret_cast<sockaddr*>(&address), &size);
    const uint16_t port = at.address.is_v4() ? reinterpret_cast<sockaddr_in*>(&address)->sin_port
                                             : reinterpret_cast<sockaddr_in6*>(&address)->sin6_port;
    endpoint_ = {at.address, ntohs(port)};
  }

  void CloseListener() {
    if (accept_ != nullptr) event_free(std::exchange(accept_, nullptr));
    if (listen_fd_ >= 0) close(std::exchange(listen_fd_, -1));
  }

  void Accept() {
    while (true) {
      const int fd = accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      uint64_t id = 0;
      {
        const std::lock_guard lock(mutex_);
        id = ++accepted_;
      }
      connections_.emplace(id, std::make_unique<Connection>(*this, fd, id));
      Changed();
    }
  }

  OriginReply Answer(const OriginRequest& request) {
    std::shared_ptr<Handler> handler;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
      const auto it = handlers_.find(request.target);
      handler = it != handlers_.end() ? it->second : any_;
    }
    changed_.notify_all();
    if (handler != nullptr) return (*handler)(request);
    OriginReply reply;
    reply.status = 404;
    reply.reason = "Not Found";
    return reply;
  }

  void AddBodyBytes(uint64_t n) {
    const std::lock_guard lock(mutex_);
    body_bytes_sent_ += n;
  }

  void Sweep() {
    std::erase_if(connections_, [](auto& entry) { return entry.second->dead(); });
    Changed();
  }

  void Changed() {
    {
      const std::lock_guard lock(mutex_);
      open_ = connections_.size();
    }
    changed_.notify_all();
  }

  ssl_ctx_st* const tls_;
  int listen_fd_ = -1;
  Endpoint endpoint_;
  event* accept_ = nullptr;
  std::map<uint64_t, std::unique_ptr<Connection>> connections_;  // the loop's

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::map<std::string, std::shared_ptr<Handler>> handlers_;  // these are guarded by mutex_
  std::shared_ptr<Handler> any_;
  std::vector<OriginRequest> requests_;
  size_t accepted_ = 0;
  size_t open_ = 0;
  uint64_t body_bytes_sent_ = 0;

  LoopThread thread_;  // last: its loop outlives nothing that is above
};

Origin::Origin() : Origin(Options{}) {}
Origin::Origin(const Options& options) : server_(std::make_unique<Server>(options)) {}
Origin::~Origin() = default;

Endpoint Origin::endpoint() const {
  return server_->endpoint();
}

void Origin::Serve(const std::string& target, OriginReply reply) {
  server_->Set(target, [reply = std::move(reply)](const OriginRequest&) { return reply; });
}
void Origin::Serve(const std::string& target, Handler handler) {
  server_->Set(target, std::move(handler));
}
void Origin::ServeStatic(const std::string& target, const std::string& body,
                         const std::string& etag) {
  server_->Set(target, [body, etag](const OriginRequest& request) {
    return StaticReply(request, body, etag, "Cache-Control: max-age=3600\r\n");
  });
}
void Origin::ServeAll(Handler handler) {
  server_->SetAll(std::move(handler));
}
void Origin::Release(const std::string& target) {
  server_->Release(target);
}
void Origin::CloseConnections() {
  server_->CloseConnections();
}
void Origin::StopListening() {
  server_->StopListening();
}
std::vector<OriginRequest> Origin::Requests() const {
  return server_->Requests();
}
size_t Origin::RequestCount(const std::string& target) const {
  return server_->Count(target);
}
size_t Origin::ConnectionCount() const {
  return server_->accepted();
}
size_t Origin::OpenConnectionCount() const {
  return server_->open();
}
uint64_t Origin::BodyBytesSent() const {
  return server_->body_bytes_sent();
}
bool Origin::WaitForRequests(size_t count) const {
  return server_->Wait([&] { return server_->TotalLocked() >= count; });
}
bool Origin::WaitForRequests(const std::string& target, size_t count) const {
  return server_->Wait([&] { return server_->CountLocked(target) >= count; });
}
bool Origin::WaitForOpenConnections(size_t count) const {
  return server_->Wait([&] { return server_->OpenLocked() <= count; });
}

}  // namespace reef::testing
