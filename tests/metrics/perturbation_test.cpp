// SPDX-License-Identifier: Apache-2.0
#include "unlearn/metrics/perturbation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "unlearn/core/error.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/core/matrix.hpp"
#include "unlearn/core/tensor_view.hpp"

namespace unlearn {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

using Image = View<const std::uint8_t, 3>;

/// An image, and the same image with noise of at most 8 levels; see the formula in the comment
/// below.
struct Pair {
  std::array<std::size_t, 3> extents;
  std::vector<std::uint8_t> clean_bytes;
  std::vector<std::uint8_t> perturbed_bytes;

  explicit Pair(const std::array<std::size_t, 3>& shape) : extents(shape) {
    for (std::size_t y = 0; y < shape[0]; ++y) {
      for (std::size_t x = 0; x < shape[1]; ++x) {
        for (std::size_t k = 0; k < shape[2]; ++k) {
          const auto level = static_cast<int>((7 * y + 13 * x + 31 * k + x * y / 3) % 256);
          const auto noise = static_cast<int>((5 * x + 3 * y + 2 * k) % 17) - 8;
          clean_bytes.push_back(static_cast<std::uint8_t>(level));
          perturbed_bytes.push_back(static_cast<std::uint8_t>(std::clamp(level + noise, 0, 255)));
        }
      }
    }
  }

