// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/proxy.h"

#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "base/runtime/socket.h"
#include "httpproxy/server/connection.h"
#include "httpproxy/server/exchange.h"

namespace reef::http {
namespace {

// Waits for a number of events on other threads.
class Countdown {
 public:
  explicit Countdown(size_t count) : left_(count) {}
  void Down() {
    const std::lock_guard lock(mutex_);
    --left_;
    zero_.notify_all();
  }
  bool Wait(Duration limit) {
    std::unique_lock lock(mutex_);
    return zero_.wait_for(lock, limit, [&] { return left_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable zero_;
  size_t left_;  // guarded by mutex_
};

}  // namespace

// In the order of construction; destroyed in reverse, after the thread has ended.
struct Proxy::Loop {
  explicit Loop(size_t index) : thread("http-" + std::to_string(index)) {}

  LoopThread thread;
  std::unique_ptr<FetchDesk> desk;
  std::unique_ptr<LoopContext> context;
};

// Outlives the proxy: the metrics that read it do.
struct Proxy::AllCounters {
  std::deque<Counters> loops;

  template <typename Pick>
  uint64_t Sum(Pick pick) const {
    uint64_t sum = 0;
    for (const Counters& c : loops) sum += pick(c).value();
    return sum;
  }
};

Proxy::Proxy(Options options, Cache& cache, dsht::Client& index, Metrics& metrics)
    : server_options_(std::move(options.server)),
      filler_options_(std::move(options.filler)),
      references_options_(std::move(options.references)),
      advertise_(options.advertise),
      cache_(cache),
      index_(&index),
      metrics_(metrics),
      counters_(std::make_shared<AllCounters>()) {
  make_filler_ = [this](EventLoop& loop) {
    return MakeFiller(filler_options_, loop, cache_, *index_, *references_, metrics_);
  };
  AddMetrics();
}

Proxy::Proxy(const ProxyOptions& options, Cache& cache, Metrics& metrics, FillerFactory make_filler)
    : server_options_(options),
      make_filler_(std::move(make_filler)),
      cache_(cache),
      index_(nullptr),
      metrics_(metrics),
      counters_(std::make_shared<AllCounters>()) {
  AddMetrics();
}

Proxy::~Proxy() {
  Stop();
}

Status Proxy::Start() {
  REEF_CHECK(loops_.empty()) << "started twice";
  REEF_CHECK(server_options_.loops >= 1);
  // sendfile has no flag against it: a client that goes would end the process.
  std::signal(SIGPIPE, SIG_IGN);
  endpoint_ = server_options_.listen;
  std::vector<UniqueFd> sockets;
  for (size_t i = 0; i < server_options_.loops; ++i) {
    ASSIGN_OR_RETURN(UniqueFd socket, ListenTcp(endpoint_, /*reuse_port=*/true));
    // The first one chooses the port if it was 0.
    endpoint_ = LocalEndpoint(socket.get());
    sockets.push_back(std::move(socket));
  }
  advertised_ = advertise_.value_or(endpoint_);
  if (advertised_.port == 0) advertised_.port = endpoint_.port;

  state_ = std::make_unique<ProxyState>(server_options_, cache_);
  for (size_t i = 0; i < server_options_.loops; ++i) loops_.push_back(std::make_unique<Loop>(i));
  if (index_ != nullptr) {
    filler_options_.zone = server_options_.zone;
    filler_options_.via = server_options_.name;
    filler_options_.origins = server_options_.origins;
    filler_options_.self = advertised_;
    references_options_.self = advertised_;
    loops_[0]->thread.RunAndWait([this] {
      references_ = std::make_unique<References>(references_options_, loops_[0]->thread.loop(),
                                                 cache_, *index_, metrics_);
    });
  }
  std::vector<FetchDesk*> desks;
  for (size_t i = 0; i < loops_.size(); ++i) {
    Loop& l = *loops_[i];
    l.thread.RunAndWait([&] {
      l.desk = std::make_unique<FetchDesk>(l.thread.loop(), i, make_filler_(l.thread.loop()));
      l.context = std::make_unique<LoopContext>(*state_, l.thread.loop(), *l.desk,
                                                counters_->loops[i], first_byte_);
    });
    desks.push_back(l.desk.get());
  }
  for (const auto& l : loops_) l->thread.RunAndWait([&] { l->desk->Introduce(desks); });
  for (size_t i = 0; i < loops_.size(); ++i) {
    loops_[i]->thread.RunAndWait([&] { loops_[i]->context->Listen(std::move(sockets[i])); });
  }
  if (references_ != nullptr) references_->Republish();
  return absl::OkStatus();
}

bool Proxy::Drain(Duration limit) {
  if (loops_.empty()) return true;
  // Shared with tasks that may run after this function has given up.
  const auto left = std::make_shared<Countdown>(loops_.size() + (references_ != nullptr ? 1 : 0));
  if (references_ != nullptr) references_->Drain([left] { left->Down(); });
  for (const auto& l : loops_) {
    l->thread.loop().Post(
        [context = l->context.get(), left] { context->Drain([left] { left->Down(); }); });
  }
  return left->Wait(limit);
}

void Proxy::Stop() {
  for (const auto& l : loops_) l->thread.RunAndWait([&] { l->context->Close(); });
  for (const auto& l : loops_) l->thread.RunAndWait([&] { l->desk->Close(); });
  if (references_ != nullptr) loops_[0]->thread.RunAndWait([this] { references_.reset(); });
  for (const auto& l : loops_) l->thread.StopAndJoin();
  loops_.clear();
  state_.reset();
}

Proxy::Stats Proxy::stats() const {
  const AllCounters& all = *counters_;
  Stats s;
  for (size_t i = 0; i < kSourceCount; ++i) {
    s.requests[i] = all.Sum([i](const Counters& c) -> const LoopCounter& { return c.requests[i]; });
  }
  const auto of = [&](Source source) { return s.requests[static_cast<size_t>(source)]; };
  s.collapsed = all.Sum([](const Counters& c) -> const LoopCounter& { return c.collapsed; });
  s.origin_avoided =
      of(Source::kHit) + of(Source::kStale) + of(Source::kPeer) +
      all.Sum([](const Counters& c) -> const LoopCounter& { return c.collapsed_origin; });
  s.peers_served = all.Sum([](const Counters& c) -> const LoopCounter& {
    return c.peers[static_cast<size_t>(PeerServed::kServed)];
  });
  s.connections_open = all.Sum([](const Counters& c) -> const LoopCounter& { return c.open; });
  s.bytes_in = all.Sum([](const Counters& c) -> const LoopCounter& { return c.bytes_in; });
  s.bytes_out = all.Sum([](const Counters& c) -> const LoopCounter& { return c.bytes_out; });
  for (size_t i = 0; i < kParseErrorCount; ++i) {
    s.malformed +=
        all.Sum([i](const Counters& c) -> const LoopCounter& { return c.parse_errors[i]; });
  }
  return s;
}

size_t Proxy::reference_count() const {
  return references_ == nullptr ? 0 : references_->count();
}

void Proxy::AddMetrics() {
  for (size_t i = 0; i < server_options_.loops; ++i) counters_->loops.emplace_back();

  using Pick = std::function<const LoopCounter&(const Counters&)>;
  const auto count = [this](const std::string& name, const std::string& help,
                            Metrics::Labels labels, Pick pick) {
    metrics_.AddCounterCallback(
        name, help,
        [all = counters_, pick = std::move(pick)] { return static_cast<double>(all->Sum(pick)); },
        std::move(labels));
  };
  // One series for each value of an enum.
  const auto count_each = [&](const std::string& name, const std::string& help,
                              const std::string& label, auto member, const auto& names) {
    for (size_t i = 0; i < names.size(); ++i) {
      count(name, help, {{label, std::string(names[i])}},
            [member, i](const Counters& c) -> const LoopCounter& { return (c.*member)[i]; });
    }
  };

  std::vector<std::string_view> sources, parse_errors, verdicts;
  for (size_t i = 0; i < kSourceCount; ++i) sources.push_back(SourceName(static_cast<Source>(i)));
  for (size_t i = 0; i < kParseErrorCount; ++i) {
    parse_errors.push_back(ParseErrorName(static_cast<ParseError>(i)));
  }
  for (size_t i = 0; i < kHostVerdictCount; ++i) {
    verdicts.push_back(HostVerdictName(static_cast<HostVerdict>(i)));
  }
  const std::vector<std::string_view> classes = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
  const std::vector<std::string_view> timeouts = {"idle",  "head",   "body",
                                                  "write", "linger", "half-closed"};
  const std::vector<std::string_view> served = {"served", "not-held",    "busy",
                                                "order",  "uncacheable", "failed"};

  count_each("reef_http_requests_total", "Requests of clients, by where the answer came from.",
             "source", &Counters::requests, sources);
  count_each("reef_http_answers_total", "Responses sent, to clients and other proxies.", "class",
             &Counters::answers, classes);
  count_each("reef_http_parse_errors_total", "Requests that were no HTTP/1.1, by what was wrong.",
             "reason", &Counters::parse_errors, parse_errors);
  count_each("reef_http_host_refused_total", "Requests whose host name names no origin, by why.",
             "reason", &Counters::host_refusals, verdicts);
  count_each("reef_http_timeouts_total", "Connections closed for slowness, by phase.", "phase",
             &Counters::timeouts, timeouts);
  count_each("reef_http_peer_requests_total", "Requests of other proxies, by outcome.", "outcome",
             &Counters::peers, served);

  struct Single {
    const char* name;
    const char* help;
    LoopCounter Counters::*member;
  };
  for (const Single& s : {
           Single{"reef_http_collapsed_total", "Requests that waited for another one's fetch.",
                  &Counters::collapsed},
           Single{"reef_http_not_modified_total", "304 answered from the cache.",
                  &Counters::not_modified},
           Single{"reef_http_ranges_total", "Ranges answered from the cache.", &Counters::ranges},
           Single{"reef_http_cut_total", "Responses that did not reach their end.", &Counters::cut},
           Single{"reef_http_received_bytes_total", "Read from clients.", &Counters::bytes_in},
           Single{"reef_http_sent_bytes_total", "Written to clients.", &Counters::bytes_out},
           Single{"reef_http_connections_accepted_total", "Connections taken.",
                  &Counters::accepted},
           Single{"reef_http_connections_refused_total", "Connections closed at the limit.",
                  &Counters::refused},
           Single{"reef_http_accept_failures_total",
                  "Accepts that failed for lack of descriptors or memory.",
                  &Counters::accept_failures},
           Single{"reef_http_body_errors_total", "Request contents with a broken chunked coding.",
                  &Counters::body_errors},
           Single{"reef_http_loops_refused_total",
                  "Requests that had come through this CDN before.", &Counters::loops_refused},
       }) {
    count(s.name, s.help, {},
          [member = s.member](const Counters& c) -> const LoopCounter& { return c.*member; });
  }
  metrics_.AddGaugeCallback(
      "reef_http_connections_open", "Connections of clients.", [all = counters_] {
        return static_cast<double>(
            all->Sum([](const Counters& c) -> const LoopCounter& { return c.open; }));
      });
  for (size_t i = 0; i < kSourceCount; ++i) {
    first_byte_[i] = &metrics_.AddHistogram(
        "reef_http_first_byte_seconds",
        "From a request's head to its answer's, where that took more than one turn of the loop.",
        LatencyBounds(), {{"source", std::string(sources[i])}});
  }
}

}  // namespace reef::http
