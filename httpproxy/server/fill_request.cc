// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/server/fill_request.h"

#include "base/bytes.h"
#include "httpproxy/core/http_date.h"
#include "httpproxy/core/range.h"
#include "httpproxy/core/stored_head.h"

namespace reef::http {
namespace {

void AppendPart(const FillPart& part, std::string& head) {
  if (part.offset > 0) {
    head += "Range: bytes=" + std::to_string(part.offset) + "-\r\n";
    head += "If-Range: " + part.if_range + "\r\n";
  } else if (part.validate != nullptr) {
    head += ValidationFields(*part.validate);
  }
}

std::string Start(std::string_view method, const FetchRequest& request, std::string_view host) {
  std::string head;
  head.reserve(request.target.size() + request.fields.size() + 512);
  head.append(method).append(" ").append(request.target).append(" HTTP/1.1\r\nHost: ");
  head.append(host).append("\r\n");
  return head;
}

// What a client said to caches is not said to a holder: it has one order, only-if-cached.
void AppendWithoutCacheOrders(std::string_view fields, std::string& head) {
  while (!fields.empty()) {
    const size_t end = fields.find('\n');
    const std::string_view line = fields.substr(0, end == fields.npos ? fields.size() : end + 1);
    const std::string_view name = line.substr(0, line.find(':'));
    if (!EqualsIgnoreCase(name, "cache-control") && !EqualsIgnoreCase(name, "pragma")) {
      head.append(line);
    }
    fields.remove_prefix(line.size());
  }
}

std::optional<int64_t> DateOf(std::string_view text) {
  const auto date = ParseHttpDate(text);
  if (!date) return std::nullopt;
  return UnixSeconds(*date);
}

}  // namespace

std::string OriginRequestHead(const FetchRequest& request, std::string_view host,
                              const FillPart& part) {
  std::string head = Start("GET", request, host);
  head += request.fields;
  AppendPart(part, head);
  return head + "\r\n";
}

std::string AloneRequestHead(const FetchRequest& request, std::string_view host,
                             std::string_view framing) {
  std::string head = Start(request.method, request, host);
  head += request.fields;
  head.append(framing);
  return head + "\r\n";
}

std::string PeerRequestHead(const FetchRequest& request, std::string_view host, const PeerAsk& ask,
                            const FillPart& part) {
  std::string head = Start("GET", request, host);
  AppendWithoutCacheOrders(request.fields, head);
  head.append("Cache-Control: only-if-cached\r\n");
  head.append(kPeerField).append(": ").append(WritePeerAsk(ask)).append("\r\n");
  AppendPart(part, head);
  return head + "\r\n";
}

FetchHead FetchHeadOf(const ResponseHead& response) {
  FetchHead head;
  const std::string_view last_modified = response.fields.Value(FieldId::kLastModified);
  head.validator =
      StrongValidator(response.fields.Value(FieldId::kEtag), last_modified, DateOf(last_modified),
                      DateOf(response.fields.Value(FieldId::kDate)));
  if (response.status == 206) {
    head.partial = true;
    const auto range = ParseContentRange(response.fields.Value(FieldId::kContentRange));
    // Without a range it says nothing: it begins where nobody asked.
    head.first_byte = range && range->range ? range->range->first : ~uint64_t{0};
    if (range) head.total = range->length;
  } else if (response.status != 304) {
    head.total = response.content_length;
  }
  return head;
}

std::string CacheStatusOf(const ResponseHead& response) {
  std::string all;
  const Field* field = response.fields.Find(FieldId::kCacheStatus);
  for (; field != nullptr; field = response.fields.FindNext(field)) {
    if (!all.empty()) all += ", ";
    all += field->value;
  }
  return all;
}

}  // namespace reef::http