  [[nodiscard]] Image clean() const { return {clean_bytes.data(), extents}; }
  [[nodiscard]] Image perturbed() const { return {perturbed_bytes.data(), extents}; }
};

// The expected figures are those of scikit-image 0.26.0 with NumPy 2.4.6:
//
//   import numpy as np
//   from skimage.metrics import peak_signal_noise_ratio, structural_similarity
//   for shape in (11, 11, 1), (24, 37, 3), (64, 48, 4):
//       y, x, k = np.indices(shape)
//       a = (7 * y + 13 * x + 31 * k + x * y // 3) % 256
//       b = np.clip(a + (5 * x + 3 * y + 2 * k) % 17 - 8, 0, 255).astype(np.uint8)
//       a = a.astype(np.uint8)
//       print(peak_signal_noise_ratio(a, b, data_range=255),
//             structural_similarity(a, b, gaussian_weights=True, sigma=1.5, channel_axis=2,
//                                   use_sample_covariance=False, data_range=255))
struct Golden {
  std::array<std::size_t, 3> extents;
  double psnr;
  double ssim;
};
constexpr std::array<Golden, 3> golden{{{{11, 11, 1}, 34.434658852729, 0.982852731084},
                                        {{24, 37, 3}, 34.402402046846, 0.993548247888},
                                        {{64, 48, 4}, 34.406655406510, 0.995648725407}}};

TEST(Psnr, AgreesWithScikitImage) {
  for (const Golden& expected : golden) {
    const Pair pair(expected.extents);
    EXPECT_NEAR(psnr(pair.clean(), pair.perturbed(), 255), expected.psnr, 1e-10);
  }
}

TEST(Ssim, AgreesWithScikitImage) {
  for (const Golden& expected : golden) {
    const Pair pair(expected.extents);
    EXPECT_NEAR(ssim(pair.clean(), pair.perturbed()), expected.ssim, 1e-10);
  }
}

TEST(Ssim, IsOneForEqualImages) {
  const Pair pair({20, 15, 3});
  EXPECT_NEAR(ssim(pair.clean(), pair.clean()), 1, 1e-12);
}

TEST(Ssim, IsSymmetric) {
  const Pair pair({20, 15, 3});
  EXPECT_DOUBLE_EQ(ssim(pair.clean(), pair.perturbed()), ssim(pair.perturbed(), pair.clean()));
}

TEST(Ssim, OfAPlanarImageIsTheMeanOverItsPlanes) {
  const Pair interleaved({16, 18, 3});
  double total = 0;
  for (std::size_t k = 0; k < 3; ++k) {
    std::vector<std::uint8_t> clean;
    std::vector<std::uint8_t> perturbed;
    for (std::size_t i = k; i < interleaved.clean_bytes.size(); i += 3) {
      clean.push_back(interleaved.clean_bytes[i]);
      perturbed.push_back(interleaved.perturbed_bytes[i]);
    }
    total += ssim(Image(clean.data(), {16, 18, 1}), Image(perturbed.data(), {16, 18, 1}));
  }
  EXPECT_NEAR(ssim(interleaved.clean(), interleaved.perturbed()), total / 3, 1e-12);
}

TEST(Ssim, RejectsImagesSmallerThanTheWindow) {
  const Pair low({10, 11, 3});
  const Pair narrow({11, 10, 3});
  EXPECT_THAT([&] { (void)ssim(low.clean(), low.perturbed()); },
              ThrowsMessage<InvalidArgument>(
                  HasSubstr("height of an image for SSIM: expected at least 11, got 10")));
  EXPECT_THAT([&] { (void)ssim(narrow.clean(), narrow.perturbed()); },
              ThrowsMessage<InvalidArgument>(
                  HasSubstr("width of an image for SSIM: expected at least 11, got 10")));
}

TEST(Linf, IsTheLargestDifferenceInLevels) {
  // Differences of both signs that are too large for int8.
  const std::array<std::uint8_t, 4> clean{0, 200, 10, 255};
  std::array<std::uint8_t, 4> perturbed{3, 196, 10, 255};
  const auto distance = [&] {
    return linf(View<const std::uint8_t, 2>(clean, {2, 2}),
                View<const std::uint8_t, 2>(perturbed, {2, 2}));
  };
  EXPECT_EQ(distance(), 4);
  perturbed[3] = 0;
  EXPECT_EQ(distance(), 255);
}

TEST(Linf, TakesContainersOfFloats) {
  Matrix clean(2, 2);
  clean << 0.5F, -1.0F, 0.25F, 2.0F;
  Matrix perturbed = clean;
  perturbed(1, 0) -= 0.125F;
  EXPECT_EQ(linf(clean, perturbed), 0.125);
}

TEST(Linf, DoesNotHideNan) {
  // At each place: a vectorised maximum must not lose it in any lane.
  for (Eigen::Index place = 0; place < 9; ++place) {
    const Matrix clean = Matrix::Zero(1, 9);
    Matrix perturbed = Matrix::Ones(1, 9);
    perturbed(0, place) = not_a_number<float>();
    EXPECT_TRUE(is_nan(linf(clean, perturbed))) << place;
  }
}

TEST(Psnr, IsInfiniteForEqualSignals) {
  const Matrix signal = Matrix::Random(3, 4);
  EXPECT_EQ(psnr(signal, signal, 1), positive_infinity<double>());
}

TEST(Psnr, DoesNotHideNan) {
  const Matrix clean = Matrix::Zero(3, 4);
  Matrix perturbed = clean;
  perturbed(1, 2) = not_a_number<float>();
  EXPECT_TRUE(is_nan(psnr(clean, perturbed, 1)));
}

TEST(Psnr, IsZeroWhenTheNoiseIsAsLargeAsThePeak) {
  const Matrix clean = Matrix::Zero(3, 4);
  const Matrix perturbed = Matrix::Constant(3, 4, -2.5F);
  EXPECT_NEAR(psnr(clean, perturbed, 2.5), 0, 1e-12);
}

TEST(Psnr, RejectsAPeakThatIsNone) {
  const Matrix signal = Matrix::Ones(2, 2);
  for (const double peak : {0.0, -1.0, positive_infinity<double>(), not_a_number<double>()}) {
    EXPECT_THAT([&] { (void)psnr(signal, signal, peak); },
                ThrowsMessage<InvalidArgument>(
                    HasSubstr("peak of a signal: expected a positive number, got")))
        << peak;
  }
}

TEST(Perturbation, RejectsSignalsOfDifferentShape) {
  const Pair tall({12, 11, 1});
  const Pair wide({11, 12, 1});
  const auto message = ThrowsMessage<InvalidArgument>(
      HasSubstr("extent 0 of a perturbed signal: expected 12, got 11"));
  EXPECT_THAT([&] { (void)linf(tall.clean(), wide.perturbed()); }, message);
  EXPECT_THAT([&] { (void)psnr(tall.clean(), wide.perturbed(), 255); }, message);
  EXPECT_THAT([&] { (void)ssim(tall.clean(), wide.perturbed()); }, message);
}

TEST(Perturbation, RejectsSignalsWithoutElements) {
  const Image none(nullptr, {12, 12, 0});
  const auto message = ThrowsMessage<InvalidArgument>(
      HasSubstr("elements of a clean signal: expected at least 1, got 0"));
  EXPECT_THAT([&] { (void)linf(none, none); }, message);
  EXPECT_THAT([&] { (void)psnr(none, none, 255); }, message);
  EXPECT_THAT([&] { (void)ssim(none, none); }, message);
}

static_assert(Comparable<Matrix, View<const float, 2>>);
static_assert(!Comparable<View<const float, 1>, View<const float, 2>>, "ranks must agree");
static_assert(!Comparable<View<const float, 2>, View<const double, 2>>, "types must agree");
static_assert(!Comparable<std::vector<float>, std::vector<float>>, "a vector is no view");

template <class A, class B>
constexpr bool has_linf = requires(A a, B b) { linf(a, b); };
template <class A, class B>
constexpr bool has_psnr = requires(A a, B b) { psnr(a, b, 1.0); };
static_assert(has_linf<Matrix, Matrix> && !has_linf<Matrix, MatrixOf<double>>);
static_assert(has_psnr<Matrix, Matrix> && !has_psnr<Matrix, MatrixOf<double>>);

}  // namespace
}  // namespace unlearn
