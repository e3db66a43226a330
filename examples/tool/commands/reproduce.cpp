// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/file.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "clip/encoder/clip_encoder.hpp"
#include "pairs/captions/caption_file.hpp"
#include "pairs/captions/caption_set.hpp"
#include "pairs/cleaning/cleaning.hpp"
#include "pairs/images/image.hpp"
#include "pairs/images/resize.hpp"
#include "tool/commands/commands.hpp"
#include "tool/commands/model_options.hpp"
#include "tool/commands/output_folder.hpp"
#include "tool/commands/protect.hpp"
#include "tool/commands/train.hpp"
#include "tool/experiments/figures.hpp"
#include "tool/experiments/page.hpp"
#include "tool/experiments/presets.hpp"
#include "tool/experiments/run_record.hpp"
#include "tool/publication/training_result.hpp"
#include "tool/publication/verification.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/version.hpp"
#include "unlearn/io/file.hpp"

namespace unlearn::tool {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct ReproduceOptions {
  PairsOptions pairs{};
  std::string preset{};
  std::string table = "all";
  std::string vocab{};
  std::string out{};
  std::uint64_t seed = 1;
  unsigned threads = 0;
  bool quiet = false;
  bool json = false;
};

/// A hacker to train: on which row's pairs, of which architecture, after which cleaning.
struct Hacker {
  std::string row{};
  std::string architecture{};
  std::size_t number = 1;  ///< of the row's hackers; decides on the seed
  CleaningOptions cleaning{};

  [[nodiscard]] std::string cleaning_name() const { return pairs::names_of(cleaning_of(cleaning)); }
  /// The folder of its stage.
  [[nodiscard]] std::string stage(const Preset& preset) const {
    std::string name = "train-" + row + "-" + std::to_string(number);
    if (architecture != preset.model) name.append("-").append(architecture);
    if (const std::string cleaned = cleaning_name(); cleaned != "none") {
      name.append("-").append(cleaned);
      std::ranges::replace(name, ' ', '-');
    }
    return name;
  }
};

/// A stage that nobody else works on while this lives; the system lets go of it when a process
/// ends.
class StageLock {
 public:
  explicit StageLock(const std::string& file)
      : file_(file, O_CREAT | O_RDWR), held_(::flock(file_.get(), LOCK_EX | LOCK_NB) == 0) {}

  [[nodiscard]] bool held() const { return held_; }

 private:
  unlearn::FileDescriptor file_;
  bool held_;
};

/// What a stage is: a folder under stages/, and how it comes about.
struct Stage {
  std::string name{};
  std::string done_file{};  ///< in its folder, once it is complete
  std::string needs{};      ///< the name of a stage that comes before it, or nothing
  std::function<void()> work{};
};

/// Runs what a table needs, stage by stage. Each stage has a folder that says when it is complete;
/// one that is complete is not run again, one that was interrupted goes on. Several processes with
/// the same folder share the stages.
class Reproduction {
 public:
  explicit Reproduction(const ReproduceOptions& options)
      : options_(options), preset_(preset_named(options.preset)) {
    plan();
  }

  void run() {
    fs::create_directories(stage("."));
    list_stages();
    // Complete stages do nothing but refuse settings that are not theirs.
    for (const Stage& each : stages_) {
      if (is_complete(each)) each.work();
    }
    work();
    // From here on everything is read from the disk.
    random();
    for (const TableRow& row : protections_) collect(row);
    for (const Hacker& hacker : hackers_) collect(hacker);
    finish();
  }

 private:
  void plan() {
    const bool table1 = options_.table != "2";
    const bool table2 = options_.table != "1" && preset_.hackers.size() > 1;
    for (const TableRow& row : preset_.rows) {
      const bool wanted = table1 || row.name == "clean" || row.name == "mem3";
      if (!wanted || row.name == "random") continue;
      if (!row.method.empty()) protections_.push_back(row);
      for (std::size_t n = 1; n <= (table1 ? row.hackers : 1); ++n) {
        hackers_.push_back({.row = row.name, .architecture = preset_.model, .number = n});
      }
    }
    for (const std::string& architecture : preset_.hackers) {
      if (!table2 || architecture == preset_.model) continue;
      for (const char* const row : {"clean", "mem3"}) {
        hackers_.push_back({.row = row, .architecture = architecture});
      }
    }
    if (table1 && preset_.stress) {
      for (const CleaningOptions& cleaning :
           {CleaningOptions{.strip_words = 3}, CleaningOptions{.jpeg = 75},
            CleaningOptions{.grayscale = true}, CleaningOptions{.random_crop = true}}) {
        hackers_.push_back({.row = "mem3", .architecture = preset_.model, .cleaning = cleaning});
      }
    }
  }

