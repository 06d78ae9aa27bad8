// SPDX-License-Identifier: Apache-2.0
//
// Options: every number of the DSHT that is a choice, with its unit and where it comes from
// (docs/coral.md, sections 2 and 12; docs/claim.md). Filled from proto/config.proto by deploy/.
//
// A value; any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/instant.h"

namespace reef::dsht {

struct Options {
  // Round-trip diameter by level; zero is unbounded. Level 0 comes first and is the world. All
  // nodes of a reef must agree on them.
  std::vector<Duration> diameters = {Duration::zero(), std::chrono::milliseconds(60),
                                     std::chrono::milliseconds(20)};

  // The first attempt number of this process. The driver sets it from the wall clock
  // (microseconds), so that attempts after a restart are newer than those before.
  uint64_t first_attempt = 1;

  // Routing.
  size_t bucket_size = 8;
  int bits_per_hop = 1;  // b: how far a walk goes at once
  // Claims are at most one a member and key, so they need not spare the nodes near a key and take
  // the shortest way: every bit at once (docs/claim.md, rules 15 and 16). With 1,000 nodes claiming
  // within 50 ms the closest node gets 740 claims, with one bit a hop 560; hops are 2.4 and 4.5.
  int claim_bits_per_hop = 160;
  // Queries of one walk outstanding at its end; on the way it is one. Slow ones are not counted, up
  // to 2 * window + 2 in all.
  size_t window = 3;
  size_t closest_count = 3;    // nodes that keep a copy of a value or lease: the closest to the key
  size_t candidates_max = 48;  // peers one walk remembers
  size_t reply_peers_max = 8;  // peers in one reply, sent and accepted
  // At most this many peers of one /16 (IPv6: /32) in a bucket; 0: no bound. Addresses on loopback
  // are not counted.
  size_t bucket_prefix_max = 0;

  // Time-outs: 4 smoothed round trips within these bounds, the upper one for unknown peers.
  Duration rpc_timeout_min = std::chrono::milliseconds(150);
  Duration rpc_timeout_max = std::chrono::milliseconds(1500);
  // A walk may give up on a hop quickly. That a peer is gone must be surer: it is dropped when,
  // after a query, two pings fail that wait at least this long each; else a machine that stalls for
  // a moment loses its neighbours, and with them its view of who is closest to a key.
  Duration ping_timeout_min = std::chrono::milliseconds(500);
  // A claimant waits while the holder of a lease is asked whether it stands; it is asked twice, the
  // second time after half of this.
  Duration check_timeout = std::chrono::milliseconds(700);
  // A walk asks once more when a peer is silent for 2 round trips; one that is not known for this
  // long, for a claim no longer than 2 of the usual ones.
  Duration slow_unknown = std::chrono::milliseconds(300);
  Duration slow_min = std::chrono::milliseconds(40);
  size_t rpcs_max = 4096;
  size_t operations_max = 65536;

  // Storage.
  size_t values_per_key_max = 4;   // l
  int64_t leak_per_minute = 12;    // beta
  size_t guarded_keys_max = 4096;  // keys whose load is tracked at once
  size_t stored_keys_max = 1 << 18;
  size_t stored_bytes_max = 64 << 20;
  size_t values_per_source_max = 1 << 17;
  Duration ttl_max = std::chrono::hours(24);

  // Claims.
  Duration lease = std::chrono::seconds(20);
  Duration renew_every = std::chrono::seconds(5);
  Duration marker = std::chrono::seconds(60);
  Duration marker_recheck = std::chrono::seconds(10);
  size_t markers_remembered_max = 4096;
  Duration claim_budget = std::chrono::milliseconds(600);
  // The same for a claim that excludes a holder: to find that a node has died takes a while, and to
  // fetch without waiting for that is what the index is to prevent.
  Duration complaint_budget = std::chrono::milliseconds(2500);
  // While the deciding node says that it is checking a lost leader, the claim waits this long.
  Duration claim_patience = std::chrono::seconds(6);
  size_t leases_max = 1 << 16;
  size_t leases_per_source_max = 1 << 14;
  size_t exclude_max = 16;
  size_t relays_max = 64;   // claims passed on for others at once
  size_t checks_max = 256;  // leases whose holders are being asked, because of complaints

  // Queries of one source that change state here, a second, and the burst.
  int64_t source_rate = 500;
  int64_t source_burst = 2000;
  size_t guarded_sources_max = 2048;

  // Upkeep.
  Duration upkeep_every = std::chrono::seconds(5);
  size_t neighbours = 4;  // the closest peers, which are pinged more often
  Duration neighbour_ping_after = std::chrono::seconds(30);
  Duration peer_ping_after = std::chrono::minutes(30);
  Duration refresh_every = std::chrono::minutes(15);  // a lookup of our own id, then of one bucket
  Duration join_retry_min = std::chrono::seconds(1);
  Duration join_retry_max = std::chrono::seconds(30);
  // Entries of one hand-over message.
  size_t hand_over_max = 32;
  Duration leave_timeout = std::chrono::seconds(2);

  // Clusters (docs/dsht.md, "Clusters").
  //
  // Acceptable is a cluster of which this share of the sampled members is within the diameter; own
  // is left when so many are not.
  double acceptable_share = 0.8;
  double violations_share = 0.5;
  // Members to be measured before a verdict, fewer where the cluster is smaller.
  size_t samples_min = 32;
  // A cluster is preferred if it is so many times larger than our own.
  double larger_by = 1.25;
  // How often the clusters are reviewed once a node has settled.
  Duration review_every = std::chrono::minutes(5);
  // A cluster that was left or found not acceptable is not looked at again for so long, and four
  // times as long each further time; in a node's first half hour it is a shorter time.
  Duration shun_young = std::chrono::minutes(10);
  Duration shun_min = std::chrono::hours(2);
  Duration shun_max = std::chrono::hours(16);
  // Of this node's address under the key of its prefix; renewed after two thirds of it.
  Duration hint_ttl = std::chrono::hours(1);
  size_t sightings_max = 128;  // nodes whose distance and clusters are remembered

  // Nodes(): a peer silent for longer is pinged; one not heard within `verified_within` is left
  // out.
  Duration verify_after = std::chrono::seconds(15);
  Duration verified_within = std::chrono::seconds(30);
};

}  // namespace reef::dsht
