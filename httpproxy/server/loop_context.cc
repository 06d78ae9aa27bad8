// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/loop_context.h"

#include <algorithm>
#include <utility>

#include "httpproxy/server/connection.h"
#include "httpproxy/server/exchange.h"

namespace reef::http {
namespace {

constexpr size_t kSpareExchangesMax = 64;

DeadlineQueue::Expired TimesOut(TimedOut kind) {
  return [kind](DeadlineQueue::Entry& entry) { Connection::OfDeadline(entry).OnDeadline(kind); };
}

}  // namespace

std::string_view SourceName(Source source) {
  static constexpr std::string_view kNames[] = {"hit", "stale", "peer", "origin", "pass", "error"};
  return kNames[static_cast<size_t>(source)];
}

LoopContext::LoopContext(ProxyState& shared, EventLoop& on, FetchDesk& fetches, Counters& counts,
                         const FirstByteHistograms& histograms)
    : state(shared),
      options(shared.options),
      loop(on),
      desk(fetches),
      counters(counts),
      first_byte(histograms),
      access_log(on, options.access_log, options.access_log_format),
      idle(on, options.idle_timeout, TimesOut(TimedOut::kIdle)),
      head(on, options.head_timeout, TimesOut(TimedOut::kHead)),
      body(on, options.body_timeout, TimesOut(TimedOut::kBody)),
      write(on, options.write_timeout, TimesOut(TimedOut::kWrite)),
      linger(on, options.linger_timeout, TimesOut(TimedOut::kLinger)),
      half_closed(on, options.half_closed_timeout, TimesOut(TimedOut::kHalfClosed)),
      connections_max_(std::max<size_t>(1, options.connections_max / options.loops)) {}

LoopContext::~LoopContext() = default;

void LoopContext::Listen(UniqueFd socket) {
  listener_ = std::make_unique<Listener>(
      loop, std::move(socket),
      Listener::Handlers{
          .accepted = [this](UniqueFd client,
                             const Endpoint& peer) { OnAccepted(std::move(client), peer); },
          .exhausted = [this] { counters.accept_failures.Add(); }});
}

void LoopContext::OnAccepted(UniqueFd client, const Endpoint& peer) {
  if (connections_.size() >= connections_max_) {
    DeadlineQueue::Entry* oldest = idle.First();
    if (oldest == nullptr) {
      counters.refused.Add();
      return;
    }
    Destroy(Connection::OfDeadline(*oldest));
  }
  counters.accepted.Add();
  counters.open.Add();
  connections_.push_back(std::make_unique<Connection>(*this, std::move(client), peer));
  connections_.back()->place = connections_.size() - 1;
  connections_.back()->Begin();
}

void LoopContext::Destroy(Connection& connection) {
  const size_t place = connection.place;
  const std::unique_ptr<Connection> gone = std::move(connections_[place]);
  if (place + 1 < connections_.size()) {
    connections_[place] = std::move(connections_.back());
    connections_[place]->place = place;
  }
  connections_.pop_back();
  counters.open.Sub(1);
  if (draining_ && connections_.empty()) FinishDrain();
}

void LoopContext::Drain(Task drained) {
  draining_ = true;
  drained_ = std::move(drained);
  listener_.reset();
  // From the back: what is closed is replaced by the last, which has been told already.
  for (size_t i = connections_.size(); i-- > 0;) connections_[i]->Drain();
  if (connections_.empty()) FinishDrain();
}

void LoopContext::FinishDrain() {
  if (drained_) loop.Post(std::exchange(drained_, nullptr));
}

void LoopContext::Close() {
  listener_.reset();
  connections_.clear();
  counters.open.Sub(counters.open.value());
  spare_exchanges_.clear();
  access_log.Flush();
}

std::unique_ptr<Exchange> LoopContext::TakeExchange() {
  if (spare_exchanges_.empty()) return std::make_unique<Exchange>(*this);
  std::unique_ptr<Exchange> exchange = std::move(spare_exchanges_.back());
  spare_exchanges_.pop_back();
  return exchange;
}

void LoopContext::GiveBack(std::unique_ptr<Exchange> exchange) {
  exchange->Clear();
  if (spare_exchanges_.size() < kSpareExchangesMax) spare_exchanges_.push_back(std::move(exchange));
}

std::string_view LoopContext::Date(WallTime now) {
  if (const int64_t second = UnixSeconds(now); second != date_second_) {
    date_second_ = second;
    WriteHttpDate(now, date_.data());
  }
  return {date_.data(), date_.size()};
}

}  // namespace reef::http
