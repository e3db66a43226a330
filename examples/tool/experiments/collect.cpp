// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/collect.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>

#include "pairs/captions/caption_file.hpp"
#include "pairs/captions/caption_set.hpp"
#include "pairs/files/json_cursor.hpp"
#include "pairs/images/image.hpp"
#include "pairs/images/resize.hpp"
#include "tool/experiments/table_record.hpp"
#include "tool/publication/manifest.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/version.hpp"

namespace unlearn::tool::experiments {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// What a training leaves.
struct TrainingResult {
  Scores scores{};
  double seconds = 0;
};

TrainingResult read_training_result(const std::string& path) {
  const pairs::JsonFile file(path);
  const auto direction = [&](const char* name) {
    const pairs::JsonCursor found = file.top()[name];
    return Direction{.hit10 = found["hit10"].number(0, 100), .medr = found["medr"].number(1)};
  };
  return {.scores = {.i2t = direction("i2t"), .t2i = direction("t2i")},
          .seconds = file.top()["seconds"].number(0)};
}

/// Names of files in the run's folder are relative to it.
std::string in_run(const Reproduction& run, const std::string& job, const char* file) {
  return fs::path(run.folder(job) + "/" + file).lexically_relative(run.out).string();
}

TrainedHacker record_of(const HackerSpec& hacker) {
  return {.row = std::string(hacker.row->name),
          .architecture = hacker.architecture,
          .seed = hacker.number,
          .cleaning = hacker.cleaning_name()};
}

void collect_hackers(RunRecord& record, const Reproduction& run, const Plan& plan,
                     const Workers& workers) {
  for (const HackerSpec& hacker : plan.untrained) {
    TrainedHacker untrained = record_of(hacker);
    untrained.scores = workers.evaluate_untrained(hacker);
    record.runs.push_back(std::move(untrained));
  }
  for (const HackerSpec& hacker : plan.hackers) {
    TrainedHacker trained = record_of(hacker);
    const TrainingResult result = read_training_result(run.folder(hacker.job) + "/result.json");
    trained.scores = result.scores;
    trained.log_file = in_run(run, hacker.job, "log.csv");
    record.seconds[hacker.job] = result.seconds;
    record.runs.push_back(std::move(trained));
  }
}

/// Holds what was published against the clean pairs.
Verification verified(const Reproduction& run, const std::string& folder) {
  Verification found =
      verify(run.pairs, folder,
             {.vocab = run.vocab == "words" ? std::string() : run.vocab, .threads = run.threads});
  if (!found.holds()) {
    throw Error("protected pairs in '" + folder +
                "' do not hold what they promise: " + found.violations.front());
  }
  return found;
}

Perturbation perturbation_of(const Verification& found) {
  return {.linf_levels = static_cast<double>(found.linf_levels),
          .psnr_min = found.psnr_min,
          .psnr_mean = found.psnr_mean,
          .ssim_mean = found.ssim_mean};
}

void collect_protections(RunRecord& record, const Reproduction& run, const Plan& plan) {
  for (const ProtectionSpec& protection : plan.protections) {
    const std::string folder = run.folder(protection.job);
    const pairs::JsonFile file(folder + "/manifest.json");
    const pairs::JsonCursor manifest = file.top();
    json settings = manifest["settings"].value();
    settings.erase("tokenizer");  // may hold thousands of words
    record.seconds[protection.job] = manifest["seconds"]["total"].number(0);
    record.protections.push_back({.row = std::string(protection.row->name),
                                  .settings = std::move(settings),
                                  .result = manifest["result"].value(),
                                  .trace_file = in_run(run, protection.job, "trace.csv")});
    const Verification found = verified(run, folder);
    if (protection.row == shown_row || !record.perturbation) {
      record.perturbation = perturbation_of(found);
    }
  }
}

/// A few images as they were and as they are published.
class ExampleWriter {
 public:
  ExampleWriter(const Reproduction& run, const ProtectionSpec& protection)
      : run_(run),
        row_(protection.row->name),
        folder_(run.folder(protection.job)),
        published_(pairs::select_split(pairs::read_captions(folder_ + "/captions.csv"), "",
                                       "captions.csv")),
        clean_(pairs::select_split(pairs::read_captions(run.pairs.captions), "train",
                                   run.pairs.captions)) {}

  [[nodiscard]] std::vector<Example> write() const {
    constexpr std::size_t most = 6;
    const auto images = read_published_manifest(folder_ + "/manifest.json").images;
    fs::create_directories(fs::path(run_.out) / "examples");
    std::vector<Example> examples;
    const std::size_t count = std::min(most, images.size());
    for (std::size_t k = 0; k < count; ++k) {
      examples.push_back(write(images[k * images.size() / count], "examples/" + std::to_string(k)));
    }
    return examples;
  }

 private:
  [[nodiscard]] Example write(const ManifestImage& image, const std::string& name) const {
    const auto at = std::ranges::find(published_.images, image.image()) - published_.images.begin();
    const auto first = static_cast<std::size_t>(
        std::ranges::find(published_.image_of_row, static_cast<Index>(at)) -
        published_.image_of_row.begin());
    const std::string& text = published_.captions.at(first);
    const std::string& caption = clean_.captions.at(first);
    Example example{.row = row_,
                    .clean_file = name + "-clean.png",
                    .published_file = name + "-" + row_ + ".png",
                    .caption = caption,
                    .trigger = text.substr(0, text.size() - caption.size()),
                    .published = text};
    const pairs::Image source =
        pairs::read_image((fs::path(run_.pairs.images) / image.source).string());
    pairs::write_png(path(*example.clean_file),
                     pairs::clip_crop(source, static_cast<std::size_t>(run_.preset.size)));
    pairs::write_png(path(*example.published_file), pairs::read_image(folder_ + "/" + image.file));
    return example;
  }

  [[nodiscard]] std::string path(const std::string& name) const {
    return (fs::path(run_.out) / name).string();
  }

  const Reproduction& run_;
  std::string row_;
  std::string folder_;
  pairs::CaptionSet published_;
  pairs::CaptionSet clean_;
};

const char* option_of(PaperTables tables) {
  switch (tables) {
    case PaperTables::first: return "1";
    case PaperTables::second: return "2";
    case PaperTables::all: break;
  }
  return "all";
}

json settings_of(const Reproduction& run, const RunRecord& record) {
  const Preset& preset = run.preset;
  json settings{{"preset", preset.name},
                {"seed", run.seed},
                {"surrogate", preset.surrogate},
                {"size", preset.size},
                {"hacker",
                 {{"epochs", preset.training.epochs},
                  {"batch_size", preset.training.batch_size},
                  {"learning_rate", preset.training.learning_rate}}}};
  for (const ProtectionRecord& protection : record.protections) {
    settings[protection.row] = protection.settings;
  }
  return settings;
}

}  // namespace

RunRecord collect(const Reproduction& run, const Plan& plan, const Workers& workers) {
  RunRecord record{.title = run.preset.title,
                   .preset = run.preset.name,
                   .version = unlearn::version,
                   .command = "unlearn reproduce --preset " + run.preset.name + " --table " +
                              option_of(run.tables) + " --seed " + std::to_string(run.seed)};
  collect_hackers(record, run, plan, workers);
  collect_protections(record, run, plan);
  record.tables = tables_of(run.preset, record.runs);
  record.settings = settings_of(run, record);
  const auto shown = std::ranges::find(plan.protections, shown_row, &ProtectionSpec::row);
  if (shown != plan.protections.end()) record.examples = ExampleWriter(run, *shown).write();
  return record;
}

}  // namespace unlearn::tool::experiments
