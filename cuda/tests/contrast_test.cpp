// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "noise/random_numbers.hpp"
#include "on_device.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/contrast/info_nce_scorer.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/cuda/info_nce.cuh"
#include "unlearn/cuda/info_nce_scorer.cuh"

namespace {

using unlearn::Index;
using unlearn::InvalidArgument;
using unlearn::SplitMix64;
using unlearn::View;
using unlearn::testing::DeviceArray;
using unlearn::testing::random_numbers;

using Extents = std::array<std::size_t, 2>;

template <class T>
void expect_close(const std::vector<T>& got, std::span<const T> expected, double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  double largest = 0;
  for (const T x : expected) largest = std::max(largest, std::abs(static_cast<double>(x)));
  for (std::size_t i = 0; i < got.size(); ++i) {
    // One pair alone has the loss 0, by one way or another of rounding.
    EXPECT_NEAR(got[i], expected[i], tolerance * largest + 1e-300) << "number " << i;
  }
}

template <class T>
class InfoNceOnDevice : public unlearn::testing::OnDevice {
 protected:
  static constexpr double tolerance = sizeof(T) == 4 ? 1e-6 : 1e-11;

  struct Result {
    double value;
    double grad_log_scale;
    std::vector<T> grad_a;
    std::vector<T> grad_b;
  };

  Result on_device(const std::vector<T>& a, const std::vector<T>& b, const Extents& extents,
                   double scale) {
    DeviceArray<T> device_a(a);
    DeviceArray<T> device_b(b);
    DeviceArray<T> grad_a(a.size());
    DeviceArray<T> grad_b(b.size());
    DeviceArray<double> numbers(2);
    info_nce(device(), device_a.read(extents), device_b.read(extents), scale,
             {.value = numbers.data(),
              .grad_a = grad_a.view(extents),
              .grad_b = grad_b.view(extents),
              .grad_log_scale = numbers.data() + 1});
    const std::vector<double> host = numbers.numbers();
    return {.value = host[0],
            .grad_log_scale = host[1],
            .grad_a = grad_a.numbers(),
            .grad_b = grad_b.numbers()};
  }

