// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <nlohmann/json.hpp>

#include "clip/encoder/clip_encoder.hpp"
#include "clip/training/training.hpp"
#include "pairs/text/any_tokenizer.hpp"
#include "tool/commands/evaluate.hpp"
#include "tool/commands/evaluation.hpp"
#include "tool/commands/model_options.hpp"
#include "tool/publication/training_result.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/io/file_mapping.hpp"
#include "unlearn/io/npy.hpp"
#include "unlearn/metrics/retrieval.hpp"

namespace unlearn::tool {
namespace {

Retrieval of_embeddings(const EvaluateOptions& options) {
  const FileMapping images(options.image_embeddings);
  const FileMapping texts(options.text_embeddings);
  return retrieval(npy_view<const float>(images.bytes(), options.image_embeddings),
                   npy_view<const float>(texts.bytes(), options.text_embeddings),
                   {.captions_per_signal = options.captions_per_image, .k = options.k});
}

Retrieval of_model(const EvaluateOptions& options) {
  set_up_torch(options.device, options.threads);
  require(options.vocab != "words", "--vocab of a trained model",
          "the file that it was trained with", "words");
  const pairs::AnyTokenizer tokenizer = make_tokenizer(options.vocab, {});
  clip::Clip model = make_model({.weights = options.weights, .vocabulary = tokenizer.vocabulary()});
  pairs::ImagePairs pairs =
      evaluation_pairs(options.pairs, options.split, tokenizer, model->config(), options.threads);
  clip::ClipEncoder encoder(model, {.device = torch_device(options.device)});
  return clip::evaluate(encoder, pairs, options.k);
}

}  // namespace

void evaluate(const EvaluateOptions& options) {
  const bool embeddings = !options.image_embeddings.empty();
  require(embeddings || !options.weights.empty(), "what to evaluate",
          "--weights FILE, or --image-embeddings FILE and --text-embeddings FILE", "neither");
  const Retrieval found = embeddings ? of_embeddings(options) : of_model(options);
  if (options.json) {
    nlohmann::json json = to_json(found);
    if (options.k != 10) {
      for (auto& direction : json) {
        direction["hit" + std::to_string(options.k)] = direction.at("hit10");
        direction.erase("hit10");
      }
    }
    std::cout << json.dump() << '\n';
  } else {
    const auto line = [&](const char* name, const RetrievalScore& score) {
      std::cout << name << "  Hit@" << options.k << ' ' << score.hit_at_k << "%  MedR "
                << score.median_rank << '\n';
    };
    line("image to text", found.signal_to_text);
    line("text to image", found.text_to_signal);
  }
  std::cout.flush();
}

}  // namespace unlearn::tool
