// SPDX-License-Identifier: Apache-2.0
//
// Exchange: one request and its response.
//
//   host -> site -> key -> cache -> fresh -------------------------------> answer
//                                -> stale, absent -> home loop's filler -> answer, cut-through
//                                -> not to be shared -> own fetch -------> answer, passed through
//   A stale answer may go out at once while a refresh runs (RFC 5861), or when the origin fails.
//   Requests of other proxies (core/peer_protocol.h) are answered from what is here or being
//   fetched here, and never cause a fetch.
//
// A hit is answered within Start, on the loop that read the request, without allocation. Whatever
// lasts longer keeps a copy of the request's head and reads it again when it goes on: rare, and
// cheaper than parsed fields that own their text.
//
// HEAD for what is not in the cache is fetched as GET, and fills the cache: HEAD is most often
// asked by who will GET next, and one fetch then serves all.
//
// Owned by a stream, cleared and used again for the next request. On its loop's thread; never
// blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/endpoint.h"
#include "httpproxy/core/cache_status.h"
#include "httpproxy/core/conditions.h"
#include "httpproxy/core/peer_protocol.h"
#include "httpproxy/core/policy.h"
#include "httpproxy/server/fan_out.h"
#include "httpproxy/server/filler.h"
#include "httpproxy/server/loop_context.h"
#include "httpproxy/server/object_sender.h"
#include "httpproxy/server/ranges_sender.h"
#include "httpproxy/server/response_stream.h"

namespace reef::http {

class Exchange {
 public:
  struct Request {
    const RequestHead& head;  // borrowed until Start returns
    std::string_view raw;     // its bytes, likewise
    IpAddress client;
    Instant at{};
    WallTime wall{};
  };

  explicit Exchange(LoopContext& context) : context_(context) {}
  ~Exchange() { Clear(); }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // The stream must outlive the exchange or Clear it.
  void Start(ResponseStream& stream, const Request& request);

  // More of the content can be taken: about `room` bytes. Requires: wants_room().
  void OnRoom(size_t room);
  bool wants_room() const { return wants_room_; }

  // Where the request's content goes; null: nobody wants it.
  const std::shared_ptr<Body>& request_body() const { return request_body_; }

  // Ends it, whatever its state: cancels what is under way, counts and logs. Ready to Start again.
  void Clear();

 private:
  // How the request became what it is: for Cache-Status and the counters.
  struct Answered {
    Source source = Source::kError;
    Forwarded forwarded = Forwarded::kNo;
    int forward_status = 0;
    bool stored = false;
    bool collapsed = false;
    std::string detail;
    std::string upstream_cache_status;
    std::string own_fields;  // of the response, for this client only
  };

  // Steps, in order. Each either answers or sets in motion what will.
  void ChooseSite();
  void Decide();
  void LookUp();
  void OnFound(std::shared_ptr<const Object> object);
  void OnMissing();
  void Refresh(const std::shared_ptr<const Object>& object);
  void TryVariant(const Object& other);
  void FetchShared(std::shared_ptr<const Object> stale);
  void FetchAlone(Forwarded why);
  void OnOutcome(FetchOutcome outcome);
  void OnInterim(int status, const std::string& fields);
  void OnResponse(FetchOutcome::Kind kind, std::shared_ptr<const Object> object);
  void OnFailed(int status, std::string_view detail);
  void Invalidate(const Object& answer);
  bool RefuseLoop();

  // Requests of other proxies.
  void OnPeerFound(std::shared_ptr<const Object> object);
  void AskFiller();
  void OnPeerOutcome(FetchOutcome outcome);
  bool EnterFanOut();
  void ServePeer(std::shared_ptr<const Object> object);
  void SendSign();
  void AwaitContinue();
  void AnswerPeer(const PeerAnswer& answer, int status, std::string_view details = {});

  // Answers.
  void Serve(std::shared_ptr<const Object> object);
  void ServeStored(std::shared_ptr<const Object> object);
  void ServeContent(std::shared_ptr<const Object> object, const ResponseStart& start,
                    uint64_t offset, std::optional<uint64_t> length);
  void ServeRanges(std::shared_ptr<const Object> object, ResponseStart& start,
                   std::vector<ByteRange> ranges, uint64_t length);
  void ServeStale(std::shared_ptr<const Object> object);
  void AnswerOptions();
  void Refuse(const ErrorText& text, std::string_view more_fields = {},
              std::string_view details = {});
  void FillStart(const Object& object, ResponseStart& start);
  void OnReadable();
  void OnHeadSent(int status);
  void Finish(bool whole);
  void Conclude(bool whole);
  void Log(bool whole);

  template <typename Step>
  void Resume(Step step);
  void ReadRequestAgain();
  bool SelectedBy(const Object& object);
  void AppendFields(bool keep_conditions, std::string& out) const;
  FieldTable& UpstreamFields();
  FetchRequest MakeFetchRequest();
  bool MayUseStale(bool unreachable) const;
  std::string_view allowed_methods() const;

  LoopContext& context_;
  ResponseStream* stream_ = nullptr;   // null: not started
  const RequestHead* head_ = nullptr;  // while a step runs
  std::string kept_;                   // the head's bytes, once Start has returned
  IpAddress client_;
  Instant at_{};
  WallTime wall_{};      // of the step that runs
  bool inline_ = false;  // within Start

  Origin origin_;
  const SitePolicy* policy_ = nullptr;
  RequestDirectives directives_;
  RequestDecision decision_;
  std::optional<PeerAsk> ask_;  // of another proxy
  CacheKey primary_key_;
  CacheKey key_;  // primary_key_, or the variant's
  int variants_tried_ = 0;
  int interims_ = 0;                     // passed on
  WallTime not_before_{};                // of stored responses: an invalidation's time
  bool alone_ = false;                   // fetched for this request only
  std::shared_ptr<const Object> stale_;  // what a failing origin leaves us

  CacheStatus cache_status_;
  Answered answered_;
  uint64_t fetch_ = 0;                // at the desk; 0: none
  std::shared_ptr<Exchange*> alive_;  // held by callbacks that cannot be cancelled
  std::unique_ptr<Timer> sign_;
  std::unique_ptr<Timer> continue_;  // while the client waits for a 100
  FanOut::Place place_;
  std::shared_ptr<Body> request_body_;
  std::optional<ObjectSender> sender_;
  std::unique_ptr<RangesSender> ranges_sender_;  // one of the two at most

  int status_ = 0;  // 0: no head sent yet
  uint64_t content_bytes_ = 0;
  Duration first_byte_{};
  bool wants_room_ = false;
  bool over_ = false;
};

}  // namespace reef::http
