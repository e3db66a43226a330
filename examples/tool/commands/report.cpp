// SPDX-License-Identifier: Apache-2.0
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tool/commands/commands.hpp"
#include "tool/experiments/figures.hpp"
#include "tool/experiments/page.hpp"
#include "tool/experiments/run_record.hpp"

namespace unlearn::tool {
namespace {

struct ReportOptions {
  std::string run;
  std::string out;
  std::string figures;
};

void write_report(const ReportOptions& options) {
  const experiments::RunRecord record = experiments::read_run(options.run);
  const std::vector<experiments::Figure> figures = experiments::draw_figures(record);
  if (!options.figures.empty()) experiments::write_figures(options.figures, figures);
  const std::string out = options.out.empty()
                              ? (std::filesystem::path(options.run) / "report.html").string()
                              : options.out;
  experiments::write_report(out, record, figures);
  std::printf("%s\n", out.c_str());
}

}  // namespace

void add_report(CLI::App& app) {
  const auto options = std::make_shared<ReportOptions>();
  CLI::App* const command = app.add_subcommand(
      "report", "Turns what `unlearn reproduce` measured into one HTML page with figures");
  command
      ->add_option("--run", options->run,
                   "Folder of the run, with report.json and the files that it names")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_option("--out", options->out,
                      "File to write; without it, report.html in the folder");
  command->add_option("--figures", options->figures,
                      "Also write each figure as an SVG file into this folder");
  command->footer(
      "Prints the name of the page. It holds images, figures and style, needs no network, and\n"
      "can be printed. What the run did not measure is left out. Needs gnuplot (on Debian:\n"
      "gnuplot-nox).");
  command->callback([options] { write_report(*options); });
}

}  // namespace unlearn::tool
