// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <optional>

#include "unlearn/cuda/detail/copy_lane.cuh"

namespace unlearn::testing {

/// A copy lane of the host's that copies as late as it may: when somebody waits for the copy, who
/// must not have touched either side before. A copy that nobody has waited for on the host must not
/// be followed by another: its array there may still be read.
template <class Allocator>
class LateCopyLane {
 public:
  void begin(const void* from, std::size_t bytes, void* to) {
    EXPECT_TRUE(settled_);
    settled_ = false;
    pending_ = Copy{.from = from, .bytes = bytes, .to = to};
  }
  template <class DeviceT>
  void join(const DeviceT& /*device*/) {
    copy();
  }
  template <class DeviceT>
  void release(const DeviceT& /*device*/) {}
  void settle() {
    copy();
    settled_ = true;
  }

 private:
  struct Copy {
    const void* from;
    std::size_t bytes;
    void* to;
  };

  void copy() {
    if (!pending_) return;
    const cuda::detail::HostAccess<Allocator> access;
    if (pending_->bytes > 0) std::memcpy(pending_->to, pending_->from, pending_->bytes);
    pending_.reset();
  }

  std::optional<Copy> pending_;
  bool settled_ = true;
};

}  // namespace unlearn::testing
