// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <optional>
#include <vector>

namespace unlearn::testing {

/// A copy lane for backends in the host's memory that copies when the backend needs the copy, and
/// fails a test that uses a lane's memory too early: the host's array before settle(), the device's
/// before release().
/// @tparam Access while one lives, the host may touch the backend's memory
template <class Access>
class LateCopyLane {
 public:
  void begin(const void* from, std::size_t bytes, void* to) {
    EXPECT_TRUE(is_settled_) << "the host's array is in use";
    EXPECT_TRUE(is_released_ || bytes == 0) << "the device's buffer is in use, or new";
    is_settled_ = false;
    pending_ = Copy{.from = from, .bytes = bytes, .to = to};
  }
  /// On a GPU the host does not wait here: what is copied may be read until settle().
  void join() {
    copy();
    is_released_ = false;
  }
  void release() { is_released_ = true; }
  void settle() {
    copy();
    if (!is_settled_) {
      const Access access;
      EXPECT_TRUE(copied_.empty() || std::memcmp(source_, copied_.data(), copied_.size()) == 0)
          << "what was copied has changed on its way";
    }
    is_settled_ = true;
  }

 private:
  struct Copy {
    const void* from;
    std::size_t bytes;
    void* to;
  };

  void copy() {
    if (!pending_) return;
    const Access access;
    const auto* const bytes = static_cast<const unsigned char*>(pending_->from);
    copied_.assign(bytes, bytes + pending_->bytes);
    source_ = bytes;
    if (!copied_.empty()) std::memcpy(pending_->to, copied_.data(), copied_.size());
    pending_.reset();
  }

  std::optional<Copy> pending_;
  const unsigned char* source_ = nullptr;
  std::vector<unsigned char> copied_;
  bool is_settled_ = true;
  bool is_released_ = false;
};

}  // namespace unlearn::testing
