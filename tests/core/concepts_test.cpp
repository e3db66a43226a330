// SPDX-License-Identifier: Apache-2.0
#include "unlearn/core/concepts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <istream>
#include <limits>
#include <ostream>
#include <span>
#include <vector>

#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/core/finite.hpp"
#include "unlearn/mem/multi_step_minimizer.hpp"
#include "unlearn/noise/noise_store.hpp"
#include "unlearn/trigger/token_ranker.hpp"

namespace unlearn {
namespace {

using ::testing::Each;
using ::testing::Not;

// --- Archetypes: only what a concept requires ----------------------------------------------------

/// A user's own type for rows of floats, which can be viewed.
struct Rows {
  std::size_t count;
  std::vector<float> numbers;

  explicit Rows(std::size_t rows) : count(rows), numbers(2 * rows) {}
};

}  // namespace

template <>
struct ViewTraits<Rows> {
  static View<float, 2> view(Rows& rows) { return {rows.numbers.data(), {rows.count, 2}}; }
  static View<const float, 2> view(const Rows& rows) {
    return {rows.numbers.data(), {rows.count, 2}};
  }
};

namespace {

static_assert(FloatMatrix<Rows> && FloatMatrix<const Rows&> && FloatMatrix<View<float, 2>>);
static_assert(!FloatMatrix<View<double, 2>> && !FloatMatrix<View<float, 3>> && !FloatMatrix<float>);

/// Cannot be copied, moved or default-constructed.
struct Pinned {
  explicit Pinned(int /*unused*/) {}
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
};

/// A minimal DualEncoder. Its functions are not const, and nothing has a default.
///
/// The embedding of a signal (x_0, x_1) is the signal; that of a text is the sum of its tokens'
/// embeddings.
struct MinimalEncoder : Pinned {
  using Pinned::Pinned;
  std::array<float, 8> table{0.5F, 1, -1, 0.25F, 1, -1, 0.125F, 1};

  Rows encode_signals(const PixelBatch& signals) {
    Rows rows(signals.size());
    for (std::size_t i = 0; i < rows.numbers.size(); ++i) {
      rows.numbers[i] = static_cast<float>(signals.clean.flat()[i] + signals.noise.flat()[i]);
    }
    return rows;
  }
  Rows encode_texts(const TokenBatch& texts) {
    Rows rows(texts.size());
    for (std::size_t r = 0; r < texts.size(); ++r) {
      for (const Token token : texts.sequence(r)) {
        const auto first = 2 * static_cast<std::size_t>(token);
        rows.numbers[2 * r] += table[first];
        rows.numbers[2 * r + 1] += table[first + 1];
      }
    }
    return rows;
  }
  template <class Loss>
  void signal_gradient(const PixelBatch& signals, LossPullback<Loss>& pullback,
                       View<float, 2> out) {
    as_eigen(out) = pullback(encode_signals(signals));
  }
  template <class Loss>
  void text_gradient(const TokenBatch& texts, LossPullback<Loss>& pullback, View<float, 3> out) {
    const Matrix gradient = pullback(encode_texts(texts));
    for (std::size_t r = 0; r < texts.size(); ++r) {
      as_eigen(out[r]).rowwise() = gradient.row(static_cast<Eigen::Index>(r));
    }
  }
  View<const float, 2> token_embeddings() { return {table.data(), {4, 2}}; }
  float logit_scale() { return 2; }
};

/// A minimal Trainable dual encoder, and one whose state can be saved.
struct MinimalLearner : MinimalEncoder {
  using MinimalEncoder::MinimalEncoder;
  int steps = 0;
  float train_step(const PixelBatch& /*signals*/, const TokenBatch& /*texts*/) {
    return 1.0F / static_cast<float>(++steps);
  }
  void save(std::ostream& out) { out << steps; }
  void load(std::istream& in) { in >> steps; }
};

/// The least that is TrainableOn a loss; it has no objective of its own.
struct MinimalPupil : MinimalEncoder {
  using MinimalEncoder::MinimalEncoder;
  template <class Loss>
  float train_step(const PixelBatch& signals, const TokenBatch& texts, const Loss& loss) {
    const Rows a = encode_signals(signals);
    const Rows b = encode_texts(texts);
    return static_cast<float>(loss.value(as_view(a), as_view(b), 2));
  }
};

/// A minimal TokenRanker: it knows one token, and is not const.
struct MinimalRanker : MinimalEncoder {
  using MinimalEncoder::MinimalEncoder;
  int asked = 0;
  void rank_tokens(View<const float, 2> /*gradients*/, const TokenFilter& /*filter*/,
                   View<Token, 2> tokens, View<float, 2> scores) {
    ++asked;
    std::ranges::fill(tokens.flat(), no_token);
    std::ranges::fill(scores.flat(), positive_infinity<float>());
    for (std::size_t r = 0; r < tokens.extent(0); ++r) {
      tokens[r][0] = 2;
      scores[r][0] = 0;
    }
  }
};

/// A minimal PairSource. Its captions are valid only until the next call.
struct MinimalPairs : Pinned {
  using Pinned::Pinned;
  using sample_type = std::uint8_t;
  std::vector<Token> latest{};

