// SPDX-License-Identifier: Apache-2.0
//
// TestCa: a certificate authority made for one test, and server contexts with certificates of it.
// Everything is created in memory; only the authority's own certificate is written to a file, for
// those who are to trust it. One thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

struct evp_pkey_st;
struct ssl_ctx_st;
struct x509_st;

namespace reef::testing {

class TestCa {
 public:
  TestCa();
  ~TestCa();
  TestCa(const TestCa&) = delete;
  TestCa& operator=(const TestCa&) = delete;

  // PEM; removed with this object.
  const std::string& file() const { return file_; }

  struct Certificate {
    std::vector<std::string> names{};                          // DNS names
    std::vector<std::string> addresses{};                      // literals
    std::chrono::seconds valid_from = std::chrono::hours(-1);  // relative to now
    std::chrono::seconds valid_to = std::chrono::hours(1);
    bool self_signed = false;
    int tls_version_max = 0;  // as OpenSSL numbers them; 0: any
  };
  // Owned by this object.
  ssl_ctx_st* Server(const Certificate& certificate);

 private:
  evp_pkey_st* key_;
  x509_st* certificate_;
  std::string file_;
  std::vector<ssl_ctx_st*> contexts_;
};

}  // namespace reef::testing
