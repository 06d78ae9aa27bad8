// SPDX-License-Identifier: Apache-2.0
#include "base/runtime/identity.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/check.h"
#include "base/runtime/socket.h"

namespace reef {
namespace {

constexpr size_t kFileBytesMax = 4096;

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

const unsigned char* AsUnsigned(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

Status FileError(const std::string& path, std::string_view what) {
  return FailedPrecondition(path + ": " + std::string(what));
}
Status SystemError(const std::string& path) {
  return FileError(path, std::strerror(errno));
}

StatusOr<std::string> ReadKeyFile(int fd, const std::string& path) {
  struct stat status;
  if (fstat(fd, &status) != 0) return SystemError(path);
  if ((status.st_mode & 077) != 0) {
    return FileError(path, "others can read this private key; make it yours alone: chmod 600");
  }
  std::string text(kFileBytesMax, '\0');
  const ssize_t n = read(fd, text.data(), text.size());
  if (n < 0) return SystemError(path);
  text.resize(static_cast<size_t>(n));
  return text;
}

Status WriteKeyFile(const std::string& directory, const std::string& path, std::string_view pem) {
  const std::string temporary = path + ".new";
  unlink(temporary.c_str());  // of a start that was killed
  UniqueFd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return SystemError(temporary);
  const ssize_t n = write(fd.get(), pem.data(), pem.size());
  if (n != static_cast<ssize_t>(pem.size())) {
    return n < 0 ? SystemError(temporary) : FileError(temporary, "the disk is full");
  }
  if (fsync(fd.get()) != 0 || rename(temporary.c_str(), path.c_str()) != 0) {
    return SystemError(path);
  }
  // The name is durable only with its folder.
  const UniqueFd folder(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || fsync(folder.get()) != 0) return SystemError(directory);
  return absl::OkStatus();
}

}  // namespace

void Identity::FreeKey::operator()(evp_pkey_st* key) const {
  EVP_PKEY_free(key);
}

Identity::Identity(Identity&&) noexcept = default;
Identity& Identity::operator=(Identity&&) noexcept = default;
Identity::~Identity() = default;

Identity::Identity(Key key) : key_(std::move(key)), public_key_(kPublicKeyBytes, '\0') {
  size_t length = public_key_.size();
  REEF_CHECK(EVP_PKEY_get_raw_public_key(
                 key_.get(), reinterpret_cast<unsigned char*>(public_key_.data()), &length) == 1 &&
             length == kPublicKeyBytes)
      << "not an Ed25519 key";
}

Identity Identity::Generate() {
  Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  REEF_CHECK(key != nullptr) << "OpenSSL cannot make Ed25519 keys";
  return Identity(std::move(key));
}

StatusOr<Identity> Identity::LoadOrCreate(const std::string& directory) {
  const std::string path = directory + "/identity.key";
  if (const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC)); fd) {
    ASSIGN_OR_RETURN(const std::string pem, ReadKeyFile(fd.get(), path));
    const std::unique_ptr<BIO, FreeBio> bio(
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    // The empty pass phrase: never ask for one on the terminal.
    Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, const_cast<char*>("")));
    ERR_clear_error();
    if (key == nullptr || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519) {
      return FileError(path,
                       "not an Ed25519 private key in PEM; restore it, or remove it to make "
                       "this a new node");
    }
    return Identity(std::move(key));
  }
  if (errno != ENOENT) return SystemError(path);

  Identity identity = Generate();
  const std::unique_ptr<BIO, FreeBio> bio(BIO_new(BIO_s_mem()));
  REEF_CHECK(PEM_write_bio_PKCS8PrivateKey(bio.get(), identity.key_.get(), nullptr, nullptr, 0,
                                           nullptr, nullptr) == 1)
      << "cannot write a key as PEM";
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &data);
  RETURN_IF_ERROR(WriteKeyFile(directory, path, {data, static_cast<size_t>(length)}));
  return identity;
}

std::string Identity::Sign(std::string_view message) const {
  std::string signature(kSignatureBytes, '\0');
  size_t length = signature.size();
  const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  REEF_CHECK(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
             EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()),
                            &length, AsUnsigned(message), message.size()) == 1)
      << "Ed25519 cannot sign";
  return signature;
}

bool Identity::Verify(std::string_view public_key, std::string_view message,
                      std::string_view signature) {
  if (public_key.size() != kPublicKeyBytes || signature.size() != kSignatureBytes) return false;
  const Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, AsUnsigned(public_key),
                                            public_key.size()));
  if (key == nullptr) return false;
  const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  const bool is_valid =
      EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
      EVP_DigestVerify(context.get(), AsUnsigned(signature), signature.size(), AsUnsigned(message),
                       message.size()) == 1;
  ERR_clear_error();
  return is_valid;
}

}  // namespace reef
