// SPDX-License-Identifier: Apache-2.0
#include "clip/encoder/clip_encoder.hpp"

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/generated/variable_factories.h>
#include <torch/utils.h>
#include <torch/version.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "clip/model/weights.hpp"

#include "unlearn/core/error.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/io/file.hpp"
#include "unlearn/trigger/hotflip_candidate_search.hpp"

namespace unlearn::clip {
namespace {

constexpr std::string_view weight_prefix = "model.";
constexpr std::string_view steps_key = "steps";
constexpr std::size_t fit_groups = 4;  // texts of like lengths; with more, the products get small
constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

std::size_t memory_for(const ClipEncoderOptions& options) {
  if (options.memory_bytes > 0) return options.memory_bytes;
  return options.device.is_cpu() ? available_memory() / 2 : unlimited;
}

/// How many things of `bytes` each the memory holds; at least one.
std::size_t how_many(std::size_t memory, std::size_t bytes) {
  return std::max<std::size_t>(memory / std::max<std::size_t>(bytes, 1), 1);
}

void set_requires_grad(ClipImpl& model, bool value) {
  for (at::Tensor& parameter : model.parameters()) parameter.set_requires_grad(value);
}

/// While it lives, the model trains: parameters ask for gradients, norms follow the batch.
class TrainingMode {
 public:
  explicit TrainingMode(ClipImpl& model) : model_(&model) {
    set_requires_grad(model, true);
    model.train();
  }
  TrainingMode(const TrainingMode&) = delete;
  TrainingMode& operator=(const TrainingMode&) = delete;
  ~TrainingMode() {
    // None is left behind by a backward pass that failed on its way.
    for (at::Tensor& parameter : model_->parameters()) parameter.mutable_grad().reset();
    model_->eval();
    set_requires_grad(*model_, false);
  }

 private:
  ClipImpl* model_;
};

/// While it lives, and if `on`, convolutions and products of this thread are taken in bfloat16.
class Autocast {
 public:
  Autocast(bool on, at::DeviceType device) : on_(on), device_(device), before_(current()) {
    if (on_) set({.enabled = true, .dtype = at::kBFloat16});
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;
  ~Autocast() {
    if (!on_) return;
    set(before_);
    at::autocast::clear_cache();
  }

 private:
  struct Mode {
    bool enabled;
    at::ScalarType dtype;
  };

  [[nodiscard]] Mode current() const {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
    return {at::autocast::is_autocast_enabled(device_), at::autocast::get_autocast_dtype(device_)};
#else
    if (device_ == at::kCPU) {
      return {at::autocast::is_cpu_enabled(), at::autocast::get_autocast_cpu_dtype()};
    }
    return {at::autocast::is_enabled(), at::autocast::get_autocast_gpu_dtype()};
#endif
  }

  void set(const Mode& mode) const {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
    at::autocast::set_autocast_enabled(device_, mode.enabled);
    at::autocast::set_autocast_dtype(device_, mode.dtype);
#else
    if (device_ == at::kCPU) {
      at::autocast::set_cpu_enabled(mode.enabled);
      at::autocast::set_autocast_cpu_dtype(mode.dtype);
    } else {
      at::autocast::set_enabled(mode.enabled);
      at::autocast::set_autocast_gpu_dtype(mode.dtype);
    }
#endif
  }

  bool on_;
  at::DeviceType device_;
  Mode before_;
};

Matrix to_matrix(const at::Tensor& embeddings) {
  const at::Tensor rows = embeddings.to(at::kCPU, at::kFloat).contiguous();
  return as_eigen(view_of<const float, 2>(rows));
}

/// Texts by length, so that a pass over texts of like lengths has little padding.
struct SortedTexts {
  std::vector<std::int64_t> order;  // rows of the batch, the longest first

  explicit SortedTexts(const TokenBatch& texts) : order(texts.size()) {
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::int64_t row) {
      return texts.lengths[static_cast<std::size_t>(row)];
    });
  }

