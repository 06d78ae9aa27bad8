// SPDX-License-Identifier: Apache-2.0
//
// write_codec_corpus FOLDER: writes one seed for the fuzzer dsht_codec for each kind of message.
#include <fstream>
#include <iostream>
#include <string>

#include "dsht/rpc/codec.h"
#include "tests/dsht/rpc/sample_messages.h"

int main(int argc, char** argv) {
  using namespace reef::dsht;
  if (argc != 2) {
    std::cerr << "usage: write_codec_corpus FOLDER\n";
    return 1;
  }
  for (const Message& message : SampleMessages()) {
    const std::string name =
        NameOf(message.body) + std::string(IsQuery(message.body) ? "_query" : "_reply");
    std::ofstream(argv[1] + ("/" + name), std::ios::binary) << Encode(message).SerializeAsString();
  }
  return 0;
}
