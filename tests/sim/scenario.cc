// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scenario.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <fstream>
#include <map>
#include <memory>
#include <numeric>
#include <span>
#include <sstream>
#include <utility>
#include <vector>

#include "base/check.h"
#include "tests/sim/churn.h"
#include "tests/sim/cluster_oracle.h"
#include "tests/sim/crowd.h"
#include "tests/sim/embedding.h"
#include "tests/sim/hot_key.h"
#include "tests/sim/measures.h"
#include "tests/sim/population.h"
#include "tests/sim/timeline.h"
#include "tests/sim/world.h"

namespace reef::sim {
namespace {

using std::chrono::milliseconds;

class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (!text.empty()) return;
    text = std::to_string(line + 1) + ":" + std::to_string(column + 1) + ": " + message;
  }
  std::string text;
};

StatusOr<Topology> MakeTopology(const v1::Scenario& scenario, const PlayOptions& options, Rng rng) {
  const std::string& measured = scenario.network().measured();
  const size_t nodes = scenario.population().nodes();
  if (scenario.network().separable()) return Topology::Separable(nodes, rng);
  if (measured.empty() || options.data_folder.empty()) return Topology::Synthetic(nodes, rng);
  ASSIGN_OR_RETURN(Topology topology, Topology::Measured(options.data_folder, measured));
  if (topology.size() < nodes) return InvalidArgument(measured + " has too few nodes");
  return topology;
}

dsht::Options NodeOptions(const v1::Index& index) {
  dsht::Options options;
  if (index.bits_per_hop() > 0) options.bits_per_hop = static_cast<int>(index.bits_per_hop());
  if (index.window() > 0) options.window = index.window();
  if (index.bucket_size() > 0) options.bucket_size = index.bucket_size();
  if (index.claim_budget_ms() > 0) options.claim_budget = milliseconds(index.claim_budget_ms());
  if (index.one_level()) options.diameters = {Duration::zero()};
  return options;
}

// One play of one scenario.
class Player {
 public:
  Player(const v1::Scenario& scenario, Topology topology, bool is_measured, uint64_t seed,
         std::ostream& out)
      : scenario_(scenario),
        is_measured_(is_measured),
        options_(NodeOptions(scenario.index())),
        rng_(seed),
        // Braces: in this order.
        world_{MakeNetwork(std::move(topology)), MakeIds(), options_, rng_.Fork()},
        out_(out) {
    world_.set_refuse_when_dead(scenario.network().refuse_when_dead());
  }

  void Watch() {
    watched_ = true;
    WatchWorld(world_, timeline_);
  }
  Played Run();

 private:
  Network MakeNetwork(Topology topology) {
    Network network(std::move(topology), rng_.Fork());
    network.SetLoss(scenario_.network().loss());
    network.SetJitter(scenario_.network().jitter());
    return network;
  }
  std::vector<dsht::NodeId> MakeIds() {
    const size_t count = scenario_.population().nodes();
    const bool balanced = scenario_.population().ids() == v1::Population::BALANCED;
    return balanced ? BalancedIds(count, rng_) : RandomIds(count, rng_);
  }

  void Do(const v1::Step& step);
  void Do(const v1::Join& step);
  void Do(const v1::Acquaint& step);
  void Do(const v1::PutKeys& step);
  void Do(const v1::GetKeys& step);
  void Do(const v1::ClaimCrowd& step);
  void Do(const v1::HotKey& step);
  void Do(const v1::KillNodes& step);
  void Do(const v1::Cut& step);
  void Do(const v1::MeasureClusters& step);
  void Do(const v1::Churn& step);

  Partition ClustersAt(const std::vector<NodeIndex>& nodes, int level) const;
  NodeIndex RandomUp();
  std::vector<NodeIndex> AllUp() const;
  std::vector<NodeIndex> RandomUp(size_t count);
  void DoNear(const v1::GetKeys& step);
  void GetLater(NodeIndex node, const dsht::Key& key, Duration delay, int from_level,
                const std::string& name);
  // Two members of one cluster of the nearest level.
  std::pair<NodeIndex, NodeIndex> RandomNeighbours(
      const std::map<uint32_t, std::vector<NodeIndex>>& clusters, const std::vector<NodeIndex>& up,
      const Partition& partition);
  void OnGot(const dsht::Key& key, Instant asked, const dsht::Finished& finished);
  bool SomebodyStores(const dsht::Key& key) const;
  // The oracle over every node's bounds.
  void CheckBounds();
  void MeasureMessages();
  bool Judge();
  Report TakeReport();
  void DrawMap();