  void list_stages() {
    const auto train_stage = [&](const Hacker& hacker) {
      stages_.push_back({.name = hacker.stage(preset_),
                         .done_file = "result.json",
                         .needs = hacker.row == "clean" ? "" : "protect-" + hacker.row,
                         .work = [this, &hacker] { train(training(hacker)); }});
    };
    for (const Hacker& hacker : hackers_) {
      if (hacker.row == "clean") train_stage(hacker);
    }
    for (const TableRow& row : protections_) {
      // What the clean hacker has learned is UAP's surrogate.
      stages_.push_back({.name = "protect-" + row.name,
                         .done_file = "manifest.json",
                         .needs = row.method == "uap" ? clean_hacker().stage(preset_) : "",
                         .work = [this, &row] { protect(protection(row)); }});
    }
    for (const Hacker& hacker : hackers_) {
      if (hacker.row != "clean") train_stage(hacker);
    }
  }

  [[nodiscard]] bool is_complete(const Stage& stage_of) const {
    return fs::exists(fs::path(stage(stage_of.name)) / stage_of.done_file);
  }
  [[nodiscard]] bool may_begin(const Stage& stage_of) const {
    if (is_complete(stage_of)) return false;
    const auto before = std::ranges::find(stages_, stage_of.needs, &Stage::name);
    return before == stages_.end() || is_complete(*before);
  }

  /// Takes one stage after another that can begin and that no other process works on, until all are
  /// complete.
  void work() {
    while (!std::ranges::all_of(stages_, [&](const Stage& each) { return is_complete(each); })) {
      bool worked = false;
      for (const Stage& next : stages_) {
        if (!may_begin(next)) continue;
        const StageLock lock(stage(next.name) + ".lock");
        if (!lock.held() || is_complete(next)) continue;
        announce(next.name);
        next.work();
        worked = true;
        break;  // earlier stages come first
      }
      if (!worked) std::this_thread::sleep_for(std::chrono::seconds(2));
    }
  }

  [[nodiscard]] Hacker clean_hacker() const {
    return {.row = "clean", .architecture = preset_.model};
  }

  [[nodiscard]] std::string stage(const std::string& name) const {
    return (fs::path(options_.out) / "stages" / name).lexically_normal().string();
  }
  [[nodiscard]] std::string vocab() const {
    return options_.vocab.empty() ? preset_.vocab : options_.vocab;
  }

  void announce(const std::string& name) const {
    if (options_.quiet) return;
    const auto complete =
        std::ranges::count_if(stages_, [&](const Stage& each) { return is_complete(each); });
    std::fprintf(stderr, "[%zu of %zu stages complete] %s\n", static_cast<std::size_t>(complete),
                 stages_.size(), name.c_str());
  }

  [[nodiscard]] TrainOptions training(const Hacker& hacker) const {
    TrainOptions training{.pairs = options_.pairs, .test = options_.pairs};
    if (hacker.row != "clean") {
      training.pairs = {.pairs = stage("protect-" + hacker.row)};
    }
    training.vocab = vocab();
    training.out = stage(hacker.stage(preset_));
    training.model = hacker.architecture;
    training.size = preset_.size;
    training.plan = preset_.training;
    training.cleaning = hacker.cleaning;
    training.running.device = *pairs::enum_named<Device>(preset_.device);
    training.running.threads = options_.threads;
    training.running.seed = options_.seed * 1000 + hacker.number;
    training.running.resume = true;
    training.running.quiet = options_.quiet;
    training.running.silent = true;
    return training;
  }

  /// What models that have learned nothing find.
  void random() {
    const auto row = std::ranges::find(preset_.rows, "random", &TableRow::name);
    if (row == preset_.rows.end()) return;
    for (std::size_t n = 1; n <= row->hackers; ++n) {
      TrainOptions options = training({.row = "clean", .architecture = preset_.model, .number = n});
      add_run("random", preset_.model, n, "none", to_json(evaluate_untrained(options)), "");
    }
  }