  /// How many texts from `first` on fit into one pass of so many tokens, padding included.
  [[nodiscard]] std::size_t fitting(const TokenBatch& texts, std::size_t first, std::size_t tokens,
                                    std::size_t most) const {
    const auto longest =
        static_cast<std::size_t>(texts.lengths[static_cast<std::size_t>(order[first])]);
    return std::min({order.size() - first, most,
                     std::max<std::size_t>(tokens / std::max<std::size_t>(longest, 1), 1)});
  }

  [[nodiscard]] at::Tensor rows(std::size_t first, std::size_t count) const {
    return at::tensor(at::ArrayRef(order).slice(first, count), at::kLong);
  }
};

/// Texts [R, L], cut to the longest of them.
at::Tensor cut_texts(const at::Tensor& tokens) {
  return tokens.narrow(1, 0, ClipImpl::ends_of(tokens).max().item<std::int64_t>() + 1);
}

using PullbackTensor = c10::function_ref<at::Tensor(const at::Tensor& embeddings)>;

/// Forward, pullback, backward: in one pass over all rows if they fit into memory; else the
/// embeddings first, without gradients, and then each micro-batch with its share of the pulled
/// gradient.
/// @param limit    rows that fit into one backward pass; kept up to date
/// @param encode   gives the embeddings of all rows
/// @param backward backward(first, count, pull_of) runs one pass and writes its gradient
template <class Encode, class Backward>
void in_one_pass_or_more(std::size_t rows, std::size_t& limit, PullbackTensor pullback,
                         const Encode& encode, const Backward& backward) {
  at::Tensor pulled;
  if (rows <= limit) {
    try {
      backward(std::size_t{0}, rows, [&](const at::Tensor& embeddings) {
        pulled = pullback(embeddings);
        return pulled;
      });
      return;
    } catch (const std::exception& error) {
      if (rows < 2 || !is_out_of_memory(error)) throw;
      limit = rows / 2;
    }
  }
  if (!pulled.defined()) pulled = pullback(encode());
  in_micro_batches(rows, limit, [&](std::size_t first, std::size_t count) {
    backward(first, count, [&](const at::Tensor&) {
      return pulled.narrow(0, static_cast<std::int64_t>(first), static_cast<std::int64_t>(count));
    });
  });
}

}  // namespace

void use_threads(unsigned threads) {
  at::set_num_threads(static_cast<int>(Parallel{.threads = threads}.thread_count()));
}

ClipEncoder::ClipEncoder(Clip model, const ClipEncoderOptions& options)
    : model_(std::move(model)), options_(options), optimizer_(*model_, options.optimizer) {
  model_->to(options.device);
  model_->eval();
  set_requires_grad(*model_, false);
  if (!model_->resnet.is_empty()) {
    const torch::NoGradGuard no_gradient;
    for (at::Tensor& weight : model_->resnet->parameters()) {
      if (weight.dim() == 4) weight.set_data(weight.contiguous(at::MemoryFormat::ChannelsLast));
    }
  }
  const auto channels = [&](const std::array<float, 3>& values) {
    return at::tensor(at::ArrayRef<float>(values), at::kFloat);
  };
  const at::Tensor deviation = channels(options.pixels.deviation);
  scale_ = to_device(deviation.reciprocal());
  shift_ = to_device(channels(options.pixels.mean).neg() / deviation);

  require(options.texts_per_pass > 0, "texts_per_pass", "at least 1", options.texts_per_pass);
  const Footprint footprint = footprint_of(model_->config());
  const std::size_t memory = memory_for(options);
  images_per_pass_ = how_many(memory, footprint.image);
  images_per_gradient_ = how_many(memory, footprint.image_gradient);
  tokens_per_pass_ = how_many(memory, footprint.token);
  tokens_per_gradient_ = how_many(memory, footprint.token_gradient);
}

void ClipEncoder::require_elements(std::size_t elements) const {
  const auto side = static_cast<std::size_t>(model_->config().image_resolution);
  require_size("numbers in an image for this CLIP model", side * side * 3, elements);
}

at::Tensor ClipEncoder::to_device(const at::Tensor& tensor) const {
  return tensor.to(options_.device);
}

