// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tool/commands/pairs_options.hpp"
#include "tool/commands/running_options.hpp"
#include "unlearn/mem/multi_step_minimizer.hpp"

namespace unlearn::tool {

/// What `unlearn protect` is told. 0 or an empty text stands for the method's or the machine's own.
struct ProtectOptions {
  PairsOptions pairs{};
  std::string split{};  ///< empty: `train` where the captions tell splits, else all rows
  std::string out{};
  std::string vocab{};

  std::string method = "mem";  ///< mem, em or uap
  std::size_t trigger_length = 3;
  std::string initial_trigger = "random";  ///< or a text of one word, repeated
  bool readable = false;                   ///< triggers of whole words only
  unsigned epsilon = 8;                    ///< levels of 255
  unsigned noise_step = 1;                 ///< levels of 255
  int noise_steps = 8;                     ///< a round
  std::uint32_t rounds = 0;
  std::uint32_t trigger_rounds = 5;
  std::size_t surrogate_steps = 0;  ///< a round
  double stop_loss = 0.01;
  std::size_t candidates = 16;
  std::size_t beam = 1;
  std::string acceptance = "sample";  ///< sample or batch
  std::string scope = "image";        ///< who shares a noise: image, row or all
  std::string trigger_scope = "row";  ///< who shares a trigger: row, image or all
  std::size_t batch_size = 128;

  std::string model{};    ///< empty: RN50 on a GPU, rn-small on the CPU
  std::string weights{};  ///< start from these
  std::int64_t size = 0;
  double learning_rate = 1e-4;
  std::uint32_t surrogate_rounds = 0;  ///< that a surrogate lasts; 0: all
  std::size_t surrogate_epochs = 10;   ///< of UAP's surrogate, on clean pairs
  std::string precision = "auto";      ///< auto, single or bfloat16

  std::size_t memory_megabytes = 32;  ///< for images
  bool skip_bad = false;
  RunningOptions running{};
};

/// Protects pairs and writes the folder that `unlearn protect --help` describes.
///
/// @throws InvalidArgument, FileError for what cannot be protected or written; Interrupted when a
///         signal ended the run. What stands in the folder can then be gone on with by `resume`.
void protect(const ProtectOptions& options);

}  // namespace unlearn::tool
