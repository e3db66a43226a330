// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/experiment.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "unlearn/core/error.hpp"

namespace unlearn::tool::experiments {
namespace {

// The paper's numbers: Liu et al., ACM MM 2024, Flickr8k.

/// A cell of the paper's table 1: image to text, then text to image.
Cell paper_cell(const Row& row, Direction i2t, Direction t2i) {
  return {.row = std::string(row.name),
          .architecture = "RN50",
          .scores = {.i2t = std::move(i2t), .t2i = std::move(t2i)}};
}

/// A cell of the paper's table 2, which has median ranks alone.
Cell paper_ranks(const Row& row, std::string architecture, double i2t, double t2i) {
  return {.row = std::string(row.name),
          .architecture = std::move(architecture),
          .scores = {.i2t = {.medr = i2t}, .t2i = {.medr = t2i}}};
}

Experiment methods() {
  return {
      .id = "methods",
      .paper_table = "1",
      .layout = Layout::by_row,
      .rows =
          {{&row::untrained}, {&row::clean}, {&row::em}, {&row::uap}, {&row::mem3}, {&row::mem5}},
      .title = "Methods compared",
      .explanation =
          "Hit@10 is the percentage of queries whose match is among the first ten. MedR is the "
          "median rank of the match. Both are measured on clean test pairs: the lower Hit@10 and "
          "the higher MedR, the less a hacker learned.",
      .note =
          "Beside this run are the numbers of the paper's table 1 for Flickr8k. They are from "
          "another scale, ResNet-50 at 224 pixels: compare the order and the ratios, not the "
          "numbers.",
      .figure = {.name = "methods",
                 .title = "How far down the list the match is",
                 .note = "Further right: the hacker learned less."},
      .paper_title = "The paper (RN50, 224 px)",
      .paper = {paper_cell(row::untrained, {1.2, 727}, {0.9, 490}),
                paper_cell(row::clean, {22.7, 58}, {18.5, 60}),
                paper_cell(row::em, {13.8, 117}, {15.9, 86}),
                paper_cell(row::uap, {12.9, 110}, {16.5, 76}),
                paper_cell(row::mem3, {4.1, 304}, {3.7, 250}),
                paper_cell(row::mem5, {3.8, 308}, {3.0, 275})},
  };
}

Experiment cleanings() {
  return {
      .id = "stress",
      .paper_table = "1",
      .layout = Layout::by_cleaning,
      .rows = {{&row::mem3}},
      .cleanings = {"none", "strip-words 3", "jpeg 75", "grayscale", "random-crop"},
      .title = "What survives cleaning",
      .explanation =
          "Somebody who suspects a protection may change the pairs before training. Each row is a "
          "model trained on pairs of {row} that were cleaned in one way.",
      .note =
          "Protection left: 0 % where the median ranks are those of clean pairs, 100 % where "
          "they are the same as without cleaning. The scale is logarithmic; the number is the "
          "mean of both directions.",
      .figure = {.name = "stress",
                 .title = "{row} after somebody cleans the pairs",
                 .note = "A cleaning whose dots reach those of the clean pairs has removed the "
                         "protection."},
  };
}

Experiment architectures() {
  return {
      .id = "architectures",
      .paper_table = "2",
      .layout = Layout::by_architecture,
      .rows = {{&row::clean}, {&row::mem3}},
      .architectures = Architectures::all,
      .title = "Other architectures",
      .explanation =
          "The protector does not know which model the hacker trains. Median ranks on "
          "clean pairs, by the hacker's architecture.",
      .note =
          "Below are the numbers of the paper's table 2 for Flickr8k, made with ResNet-50. They "
          "are from another scale, 224 pixels: compare the ratios.",
      .paper_title = "The paper (224 px)",
      .paper = {paper_ranks(row::clean, "RN50", 58, 60), paper_ranks(row::mem3, "RN50", 308, 275),
                paper_ranks(row::clean, "RN101", 52, 58), paper_ranks(row::mem3, "RN101", 236, 197),
                paper_ranks(row::clean, "ViT-B/32", 53, 52),
                paper_ranks(row::mem3, "ViT-B/32", 241, 194)},
  };
}

}  // namespace

std::span<const Experiment> experiments() {
  static const std::array<Experiment, 3> all{methods(), cleanings(), architectures()};
  return all;
}

const Experiment* find_experiment(std::string_view id) {
  const auto all = experiments();
  const auto found = std::ranges::find(all, id, &Experiment::id);
  return found == all.end() ? nullptr : &*found;
}

Experiment experiment_with(std::string_view id, std::vector<TableRow> rows) {
  const Experiment* const found = find_experiment(id);
  require(found != nullptr, "experiment", "the id of one", id);
  Experiment changed = *found;
  changed.rows = std::move(rows);
  return changed;
}

std::span<const CurveSpec> training_curves() {
  static constexpr std::array<CurveSpec, 3> all{{
      {.figure = {.name = "training-loss", .title = "Training loss by epoch"},
       .y_label = "loss on what was published",
       .curve = Curve::loss},
      {.figure = {.name = "medr-image-to-text", .title = "Median rank by epoch, image to text"},
       .y_label = "median rank on clean pairs",
       .curve = Curve::i2t_medr},
      {.figure = {.name = "medr-text-to-image", .title = "Median rank by epoch, text to image"},
       .y_label = "median rank on clean pairs",
       .curve = Curve::t2i_medr},
  }};
  return all;
}

std::string with_row(std::string_view text, std::string_view label) {
  constexpr std::string_view place = "{row}";
  std::string result(text);
  const std::size_t at = result.find(place);
  if (at != std::string::npos) result.replace(at, place.size(), label);
  return result;
}

}  // namespace unlearn::tool::experiments
