// SPDX-License-Identifier: Apache-2.0
#include "pairs/files/sha256.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <vector>

#include "unlearn/core/error.hpp"
#include "unlearn/io/file.hpp"

namespace unlearn::pairs {
namespace {

/// Computes the digest of bytes that are given piece by piece.
class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    require(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }

  void update(std::span<const std::byte> bytes) {
    require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }

  /// Must be the last call.
  /// @returns 64 hexadecimal digits
  [[nodiscard]] std::string digest() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned length = 0;
    require(EVP_DigestFinal_ex(context_.get(), bytes.data(), &length) == 1);
    std::string text;
    for (const unsigned char byte : std::span(bytes).first(length)) {
      text += "0123456789abcdef"[byte / 16];
      text += "0123456789abcdef"[byte % 16];
    }
    return text;
  }

 private:
  /// Fails if memory is exhausted, or the system's policy forbids the algorithm.
  static void require(bool holds) {
    if (!holds) throw Error(expectation("SHA-256", "OpenSSL to compute it", "an error"));
  }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string sha256_of(std::span<const std::byte> bytes) {
  Sha256 sum;
  sum.update(bytes);
  return sum.digest();
}

std::string sha256_of_file(const std::string& path) {
  const FileDescriptor file(path, O_RDONLY);
  std::vector<std::byte> piece(std::size_t{1} << 18U);
  Sha256 sum;
  while (true) {
    const auto got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_system_error(path, "to read it");
    if (got == 0) return sum.digest();
    sum.update(std::span(piece).first(static_cast<std::size_t>(got)));
  }
}

}  // namespace unlearn::pairs
