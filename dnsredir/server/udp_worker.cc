// SPDX-License-Identifier: Apache-2.0
#include "dnsredir/server/udp_worker.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "base/runtime/clock.h"

namespace reef::dns {
namespace {

constexpr size_t kBatch = 64;
// A query fits in half of this unless its options are absurd; a longer one is cut by the kernel and
// gets FORMERR. It also holds every answer (kUdpPayloadBytes).
constexpr size_t kPacketBytes = 2048;
constexpr size_t kControlBytes = CMSG_SPACE(sizeof(in6_pktinfo));
static_assert(kControlBytes >= CMSG_SPACE(sizeof(in_pktinfo)));

// Room for either family.
IpAddress AddressOf(const sockaddr_in6& peer) {
  std::array<uint8_t, 16> bytes;
  if (peer.sin6_family == AF_INET6) {
    std::memcpy(bytes.data(), &peer.sin6_addr, bytes.size());
    return IpAddress::V6(bytes);
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(peer);
  std::memcpy(bytes.data(), &v4.sin_addr, 4);
  return IpAddress::V4({bytes[0], bytes[1], bytes[2], bytes[3]});
}

// The answer leaves from the address that the query came to. The interface is for the routes to
// choose, unless the address means nothing without it (IPv6 link-local).
void AnswerFromDestination(msghdr& message) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      info.ipi_ifindex = 0;
      std::memcpy(CMSG_DATA(c), &info, sizeof info);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) info.ipi6_ifindex = 0;
      std::memcpy(CMSG_DATA(c), &info, sizeof info);
    }
  }
}

}  // namespace

// All that recvmmsg and sendmmsg point to; slot i of each array belongs to packet i.
struct UdpWorker::Batch {
  std::array<mmsghdr, kBatch> in{};
  std::array<mmsghdr, kBatch> out{};
  size_t out_count = 0;
  std::array<iovec, kBatch> iov{};
  std::array<sockaddr_in6, kBatch> peer{};
  alignas(cmsghdr) std::array<std::array<uint8_t, kControlBytes>, kBatch> control{};
  std::array<std::array<uint8_t, kPacketBytes>, kBatch> bytes;

  void Prepare(size_t i) {
    iov[i] = {bytes[i].data(), kPacketBytes};
    msghdr& message = in[i].msg_hdr;
    message.msg_name = &peer[i];
    message.msg_namelen = sizeof peer[i];
    message.msg_iov = &iov[i];
    message.msg_iovlen = 1;
    message.msg_control = control[i].data();
    message.msg_controllen = kControlBytes;
    message.msg_flags = 0;
  }
};

UdpWorker::UdpWorker(UniqueFd socket, const std::vector<Zone>& zones, Rng rng,
                     const ResponderOptions& options, ViewPtr view, DnsMetrics& metrics,
                     StatsCell& cell)
    : socket_(std::move(socket)),
      metrics_(metrics),
      cell_(cell),
      responder_(zones, rng, options),
      view_(std::move(view)),
      thread_([this] { Run(); }) {}

UdpWorker::~UdpWorker() {
  Stop();
}

void UdpWorker::Stop() {
  if (!thread_.joinable()) return;
  stop_.store(true, std::memory_order_release);
  // Wakes the thread: Linux does this for unconnected sockets too, while it reports ENOTCONN. Else
  // the receive timeout does.
  shutdown(socket_.get(), SHUT_RD);
  thread_.join();
}

void UdpWorker::Run() {
  pthread_setname_np(pthread_self(), "reef-dns-udp");
  const auto batch = std::make_unique<Batch>();
  for (size_t i = 0; i < kBatch; ++i) batch->Prepare(i);
  while (!stop_.load(std::memory_order_acquire)) {
    const size_t received = Receive(*batch);
    // A socket that was shut down gives empty messages without end.
    if (received == 0 || stop_.load(std::memory_order_acquire)) continue;
    AnswerAll(*batch, received);
    Send(*batch);
    for (size_t i = 0; i < received; ++i) batch->Prepare(i);
    cell_.Publish(responder_.stats());
  }
}

size_t UdpWorker::Receive(Batch& batch) {
  const int received = recvmmsg(socket_.get(), batch.in.data(), kBatch, MSG_WAITFORONE, nullptr);
  if (received >= 0) return static_cast<size_t>(received);
  if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK) metrics_.udp_receive_errors.Add();
  return 0;
}

void UdpWorker::AnswerAll(Batch& batch, size_t received) {
  const Instant now = MonotonicNow();
  const ProxyView& view = view_.Current();
  batch.out_count = 0;
  for (size_t i = 0; i < received; ++i) {
    const Packet packet{batch.bytes[i].data(), batch.in[i].msg_len, kPacketBytes, Transport::kUdp,
                        AddressOf(batch.peer[i])};
    const size_t size = responder_.Answer(now, packet, view);
    if (size == 0) continue;
    batch.iov[i].iov_len = size;
    msghdr& message = batch.in[i].msg_hdr;
    if (message.msg_controllen > 0) AnswerFromDestination(message);
    batch.out[batch.out_count++].msg_hdr = message;
  }
}

void UdpWorker::Send(Batch& batch) {
  for (size_t sent = 0; sent < batch.out_count;) {
    const auto left = static_cast<unsigned>(batch.out_count - sent);
    const int n = sendmmsg(socket_.get(), batch.out.data() + sent, left, 0);
    if (n > 0) {
      sent += static_cast<size_t>(n);
    } else if (errno != EINTR) {
      // It is the first of those left that failed (no route, forged source): the others go on.
      metrics_.udp_send_errors.Add();
      ++sent;
    }
  }
}

}  // namespace reef::dns