  const v1::Scenario& scenario_;
  const bool is_measured_;
  const dsht::Options options_;
  Rng rng_;
  World world_;
  std::ostream& out_;
  Measures measures_;
  uint64_t moves_before_ = 0;
  uint64_t messages_before_ = 0;
  Instant moves_since_ = World::kStart;
  Timeline timeline_{Timeline::Options()};
  bool watched_ = false;
  Report report_;                // steps and verdicts so far
  std::vector<dsht::Key> keys_;  // put so far
  std::vector<std::unique_ptr<Churn>> churns_;
  std::vector<std::unique_ptr<Crowd>> crowds_;  // their planned actions outlive their step
};

Played Player::Run() {
  for (const v1::Step& step : scenario_.step()) {
    const double began = Seconds(world_.now() - World::kStart);
    const google::protobuf::OneofDescriptor* kinds = v1::Step::descriptor()->oneof_decl(0);
    const auto* kind = v1::Step::GetReflection()->GetOneofFieldDescriptor(step, kinds);
    out_ << "STEP " << (kind ? kind->name() : "nothing") << " from " << NumberText(began) << " s";
    Do(step);
    CheckBounds();
    out_ << " to " << NumberText(Seconds(world_.now() - World::kStart)) << " s, "
         << world_.up_count() << " nodes up\n";
    report_.steps.push_back({kind ? kind->name() : "nothing", began,
                             Seconds(world_.now() - World::kStart), world_.up_count()});
  }
  for (const auto& crowd : crowds_) crowd->Close();
  MeasureMessages();
  for (const auto& [name, value] : measures_.All()) {
    out_ << "MEASURE " << name << ' ' << NumberText(value) << '\n';
  }
  const bool all_hold = Judge();
  return {.all_hold = all_hold,
          .event_count = world_.event_count(),
          .simulated_seconds = Seconds(world_.now() - World::kStart),
          .report = TakeReport()};
}

Report Player::TakeReport() {
  report_.about = scenario_.about();
  report_.node_count = world_.size();
  report_.seconds = Seconds(world_.now() - World::kStart);
  report_.measures = std::move(measures_);
  report_.series = timeline_.All();
  if (watched_) DrawMap();
  return std::move(report_);
}

void Player::DrawMap() {
  const std::vector<NodeIndex> up = AllUp();
  const auto rtt = [&](size_t a, size_t b) { return world_.network().Rtt(up[a], up[b]); };
  const std::vector<PlanePoint> places = EmbedInPlane(up.size(), rtt, Rng(1));
  for (size_t i = 0; i < up.size(); ++i) {
    MapPoint point{.x = places[i].x, .y = places[i].y, .label = world_.IdOf(up[i]).Short()};
    for (const dsht::LevelInfo& info : world_.NodeAt(up[i]).Levels(world_.now())) {
      const auto level = static_cast<size_t>(info.level);
      if (level < kMapLevels) {
        point.cluster_by_level[level] = std::stoull(info.cluster.substr(0, 16), nullptr, 16);
      }
    }
    report_.map.push_back(std::move(point));
  }
  report_.map_about =
      "Nodes are drawn so that their distances are about their round trips, in milliseconds, as "
      "far "
      "as a plane allows.";
}

void Player::Do(const v1::Step& step) {
  switch (step.kind_case()) {
    case v1::Step::kJoin:
      return Do(step.join());
    case v1::Step::kAcquaint:
      return Do(step.acquaint());
    case v1::Step::kWait:
      return world_.RunFor(milliseconds(step.wait().ms()));
    case v1::Step::kPut:
      return Do(step.put());
    case v1::Step::kGet:
      return Do(step.get());
    case v1::Step::kClaim:
      return Do(step.claim());
    case v1::Step::kHotKey:
      return Do(step.hot_key());
    case v1::Step::kKill:
      return Do(step.kill());
    case v1::Step::kCut:
      return Do(step.cut());
    case v1::Step::kHeal:
      return world_.network().Heal();
    case v1::Step::kLoss:
      return world_.network().SetLoss(step.loss().share());
    case v1::Step::kChurn:
      return Do(step.churn());
    case v1::Step::kClusters:
      return Do(step.clusters());
    case v1::Step::KIND_NOT_SET:
      return;
  }
}