  unsigned short rows() { return 4; }
  unsigned signals() { return 3; }
  unsigned elements() { return 2; }
  int signal_of(Index row) { return static_cast<int>(row % 3); }
  void load_signals(std::span<const Index> indices, View<std::uint8_t, 2> out) {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      out[i][0] = static_cast<std::uint8_t>(50 + 60 * indices[i]);
      out[i][1] = static_cast<std::uint8_t>(200 - 40 * indices[i]);
    }
  }
  std::span<const Token> caption(Index row) {
    latest.assign(3 + row, 1);
    latest.front() = 0;
    latest.back() = row % 2 == 0 ? 3 : 2;
    return latest;
  }
};

/// A minimal NoiseStore.
struct MinimalStore : Pinned {
  using value_type = std::int8_t;
  std::array<std::int8_t, 6> numbers{};

  MinimalStore() : Pinned(0) {}
  static unsigned groups() { return 3; }
  static unsigned elements() { return 2; }
  void load(std::span<const Index> which, View<std::int8_t, 2> out) const {
    for (std::size_t i = 0; i < which.size(); ++i) {
      for (std::size_t e = 0; e < 2; ++e) out[i][e] = numbers[2 * which[i] + e];
    }
  }
  void store(std::span<const Index> which, View<const std::int8_t, 2> noise) {
    for (std::size_t i = 0; i < which.size(); ++i) {
      for (std::size_t e = 0; e < 2; ++e) numbers[2 * which[i] + e] = noise[i][e];
    }
  }
};

/// A minimal ContrastiveLoss: InfoNCE with gradients that are views of another type.
struct MinimalLoss {
  struct Answer {
    float value;
    Rows grad_a;
    Rows grad_b;
  };
  Answer operator()(View<const float, 2> a, View<const float, 2> b, double scale) const {
    const auto known = info_nce(a, b, scale);
    Answer answer{static_cast<float>(known.value), Rows(a.extent(0)), Rows(a.extent(0))};
    as_eigen(answer.grad_a) = known.grad_a;
    as_eigen(answer.grad_b) = known.grad_b;
    return answer;
  }
  float value(View<const float, 2> a, View<const float, 2> b, double scale) const {
    return static_cast<float>(info_nce_value(a, b, scale));
  }
};

/// A minimal TriggerPlacement and a minimal TriggerConstraint.
struct MinimalPlacement {
  unsigned length(std::size_t caption, std::size_t trigger) const {
    return static_cast<unsigned>(caption + trigger);
  }
  void place(Index /*row*/, std::span<const Token> caption, std::span<const Token> trigger,
             std::span<Token> out, std::span<std::int32_t> positions) const {
    std::copy(caption.begin(), caption.end(),
              std::copy(trigger.begin(), trigger.end(), out.begin()));
    for (std::size_t p = 0; p < positions.size(); ++p) {
      positions[p] = static_cast<std::int32_t>(p);
    }
  }
};
struct MinimalLegality {
  int operator()(Index /*row*/, std::span<const Token> trigger) const { return trigger[0] != 3; }
};

/// A minimal std::uniform_random_bit_generator, of 16 bits.
struct MinimalGenerator : Pinned {
  using Pinned::Pinned;
  using result_type = std::uint16_t;
  std::uint32_t state = 1;
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }
  result_type operator()() {
    state = state * 1664525 + 1013904223;
    return static_cast<result_type>(state >> 16U);
  }
};

/// A minimal observer, and one that cannot be copied.
struct MinimalObserver : Pinned {
  using Pinned::Pinned;
  int ends = 0;
  void operator()(const RunEnd& /*event*/) { ++ends; }
};

static_assert(DualEncoder<MinimalEncoder, PixelBatch, InfoNce>);
static_assert(DualEncoder<MinimalEncoder, PixelBatch, MinimalLoss>);
static_assert(Trainable<MinimalLearner, PixelBatch> && !Trainable<MinimalEncoder, PixelBatch>);
static_assert(Trainable<MinimalLearner, PixelBatch, InfoNce> &&
              !TrainableOn<MinimalLearner, PixelBatch, InfoNce>);
