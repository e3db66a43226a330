// SPDX-License-Identifier: Apache-2.0
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tool/commands/commands.hpp"
#include "tool/commands/experiment_jobs.hpp"
#include "tool/experiments/report_file.hpp"
#include "tool/experiments/table_record.hpp"

namespace unlearn::tool {
namespace {

using experiments::PaperTables;

struct ReproduceOptions {
  PairsOptions pairs{};
  std::string preset{};
  PaperTables tables = PaperTables::all;
  std::string vocab{};
  std::string out{};
  std::uint64_t seed = 1;
  unsigned threads = 0;
  bool quiet = false;
  bool json = false;
};

void reproduce(const ReproduceOptions& options) {
  const experiments::Preset& preset = experiments::preset_named(options.preset);
  const experiments::Reproduction run{
      .preset = preset,
      .tables = options.tables,
      .pairs = {.images = options.pairs.images_folder(), .captions = options.pairs.captions_file()},
      .vocab = options.vocab.empty() ? preset.vocab : options.vocab,
      .out = options.out,
      .seed = options.seed,
      .threads = options.threads,
      .quiet = options.quiet};
  const experiments::RunRecord record = experiments::reproduce(run, workers_of(run, options.pairs));
  const std::string page = (std::filesystem::path(options.out) / "report.html").string();
  const std::string printed = options.json ? experiments::report_text(record)
                                           : experiments::tables_text(preset, record) + page + "\n";
  std::fputs(printed.c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace

void add_reproduce(CLI::App& app) {
  const auto options = std::make_shared<ReproduceOptions>();
  CLI::App* const command = app.add_subcommand(
      "reproduce",
      "The paper's tables at some scale: protects, verifies, trains, measures, reports");
  add_pairs_options(*command, options->pairs);
  command->add_option("--out", options->out, "Folder for jobs/, report.json and report.html")
      ->required();
  std::vector<std::string> names;
  std::string help = "Scale";
  for (const experiments::Preset& preset : experiments::presets()) {
    names.push_back(preset.name);
    help.append(names.size() == 1 ? ": " : ", ").append(preset.name);
  }
  command->add_option("--preset", options->preset, help)
      ->required()
      ->check(CLI::IsMember(std::move(names)));
  command
      ->add_option("--table", options->tables,
                   "1: random, clean and every method; 2: hackers of other architectures; all")
      ->transform(CLI::CheckedTransformer(std::map<std::string, PaperTables>{
          {"1", PaperTables::first}, {"2", PaperTables::second}, {"all", PaperTables::all}}))
      ->default_str("all");
  add_vocab_option(*command, options->vocab);
  command->add_option("--seed", options->seed, "Of everything that is drawn")
      ->capture_default_str();
  command->add_option("--threads", options->threads, "0 for one a core")->capture_default_str();
  command->add_flag("--quiet", options->quiet, "No progress");
  command->add_flag("--json", options->json, "Print report.json instead of the tables");
  command->footer(
      "Every hacker reads the published pairs from the disk, and is evaluated on the clean test "
      "split.\n"
      "Complete jobs are not done again, and an interrupted one goes on: give the same command\n"
      "again. Several processes with the same command share the jobs; give each --threads 1.\n\n"
      "  $ unlearn reproduce --preset flickr8k-cpu --pairs flickr8k "
      "--vocab bpe_simple_vocab_16e6.txt.gz --out tables");
  command->callback([options] { reproduce(*options); });
}

}  // namespace unlearn::tool
