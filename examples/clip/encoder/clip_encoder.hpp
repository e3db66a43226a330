// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/ATen.h>
#include <c10/util/FunctionRef.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <istream>
#include <optional>
#include <ostream>
#include <vector>

#include "clip/encoder/micro_batches.hpp"
#include "clip/kernels/token_screen.hpp"
#include "clip/model/model.hpp"
#include "clip/training/loss_gradients.hpp"
#include "clip/training/optimizer.hpp"
#include "unlearn/contrast/info_nce.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/concepts.hpp"
#include "unlearn/core/model_loss.hpp"
#include "unlearn/interop/torch.hpp"
#include "unlearn/trigger/token_filter.hpp"
#include "unlearn/trigger/token_ranker.hpp"

#ifdef UNLEARN_CLIP_CUDA
#include "clip/cuda/gpu_token_ranker.hpp"
#endif

namespace unlearn::clip {

/// How images are normalised, channel by channel: (x − mean) / deviation, x in [0, 1].
struct PixelStatistics {
  std::array<float, 3> mean{};       ///< red, green, blue
  std::array<float, 3> deviation{};  ///< red, green, blue
};

/// What CLIP was trained with. Source: OpenAI's release.
inline constexpr PixelStatistics clip_pixels{.mean = {0.48145466F, 0.4578275F, 0.40821073F},
                                             .deviation = {0.26862954F, 0.26130258F, 0.27577711F}};

/// What the towers multiply in when nothing is trained.
enum class Precision : std::uint8_t {
  single,    ///< float
  bfloat16,  ///< convolutions and products in bfloat16; about three significant digits
};

/// How a ClipEncoder works.
struct ClipEncoderOptions {
  at::Device device = at::kCPU;  ///< where model and batches live
  /// Whether the views of signals, and of their gradient, refer to the device's memory, as those of
  /// a run with a policy of unlearn::cuda do; on PyTorch's current stream.
  bool signals_on_device = false;
  Precision precision = Precision::single;  ///< of encoding and of both gradients
  PixelStatistics pixels = clip_pixels;     ///< normalisation
  AdamWSettings optimizer{};                ///< of `train_step`
  /// Memory for activations, in bytes; 0 takes half of what is available on the CPU, and on other
  /// devices what there is. Batches that need more are cut into micro-batches.
  std::size_t memory_bytes = 0;
  /// The most texts in one forward pass, where memory would allow more: small ones stay in cache.
  std::size_t texts_per_pass = 256;
};

/// A CLIP model as the library's core sees it: a ClipEncoder that is Trainable and Checkpointable.
///
/// Signals are images [S, S, 3], height by width by channel, as an 8-bit image file holds them:
/// uint8 with int8 noise, or float in [0, 1]; the model's own layout is then channels-last, without
/// a copy. Bytes go to the device as bytes and become floats there.
///
/// Encoding and gradients run in evaluation mode and ask for no gradient of a parameter. They cut
/// a batch into micro-batches that fit into memory: for gradients, the embeddings of all are
/// computed first, and those of each micro-batch once more with its backward pass (Gao et al.,
/// GradCache, 2021). Texts are sorted by length, and each pass is cut to its longest text: what
/// stands behind the end token cannot matter, as attention is causal.
///
/// On the CPU the same calls give the same bytes for the same number of LibTorch's threads and the
/// same `memory_bytes`: left at 0, micro-batches follow the memory that is free, where it is
/// scarce.
class ClipEncoder {
 public:
  /// @param model   moved to the device; shared with the caller
  /// @param options see ClipEncoderOptions
  explicit ClipEncoder(Clip model, const ClipEncoderOptions& options = {});

  /// @param images [B, S·S·3]
  /// @returns        [B, D]
  /// @throws InvalidArgument when the images have another size than the model's.
  template <class Sample, class Noise>
  [[nodiscard]] Matrix encode_signals(const SignalBatch<Sample, Noise>& images) {
    return encode_images(images.size(), [&](std::size_t first, std::size_t count) {
      return normalised(slice(images, first, count));
    });
  }

  /// @param texts [R, L], any R
  /// @returns     [R, D]
  /// @throws InvalidArgument for a text longer than the context, or a token outside the vocabulary.
  [[nodiscard]] Matrix encode_texts(const TokenBatch& texts);

  /// ∂L/∂(I + δ), images in [0, 1].
  /// @param pullback     see LossPullback; called once
  /// @param gradient [B, S·S·3] out
  template <class Sample, class Noise, class Loss>
  void signal_gradient(const SignalBatch<Sample, Noise>& images, LossPullback<Loss>& pullback,
                       View<float, 2> gradient) {
    image_gradient(
        images.size(),
        [&](std::size_t first, std::size_t count) {
          return normalised(slice(images, first, count));
        },
        [&](const at::Tensor& embeddings) { return pull_back(pullback, embeddings); }, gradient);
  }

  /// ∂L/∂e_j, the embeddings of the tokens at the trigger positions j.
  /// @param pullback     see LossPullback; called once
  /// @param gradient [R, n, W] out
  template <class Loss>
  void text_gradient(const TokenBatch& texts, LossPullback<Loss>& pullback,
                     View<float, 3> gradient) {
    token_gradient(
        texts, [&](const at::Tensor& embeddings) { return pull_back(pullback, embeddings); },
        gradient);
  }

  /// [V, W]; valid until the next `train_step` or `load`.
  [[nodiscard]] View<const float, 2> token_embeddings();

  /// See TokenRanker: on a GPU in builds with UNLEARN_CUDA; else by a TokenScreen where the
  /// processor has one, and by the library's product where not.
  /// The screen is made at the first call after a `train_step` or `load`.
  void rank_tokens(View<const float, 2> gradients, const TokenFilter& filter, View<Token, 2> tokens,
                   View<float, 2> scores);

