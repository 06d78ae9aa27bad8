// SPDX-License-Identifier: Apache-2.0
//
// Connection: one client's connection of HTTP/1.1 (or 1.0): requests read in, each answered in its
// turn by an Exchange, answers written out.
//
// Input is read into memory of the loop and parsed there; only what is left over (half a head,
// requests that wait for their turn) is copied, and an idle connection holds no buffer. Everything
// one read brought is answered by as few writes as possible. Output is written straight away; the
// kernel is asked to tell of room only after it had none. A connection reads no further while too
// much is waiting for its turn, and produces nothing while the client takes nothing: so a client
// costs bounded memory, whatever it does.
//
// Owned by its LoopContext. On its loop's thread; never blocks.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/endpoint.h"
#include "httpproxy/core/body_framing.h"
#include "httpproxy/core/http1_parser.h"
#include "httpproxy/server/deadline_queue.h"
#include "httpproxy/server/exchange.h"
#include "httpproxy/server/loop_context.h"
#include "httpproxy/server/output_queue.h"
#include "httpproxy/server/response_stream.h"

namespace reef::http {

class Connection final : public ResponseStream {
 public:
  Connection(LoopContext& context, UniqueFd socket, const Endpoint& peer);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // These, and all events, may destroy the connection.

  // Reads what may be there already.
  void Begin() { OnReadable(); }
  // Closes at once if nothing is owed, else after the answer under way.
  void Drain();
  void OnDeadline(TimedOut kind);

  // Whose entry it is, in any queue of a LoopContext.
  static Connection& OfDeadline(DeadlineQueue::Entry& entry);

  // ResponseStream, for the exchange.
  void SendInterim(int status, std::string_view fields) override;
  void SendHead(const ResponseStart& start, const Content& content) override;
  void SendContent(std::string_view bytes, std::shared_ptr<const void> pin) override;
  void Finish() override;
  void Cut() override;
  void SendError(const ErrorText& text, const ErrorContext& context) override;
  void Flush() override;

  size_t place = 0;  // in the LoopContext's list

 private:
  // What the read deadline is for.
  enum class Phase : uint8_t { kNone, kIdle, kHead, kBody, kAnswer, kHalfClosed, kLinger };
  enum class RequestContent : uint8_t { kNone, kToExchange, kDropped };

  struct Deadline : DeadlineQueue::Entry {
    explicit Deadline(Connection& of) : owner(of) {}
    Connection& owner;
  };

  void OnReadable();
  void OnInputEnd();
  void OnWritable();
  void OnRoomForContent();
  void ReadClocks();

  // Moves everything on as far as it goes, `fresh` being input just read.
  void Drive(std::string_view fresh);
  bool Step();
  void KeepRest();
  bool TakeRequest();
  void BeginExchange(std::string_view raw, const RequestHead& head);
  void EndExchange();
  bool CanSkipContent() const;
  bool TakeContent();
  void PassContent(std::string_view bytes);
  void EndContent();
  void RefuseWith(const ErrorText& text);
  void EndConnection();

  bool WriteOut();
  ssize_t SendSome(size_t& offered);
  void BoundSendBuffer(bool in_memory_file);

  void SetPhase();
  void Arm(Phase phase);
  void Watch(short what);
  // Marks it for destruction at the end of the event.
  void Close() { closed_ = true; }
  void DestroyIfClosed();

  LoopContext& context_;
  const UniqueFd socket_;
  const Endpoint peer_;
  event ready_;
  Deadline read_deadline_{*this};
  Deadline write_deadline_{*this};
  Instant now_{};  // of the event that is handled
  WallTime wall_{};

  std::string input_;      // what is left over between events
  std::string_view rest_;  // while Drive runs: not consumed yet, in input_ or the loop's buffer
  HeadProgress progress_;
  OutputQueue output_;
  std::unique_ptr<Exchange> exchange_;  // null: between requests
  std::unique_ptr<ChunkedDecoder> chunked_;
  std::shared_ptr<Connection*> alive_;  // held by callbacks that cannot be cancelled
  uint64_t content_left_ = 0;           // of a request's content with a length
  uint64_t drop_left_ = 0;              // of unwanted content: how much more is read past
  uint64_t requests_ = 0;
  size_t turn_bytes_ = 0;  // written since Drive began
  size_t lingered_bytes_ = 0;

  short watched_ = 0;  // EV_READ, EV_WRITE or both: what ready_ waits for
  Phase phase_ = Phase::kNone;
  BodyFraming::Kind framed_ = BodyFraming::Kind::kNone;  // the response's content
  RequestContent content_ = RequestContent::kNone;
  uint8_t minor_ = 1;
  bool head_only_ = false;
  bool keep_alive_ = true;         // after this exchange
  bool head_sent_ = false;         // this exchange's final head is in output_
  bool answered_ = false;          // its response is in output_, whole or cut
  bool expects_continue_ = false;  // and has not been told to
  bool blocked_ = false;           // the kernel takes no more, or this turn has had its share
  bool content_paused_ = false;    // the origin takes no more of the request's content
  bool input_ended_ = false;       // the client closed its side
  bool buffer_bounded_ = false;    // BoundSendBuffer has looked
  bool closing_ = false;    // no request is taken any more; the end comes once all is written
  bool linger_ = false;     // at the end the client gets time to read
  bool lingering_ = false;  // that end has come
  bool reset_ = false;      // the end is to be a reset
  bool closed_ = false;
  bool driving_ = false;
};

}  // namespace reef::http
