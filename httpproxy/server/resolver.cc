// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/resolver.h"

#include <ares.h>
#include <event2/event.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"

namespace reef::http {
namespace {

struct FreeEvent {
  void operator()(event* e) const { event_free(e); }
};

std::optional<IpAddress> AddressOf(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    std::array<uint8_t, 4> bytes;
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, 4);
    return IpAddress::V4(bytes);
  }
  if (address->sa_family == AF_INET6) {
    std::array<uint8_t, 16> bytes;
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, 16);
    return IpAddress::V6(bytes);
  }
  return std::nullopt;
}

Status StatusOf(const std::string& host, int code) {
  const std::string what = "resolve " + host + ": ";
  switch (code) {
    case ARES_ENOTFOUND:
      return NotFound(what + "no such name");
    case ARES_ENODATA:
      return NotFound(what + "the name has no address");
    case ARES_EBADNAME:
    case ARES_ENONAME:
      return NotFound(what + "not a name");
    default:
      return Unavailable(what + ares_strerror(code));
  }
}

}  // namespace

class Resolver::State {
 public:
  State(const ResolverOptions& options, EventLoop& loop)
      : options_(options),
        loop_(loop),
        timeout_(loop, [this] { Process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }),
        deliver_(loop, [this] { Deliver(); }) {
    static const int initialised = ares_library_init(ARES_LIB_INIT_ALL);
    REEF_CHECK(initialised == ARES_SUCCESS) << ares_strerror(initialised);
    char hosts_first[] = "fb";
    char servers_only[] = "b";
    ares_options ares{};
    ares.flags = ARES_FLAG_NOSEARCH;
    ares.timeout = static_cast<int>(options.attempt_timeout / std::chrono::milliseconds(1));
    ares.tries = options.attempts;
    ares.lookups = options.servers.empty() ? hosts_first : servers_only;
    ares.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
      static_cast<State*>(self)->Watch(fd, readable != 0, writable != 0);
    };
    ares.sock_state_cb_data = this;
    const int made = ares_init_options(&channel_, &ares,
                                       ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                                           ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);
    REEF_CHECK(made == ARES_SUCCESS) << ares_strerror(made);
    UseServers();
  }

  // ares_destroy runs the callbacks of what is pending: they find `stopping_`.
  ~State() {
    stopping_ = true;
    ares_destroy(channel_);
  }

  uint64_t Resolve(const std::string& name, Done done) {
    const uint64_t id = next_id_++;
    const std::string host = AsciiLower(name);
    if (const auto literal = IpAddress::Parse(host)) {
      MakeReady(id, std::move(done), std::vector<IpAddress>{*literal});
      return id;
    }
    if (const auto cached = cache_.find(host); cached != cache_.end()) {
      if (cached->second.expires > loop_.Now()) {
        ++stats_.cache_hits;
        MakeReady(id, std::move(done), cached->second.answer);
        return id;
      }
      Forget(cached);
    }
    auto pending = pending_.find(host);
    const bool join = pending != pending_.end();
    if (!join && pending_.size() >= options_.pending_max) {
      MakeReady(id, std::move(done), Unavailable("resolve " + host + ": too many names at once"));
      return id;
    }
    hosts_[id] = host;
    pending_[host].push_back({id, std::move(done)});
    if (join) {
      ++stats_.joined;
    } else {
      Query(host);
    }
    return id;
  }

  void Cancel(uint64_t id) {
    std::erase_if(ready_, [id](const Ready& ready) { return ready.id == id; });
    const auto host = hosts_.find(id);
    if (host == hosts_.end()) return;
    // The question itself goes on: its answer is worth keeping.
    if (const auto pending = pending_.find(host->second); pending != pending_.end()) {
      std::erase_if(pending->second, [id](const Waiter& waiter) { return waiter.id == id; });
    }
    hosts_.erase(host);
  }

  const Stats& stats() const { return stats_; }

 private:
  using Answer = StatusOr<std::vector<IpAddress>>;
  struct Waiter {
    uint64_t id;
    Done done;
  };
  struct Ready {
    uint64_t id;
    Done done;
    Answer answer;
  };
  struct Cached {
    Answer answer;
    Instant expires;
  };
  struct Question {
    State* self;
    std::string host;
  };

  void UseServers() {
    if (options_.servers.empty()) return;
    std::string list;
    for (const Endpoint& server : options_.servers) {
      if (!list.empty()) list += ',';
      list += server.ToString();
    }
    const int set = ares_set_servers_ports_csv(channel_, list.c_str());
    REEF_CHECK(set == ARES_SUCCESS) << list;
  }

  void Query(const std::string& host) {
    ++stats_.queries;
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    // Sorting by RFC 6724 would open a socket to each address.
    hints.ai_flags = ARES_AI_NOSORT;
    hints.ai_socktype = SOCK_STREAM;
    const auto on_answer = [](void* question, int code, int, ares_addrinfo* addresses) {
      const std::unique_ptr<Question> asked(static_cast<Question*>(question));
      if (!asked->self->stopping_) asked->self->OnAnswer(asked->host, code, addresses);
      if (addresses != nullptr) ares_freeaddrinfo(addresses);
    };
    ares_getaddrinfo(channel_, host.c_str(), nullptr, &hints, on_answer, new Question{this, host});
    ArmTimeout();
  }

  void OnAnswer(const std::string& host, int code, const ares_addrinfo* addresses) {
    std::vector<IpAddress> found;
    Duration ttl = options_.ttl_max;
    for (const ares_addrinfo_node* node = addresses != nullptr ? addresses->nodes : nullptr;
         node != nullptr; node = node->ai_next) {
      const auto address = AddressOf(node->ai_addr);
      if (!address || std::find(found.begin(), found.end(), *address) != found.end()) continue;
      found.push_back(*address);
      ttl = std::min<Duration>(ttl, std::chrono::seconds(node->ai_ttl));
    }
    std::stable_partition(found.begin(), found.end(),
                          [](const IpAddress& address) { return address.is_v4(); });
    if (found.empty()) {
      ++stats_.failures;
      Settle(host, StatusOf(host, code == ARES_SUCCESS ? ARES_ENODATA : code),
             options_.negative_ttl);
    } else {
      Settle(host, std::move(found), std::clamp(ttl, options_.ttl_min, options_.ttl_max));
    }
  }

  void Settle(const std::string& host, Answer answer, Duration ttl) {
    const auto pending = pending_.extract(host);
    if (!pending.empty()) {
      for (Waiter& waiter : pending.mapped()) {
        hosts_.erase(waiter.id);
        MakeReady(waiter.id, std::move(waiter.done), answer);
      }
    }
    if (const auto old = cache_.find(host); old != cache_.end()) Forget(old);
    if (cache_.size() >= options_.cache_entries_max) {
      Forget(cache_.find(expiries_.begin()->second));
    }
    const Instant expires = loop_.Now() + ttl;
    cache_.emplace(host, Cached{std::move(answer), expires});
    expiries_.emplace(expires, host);
  }

  void Forget(std::map<std::string, Cached>::iterator entry) {
    expiries_.erase({entry->second.expires, entry->first});
    cache_.erase(entry);
  }

  void MakeReady(uint64_t id, Done done, Answer answer) {
    ready_.push_back({id, std::move(done), std::move(answer)});
    if (!deliver_.armed()) deliver_.ArmIn(Duration::zero());
  }

  void Deliver() {
    // One at a time: an asker may cancel another, or ask again.
    for (size_t left = ready_.size(); left > 0 && !ready_.empty(); --left) {
      Ready ready = std::move(ready_.front());
      ready_.erase(ready_.begin());
      ready.done(std::move(ready.answer));
    }
    if (!ready_.empty() && !deliver_.armed()) deliver_.ArmIn(Duration::zero());
  }

  void Watch(ares_socket_t fd, bool readable, bool writable) {
    events_.erase(fd);
    if (stopping_ || (!readable && !writable)) return;
    const auto on_event = [](evutil_socket_t socket, short what, void* self) {
      static_cast<State*>(self)->Process((what & EV_READ) != 0 ? socket : ARES_SOCKET_BAD,
                                         (what & EV_WRITE) != 0 ? socket : ARES_SOCKET_BAD);
    };
    const short what =
        static_cast<short>((readable ? EV_READ : 0) | (writable ? EV_WRITE : 0) | EV_PERSIST);
    std::unique_ptr<event, FreeEvent> watch(event_new(loop_.base(), fd, what, on_event, this));
    event_add(watch.get(), nullptr);
    events_.emplace(fd, std::move(watch));
  }

  void Process(ares_socket_t readable, ares_socket_t writable) {
    ares_process_fd(channel_, readable, writable);
    ArmTimeout();
  }

  void ArmTimeout() {
    timeval wait{};
    if (ares_timeout(channel_, nullptr, &wait) == nullptr) {
      timeout_.Cancel();
      return;
    }
    timeout_.ArmIn(std::chrono::seconds(wait.tv_sec) + std::chrono::microseconds(wait.tv_usec));
  }

  const ResolverOptions options_;
  EventLoop& loop_;
  ares_channel channel_ = nullptr;
  bool stopping_ = false;
  std::map<ares_socket_t, std::unique_ptr<event, FreeEvent>> events_;
  Timer timeout_;
  Timer deliver_;
  uint64_t next_id_ = 1;
  std::map<uint64_t, std::string> hosts_;
  std::map<std::string, std::vector<Waiter>> pending_;
  std::vector<Ready> ready_;
  std::map<std::string, Cached> cache_;
  std::set<std::pair<Instant, std::string>> expiries_;
  Stats stats_;
};

Resolver::Resolver(const ResolverOptions& options, EventLoop& loop)
    : state_(std::make_unique<State>(options, loop)) {}
Resolver::~Resolver() = default;

uint64_t Resolver::Resolve(const std::string& host, Done done) {
  return state_->Resolve(host, std::move(done));
}
void Resolver::Cancel(uint64_t id) {
  state_->Cancel(id);
}
const Resolver::Stats& Resolver::stats() const {
  return state_->stats();
}

}  // namespace reef::http