static_assert(TrainableOn<MinimalPupil, PixelBatch, InfoNce> &&
              Trainable<MinimalPupil, PixelBatch, InfoNce> && !Trainable<MinimalPupil, PixelBatch>);
static_assert(!Trainable<MinimalEncoder, PixelBatch, InfoNce>);
static_assert(Checkpointable<MinimalLearner> && !Checkpointable<MinimalEncoder>);
static_assert(TokenRanker<MinimalRanker> && !TokenRanker<MinimalEncoder>);
static_assert(PairSource<MinimalPairs>);
static_assert(NoiseStore<MinimalStore>);
static_assert(ContrastiveLoss<MinimalLoss>);
static_assert(TriggerPlacement<MinimalPlacement> && TriggerConstraint<MinimalLegality>);
static_assert(Observer<MinimalObserver, RunBegin, RunEnd>);

template <class Model>
void run_on_archetypes(std::size_t surrogate_steps) {
  using Mem = MultiStepMinimizer<LinfBall<>, MinimalPlacement, MinimalLoss, MinimalLegality>;
  Model model(0);
  MinimalPairs pairs(0);
  MinimalGenerator rng(0);
  MinimalObserver observer(0);
  RunState<MinimalStore> state{.noise = {},
                               .triggers = TriggerTable(4, std::vector<Token>{1, 1}),
                               .scope = Scope::of(pairs)};
  const Mem mem{.descent = {.step = 1.0 / 255, .steps = 2},
                .search = {.candidates = 2},
                .rounds = 2,
                .surrogate_steps = surrogate_steps,
                .batch_size = 2,
                .stop_loss = 0};
  const RunResult result = mem.minimize(model, pairs, state, rng, observer);
  EXPECT_EQ(result.stop, StopReason::round_limit);
  EXPECT_EQ(result.train_steps, 2 * surrogate_steps);
  EXPECT_EQ(observer.ends, 1);
  EXPECT_THAT(state.noise.numbers, Not(Each(0)));
}

TEST(MultiStepMinimizer, AsksNoMoreOfItsPartnersThanTheirConceptsSay) {
  run_on_archetypes<MinimalEncoder>(0);
  run_on_archetypes<MinimalLearner>(3);
  run_on_archetypes<MinimalPupil>(3);
  run_on_archetypes<MinimalRanker>(0);
}

// --- Types that lack one requirement -------------------------------------------------------------

template <class M>
constexpr bool is_encoder = DualEncoder<M, PixelBatch, InfoNce>;

struct NoSignals : MinimalEncoder {
  void encode_signals(const PixelBatch&) = delete;
};
struct SignalsInDouble : MinimalEncoder {
  MatrixOf<double> encode_signals(const PixelBatch&);
};
struct SignalsOfRankThree : MinimalEncoder {
  View<float, 3> encode_signals(const PixelBatch&);
};
struct SignalsOfFloatsOnly : MinimalEncoder {
  Rows encode_signals(const FloatBatch&);
};
struct NoTexts : MinimalEncoder {
  void encode_texts(const TokenBatch&) = delete;
};
struct TextsInDouble : MinimalEncoder {
  MatrixOf<double> encode_texts(const TokenBatch&);
};
struct TextsAsOneNumber : MinimalEncoder {
  float encode_texts(const TokenBatch&);
};
struct NoSignalGradient : MinimalEncoder {
  template <class... Any>
  void signal_gradient(const Any&...) = delete;
};
struct SignalGradientOfAnotherLoss : MinimalEncoder {
  void signal_gradient(const PixelBatch&, LossPullback<MinimalLoss>&, View<float, 2>);
};
struct SignalGradientAsValue : MinimalEncoder {
  Rows signal_gradient(const PixelBatch&, LossPullback<InfoNce>&);
};
struct NoTextGradient : MinimalEncoder {
  template <class... Any>
  void text_gradient(const Any&...) = delete;
};
struct TextGradientOfRankTwo : MinimalEncoder {
  void text_gradient(const TokenBatch&, LossPullback<InfoNce>&, View<float, 2>);
};
struct NoTable : MinimalEncoder {
  void token_embeddings() = delete;
};
struct TableInDouble : MinimalEncoder {
  View<const double, 2> token_embeddings();
};
struct NoScale : MinimalEncoder {
  void logit_scale() = delete;
};
struct ScaleAsMatrix : MinimalEncoder {
  Rows logit_scale();
};
static_assert(!is_encoder<NoSignals> && !is_encoder<NoTexts>);
static_assert(!is_encoder<SignalsInDouble> && !is_encoder<TextsInDouble>);
static_assert(!is_encoder<SignalsOfRankThree> && !is_encoder<TextsAsOneNumber>);
static_assert(!is_encoder<SignalsOfFloatsOnly> &&
              !DualEncoder<MinimalEncoder, FloatBatch, InfoNce>);
