// SPDX-License-Identifier: Apache-2.0
//
// Who may speak DSHT with whom: the one place where the credentials of both ends are made. Plain
// text: a cluster runs on loopback or in a network that its operator trusts.
//
// Any thread, no blocking.
#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>

namespace reef::dsht {

inline std::shared_ptr<grpc::ServerCredentials> NodeServerCredentials() {
  return grpc::InsecureServerCredentials();
}

inline std::shared_ptr<grpc::ChannelCredentials> NodeChannelCredentials() {
  return grpc::InsecureChannelCredentials();
}

}  // namespace reef::dsht