  /// exp(s).
  [[nodiscard]] double logit_scale();

  /// The bias on the scaled similarities, which a SigLip asks for.
  /// @throws InvalidArgument for a model without one; see ClipImpl::add_logit_bias
  [[nodiscard]] double logit_bias();

  /// One AdamW step on the pairs, in training mode. Not cut into micro-batches: a batch that does
  /// not fit into memory throws.
  ///
  /// The towers get their gradients from the loss's closed form, and so do the logit scale and the
  /// bias where the loss has derivatives by them.
  /// @param loss a ContrastiveLoss; it is given the model's current parameters: see bound_loss
  /// @returns the loss before the step; where that is not finite no step is taken, and nothing has
  ///          changed but the running statistics of the norms
  template <class Sample, class Noise, class Loss = InfoNce>
  double train_step(const SignalBatch<Sample, Noise>& images, const TokenBatch& texts,
                    const Loss& loss = {}) {
    const Loss bound = bound_loss(loss, *this);
    return train_on(normalised(slice(images, 0, images.size())), texts,
                    [&](const Matrix& image_rows, const Matrix& text_rows) {
                      return loss_gradients(bound(image_rows, text_rows, logit_scale()));
                    });
  }

  /// Writes weights (the scale and the bias among them), moments and the number of steps, as a
  /// safetensors file.
  void save(std::ostream& out);

  /// Reads what `save` wrote.
  /// @throws FileError when it is damaged or of another model; the model is then as it was.
  void load(std::istream& in);

  /// The model, shared.
  [[nodiscard]] const Clip& model() const { return model_; }
  /// The optimiser behind `train_step`.
  [[nodiscard]] const Optimizer& optimizer() const { return optimizer_; }
  /// The options it was made with.
  [[nodiscard]] const ClipEncoderOptions& options() const { return options_; }

 private:
  /// Images as they are stored, on the device: [B, S, S, 3] bytes or floats, the noise likewise
  /// or undefined.
  struct Pixels {
    at::Tensor clean;
    at::Tensor noise;
    double unit = 1;
  };

  /// Normalised images `first` to `first + count` of a batch, [count, 3, S, S].
  using ImagesAt = c10::function_ref<at::Tensor(std::size_t first, std::size_t count)>;
  using PullbackTensor = c10::function_ref<at::Tensor(const at::Tensor& embeddings)>;
  using LossOf = c10::function_ref<LossGradients(const Matrix& images, const Matrix& texts)>;

  template <class Sample, class Noise>
  [[nodiscard]] Pixels slice(const SignalBatch<Sample, Noise>& images, std::size_t first,
                             std::size_t count) const {
    require_elements(images.elements());
    if (!images.noise.empty()) {
      unlearn::require_size("rows of the noise", images.size(), images.noise.extent(0));
      require_elements(images.noise.extent(1));
    }
    const at::Device from = home_of_signals();
    return {.clean = to_device(as_tensor(images.clean.slice(first, count), from)),
            .noise = images.noise.empty()
                         ? at::Tensor()
                         : to_device(as_tensor(images.noise.slice(first, count), from)),
            .unit = images.unit};
  }

  [[nodiscard]] at::Device home_of_signals() const {
    return options_.signals_on_device ? options_.device : at::Device(at::kCPU);
  }
  void require_elements(std::size_t elements) const;
  [[nodiscard]] at::Tensor to_device(const at::Tensor& tensor) const;
  [[nodiscard]] at::Tensor normalised(const Pixels& pixels) const;
  [[nodiscard]] at::Tensor token_tensor(const TokenBatch& texts) const;

  [[nodiscard]] Matrix encode_images(std::size_t count, ImagesAt images);
  void image_gradient(std::size_t count, ImagesAt images, PullbackTensor pullback,
                      View<float, 2> gradient);
  void token_gradient(const TokenBatch& texts, PullbackTensor pullback, View<float, 3> gradient);
  void forget_table();
  double train_on(const at::Tensor& pixels, const TokenBatch& texts, LossOf loss_of);

  [[nodiscard]] at::Tensor embed_images(const at::Tensor& pixels);
  [[nodiscard]] at::Tensor embed_texts_by_length(const TokenBatch& texts);
  [[nodiscard]] at::Tensor embed_tokens(const at::Tensor& embedded, const at::Tensor& ends);

  Clip model_;
  ClipEncoderOptions options_;
  Optimizer optimizer_;
  at::Tensor scale_;  // [3]: normalised = x·scale + shift, x in [0, 1]
  at::Tensor shift_;  // [3]
  at::Tensor table_;  // the token embeddings on the CPU, where the model is elsewhere
  std::optional<TokenScreen> screen_;  // of table_
#ifdef UNLEARN_CLIP_CUDA
  std::optional<GpuTokenRanker> ranker_;  // of the model's own table
#endif
  std::size_t images_per_pass_;
  std::size_t images_per_gradient_;
  std::size_t tokens_per_pass_;
  std::size_t tokens_per_gradient_;
};

static_assert(unlearn::DualEncoder<ClipEncoder, PixelBatch, InfoNce>);
static_assert(unlearn::DualEncoder<ClipEncoder, FloatBatch, InfoNce>);
static_assert(TrainableOn<ClipEncoder, PixelBatch, InfoNce>);
static_assert(Trainable<ClipEncoder, PixelBatch>);
static_assert(Checkpointable<ClipEncoder>);
static_assert(TokenRanker<ClipEncoder>);

/// Lets LibTorch use as many threads as there are cores, or `threads`; Debian's starts with one.
/// Call it once, before any other use of LibTorch.
void use_threads(unsigned threads = 0);

}  // namespace unlearn::clip