  void collect(const Hacker& hacker) {
    const std::string name = hacker.stage(preset_);
    const Json result = read_json(stage(name) + "/result.json");
    add_run(hacker.row, hacker.architecture, hacker.number, hacker.cleaning_name(), result,
            "stages/" + name + "/log.csv");
    seconds_[name] = result.at("seconds");
  }

  [[nodiscard]] ProtectOptions protection(const TableRow& row) const {
    ProtectOptions options{
        .pairs = options_.pairs, .split = "train", .out = stage("protect-" + row.name)};
    options.vocab = vocab();
    options.plan.method = *pairs::enum_named<Method>(row.method);
    if (row.trigger_length > 0) options.plan.trigger_length = row.trigger_length;
    options.plan.model = preset_.model;
    options.plan.size = preset_.size;
    options.plan.learning_rate = preset_.surrogate_rate;
    options.plan.candidates = preset_.candidates;
    options.running.device = *pairs::enum_named<Device>(preset_.device);
    options.running.threads = options_.threads;
    options.running.seed = options_.seed;
    options.running.resume = true;
    options.running.quiet = options_.quiet;
    options.running.silent = true;
    if (row.method == "mem") {
      options.plan.rounds = preset_.mem_rounds;
      options.plan.trigger_rounds = preset_.trigger_rounds;
      options.plan.surrogate_steps = preset_.mem_surrogate_steps;
      options.plan.surrogate_rounds = preset_.surrogate_rounds;
    } else if (row.method == "em") {
      options.plan.rounds = preset_.em_rounds;
      options.plan.surrogate_steps = preset_.em_surrogate_steps;
    } else {
      const std::string clean = stage(clean_hacker().stage(preset_));
      options.plan.weights = clean + "/model.safetensors";
      options.plan.model.clear();
      options.plan.size = 0;
      if (vocab() == "words") options.vocab = clean + "/vocabulary.json";
    }
    return options;
  }

  void collect(const TableRow& row) {
    const std::string name = "protect-" + row.name;
    const Json manifest = read_json(stage(name) + "/manifest.json");
    seconds_[name] = manifest.at("seconds").at("total");
    protections_run_.push_back({{"row", row.name},
                                {"trace", "stages/" + name + "/trace.csv"},
                                {"settings", manifest.at("settings")},
                                {"result", manifest.at("result")}});
    protections_run_.back()["settings"].erase("tokenizer");
    verify_row(row);
  }

  void verify_row(const TableRow& row);
  void write_examples();
  void finish();

  void add_run(const std::string& row, const std::string& architecture, std::size_t number,
               const std::string& cleaning, const Json& found, const std::string& log) {
    Json run{{"row", row},           {"architecture", architecture}, {"seed", number},
             {"cleaning", cleaning}, {"i2t", found.at("i2t")},       {"t2i", found.at("t2i")}};
    if (!log.empty()) run["log"] = log;
    runs_.push_back(std::move(run));
  }

  /// The mean over the runs of a kind; null if there is none.
  [[nodiscard]] Json mean(const std::function<bool(const Json&)>& wanted) const {
    Json sum;
    double count = 0;
    for (const Json& run : runs_) {
      if (!wanted(run)) continue;
      ++count;
      for (const char* const way : {"i2t", "t2i"}) {
        for (const char* const figure : {"hit10", "medr"}) {
          const double before = sum.is_null() || !sum.contains(way) || !sum[way].contains(figure)
                                    ? 0.0
                                    : sum[way][figure].get<double>();
          sum[way][figure] = before + run.at(way).at(figure).get<double>();
        }
      }
    }
    for (auto& way : sum) {
      for (auto& figure : way) figure = figure.get<double>() / count;
    }
    return sum;
  }
  [[nodiscard]] Json mean_of(const std::string& row, const std::string& architecture,
                             const std::string& cleaning) const {
    return mean([&](const Json& run) {
      return run.at("row") == row && run.at("architecture") == architecture &&
             run.at("cleaning") == cleaning;
    });
  }

