// SPDX-License-Identifier: Apache-2.0
//
// dsht_load: keeps a window of GetQuery calls outstanding against one node of the index and prints
// one line: calls a second, and a second of the server's CPU time, median and 99th percentile.
//
//   dsht_load --to 127.0.0.1:8500 [--window 64] [--seconds 5] [--calls 0] [--keys 10000]
//             [--values 4] [--miss] [--filled] [--pid SERVER]
//
// It first stores the keys (--filled: they are there from a run before); with --pid it says what
// memory the server took for them. A node with default bounds takes 2,000 stores of one sender at
// once: --keys 2000 against a whole `reef`.
//
// One connection and generic calls: requests are bytes made beforehand with another key in their
// place, replies are read to the end one time in 64, so that a core of generator outruns a core of
// server.
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"
#include "base/runtime/clock.h"
#include "dsht/rpc/codec.h"
#include "tests/bench/dsht_measurement.h"
#include "tests/bench/process_usage.h"

namespace reef::dsht {
namespace {

constexpr auto kDeadline = std::chrono::seconds(2);
constexpr uint64_t kReadEvery = 64;

// Port 0: nobody that the node could ping.
Peer Sender(size_t number) {
  return {.id = Id::Hash("load " + std::to_string(number)),
          .rpc = {},
          .http = {*IpAddress::Parse("127.0.0.1"), static_cast<uint16_t>(8090 + number)},
          .dns = {}};
}

std::string Encoded(size_t sender, Body body) {
  Message message;
  message.header.sender = Sender(sender);
  message.body = std::move(body);
  return Encode(message).SerializeAsString();
}

std::optional<Message> Decoded(const grpc::ByteBuffer& buffer) {
  grpc::Slice slice;
  v1::Envelope envelope;
  if (!buffer.DumpToSingleSlice(&slice).ok()) return std::nullopt;
  if (!envelope.ParseFromArray(slice.begin(), static_cast<int>(slice.size()))) return std::nullopt;
  std::variant<Message, DecodeError> decoded = Decode(envelope);
  auto* message = std::get_if<Message>(&decoded);
  return message != nullptr ? std::optional(std::move(*message)) : std::nullopt;
}

// The window. Not thread-safe.
class Calls {
 public:
  explicit Calls(const Endpoint& to) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    stub_ = std::make_unique<grpc::GenericStub>(
        grpc::CreateCustomChannel(to.ToString(), grpc::InsecureChannelCredentials(), arguments));
  }

  // Sends what `next` gives (at the end: nothing) until it gives no more and all have come back.
  // `done` says how one went and how long it took.
  using Next = std::function<std::optional<grpc::Slice>()>;
  using Done = std::function<void(const grpc::Status&, const grpc::ByteBuffer&, Duration)>;
  void Run(size_t window, const Next& next, const Done& done) {
    std::vector<Call> calls(window);
    size_t outstanding = 0;
    for (Call& call : calls) outstanding += Start(call, next) ? 1 : 0;
    while (outstanding > 0) {
      void* tag = nullptr;
      bool ok = false;
      REEF_CHECK(queue_.Next(&tag, &ok));
      Call& call = *static_cast<Call*>(tag);
      done(call.status, call.reply, MonotonicNow() - call.sent);
      if (!Start(call, next)) --outstanding;
    }
  }

 private:
  struct Call {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
    grpc::ByteBuffer reply;
    grpc::Status status;
    Instant sent;
  };

  bool Start(Call& call, const Next& next) {
    std::optional<grpc::Slice> bytes = next();
    if (!bytes) return false;
    const grpc::ByteBuffer request(&*bytes, 1);
    call.reader.reset();
    call.context = std::make_unique<grpc::ClientContext>();
    call.context->set_deadline(std::chrono::system_clock::now() + kDeadline);
    call.reply.Clear();
    call.sent = MonotonicNow();
    call.reader =
        stub_->PrepareUnaryCall(call.context.get(), "/reef.dsht.v1.Dsht/Call", request, &queue_);
    call.reader->StartCall();
    call.reader->Finish(&call.reply, &call.status, &call);
    return true;
  }

