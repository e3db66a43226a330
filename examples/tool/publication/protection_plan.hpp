// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "clip/training/loss_kind.hpp"
#include "pairs/files/enum_names.hpp"
#include "tool/publication/placement_kind.hpp"

namespace unlearn::tool {

enum class Method : std::uint8_t { mem, em, uap };
constexpr std::array<pairs::EnumName<Method>, 3> enum_names(Method /*like*/) {
  return {{{Method::mem, "mem"}, {Method::em, "em"}, {Method::uap, "uap"}}};
}

/// Which rows share a noise, or a trigger: those of an image, none, or all.
enum class Sharing : std::uint8_t { image, row, all };
constexpr std::array<pairs::EnumName<Sharing>, 3> enum_names(Sharing /*like*/) {
  return {{{Sharing::image, "image"}, {Sharing::row, "row"}, {Sharing::all, "all"}}};
}

/// Who decides whether a new trigger is better: each sample for itself, or the batch as a whole.
enum class AcceptedBy : std::uint8_t { sample, batch };
constexpr std::array<pairs::EnumName<AcceptedBy>, 2> enum_names(AcceptedBy /*like*/) {
  return {{{AcceptedBy::sample, "sample"}, {AcceptedBy::batch, "batch"}}};
}

/// What the model multiplies in where it is not trained.
enum class Arithmetic : std::uint8_t { automatic, single, bfloat16 };
constexpr std::array<pairs::EnumName<Arithmetic>, 3> enum_names(Arithmetic /*like*/) {
  return {{{Arithmetic::automatic, "auto"},
           {Arithmetic::single, "single"},
           {Arithmetic::bfloat16, "bfloat16"}}};
}

/// How pairs are protected. 0, or an empty text, means the method's own value.
struct ProtectionPlan {
  Method method = Method::mem;
  std::size_t trigger_length = 3;
  std::string initial_trigger = "random";          ///< or a word that every trigger starts as
  PlacementKind placement = PlacementKind::front;  ///< where triggers are put in captions
  bool readable = false;                           ///< triggers of whole words only
  unsigned epsilon = 8;                            ///< levels of 255
  unsigned noise_step = 1;                         ///< levels of 255
  int noise_steps = 8;                             ///< a round
  std::uint32_t rounds = 0;
  std::uint32_t trigger_rounds = 5;
  std::size_t surrogate_steps = 0;  ///< a round
  double stop_loss = 0.01;
  std::size_t candidates = 16;
  std::size_t beam = 1;
  AcceptedBy acceptance = AcceptedBy::sample;
  Sharing scope = Sharing::image;        ///< who shares a noise
  Sharing trigger_scope = Sharing::row;  ///< who shares a trigger
  std::size_t batch_size = 128;

  std::string model{};    ///< the surrogate's architecture; empty for the device's own
  std::int64_t size = 0;  ///< side of the images in pixels; 0 for the model's own
  std::string weights{};  ///< a file that the surrogate starts from
  double learning_rate = 1e-4;
  std::uint32_t surrogate_rounds = 0;  ///< how long a surrogate lasts; 0 for all rounds
  std::size_t surrogate_epochs = 10;   ///< of UAP's surrogate, on the clean pairs
  clip::LossKind loss = clip::LossKind::infonce;
  Arithmetic precision = Arithmetic::automatic;

  friend bool operator==(const ProtectionPlan&, const ProtectionPlan&) = default;
};

/// The plan with the method's own numbers of rounds and steps instead of 0, and with 0 for what the
/// method does not do. Model, size and precision stay: they depend on the machine.
/// Source: the papers' settings; see mem(), em() and uap().
[[nodiscard]] ProtectionPlan resolved(const ProtectionPlan& plan);

/// The plan as the manifest's settings have it: everything in it decides on the bytes of a run.
[[nodiscard]] nlohmann::json settings_of(const ProtectionPlan& plan);

/// The numbers that an option takes, both ends included.
struct OptionRange {
  double least = std::numeric_limits<double>::lowest();
  double most = std::numeric_limits<double>::max();