  const ReproduceOptions& options_;
  const Preset& preset_;
  std::vector<TableRow> protections_;
  std::vector<Hacker> hackers_;
  std::vector<Stage> stages_;
  std::vector<Json> runs_;
  std::vector<Json> protections_run_;
  Json seconds_ = Json::object();
  Json perturbation_;
  Json examples_ = Json::array();
};

/// What was published is read back from the disk and held against the clean pairs.
void Reproduction::verify_row(const TableRow& row) {
  const std::string folder = stage("protect-" + row.name);
  const Verification found =
      verify({.images = options_.pairs.images_folder(), .captions = options_.pairs.captions_file()},
             folder, {.vocab = vocab() == "words" ? "" : vocab(), .threads = options_.threads});
  if (!found.holds()) {
    throw Error("protected pairs in '" + folder +
                "' do not hold what they promise: " + found.violations.front());
  }
  if (row.name != "mem3" && !perturbation_.is_null()) return;
  perturbation_ = {{"linf_levels", found.linf_levels}};
  if (found.psnr_min) perturbation_["psnr_min"] = *found.psnr_min;
  if (found.psnr_mean) perturbation_["psnr_mean"] = *found.psnr_mean;
  if (found.ssim_mean) perturbation_["ssim_mean"] = *found.ssim_mean;
}

/// A few images as they were and as they are published, for the report.
void Reproduction::write_examples() {
  constexpr std::size_t wanted = 6;
  const auto row = std::ranges::find(protections_, "mem3", &TableRow::name);
  if (row == protections_.end()) return;
  const std::string folder = stage("protect-" + row->name);
  const Json images = read_json(folder + "/manifest.json").at("images");
  const pairs::CaptionSet published =
      pairs::select_split(pairs::read_captions(folder + "/captions.csv"), "", "captions.csv");
  const pairs::CaptionSet clean = options_.pairs.read("train");
  fs::create_directories(fs::path(options_.out) / "examples");
  for (std::size_t k = 0; k < std::min(wanted, images.size()); ++k) {
    const Json& image = images.at(k * images.size() / std::min(wanted, images.size()));
    const std::string file = image.at("file").get<std::string>().substr(7);  // behind "images/"
    const auto at = std::ranges::find(published.images, file) - published.images.begin();
    const auto first = std::ranges::find(published.image_of_row, static_cast<Index>(at)) -
                       published.image_of_row.begin();
    const std::string& text = published.captions.at(static_cast<std::size_t>(first));
    const std::string& caption = clean.captions.at(static_cast<std::size_t>(first));
    const std::string name = "examples/" + std::to_string(k);
    const fs::path out(options_.out);
    pairs::write_png(
        (out / (name + "-clean.png")).string(),
        pairs::clip_crop(pairs::read_image(options_.pairs.image_path(image.at("source"))),
                         static_cast<std::size_t>(preset_.size)));
    pairs::write_png((out / (name + "-mem3.png")).string(),
                     pairs::read_image(folder + "/images/" + file));
    examples_.push_back({{"row", "mem3"},
                         {"clean", name + "-clean.png"},
                         {"protected", name + "-mem3.png"},
                         {"caption", caption},
                         {"trigger", text.substr(0, text.size() - caption.size())},
                         {"published", text}});
  }
}

void Reproduction::finish() {
  write_examples();
  Json report{{"title", preset_.title},
              {"preset", preset_.name},
              {"version", unlearn::version},
              {"runs", runs_},
              {"protections", protections_run_},
              {"perturbation", perturbation_},
              {"seconds", seconds_},
              {"examples", examples_}};
  for (const TableRow& row : preset_.rows) {
    const Json found = mean_of(row.name, preset_.model, "none");
    if (!found.is_null()) report["rows"][row.name] = found;
  }
  for (const std::string& architecture : preset_.hackers) {
    for (const char* const row : {"clean", "mem3"}) {
      const Json found = mean_of(row, architecture, "none");
      if (!found.is_null()) report["architectures"][architecture][row] = found;
    }
  }
  for (const Json& run : runs_) {
    const std::string cleaning = run.at("cleaning");
    if (run.at("row") != "mem3" || run.at("architecture") != preset_.model) continue;
    report["stress"]["row"] = "mem3";
    report["stress"]["cleanings"][cleaning] = mean_of("mem3", preset_.model, cleaning);
  }
  if (!preset_.stress) report.erase("stress");
  report["settings"] = {{"preset", preset_.name},
                        {"seed", options_.seed},
                        {"surrogate", preset_.model},
                        {"size", preset_.size},
                        {"hacker",
                         {{"epochs", preset_.training.epochs},
                          {"batch_size", preset_.training.batch_size},
                          {"learning_rate", preset_.training.learning_rate}}}};
  for (const Json& protection : protections_run_) {
    report["settings"][protection.at("row").get<std::string>()] = protection.at("settings");
  }
  report["command"] = "unlearn reproduce --preset " + preset_.name + " --table " + options_.table +
                      " --seed " + std::to_string(options_.seed);
  write_json((fs::path(options_.out) / "report.json").string(), report);
  const report::RunRecord record = report::read_run(options_.out);
  report::write_report((fs::path(options_.out) / "report.html").string(), record,
                       report::draw_figures(record));

  if (options_.json) {
    std::cout << report.dump(2) << '\n';
    return;
  }
  std::printf("%-10s %9s %6s   %9s %6s\n", "", "I->T", "", "T->I", "");
  std::printf("%-10s %9s %6s   %9s %6s\n", "trained on", "Hit@10", "MedR", "Hit@10", "MedR");
  const auto line = [](const std::string& name, const Json& found) {
    std::printf("%-10s %9.1f %6.0f   %9.1f %6.0f\n", name.c_str(),
                found.at("i2t").at("hit10").get<double>(), found.at("i2t").at("medr").get<double>(),
                found.at("t2i").at("hit10").get<double>(),
                found.at("t2i").at("medr").get<double>());
  };
  for (const TableRow& row : preset_.rows) {
    if (report["rows"].contains(row.name)) line(row.name, report["rows"][row.name]);
  }
  if (report.contains("stress")) {
    std::printf("mem3, cleaned by its hacker:\n");
    for (const auto& [name, found] : report["stress"]["cleanings"].items()) line(name, found);
  }
  if (preset_.hackers.size() > 1 && report.contains("architectures")) {
    std::printf("by architecture:\n");
    for (const std::string& architecture : preset_.hackers) {
      for (const auto& [row, found] : report["architectures"][architecture].items()) {
        line(architecture + " " + row, found);
      }
    }
  }
  std::printf("%s\n", (fs::path(options_.out) / "report.html").string().c_str());
  std::fflush(stdout);
}

}  // namespace

