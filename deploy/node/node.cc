// SPDX-License-Identifier: Apache-2.0
#include "deploy/node/node.h"

#include <algorithm>
#include <future>
#include <map>
#include <optional>
#include <random>
#include <utility>

#include "base/check.h"
#include "base/runtime/clock.h"
#include "base/runtime/identity.h"
#include "base/runtime/log.h"
#include "base/runtime/metrics.h"
#include "base/runtime/socket.h"
#include "deploy/admin/admin_server.h"
#include "deploy/dashboard/dashboard.h"
#include "deploy/node/index_config.h"
#include "deploy/node/process_metrics.h"
#include "deploy/node/state_dir.h"
#include "deploy/node/status_source.h"
#include "deploy/node/zone_config.h"
#include "dnsredir/server/server.h"
#include "dsht/rpc/driver.h"
#include "httpproxy/server/proxy.h"
#include "httpproxy/store/cache.h"

namespace reef::deploy {
namespace {

constexpr uint16_t kJoinPort = 8400;
constexpr Duration kStatusEvery = std::chrono::seconds(1);
// For the first peer to say under which address it saw this node.
constexpr Duration kAddressWait = std::chrono::seconds(5);
constexpr Duration kLeaveMax = std::chrono::seconds(1);
// The redirector asks the index of its own process: cheap, and a node that leaves is forgotten
// fast.
constexpr Duration kProxiesEvery = std::chrono::seconds(1);

uint64_t RandomSeed() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

uint16_t Port(uint32_t port) {
  return static_cast<uint16_t>(port);
}

// "HOST", "HOST:PORT" or an address of either kind, with a port.
std::string WithPort(const std::string& host) {
  if (const auto address = IpAddress::Parse(host)) return Endpoint{*address, kJoinPort}.ToString();
  return host.find(':') == std::string::npos ? host + ":" + std::to_string(kJoinPort) : host;
}

// The address that packets into the world of this family leave from; none are sent.
std::optional<IpAddress> DefaultRouteAddress(IpAddress::Family family) {
  const bool is_v4 = family == IpAddress::Family::kV4;
  const std::optional<Endpoint> world = Endpoint::Parse(is_v4 ? "192.0.2.1:9" : "[2001:db8::1]:9");
  const UniqueFd fd(socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_storage address;
  const socklen_t length = ToSockaddr(*world, &address);
  if (!fd || connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    return std::nullopt;
  }
  const IpAddress local = LocalEndpoint(fd.get()).address;
  return local.IsUnspecified() ? std::nullopt : std::optional(local);
}

// gRPC and SO_REUSEPORT would share a port with another node of the same user in silence.
Status CheckFree(const std::string& service, const Endpoint& endpoint) {
  const StatusOr<UniqueFd> socket = ListenTcp(endpoint, false);
  if (socket.ok()) return absl::OkStatus();
  return Unavailable(service + ": " + std::string(FromAbsl(socket.status().message())));
}

http::AccessLogFormat ToFormat(config::AccessLogFormat format) {
  return format == config::ACCESS_LOG_FORMAT_JSON ? http::AccessLogFormat::kJson
                                                  : http::AccessLogFormat::kCombined;
}

}  // namespace

struct Node::State {
  explicit State(config::Config given) : config(std::move(given)) {
    const std::optional<IpAddress> address = IpAddress::Parse(config.listen());
    REEF_CHECK(address.has_value()) << config.listen();
    listen = *address;
  }

  Endpoint At(uint32_t port) const { return {listen, Port(port)}; }

  Status StartIndex();
  IpAddress ChooseAdvertised();
  dsht::Driver::Snapshot AskIndex() const;
  StatusOr<std::unique_ptr<http::Cache>> OpenCache() const;
  std::map<std::string, Endpoint> Origins() const;
  http::GuardOptions Guard() const;
  http::Proxy::Options ProxyOptions() const;
  dns::Server::Options DnsOptions() const;
  AdminServer::Options AdminOptions() const;
  AdminServer::Pages AdminPages();
  Status StartAdmin();
  void Join();

  config::Config config;
  IpAddress listen;
  IpAddress advertised;
  std::vector<std::string> seeds;

