// SPDX-License-Identifier: Apache-2.0
#include "base/runtime/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/check.h"
#include "base/endpoint.h"

namespace reef {
namespace {

std::string LastError() {
  char text[256] = "unknown";
  if (const unsigned long code = ERR_peek_last_error(); code != 0) {
    ERR_error_string_n(code, text, sizeof text);
  }
  ERR_clear_error();
  return text;
}

// OpenSSL's own socket BIO calls write(2), which raises SIGPIPE on a connection that was reset.
// This one asks for no signal, so that the library depends on nobody's signal handlers.
int BioFd(BIO* bio) {
  return static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio)));
}

int BioWrite(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t n = send(BioFd(bio), data, static_cast<size_t>(size), MSG_NOSIGNAL);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(n);
}

int BioRead(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t n = recv(BioFd(bio), data, static_cast<size_t>(size), 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  if (n == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(n);
}

long BioControl(BIO* bio, int command, long, void*) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_EOF:
      return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    default:
      return 0;
  }
}

BIO* NewSocketBio(int fd) {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "reef socket");
    BIO_meth_set_write(m, BioWrite);
    BIO_meth_set_read(m, BioRead);
    BIO_meth_set_ctrl(m, BioControl);
    return m;
  }();
  BIO* bio = BIO_new(method);
  REEF_CHECK(bio != nullptr) << "out of memory";
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
  BIO_set_init(bio, 1);
  return bio;
}

int ContextIndex() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}
int StreamIndex() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

TlsError ErrorOfVerification(long result) {
  switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return TlsError::kCertificateExpired;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return TlsError::kCertificateNotYetValid;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return TlsError::kNameMismatch;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return TlsError::kUntrusted;
    default:
      return TlsError::kCertificate;
  }
}

}  // namespace

std::string_view TlsErrorName(TlsError error) {
  switch (error) {
    case TlsError::kNone:
      return "none";
    case TlsError::kCertificateExpired:
      return "certificate-expired";
    case TlsError::kCertificateNotYetValid:
      return "certificate-not-yet-valid";
    case TlsError::kNameMismatch:
      return "name-mismatch";
    case TlsError::kUntrusted:
      return "untrusted";
    case TlsError::kCertificate:
      return "certificate";
    case TlsError::kProtocol:
      return "protocol";
    case TlsError::kClosed:
      return "closed";
  }
  return "";
}

StatusOr<std::unique_ptr<TlsClientContext>> TlsClientContext::Create(const Options& options) {
  std::unique_ptr<TlsClientContext> made(new TlsClientContext);
  made->sessions_max_ = options.sessions_max;
  made->context_ = SSL_CTX_new(TLS_client_method());
  SSL_CTX* const context = made->context_;
  if (context == nullptr) return Internal("TLS context: " + LastError());
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_default_verify_paths(context);
  if (!options.extra_ca_file.empty() &&
      SSL_CTX_load_verify_locations(context, options.extra_ca_file.c_str(), nullptr) != 1) {
    return InvalidArgument("certificates of " + options.extra_ca_file + ": " + LastError());
  }
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                // 34 KiB for each idle connection otherwise.
                                SSL_MODE_RELEASE_BUFFERS);
  static constexpr unsigned char kAlpn[] = "\x08http/1.1";
  SSL_CTX_set_alpn_protos(context, kAlpn, sizeof kAlpn - 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
  SSL_CTX_sess_set_new_cb(context, OnNewSession);
  SSL_CTX_set_ex_data(context, ContextIndex(), made.get());
  return made;
}

TlsClientContext::~TlsClientContext() {
  for (auto& [key, session] : sessions_) SSL_SESSION_free(session);
  SSL_CTX_free(context_);
}

int TlsClientContext::OnNewSession(SSL* ssl, SSL_SESSION* session) {
  auto* self =
      static_cast<TlsClientContext*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ContextIndex()));
  const auto* stream = static_cast<const TlsStream*>(SSL_get_ex_data(ssl, StreamIndex()));
  if (stream == nullptr) return 0;
  const auto it = self->sessions_.find(stream->session_key_);
  if (it != self->sessions_.end()) {
    SSL_SESSION_free(std::exchange(it->second, session));
    return 1;
  }
  if (self->sessions_.size() >= self->sessions_max_) {
    SSL_SESSION_free(self->sessions_.begin()->second);
    self->sessions_.erase(self->sessions_.begin());
  }
  self->sessions_.emplace(stream->session_key_, session);
  return 1;  // the reference is ours
}

std::unique_ptr<TlsStream> TlsClientContext::Connect(int fd, const std::string& host,
                                                     uint16_t port) {
  SSL* const ssl = SSL_new(context_);
  REEF_CHECK(ssl != nullptr) << "out of memory";
  std::unique_ptr<TlsStream> stream(new TlsStream(ssl));
  BIO* const bio = NewSocketBio(fd);
  SSL_set_bio(ssl, bio, bio);
  SSL_set_connect_state(ssl);
  SSL_set_ex_data(ssl, StreamIndex(), stream.get());
  if (IpAddress::Parse(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl, host.c_str());
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set1_host(ssl, host.c_str());
  }
  stream->session_key_ = host + ":" + std::to_string(port);
  if (const auto it = sessions_.find(stream->session_key_); it != sessions_.end()) {
    SSL_set_session(ssl, it->second);
  }
  return stream;
}

TlsStream::~TlsStream() {
  SSL_free(ssl_);
}

TlsStream::Io TlsStream::Handshake() {
  ERR_clear_error();
  return Outcome(SSL_do_handshake(ssl_));
}

TlsStream::Io TlsStream::Read(char* data, size_t size, size_t& bytes) {
  ERR_clear_error();
  bytes = 0;
  return Outcome(SSL_read_ex(ssl_, data, size, &bytes));
}

TlsStream::Io TlsStream::Write(std::string_view data, size_t& bytes) {
  ERR_clear_error();
  bytes = 0;
  return Outcome(SSL_write_ex(ssl_, data.data(), data.size(), &bytes));
}

void TlsStream::Shutdown() {
  ERR_clear_error();
  if (error_ == TlsError::kNone && SSL_is_init_finished(ssl_)) SSL_shutdown(ssl_);
  ERR_clear_error();
}

bool TlsStream::resumed() const {
  return SSL_session_reused(ssl_) == 1;
}

TlsStream::Io TlsStream::Outcome(int result) {
  if (result == 1) return Io::kDone;
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return Io::kWantRead;
    case SSL_ERROR_WANT_WRITE:
      return Io::kWantWrite;
    case SSL_ERROR_ZERO_RETURN:
      return Io::kEnd;
    case SSL_ERROR_SYSCALL:
      error_ = TlsError::kClosed;
      error_text_ = "connection closed";
      return Io::kFailed;
    default:
      Name(ERR_peek_last_error());
      return Io::kFailed;
  }
}

void TlsStream::Name(unsigned long code) {
  const long verified = SSL_get_verify_result(ssl_);
  if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    error_ = ErrorOfVerification(verified);
    error_text_ = X509_verify_cert_error_string(verified);
  } else if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    // RFC 8446, 6.1: without close_notify the data may have been cut short.
    error_ = TlsError::kClosed;
    error_text_ = "connection closed without close_notify";
  } else {
    error_ = TlsError::kProtocol;
    const char* reason = ERR_reason_error_string(code);
    error_text_ = reason != nullptr ? reason : "unknown error";
  }
  ERR_clear_error();
}

}  // namespace reef