void Player::Do(const v1::Join& step) {
  const Duration gap = Duration(milliseconds(step.over_ms())) / static_cast<int64_t>(world_.size());
  for (NodeIndex node = 0; node < world_.size(); ++node) {
    world_.In(gap * node, [this, node] {
      world_.Start(node);
      std::vector<NodeIndex> seeds;
      if (node > 0) seeds.push_back(static_cast<NodeIndex>(rng_.Below(node)));
      world_.Join(node, seeds, [this](const dsht::Finished& finished) {
        measures_.Add("join.joined", std::get<dsht::JoinDone>(finished).joined);
      });
    });
  }
  world_.RunFor(milliseconds(step.over_ms()) + milliseconds(step.settle_ms()));
}

void Player::Do(const v1::Acquaint& step) {
  StartAcquainted(world_, options_.bucket_size);
  world_.RunFor(milliseconds(step.settle_ms()));
}

void Player::Do(const v1::PutKeys& step) {
  const Duration gap = Duration(milliseconds(step.over_ms())) / std::max(1u, step.keys());
  for (uint32_t i = 0; i < step.keys(); ++i) {
    const dsht::Key key = RandomId(rng_);
    keys_.push_back(key);
    world_.In(gap * i, [this, key, ttl_ms = step.ttl_ms()] {
      const NodeIndex node = RandomUp();
      dsht::PutRequest put;
      put.key = key;
      put.value = world_.PeerOf(node).http.ToString();
      put.ttl = milliseconds(ttl_ms);
      world_.Put(node, put, [this](const dsht::Finished& finished) {
        const auto& done = std::get<dsht::PutDone>(finished);
        measures_.Add("put.stored", done.outcome == dsht::PutOutcome::kStored);
        measures_.Sample("put.copies", done.copies);
      });
    });
  }
  world_.RunFor(milliseconds(step.over_ms()) + std::chrono::seconds(10));
  measures_.Add("put.keys", step.keys());
}

void Player::Do(const v1::GetKeys& step) {
  if (!step.near().empty()) return DoNear(step);
  REEF_CHECK(!keys_.empty()) << "a scenario gets before it puts";
  const Duration gap = Duration(milliseconds(step.over_ms())) / std::max(1u, step.count());
  const uint64_t hops_before = world_.TotalStats().get_hops;
  for (uint32_t i = 0; i < step.count(); ++i) {
    world_.In(gap * i, [this] {
      const dsht::Key key = keys_[rng_.Below(keys_.size())];
      world_.Get(RandomUp(), key,
                 [this, key, asked = world_.now()](const dsht::Finished& finished) {
                   OnGot(key, asked, finished);
                 });
    });
  }
  world_.RunFor(milliseconds(step.over_ms()) + std::chrono::seconds(10));
  measures_.Add("get.count", step.count());
  measures_.Set("get.found_share",
                measures_.Find("get.found").value_or(0) / *measures_.Find("get.count"));
  measures_.Set("get.hops_mean", static_cast<double>(world_.TotalStats().get_hops - hops_before) /
                                     std::max(1u, step.count()));
}

