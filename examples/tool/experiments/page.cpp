// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/page.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "pairs/cleaning/cleaning_kinds.hpp"
#include "tool/experiments/decimal.hpp"
#include "tool/experiments/experiment.hpp"
#include "tool/experiments/html.hpp"
#include "tool/experiments/page_style.hpp"
#include "tool/experiments/palette.hpp"
#include "tool/experiments/summary.hpp"
#include "unlearn/core/version.hpp"
#include "unlearn/io/atomic_file.hpp"

namespace unlearn::tool::experiments {
namespace {

constexpr int noise_gain = 12;

// --- Parts

std::string base64(std::span<const std::byte> bytes) {
  static constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8U | (j < count ? std::to_integer<std::uint32_t>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      text += j <= count ? digits[group >> (18 - 6 * j) & 63U] : '=';
    }
  }
  return text;
}

/// The difference of two images around mid grey.
pairs::Image amplified(const pairs::Image& clean, const pairs::Image& published) {
  pairs::Image noise = clean;
  for (std::size_t i = 0; i < noise.rgb.size(); ++i) {
    const int difference = published.rgb[i] - clean.rgb[i];
    noise.rgb[i] = static_cast<std::uint8_t>(std::clamp(128 + noise_gain * difference, 0, 255));
  }
  return noise;
}

std::string tile_colour(std::string_view row) {
  return "--tile: var(--" + std::string(colour_of_row(row)) + ")";
}

std::string percent_or_dash(const std::optional<double>& value) {
  return value ? decimal(*value, 1) : "–";
}
std::string rank_or_dash(const std::optional<double>& value) {
  return value ? rank_in_words(*value) : "–";
}
std::string ratio_or_dash(const std::optional<double>& over, const std::optional<double>& under) {
  return over && under ? "×\u00A0" + ratio_in_words(*over / *under) : "–";
}

/// Builds the page, a member function for each section.
class Page {
 public:
  Page(const RunRecord& record, const std::vector<Figure>& figures)
      : record_(record), figures_(figures) {}