at::Tensor ClipEncoder::normalised(const Pixels& pixels) const {
  const torch::NoGradGuard no_gradient;
  at::Tensor x = pixels.clean.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  if (pixels.noise.defined()) x.add_(pixels.noise);
  const std::int64_t side = model_->config().image_resolution;
  x = x.view({-1, side, side, 3}).mul_(scale_ * pixels.unit).add_(shift_);
  return x.permute({0, 3, 1, 2});
}

at::Tensor ClipEncoder::token_tensor(const TokenBatch& texts) const {
  const auto vocabulary = static_cast<Token>(model_->config().vocab_size);
  for (const Token token : texts.tokens.flat()) {
    require(token >= 0 && token < vocabulary, "token given to a CLIP model",
            "0 to " + std::to_string(vocabulary) + " (exclusive)", token);
  }
  return to_device(as_tensor(texts.tokens)).to(at::kLong);
}

at::Tensor ClipEncoder::embed_images(const at::Tensor& pixels) {
  const Autocast autocast(options_.precision == Precision::bfloat16, options_.device.type());
  return model_->encode_images(pixels);
}

at::Tensor ClipEncoder::embed_tokens(const at::Tensor& embedded, const at::Tensor& ends) {
  const Autocast autocast(options_.precision == Precision::bfloat16, options_.device.type());
  return model_->encode_embedded(embedded, ends);
}

Matrix ClipEncoder::encode_images(std::size_t count, ImagesAt images) {
  const torch::NoGradGuard no_gradient;
  Matrix embeddings(static_cast<Eigen::Index>(count), model_->config().embed_dim);
  in_micro_batches(count, images_per_pass_, [&](std::size_t first, std::size_t size) {
    embeddings.middleRows(static_cast<Eigen::Index>(first), static_cast<Eigen::Index>(size)) =
        to_matrix(embed_images(images(first, size)));
  });
  return embeddings;
}

Matrix ClipEncoder::encode_texts(const TokenBatch& texts) {
  const torch::NoGradGuard no_gradient;
  const at::Tensor tokens = token_tensor(texts);
  const SortedTexts sorted(texts);
  at::Tensor embeddings = at::empty({tokens.size(0), model_->config().embed_dim});
  for (std::size_t first = 0; first < texts.size();) {
    const std::size_t count =
        sorted.fitting(texts, first, tokens_per_pass_, options_.texts_per_pass);
    std::size_t limit = count;
    in_micro_batches(count, limit, [&](std::size_t offset, std::size_t size) {
      const at::Tensor rows = sorted.rows(first + offset, size);
      const at::Tensor cut = cut_texts(tokens.index_select(0, rows.to(tokens.device())));
      const at::Tensor encoded = embed_tokens(model_->token_embedding(cut), ClipImpl::ends_of(cut));
      embeddings.index_copy_(0, rows, encoded.to(at::kCPU, at::kFloat));
    });
    if (limit < count) tokens_per_pass_ = limit * texts.tokens.extent(1);
    first += count;
  }
  return to_matrix(embeddings);
}

void ClipEncoder::image_gradient(std::size_t count, ImagesAt images, PullbackTensor pullback,
                                 View<float, 2> gradient) {
  require_size("rows of an image gradient", count, gradient.extent(0));
  require_elements(gradient.extent(1));
  const std::int64_t side = model_->config().image_resolution;
  const at::Tensor out = as_tensor(gradient, home_of_signals()).view({-1, side, side, 3});
  const auto backward = [&](std::size_t first, std::size_t size, PullbackTensor pull_of) {
    const c10::AutoGradMode with_gradient(true);
    const at::Tensor x = images(first, size).requires_grad_();
    const at::Tensor embeddings = embed_images(x);
    const at::Tensor by_image = torch::autograd::grad({embeddings}, {x}, {pull_of(embeddings)})[0];
    const c10::NoGradGuard no_gradient;
    out.narrow(0, static_cast<std::int64_t>(first), static_cast<std::int64_t>(size))
        .copy_(by_image.permute({0, 2, 3, 1}) * scale_);
  };
  in_one_pass_or_more(
      count, images_per_gradient_, pullback,
      [&] { return as_tensor(encode_images(count, images)).to(options_.device, false, true); },
      backward);
}