void add_reproduce(CLI::App& app) {
  const auto options = std::make_shared<ReproduceOptions>();
  CLI::App* const command = app.add_subcommand(
      "reproduce",
      "The paper's tables at some scale: protects, verifies, trains, measures, reports");
  add_pairs_options(*command, options->pairs);
  command->add_option("--out", options->out, "Folder for stages/, report.json and report.html")
      ->required();
  std::vector<std::string> names;
  std::string help = "Scale";
  for (const Preset& preset : presets()) {
    names.push_back(preset.name);
    help.append(names.size() == 1 ? ": " : ", ").append(preset.name);
  }
  command->add_option("--preset", options->preset, help)
      ->required()
      ->check(CLI::IsMember(std::move(names)));
  command
      ->add_option("--table", options->table,
                   "1: random, clean and every method; 2: hackers of other architectures; all")
      ->check(CLI::IsMember({"1", "2", "all"}))
      ->capture_default_str();
  add_vocab_option(*command, options->vocab);
  command->add_option("--seed", options->seed, "Of everything that is drawn")
      ->capture_default_str();
  command->add_option("--threads", options->threads, "0 for one a core")->capture_default_str();
  command->add_flag("--quiet", options->quiet, "No progress");
  command->add_flag("--json", options->json, "Print report.json instead of the tables");
  command->footer(
      "Every hacker reads what was published from the disk, and is evaluated on the clean test "
      "split.\n"
      "Stages that are complete are not run again, and one that was interrupted goes on: give the "
      "same\ncommand again. Given in two terminals, with --threads 1 each, it shares the stages "
      "out.\n\n"
      "  $ unlearn reproduce --preset flickr8k-cpu --pairs flickr8k "
      "--vocab bpe_simple_vocab_16e6.txt.gz --out tables");
  command->callback([options] { Reproduction(*options).run(); });
}

}  // namespace unlearn::tool