// Each key is put by one member of a cluster and then got by another, twice: as nodes do, and as if
// there were no clusters.
void Player::DoNear(const v1::GetKeys& step) {
  const Duration gap = Duration(milliseconds(step.over_ms())) / std::max(1u, step.count());
  const Duration wait = std::chrono::seconds(5);
  const std::vector<NodeIndex> up = AllUp();
  const Partition partition = ClustersAt(up, static_cast<int>(options_.diameters.size()) - 1);
  std::map<uint32_t, std::vector<NodeIndex>> clusters;
  for (size_t at = 0; at < up.size(); ++at) clusters[partition[at]].push_back(up[at]);
  for (uint32_t i = 0; i < step.count(); ++i) {
    const auto neighbours = RandomNeighbours(clusters, up, partition);
    world_.In(gap * i, [this, wait, name = "get." + step.near(), neighbours] {
      const auto [getter, putter] = neighbours;
      dsht::PutRequest put;
      put.key = RandomId(rng_);
      put.value = world_.PeerOf(putter).http.ToString();
      put.ttl = std::chrono::hours(1);
      world_.Put(putter, put, nullptr);
      GetLater(getter, put.key, wait, dsht::kLevelMax, name);
      GetLater(getter, put.key, 2 * wait, 0, name + "_flat");
    });
  }
  world_.RunFor(milliseconds(step.over_ms()) + 4 * wait);
  const std::string name = "get." + step.near();
  for (const char* quantile : {"p50", "p99"}) {
    const auto flat = measures_.Find(name + "_flat_ms." + quantile);
    const auto near = measures_.Find(name + "_ms." + quantile);
    if (flat && near) measures_.Set(name + ".to_flat_" + quantile, *near / *flat);
  }
}

void Player::GetLater(NodeIndex node, const dsht::Key& key, Duration delay, int from_level,
                      const std::string& name) {
  world_.In(delay, [this, node, key, from_level, name] {
    measures_.Add(name + ".count", 1);
    world_.Get(
        node, key,
        [this, name, asked = world_.now()](const dsht::Finished& finished) {
          const auto& holders = std::get<dsht::GetDone>(finished).holders;
          measures_.Add(name + ".missed", holders.empty());
          if (holders.empty()) return;
          measures_.Sample(name + "_ms", Seconds(world_.now() - asked) * 1000);
          measures_.Add(name + ".found_l" + std::to_string(holders.front().level), 1);
        },
        from_level);
  });
}

std::pair<NodeIndex, NodeIndex> Player::RandomNeighbours(
    const std::map<uint32_t, std::vector<NodeIndex>>& clusters, const std::vector<NodeIndex>& up,
    const Partition& partition) {
  for (int tries = 0; tries < 10000; ++tries) {
    const size_t at = rng_.Below(up.size());
    const std::vector<NodeIndex>& members = clusters.at(partition[at]);
    measures_.Add("get.alone_in_cluster", members.size() == 1);
    if (members.size() == 1) continue;
    NodeIndex other = up[at];
    while (other == up[at]) other = members[rng_.Below(members.size())];
    return {up[at], other};
  }
  REEF_CHECK(false) << "every node is alone";
  return {};
}

void Player::OnGot(const dsht::Key& key, Instant asked, const dsht::Finished& finished) {
  measures_.Sample("get.ms", Seconds(world_.now() - asked) * 1000);
  const bool found = !std::get<dsht::GetDone>(finished).holders.empty();
  measures_.Add("get.found", found);
  measures_.Add("get.missed_though_stored", !found && SomebodyStores(key));
}

bool Player::SomebodyStores(const dsht::Key& key) const {
  for (NodeIndex node = 0; node < world_.size(); ++node) {
    if (world_.IsUp(node) && !world_.NodeAt(node).StoredHere(world_.now(), key).empty()) {
      return true;
    }
  }
  return false;
}

void Player::Do(const v1::ClaimCrowd& step) {
  const Crowd::Options options = {.within = milliseconds(step.within_ms()),
                                  .origin = milliseconds(step.origin_ms()),
                                  .transfer = milliseconds(step.transfer_ms()),
                                  .kill_first_after = milliseconds(step.kill_first_after_ms())};
  for (uint32_t i = 0; i < step.keys(); ++i) {
    const size_t count = step.claimants() == 0 ? world_.up_count() : step.claimants();
    crowds_.push_back(std::make_unique<Crowd>(world_, options, measures_));
    crowds_.back()->Begin(RandomId(rng_), RandomUp(count));
    world_.RunFor(options.within + milliseconds(step.settle_ms()));
  }
  measures_.Add("claim.keys", step.keys());
}

void Player::Do(const v1::HotKey& step) {
  const HotKey::Options options = {.pairs_per_minute = step.pairs_per_minute(),
                                   .minutes = static_cast<int>(step.minutes()),
                                   .ttl = milliseconds(step.ttl_ms())};
  HotKey(world_, options, measures_).Run(RandomId(rng_));
}

