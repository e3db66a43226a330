// SPDX-License-Identifier: Apache-2.0
#include "unlearn/observers/stop_on.hpp"

#include <gtest/gtest.h>

#include <stop_token>

#include "observers/events.hpp"

namespace unlearn {
namespace {

static_assert(testing::RunObserver<StopOn>);

TEST(StopOn, StopsAtTheFirstBatchAfterTheRequest) {
  std::stop_source source;
  const StopOn observer = stop_on(source.get_token());
  EXPECT_EQ(observer(testing::batch_end(0, 3)), Flow::proceed);
  source.request_stop();
  EXPECT_EQ(observer(testing::batch_end(1, 3)), Flow::stop);
}

}  // namespace
}  // namespace unlearn
