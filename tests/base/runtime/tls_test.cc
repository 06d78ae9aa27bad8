// SPDX-License-Identifier: Apache-2.0
#include "base/runtime/tls.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "tests/support/test_ca.h"

namespace reef {
namespace {

using testing::TestCa;

// A server on the other end of a socket pair, that greets, waits for a byte and leaves.
class Server {
 public:
  Server(ssl_ctx_st* context, bool close_notify) {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    client_fd_ = fds[0];
    thread_ = std::thread([fd = fds[1], context, close_notify] {
      // Only this side is allowed to raise it.
      sigset_t pipe;
      sigemptyset(&pipe);
      sigaddset(&pipe, SIGPIPE);
      pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
      SSL* ssl = SSL_new(context);
      SSL_set_fd(ssl, fd);
      if (SSL_accept(ssl) == 1) {
        SSL_write(ssl, "hello", 5);
        char byte;
        SSL_read(ssl, &byte, 1);
        if (close_notify) SSL_shutdown(ssl);
      }
      SSL_free(ssl);
      close(fd);
    });
  }
  ~Server() {
    close(client_fd_);
    thread_.join();
  }
  int fd() const { return client_fd_; }

 private:
  int client_fd_ = -1;
  std::thread thread_;
};

class TlsTest : public ::testing::Test {
 protected:
  TlsTest() {
    auto context = TlsClientContext::Create({.extra_ca_file = ca_.file()});
    EXPECT_TRUE(context.ok()) << context.status();
    context_ = *std::move(context);
  }

