// SPDX-License-Identifier: Apache-2.0
// expect-error: Executor
#include <cstddef>

#include "unlearn/core/executor.hpp"

struct Pool {
#ifndef UNLEARN_BAD
  std::size_t size() const;
#endif
  void for_each(std::size_t n, const auto& task);
};

auto policy_of(Pool& pool) { return unlearn::on(pool); }