  std::unique_ptr<grpc::GenericStub> stub_;
  grpc::CompletionQueue queue_;
};

NodeId Ping(Calls& calls) {
  std::optional<std::string> ping = Encoded(1, PingQuery{});
  NodeId server;
  const auto next = [&] {
    const auto bytes = std::exchange(ping, std::nullopt);
    return bytes ? std::optional(grpc::Slice(*bytes)) : std::nullopt;
  };
  calls.Run(1, next, [&](const grpc::Status& status, const grpc::ByteBuffer& reply, Duration) {
    if (!status.ok()) Fail("ping: " + status.error_message());
    const std::optional<Message> message = Decoded(reply);
    if (!message) Fail("ping: no message");
    server = message->header.sender.id;
  });
  return server;
}

void Fill(Calls& calls, const LoadOptions& options, const std::vector<Key>& keys) {
  size_t i = 0;
  const auto next = [&]() -> std::optional<grpc::Slice> {
    if (i == keys.size() * options.values) return std::nullopt;
    const size_t number = i % options.values + 1;
    const Peer sender = Sender(number);
    const Value value = {.publisher = sender.id,
                         .bytes = sender.http.ToString(),
                         .ttl = Duration(std::chrono::hours(2)),
                         .complete = true};
    return grpc::Slice(Encoded(number, StoreQuery{keys[i++ / options.values], value}));
  };
  calls.Run(options.window, next,
            [](const grpc::Status& status, const grpc::ByteBuffer& reply, Duration) {
              if (!status.ok()) Fail("store: " + status.error_message());
              const std::optional<Message> message = Decoded(reply);
              const auto* stored = message ? std::get_if<StoreReply>(&message->body) : nullptr;
              if (stored == nullptr || stored->outcome != StoreOutcome::kStored) {
                Fail("store: refused; ask for fewer --keys");
              }
            });
}

bool IsGood(const LoadOptions& options, const grpc::ByteBuffer& reply) {
  const std::optional<Message> message = Decoded(reply);
  const auto* got = message ? std::get_if<GetReply>(&message->body) : nullptr;
  return got != nullptr && got->values.size() == (options.miss ? 0 : options.values);
}

int Main(int argc, char** argv) {
  const LoadOptions options = ParseLoadOptions(argc, argv);
  Calls calls(options.to);
  const NodeId server = Ping(calls);
  std::vector<Key> keys = KeysNear(server, options.keys, 1);
  if (options.fill) {
    const uint64_t before = ResidentBytes(options.pids);
    Fill(calls, options, keys);
    ReportFill(options, before);
  }
  if (options.miss) keys = KeysNear(server, options.keys, 2);

  std::string query = Encoded(5, GetQuery{.key = keys[0], .next_target = Id::Hash("elsewhere")});
  const size_t key_at = query.find(keys[0].AsBytes());
  REEF_CHECK(key_at != std::string::npos);
  Rng rng(3);
  Measurement measurement(options);
  const auto next = [&]() -> std::optional<grpc::Slice> {
    if (measurement.Over(MonotonicNow())) return std::nullopt;
    measurement.Sent();
    const Key& key = keys[rng.Below(keys.size())];
    std::memcpy(query.data() + key_at, key.bytes.data(), kIdBytes);
    return grpc::Slice(query);
  };
  uint64_t read = 0;
  calls.Run(options.window, next,
            [&](const grpc::Status& status, const grpc::ByteBuffer& reply, Duration took) {
              if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
                return measurement.Lost(1);
              }
              const bool good = status.ok() && (++read % kReadEvery != 1 || IsGood(options, reply));
              if (!good) return measurement.Wrong();
              measurement.Answered(MonotonicNow(), took, reply.Length());
            });
  return measurement.Report();
}

}  // namespace
}  // namespace reef::dsht

int main(int argc, char** argv) {
  return reef::dsht::Main(argc, argv);
}
