// SPDX-License-Identifier: Apache-2.0
#include "tests/support/test_ca.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdlib>

#include "base/check.h"

namespace reef::testing {
namespace {

EVP_PKEY* NewKey() {
  return EVP_EC_gen("P-256");
}

void AddExtension(X509* to, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  REEF_CHECK(extension != nullptr) << value;
  X509_add_ext(to, extension, -1);
  X509_EXTENSION_free(extension);
}

X509* NewCertificate(EVP_PKEY* key, const std::string& name, std::chrono::seconds from,
                     std::chrono::seconds to) {
  static long serial = 0;
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), static_cast<long>(from.count()));
  X509_gmtime_adj(X509_getm_notAfter(certificate), static_cast<long>(to.count()));
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return certificate;
}

}  // namespace

TestCa::TestCa() : key_(NewKey()) {
  certificate_ = NewCertificate(key_, "Reef test CA", std::chrono::hours(-24 * 365),
                                std::chrono::hours(24 * 365));
  X509_set_issuer_name(certificate_, X509_get_subject_name(certificate_));
  AddExtension(certificate_, certificate_, NID_basic_constraints, "critical,CA:TRUE");
  X509_sign(certificate_, key_, EVP_sha256());

  const char* folder = std::getenv("TMPDIR");
  file_ = std::string(folder != nullptr ? folder : "/tmp") + "/reef-test-ca-XXXXXX";
  const int fd = mkstemp(file_.data());
  REEF_CHECK(fd >= 0) << file_;
  FILE* out = fdopen(fd, "w");
  PEM_write_X509(out, certificate_);
  fclose(out);
}

TestCa::~TestCa() {
  for (SSL_CTX* context : contexts_) SSL_CTX_free(context);
  X509_free(certificate_);
  EVP_PKEY_free(key_);
  unlink(file_.c_str());
}

ssl_ctx_st* TestCa::Server(const Certificate& wanted) {
  EVP_PKEY* key = NewKey();
  X509* certificate = NewCertificate(key, "server", wanted.valid_from, wanted.valid_to);
  std::string names;
  for (const std::string& name : wanted.names) names += ",DNS:" + name;
  for (const std::string& address : wanted.addresses) names += ",IP:" + address;
  if (!names.empty())
    AddExtension(certificate, certificate_, NID_subject_alt_name, names.substr(1));
  X509* issuer = wanted.self_signed ? certificate : certificate_;
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  X509_sign(certificate, wanted.self_signed ? key : key_, EVP_sha256());

  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_use_certificate(context, certificate);
  SSL_CTX_use_PrivateKey(context, key);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (wanted.tls_version_max != 0) {
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, 0);
    SSL_CTX_set_max_proto_version(context, wanted.tls_version_max);
  }
  contexts_.push_back(context);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return context;
}

}  // namespace reef::testing
