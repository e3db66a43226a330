// SPDX-License-Identifier: Apache-2.0
#include "pairs/cleaning/cleaning_kinds.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>

#include "message_of.hpp"
#include "unlearn/core/error.hpp"

namespace unlearn::pairs {
namespace {

using testing::message_of;

std::string named(std::string_view text) { return names_of(cleaning_of(cleaning_named(text))); }

TEST(CleaningKinds, AreNamedAsTheirStages) {
  std::set<std::string_view> names;
  for (const CleaningKind& kind : cleaning_kinds()) {
    EXPECT_TRUE(names.insert(kind.name).second) << kind.name;
    EXPECT_FALSE(kind.help.empty()) << kind.name;
    EXPECT_GE(kind.least, 1) << kind.name;  // 0 says that a kind is not wanted
    const CleaningStage stage = kind.stage(kind.most);
    EXPECT_TRUE(stage.image || stage.augment || stage.caption) << kind.name;
    // What a run records is what the report reads.
    const NamedCleaning read = read_cleaning_name(stage.name);
    EXPECT_EQ(read.kind, &kind) << stage.name;
    EXPECT_EQ(read.number, kind.most) << stage.name;
    EXPECT_NE(cleaning_label(stage.name), stage.name) << stage.name;
    if (kind.subject != nullptr) {
      EXPECT_FALSE(kind.subject(kind.most).empty()) << kind.name;
    }
  }
}

TEST(CleaningNamed, GivesStagesInTheFixedOrder) {
  EXPECT_EQ(named("none"), "none");
  EXPECT_EQ(named("jpeg 75"), "jpeg 75");
  EXPECT_EQ(named("random-crop, grayscale, strip-words 3"),
            "strip-words 3, grayscale, random-crop 0.5 to 1");
}

TEST(CleaningNamed, RefusesOtherNames) {
  const auto refusal = [](std::string_view text) {
    return message_of<InvalidArgument>([&] { (void)cleaning_named(text); });
  };
  EXPECT_EQ(refusal("blur"),
            "cleaning: expected one of none, strip-words, jpeg, grayscale, random-crop, got "
            "\"blur\"");
  EXPECT_EQ(refusal("jpeg"), "cleaning: expected jpeg with a number from 1 to 100, got \"jpeg\"");
  EXPECT_EQ(refusal("jpeg 101"),
            "cleaning: expected jpeg with a number from 1 to 100, got \"jpeg 101\"");
  EXPECT_EQ(refusal("grayscale 1"),
            "cleaning: expected grayscale without a number, got \"grayscale 1\"");
  EXPECT_THROW((void)cleaning_named(""), InvalidArgument);
  EXPECT_THROW((void)cleaning_named("jpeg 75, "), InvalidArgument);
  EXPECT_THROW((void)cleaning_of({.numbers = {1}}), InvalidArgument);
}

TEST(CleaningLabel, IsForPeople) {
  EXPECT_EQ(cleaning_label("none"), "No cleaning");
  EXPECT_EQ(cleaning_label("strip-words 1"), "First word cut off");
  EXPECT_EQ(cleaning_label("strip-words 3"), "First 3 words cut off");
  EXPECT_EQ(cleaning_label("jpeg 75, random-crop 0.5 to 1"), "JPEG, quality 75, Random crops");
  EXPECT_EQ(cleaning_label("grayscale"), "Grey images");
  for (const char* other : {"blur", "jpeg", "jpeg x", "strip-words ", ""}) {
    EXPECT_EQ(cleaning_label(other), other);
  }
}

}  // namespace
}  // namespace unlearn::pairs
