// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/summary.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "pairs/cleaning/cleaning_kinds.hpp"
#include "tool/experiments/decimal.hpp"

namespace unlearn::tool::experiments {
namespace {

/// As a factor in a sentence: "5.1 times".
std::string times(double ratio) { return ratio_in_words(ratio) + " times"; }

std::optional<double> share_one_way(const Direction& clean, const Direction& uncleaned,
                                    const Direction& cleaned) {
  if (!clean.medr || !uncleaned.medr || !cleaned.medr) return std::nullopt;
  const double lost = std::log(*uncleaned.medr / *clean.medr);
  if (lost < std::log(1.1)) return std::nullopt;
  return std::log(*cleaned.medr / *clean.medr) / lost;
}

std::string both_ranks(const Scores& scores) {
  std::string words;
  if (scores.i2t.medr) words = rank_in_words(*scores.i2t.medr);
  if (scores.i2t.medr && scores.t2i.medr) words += "\u00A0/\u00A0";
  if (scores.t2i.medr) words += rank_in_words(*scores.t2i.medr);
  return words;
}

/// What clean pairs teach, and what protected ones do.
void add_learning(std::vector<std::string>& paragraphs, const RunRecord& record) {
  const Scores* const clean = record.find(Method::clean);
  const Scores* const untrained = record.find(Method::untrained);
  const Cell* const best = strongest_protection(record);
  if (clean != nullptr && clean->i2t.medr) {
    std::string words = "For a new image, the right caption has a median rank of " +
                        rank_in_words(*clean->i2t.medr) +
                        " with a model that was trained on the clean pairs";
    if (untrained != nullptr && untrained->i2t.medr) {
      words.append("; with an untrained model it is ").append(rank_in_words(*untrained->i2t.medr));
    }
    words += ".";
    if (best != nullptr && best->scores.i2t.medr) {
      const double ratio = *best->scores.i2t.medr / *clean->i2t.medr;
      words.append(" After training on the pairs that ").append(row_label(best->row));
      words.append(" protected, the median rank is ");
      words.append(rank_in_words(*best->scores.i2t.medr));
      words += ratio >= 1.05 ? ": " + times(ratio) + " as far down." : ", no further down.";
    }
    if (best != nullptr && best->scores.t2i.medr && clean->t2i.medr) {
      const double ratio = *best->scores.t2i.medr / *clean->t2i.medr;
      words += " From a caption to its image, it goes from " + rank_in_words(*clean->t2i.medr) +
               " to " + rank_in_words(*best->scores.t2i.medr);
      words += ratio >= 1.05 ? ", " + times(ratio) + " as far down." : ", no further down.";
    }
    if (best != nullptr && best->scores.i2t.hit10 && clean->i2t.hit10) {
      words += " The right caption is among the first ten for " +
               decimal(*best->scores.i2t.hit10, 1) + "\u00A0% of the images instead of " +
               decimal(*clean->i2t.hit10, 1) + "\u00A0%.";
    }
    paragraphs.push_back(words);
  }
  if (clean != nullptr && untrained != nullptr && clean->i2t.medr && untrained->i2t.medr &&
      *untrained->i2t.medr < 1.5 * *clean->i2t.medr) {
    paragraphs.emplace_back(
        "The model that learned from clean pairs is hardly better than an untrained one. At this "
        "scale a protection can take little away, so the comparison says little.");
  }
  if (clean != nullptr && best != nullptr && best->scores.i2t.medr && clean->i2t.medr &&
      best->scores.t2i.medr && clean->t2i.medr) {
    const double ratio = std::sqrt(*best->scores.i2t.medr / *clean->i2t.medr *
                                   (*best->scores.t2i.medr / *clean->t2i.medr));
    if (ratio < 1.1) {
      paragraphs.emplace_back("In this run no method protected the pairs.");
    }
  }
}

/// "Grey images" to "grey images", but "JPEG" stays.
std::string within_sentence(std::string label) {
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (label.size() > 1 && is_upper(label[0]) && !is_upper(label[1])) {
    label[0] = static_cast<char>(label[0] - 'A' + 'a');
  }
  return label;
}

void add_stress(std::vector<std::string>& paragraphs, const RunRecord& record) {
  const Scores* const clean = record.find(Method::clean);
  const TableRecord* const table = record.table(Layout::by_cleaning);
  if (table == nullptr || clean == nullptr) return;
  const Scores* const uncleaned = uncleaned_scores(*table, record);
  if (uncleaned == nullptr) return;
  std::string stripped;
  std::string others;
  for (const Cell& cell : table->cells) {
    const auto share = share_left(*clean, *uncleaned, cell.scores);
    if (cell.cleaning == "none" || !share) continue;
    const auto [kind, number] = pairs::read_cleaning_name(cell.cleaning);
    if (kind != nullptr && kind->subject != nullptr) {
      stripped.append(kind->subject(number)).append(" ");
      stripped.append(effect_in_words(*share)).append(": the median ranks are then ");
      stripped.append(both_ranks(cell.scores)).append(". ");
    } else {
      others.append(others.empty() ? "" : "; ")
          .append(within_sentence(pairs::cleaning_label(cell.cleaning)));
      others.append(": ");
      others.append(decimal(*share * 100, 0)).append("\u00A0%");
    }
  }
  if (stripped.empty() && others.empty()) return;
  std::string words = "Somebody may clean the published pairs first. ";
  words.append(row_label(table->cells.front().row)).append(" gives median ranks of ");
  words.append(both_ranks(*uncleaned)).append(" (image to text / text to image), clean pairs ");
  words.append(both_ranks(*clean)).append(". ").append(stripped);
  if (!others.empty()) {
    words.append("This much of the protection is left after ");
    words.append(stripped.empty() ? "cleaning" : "other cleanings").append(": ");
    words.append(others).append(".");
  }
  while (words.ends_with(' ')) words.pop_back();
  paragraphs.push_back(words);
}

void add_perturbation(std::vector<std::string>& paragraphs, const RunRecord& record) {
  if (!record.perturbation) return;
  const Perturbation& found = *record.perturbation;
  std::vector<std::string> parts;
  const auto add = [&](const std::optional<double>& value, int digits, std::string_view before,
                       std::string_view after) {
    if (!value) return;
    parts.emplace_back(before).append(decimal(*value, digits)).append(after);
  };
  add(found.psnr_mean, 1, "PSNR ", " dB on average");
  add(found.psnr_min, 1, found.psnr_mean ? "at least " : "PSNR at least ", " dB");
  add(found.ssim_mean, 3, "SSIM ", " on average");
  std::string words;
  if (found.linf_levels) {
    words.append("No colour value of a published image is further than ");
    words.append(decimal(*found.linf_levels, 0)).append(" of 255 levels from the original. ");
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    words.append(i == 0 ? "Similarity: " : ", ").append(parts[i]);
  }
  if (!parts.empty()) words.append(".");
  while (words.ends_with(' ')) words.pop_back();
  if (!words.empty()) paragraphs.push_back(words);
}

/// How far the numbers can be trusted.
void add_scale(std::vector<std::string>& paragraphs, const RunRecord& record) {
  std::map<std::pair<std::string, std::string>, std::set<std::uint64_t>> seeds;
  for (const TrainedHacker& run : record.runs) {
    if (run.cleaning == "none") seeds[{run.row, run.architecture}].insert(run.seed);
  }
  if (seeds.empty()) return;
  std::size_t fewest = seeds.begin()->second.size();
  std::size_t most = fewest;
  for (const auto& [row, found] : seeds) {
    fewest = std::min(fewest, found.size());
    most = std::max(most, found.size());
  }
  if (most == 1) {
    paragraphs.emplace_back(
        "Each number is from one training: small differences between rows may be chance.");
  } else if (fewest == most) {
    paragraphs.push_back("Each training was done with " + std::to_string(most) +
                         " seeds; the tables have the means.");
  } else {
    paragraphs.push_back("Trainings were done with " + std::to_string(fewest) + " to " +
                         std::to_string(most) +
                         " seeds; the tables have the means. Small differences may be chance.");
  }
}

}  // namespace

const Cell* strongest_protection(const RunRecord& record) {
  const TableRecord* const methods = record.table(Layout::by_row);
  if (methods == nullptr) return nullptr;
  const Cell* best = nullptr;
  double highest = 0;
  for (const Cell& cell : methods->cells) {
    if (!is_protection(cell.row)) continue;
    double sum = 0;
    int count = 0;
    for (const auto& medr : {cell.scores.i2t.medr, cell.scores.t2i.medr}) {
      if (!medr) continue;
      sum += std::log(*medr);
      ++count;
    }
    if (count > 0 && (best == nullptr || sum / count > highest)) {
      best = &cell;
      highest = sum / count;
    }
  }
  return best;
}

const Scores* uncleaned_scores(const TableRecord& table, const RunRecord& record) {
  const auto uncleaned = std::ranges::find(table.cells, "none", &Cell::cleaning);
  if (uncleaned != table.cells.end()) return &uncleaned->scores;
  const TableRecord* const methods = record.table(Layout::by_row);
  if (methods == nullptr || table.cells.empty()) return nullptr;
  const auto found = std::ranges::find(methods->cells, table.cells.front().row, &Cell::row);
  return found == methods->cells.end() ? nullptr : &found->scores;
}

std::optional<double> share_left(const Scores& clean, const Scores& uncleaned,
                                 const Scores& cleaned) {
  double sum = 0;
  int count = 0;
  for (const auto& share : {share_one_way(clean.i2t, uncleaned.i2t, cleaned.i2t),
                            share_one_way(clean.t2i, uncleaned.t2i, cleaned.t2i)}) {
    if (!share) continue;
    sum += *share;
    ++count;
  }
  if (count == 0) return std::nullopt;
  return std::clamp(sum / count, 0.0, 1.0);
}

std::string_view effect_in_words(double share) {
  if (share < 0.15) return "removes the protection";
  if (share < 0.5) return "removes most of the protection";
  if (share < 0.85) return "weakens the protection";
  return "leaves the protection in place";
}

std::vector<std::string> summarize(const RunRecord& record) {
  std::vector<std::string> paragraphs;
  add_learning(paragraphs, record);
  add_stress(paragraphs, record);
  add_perturbation(paragraphs, record);
  add_scale(paragraphs, record);
  return paragraphs;
}

}  // namespace unlearn::tool::experiments