void ClipEncoder::token_gradient(const TokenBatch& texts, PullbackTensor pullback,
                                 View<float, 3> gradient) {
  require_size("rows of a token gradient", texts.size(), gradient.extent(0));
  require_size("positions of a token gradient", texts.trigger_length(), gradient.extent(1));
  require_size("width of a token gradient",
               static_cast<std::size_t>(model_->config().transformer_width), gradient.extent(2));
  if (gradient.empty()) return;
  const at::Tensor out = as_tensor(gradient);
  const at::Tensor tokens = token_tensor(texts);
  const at::Tensor positions = to_device(as_tensor(texts.trigger_positions)).to(at::kLong);
  const auto backward = [&](std::size_t first, std::size_t size, PullbackTensor pull_of) {
    const auto begin = static_cast<std::int64_t>(first);
    const auto length = static_cast<std::int64_t>(size);
    const c10::AutoGradMode with_gradient(true);
    const at::Tensor cut = cut_texts(tokens.narrow(0, begin, length));
    const at::Tensor embedded = model_->token_embedding(cut).detach().requires_grad_();
    const at::Tensor embeddings = embed_tokens(embedded, ClipImpl::ends_of(cut));
    at::Tensor by_token = torch::autograd::grad({embeddings}, {embedded}, {pull_of(embeddings)})[0];
    const c10::NoGradGuard no_gradient;
    const at::Tensor wanted = positions.narrow(0, begin, length);
    // Nothing behind the longest text has a say, so its gradient is zero.
    const std::int64_t behind = wanted.max().item<std::int64_t>() + 1 - cut.size(1);
    if (behind > 0) by_token = at::constant_pad_nd(by_token, {0, 0, 0, behind});
    out.narrow(0, begin, length)
        .copy_(by_token.gather(1, wanted.unsqueeze(-1).expand({-1, -1, by_token.size(2)})));
  };
  std::size_t texts_per_gradient = std::max<std::size_t>(
      tokens_per_gradient_ / std::max<std::size_t>(texts.tokens.extent(1), 1), 1);
  const std::size_t before = texts_per_gradient;
  in_one_pass_or_more(
      texts.size(), texts_per_gradient, pullback,
      [&] { return as_tensor(encode_texts(texts)).to(options_.device, false, true); }, backward);
  if (texts_per_gradient < before) {
    tokens_per_gradient_ = texts_per_gradient * texts.tokens.extent(1);
  }
}

View<const float, 2> ClipEncoder::token_embeddings() {
  if (!table_.defined()) {
    table_ = model_->token_embedding->weight.detach().to(at::kCPU, at::kFloat).contiguous();
  }
  return view_of<const float, 2>(table_);
}

void ClipEncoder::forget_table() {
  screen_.reset();
#ifdef UNLEARN_CLIP_CUDA
  if (ranker_) ranker_->forget_table();
#endif
  table_.reset();
}

void ClipEncoder::rank_tokens(View<const float, 2> gradients, const TokenFilter& filter,
                              View<Token, 2> tokens, View<float, 2> scores) {
#ifdef UNLEARN_CLIP_CUDA
  if (options_.device.is_cuda()) {
    if (!ranker_) ranker_.emplace();
    if (!ranker_->has_table()) {
      ranker_->set_table(model_->token_embedding->weight.detach().contiguous());
    }
    return ranker_->rank_tokens(gradients, filter, tokens, scores);
  }
#endif
  const View<const float, 2> table = token_embeddings();
  if (TokenScreen::available() && TokenScreen::takes(table)) {
    if (!screen_) screen_.emplace(table);
    screen_->rank_tokens(gradients, filter, tokens, scores);
    return;
  }
  const View<const float, 3> rows(gradients.data(), {gradients.extent(0), 1, gradients.extent(1)});
  const TriggerCandidates found =
      HotFlipCandidateSearch{.candidates = tokens.extent(1), .spares = 0}(
          Parallel{.threads = static_cast<unsigned>(at::get_num_threads())}, rows, table, filter);
  std::ranges::copy(found.tokens().flat(), tokens.flat().begin());
  std::ranges::copy(found.scores().flat(), scores.flat().begin());
}