  void expect_the_librarys(const std::vector<T>& a, const std::vector<T>& b, const Extents& extents,
                           double scale) {
    const auto expected = unlearn::info_nce(View<const T, 2>(a.data(), extents),
                                            View<const T, 2>(b.data(), extents), scale);
    const Result found = on_device(a, b, extents, scale);
    EXPECT_NEAR(found.value, expected.value, 1e-12 * expected.value);
    EXPECT_NEAR(found.grad_log_scale, expected.grad_log_scale,
                1e-9 * std::abs(expected.grad_log_scale) + 1e-14);
    expect_close<T>(found.grad_a, View<const T, 2>(expected.grad_a).flat(), tolerance);
    expect_close<T>(found.grad_b, View<const T, 2>(expected.grad_b).flat(), tolerance);
  }
};
using FloatTypes = testing::Types<float, double>;
TYPED_TEST_SUITE(InfoNceOnDevice, FloatTypes, );

TYPED_TEST(InfoNceOnDevice, IsTheLibrarys) {
  SplitMix64 rng(1);
  for (const Extents& extents :
       {Extents{2, 0}, Extents{1, 3}, Extents{2, 1}, Extents{7, 5}, Extents{150, 40}}) {
    for (const double scale : {0.5, 14.3, 100.0}) {
      SCOPED_TRACE(testing::Message() << extents[0] << " pairs, scale " << scale);
      const std::size_t count = extents[0] * extents[1];
      this->expect_the_librarys(random_numbers<TypeParam>(rng, count, -1, 1),
                                random_numbers<TypeParam>(rng, count, -1, 1), extents, scale);
    }
  }
}

TYPED_TEST(InfoNceOnDevice, IsAccurateNearZero) {
  // Pairs that fit: the loss is about e^-80.
  std::vector<TypeParam> a(16, 0);
  for (std::size_t i = 0; i < 4; ++i) a[i * 5] = 2;
  this->expect_the_librarys(a, a, {4, 4}, 80);
}

TYPED_TEST(InfoNceOnDevice, HoldsTheFloorOnTheNorms) {
  this->expect_the_librarys({0, 0, 1, 2, 3, 4}, {1, 1, 0, 0, 2, 1}, {3, 2}, 3);
}

TYPED_TEST(InfoNceOnDevice, IsNaNForWhatIsNotFinite) {
  const std::vector<TypeParam> good{1, 2, 3, 4};
  const TypeParam infinity = unlearn::positive_infinity<TypeParam>();
  const TypeParam nan = unlearn::not_a_number<TypeParam>();
  for (const TypeParam bad : {infinity, -infinity, nan}) {
    EXPECT_TRUE(unlearn::is_nan(this->on_device({1, bad, 3, 4}, good, {2, 2}, 2).value)) << bad;
    EXPECT_TRUE(
        unlearn::is_nan(this->on_device(good, good, {2, 2}, static_cast<double>(bad)).value));
  }
}

TYPED_TEST(InfoNceOnDevice, ChecksShapes) {
  DeviceArray<TypeParam> a(6);
  DeviceArray<double> numbers(2);
  const auto call = [&](const Extents& of_b, const Extents& of_gradient) {
    info_nce(this->device(), a.template read<2>({3, 2}), a.read(of_b), 1.0,
             {.value = numbers.data(),
              .grad_a = a.view(of_gradient),
              .grad_b = a.view(of_gradient),
              .grad_log_scale = numbers.data() + 1});
  };
  EXPECT_THROW(call({2, 3}, {3, 2}), InvalidArgument);
  EXPECT_THROW(call({3, 2}, {2, 3}), InvalidArgument);
}

TYPED_TEST(InfoNceOnDevice, AllocatesNothingTheSecondTime) {
  SplitMix64 rng(2);
  DeviceArray<TypeParam> a(random_numbers<TypeParam>(rng, 320, -1, 1));
  DeviceArray<TypeParam> gradient(640);
  DeviceArray<double> numbers(2);
  const Extents extents{32, 10};
  EXPECT_EQ(this->allocations_of_second([&] {
    info_nce(this->device(), a.read(extents), a.read(extents), 10.0,
             {.value = numbers.data(),
              .grad_a = gradient.view(extents),
              .grad_b = {gradient.data() + 320, extents},
              .grad_log_scale = numbers.data() + 1});
  }),
            0U);
}

class ScoringOnDevice : public unlearn::testing::OnDevice {};

TEST_F(ScoringOnDevice, GivesTheLibrarysLosses) {
  SplitMix64 rng(3);
  for (const Extents& extents : {Extents{1, 4}, Extents{2, 3}, Extents{33, 8}}) {
    for (const double scale : {1.0, 100.0}) {
      SCOPED_TRACE(testing::Message() << extents[0] << " pairs, scale " << scale);
      const auto signals = random_numbers<float>(rng, extents[0] * extents[1], -1, 1);
      const auto texts = random_numbers<float>(rng, extents[0] * extents[1], -1, 1);
      constexpr std::size_t candidates = 70;
      const Extents of_candidates{candidates, extents[1]};
      const auto embeddings = random_numbers<float>(rng, candidates * extents[1], -1, 1);
      std::vector<Index> replaced(candidates);
      for (Index& j : replaced) j = static_cast<Index>(rng() % extents[0]);

      unlearn::InfoNceScorer expected(View<const float, 2>(signals.data(), extents),
                                      View<const float, 2>(texts.data(), extents), scale);
      DeviceArray<float> device_signals(signals);
      DeviceArray<float> device_texts(texts);
      DeviceArray<float> device_embeddings(embeddings);
      DeviceArray<Index> device_replaced(replaced);
      DeviceArray<double> device_losses(candidates);
      std::vector<double> losses(candidates);
      unlearn::cuda::InfoNceScorer scoring(device(), device_signals.read(extents),
                                           device_texts.read(extents), scale);

      EXPECT_NEAR(scoring.loss(), expected.loss(), 1e-12 * expected.loss() + 1e-300);
      expected.score(replaced, View<const float, 2>(embeddings.data(), of_candidates), losses);
      scoring.score(device_replaced.read<1>({candidates}), device_embeddings.read(of_candidates),
                    device_losses.view<1>({candidates}));
      expect_close<double>(device_losses.numbers(), losses, 1e-12);

      // Each caption once, by the first candidate: from now on part of the batch.
      const std::size_t every = std::min(extents[0], candidates);
      std::vector<Index> all(every);
      for (std::size_t j = 0; j < every; ++j) all[j] = static_cast<Index>(every - 1 - j);
      DeviceArray<Index> device_all(all);
      expected.replace(all, View<const float, 2>(embeddings.data(), {every, extents[1]}));
      scoring.replace(device_all.read<1>({every}), device_embeddings.read<2>({every, extents[1]}));
      EXPECT_NEAR(scoring.loss(), expected.loss(), 1e-12 * expected.loss() + 1e-300);
      expected.score(replaced, View<const float, 2>(embeddings.data(), of_candidates), losses);
      scoring.score(device_replaced.read<1>({candidates}), device_embeddings.read(of_candidates),
                    device_losses.view<1>({candidates}));
      expect_close<double>(device_losses.numbers(), losses, 1e-12);
    }
  }
}

TEST_F(ScoringOnDevice, GivesNaNForACandidateThatIsNotFinite) {
  DeviceArray<float> rows(std::vector<float>{1, 2, 3, 4});
  DeviceArray<float> candidate(std::vector<float>{unlearn::not_a_number<float>(), 1, 0.5, 1});
  DeviceArray<Index> replaced(std::vector<Index>{0, 0});
  DeviceArray<double> losses(2);
  const unlearn::cuda::InfoNceScorer scoring(device(), rows.read<2>({2, 2}), rows.read<2>({2, 2}),
                                             2.0);
  scoring.score(replaced.read<1>({2}), candidate.read<2>({2, 2}), losses.view<1>({2}));
  EXPECT_TRUE(unlearn::is_nan(losses.numbers()[0]));
  EXPECT_FALSE(unlearn::is_nan(losses.numbers()[1]));
}

TEST_F(ScoringOnDevice, ChecksShapes) {
  DeviceArray<float> rows(6);
  DeviceArray<Index> replaced(2);
  DeviceArray<double> losses(2);
  using Scoring = unlearn::cuda::InfoNceScorer<decltype(device())>;
  EXPECT_THROW(Scoring(device(), rows.read<2>({3, 2}), rows.read<2>({2, 3}), 1.0), InvalidArgument);
  const Scoring scoring(device(), rows.read<2>({3, 2}), rows.read<2>({3, 2}), 1.0);
  const auto score = [&](const Extents& candidates, std::size_t of_losses) {
    scoring.score(replaced.read<1>({2}), rows.read(candidates), losses.view<1>({of_losses}));
  };
  EXPECT_NO_THROW(score({2, 2}, 2));
  EXPECT_THROW(score({2, 3}, 2), InvalidArgument);
  EXPECT_THROW(score({3, 2}, 2), InvalidArgument);
  EXPECT_THROW(score({2, 2}, 1), InvalidArgument);
}

TEST_F(ScoringOnDevice, AllocatesNothingTheSecondTime) {
  SplitMix64 rng(4);
  DeviceArray<float> rows(random_numbers<float>(rng, 64, -1, 1));
  DeviceArray<Index> replaced(std::vector<Index>{3, 1});
  DeviceArray<double> losses(2);
  EXPECT_EQ(allocations_of_second([&] {
              unlearn::cuda::InfoNceScorer scoring(device(), rows.read<2>({8, 8}),
                                                   rows.read<2>({8, 8}), 9.0);
              scoring.score(replaced.read<1>({2}), rows.read<2>({2, 8}), losses.view<1>({2}));
              scoring.replace(replaced.read<1>({2}), rows.read<2>({2, 8}));
              (void)scoring.loss();
            }),
            0U);
}

}  // namespace
