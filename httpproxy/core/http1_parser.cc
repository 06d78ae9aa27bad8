// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/http1_parser.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "base/bytes.h"
#include "httpproxy/core/scan.h"

namespace reef::http {
namespace {

using What = ParseResult::What;

constexpr size_t kMethodBytesMax = 32;

// One pass over a head. Each step returns kHead to go on, kNeedMore at the end of the input, or
// kError with error_ set.
class Pass {
 public:
  Pass(std::string_view input, const HeadLimits& limits)
      : begin_(input.data()), p_(begin_), end_(begin_ + input.size()), limits_(limits) {}

  ParseError error() const { return error_; }
  size_t consumed() const { return static_cast<size_t>(p_ - begin_); }

  What RequestLine(RequestHead& head);
  What StatusLine(ResponseHead& head);
  // `strip_blanks`: before a colon they are removed instead of refused.
  What Fields(FieldTable& fields, bool strip_blanks);

  What Fail(ParseError error) {
    error_ = error;
    return What::kError;
  }

 private:
  bool AtEnd() const { return p_ == end_; }
  What Version(uint8_t& minor);
  What LineEnd(ParseError otherwise);
  What OneField(FieldTable& fields, bool strip_blanks);
  What FieldName(std::string_view& name, bool strip_blanks);

