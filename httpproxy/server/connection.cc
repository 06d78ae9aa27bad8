// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/connection.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"

namespace reef::http {
namespace {

// Input that waits for its turn; beyond, nothing more is read.
constexpr size_t kInputMax = 64 * 1024;
// Answers of pipelined requests gather up to this before they are written.
constexpr size_t kGatheredMax = 256 * 1024;
// Content asked of an exchange at once, and how much output may be there already.
constexpr size_t kRoomBytes = 256 * 1024;
constexpr size_t kProduceBelow = 64 * 1024;
// Written in one turn of the loop, which belongs to other connections too.
constexpr size_t kTurnBytes = 4 * 1024 * 1024;
// Below this, copying is cheaper than pinning and another iovec.
constexpr size_t kCopyMax = 2 * 1024;
constexpr size_t kLingerBytesMax = 1024 * 1024;

// Beyond so much in flight on a fast path the bytes fall out of the CPU's cache between our write
// and the receiver's read, at half the throughput and less. By sendfile they are the same pages for
// every receiver, and more in flight gains nothing. A fixed buffer would cap a long path, so that
// is left to the kernel. Measured: docs/performance.md.
constexpr size_t kBoundAbove = 64 * 1024;
struct NearBound {
  uint32_t rtt_us;  // up to here; it still allows 500 MB/s
  int buffer_bytes;
};
constexpr NearBound kNearCopied = {1'000, 512 * 1024};
constexpr NearBound kNearSendfile = {250, 128 * 1024};

}  // namespace

Connection::Connection(LoopContext& context, UniqueFd socket, const Endpoint& peer)
    : context_(context), socket_(std::move(socket)), peer_(peer) {
  Watch(EV_READ);
}

Connection::~Connection() {
  if (exchange_ != nullptr) context_.GiveBack(std::move(exchange_));
  if (alive_ != nullptr) *alive_ = nullptr;
  Watch(0);
  if (reset_) {
    const linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
}

Connection& Connection::OfDeadline(DeadlineQueue::Entry& entry) {
  return static_cast<Deadline&>(entry).owner;
}

// ---- Events ----

void Connection::OnReadable() {
  ReadClocks();
  // recv and send take a shorter way through the kernel than read and sendmsg.
  const ssize_t n = recv(socket_.get(), context_.read_buffer.get(), LoopContext::kReadBytes, 0);
  if (n < 0) {
    if (errno != EAGAIN && errno != EINTR) Close();
    SetPhase();
    return DestroyIfClosed();
  }
  if (n == 0) {
    OnInputEnd();
    return DestroyIfClosed();
  }
  context_.counters.bytes_in.Add(static_cast<uint64_t>(n));
  if (phase_ == Phase::kLinger) {
    lingered_bytes_ += static_cast<size_t>(n);
    if (lingered_bytes_ > kLingerBytesMax) Close();
  } else {
    Drive({context_.read_buffer.get(), static_cast<size_t>(n)});
  }
  DestroyIfClosed();
}

void Connection::OnInputEnd() {
  input_ended_ = true;
  // A half-closed client may still read its answers; one that broke off its own content gets none.
  if (lingering_ || content_ == RequestContent::kToExchange) return Close();
  Drive({});
}

void Connection::OnWritable() {
  ReadClocks();
  blocked_ = false;
  Drive({});
  DestroyIfClosed();
}

void Connection::OnDeadline(TimedOut kind) {
  ReadClocks();
  context_.counters.timeouts[static_cast<size_t>(kind)].Add();
  phase_ = Phase::kNone;
  switch (kind) {
    case TimedOut::kHead:
      RefuseWith(TextFor(408));
      break;
    case TimedOut::kBody:
      if (head_sent_) {
        Close();
      } else {
        RefuseWith(TextFor(408));
      }
      break;
    case TimedOut::kWrite:
      // What is queued in the kernel would keep the socket for minutes.
      reset_ = true;
      Close();
      break;
    case TimedOut::kIdle:
    case TimedOut::kLinger:
    case TimedOut::kHalfClosed:
      Close();
      break;
  }
  if (!closed_) Drive({});
  DestroyIfClosed();
}

void Connection::Drain() {
  keep_alive_ = false;
  if (exchange_ != nullptr || content_ != RequestContent::kNone || !output_.empty()) return;
  Close();
  DestroyIfClosed();
}

void Connection::Flush() {
  REEF_CHECK(!driving_) << "the caller writes";
  ReadClocks();
  Drive({});
  DestroyIfClosed();
}

void Connection::ReadClocks() {
  now_ = context_.loop.Now();
  wall_ = context_.loop.Wall();
}

void Connection::DestroyIfClosed() {
  if (closed_) context_.Destroy(*this);
}

// ---- Moving on ----

void Connection::Drive(std::string_view fresh) {
  driving_ = true;
  turn_bytes_ = 0;
  if (!input_.empty()) {
    input_.append(fresh);
    rest_ = input_;
  } else {
    rest_ = fresh;
  }
  // The loop's spare queue has memory: an idle connection gives its own back.
  if (output_.empty()) swap(output_, context_.spare_queue);
  while (!closed_ && Step()) {
  }
  if (closed_) {
    driving_ = false;
    return;
  }
  KeepRest();
  if (output_.empty()) swap(output_, context_.spare_queue);
  SetPhase();
  driving_ = false;
}

// One round: true if another may get further.
bool Connection::Step() {
  if (!blocked_ && output_.begun() && !WriteOut()) return false;
  bool moved = TakeContent();
  if (exchange_ != nullptr && answered_) {
    EndExchange();
    moved = true;
  }
  while (!blocked_ && exchange_ == nullptr && content_ == RequestContent::kNone && !closing_ &&
         output_.size() < kGatheredMax && TakeRequest()) {
    moved = true;
    TakeContent();
    if (answered_ && exchange_ != nullptr) EndExchange();
  }
  // What is left of the input will never be a request.
  if (input_ended_ && !blocked_ && exchange_ == nullptr && output_.size() < kGatheredMax) {
    closing_ = true;
  }
  if (!blocked_ && exchange_ != nullptr && !answered_ && exchange_->wants_room() &&
      output_.size() < kProduceBelow) {
    exchange_->OnRoom(kRoomBytes);
    moved = true;
  }
  if (!blocked_ && !output_.empty()) return WriteOut();
  if (closing_ && exchange_ == nullptr && output_.empty()) {
    EndConnection();
    return false;
  }
  return moved;
}

void Connection::KeepRest() {
  if (!input_.empty()) {
    input_.erase(0, static_cast<size_t>(rest_.data() - input_.data()));
    if (input_.empty()) input_ = std::string();
  } else if (!rest_.empty()) {
    input_ = rest_;
  }
  rest_ = {};
}

bool Connection::TakeRequest() {
  if (rest_.empty()) return false;
  RequestHead& head = context_.request;
  const ParseResult parsed = ParseRequestHead(rest_, context_.options.head, progress_, head);
  switch (parsed.what) {
    case ParseResult::What::kNeedMore:
      return false;
    case ParseResult::What::kError:
      context_.counters.parse_errors[static_cast<size_t>(parsed.error)].Add();
      RefuseWith(TextFor(parsed.error));
      return true;
    case ParseResult::What::kHead:
      break;
  }
  const std::string_view raw = rest_.substr(0, parsed.consumed);
  rest_.remove_prefix(parsed.consumed);
  progress_ = {};
  BeginExchange(raw, head);
  return true;
}

void Connection::BeginExchange(std::string_view raw, const RequestHead& head) {
  ++requests_;
  minor_ = head.minor;
  head_only_ = head.method == Method::kHead;
  keep_alive_ = head.keep_alive && !context_.draining() &&
                requests_ < context_.options.requests_per_connection_max;
  answered_ = head_sent_ = false;
  framed_ = BodyFraming::Kind::kNone;

  const BodyFraming framing = FramingOf(head);
  content_left_ = framing.length;
  if (framing.kind == BodyFraming::Kind::kChunked) chunked_ = std::make_unique<ChunkedDecoder>();
  if (framing.kind != BodyFraming::Kind::kNone) {
    content_ = RequestContent::kDropped;
    drop_left_ = context_.options.discard_bytes_max;
    // Who waits to be told to go on, and is not, may or may not send its content after all.
    expects_continue_ = head.expect_continue && minor_ > 0;
  }
  exchange_ = context_.TakeExchange();
  exchange_->Start(*this, {head, raw, peer_.address, now_, wall_});
  if (content_ == RequestContent::kNone || exchange_->request_body() == nullptr) return;
  content_ = RequestContent::kToExchange;
}

// Its response is in output_, whole or cut.
void Connection::EndExchange() {
  context_.GiveBack(std::move(exchange_));
  content_paused_ = false;
  if (content_ == RequestContent::kToExchange || !CanSkipContent()) {
    // The answer came before the question ended: nothing after it on this connection can be read.
    keep_alive_ = false;
    linger_ = true;
    content_ = RequestContent::kNone;
    chunked_.reset();
  }
  if (!keep_alive_) closing_ = true;
}

// Whether what nobody wants of the request's content can be read past.
bool Connection::CanSkipContent() const {
  return content_ != RequestContent::kDropped ||
         (!expects_continue_ && content_left_ <= context_.options.discard_bytes_max);
}

bool Connection::TakeContent() {
  bool moved = false;
  while (content_ != RequestContent::kNone && !content_paused_ && !closing_ && !rest_.empty()) {
    moved = true;
    if (chunked_ == nullptr) {
      const std::string_view bytes = rest_.substr(0, content_left_);
      rest_.remove_prefix(bytes.size());
      content_left_ -= bytes.size();
      PassContent(bytes);
      if (content_left_ == 0) EndContent();
      continue;
    }
    const ChunkedDecoder::Step step = chunked_->Decode(rest_);
    rest_.remove_prefix(step.consumed);
    switch (step.what) {
      case ChunkedDecoder::Step::What::kNeedMore:
        break;
      case ChunkedDecoder::Step::What::kData:
        PassContent(step.data);
        break;
      case ChunkedDecoder::Step::What::kEnd:
        EndContent();
        break;
      case ChunkedDecoder::Step::What::kError:
        context_.counters.body_errors.Add();
        RefuseWith(TextFor(400));
        break;
    }
  }
  return moved;
}

void Connection::PassContent(std::string_view bytes) {
  if (content_ == RequestContent::kToExchange) {
    const std::shared_ptr<Body>& body = exchange_->request_body();
    if (body->state() != Body::State::kFilling || body->Append(bytes)) return;
    content_paused_ = true;
    if (alive_ == nullptr) alive_ = std::make_shared<Connection*>(this);
    body->WhenRoom(context_.loop, [alive = alive_] {
      if (*alive != nullptr) (*alive)->OnRoomForContent();
    });
    return;
  }
  if (bytes.size() <= drop_left_) {
    drop_left_ -= bytes.size();
    return;
  }
  // More than we read for nothing.
  keep_alive_ = false;
  linger_ = true;
  content_ = RequestContent::kNone;
  chunked_.reset();
  rest_ = rest_.substr(rest_.size());
  if (exchange_ == nullptr) closing_ = true;
}

void Connection::OnRoomForContent() {
  if (!content_paused_) return;
  content_paused_ = false;
  Flush();
}

void Connection::EndContent() {
  if (content_ == RequestContent::kToExchange) {
    const std::shared_ptr<Body>& body = exchange_->request_body();
    if (body->state() == Body::State::kFilling) body->Complete();
  }
  content_ = RequestContent::kNone;
  chunked_.reset();
}

// An answer of the connection's own to what it could not read, then the end.
void Connection::RefuseWith(const ErrorText& text) {
  if (head_sent_ && exchange_ != nullptr) return Close();
  if (exchange_ != nullptr) context_.GiveBack(std::move(exchange_));
  content_ = RequestContent::kNone;
  chunked_.reset();
  keep_alive_ = false;
  closing_ = linger_ = true;
  rest_ = rest_.substr(rest_.size());
  minor_ = 1;
  head_only_ = false;
  context_.counters.requests[static_cast<size_t>(Source::kError)].Add();
  context_.counters.answers[static_cast<size_t>(text.status / 100)].Add();
  ErrorContext context;
  context.date = context_.Date(wall_);
  context.via = context_.options.name;
  SendError(text, context);
}

void Connection::EndConnection() {
  if (!linger_ || input_ended_ || reset_) return Close();
  // Closed with unread input, the kernel would send a reset, and the client lose the answer.
  shutdown(socket_.get(), SHUT_WR);
  lingering_ = true;
}

// ---- Output ----

void Connection::SendInterim(int status, std::string_view fields) {
  if (minor_ == 0) return;
  if (status == 100) expects_continue_ = false;
  std::string& text = output_.Text();
  text += "HTTP/1.1 ";
  text += std::to_string(status);
  text += ' ';
  text += ReasonPhrase(status);
  text += "\r\n";
  text += fields;
  text += "\r\n";
}

void Connection::SendHead(const ResponseStart& start, const Content& content) {
  using Kind = BodyFraming::Kind;
  ResponseStart whole = start;
  if (!content.sent) {
    framed_ = Kind::kNone;
    const bool may_tell = content.length && start.status != 204 && start.status != 304;
    whole.framing = may_tell ? BodyFraming{Kind::kLength, *content.length} : BodyFraming{};
  } else if (content.length) {
    framed_ = Kind::kLength;
    whole.framing = {Kind::kLength, *content.length};
  } else {
    framed_ = minor_ > 0 ? Kind::kChunked : Kind::kUntilClose;
    whole.framing = {framed_, 0};
    if (framed_ == Kind::kUntilClose) keep_alive_ = false;
  }
  if (!CanSkipContent() && exchange_->request_body() == nullptr) keep_alive_ = false;
  whole.keep_alive = keep_alive_;
  whole.minor = minor_;
  head_sent_ = true;
  AppendResponseHead(whole, output_.Text());
}

void Connection::SendContent(std::string_view bytes, std::shared_ptr<const void> pin) {
  if (bytes.empty()) return;
  const bool chunked = framed_ == BodyFraming::Kind::kChunked;
  if (chunked) AppendChunkHeader(bytes.size(), output_.Text());
  if (bytes.size() <= kCopyMax) {
    output_.Text().append(bytes);
  } else {
    output_.AddPinned(bytes, std::move(pin));
    if (!buffer_bounded_ && output_.size() >= kBoundAbove) {
      BoundSendBuffer(IsInMemoryFile(bytes.data()));
    }
  }
  if (chunked) output_.Text().append(kChunkEnd);
}

void Connection::Finish() {
  if (framed_ == BodyFraming::Kind::kChunked) output_.Text().append(kLastChunk);
  answered_ = true;
}

void Connection::Cut() {
  // Where the end of the connection is the end of the content, only a reset shows the difference.
  reset_ = framed_ == BodyFraming::Kind::kUntilClose;
  keep_alive_ = false;
  answered_ = true;
}

void Connection::SendError(const ErrorText& text, const ErrorContext& context) {
  if (exchange_ != nullptr && !CanSkipContent()) keep_alive_ = false;
  ErrorContext whole = context;
  whole.head_only = head_only_;
  whole.keep_alive = keep_alive_;
  whole.minor = minor_;
  head_sent_ = true;
  answered_ = true;
  AppendErrorResponse(text, whole, output_.Text());
}

// One system call: the bytes that the kernel took, -1 with errno; `offered` is how many it could.
ssize_t Connection::SendSome(size_t& offered) {
  iovec pieces[OutputQueue::kIovecsMax];
  const OutputQueue::Next next = output_.Gather(pieces);
  offered = next.bytes;
  if (next.count == 0) {
    auto offset = static_cast<off_t>(next.file.offset);
    return sendfile(socket_.get(), next.file.fd, &offset, next.bytes);  // SIGPIPE: see Proxy::Start
  }
  const int flags = MSG_NOSIGNAL | (next.file_follows ? MSG_MORE : 0);
  if (next.count == 1) return send(socket_.get(), pieces->iov_base, pieces->iov_len, flags);
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = next.count;
  return sendmsg(socket_.get(), &message, flags);
}

// False: the kernel took less than all, or the connection is over.
bool Connection::WriteOut() {
  bool wrote = false;
  while (!output_.empty()) {
    size_t offered = 0;
    const ssize_t n = SendSome(offered);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno != EAGAIN) {
      // The client is gone.
      output_.Clear();
      Close();
      return false;
    }
    const size_t taken = n < 0 ? 0 : static_cast<size_t>(n);
    wrote |= taken > 0;
    turn_bytes_ += taken;
    context_.counters.bytes_out.Add(taken);
    output_.Consume(taken);
    if (taken == offered && turn_bytes_ < kTurnBytes) continue;
    if (output_.empty() && turn_bytes_ < kTurnBytes) break;
    blocked_ = true;
    if (wrote || !write_deadline_.armed()) context_.write.Arm(write_deadline_, now_);
    return false;
  }
  write_deadline_.Cancel();
  return true;
}

void Connection::BoundSendBuffer(bool in_memory_file) {
  buffer_bounded_ = true;
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(socket_.get(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return;
  if (size < offsetof(tcp_info, tcpi_min_rtt) + sizeof info.tcpi_min_rtt) return;
  const NearBound& bound = in_memory_file ? kNearSendfile : kNearCopied;
  if (info.tcpi_min_rtt > bound.rtt_us) return;
  setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUF, &bound.buffer_bytes, sizeof bound.buffer_bytes);
}

// ---- Deadlines ----

void Connection::SetPhase() {
  if (closed_) return;
  if (lingering_) {
    Arm(Phase::kLinger);
  } else if (content_ != RequestContent::kNone && !content_paused_) {
    Arm(Phase::kBody);
  } else if (exchange_ != nullptr) {
    Arm(input_ended_ && !head_sent_ ? Phase::kHalfClosed : Phase::kAnswer);
  } else if (closing_ || !output_.empty()) {
    Arm(Phase::kAnswer);
  } else {
    Arm(input_.empty() ? Phase::kIdle : Phase::kHead);
  }
  const bool reads =
      !input_ended_ && !content_paused_ && input_.size() < kInputMax && (lingering_ || !closing_);
  Watch(static_cast<short>((reads ? EV_READ : 0) | (blocked_ ? EV_WRITE : 0)));
}

void Connection::Arm(Phase phase) {
  // Time for a head, an answer or a farewell is not prolonged by a byte now and then.
  if (phase == phase_ && phase != Phase::kIdle && phase != Phase::kBody) return;
  phase_ = phase;
  switch (phase) {
    case Phase::kIdle:
      return context_.idle.Arm(read_deadline_, now_);
    case Phase::kHead:
      return context_.head.Arm(read_deadline_, now_);
    case Phase::kBody:
      return context_.body.Arm(read_deadline_, now_);
    case Phase::kLinger:
      return context_.linger.Arm(read_deadline_, now_);
    case Phase::kHalfClosed:
      return context_.half_closed.Arm(read_deadline_, now_);
    case Phase::kNone:
    case Phase::kAnswer:
      return read_deadline_.Cancel();
  }
}

// One libevent event for both, since an idle connection is little more than that.
void Connection::Watch(short what) {
  if (what == watched_) return;
  if (watched_ != 0) event_del(&ready_);
  watched_ = what;
  if (what == 0) return;
  const auto on_ready = [](evutil_socket_t, short happened, void* self) {
    auto* connection = static_cast<Connection*>(self);
    // What can be read stays readable.
    if ((happened & EV_WRITE) != 0) return connection->OnWritable();
    connection->OnReadable();
  };
  const auto events = static_cast<short>(what | EV_PERSIST);
  event_assign(&ready_, context_.loop.base(), socket_.get(), events, on_ready, this);
  event_add(&ready_, nullptr);
}

}  // namespace reef::http
