// SPDX-License-Identifier: Apache-2.0
//
// Driver: the DSHT node of this process, under gRPC. It runs one dsht::Node on one thread of its
// own: carries its queries out and its replies in, wakes it in time, brings results back. All that
// is decided is decided in Node; here is only transport.
//
// Threads: every method from any thread, none blocks, except Start, Leave and Stop, which block
// briefly and are not called from the dsht thread. Callbacks run on the dsht thread. After Stop,
// pending and later calls are answered with "no answer".
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/runtime/event_loop.h"
#include "base/runtime/metrics.h"
#include "base/status.h"
#include "dsht/client.h"
#include "dsht/core/node.h"
#include "dsht/core/options.h"

namespace reef::dsht {

class Caller;
class Server;
namespace v1 {
class Envelope;
}

struct DriverOptions {
  NodeId id;
  Endpoint listen;  // for other nodes' calls; port 0: any free one
  // What others are told. Without it the endpoint that is listened on. An unspecified address is
  // filled in by each peer with the one it sees, and by this node once a peer has told it.
  std::optional<Endpoint> advertise;
  // The services of this node; port 0: none. An unspecified address is the advertised one.
  Endpoint http;
  Endpoint dns;
  uint64_t seed = 0;  // of the node's Rng, from the system's randomness
  Options node;

  size_t calls_max = 1024;            // waiting at once, of all callers
  size_t calls_per_source_max = 256;  // of one address
  size_t channels_max = 512;          // connections kept
  Duration channel_idle_max = std::chrono::minutes(5);
};

class Driver : public Client {
 public:
  Driver(DriverOptions options, Metrics& metrics);
  ~Driver() override;

  // Listens. The error says what could not be bound.
  Status Start();

  // What is listened on, with the port that was bound. Requires: started.
  Endpoint listening() const { return listening_; }

  // Contacts `seeds` ("HOST:PORT", a name or an address) until one answers, for ever. This node's
  // own endpoint among them is skipped. None left: this is the first node.
  void Join(std::vector<std::string> seeds);

  // True from the first time that other nodes are known, or at once for a first node.
  bool joined() const { return joined_.load(); }

  // Hands the index entries to other nodes and says goodbye, for at most `patience`. Afterwards
  // only Stop is left.
  void Leave(Duration patience);

  // Closes the listener and the connections. Idempotent; the destructor calls it.
  void Stop();

  // What status pages show.
  struct Snapshot {
    Peer self;
    bool joined = false;
    Stats stats;
    Node::Gauges gauges;
    std::vector<LevelInfo> levels;
    std::vector<NodeInfo> peers;  // of level 0, nearest in the id space first
  };
  void Describe(std::function<void(Snapshot)> done);

  // Says to all that this node has no capacity to spare, or has again.
  void SetOverloaded(bool overloaded);

  // Client
  void Get(const Key& key, std::function<void(std::vector<Holder>)> done) override;
  void Put(PutRequest request) override;
  void Withdraw(const Key& key, const std::string& value) override;
  ClaimId Claim(ClaimRequest request, std::function<void(ClaimAnswer)> answered,
                std::function<void()> lost) override;
  void Streaming(ClaimId claim) override;
  void Release(ClaimId claim, ClaimEnd end, Duration ttl) override;
  void Nodes(int level, size_t count, uint32_t services,
             std::function<void(std::vector<NodeInfo>)> done) override;
  void Levels(std::function<void(std::vector<LevelInfo>)> done) override;
  void SetDraining(bool draining) override;

 private:
  struct OpenClaim {
    OperationId operation = 0;
    std::function<void(ClaimAnswer)> answered;  // empty once run
    std::function<void()> lost;                 // empty once run
  };
  // Copied after every input, read by whoever scrapes metrics, also after this is gone.
  struct Published {
    std::mutex mutex;
    Stats stats;          // guarded by mutex
    Node::Gauges gauges;  // guarded by mutex
  };

  Peer Self() const;
  bool IsOwnEndpoint(const std::string& seed) const;

  // All on the dsht thread.
  bool Running() const { return node_ && !leaving_; }
  std::vector<Endpoint> RememberSeeds(const std::vector<std::string>& seeds);
  std::string TargetOf(const Endpoint& to) const;
  std::optional<Message> Decoded(const v1::Envelope& envelope);
  void OnCall(uint64_t call, const Endpoint& source, const v1::Envelope& request);
  void Send(Outgoing query);
  void LearnAddress(const Body& reply);
  void OnDeadline();
  void Flush();
  void Finish(GetDone done);
  void Finish(const PutDone&) {}
  void Finish(const WithdrawDone&) {}
  void Finish(ClaimAnswered done);
  void Finish(const ClaimLost& done);
  void Finish(NodesDone done);
  void Finish(const JoinDone& done);
  void Finish(const LeaveDone& done);
  void Publish();
  void AnswerPending();
  bool IsReleased(ClaimId claim);

  const DriverOptions options_;
  Endpoint listening_;
  std::atomic<bool> joined_{false};
  std::atomic<ClaimId> last_claim_{0};
  const std::shared_ptr<Published> published_;
  std::vector<Counter*> malformed_;  // by DecodeError
  std::mutex released_mutex_;
  std::set<ClaimId>
      released_;  // guarded by released_mutex_: Release was called, not yet carried out

  LoopThread thread_;
  EventLoop& loop_;

  // On the dsht thread.
  std::unique_ptr<Caller> caller_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Timer> timer_;
  std::unique_ptr<Node> node_;  // set from Start to Stop
  Outbox out_;
  std::vector<std::string> named_seeds_;  // those that are no addresses
  std::map<OperationId, std::function<void(std::vector<Holder>)>> gets_;
  std::map<OperationId, std::function<void(std::vector<NodeInfo>)>> nodes_;
  std::map<ClaimId, OpenClaim> claims_;
  std::map<OperationId, ClaimId> claim_of_;
  std::vector<Task> left_;  // run when Leave is done
  bool leaving_ = false;
};

}  // namespace reef::dsht
