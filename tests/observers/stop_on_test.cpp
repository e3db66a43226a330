// SPDX-License-Identifier: Apache-2.0
#include "unlearn/observers/stop_on.hpp"

#include <gtest/gtest.h>

#include <version>

#include "observers/events.hpp"
#include "stop_flag.hpp"

#ifdef __cpp_lib_jthread
#include <stop_token>
#endif

namespace unlearn {
namespace {

using testing::StopFlag;

static_assert(testing::RunObserver<StopOn<StopFlag::Token>>);

TEST(StopOn, StopsAtTheFirstBatchAfterTheRequest) {
  StopFlag flag;
  const StopOn observer = stop_on(flag.get_token());
  EXPECT_EQ(observer(testing::batch_end(0, 3)), Flow::proceed);
  flag.requested = true;
  EXPECT_EQ(observer(testing::batch_end(1, 3)), Flow::stop);
}

#ifdef __cpp_lib_jthread
TEST(StopOn, TakesTheStandardsToken) {
  std::stop_source source;
  const StopOn<std::stop_token> observer = stop_on(source.get_token());
  EXPECT_EQ(observer(testing::batch_end(0, 3)), Flow::proceed);
  source.request_stop();
  EXPECT_EQ(observer(testing::batch_end(1, 3)), Flow::stop);
}
#endif

}  // namespace
}  // namespace unlearn
