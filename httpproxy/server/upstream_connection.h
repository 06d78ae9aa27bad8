// SPDX-License-Identifier: Apache-2.0
//
// UpstreamConnection: a non-blocking byte stream to an origin or another proxy, plain or TLS. It
// tells its user when something may be possible; the user tries.
//
// Owned by an exchange or, idle, by the pool (upstream.h). On its loop's thread; never blocks.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/endpoint.h"
#include "base/runtime/event_loop.h"
#include "base/runtime/socket.h"
#include "base/runtime/tls.h"
#include "base/status.h"

namespace reef::http {

class UpstreamConnection {
 public:
  // kBlocked: `on_ready` runs when to try again. kEnd: the peer has closed cleanly. kFailed:
  // error_text() says why.
  enum class Io { kDone, kBlocked, kEnd, kFailed };

  // Starts to connect. `tls` null: plain.
  static StatusOr<std::unique_ptr<UpstreamConnection>> Connect(EventLoop& loop, const Endpoint& to,
                                                               TlsClientContext* tls,
                                                               const std::string& tls_host,
                                                               uint16_t tls_port);
  ~UpstreamConnection();
  UpstreamConnection(const UpstreamConnection&) = delete;
  UpstreamConnection& operator=(const UpstreamConnection&) = delete;

  // Runs whenever the socket became what was waited for. It may destroy the connection.
  void SetOnReady(std::function<void()> on_ready) { on_ready_ = std::move(on_ready); }

  // Until kDone: TCP, then TLS. kFailed in the second: tls_error() is set.
  Io Establish();
  Io Read(char* data, size_t size, size_t& bytes);
  Io Write(std::string_view data, size_t& bytes);
  // Wakes when something arrives or the peer closes: for an idle connection.
  void WatchRead() { Arm(read_.get()); }
  // Says close_notify where TLS is.
  void Shutdown();

  bool connected() const { return connected_; }
  TlsError tls_error() const { return tls_ == nullptr ? TlsError::kNone : tls_->error(); }
  const std::string& error_text() const { return error_text_; }
  const Endpoint& remote() const { return remote_; }

 private:
  struct FreeEvent {
    void operator()(event* e) const;
  };
  UpstreamConnection(EventLoop& loop, UniqueFd fd, const Endpoint& to);
  static void Arm(event* e);
  Io Translate(TlsStream::Io io);
  Io Fail(int error);

  const UniqueFd fd_;
  const Endpoint remote_;
  std::unique_ptr<event, FreeEvent> read_;
  std::unique_ptr<event, FreeEvent> write_;
  std::function<void()> on_ready_;
  std::unique_ptr<TlsStream> tls_;
  bool connected_ = false;    // TCP
  bool established_ = false;  // TLS too
  std::string error_text_;
};

}  // namespace reef::http