void Player::Do(const v1::KillNodes& step) {
  for (NodeIndex node : RandomUp(step.count())) world_.Kill(node);
}

void Player::Do(const v1::Cut& step) {
  const auto count = static_cast<size_t>(step.share() * static_cast<double>(world_.up_count()));
  for (NodeIndex node : RandomUp(count)) world_.network().MoveToPart(node, 1);
}

void Player::Do(const v1::Churn& step) {
  const Churn::Options options = {.over = milliseconds(step.over_ms()),
                                  .median_session = milliseconds(step.median_session_ms()),
                                  .median_absence = milliseconds(step.median_absence_ms()),
                                  .puts_per_minute = step.puts_per_minute(),
                                  .gets_per_minute = step.gets_per_minute()};
  churns_.push_back(std::make_unique<Churn>(world_, options, measures_, rng_.Fork()));
  churns_.back()->Run();
}

void Player::Do(const v1::MeasureClusters& step) {
  const std::vector<NodeIndex> up = AllUp();
  const RttOf rtt = [&](size_t a, size_t b) { return world_.network().Rtt(up[a], up[b]); };
  for (size_t level = 1; level < options_.diameters.size(); ++level) {
    const Partition formed = ClustersAt(up, static_cast<int>(level));
    const Partition ideal =
        IdealClusters(up.size(), rtt, {.diameter = options_.diameters[level]}, rng_.Fork());
    const PartitionQuality quality = QualityOf(formed, rtt, options_.diameters[level]);
    const PartitionQuality of_ideal = QualityOf(ideal, rtt, options_.diameters[level]);
    const std::string name = "cluster." + step.name() + ".l" + std::to_string(level);
    measures_.Set(name + ".ari", AdjustedRandIndex(formed, ideal));
    measures_.Set(name + ".pairs_within", quality.pairs_within);
    measures_.Set(name + ".count", static_cast<double>(quality.clusters));
    measures_.Set(name + ".mean_size", quality.mean_size);
    measures_.Set(name + ".size_share", quality.mean_size / of_ideal.mean_size);
  }
  const uint64_t moves = world_.TotalStats().cluster_moves;
  const double hours = Seconds(world_.now() - moves_since_) / 3600;
  if (hours > 0) {
    measures_.Set(
        "cluster." + step.name() + ".moves_per_node_hour",
        static_cast<double>(moves - moves_before_) / hours / static_cast<double>(up.size()));
  }
  if (hours > 0) {
    measures_.Set("cluster." + step.name() + ".messages_per_node_second",
                  static_cast<double>(world_.message_count() - messages_before_) / hours / 3600 /
                      static_cast<double>(up.size()));
  }
  moves_before_ = moves;
  messages_before_ = world_.message_count();
  moves_since_ = world_.now();
}

Partition Player::ClustersAt(const std::vector<NodeIndex>& nodes, int level) const {
  std::map<std::string, uint32_t> numbers;
  Partition partition;
  for (const NodeIndex node : nodes) {
    for (const dsht::LevelInfo& info : world_.NodeAt(node).Levels(world_.now())) {
      if (info.level != level) continue;
      const auto fresh = static_cast<uint32_t>(numbers.size());
      partition.push_back(numbers.emplace(info.cluster, fresh).first->second);
    }
  }
  return partition;
}

NodeIndex Player::RandomUp() {
  REEF_CHECK(world_.up_count() > 0);
  while (true) {
    const auto node = static_cast<NodeIndex>(rng_.Below(world_.size()));
    if (world_.IsUp(node)) return node;
  }
}

std::vector<NodeIndex> Player::AllUp() const {
  std::vector<NodeIndex> up;
  for (NodeIndex node = 0; node < world_.size(); ++node) {
    if (world_.IsUp(node)) up.push_back(node);
  }
  return up;
}

std::vector<NodeIndex> Player::RandomUp(size_t count) {
  std::vector<NodeIndex> up = AllUp();
  rng_.Shuffle(std::span(up));
  up.resize(std::min(count, up.size()));
  return up;
}

