// SPDX-License-Identifier: Apache-2.0
//
// The second half of response_head.h: what this proxy says when it is not given, or will not give,
// an answer of the origin's.
#include "base/check.h"
#include "httpproxy/core/response_head.h"

namespace reef::http {

ErrorText TextFor(ParseError error) {
  const int status = StatusFor(error);
  switch (error) {
    case ParseError::kNone:
      break;
    case ParseError::kRequestLine:
      return {status, "The request line is not METHOD TARGET VERSION with single spaces.",
              "Send a line such as: GET /path HTTP/1.1"};
    case ParseError::kMethod:
      return {status, "The method is not a token, or there are bytes before it.",
              "If this was TLS, use a TLS port; else send plain HTTP/1.1."};
    case ParseError::kTarget:
      return {status, "The request target is not one that HTTP/1.1 knows.",
              "Send a path that begins with '/', and percent-encode spaces, '#', control bytes "
              "and everything beyond ASCII."};
    case ParseError::kVersion:
      return {status, "The request line does not end in an HTTP version.", "End it with HTTP/1.1."};
    case ParseError::kVersionUnsupported:
      return {status, "This port speaks HTTP/1.1 and HTTP/1.0 only.", "Use HTTP/1.1."};
    case ParseError::kStatusLine:
      return {status, "The status line is malformed.", "Send HTTP/1.1, a status and a reason."};
    case ParseError::kTargetTooLong:
      return {status, "The request line is over 8 KiB.", "Use a shorter URL."};
    case ParseError::kFieldTooLong:
      return {status, "A header field is too long: over 8 KiB, or a Connection over 1 KiB.",
              "Send smaller fields; often it is a cookie."};
    case ParseError::kHeadTooLong:
      return {status, "The request's header is over 32 KiB.", "Send fewer or smaller fields."};
    case ParseError::kTooManyFields:
      return {status, "The request has more than 100 header fields.", "Send fewer."};
    case ParseError::kBareLf:
      return {status, "A line ends in LF without CR.", "End every line with CRLF."};
    case ParseError::kBareCr:
      return {status, "There is a CR that no LF follows.", "End every line with CRLF."};
    case ParseError::kFold:
      return {status, "A header field is folded over several lines, or has a blank in front.",
              "Send each field on one line."};
    case ParseError::kFieldName:
    case ParseError::kNoColon:
      return {status, "A header line is not NAME: VALUE, the name a token.",
              "Send names of letters, digits and hyphens, then a colon."};
    case ParseError::kBlankBeforeColon:
      return {status, "There is a blank between a header field's name and its colon.",
              "Leave it out."};
    case ParseError::kFieldValue:
      return {status, "A header field's value has control bytes in it.", "Leave them out."};
    case ParseError::kHostMissing:
      return {status, "The request has no Host field.", "HTTP/1.1 needs one: send Host: NAME"};
    case ParseError::kHostRepeated:
      return {status, "The request has several Host fields.", "Send one."};
    case ParseError::kHost:
      return {status, "The Host field is no host name with an optional port.",
              "Send Host: NAME or Host: NAME:PORT"};
    case ParseError::kContentLength:
      return {status, "Content-Length is not a decimal number.", "Send digits only."};
    case ParseError::kContentLengthRepeated:
      return {status, "The request has several Content-Length fields.", "Send one."};
    case ParseError::kLengthAndEncoding:
      return {status, "The request has both Content-Length and Transfer-Encoding.",
              "Send one of them."};
    case ParseError::kTransferEncoding:
      return {status, "The request's end cannot be found: Transfer-Encoding is not \"chunked\".",
              "Send Transfer-Encoding: chunked, or Content-Length."};
    case ParseError::kTransferEncodingUnsupported:
      return {status, "Transfer-Encoding names a coding besides \"chunked\".",
              "Send Transfer-Encoding: chunked alone."};
    case ParseError::kTransferEncodingInHttp10:
      return {status, "HTTP/1.0 has no Transfer-Encoding.", "Send Content-Length."};
  }
  return TextFor(status);
}

ErrorText TextFor(HostVerdict verdict) {
  switch (verdict) {
    case HostVerdict::kOk:
      break;
    case HostVerdict::kEmpty:
      return {400, "The request does not say which host it is for.", "Send a Host field."};
    case HostVerdict::kNotOurs:
      return {404, "This proxy does not serve that host name.",
              "Append this network's suffix to the name, as in example.com.nyud.net."};
    case HostVerdict::kApex:
      return {404, "This is the network's own name, not that of a site.",
              "Put a site's name in front of it, as in example.com.nyud.net."};
    case HostVerdict::kBadName:
      return {400, "What stands before the suffix is no host name.",
              "Use HOST.SUFFIX or HOST.PORT.SUFFIX."};
    case HostVerdict::kBadPort:
      return {400, "The last number before the suffix is no port.",
              "Use HOST.PORT.SUFFIX with a port from 1 to 65535."};
    case HostVerdict::kAddressRefused:
      return {403, "This network serves sites by name, not by address.", "Use the site's name."};
    case HostVerdict::kNested:
      return {400, "The name has this network's suffix twice, which would be a loop.",
              "Append the suffix once."};
  }
  REEF_CHECK(false) << "no error: " << HostVerdictName(verdict);
  return {};
}

ErrorText TextFor(int status) {
  switch (status) {
    case 400:
      return {status, "The request is malformed.", "Send HTTP/1.1 as in RFC 9112."};
    case 403:
      return {status, "This proxy may not fetch that for you.",
              "Addresses and ports that are not public are refused."};
    case 404:
      return {status, "There is no such host or page here.", "Check the URL."};
    case 405:
      return {status, "That method is not allowed here.", "Use GET or HEAD."};
    case 408:
      return {status, "The request did not come in time.", "Send it again, faster."};
    case 412:
      return {status, "A condition of the request (If-Match, If-Unmodified-Since) does not hold.",
              "Fetch the current version first."};
    case 413:
      return {status, "The request's content is too large.", "Send less."};
    case 414:
      return {status, "The URL is too long.", "Use a shorter one."};
    case 416:
      return {status, "The range lies beyond the end.", "See Content-Range for the length."};
    case 417:
      return {status, "The expectation cannot be met.", "Leave the Expect field out."};
    case 429:
      return {status, "Too many requests from your address.", "Wait a moment and try again."};
    case 431:
      return {status, "The request's header is too large.", "Send fewer or smaller fields."};
    case 501:
      return {status, "That method or coding is not known here.", "Use GET or HEAD."};
    case 502:
      return {status, "The origin server could not be reached, or its answer made no sense.",
              "Try again later; if it lasts, tell the site's owner."};
    case 503:
      return {status, "This proxy is too busy, or about to stop.", "Try again in a second."};
    case 504:
      return {status, "The origin server did not answer in time.", "Try again later."};
    case 505:
      return {status, "This port speaks HTTP/1.1 and HTTP/1.0 only.", "Use HTTP/1.1."};
    case 508:
      return {status, "The request has come through this network before: it goes in a circle.",
              "The site's origin must not be served through this network itself."};
    default:
      return {status, "Something went wrong in this proxy.", "Try again later."};
  }
}

void AppendErrorResponse(const ErrorText& text, const ErrorContext& context, std::string& out) {
  std::string body = std::to_string(text.status);
  body += ' ';
  body += ReasonPhrase(text.status);
  body += "\n\n";
  body += text.what;
  body += '\n';
  for (const std::string_view line : {context.details, text.remedy}) {
    if (line.empty()) continue;
    body += line;
    body += '\n';
  }

  std::string fields =
      "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n";
  fields += context.more_fields;
  FieldTable table;
  ReadFieldLines(context.more_fields, table);
  if (!table.Has(FieldId::kCacheControl)) fields += "Cache-Control: no-store\r\n";

  ResponseStart start;
  start.status = text.status;
  start.fields = fields;
  start.framing = {BodyFraming::Kind::kLength, body.size()};
  start.date = context.date;
  start.via = context.via;
  start.cache_status = context.cache_status;
  start.minor = context.minor;
  start.keep_alive = context.keep_alive;
  AppendResponseHead(start, out);
  if (!context.head_only) out += body;
}

}  // namespace reef::http
