// SPDX-License-Identifier: Apache-2.0
#include "dnsredir/server/server.h"

#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "base/rng.h"
#include "base/runtime/clock.h"
#include "base/runtime/event_loop.h"
#include "base/runtime/socket.h"
#include "dnsredir/core/proxy_view.h"
#include "dnsredir/server/dns_metrics.h"
#include "dnsredir/server/tcp_server.h"
#include "dnsredir/server/udp_socket.h"
#include "dnsredir/server/udp_worker.h"

namespace reef::dns {
namespace {

constexpr size_t kWorkersMax = 64;
constexpr size_t kNodesMax = 64;  // of each service in a view
constexpr int kTcpBacklog = 256;
constexpr int kPortAttempts = 16;  // to find one port that is free for TCP and UDP

// The sockets of one endpoint.
struct Bound {
  Endpoint endpoint;
  UniqueFd tcp;
  std::vector<UniqueFd> udp;
};

StatusOr<Bound> TryBind(Endpoint endpoint, size_t workers) {
  Bound bound;
  // Without SO_REUSEPORT: a second server on the endpoint fails here, before its UDP sockets would
  // take a part of our queries.
  ASSIGN_OR_RETURN(bound.tcp, ListenTcp(endpoint, false, kTcpBacklog));
  bound.endpoint = LocalEndpoint(bound.tcp.get());
  for (size_t i = 0; i < workers; ++i) {
    ASSIGN_OR_RETURN(UniqueFd udp, OpenUdp(bound.endpoint, workers > 1));
    bound.udp.push_back(std::move(udp));
  }
  return bound;
}

StatusOr<Bound> BindBoth(const Endpoint& endpoint, size_t workers) {
  StatusOr<Bound> bound = TryBind(endpoint, workers);
  // A port that the kernel chose for TCP may be taken for UDP.
  for (int i = 1; i < kPortAttempts && !bound.ok() && endpoint.port == 0; ++i) {
    bound = TryBind(endpoint, workers);
  }
  if (!bound.ok()) return Unavailable("DNS: " + std::string(bound.status().message()));
  return bound;
}

Status CheckOptions(const Server::Options& options) {
  if (options.listen.empty()) return InvalidArgument("DNS: no endpoint to listen on");
  if (options.zones.empty()) return InvalidArgument("DNS: no zone");
  if (options.workers < 1 || options.workers > kWorkersMax) {
    return InvalidArgument("DNS: workers: expected 1 to " + std::to_string(kWorkersMax));
  }
  if (options.refresh_interval <= Duration::zero()) {
    return InvalidArgument("DNS: refresh_interval: expected more than nothing");
  }
  if (options.tcp_connections_max < 1 || options.tcp_idle_max <= Duration::zero()) {
    return InvalidArgument("DNS: the limits of TCP: expected more than nothing");
  }
  return absl::OkStatus();
}

// The way back from the index's thread to our loop, closed when the server stops: an answer that
// comes later finds it closed.
class Door {
 public:
  explicit Door(EventLoop& loop) : loop_(&loop) {}

  void Post(Task task) {
    const std::lock_guard lock(mutex_);
    if (loop_ != nullptr) loop_->Post(std::move(task));
  }
  void Close() {
    const std::lock_guard lock(mutex_);
    loop_ = nullptr;
  }

 private:
  std::mutex mutex_;
  EventLoop* loop_;  // guarded by mutex_
};

}  // namespace

struct Server::State {
  State(Options from, dsht::Client& index, Metrics& registry)
      : options(std::move(from)),
        client(index),
        metrics(registry, options.listen.size() * std::min(options.workers, kWorkersMax) + 1),
        rng(options.seed),
        view(std::make_shared<const ProxyView>(loop_thread.loop().Now(),
                                               std::span(&options.self, 1),
                                               std::span(&options.self, 1), options.self)) {}

  Status MakeZones();
  ResponderOptions ForResponders() const;
  void StartThreads(std::vector<Bound> bound);
  void Stop();

  // On the loop: asks for proxies, then for name servers, then makes a view of both.
  void Refresh();
  void AskForNameServers(std::vector<dsht::NodeInfo> proxies);
  void SetView(std::span<const dsht::NodeInfo> proxies,
               std::span<const dsht::NodeInfo> name_servers);
  void OnRefreshTimer();

  Options options;
  dsht::Client& client;
  DnsMetrics metrics;
  Rng rng;
  std::vector<Zone> zones;
  std::vector<Endpoint> endpoints;
  LoopThread loop_thread{"reef-dns"};
  std::shared_ptr<Door> door = std::make_shared<Door>(loop_thread.loop());
  bool started = false;

  // Touched on the loop only, once started.
  ViewPtr view;
  std::optional<TcpServer> tcp;
  std::optional<Timer> refresh_timer;