  static void WaitFor(int fd, TlsStream::Io io) {
    pollfd p{fd, static_cast<short>(io == TlsStream::Io::kWantWrite ? POLLOUT : POLLIN), 0};
    poll(&p, 1, 10'000);
  }
  static TlsStream::Io Handshake(int fd, TlsStream& stream) {
    TlsStream::Io io;
    while ((io = stream.Handshake()) == TlsStream::Io::kWantRead ||
           io == TlsStream::Io::kWantWrite) {
      WaitFor(fd, io);
    }
    return io;
  }
  static TlsStream::Io ReadAll(int fd, TlsStream& stream, std::string& out) {
    while (true) {
      char buffer[100];
      size_t n = 0;
      const TlsStream::Io io = stream.Read(buffer, sizeof buffer, n);
      if (io == TlsStream::Io::kDone) {
        out.append(buffer, n);
        return io;
      }
      if (io == TlsStream::Io::kEnd || io == TlsStream::Io::kFailed) return io;
      WaitFor(fd, io);
    }
  }
  // What a handshake with such a certificate fails with, for a client that wants `host`.
  TlsError Refusal(const TestCa::Certificate& certificate, const std::string& host = "site.test") {
    Server server(ca_.Server(certificate), true);
    const auto stream = context_->Connect(server.fd(), host, 443);
    EXPECT_EQ(Handshake(server.fd(), *stream), TlsStream::Io::kFailed);
    EXPECT_FALSE(stream->error_text().empty());
    return stream->error();
  }

  TestCa ca_;
  std::unique_ptr<TlsClientContext> context_;
};

TEST_F(TlsTest, TalksToAServerOfATrustedName) {
  Server server(ca_.Server({.names = {"site.test"}}), true);
  const auto stream = context_->Connect(server.fd(), "site.test", 443);

  ASSERT_EQ(Handshake(server.fd(), *stream), TlsStream::Io::kDone) << stream->error_text();
  std::string text;
  EXPECT_EQ(ReadAll(server.fd(), *stream, text), TlsStream::Io::kDone);
  EXPECT_EQ(text, "hello");
  size_t n = 0;
  EXPECT_EQ(stream->Write("x", n), TlsStream::Io::kDone);
  EXPECT_EQ(ReadAll(server.fd(), *stream, text), TlsStream::Io::kEnd);
}

TEST_F(TlsTest, ACutConnectionIsNoCleanEnd) {
  Server server(ca_.Server({.names = {"site.test"}}), false);
  const auto stream = context_->Connect(server.fd(), "site.test", 443);
  ASSERT_EQ(Handshake(server.fd(), *stream), TlsStream::Io::kDone);
  std::string text;
  ReadAll(server.fd(), *stream, text);
  size_t n = 0;
  EXPECT_EQ(stream->Write("x", n), TlsStream::Io::kDone);

  EXPECT_EQ(ReadAll(server.fd(), *stream, text), TlsStream::Io::kFailed);
  EXPECT_EQ(stream->error(), TlsError::kClosed);
}

TEST_F(TlsTest, WritingToAResetConnectionRaisesNoSignal) {
  auto server = std::make_unique<Server>(ca_.Server({.names = {"site.test"}}), true);
  const int fd = dup(server->fd());
  const auto stream = context_->Connect(fd, "site.test", 443);
  ASSERT_EQ(Handshake(fd, *stream), TlsStream::Io::kDone);
  size_t n = 0;
  stream->Write("x", n);
  server.reset();

  TlsStream::Io io = TlsStream::Io::kDone;
  for (int i = 0; i < 10 && io == TlsStream::Io::kDone; ++i) io = stream->Write("more", n);

  EXPECT_EQ(io, TlsStream::Io::kFailed);
  close(fd);
}

TEST_F(TlsTest, NamesWhatIsWrongWithACertificate) {
  using std::chrono::hours;
  EXPECT_EQ(Refusal({.names = {"site.test"}, .valid_from = hours(-2), .valid_to = hours(-1)}),
            TlsError::kCertificateExpired);
  EXPECT_EQ(Refusal({.names = {"site.test"}, .valid_from = hours(1), .valid_to = hours(2)}),
            TlsError::kCertificateNotYetValid);
  EXPECT_EQ(Refusal({.names = {"other.test"}}), TlsError::kNameMismatch);
  EXPECT_EQ(Refusal({.names = {"*.test"}}, "a.b.test"), TlsError::kNameMismatch);
  EXPECT_EQ(Refusal({.names = {"site.test"}, .self_signed = true}), TlsError::kUntrusted);
}

TEST_F(TlsTest, AnAuthorityThatIsNotTrustedIsRefused) {
  context_ = *TlsClientContext::Create({});

  EXPECT_EQ(Refusal({.names = {"site.test"}}), TlsError::kUntrusted);
}

TEST_F(TlsTest, RefusesVersionsBefore12) {
  EXPECT_EQ(Refusal({.names = {"site.test"}, .tls_version_max = TLS1_1_VERSION}),
            TlsError::kProtocol);
}

TEST_F(TlsTest, AnAddressIsCheckedAgainstTheCertificatesAddresses) {
  Server server(ca_.Server({.addresses = {"127.0.0.1"}}), true);
  const auto stream = context_->Connect(server.fd(), "127.0.0.1", 443);

  EXPECT_EQ(Handshake(server.fd(), *stream), TlsStream::Io::kDone) << stream->error_text();
  EXPECT_EQ(Refusal({.addresses = {"127.0.0.2"}}, "127.0.0.1"), TlsError::kNameMismatch);
}

TEST_F(TlsTest, ResumesASession) {
  ssl_ctx_st* const context = ca_.Server({.names = {"site.test"}});
  for (const bool resumed : {false, true}) {
    Server server(context, true);
    const auto stream = context_->Connect(server.fd(), "site.test", 443);
    ASSERT_EQ(Handshake(server.fd(), *stream), TlsStream::Io::kDone) << stream->error_text();
    std::string text;
    ReadAll(server.fd(), *stream, text);  // TLS 1.3 tickets come after the handshake

    EXPECT_EQ(stream->resumed(), resumed);
    stream->Shutdown();
  }
}

TEST_F(TlsTest, ABadAuthorityFileIsAnErrorThatNamesIt) {
  const auto context = TlsClientContext::Create({.extra_ca_file = "/nonexistent.pem"});

  ASSERT_FALSE(context.ok());
  EXPECT_NE(std::string(context.status().message()).find("/nonexistent.pem"), std::string::npos);
}

}  // namespace
}  // namespace reef
