// SPDX-License-Identifier: Apache-2.0
#include "base/runtime/socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace reef {
namespace {

using ::testing::HasSubstr;

Endpoint At(std::string_view text) {
  return Endpoint::Parse(text).value();
}

// The socket is decided once it is writable; the bound only ends a broken test.
void WaitWritable(int fd) {
  pollfd wanted = {fd, POLLOUT, 0};
  ASSERT_EQ(poll(&wanted, 1, 10'000), 1);
}

class SockaddrTest : public testing::TestWithParam<std::string> {};

TEST_P(SockaddrTest, KeepsTheEndpointThereAndBack) {
  sockaddr_storage address;
  const socklen_t length = ToSockaddr(At(GetParam()), &address);

  EXPECT_EQ(FromSockaddr(reinterpret_cast<sockaddr*>(&address), length), At(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Endpoints, SockaddrTest,
                         testing::Values("0.0.0.0:0", "127.0.0.1:80", "203.0.113.255:65535",
                                         "[::]:1", "[2001:db8::1]:8090"));

TEST(SockaddrTest, RefusesAnotherFamilyAndACutAddress) {
  sockaddr_storage address;
  const socklen_t length = ToSockaddr(At("127.0.0.1:80"), &address);
  sockaddr_un local{};
  local.sun_family = AF_UNIX;

  EXPECT_EQ(FromSockaddr(reinterpret_cast<sockaddr*>(&address), length - 1), std::nullopt);
  EXPECT_EQ(FromSockaddr(reinterpret_cast<sockaddr*>(&local), sizeof local), std::nullopt);
}

TEST(SocketTest, ConnectsToAListenerAndBothNameTheSameEndpoints) {
  const auto listener = ListenTcp(At("127.0.0.1:0"), false);
  ASSERT_TRUE(listener.ok()) << listener.status();

  const auto client = StartConnect(LocalEndpoint(listener->get()));
  ASSERT_TRUE(client.ok()) << client.status();
  WaitWritable(client->get());

  EXPECT_TRUE(ConnectResult(client->get()).ok());
  EXPECT_EQ(PeerEndpoint(client->get()), LocalEndpoint(listener->get()));
  const UniqueFd accepted(accept(listener->get(), nullptr, nullptr));
  EXPECT_EQ(PeerEndpoint(accepted.get()), LocalEndpoint(client->get()));
}

TEST(SocketTest, TellsThatNobodyListens) {
  auto listener = ListenTcp(At("127.0.0.1:0"), false);
  const Endpoint nobody = LocalEndpoint(listener->get());
  listener->Reset();

  const auto client = StartConnect(nobody);
  ASSERT_TRUE(client.ok()) << client.status();
  WaitWritable(client->get());

  EXPECT_THAT(ConnectResult(client->get()).ToString(), HasSubstr("connection refused"));
}

TEST(SocketTest, AllAreNonBlockingAndClosedOnExec) {
  const auto tcp = ListenTcp(At("127.0.0.1:0"), true);
  const auto udp = BindUdp(At("[::1]:0"), true);
  const auto client = StartConnect(LocalEndpoint(tcp->get()));

  for (const auto* fd : {&tcp, &udp, &client}) {
    ASSERT_TRUE(fd->ok()) << fd->status();
    EXPECT_TRUE(fcntl((*fd)->get(), F_GETFL) & O_NONBLOCK);
    EXPECT_TRUE(fcntl((*fd)->get(), F_GETFD) & FD_CLOEXEC);
  }
}

TEST(SocketTest, PortInUseIsAnErrorThatNamesTheEndpointAndTheWayOut) {
  const auto first = ListenTcp(At("127.0.0.1:0"), false);
  const Endpoint taken = LocalEndpoint(first->get());

  const auto second = ListenTcp(taken, false);

  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.status().ToString(), HasSubstr("listen on " + taken.ToString() + ": address"));
  EXPECT_THAT(second.status().ToString(), HasSubstr("choose another port"));
}

TEST(SocketTest, UdpPortIsNotSharedUnlessAskedFor) {
  const auto first = BindUdp(At("127.0.0.1:0"), false);
  EXPECT_FALSE(BindUdp(LocalEndpoint(first->get()), false).ok());

  const auto third = BindUdp(At("127.0.0.1:0"), true);
  EXPECT_TRUE(BindUdp(LocalEndpoint(third->get()), true).ok());
}

TEST(SocketTest, ForeignAddressIsNamed) {
  const auto listener = ListenTcp(At("192.0.2.1:0"), false);

  ASSERT_FALSE(listener.ok());
  EXPECT_THAT(listener.status().ToString(), HasSubstr("192.0.2.1:0"));
  EXPECT_THAT(listener.status().ToString(), HasSubstr("no such address"));
}

TEST(SocketTest, Ipv6ListenerLeavesIpv4Alone) {
  const auto v6 = ListenTcp(At("[::]:0"), false);
  ASSERT_TRUE(v6.ok()) << v6.status();
  const Endpoint v4 = {IpAddress(), LocalEndpoint(v6->get()).port};

  EXPECT_TRUE(ListenTcp(v4, false).ok());
}

TEST(UniqueFdTest, ClosesWhatItOwnsAndNotWhatItGaveAway) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);

  UniqueFd moved = std::move(reader);
  EXPECT_FALSE(reader);
  const int raw = writer.Release();
  writer.Reset();
  EXPECT_EQ(fcntl(raw, F_GETFD), 0);

  moved.Reset();
  EXPECT_EQ(fcntl(ends[0], F_GETFD), -1);
  close(raw);
}

}  // namespace
}  // namespace reef
