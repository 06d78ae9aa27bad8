// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/fill_metrics.h"

#include <algorithm>

namespace reef::http {
namespace {

constexpr std::array<const char*, 5> kEnds = {"complete", "aborted", "failed", "uncacheable",
                                              "abandoned"};
constexpr std::array<const char*, 4> kAnswers = {"first", "held", "uncacheable", "no-answer"};
constexpr std::array<const char*, 9> kEvents = {"stall",         "takeover",    "lease-lost",
                                                "retry",         "told-busy",   "told-order",
                                                "told-not-held", "told-failed", "origin-unclaimed"};

}  // namespace

const char* FillSourceName(FillSource source) {
  switch (source) {
    case FillSource::kOrigin:
      return "origin";
    case FillSource::kPeerL0:
      return "peer-l0";
    case FillSource::kPeerL1:
      return "peer-l1";
    case FillSource::kPeerL2:
      return "peer-l2";
  }
  return "";
}

FillSource PeerSource(int level) {
  return static_cast<FillSource>(1 + std::clamp(level, 0, 2));
}

FillMetrics::FillMetrics(Metrics& metrics)
    : collapsed_(metrics.AddCounter("reef_http_fill_joined_total",
                                    "Requests, also of peers, that joined a running fetch.")),
      revalidated_(metrics.AddCounter("reef_http_revalidated_total",
                                      "Stale objects that a 304 made fresh again.")),
      remembered_(metrics.AddCounter(
          "reef_http_remembered_total",
          "Requests answered from memory of an uncacheable key or a failed origin.")),
      alone_(metrics.AddCounter("reef_http_alone_total",
                                "Fetches for one request, not to be shared.")),
      claim_seconds_(metrics.AddHistogram(
          "reef_http_claim_seconds", "Time until the index answered a claim.", LatencyBounds())) {
  for (size_t s = 0; s < kFillSourceCount; ++s) {
    const std::string source = FillSourceName(static_cast<FillSource>(s));
    for (size_t e = 0; e < kEnds.size(); ++e) {
      ends_[s][e] = &metrics.AddCounter("reef_http_fills_total",
                                        "Fetches of shared objects, by source and end.",
                                        {{"source", source}, {"end", kEnds[e]}});
    }
    bytes_[s] = &metrics.AddCounter("reef_http_fill_bytes_total",
                                    "Content bytes fetched, by source.", {{"source", source}});
  }
  for (size_t i = 0; i < kAnswers.size(); ++i) {
    claims_[i] = &metrics.AddCounter("reef_http_claims_total", "Claims in the index, by answer.",
                                     {{"answer", kAnswers[i]}});
  }
  for (size_t i = 0; i < kEvents.size(); ++i) {
    events_[i] =
        &metrics.AddCounter("reef_http_fill_events_total", "What fetches met with on their way.",
                            {{"event", kEvents[i]}});
  }
}

void FillMetrics::CountEnd(FillSource source, FetchAction::Finish end) {
  ends_[static_cast<size_t>(source)][static_cast<size_t>(end)]->Add();
}

void FillMetrics::CountClaim(ClaimResult::Kind answer, Duration took) {
  claims_[static_cast<size_t>(answer)]->Add();
  claim_seconds_.Observe(Seconds(took));
}

void FillMetrics::Add(const Fetch::Stats& stats) {
  const std::array<uint64_t, 9> counts = {
      stats.stalls,        stats.takeovers,   stats.leases_lost,
      stats.retries,       stats.told_busy,   stats.told_order,
      stats.told_not_held, stats.told_failed, stats.origin_unclaimed};
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) events_[i]->Add(counts[i]);
  }
}

}  // namespace reef::http
