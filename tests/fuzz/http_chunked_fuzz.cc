// SPDX-License-Identifier: Apache-2.0
//
// The chunked coding: any cut of the input gives the same bytes, end and error; what was decoded
// and is encoded again decodes to itself.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "httpproxy/core/body_framing.h"

namespace reef::http {
namespace {

using Step = ChunkedDecoder::Step;

struct Decoded {
  std::string data;
  std::string trailers;
  Step::What what = Step::What::kNeedMore;
  ChunkedDecoder::Error error = ChunkedDecoder::Error::kNone;
  size_t consumed = 0;

  friend bool operator==(const Decoded&, const Decoded&) = default;
};

Decoded Decode(std::string_view input, size_t step) {
  ChunkedDecoder decoder;
  Decoded result;
  while (result.consumed < input.size()) {
    const std::string_view piece = input.substr(result.consumed, step);
    const Step s = decoder.Decode(piece);
    REEF_CHECK(s.consumed <= piece.size());
    result.consumed += s.consumed;
    result.data += s.data;
    result.what = s.what;
    if (s.what == Step::What::kEnd || s.what == Step::What::kError) break;
    REEF_CHECK(s.consumed > 0) << "no progress";
  }
  if (result.what == Step::What::kData) result.what = Step::What::kNeedMore;
  result.error = decoder.error();
  result.trailers = decoder.trailers();
  return result;
}

void Run(std::string_view input) {
  const size_t step = 1 + static_cast<uint8_t>(input.front()) % 32;
  input.remove_prefix(1);
  const Decoded whole = Decode(input, std::max<size_t>(input.size(), 1));
  REEF_CHECK(Decode(input, step) == whole);
  REEF_CHECK(whole.data.size() <= input.size());
  if (whole.what != Step::What::kEnd) return;

  std::string again;
  if (!whole.data.empty()) {
    AppendChunkHeader(whole.data.size(), again);
    again += whole.data;
    again += kChunkEnd;
  }
  again += "0\r\n" + whole.trailers + "\r\n";
  const Decoded second = Decode(again, again.size());
  REEF_CHECK(second.what == Step::What::kEnd && second.consumed == again.size());
  REEF_CHECK(second.data == whole.data && second.trailers == whole.trailers);
}

}  // namespace
}  // namespace reef::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 0) reef::http::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
