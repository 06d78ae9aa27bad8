// SPDX-License-Identifier: Apache-2.0
//
// Heads for tests, parsed from text that they keep alive.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "httpproxy/core/http1_parser.h"

namespace reef::http {

// A GET of http://h/ with these "Name: value\r\n" lines, or another request.
class Request {
 public:
  explicit Request(const std::string& lines, const std::string& method = "GET",
                   const std::string& target = "/", const std::string& version = "HTTP/1.1")
      : text_(method + " " + target + " " + version + "\r\nHost: h\r\n" + lines + "\r\n") {
    HeadProgress progress;
    const ParseResult result = ParseRequestHead(text_, {}, progress, head_);
    EXPECT_EQ(result.what, ParseResult::What::kHead) << text_ << ParseErrorName(result.error);
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  const RequestHead& head() const { return head_; }
  const FieldTable& fields() const { return head_.fields; }

 private:
  const std::string text_;
  RequestHead head_;
};

class Response {
 public:
  explicit Response(const std::string& lines, int status = 200)
      : text_("HTTP/1.1 " + std::to_string(status) + " X\r\n" + lines + "\r\n") {
    HeadProgress progress;
    const ParseResult result = ParseResponseHead(text_, kResponseHeadLimits, progress, head_);
    EXPECT_EQ(result.what, ParseResult::What::kHead) << text_ << ParseErrorName(result.error);
  }
  Response(const Response&) = delete;
  Response& operator=(const Response&) = delete;

  const ResponseHead& head() const { return head_; }
  const FieldTable& fields() const { return head_.fields; }

 private:
  const std::string text_;
  ResponseHead head_;
};

}  // namespace reef::http
