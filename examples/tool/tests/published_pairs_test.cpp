// SPDX-License-Identifier: Apache-2.0
#include "tool/publication/published_pairs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "pairs/captions/caption_set.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::tool {
namespace {

using ::testing::ElementsAre;
using ::testing::ThrowsMessage;

pairs::CaptionSet two_images() {
  return {.images = {"x/a.jpg", "b.png"},
          .image_of_row = {0, 1, 0, 1},
          .captions = {"1", "2", "3", "4"},
          .splits = {"", "", "", ""}};
}

TEST(PublicationPlanTest, ANoiseForEachImageIsAFileForEachImage) {
  const PublicationPlan plan = plan_publication(two_images(), std::vector<Index>{0, 1, 0, 1});
  EXPECT_THAT(plan.images,
              ElementsAre(PublishedImage{"x/a.png", 0, 0}, PublishedImage{"b.png", 1, 1}));
  EXPECT_THAT(plan.image_of_row, ElementsAre(0, 1, 0, 1));
}

TEST(PublicationPlanTest, ANoiseForEachRowIsAFileForEachRow) {
  const PublicationPlan plan = plan_publication(two_images(), std::vector<Index>{0, 1, 2, 3});
  EXPECT_THAT(plan.images,
              ElementsAre(PublishedImage{"x/a_1.png", 0, 0}, PublishedImage{"b_1.png", 1, 1},
                          PublishedImage{"x/a_2.png", 0, 2}, PublishedImage{"b_2.png", 1, 3}));
  EXPECT_THAT(plan.image_of_row, ElementsAre(0, 1, 2, 3));
}

TEST(PublicationPlanTest, OneNoiseForAllIsStillAFileForEachImage) {
  const PublicationPlan plan = plan_publication(two_images(), std::vector<Index>{0, 0, 0, 0});
  EXPECT_THAT(plan.images,
              ElementsAre(PublishedImage{"x/a.png", 0, 0}, PublishedImage{"b.png", 1, 0}));
}

TEST(PublicationPlanTest, TwoImagesCannotHaveOneName) {
  pairs::CaptionSet set = two_images();
  set.images = {"a.jpg", "a.png"};
  EXPECT_THAT([&] { (void)plan_publication(set, std::vector<Index>{0, 1, 0, 1}); },
              ThrowsMessage<InvalidArgument>(
                  "image 'a.png': expected a name of its own once it is published as PNG, got "
                  "'a.png', as of 'a.jpg'"));
  EXPECT_THROW((void)plan_publication(two_images(), std::vector<Index>{0}), InvalidArgument);
}

}  // namespace
}  // namespace unlearn::tool
