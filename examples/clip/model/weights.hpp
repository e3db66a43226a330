// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>
#include <map>
#include <string>

#include "clip/model/config.hpp"
#include "clip/model/model.hpp"

namespace unlearn::clip {

/// Weights as they stand in a file, and what the file says about them.
struct Weights {
  StateDict tensors;                              ///< under OpenAI's names; on the CPU
  std::map<std::string, std::string> metadata{};  ///< of a safetensors file, else empty
};

/// Reads OpenAI's `.pt` (a TorchScript archive) or a safetensors file, told apart by content.
///
/// Names as open_clip gives them to a text tower of its own (`text.` in front) become OpenAI's;
/// entries that hold no weight (`input_resolution`, `context_length`, `vocab_size`, `attn_mask`)
/// are dropped. A `.pt` archive is a program: do not load one from somebody you do not trust.
/// @throws FileError when the file is missing, damaged, or neither of the two.
[[nodiscard]] Weights read_weights(const std::string& path);

/// The configuration that weights belong to: what `save_clip` wrote beside them, or else what their
/// shapes say (see infer_config). No shape tells which GELU a model was trained with: of
/// open_clip's weights many need the exact one, and so `quick_gelu = false` in a configuration of
/// your own.
/// @throws InvalidArgument as infer_config() does.
[[nodiscard]] ClipConfig config_of(const Weights& weights);

/// Checks that weights are a model's, name by name. Counters of the batches that a norm has seen
/// (`num_batches_tracked`) may be missing.
/// @param source named in messages
/// @throws FileError that names a weight which is missing, has another shape, or is none of the
///         model's
void require_weights_of(const ClipImpl& model, const StateDict& weights, const std::string& source);

/// Copies weights into a model, whatever their floating type.
/// @throws FileError as require_weights_of() does; the model is then as it was
void assign_weights(ClipImpl& model, const StateDict& weights, const std::string& source);

/// A model with the weights of a file; configuration and weights as above.
/// @throws FileError
[[nodiscard]] Clip load_clip(const std::string& path);

/// Writes a model's weights as safetensors under OpenAI's names, its configuration in the metadata;
/// complete or not at all.
/// @throws FileError when it cannot be written
void save_clip(const std::string& path, const ClipImpl& model);

/// Writes tensors to a stream as one safetensors file.
void write_tensors(std::ostream& out, const StateDict& tensors,
                   const std::map<std::string, std::string>& metadata);

/// Reads one safetensors file that ends where the stream ends.
/// @param source named in messages
/// @throws FileError when it is damaged
[[nodiscard]] Weights read_tensors(std::istream& in, const std::string& source);

}  // namespace unlearn::clip
