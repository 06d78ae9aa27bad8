// SPDX-License-Identifier: Apache-2.0
//
// TLS over a non-blocking socket, by OpenSSL: contexts hold what is trusted, a TlsStream is one
// connection. A client always verifies chain and name; it offers http/1.1 by ALPN, TLS 1.2 at
// least, and resumes sessions.
//
// A context is used on one loop, a stream on its connection's. Neither blocks, once the context has
// been created (which reads the system's trust store).
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;

namespace reef {

enum class TlsError {
  kNone,
  kCertificateExpired,
  kCertificateNotYetValid,
  kNameMismatch,
  kUntrusted,    // self-signed, or of an issuer that is not trusted
  kCertificate,  // any other fault of the chain
  kProtocol,     // no TLS, or no version or cipher in common
  kClosed,       // the connection broke
};
// "certificate-expired" and the like.
std::string_view TlsErrorName(TlsError error);

class TlsStream;

class TlsClientContext {
 public:
  struct Options {
    std::string extra_ca_file{};  // PEM, trusted beside the system's store; empty: none
    size_t sessions_max = 1'000;
  };
  static StatusOr<std::unique_ptr<TlsClientContext>> Create(const Options& options);
  ~TlsClientContext();
  TlsClientContext(const TlsClientContext&) = delete;
  TlsClientContext& operator=(const TlsClientContext&) = delete;

  // A client's end on `fd` (borrowed), for the server called `host`: a name, which is sent and
  // checked, or an address literal, which is only checked. Sessions are resumed per host and port.
  // The context must outlive it.
  std::unique_ptr<TlsStream> Connect(int fd, const std::string& host, uint16_t port);

 private:
  friend class TlsStream;
  TlsClientContext() = default;
  static int OnNewSession(ssl_st* ssl, ssl_session_st* session);

  ssl_ctx_st* context_ = nullptr;
  size_t sessions_max_ = 0;
  std::map<std::string, ssl_session_st*> sessions_;
};

class TlsStream {
 public:
  enum class Io {
    kDone,       // `bytes` were moved; after Handshake: it is complete
    kWantRead,   // again when the socket is readable
    kWantWrite,  // again when it is writable
    kEnd,        // Read: the peer closed cleanly (close_notify)
    kFailed,     // error()
  };

  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  Io Handshake();
  Io Read(char* data, size_t size, size_t& bytes);
  Io Write(std::string_view data, size_t& bytes);
  // Says that no more comes, if that can be said without waiting.
  void Shutdown();

  TlsError error() const { return error_; }
  // For people: "certificate has expired".
  const std::string& error_text() const { return error_text_; }
  bool resumed() const;

 private:
  friend class TlsClientContext;
  explicit TlsStream(ssl_st* ssl) : ssl_(ssl) {}
  Io Outcome(int result);
  void Name(unsigned long code);

  ssl_st* ssl_;
  std::string session_key_;
  TlsError error_ = TlsError::kNone;
  std::string error_text_;
};

}  // namespace reef
