// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/App.hpp>

namespace unlearn::tool {

// Each adds one command to the tool: its options, its help, and what it does when it is chosen.
// A command that fails throws; what the exception says is all that the user sees.

/// `unlearn draw`: images with captions, made up.
void add_draw(CLI::App& app);

/// `unlearn tokenize`: text to token ids and back.
void add_tokenize(CLI::App& app);

/// `unlearn evaluate`: retrieval of a model, or of embeddings.
void add_evaluate(CLI::App& app);

/// `unlearn protect`: unlearnable pairs from pairs.
void add_protect(CLI::App& app);

/// `unlearn reproduce`: the paper's tables at some scale.
void add_reproduce(CLI::App& app);

/// `unlearn train`: a model from pairs.
void add_train(CLI::App& app);

/// `unlearn report`: a page about a run.
void add_report(CLI::App& app);

/// `unlearn verify`: published pairs against their clean ones.
void add_verify(CLI::App& app);

}  // namespace unlearn::tool