double ClipEncoder::logit_scale() { return std::exp(model_->logit_scale.item<double>()); }

double ClipEncoder::logit_bias() {
  require(model_->logit_bias.defined(), "model for a loss with a learnt bias",
          "one with a logit_bias, which add_logit_bias() gives it", "one without");
  return model_->logit_bias.item<double>();
}

at::Tensor ClipEncoder::embed_texts_by_length(const TokenBatch& texts) {
  const SortedTexts sorted(texts);
  const at::Tensor order = to_device(sorted.rows(0, texts.size()));
  const at::Tensor tokens = cut_texts(token_tensor(texts).index_select(0, order));
  const at::Tensor ends = ClipImpl::ends_of(tokens);
  // Looked up once for all groups: each look-up's gradient is as large as the whole table.
  const at::Tensor embedded = model_->token_embedding(tokens);
  const std::size_t size = (texts.size() + fit_groups - 1) / fit_groups;
  std::vector<at::Tensor> embeddings;
  for (std::size_t first = 0; first < texts.size(); first += size) {
    const auto begin = static_cast<std::int64_t>(first);
    const auto count = static_cast<std::int64_t>(std::min(size, texts.size() - first));
    const at::Tensor ends_here = ends.narrow(0, begin, count);
    const std::int64_t longest = ends_here.max().item<std::int64_t>() + 1;
    embeddings.push_back(
        model_->encode_embedded(embedded.narrow(0, begin, count).narrow(1, 0, longest), ends_here));
  }
  return at::cat(embeddings).index_select(0, order.argsort());
}

double ClipEncoder::train_on(const at::Tensor& pixels, const TokenBatch& texts, LossOf loss_of) {
  const TrainingMode training(*model_);
  const c10::AutoGradMode with_gradient(true);
  const at::Tensor images = model_->encode_images(pixels);
  const at::Tensor captions = embed_texts_by_length(texts);
  const Matrix image_rows = to_matrix(images.detach());
  const Matrix text_rows = to_matrix(captions.detach());
  const LossGradients loss = loss_of(image_rows, text_rows);
  if (!std::isfinite(loss.value)) return loss.value;
  torch::autograd::backward({images, captions},
                            {to_device(as_tensor(loss.images)), to_device(as_tensor(loss.texts))});
  model_->logit_scale.mutable_grad() = at::full_like(model_->logit_scale, loss.logit_scale);
  if (model_->logit_bias.defined()) {
    model_->logit_bias.mutable_grad() = at::full_like(model_->logit_bias, loss.logit_bias);
  }
  optimizer_.step();
  forget_table();
  return loss.value;
}

void ClipEncoder::save(std::ostream& out) {
  StateDict tensors = optimizer_.moments();
  for (const auto& [name, tensor] : state_dict(*model_)) {
    tensors.emplace(std::string(weight_prefix) + name, tensor);
  }
  write_tensors(out, tensors, {{std::string(steps_key), std::to_string(optimizer_.steps())}});
}

void ClipEncoder::load(std::istream& in) {
  const std::string source = "saved training state";
  const Weights saved = read_tensors(in, source);
  StateDict weights;
  StateDict moments;
  for (const auto& [name, tensor] : saved.tensors) {
    if (name.starts_with(weight_prefix)) {
      weights.emplace(name.substr(weight_prefix.size()), tensor);
    } else {
      moments.emplace(name, tensor);
    }
  }
  const auto steps = saved.metadata.find(std::string(steps_key));
  std::uint64_t count = 0;
  bool known = steps != saved.metadata.end();
  if (known) {
    const char* const end = steps->second.data() + steps->second.size();
    const auto read = std::from_chars(steps->second.data(), end, count);
    known = read.ec == std::errc() && read.ptr == end;
  }
  require_in_file(known, source, "steps", "a number", "none");
  require_weights_of(*model_, weights, source);
  try {
    optimizer_.resume(moments, count);
  } catch (const InvalidArgument& error) {
    throw FileError(source + ", " + error.what());
  }
  assign_weights(*model_, weights, source);
  forget_table();
}

}  // namespace unlearn::clip