  std::vector<std::unique_ptr<UdpWorker>> workers;  // not changed between Start and Stop
};

Status Server::State::MakeZones() {
  for (const ZoneOptions& zone_options : options.zones) {
    ASSIGN_OR_RETURN(Zone zone, Zone::Make(zone_options));
    for (const Zone& other : zones) {
      if (other.name() == zone.name()) {
        return InvalidArgument("zone " + zone_options.name + ": configured twice");
      }
    }
    zones.push_back(std::move(zone));
  }
  return absl::OkStatus();
}

ResponderOptions Server::State::ForResponders() const {
  ResponderOptions made;
  // As nodes are named elsewhere: the first eight digits of their ids.
  made.nsid = ToHex({reinterpret_cast<const char*>(options.self.id.bytes.data()), 4});
  REEF_CHECK(getentropy(made.cookie_secret.data(), made.cookie_secret.size()) == 0);
  made.unix_offset = WallNow().time_since_epoch() - MonotonicNow().time_since_epoch();
  made.rate_limit = options.rate_limit;
  return made;
}

void Server::State::StartThreads(std::vector<Bound> bound) {
  EventLoop& loop = loop_thread.loop();
  const ResponderOptions shared = ForResponders();
  size_t cell = 0;
  for (Bound& b : bound) {
    for (UniqueFd& udp : b.udp) {
      workers.push_back(std::make_unique<UdpWorker>(std::move(udp), zones, rng.Fork(), shared, view,
                                                    metrics, metrics.cell(cell++)));
    }
  }
  loop_thread.RunAndWait([&] {
    tcp.emplace(loop, zones, rng.Fork(), shared, view,
                TcpServer::Limits{options.tcp_connections_max, options.tcp_idle_max}, metrics,
                metrics.cell(cell));
    for (Bound& b : bound) tcp->Listen(std::move(b.tcp));
    refresh_timer.emplace(loop, [this] { OnRefreshTimer(); });
    OnRefreshTimer();
  });
}

void Server::State::Stop() {
  if (!std::exchange(started, false)) return;
  door->Close();
  loop_thread.RunAndWait([this] {
    refresh_timer.reset();
    tcp.reset();
  });
  loop_thread.StopAndJoin();
  workers.clear();
}

void Server::State::OnRefreshTimer() {
  Refresh();
  refresh_timer->ArmIn(options.refresh_interval);
}

void Server::State::Refresh() {
  client.Nodes(0, kNodesMax, dsht::kServiceHttp,
               [this, door = door](std::vector<dsht::NodeInfo> proxies) {
                 door->Post([this, proxies = std::move(proxies)]() mutable {
                   AskForNameServers(std::move(proxies));
                 });
               });
}

void Server::State::AskForNameServers(std::vector<dsht::NodeInfo> proxies) {
  client.Nodes(
      0, kNodesMax, dsht::kServiceDns,
      [this, door = door, proxies = std::move(proxies)](std::vector<dsht::NodeInfo> name_servers) {
        door->Post([this, proxies, name_servers = std::move(name_servers)] {
          SetView(proxies, name_servers);
        });
      });
}

void Server::State::SetView(std::span<const dsht::NodeInfo> proxies,
                            std::span<const dsht::NodeInfo> name_servers) {
  if (!tcp) return;  // stopping
  view = std::make_shared<const ProxyView>(loop_thread.loop().Now(), proxies, name_servers,
                                           options.self);
  tcp->SetView(view);
  for (const auto& worker : workers) worker->SetView(view);
  metrics.refreshes.Add();
  metrics.proxies_known.Set(static_cast<int64_t>(view->known_proxy_count()));
  metrics.proxies_live.Set(static_cast<int64_t>(view->live_proxy_count()));
}

Server::Server(Options options, dsht::Client& client, Metrics& metrics) {
  state_ = std::make_unique<State>(std::move(options), client, metrics);
}

Server::~Server() {
  Stop();
}

Status Server::Start() {
  REEF_CHECK(!state_->started && state_->endpoints.empty()) << "Start is called once";
  RETURN_IF_ERROR(CheckOptions(state_->options));
  RETURN_IF_ERROR(state_->MakeZones());
  std::vector<Bound> bound;
  for (const Endpoint& endpoint : state_->options.listen) {
    ASSIGN_OR_RETURN(Bound both, BindBoth(endpoint, state_->options.workers));
    state_->endpoints.push_back(both.endpoint);
    bound.push_back(std::move(both));
  }
  state_->started = true;
  state_->StartThreads(std::move(bound));
  return absl::OkStatus();
}

const std::vector<Endpoint>& Server::endpoints() const {
  return state_->endpoints;
}

void Server::Refresh() {
  state_->door->Post([state = state_.get()] { state->Refresh(); });
}

void Server::Drain() {
  state_->door->Post([state = state_.get()] {
    if (state->tcp) state->tcp->StopListening();
    state->Refresh();
  });
}

void Server::Stop() {
  state_->Stop();
}

}  // namespace reef::dns
