// SPDX-License-Identifier: Apache-2.0
#include "unlearn/core/backend.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "closed_backend.hpp"
#include "on_device.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/random.hpp"
#include "unlearn/device/streaming_backend.hpp"
#include "unlearn/noise/ball_and_box_set.hpp"
#include "unlearn/noise/l2_ball.hpp"
#include "unlearn/noise/linf_ball.hpp"
#include "unlearn/noise/noise_backend.hpp"
#include "unlearn/noise/pixel_grid_set.hpp"
#include "unlearn/noise/projected_sign_descent.hpp"
#include "unlearn/trigger/hotflip_candidate_search.hpp"
#include "unlearn/trigger/ranking_backend.hpp"

namespace unlearn {
namespace {

using testing::ClosedBackend;
using testing::DeviceArray;
using ::testing::ElementsAre;

static_assert(Backend<HostBackend> && !DevicePolicy<HostBackend>);
static_assert(Backend<ClosedBackend> && DevicePolicy<ClosedBackend>);
static_assert(StreamingBackend<ClosedBackend> && RankingBackend<ClosedBackend>);
static_assert(NoiseBackend<ClosedBackend, PixelGridSet>);
static_assert(NoiseBackend<ClosedBackend, BallAndBoxSet<float, L2Ball>>);
static_assert(!NoiseBackend<HostBackend, PixelGridSet>, "the host's policies move noise");
static_assert(!StreamingBackend<HostBackend> && !RankingBackend<HostBackend>);
static_assert(!Backend<Parallel> && ExecutionPolicy<Parallel> && !DevicePolicy<Parallel>);

// Without one thing it is no backend.
struct WithoutMemory {
  static constexpr bool memory = true;
};
static_assert(!ExecutionPolicy<WithoutMemory>, "`memory` is a MemorySpace");

struct WithoutFill : HostBackend {
  template <class T>
  static void fill(T, std::size_t, T*) = delete;
};
struct FillsFloatsAlone : HostBackend {
  static void fill(float, std::size_t, float*) {}
};
struct WithoutGather : HostBackend {
  static void gather_rows();
};
struct SumsIntoAReadOnlyView : HostBackend {
  static void sum_rows(View<const float, 2>, View<const Index, 1>, View<const Index, 1>,
                       std::span<float>);
};
struct FindsNothing : HostBackend {
  template <class T>
  static void all_finite(const T*, std::size_t) {}
};
struct ScratchOfBytes : HostBackend {
  template <class T>
  static std::vector<unsigned char> scratch(std::size_t);
};
static_assert(BackendPolicy<WithoutFill> && !Backend<WithoutFill>);
static_assert(!Backend<FillsFloatsAlone> && !Backend<WithoutGather>);
static_assert(!Backend<SumsIntoAReadOnlyView> && !Backend<FindsNothing>);
static_assert(!Backend<ScratchOfBytes>);

TEST(HostBackend, CopiesAndFills) {
  const std::vector<std::int8_t> numbers{1, 2, 3};
  auto room = scratch<std::int8_t>(parallel, 3);
  EXPECT_THAT(room, ElementsAre(0, 0, 0));
  HostBackend::copy_in(numbers.data(), 3, room.data());
  EXPECT_EQ(room, numbers);
  HostBackend::fill(std::int8_t{7}, 2, room.data());
  EXPECT_THAT(room, ElementsAre(7, 7, 3));
  std::vector<std::int8_t> out(3);
  HostBackend::copy_out(room.data(), 2, out.data());
  EXPECT_THAT(out, ElementsAre(7, 7, 0));
}

TEST(HostBackend, GathersAndSumsRows) {
  const std::vector<float> rows{1, 2, 3, 4, 5, 6};
  const std::vector<Index> picked{2, 0, 2};
  std::vector<float> to(6);
  HostBackend::gather_rows(View<const float, 2>(rows, {3, 2}), View<const Index, 1>(picked, {3}),
                           View<float, 2>(to, {3, 2}));
  EXPECT_THAT(to, ElementsAre(5, 6, 1, 2, 5, 6));

  const std::vector<Index> first{0, 2, 2, 3};
  std::vector<float> sums(6, 9);
  HostBackend::sum_rows(View<const float, 2>(rows, {3, 2}), View<const Index, 1>(picked, {3}),
                        View<const Index, 1>(first, {4}), View<float, 2>(sums, {3, 2}));
  EXPECT_THAT(sums, ElementsAre(6, 8, 0, 0, 5, 6)) << "a group without members is 0";
}

TEST(HostBackend, FindsWhatIsNotFinite) {
  std::vector<double> numbers{1, -2, std::numeric_limits<double>::max()};
  EXPECT_TRUE(HostBackend::all_finite(numbers.data(), numbers.size()));
  numbers.push_back(positive_infinity<double>());
  EXPECT_TRUE(HostBackend::all_finite(numbers.data(), 3)) << "what is not asked about";
  EXPECT_FALSE(HostBackend::all_finite(numbers.data(), 4));
}

/// Algorithms on the archetype, whose memory the host cannot touch.
class Archetype : public testing::OnDevice {};

/// f(δ) = Σ c_i δ_i in whole numbers, whose value is exact in any order.
template <class X>
auto linear(const std::vector<float>& slopes, const ClosedBackend* backend) {
  return [&slopes, backend](View<const X, 2> noise, View<gradient_of_t<X>, 2> grad) {
    std::vector<X> delta(noise.flat().size());
    std::vector<gradient_of_t<X>> gradient(slopes.begin(), slopes.end());
    double value = 0;
    if (backend != nullptr) {
      backend->copy_out(noise.data(), delta.size(), delta.data());
      backend->copy_in(gradient.data(), gradient.size(), grad.data());
    } else {
      std::ranges::copy(noise.flat(), delta.begin());
      std::ranges::copy(gradient, grad.flat().begin());
    }
    for (std::size_t i = 0; i < delta.size(); ++i) {
      value += static_cast<double>(slopes[i]) * static_cast<double>(delta[i]);
    }
    return value;
  };
}

std::vector<float> whole_numbers(SplitMix64& rng, std::size_t count) {
  std::vector<float> numbers(count);
  for (float& number : numbers) number = static_cast<float>(rng() % 7) - 3;
  return numbers;
}

TEST_F(Archetype, DescendsOnPixelsAsParallel) {
  SplitMix64 rng(1);
  const std::array<std::size_t, 2> extents{3, 20};
  const std::vector<float> slopes = whole_numbers(rng, 60);
  std::vector<std::uint8_t> clean(60);
  for (std::uint8_t& pixel : clean) pixel = static_cast<std::uint8_t>(rng());
  std::vector<std::int8_t> noise(60, 100);
  DeviceArray<std::uint8_t> device_clean(clean);
  DeviceArray<std::int8_t> device_noise(noise);
  const ClosedBackend backend = device();
  const ProjectedSignDescent descent{.step = 2.0 / 255, .steps = 3};

  const auto expected =
      descent.optimize(linear<std::int8_t>(slopes, nullptr), View<std::int8_t, 2>(noise, extents),
                       PixelGridSet{.lattice = {}, .clean = {clean.data(), extents}}, parallel);
  const auto result =
      descent.optimize(linear<std::int8_t>(slopes, &backend), device_noise.view(extents),
                       PixelGridSet{.lattice = {}, .clean = device_clean.read(extents)}, backend);

  EXPECT_EQ(device_noise.numbers(), noise);
  EXPECT_EQ(result.value, expected.value);
  EXPECT_EQ(result.steps, 3);
}

TEST_F(Archetype, DescendsOnFloatsAsParallel) {
  SplitMix64 rng(2);
  const std::array<std::size_t, 2> extents{2, 10};
  const std::vector<float> slopes = whole_numbers(rng, 20);
  std::vector<float> clean(20, 0.5F);
  std::vector<float> noise(20, 0.3F);
  DeviceArray<float> device_clean(clean);
  DeviceArray<float> device_noise(noise);
  const ClosedBackend backend = device();
  const ProjectedSignDescent descent{.step = 0.25, .steps = 2, .keep = Keep::last};
  using Set = BallAndBoxSet<float, LinfBall<>>;
  const LinfBall<> ball{.radius = 0.375};

  const auto expected =
      descent.optimize(linear<float>(slopes, nullptr), View<float, 2>(noise, extents),
                       Set{.ball = ball, .clean = {clean.data(), extents}}, parallel);
  const auto result =
      descent.optimize(linear<float>(slopes, &backend), device_noise.view(extents),
                       Set{.ball = ball, .clean = device_clean.read(extents)}, backend);

  EXPECT_EQ(device_noise.numbers(), noise);
  EXPECT_EQ(result.value, expected.value);
}

TEST_F(Archetype, SearchesTokensAsParallel) {
  SplitMix64 rng(3);
  const std::vector<float> gradients = whole_numbers(rng, 2 * 3 * 4);
  const std::vector<float> embeddings = whole_numbers(rng, 50 * 4);
  DeviceArray<float> device_gradients(gradients);
  DeviceArray<float> device_embeddings(embeddings);
  TokenFilter filter(50);
  filter.deny(7);
  const HotFlipCandidateSearch search{.candidates = 3, .spares = 4};
  const auto odd = [](std::size_t, std::size_t, Token token) { return token % 2 == 1; };

  const auto expected = search(parallel, View<const float, 3>(gradients, {2, 3, 4}),
                               View<const float, 2>(embeddings, {50, 4}), filter, odd);
  const auto found = search(device(), device_gradients.read<3>({2, 3, 4}),
                            device_embeddings.read<2>({50, 4}), filter, odd);

  EXPECT_TRUE(std::ranges::equal(found.tokens().flat(), expected.tokens().flat()));
  EXPECT_TRUE(std::ranges::equal(found.scores().flat(), expected.scores().flat()));
  EXPECT_EQ(search(device(), View<const float, 3>(nullptr, {0, 3, 4}),
                   device_embeddings.read<2>({50, 4}), filter)
                .tokens()
                .size(),
            0U);
}

TEST_F(Archetype, ChecksShapesBeforeTheBackendIsAsked) {
  DeviceArray<std::uint8_t> clean(12);
  DeviceArray<std::int8_t> noise(12);
  const PixelGridSet set{.lattice = {}, .clean = clean.read<2>({3, 4})};
  EXPECT_THROW(set.project(device(), noise.view<2>({4, 3})), InvalidArgument);
}

}  // namespace
}  // namespace unlearn