  // In the order of start; destroyed in reverse.
  Metrics metrics;
  std::optional<StateDir> state_dir;
  std::optional<Identity> identity;
  dsht::NodeId id;
  std::unique_ptr<dsht::Driver> index;
  std::unique_ptr<http::Cache> cache;
  std::unique_ptr<http::Proxy> proxy;
  std::unique_ptr<dns::Server> dns;
  std::unique_ptr<StatusSource> status;
  std::unique_ptr<AdminServer> admin;
  std::unique_ptr<Timer> status_timer;  // on the admin loop
};

Node::Node(config::Config config) : state_(std::make_unique<State>(std::move(config))) {}
Node::~Node() {
  Stop();
}

Status Node::Start() {
  State& s = *state_;
  // Before anything is written or said: the mistake made most often.
  RETURN_IF_ERROR(CheckFree("proxy", s.At(s.config.ports().http())));
  RETURN_IF_ERROR(CheckFree("index", s.At(s.config.ports().dsht())));

  if (!s.config.state_dir().empty()) {
    ASSIGN_OR_RETURN(s.state_dir, StateDir::Open(s.config.state_dir()));
    ASSIGN_OR_RETURN(s.identity, Identity::LoadOrCreate(s.state_dir->path()));
  } else {
    s.identity = Identity::Generate();
  }
  s.id = dsht::NodeId::Hash(s.identity->public_key());
  AddProcessMetrics(s.metrics);

  RETURN_IF_ERROR(s.StartIndex());
  s.advertised = s.ChooseAdvertised();
  ASSIGN_OR_RETURN(s.cache, s.OpenCache());
  AddCacheMetrics(*s.cache, s.metrics);
  s.proxy = std::make_unique<http::Proxy>(s.ProxyOptions(), *s.cache, *s.index, s.metrics);
  RETURN_IF_ERROR(s.proxy->Start());
  s.dns = std::make_unique<dns::Server>(s.DnsOptions(), *s.index, s.metrics);
  RETURN_IF_ERROR(s.dns->Start());
  RETURN_IF_ERROR(s.StartAdmin());
  s.Join();
  s.status->SetServing(true);
  LogInfo("node {} serves {}: {}", s.id.ToHex(), s.config.zone(), Endpoints());
  return absl::OkStatus();
}

void Node::Drain() {
  State& s = *state_;
  const Duration limit = std::chrono::seconds(s.config.drain().seconds()) +
                         std::chrono::nanoseconds(s.config.drain().nanos());
  s.status->SetDraining();
  s.index->SetDraining(true);
  s.dns->Drain();
  if (!s.proxy->Drain(limit))
    LogWarning("drain: transfers were cut off after {} s", Seconds(limit));
  s.index->Leave(kLeaveMax);
}

void Node::Stop() {
  State& s = *state_;
  if (s.admin != nullptr) {
    // On the timer's own thread, which may be running it.
    s.admin->loop().Post([&s] { s.status_timer.reset(); });
    s.admin->Stop();
  }
  s.admin.reset();
  s.status.reset();
  s.dns.reset();
  if (s.proxy != nullptr) s.proxy->Stop();
  // The index may still answer the proxy; it goes first.
  if (s.index != nullptr) s.index->Stop();
  s.proxy.reset();
  s.cache.reset();
  s.index.reset();
  s.state_dir.reset();
}

std::vector<std::string> Node::WhyNotReady() const {
  return state_->status->WhyNotReady();
}

std::string Node::Endpoints() const {
  const State& s = *state_;
  return "http " + s.proxy->endpoint().ToString() + " dns " +
         s.dns->endpoints().front().ToString() + " dsht " + s.index->listening().ToString() +
         " admin http://" + s.admin->endpoint().ToString() + "/";
}

// ---- The services' options ---------------------------------------------------------------------

Status Node::State::StartIndex() {
  dsht::DriverOptions options;
  options.id = id;
  options.listen = At(config.ports().dsht());
  if (const auto address = IpAddress::Parse(config.advertise())) {
    options.advertise = Endpoint{*address, Port(config.ports().dsht())};
  }
  // An unspecified address stands for the one advertised.
  options.http = {IpAddress(), Port(config.ports().http())};
  options.dns = {IpAddress(), Port(config.ports().dns())};
  options.seed = RandomSeed();
  options.node = IndexOptionsOf(config.index());
  index = std::make_unique<dsht::Driver>(options, metrics);
  return index->Start();
}

dsht::Driver::Snapshot Node::State::AskIndex() const {
  const auto answer = std::make_shared<std::promise<dsht::Driver::Snapshot>>();
  index->Describe([answer](dsht::Driver::Snapshot s) { answer->set_value(std::move(s)); });
  return answer->get_future().get();
}

// What was configured; else what is listened on; else what the node joined through saw; else what
// the routes say.
IpAddress Node::State::ChooseAdvertised() {
  for (const std::string& host : config.join()) seeds.push_back(WithPort(host));
  if (const auto address = IpAddress::Parse(config.advertise())) return *address;
  if (!listen.IsUnspecified()) return listen;
  if (!seeds.empty()) {
    Join();
    const Instant deadline = MonotonicNow() + kAddressWait;
    while (MonotonicNow() < deadline) {
      const IpAddress seen = AskIndex().self.rpc.address;
      if (!seen.IsUnspecified()) return seen;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  const IpAddress address = DefaultRouteAddress(listen.family()).value_or(IpAddress());
  if (address.IsUnspecified()) {
    LogWarning("this machine has no route: others can reach this node only with --advertise");
    return IpAddress::V4({127, 0, 0, 1});
  }
  return address;
}

StatusOr<std::unique_ptr<http::Cache>> Node::State::OpenCache() const {
  http::Cache::Options options;
  options.memory_bytes_max = config.memory_bytes();
  options.disk_bytes_max = config.disk_bytes();
  if (state_dir.has_value() && config.disk_bytes() > 0) {
    options.directory = state_dir->path() + "/cache";
  }
  return http::Cache::Open(options);
}

std::map<std::string, Endpoint> Node::State::Origins() const {
  std::map<std::string, Endpoint> origins;
  for (const auto& [name, origin] : config.origins()) {
    if (const auto endpoint = Endpoint::Parse(origin.address())) origins[name] = *endpoint;
  }
  return origins;
}

http::GuardOptions Node::State::Guard() const {
  http::GuardOptions guard;
  guard.allow_private = config.allow_private();
  const config::Ports& ports = config.ports();
  for (const uint32_t port : {ports.http(), ports.dns(), ports.dsht()}) {
    guard.own.push_back(At(port));
    guard.own.push_back({advertised, Port(port)});
  }
  guard.own.push_back(AdminOptions().listen);
  return guard;
}

http::Proxy::Options Node::State::ProxyOptions() const {
  http::Proxy::Options options;
  options.server.listen = At(config.ports().http());
  options.server.zone = config.zone();
  options.server.loops = config.loops();
  options.server.allow_addresses = config.allow_addresses();
  for (const auto& [name, endpoint] : Origins()) options.server.origins.emplace(name, endpoint);
  options.server.access_log = config.access_log().file();
  options.server.access_log_format = ToFormat(config.access_log().format());

  options.filler.node_hex = id.ToHex();
  options.filler.guard = Guard();
  for (const std::string& text : config.resolvers()) {
    if (const auto endpoint = Endpoint::Parse(text)) {
      options.filler.resolver.servers.push_back(*endpoint);
    }
  }
  options.filler.upstream.extra_ca_file = config.origin_ca_file();
  options.advertise = Endpoint{advertised, Port(config.ports().http())};
  return options;
}

dns::Server::Options Node::State::DnsOptions() const {
  dns::Server::Options options;
  options.listen = {At(config.ports().dns())};
  options.zones = {ZoneOptionsOf(config)};
  options.rate_limit.answers_per_second = config.dns().answers_per_second();
  options.rate_limit.slip = config.dns().slip();
  options.self.id = id;
  options.self.rpc = {advertised, Port(config.ports().dsht())};
  options.self.http = {advertised, Port(config.ports().http())};
  options.self.dns = {advertised, Port(config.ports().dns())};
  options.refresh_interval = kProxiesEvery;
  options.seed = RandomSeed();
  return options;
}

AdminServer::Options Node::State::AdminOptions() const {
  const std::optional<IpAddress> address = IpAddress::Parse(config.admin().listen());
  REEF_CHECK(address.has_value()) << config.admin().listen();
  return {.listen = {*address, Port(config.ports().admin())},
          .names = {config.admin().hosts().begin(), config.admin().hosts().end()}};
}

AdminServer::Pages Node::State::AdminPages() {
  return {.why_not_alive = [this] { return status->WhyNotAlive(); },
          .why_not_ready = [this] { return status->WhyNotReady(); },
          .metrics = [this] { return metrics.Exposition(); },
          .status_json = [this] { return status->Json(); },
          .dashboard = DashboardHtml()};
}

Status Node::State::StartAdmin() {
  status = std::make_unique<StatusSource>(config, *index, AskIndex(), *cache, *proxy);
  admin = std::make_unique<AdminServer>(AdminOptions(), AdminPages());
  status->SetAdmin(admin->options().listen);
  if (const Status started = admin->Start(); !started.ok()) {
    return Unavailable("admin: " + std::string(FromAbsl(started.message())));
  }
  admin->loop().Post([this] {
    status_timer = std::make_unique<Timer>(admin->loop(), [this] {
      status->Refresh();
      status_timer->ArmIn(kStatusEvery);
    });
    status_timer->ArmIn(kStatusEvery);
  });
  return absl::OkStatus();
}

void Node::State::Join() {
  if (index->joined()) return;
  index->Join(seeds);
}

}  // namespace reef::deploy