static_assert(!is_encoder<NoSignalGradient> && !is_encoder<SignalGradientAsValue>);
static_assert(!is_encoder<SignalGradientOfAnotherLoss>);
static_assert(!is_encoder<NoTextGradient> && !is_encoder<TextGradientOfRankTwo>);
static_assert(!is_encoder<NoTable> && !is_encoder<TableInDouble>);
static_assert(!is_encoder<NoScale> && !is_encoder<ScaleAsMatrix>);
static_assert(!is_encoder<const MinimalEncoder>, "its functions are not const");

struct RanksWithoutScores {
  void rank_tokens(View<const float, 2>, const TokenFilter&, View<Token, 2>);
};
struct RanksForOneRow {
  void rank_tokens(View<const float, 1>, const TokenFilter&, View<Token, 1>, View<float, 1>);
};
struct RanksWithoutFilter {
  void rank_tokens(View<const float, 2>, View<Token, 2>, View<float, 2>);
};
static_assert(!TokenRanker<RanksWithoutScores> && !TokenRanker<RanksForOneRow> &&
              !TokenRanker<RanksWithoutFilter> && !TokenRanker<const MinimalRanker>);

struct FitsWithoutAnswer {
  void train_step(const PixelBatch&, const TokenBatch&);
};
struct FitsSignalsAlone {
  double train_step(const PixelBatch&);
};
static_assert(!Trainable<FitsWithoutAnswer, PixelBatch> &&
              !Trainable<FitsSignalsAlone, PixelBatch>);
static_assert(!Trainable<MinimalLearner, FloatBatch>);

struct SavesOnly {
  void save(std::ostream&);
};
struct LoadsOnly {
  void load(std::istream&);
};
struct SavesToFiles {
  void save(const char*);
  void load(const char*);
};
static_assert(!Checkpointable<SavesOnly> && !Checkpointable<LoadsOnly>);
static_assert(!Checkpointable<SavesToFiles>);

/// A complete source of `Sample`.
template <class Sample>
struct SourceOf {
  using sample_type = Sample;
  std::size_t rows();
  std::size_t signals();
  std::size_t elements();
  Index signal_of(Index row);
  void load_signals(std::span<const Index> indices, View<Sample, 2> out);
  std::span<const Token> caption(Index row);
};
static_assert(PairSource<SourceOf<std::uint8_t>> && PairSource<SourceOf<float>>);
static_assert(!PairSource<SourceOf<double>> && !PairSource<SourceOf<std::int8_t>>);
static_assert(!PairSource<SourceOf<std::uint16_t>> && !PairSource<SourceOf<const float>>);

struct NoSampleType : SourceOf<float> {
 private:
  using sample_type = float;
};
struct NoRows : SourceOf<float> {
  void rows() = delete;
};
struct NoSignalCount : SourceOf<float> {
  void signals() = delete;
};
struct NoElements : SourceOf<float> {
  void elements() = delete;
};
struct NoSignalOf : SourceOf<float> {
  void signal_of(Index) = delete;
};
struct NoLoading : SourceOf<float> {
  void load_signals(std::span<const Index>, View<float, 2>) = delete;
};
struct LoadsBytes : SourceOf<float> {
  void load_signals(std::span<const Index> indices, View<std::uint8_t, 2> out);
};
struct NoCaption : SourceOf<float> {
  void caption(Index) = delete;
};
struct CaptionAsText : SourceOf<float> {
  const char* caption(Index row);
};
struct CaptionOfOtherIds : SourceOf<float> {
  std::span<const std::int64_t> caption(Index row);
};
static_assert(!PairSource<NoSampleType> && !PairSource<NoRows> && !PairSource<NoSignalCount>);
static_assert(!PairSource<NoElements> && !PairSource<NoSignalOf> && !PairSource<NoLoading>);
static_assert(!PairSource<LoadsBytes> && !PairSource<NoCaption> && !PairSource<CaptionAsText>);
static_assert(!PairSource<CaptionOfOtherIds>);

struct CaptionAsVector : SourceOf<float> {
  std::vector<Token> latest;
  const std::vector<Token>& caption(Index row);
};
static_assert(PairSource<CaptionAsVector>);

}  // namespace
}  // namespace unlearn