  const char* const begin_;
  const char* p_;
  const char* const end_;
  const HeadLimits& limits_;
  ParseError error_ = ParseError::kNone;
};

// CRLF. A lone CR or LF is named as such, any other byte is `otherwise`.
What Pass::LineEnd(ParseError otherwise) {
  if (AtEnd()) return What::kNeedMore;
  if (*p_ == '\n') return Fail(ParseError::kBareLf);
  if (*p_ != '\r') return Fail(otherwise);
  if (end_ - p_ < 2) return What::kNeedMore;
  if (p_[1] != '\n') return Fail(ParseError::kBareCr);
  p_ += 2;
  return What::kHead;
}

// HTTP-version, RFC 9112, 2.3. A minor version above 1 is processed as 1 (RFC 9110, 2.5).
What Pass::Version(uint8_t& minor) {
  static constexpr std::string_view kName = "HTTP/";
  const size_t have = std::min(static_cast<size_t>(end_ - p_), kName.size());
  if (std::memcmp(p_, kName.data(), have) != 0) return Fail(ParseError::kVersion);
  if (end_ - p_ < 8) return What::kNeedMore;
  if (!IsDigit(p_[5]) || p_[6] != '.' || !IsDigit(p_[7])) return Fail(ParseError::kVersion);
  if (p_[5] != '1') return Fail(ParseError::kVersionUnsupported);
  minor = p_[7] == '0' ? 0 : 1;
  p_ += 8;
  return What::kHead;
}

What Pass::RequestLine(RequestHead& head) {
  const char* const line = p_;
  p_ = SkipToken(p_, end_);
  if (static_cast<size_t>(p_ - line) > kMethodBytesMax) return Fail(ParseError::kMethod);
  if (AtEnd()) return What::kNeedMore;
  if (p_ == line) return Fail(*p_ == '\r' ? ParseError::kRequestLine : ParseError::kMethod);
  if (*p_ != ' ') return Fail(*p_ == '\r' ? ParseError::kRequestLine : ParseError::kMethod);
  head.method_text = {line, static_cast<size_t>(p_ - line)};
  head.method = IdentifyMethod(head.method_text);

  const char* const target = ++p_;
  p_ = SkipTarget(p_, end_);
  if (static_cast<size_t>(p_ - line) > limits_.line_bytes_max) {
    return Fail(ParseError::kTargetTooLong);
  }
  if (AtEnd()) return What::kNeedMore;
  if (p_ == target) return Fail(ParseError::kRequestLine);
  if (*p_ != ' ') return Fail(*p_ == '\r' ? ParseError::kRequestLine : ParseError::kTarget);
  head.target = {target, static_cast<size_t>(p_ - target)};

  ++p_;
  if (const What what = Version(head.minor); what != What::kHead) return what;
  return LineEnd(ParseError::kVersion);
}

What Pass::StatusLine(ResponseHead& head) {
  const char* const line = p_;
  if (const What what = Version(head.minor); what != What::kHead) {
    if (error_ == ParseError::kVersion) error_ = ParseError::kStatusLine;
    return what;
  }
  if (end_ - p_ < 5) return What::kNeedMore;
  if (p_[0] != ' ' || p_[1] < '1' || !IsDigit(p_[1]) || !IsDigit(p_[2]) || !IsDigit(p_[3])) {
    return Fail(ParseError::kStatusLine);
  }
  head.status = (p_[1] - '0') * 100 + (p_[2] - '0') * 10 + (p_[3] - '0');
  p_ += 4;
  // The space is due even before an empty reason, but many origins leave it out.
  if (*p_ == ' ')
    ++p_;
  else if (*p_ != '\r' && *p_ != '\n')
    return Fail(ParseError::kStatusLine);
  const char* const reason = p_;
  p_ = SkipFieldValue(p_, end_);
  if (static_cast<size_t>(p_ - line) > limits_.line_bytes_max) return Fail(ParseError::kStatusLine);
  head.reason = {reason, static_cast<size_t>(p_ - reason)};
  return LineEnd(ParseError::kStatusLine);
}

What Pass::FieldName(std::string_view& name, bool strip_blanks) {
  const char* const start = p_;
  p_ = SkipToken(p_, end_);
  if (static_cast<size_t>(p_ - start) > limits_.line_bytes_max) {
    return Fail(ParseError::kFieldTooLong);
  }
  if (AtEnd()) return What::kNeedMore;
  name = {start, static_cast<size_t>(p_ - start)};
  if (*p_ == ':' && !name.empty()) [[likely]] {
    ++p_;
    return What::kHead;
  }
  if (name.empty()) return Fail(ParseError::kFieldName);
  if (*p_ == '\r' || *p_ == '\n') return Fail(ParseError::kNoColon);
  if (*p_ != ' ' && *p_ != '\t') return Fail(ParseError::kFieldName);
  if (!strip_blanks) return Fail(ParseError::kBlankBeforeColon);
  while (!AtEnd() && (*p_ == ' ' || *p_ == '\t')) ++p_;
  if (AtEnd()) return What::kNeedMore;
  if (*p_ != ':') return Fail(ParseError::kNoColon);
  ++p_;
  return What::kHead;
}

What Pass::OneField(FieldTable& fields, bool strip_blanks) {
  const char* const line = p_;
  std::string_view name;
  if (const What what = FieldName(name, strip_blanks); what != What::kHead) return what;

  while (!AtEnd() && (*p_ == ' ' || *p_ == '\t')) ++p_;
  const char* const start = p_;
  p_ = SkipFieldValue(p_, end_);
  if (static_cast<size_t>(p_ - line) > limits_.line_bytes_max) {
    return Fail(ParseError::kFieldTooLong);
  }
  const char* stop = p_;
  if (const What what = LineEnd(ParseError::kFieldValue); what != What::kHead) return what;

  while (stop != start && (stop[-1] == ' ' || stop[-1] == '\t')) --stop;
  if (fields.size() >= limits_.fields_max ||
      !fields.Add(name, {start, static_cast<size_t>(stop - start)})) {
    return Fail(ParseError::kTooManyFields);
  }
  return What::kHead;
}

What Pass::Fields(FieldTable& fields, bool strip_blanks) {
  fields.Clear();
  for (;;) {
    if (AtEnd()) return What::kNeedMore;
    switch (*p_) {
      case '\r':
      case '\n':
        return LineEnd(ParseError::kBareCr);
      case ' ':
      case '\t':
        return Fail(ParseError::kFold);
      default:
        if (const What what = OneField(fields, strip_blanks); what != What::kHead) return what;
    }
  }
}

// ---- What the fields mean ----

// host [":" port] of names and addresses that exist: DNS knows no other bytes, and "a,b" or "%2e"
// are only ever seen in attacks.
bool IsHostAndPort(std::string_view text) {
  size_t i = 0;
  if (text.starts_with('[')) {
    for (i = 1; i < text.size() && text[i] != ']'; ++i) {
      const char c = AsciiLower(text[i]);
      if (!IsDigit(c) && !(c >= 'a' && c <= 'f') && c != ':' && c != '.') return false;
    }
    if (i < 3 || i == text.size()) return false;
    ++i;
  } else {
    for (; i < text.size() && text[i] != ':'; ++i) {
      const char c = AsciiLower(text[i]);
      if (!IsDigit(c) && !(c >= 'a' && c <= 'z') && c != '-' && c != '.' && c != '_' && c != '~') {
        return false;
      }
    }
    if (i == 0) return false;
  }
  if (i == text.size()) return true;
  if (text[i] != ':') return false;
  const std::string_view port = text.substr(i + 1);
  if (port.size() > 5) return false;
  const auto number = ParseDecimal(port);
  return port.empty() || (number && *number <= 65'535);
}

ParseError CheckHost(RequestHead& head) {
  const Field* host = head.fields.Find(FieldId::kHost);
  if (host == nullptr) {
    // RFC 9112, 3.2: due in every HTTP/1.1 request, also beside an absolute target.
    if (head.minor > 0) return ParseError::kHostMissing;
    return ParseError::kNone;
  }
  if (head.fields.FindNext(host) != nullptr) return ParseError::kHostRepeated;
  if (!IsHostAndPort(host->value)) return ParseError::kHost;
  if (head.form == RequestHead::Form::kOrigin || head.form == RequestHead::Form::kAsterisk) {
    head.host = host->value;
  }
  return ParseError::kNone;
}

ParseError SplitAbsolute(RequestHead& head) {
  std::string_view rest = head.target;
  const size_t colon = rest.find("://");
  if (colon == std::string_view::npos) return ParseError::kTarget;
  const std::string_view scheme = rest.substr(0, colon);
  head.absolute_tls = EqualsIgnoreCase(scheme, "https");
  if (!head.absolute_tls && !EqualsIgnoreCase(scheme, "http")) return ParseError::kTarget;

  rest.remove_prefix(colon + 3);
  const size_t slash = rest.find_first_of("/?");
  head.host = rest.substr(0, slash);
  if (!IsHostAndPort(head.host)) return ParseError::kTarget;  // user information too (9110, 4.2.4)
  if (slash == std::string_view::npos) {
    head.path = head.method == Method::kOptions ? "*" : "/";  // RFC 9112, 3.2.4
    return ParseError::kNone;
  }
  head.path = rest.substr(slash);
  // "http://host?query" would need a '/' that is not in the buffer; nobody sends it.
  return head.path.front() == '/' ? ParseError::kNone : ParseError::kTarget;
}

// RFC 9112, 3.2.
ParseError ClassifyTarget(RequestHead& head) {
  using Form = RequestHead::Form;
  head.host = {};
  head.path = {};
  head.absolute_tls = false;
  if (head.method == Method::kConnect) {
    head.form = Form::kAuthority;
    head.host = head.target;
    return IsHostAndPort(head.target) ? ParseError::kNone : ParseError::kTarget;
  }
  if (head.target.front() == '/') {
    head.form = Form::kOrigin;
    head.path = head.target;
    return ParseError::kNone;
  }
  if (head.target == "*") {
    head.form = Form::kAsterisk;
    head.path = head.target;
    return head.method == Method::kOptions ? ParseError::kNone : ParseError::kTarget;
  }
  head.form = Form::kAbsolute;
  return SplitAbsolute(head);
}

ParseError ReadContentLength(const FieldTable& fields, std::optional<uint64_t>& length) {
  length.reset();
  const Field* field = fields.Find(FieldId::kContentLength);
  if (field == nullptr) return ParseError::kNone;
  // RFC 9112, 6.3 lets equal repeats pass; that one parser in the chain sees but one is enough.
  if (fields.FindNext(field) != nullptr) return ParseError::kContentLengthRepeated;
  length = ParseDecimal(field->value);
  if (!length || *length > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return ParseError::kContentLength;
  }
  return ParseError::kNone;
}

ParseError ReadTransferEncoding(const FieldTable& fields, uint8_t minor, bool& chunked) {
  chunked = false;
  const Field* field = fields.Find(FieldId::kTransferEncoding);
  if (field == nullptr) return ParseError::kNone;
  if (fields.Has(FieldId::kContentLength)) return ParseError::kLengthAndEncoding;
  if (minor == 0) return ParseError::kTransferEncodingInHttp10;  // RFC 9112, 6.1
  if (fields.FindNext(field) != nullptr) return ParseError::kTransferEncoding;
  chunked = EqualsIgnoreCase(field->value, "chunked");
  if (chunked) return ParseError::kNone;
  std::string_view last, member;
  for (std::string_view rest = field->value; NextListMember(rest, member);) last = member;
  return EqualsIgnoreCase(last, "chunked") ? ParseError::kTransferEncodingUnsupported
                                           : ParseError::kTransferEncoding;
}

// Each field of a message is looked up in Connection's list, so that must be short.
ParseError CheckConnection(const FieldTable& fields) {
  constexpr size_t kConnectionBytesMax = 1024;
  size_t bytes = 0;
  for (const Field* field = fields.Find(FieldId::kConnection); field != nullptr;
       field = fields.FindNext(field)) {
    bytes += field->value.size();
  }
  return bytes > kConnectionBytesMax ? ParseError::kFieldTooLong : ParseError::kNone;
}

// RFC 9112, 9.3.
bool KeepsAlive(const FieldTable& fields, uint8_t minor) {
  if (!fields.Has(FieldId::kConnection)) return minor > 0;
  if (ListsToken(fields, FieldId::kConnection, "close")) return false;
  return minor > 0 || ListsToken(fields, FieldId::kConnection, "keep-alive");
}

template <typename Head>
ParseError ReadFraming(Head& head) {
  if (const auto e = ReadTransferEncoding(head.fields, head.minor, head.chunked);
      e != ParseError::kNone) {
    return e;
  }
  if (const auto e = CheckConnection(head.fields); e != ParseError::kNone) return e;
  head.keep_alive = KeepsAlive(head.fields, head.minor);
  return ReadContentLength(head.fields, head.content_length);
}

ParseError Interpret(RequestHead& head) {
  if (const auto e = ClassifyTarget(head); e != ParseError::kNone) return e;
  if (const auto e = CheckHost(head); e != ParseError::kNone) return e;
  head.expect_continue =
      head.minor > 0 && EqualsIgnoreCase(head.fields.Value(FieldId::kExpect), "100-continue");
  return ReadFraming(head);
}

ParseError Interpret(ResponseHead& head) {
  return ReadFraming(head);
}

What StartLine(Pass& pass, RequestHead& head) {
  return pass.RequestLine(head);
}
What StartLine(Pass& pass, ResponseHead& head) {
  return pass.StatusLine(head);
}

// An empty line, or what a lenient parser might take for one, ends within input[from, ...).
bool HasHeadEnd(std::string_view input, size_t from) {
  const char* const end = input.data() + input.size();
  const char* p = input.data() + from;
  while ((p = static_cast<const char*>(std::memchr(p, '\n', static_cast<size_t>(end - p)))) !=
         nullptr) {
    ++p;
    if (p != end && *p == '\n') return true;
    if (end - p >= 2 && p[0] == '\r' && p[1] == '\n') return true;
  }
  return false;
}

// A head that came whole is parsed at once. One that did not is not parsed again before its end
// has come: so each byte is looked at three times at most, and nothing but a number is kept.
template <typename Head>
ParseResult ParseHead(std::string_view input, size_t skip, const HeadLimits& limits,
                      HeadProgress& progress, Head& head) {
  constexpr bool kStripBlanks = std::is_same_v<Head, ResponseHead>;
  if (progress.seen > 0 && input.size() <= limits.head_bytes_max) {
    const size_t from = progress.seen > 2 ? progress.seen - 2 : 0;
    progress.seen = static_cast<uint32_t>(input.size());
    if (!HasHeadEnd(input, from)) return {};
  }

  Pass pass(input.substr(skip), limits);
  What what = StartLine(pass, head);
  if (what == What::kHead) what = pass.Fields(head.fields, kStripBlanks);
  if (what == What::kError) return {What::kError, pass.error(), 0};
  const size_t consumed = skip + pass.consumed();
  if ((what == What::kHead ? consumed : input.size()) > limits.head_bytes_max) {
    return {What::kError, ParseError::kHeadTooLong, 0};
  }
  if (what == What::kNeedMore) {
    progress.seen = static_cast<uint32_t>(input.size());
    return {};
  }
  if (const ParseError e = Interpret(head); e != ParseError::kNone) return {What::kError, e, 0};
  return {What::kHead, ParseError::kNone, consumed};
}

}  // namespace

std::string_view ParseErrorName(ParseError error) {
  static constexpr std::array<std::string_view, kParseErrorCount> kNames = {
      "none",
      "request-line",
      "method",
      "target",
      "version",
      "version-unsupported",
      "status-line",
      "target-too-long",
      "field-too-long",
      "head-too-long",
      "too-many-fields",
      "bare-lf",
      "bare-cr",
      "fold",
      "field-name",
      "blank-before-colon",
      "no-colon",
      "field-value",
      "host-missing",
      "host-repeated",
      "host",
      "content-length",
      "content-length-repeated",
      "length-and-encoding",
      "transfer-encoding",
      "transfer-encoding-unsupported",
      "transfer-encoding-in-http10",
  };
  return kNames[static_cast<size_t>(error)];
}

int StatusFor(ParseError error) {
  switch (error) {
    case ParseError::kTargetTooLong:
      return 414;
    case ParseError::kFieldTooLong:
    case ParseError::kHeadTooLong:
    case ParseError::kTooManyFields:
      return 431;
    case ParseError::kTransferEncodingUnsupported:
      return 501;
    case ParseError::kVersionUnsupported:
      return 505;
    default:
      return 400;
  }
}

Method IdentifyMethod(std::string_view token) {
  switch (token.size()) {
    case 3:
      if (token == "GET") return Method::kGet;
      if (token == "PUT") return Method::kPut;
      break;
    case 4:
      if (token == "HEAD") return Method::kHead;
      if (token == "POST") return Method::kPost;
      break;
    case 5:
      if (token == "PATCH") return Method::kPatch;
      if (token == "TRACE") return Method::kTrace;
      break;
    case 6:
      if (token == "DELETE") return Method::kDelete;
      break;
    case 7:
      if (token == "OPTIONS") return Method::kOptions;
      if (token == "CONNECT") return Method::kConnect;
      break;
    default:
      break;
  }
  return Method::kOther;
}

bool IsSafe(Method method) {
  return method == Method::kGet || method == Method::kHead || method == Method::kOptions ||
         method == Method::kTrace;
}

ParseResult ParseRequestHead(std::string_view input, const HeadLimits& limits,
                             HeadProgress& progress, RequestHead& head) {
  const size_t skip = input.starts_with("\r\n") ? 2 : 0;
  if (input == "\r") return {};  // perhaps the first half of an empty line
  return ParseHead(input, skip, limits, progress, head);
}

ParseResult ParseResponseHead(std::string_view input, const HeadLimits& limits,
                              HeadProgress& progress, ResponseHead& head) {
  return ParseHead(input, 0, limits, progress, head);
}

}  // namespace reef::http
