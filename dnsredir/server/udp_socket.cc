// SPDX-License-Identifier: Apache-2.0
#include "dnsredir/server/udp_socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>

namespace reef::dns {
namespace {

constexpr int kReceiveBufferBytes = 4 << 20;  // the kernel cuts it to net.core.rmem_max

template <typename T>
bool Set(int fd, int level, int option, const T& value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

}  // namespace

StatusOr<UniqueFd> OpenUdp(const Endpoint& endpoint, bool shared) {
  ASSIGN_OR_RETURN(UniqueFd socket, BindUdp(endpoint, shared));
  const int fd = socket.get();
  const bool v4 = endpoint.address.is_v4();
  const timeval wait{1, 0};
  const bool done =
      fcntl(fd, F_SETFL, 0) == 0 && Set(fd, SOL_SOCKET, SO_RCVTIMEO, wait) &&
      (!endpoint.address.IsUnspecified() ||
       (v4 ? Set(fd, IPPROTO_IP, IP_PKTINFO, 1) : Set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)));
  if (!done) {
    return Unavailable("set up the UDP socket of " + endpoint.ToString() + ": " +
                       std::strerror(errno));
  }
  // Wishes: a kernel without them still serves. Path MTU reports are not believed, since anyone can
  // forge them to have answers sent in fragments, which others then replace.
  Set(fd, SOL_SOCKET, SO_RCVBUF, kReceiveBufferBytes);
  if (v4) {
    Set(fd, IPPROTO_IP, IP_MTU_DISCOVER, int{IP_PMTUDISC_OMIT});
  } else {
    Set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, int{IPV6_PMTUDISC_OMIT});
  }
  return socket;
}

}  // namespace reef::dns