  void build() {
    html_.trusted("<!DOCTYPE html>\n");
    const auto whole = html_.scope("html", {{"lang", "en"}});
    const std::string title = record_.title.empty() ? "Protection report" : record_.title;
    {
      const auto head = html_.scope("head");
      html_.trusted("\n<meta charset=\"utf-8\">\n");
      html_.trusted("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
      html_.element("title", title);
      const auto style = html_.scope("style");
      html_.trusted(page_style());
    }
    const auto body = html_.scope("body");
    {
      const auto header = html_.scope("header");
      html_.element("h1", title);
      std::string subtitle = "What a model still learns from protected image-caption pairs";
      if (!record_.preset.empty()) subtitle += " · preset " + record_.preset;
      html_.element("p", subtitle, {{"class", "subtitle"}});
    }
    {
      const auto main = html_.scope("main");
      add_summary();
      add_examples();
      for (const Layout layout : {Layout::by_row, Layout::by_cleaning, Layout::by_architecture}) {
        for (const TableRecord& table : record_.tables) add_table(table, layout);
      }
      add_charts(
          training_section, "How the hackers learned",
          "Each curve is a model that somebody trains on what one method published, and that "
          "is tested on clean pairs. A loss that falls while the median rank stays high says "
          "that the model learned the protection instead of the pairs.");
      add_charts(protection_section, "How the protection was made",
                 "The loss that the protector minimises, at the end of each stage of a round.");
      add_settings();
    }
    const auto footer = html_.scope("footer");
    html_.element("p", std::string("Made by unlearn ") + unlearn::version +
                           ". The method is MEM: X. Liu et al., Multimodal Unlearnable Examples, "
                           "ACM Multimedia 2024.");
  }

  [[nodiscard]] const std::string& text() const { return html_.page(); }

 private:
  [[nodiscard]] HtmlWriter::Scope section(std::string_view id, std::string_view title) {
    heading_ = std::string(id) + "-heading";
    auto opened = html_.scope("section", {{"id", id}, {"aria-labelledby", heading_}});
    html_.element("h2", title, {{"id", heading_}});
    return opened;
  }

  /// What is wider than a phone scrolls on its own, also by keyboard.
  [[nodiscard]] HtmlWriter::Scope scroll(std::string_view label) {
    return html_.scope(
        "div", {{"class", "scroll"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", label}});
  }

  void note(std::string_view text) { html_.element("p", text, {{"class", "note"}}); }

  void cell(std::string_view text, std::string_view classes = "") {
    html_.element("td", text, {{"class", classes}});
  }

  void row_heading(std::string_view label, std::string_view row = "") {
    const auto heading = html_.scope("th", {{"scope", "row"}});
    if (!row.empty()) {
      html_.element("span", "", {{"class", "swatch"}, {"style", tile_colour(row)}});
    }
    html_.text(label);
  }

  // --- Summary

  void tile(std::string_view row, const std::string& name, const Scores& scores) {
    if (!scores.i2t.medr && !scores.t2i.medr) return;
    const auto tile = html_.scope("div", {{"style", tile_colour(row)}});
    html_.element("dt", name);
    html_.element("dd",
                  rank_or_dash(scores.i2t.medr) + "\u00A0/\u00A0" + rank_or_dash(scores.t2i.medr),
                  {{"class", "figure"}});
  }

  void add_summary() {
    const std::vector<std::string> paragraphs = summarize(record_);
    if (paragraphs.empty() && record_.table(Layout::by_row) == nullptr) return;
    const auto opened = section("summary", "In short");
    const Cell* const best = strongest_protection(record_);
    const Scores* const clean = record_.find(Method::clean);
    const Scores* const untrained = record_.find(Method::untrained);
    if (best != nullptr && clean != nullptr) {
      const auto tiles = html_.scope("dl", {{"class", "tiles"}});
      tile(row::clean.name, "Learned from clean pairs", *clean);
      tile(best->row, "Learned from " + row_label(best->row) + " pairs", best->scores);
      if (untrained != nullptr)
        tile(row::untrained.name, std::string(row::untrained.label), *untrained);
    }
    if (best != nullptr && clean != nullptr) {
      note(
          "Median rank of the match, image → text / text → image: the higher, "
          "the less was learned.");
    }
    for (const std::string& paragraph : paragraphs) html_.element("p", paragraph);
  }

  // --- Examples

  void image(const pairs::Image& shown, const std::string& alternative,
             const std::string& caption) {
    const auto figure = html_.scope("figure");
    const std::string source = "data:image/png;base64," + base64(pairs::encode_png(shown));
    html_.empty_element("img", {{"src", source},
                                {"width", std::to_string(shown.width)},
                                {"height", std::to_string(shown.height)},
                                {"alt", alternative}});
    html_.element("figcaption", caption);
  }

  void caption_line(std::string_view name, std::string_view before, std::string_view marked,
                    std::string_view after) {
    html_.element("dt", name);
    const auto line = html_.scope("dd", {{"dir", "auto"}});
    html_.text(before);
    if (!marked.empty()) html_.element("mark", marked);
    html_.text(after);
  }

  void add_example(const Example& example) {
    const auto pair = html_.scope("div", {{"class", "pair"}});
    const std::string of = example.caption.empty() ? "an example" : "“" + example.caption + "”";
    const bool both = example.clean_image && example.published_image;
    if (example.clean_image || example.published_image) {
      const auto images = html_.scope("div", {{"class", "images"}});
      if (example.clean_image) image(*example.clean_image, "Clean image: " + of, "Clean");
      if (both) {
        image(amplified(*example.clean_image, *example.published_image),
              "Noise that was added, amplified " + std::to_string(noise_gain) + " times",
              "Noise, × " + std::to_string(noise_gain));
      }
      if (example.published_image) {
        image(*example.published_image, "Protected image: " + of,
              example.row.empty() ? "Protected" : "Protected, " + row_label(example.row));
      }
    }
    const auto captions = html_.scope("dl", {{"class", "captions"}});
    if (!example.caption.empty()) caption_line("Caption", example.caption, "", "");
    const std::string_view published = example.published;
    const std::size_t at =
        example.trigger.empty() ? std::string_view::npos : published.find(example.trigger);
    if (!published.empty()) {
      if (at == std::string_view::npos) {
        caption_line("Published", published, "", "");
      } else {
        caption_line("Published", published.substr(0, at), example.trigger,
                     published.substr(at + example.trigger.size()));
      }
    }
    if (!example.trigger.empty() && at == std::string_view::npos) {
      caption_line("Trigger", "", example.trigger, "");
    }
  }

  void add_examples() {
    if (record_.examples.empty()) return;
    const auto opened = section("examples", "What is published");
    html_.element(
        "p", "The same pairs before and after. The noise is drawn " + std::to_string(noise_gain) +
                 " times as strong as it is, around mid grey; one pixel of an image is one "
                 "square. Trigger words are marked.");
    for (const Example& example : record_.examples) add_example(example);
  }

  // --- Tables

  /// The section of a table, where it is of this layout.
  void add_table(const TableRecord& table, Layout layout) {
    const Experiment& experiment = *find_experiment(table.experiment);
    if (experiment.layout != layout || table.cells.empty()) return;
    const auto opened = section(experiment.id, experiment.title);
    html_.element("p", with_row(experiment.explanation, row_label(table.cells.front().row)));
    switch (layout) {
      case Layout::by_row: rows_table(table, experiment); break;
      case Layout::by_cleaning: cleanings_table(table); break;
      case Layout::by_architecture: architectures_table(table, experiment); break;
    }
    note(experiment.note);
    draw_charts(experiment.id);
  }

  void score_cells(const Scores& scores, std::string_view first_classes = "",
                   std::string_view classes = "") {
    cell(percent_or_dash(scores.i2t.hit10), first_classes);
    cell(rank_or_dash(scores.i2t.medr), classes);
    cell(percent_or_dash(scores.t2i.hit10), classes);
    cell(rank_or_dash(scores.t2i.medr), classes);
  }

  void rows_table_head(const Experiment& experiment) {
    const auto head = html_.scope("thead");
    {
      const auto row = html_.scope("tr");
      html_.element("td", "", {{"rowspan", "3"}});
      html_.element("th", "This run", {{"colspan", "4"}, {"scope", "colgroup"}});
      html_.element("th", experiment.paper_title,
                    {{"colspan", "4"}, {"scope", "colgroup"}, {"class", "apart"}});
    }
    {
      const auto row = html_.scope("tr");
      for (const bool paper : {false, true}) {
        html_.element(
            "th", "Image → text",
            {{"colspan", "2"}, {"scope", "colgroup"}, {"class", paper ? "way apart" : "way"}});
        html_.element("th", "Text → image",
                      {{"colspan", "2"}, {"scope", "colgroup"}, {"class", "way"}});
      }
    }
    const auto row = html_.scope("tr");
    for (int i = 0; i < 4; ++i) {
      html_.element("th", "Hit@10", {{"scope", "col"}, {"class", i == 2 ? "apart" : ""}});
      html_.element("th", "MedR", {{"scope", "col"}});
    }
  }

  void rows_table(const TableRecord& table, const Experiment& experiment) {
    const auto scrolled = scroll("Table of methods");
    const auto opened = html_.scope("table");
    rows_table_head(experiment);
    const auto rows = html_.scope("tbody");
    for (const Cell& line : table.cells) {
      const auto row = html_.scope("tr");
      row_heading(row_label(line.row), line.row);
      score_cells(line.scores);
      const auto paper = std::ranges::find(experiment.paper, line.row, &Cell::row);
      score_cells(paper == experiment.paper.end() ? Scores{} : paper->scores, "paper apart",
                  "paper");
    }
  }

  void cleanings_table_head() {
    const auto head = html_.scope("thead");
    {
      const auto row = html_.scope("tr");
      html_.element("td", "", {{"rowspan", "2"}});
      html_.element("th", "Image → text", {{"colspan", "2"}, {"scope", "colgroup"}});
      html_.element("th", "Text → image", {{"colspan", "2"}, {"scope", "colgroup"}});
      html_.element("th", "Protection left", {{"rowspan", "2"}, {"scope", "col"}});
    }
    const auto row = html_.scope("tr");
    for (int i = 0; i < 2; ++i) {
      html_.element("th", "Hit@10", {{"scope", "col"}});
      html_.element("th", "MedR", {{"scope", "col"}});
    }
  }

  void cleaning_line(const std::string& label, const Scores& scores,
                     const std::optional<double>& share) {
    const auto row = html_.scope("tr");
    row_heading(label);
    score_cells(scores);
    cell(share ? decimal(*share * 100, 0) + "\u00A0%" : "–");
  }

  void cleanings_table(const TableRecord& table) {
    const Scores* const clean = record_.find(Method::clean);
    const Scores* const uncleaned = uncleaned_scores(table, record_);
    const auto scrolled = scroll("Table of cleanings");
    const auto opened = html_.scope("table");
    cleanings_table_head();
    const auto rows = html_.scope("tbody");
    for (const Cell& line : table.cells) {
      std::optional<double> share;
      if (clean != nullptr && uncleaned != nullptr) {
        share = share_left(*clean, *uncleaned, line.scores);
      }
      cleaning_line(pairs::cleaning_label(line.cleaning), line.scores, share);
    }
    if (clean != nullptr) cleaning_line("For comparison: clean pairs", *clean, std::nullopt);
  }

  void architectures_table_head() {
    const auto head = html_.scope("thead");
    {
      const auto row = html_.scope("tr");
      html_.element("th", "Hacker", {{"rowspan", "2"}, {"scope", "col"}});
      html_.element("th", "Protection", {{"rowspan", "2"}, {"scope", "col"}});
      html_.element("th", "MedR, image → text", {{"colspan", "3"}, {"scope", "colgroup"}});
      html_.element("th", "MedR, text → image", {{"colspan", "3"}, {"scope", "colgroup"}});
    }
    const auto row = html_.scope("tr");
    for (int way = 0; way < 2; ++way) {
      html_.element("th", "clean", {{"scope", "col"}});
      html_.element("th", "protected", {{"scope", "col"}});
      html_.element("th", "ratio", {{"scope", "col"}});
    }
  }

  void architectures_table(const TableRecord& table, const Experiment& experiment) {
    const auto scrolled = scroll("Table of architectures");
    const auto opened = html_.scope("table");
    architectures_table_head();
    architecture_lines("This run", table.cells, "");
    architecture_lines(experiment.paper_title, experiment.paper, "paper");
  }

  /// A line for each protected cell, beside the clean one of its architecture; for a clean cell
  /// alone, a line of its own.
  void architecture_lines(std::string_view title, const std::vector<Cell>& cells,
                          std::string_view classes) {
    if (cells.empty()) return;
    const auto rows = html_.scope("tbody");
    group_row(title);
    for (const Cell& line : cells) {
      const auto with = [&](bool protected_) {
        return std::ranges::find_if(cells, [&](const Cell& other) {
          return other.architecture == line.architecture &&
                 (protected_ ? is_protection(other.row) : is_row_of(Method::clean, other.row));
        });
      };
      const auto clean = with(false);
      const Scores beside = clean == cells.end() ? Scores{} : clean->scores;
      if (is_protection(line.row)) {
        architecture_line({line.architecture, row_label(line.row)}, beside, line.scores, classes);
      } else if (clean != cells.end() && &line == &*clean && with(true) == cells.end()) {
        architecture_line({line.architecture, "–"}, beside, {}, classes);
      }
    }
  }

  void architecture_line(const std::pair<std::string, std::string>& hacker, const Scores& clean,
                         const Scores& protected_scores, std::string_view classes) {
    const auto opened = html_.scope("tr");
    row_heading(hacker.first);
    cell(hacker.second, classes);
    for (const auto way : {&Scores::i2t, &Scores::t2i}) {
      const std::optional<double>& before = (clean.*way).medr;
      const std::optional<double>& after = (protected_scores.*way).medr;
      cell(rank_or_dash(before), classes);
      cell(rank_or_dash(after), classes);
      cell(ratio_or_dash(after, before), classes);
    }
  }

  void group_row(std::string_view name) {
    const auto row = html_.scope("tr");
    html_.element("th", name, {{"colspan", "8"}, {"scope", "rowgroup"}, {"class", "group"}});
  }

  // --- Figures

  void draw_charts(std::string_view section) {
    const auto of_section = [&](const Figure& figure) { return figure.section == section; };
    if (std::ranges::none_of(figures_, of_section)) return;
    const auto charts = html_.scope("div", {{"class", "charts"}});
    for (const Figure& figure : figures_) {
      if (!of_section(figure)) continue;
      const auto opened = html_.scope("figure");
      {
        const auto caption = html_.scope("figcaption");
        html_.element("strong", figure.title);
        html_.text(figure.note);
      }
      html_.trusted(figure.drawing.in_page(figure.alternative));
    }
  }

  void add_charts(std::string_view id, std::string_view title, std::string_view explanation) {
    if (std::ranges::none_of(figures_, [&](const Figure& f) { return f.section == id; })) return;
    const auto opened = section(id, title);
    html_.element("p", explanation);
    draw_charts(id);
  }

  // --- Settings

  void add_word_table(const std::string& label, std::string_view key,
                      const std::vector<std::pair<std::string, std::string>>& entries) {
    if (entries.empty()) return;
    const auto scrolled = scroll(label);
    const auto table = html_.scope("table", {{"class", "words wide"}});
    {
      const auto head = html_.scope("thead");
      const auto row = html_.scope("tr");
      html_.element("th", key, {{"scope", "col"}});
      html_.element("th", label, {{"scope", "col"}});
    }
    const auto rows = html_.scope("tbody");
    for (const auto& [name, value] : entries) {
      const auto row = html_.scope("tr");
      row_heading(name);
      cell(value);
    }
  }

  void add_settings() {
    std::vector<std::pair<std::string, std::string>> taken;
    double total = 0;
    for (const auto& [job, seconds] : record_.seconds) {
      taken.emplace_back(job, duration_in_words(seconds));
      total += seconds;
    }
    if (taken.size() > 1) taken.emplace_back("all", duration_in_words(total));
    const auto settings = flattened(record_.settings);
    if (taken.empty() && settings.empty() && record_.command.empty() && record_.version.empty()) {
      return;
    }
    const auto opened = section("settings", "How to get these numbers again");
    if (!record_.command.empty()) {
      const auto block = html_.scope("pre");
      html_.element("code", record_.command);
    }
    if (!record_.version.empty()) {
      html_.element("p", "The run was made by unlearn " + record_.version + ".");
    }
    add_word_table("Time taken", "Job", taken);
    add_word_table("Value", "Setting", settings);
  }

  const RunRecord& record_;
  const std::vector<Figure>& figures_;
  HtmlWriter html_;
  std::string heading_;
};

}  // namespace

std::string report_page(const RunRecord& record, const std::vector<Figure>& figures) {
  Page page(record, figures);
  page.build();
  return page.text();
}

void write_report(const std::string& path, const RunRecord& record,
                  const std::vector<Figure>& figures) {
  const std::string page = report_page(record, figures);
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(page)));
  file.commit();
}

}  // namespace unlearn::tool::experiments