void Player::CheckBounds() {
  for (NodeIndex node = 0; node < world_.size(); ++node) {
    if (!world_.IsUp(node)) continue;
    const dsht::Node::Gauges g = world_.NodeAt(node).gauges();
    measures_.Max("node.peers_most", static_cast<double>(g.peers));
    measures_.Max("node.values_most", static_cast<double>(g.values));
    measures_.Max("node.leases_most", static_cast<double>(g.leases));
    const bool within =
        g.peers <= options_.bucket_size * dsht::kIdBits && g.keys <= options_.stored_keys_max &&
        g.values <= g.keys * options_.values_per_key_max * options_.diameters.size() &&
        g.stored_bytes <= options_.stored_bytes_max && g.leases <= options_.leases_max &&
        g.rpcs <= options_.rpcs_max && g.operations <= options_.operations_max;
    measures_.Add("oracle.nodes_over_bounds", !within);
  }
}

void Player::MeasureMessages() {
  const dsht::Stats stats = world_.TotalStats();
  const double seconds = Seconds(world_.now() - World::kStart);
  const double nodes = static_cast<double>(world_.size());
  measures_.Set("message.count", static_cast<double>(world_.message_count()));
  measures_.Set("message.per_node_second",
                static_cast<double>(world_.message_count()) / nodes / seconds);
  measures_.Set("message.invalid", static_cast<double>(stats.invalid_messages));
  measures_.Set("message.unexpected", static_cast<double>(stats.unexpected_replies));
  measures_.Set("message.timeouts", static_cast<double>(stats.rpc_timeouts));
}

bool Player::Judge() {
  std::vector<v1::Expectation> all(scenario_.expect().begin(), scenario_.expect().end());
  for (const char* always : {"oracle.nodes_over_bounds", "message.invalid", "message.unexpected"}) {
    all.emplace_back().set_name(always);  // equals zero
  }
  bool all_hold = true;
  for (const v1::Expectation& expect : all) {
    const std::optional<double> value = measures_.Find(expect.name());
    const bool holds = value && (expect.op() == v1::Expectation::EQ   ? *value == expect.bound()
                                 : expect.op() == v1::Expectation::LE ? *value <= expect.bound()
                                                                      : *value >= expect.bound());
    const char* op = expect.op() == v1::Expectation::EQ   ? "=="
                     : expect.op() == v1::Expectation::LE ? "<="
                                                          : ">=";
    const bool judged = is_measured_ || !expect.measured_only();
    out_ << "EXPECT " << expect.name() << ' ' << (value ? NumberText(*value) : "unmeasured") << ' '
         << op << ' ' << NumberText(expect.bound()) << ' '
         << (!judged ? "not judged without measured distances"
             : holds ? "ok"
                     : "FAIL")
         << '\n';
    if (!judged) continue;
    report_.verdicts.push_back({expect.name(), value, op, expect.bound(), holds});
    all_hold = all_hold && holds;
  }
  return all_hold;
}

}  // namespace

StatusOr<v1::Scenario> ReadScenario(const std::string& path) {
  std::ifstream file(path);
  if (!file) return NotFound("open " + path);
  std::stringstream text;
  text << file.rdbuf();
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  v1::Scenario scenario;
  if (!parser.ParseFromString(text.str(), &scenario)) {
    return InvalidArgument(path + ":" + error.text);
  }
  if (scenario.population().nodes() == 0) {
    return InvalidArgument(path + ": population.nodes is missing");
  }
  return scenario;
}

StatusOr<Played> Play(const v1::Scenario& scenario, const PlayOptions& options, std::ostream& out) {
  Rng rng(options.seed);
  ASSIGN_OR_RETURN(Topology topology, MakeTopology(scenario, options, rng.Fork()));
  const bool is_measured = !scenario.network().measured().empty() && !options.data_folder.empty();
  const std::string network = is_measured ? scenario.network().measured() : "synthetic";
  out << "SCENARIO " << options.name << " seed " << options.seed << " network " << network << '\n';
  Player player(scenario, std::move(topology), is_measured, rng.Next(), out);
  if (options.watch) player.Watch();
  Played played = player.Run();
  played.report.name = options.name;
  played.report.seed = options.seed;
  played.report.network = network;
  return played;
}

}  // namespace reef::sim
