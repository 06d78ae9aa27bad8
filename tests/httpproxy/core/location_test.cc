// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/location.h"

#include <gtest/gtest.h>

#include <string>

namespace reef::http {
namespace {

const LocationContext kClient{.zone = "nyud.net", .proxy_port = "8090"};

TEST(CoralisedUrlTest, AbsoluteUrlsOfAnyHostStayInside) {
  EXPECT_EQ(CoralisedUrl("http://example.com/a?b#c", kClient),
            "http://example.com.nyud.net:8090/a?b#c");
  EXPECT_EQ(CoralisedUrl("https://example.com/a", kClient),
            "http://example.com.443.nyud.net:8090/a");
  EXPECT_EQ(CoralisedUrl("HTTP://Example.COM:8080", kClient),
            "http://example.com.8080.nyud.net:8090");
  EXPECT_EQ(CoralisedUrl("http://example.com?q", kClient), "http://example.com.nyud.net:8090?q");
  EXPECT_EQ(CoralisedUrl("http://example.com:/", kClient), "http://example.com.nyud.net:8090/");
  EXPECT_EQ(CoralisedUrl("http://example.com./", kClient), "http://example.com.nyud.net:8090/");
  EXPECT_EQ(CoralisedUrl("http://127.0.0.1:18000/x", kClient),
            "http://127.0.0.1.18000.nyud.net:8090/x");
  EXPECT_EQ(CoralisedUrl("http://[2001:DB8::1]:81/x", kClient),
            "http://2001-db8--1.ip6.81.nyud.net:8090/x");
}

TEST(CoralisedUrlTest, TheClientsOwnSchemeAndPortAreUsed) {
  EXPECT_EQ(CoralisedUrl("http://a.example/", {.zone = "nyud.net"}), "http://a.example.nyud.net/");
  EXPECT_EQ(CoralisedUrl("http://a.example/", {.zone = "nyud.net", .client_tls = true}),
            "https://a.example.nyud.net/");
}

TEST(Rfc3986Section42Test, ANetworkPathReferenceTakesTheOriginsScheme) {
  EXPECT_EQ(CoralisedUrl("//a.example/x", kClient), "http://a.example.nyud.net:8090/x");
  LocationContext context = kClient;
  context.origin_tls = true;
  EXPECT_EQ(CoralisedUrl("//a.example/x", context), "http://a.example.443.nyud.net:8090/x");
}

TEST(CoralisedUrlTest, EverythingElseIsLeftAlone) {
  for (const std::string url : {"/path",
                                "path",
                                "?query",
                                "#x",
                                "",
                                "../up",
                                "path:with/colon",
                                "mailto:a@example.com",
                                "ftp://example.com/",
                                "javascript:alert(1)",
                                "http:/example.com/",
                                "http:relative",
                                "http://a.nyud.net/",
                                "http://a.nyud.net:8090/",
                                "http://nyud.net/",
                                "//A.NYUD.NET/x",
                                "http://user@example.com/",
                                "http://user:pw@example.com/",
                                "https://example.com:8443/",
                                "http://example.com:443/",
                                "http://",
                                "http:///x",
                                "http://exa mple.com/",
                                "http://a.example\\@b.example/",
                                "http://example.com:99999/",
                                "http://example.com:0/",
                                "http://[::1/",
                                "http://[::1]x/",
                                "http://a..b/"}) {
    EXPECT_EQ(CoralisedUrl(url, kClient), std::nullopt) << url;
  }
}

TEST(AppendCoralisedFieldsTest, RewritesBothFieldsAndNothingElse) {
  std::string out;
  AppendCoralisedFields(
      "Server: s\r\nLOCATION: https://a.example/x\r\nX-Location: http://a.example/\r\n"
      "Content-Location: http://a.example/y\r\nLink: <http://a.example/>\r\nLocation: /rel\r\n",
      kClient, out);

  EXPECT_EQ(out,
            "Server: s\r\nLOCATION: http://a.example.443.nyud.net:8090/x\r\n"
            "X-Location: http://a.example/\r\n"
            "Content-Location: http://a.example.nyud.net:8090/y\r\n"
            "Link: <http://a.example/>\r\nLocation: /rel\r\n");
}

TEST(Rfc9111Section44Test, AReferenceOfTheSameOriginNamesATarget) {
  const Origin origin{.tls = false, .host = "a.example", .port = 8080};
  const auto of = [&](std::string_view reference) {
    return SameOriginTarget(reference, origin, "/dir/page?q=1").value_or("none");
  };

  EXPECT_EQ(of("/x"), "/x");
  EXPECT_EQ(of("/x?y=/../z#f"), "/x?y=/../z");
  EXPECT_EQ(of("x"), "/dir/x");
  EXPECT_EQ(of("./x/"), "/dir/x/");
  EXPECT_EQ(of("../x"), "/x");
  EXPECT_EQ(of("../../../x/./y/.."), "/x/");
  EXPECT_EQ(of("?r=2"), "/dir/page?r=2");
  EXPECT_EQ(of(""), "/dir/page?q=1");
  EXPECT_EQ(of("#f"), "/dir/page?q=1");
  EXPECT_EQ(of("http://A.example:8080/x/../y?z"), "/y?z");
  EXPECT_EQ(of("http://a.example:8080"), "/");
  EXPECT_EQ(of("//a.example:8080?q"), "/?q");
  EXPECT_EQ(of("http://a.example:8080#f"), "/");
}

TEST(Rfc9111Section44Test, AReferenceOfAnotherOriginNamesNone) {
  const Origin origin{.tls = false, .host = "a.example", .port = 80};
  for (const std::string reference :
       {"http://b.example/", "https://a.example/", "http://a.example:81/", "//b.example/x",
        "ftp://a.example/", "http:/x", "http://u@a.example/", "http://a.example\\@b/",
        "mailto:a"}) {
    EXPECT_EQ(SameOriginTarget(reference, origin, "/"), std::nullopt) << reference;
  }
}

TEST(MayCarryLocationTest, IsTrueOfRedirectsAndCreated) {
  EXPECT_TRUE(MayCarryLocation(201));
  EXPECT_TRUE(MayCarryLocation(301));
  EXPECT_TRUE(MayCarryLocation(308));
  EXPECT_FALSE(MayCarryLocation(200));
  EXPECT_FALSE(MayCarryLocation(404));
}

}  // namespace
}  // namespace reef::http