  [[nodiscard]] bool is_all() const { return least == OptionRange{}.least; }
};
inline constexpr OptionRange positive_numbers{.least = std::numeric_limits<double>::min()};
inline constexpr OptionRange numbers_from_0{.least = 0};

/// An option of `unlearn protect` that decides on what is published.
struct PlanOption {
  const char* flag;  ///< on the command line
  const char* key;   ///< in the settings
  const char* group;
  const char* help;
  OptionRange range{};
};

/// Every option of a plan, once: the command line's options and the settings come from here.
/// Calls archive(option, member).
template <class Archive, class Plan>
void describe_options(Archive& archive, Plan& plan) {
  auto& [method, trigger_length, initial_trigger, placement, readable, epsilon, noise_step,
         noise_steps, rounds, trigger_rounds, surrogate_steps, stop_loss, candidates, beam,
         acceptance, scope, trigger_scope, batch_size, model, size, weights, learning_rate,
         surrogate_rounds, surrogate_epochs, loss, precision] = plan;
  const char* const group = "Method";
  archive(PlanOption{"--method", "method", group,
                     "mem: noise and trigger words. em: noise alone that makes the loss small. "
                     "uap: noise alone that makes the loss of a trained model large"},
          method);
  archive(PlanOption{"--trigger-length",
                     "trigger_length",
                     group,
                     "mem: how many words are put into each caption",
                     {1, 32}},
          trigger_length);
  archive(PlanOption{"--initial-trigger", "initial_trigger", group,
                     "`random`, or a word that all triggers start as"},
          initial_trigger);
  archive(
      PlanOption{"--placement", "placement", group,
                 "mem: where these words are put: in front of the caption, behind it (back), or "
                 "anywhere between its words, at places that are drawn from --seed"},
      placement);
  archive(PlanOption{"--readable", "readable", group, "Use whole words only in triggers"},
          readable);
  archive(PlanOption{"--epsilon",
                     "epsilon_levels",
                     group,
                     "The most that the noise may change a pixel, in levels of 255",
                     {1, 127}},
          epsilon);
  archive(PlanOption{"--noise-step",
                     "noise_step_levels",
                     group,
                     "How far one step moves the noise, in levels of 255",
                     {1, 127}},
          noise_step);
  archive(PlanOption{"--noise-steps",
                     "noise_steps",
                     group,
                     "How many steps each noise makes in a round",
                     {0, 100'000}},
          noise_steps);
  archive(PlanOption{"--rounds", "rounds", group,
                     "The most rounds; 0 for the papers' numbers: mem 20, em 5, uap 1"},
          rounds);
  archive(PlanOption{"--trigger-rounds", "trigger_rounds", group,
                     "mem: in how many rounds, from the first, better triggers are searched"},
          trigger_rounds);
  archive(PlanOption{"--surrogate-steps", "surrogate_steps", group,
                     "How many steps the surrogate is trained in a round; 0 for the papers' "
                     "numbers: mem 200, em 50"},
          surrogate_steps);
  archive(PlanOption{"--stop-loss", "stop_loss", group,
                     "Stop when the loss at the end of a round is below this", numbers_from_0},
          stop_loss);
  archive(
      PlanOption{"--candidates",
                 "candidates",
                 group,
                 "How many tokens are tried at each position of a trigger; all, if there are fewer",
                 {1, 4096}},
      candidates);
  archive(PlanOption{"--beam",
                     "beam",
                     group,
                     "How many triggers the search keeps from one position to the next",
                     {1, 1024}},
          beam);
  archive(PlanOption{"--acceptance", "acceptance", group,
                     "A new trigger is taken where it lowers the loss of its sample, or of the "
                     "whole batch"},
          acceptance);
  archive(PlanOption{"--scope", "scope", group,
                     "Who shares one noise: all captions of an image, nobody (row), or all pairs"},
          scope);
  archive(
      PlanOption{"--trigger-scope", "trigger_scope", group,
                 "Who shares one trigger: nobody (row), all captions of an image, or all pairs"},
      trigger_scope);
  archive(PlanOption{"--batch-size",
                     "batch_size",
                     group,
                     "How many pairs are contrasted with each other",
                     {2, 1'000'000}},
          batch_size);

  const char* const surrogate = "Surrogate, the model that the noise is made with";
  archive(PlanOption{"--model", "model", surrogate,
                     "Its architecture; without it, rn-small on the CPU and RN50 on a GPU"},
          model);
  archive(PlanOption{"--size", "size", surrogate,
                     "Side of the published images in pixels; without it, the model's own",
                     positive_numbers},
          size);
  archive(PlanOption{"--weights", "weights", surrogate,
                     "Start from these weights (safetensors, or OpenAI's .pt), not from scratch"},
          weights);
  archive(PlanOption{"--learning-rate", "learning_rate", surrogate,
                     "Its learning rate, the same in all steps", positive_numbers},
          learning_rate);
  archive(
      PlanOption{"--surrogate-rounds", "surrogate_rounds", surrogate,
                 "After so many rounds, go on with a new surrogate of other initial weights; 0: "
                 "keep the first one, as in the paper"},
      surrogate_rounds);
  archive(PlanOption{"--surrogate-epochs",
                     "surrogate_epochs",
                     surrogate,
                     "uap without --weights: for how many epochs the surrogate learns the clean "
                     "pairs first",
                     {1, 1'000'000}},
          surrogate_epochs);
  archive(PlanOption{"--loss", "loss", surrogate,
                     "What surrogate, noise and triggers minimise: CLIP's InfoNCE, or SigLIP's "
                     "pairwise sigmoid loss"},
          loss);
  archive(
      PlanOption{"--precision", "precision", surrogate,
                 "Arithmetic of embeddings and their gradients; auto is bfloat16 where the "
                 "processor multiplies it, else single. Training is always in single precision"},
      precision);
}

}  // namespace unlearn::tool
