// SPDX-License-Identifier: Apache-2.0
#include "tool/publication/verification.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <set>
#include <span>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "pairs/captions/caption_file.hpp"
#include "pairs/files/json_text.hpp"
#include "pairs/files/regular_file.hpp"
#include "pairs/files/sha256.hpp"
#include "pairs/images/resize.hpp"
#include "pairs/text/any_tokenizer.hpp"
#include "pairs/text/bpe_tokenizer.hpp"
#include "pairs/text/merge_list.hpp"
#include "pairs/text/tokenizer.hpp"
#include "pairs/text/word_starts.hpp"
#include "pairs/text/word_tokenizer.hpp"
#include "tool/publication/caption_placement.hpp"
#include "tool/publication/manifest.hpp"
#include "unlearn/core/batch.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/core/execution.hpp"
#include "unlearn/core/parallel_loop.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/io/file.hpp"
#include "unlearn/io/file_mapping.hpp"
#include "unlearn/io/npy.hpp"
#include "unlearn/metrics/perturbation.hpp"

namespace unlearn::tool {
namespace {

namespace fs = std::filesystem;

/// Violations in order: counted, and the first of them kept.
class Violations {
 public:
  explicit Violations(std::size_t most) : most_(most) {}

  void add(std::string violation) {
    ++count_;
    if (first_.size() < most_) first_.push_back(std::move(violation));
  }

  /// A violation unless `holds`.
  /// @return `holds`
  template <class Expected, class Got>
  bool expect(bool holds, std::string_view thing, const Expected& expected, const Got& got) {
    if (!holds) add(expectation(thing, expected, got));
    return holds;
  }

  void append(Violations other) {
    count_ += other.count_;
    for (std::string& violation : other.first_) {
      if (first_.size() < most_) first_.push_back(std::move(violation));
    }
  }

  void move_into(Verification& found) {
    found.violation_count = count_;
    found.violations = std::move(first_);
  }

 private:
  std::size_t most_;
  std::size_t count_ = 0;
  std::vector<std::string> first_;
};

// --- Images

/// How far a published image is from its clean one.
struct Distance {
  std::size_t linf = 0;
  double psnr = 0;
  double ssim = 0;
};

/// What was found about one image.
struct ImageFinding {
  std::optional<Distance> distance{};
  std::vector<std::string> violations{};
};

class ImageVerifier {
 public:
  ImageVerifier(const CleanPairs& clean, const std::string& protected_folder,
                const PublishedManifest& manifest, const pairs::ImageLimits& limits)
      : clean_(clean.images), published_(protected_folder), manifest_(manifest), limits_(limits) {}

  [[nodiscard]] ImageFinding operator()(const ManifestImage& entry) const {
    ImageFinding finding;
    const std::size_t size = manifest_.size;
    const fs::path published_path = published_ / entry.file;
    // A link could lead anywhere: what was published is the file itself.
    std::error_code ignored;
    if (fs::is_symlink(published_path, ignored)) {
      finding.violations.push_back(
          expectation(file_name_for_message(published_path.string()), "a regular file", "a link"));
      return finding;
    }
    const auto published = read(published_path.string(), entry.sha256, finding);
    const auto source = read((clean_ / entry.source).string(), entry.source_sha256, finding);
    if (!published) return finding;
    if (published->height != size || published->width != size) {
      finding.violations.push_back(expectation(
          file_name_for_message(published_path.string()) + ", pixels",
          std::to_string(size) + " x " + std::to_string(size),
          std::to_string(published->height) + " x " + std::to_string(published->width)));
      return finding;
    }
    if (!source) return finding;
    finding.distance = distance(pairs::clip_crop(*source, size), *published);
    if (finding.distance->linf > manifest_.epsilon_levels) {
      finding.violations.push_back(
          expectation(file_name_for_message(published_path.string()) + ", change of a pixel",
                      "at most " + std::to_string(manifest_.epsilon_levels) + " levels",
                      finding.distance->linf));
    }
    return finding;
  }

 private:
  /// The image, or nothing where it cannot be read.
  [[nodiscard]] std::optional<pairs::Image> read(const std::string& path, const std::string& sha256,
                                                 ImageFinding& finding) const {
    std::optional<pairs::Image> image;
    try {
      pairs::require_regular_file(path);
      const std::string sum = pairs::sha256_of_file(path);
      if (sum != sha256) {
        finding.violations.push_back(expectation(file_name_for_message(path) + ", SHA-256",
                                                 "the manifest's, " + sha256, sum));
      }
      image = pairs::read_image(path, limits_);
    } catch (const FileError& error) {
      finding.violations.emplace_back(error.what());
    }
    return image;
  }

  [[nodiscard]] static Distance distance(const pairs::Image& clean, const pairs::Image& published) {
    using Flat = View<const std::uint8_t, 1>;
    using Pixels = View<const std::uint8_t, 3>;
    const Flat a(clean.rgb.data(), {clean.rgb.size()});
    const Flat b(published.rgb.data(), {published.rgb.size()});
    const std::array<std::size_t, 3> shape{clean.height, clean.width, 3};
    Distance found{.linf = static_cast<std::size_t>(linf(a, b)), .psnr = psnr(a, b, 255)};
    found.ssim = clean.height < smallest_for_ssim
                     ? std::nan("")
                     : ssim(Pixels(clean.rgb.data(), shape), Pixels(published.rgb.data(), shape));
    return found;
  }

  static constexpr std::size_t smallest_for_ssim = 11;

  fs::path clean_;
  fs::path published_;
  const PublishedManifest& manifest_;
  const pairs::ImageLimits& limits_;
};

/// Sums up what was found, in the images' order.
class Distances {
 public:
  void add(const Distance& next) {
    ++compared_;
    linf_ = std::max(linf_, next.linf);
    ssim_sum_ += next.ssim;
    if (!std::isfinite(next.psnr)) return;
    ++different_;
    psnr_sum_ += next.psnr;
    psnr_min_ = std::min(psnr_min_, next.psnr);
  }

  void write_to(Verification& found) const {
    found.compared = compared_;
    found.linf_levels = linf_;
    if (different_ > 0) {
      found.psnr_min = psnr_min_;
      found.psnr_mean = psnr_sum_ / static_cast<double>(different_);
    }
    if (compared_ > 0 && !std::isnan(ssim_sum_)) {
      found.ssim_mean = ssim_sum_ / static_cast<double>(compared_);
    }
  }

 private:
  std::size_t compared_ = 0;
  std::size_t different_ = 0;
  std::size_t linf_ = 0;
  double psnr_min_ = HUGE_VAL;
  double psnr_sum_ = 0;
  double ssim_sum_ = 0;
};

void verify_images(const ImageVerifier& verifier, const PublishedManifest& manifest,
                   const VerificationOptions& options, Verification& found,
                   Violations& violations) {
  const Parallel policy{options.threads};
  // Long enough that threads seldom wait for each other, short enough to show progress.
  const std::size_t stretch = std::size_t{32} * policy.thread_count();
  const std::size_t all = manifest.images.size();
  Distances distances;
  for (std::size_t first = 0; first < all; first += stretch) {
    const std::size_t count = std::min(stretch, all - first);
    std::vector<ImageFinding> findings(count);
    for_each_piece(policy, count, 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        findings[i] = verifier(manifest.images[first + i]);
      }
    });
    for (ImageFinding& finding : findings) {
      if (finding.distance) distances.add(*finding.distance);
      for (std::string& violation : finding.violations) violations.add(std::move(violation));
    }
    if (options.progress) options.progress(first + count, all);
  }
  distances.write_to(found);
}

// --- Rows

/// The published rows beside the clean ones.
struct Rows {
  std::vector<pairs::CaptionRow> published{};
  std::vector<pairs::CaptionRow> clean{};              ///< of the split
  std::optional<std::vector<ManifestRow>> clean_of{};  ///< published to clean; nothing: the same
  std::unordered_map<std::string, std::size_t> image;  ///< in the manifest, by its name in the CSV

  /// How many have a clean row.
  [[nodiscard]] std::size_t count() const {
    return clean_of ? published.size() : std::min(published.size(), clean.size());
  }
  [[nodiscard]] const pairs::CaptionRow& clean_row(std::size_t row) const {
    return clean[clean_of ? (*clean_of)[row].row : row];
  }
};

Rows read_rows(const CleanPairs& clean, const std::string& captions_path,
               const std::string& manifest_path, const PublishedManifest& manifest) {
  Rows rows;
  pairs::require_regular_file(captions_path);
  pairs::require_regular_file(clean.captions);
  rows.published = pairs::read_captions(captions_path);
  rows.clean = pairs::read_captions(clean.captions);
  const std::string split = manifest.split.value_or("");
  if (!split.empty()) {
    std::erase_if(rows.clean, [&](const pairs::CaptionRow& row) { return row.split != split; });
  }
  rows.clean_of = manifest.rows;
  if (rows.clean_of) {
    require_in_file(
        rows.clean_of->size() == rows.published.size(), manifest_path, "/rows",
        "one for each of the " + std::to_string(rows.published.size()) + " rows in captions.csv",
        rows.clean_of->size());
    const std::size_t last = rows.clean_of->empty() ? 0 : rows.clean_of->back().row;
    require_in_file(
        rows.clean_of->empty() || last < rows.clean.size(), manifest_path, "/rows",
        "numbers below " + std::to_string(rows.clean.size()) + ", the clean rows of the split",
        last);
  }
  for (std::size_t i = 0; i < manifest.images.size(); ++i) {
    rows.image.emplace(manifest.images[i].image(), i);
  }
  return rows;
}

std::string place_of(const Rows& rows, std::size_t row) {
  return "captions.csv, row " + std::to_string(row) + " of " +
         pairs::json_quoted(rows.published[row].image);
}

std::string ids_in_words(std::span<const Token> ids) {
  std::string text;
  for (const Token id : ids.first(std::min<std::size_t>(ids.size(), 12))) {
    text.append(text.empty() ? "" : " ").append(std::to_string(id));
  }
  if (ids.size() > 12) text += " ...";
  return text.empty() ? "none" : text;
}

/// triggers.npy, if it is there.
class PublishedTriggers {
 public:
  /// @throws FileError when it is there and is not [·, length] of int32
  PublishedTriggers(const std::string& path, std::size_t rows, std::size_t length) {
    if (!fs::exists(path)) return;
    pairs::require_regular_file(path);
    const FileMapping file(path);
    const View<const Token, 2> triggers = npy_view<const Token>(file.bytes(), path);
    require_in_file(triggers.extent(1) == length, path, "tokens of a trigger", length,
                    triggers.extent(1));
    one_for_each_ = triggers.extent(0) == rows;
    for (std::size_t row = 0; row < triggers.extent(0); ++row) {
      const auto ids = triggers.row(row);
      rows_.emplace_back(ids.begin(), ids.end());
    }
    if (!one_for_each_) shared_.insert(rows_.begin(), rows_.end());
    are_there_ = true;
  }

  void verify(std::span<const Token> trigger, std::size_t row, const std::string& place,
              Violations& violations) const {
    if (!are_there_) return;
    const std::vector<Token> ids(trigger.begin(), trigger.end());
    const bool holds = one_for_each_ ? rows_[row] == ids : shared_.contains(ids);
    violations.expect(holds, place + ", trigger",
                      one_for_each_
                          ? "the tokens of its row in triggers.npy, " + ids_in_words(rows_[row])
                          : std::string("one of those in triggers.npy"),
                      ids_in_words(ids));
  }

 private:
  bool are_there_ = false;
  bool one_for_each_ = false;
  std::vector<std::vector<Token>> rows_;
  std::set<std::vector<Token>> shared_;
};

template <pairs::Tokenizer Tok>
class RowVerifier {
 public:
  /// All must outlive this.
  RowVerifier(const Tok& tokenizer, const PublishedManifest& manifest,
              const PublishedTriggers& triggers, const Rows& rows)
      : tokenizer_(tokenizer), manifest_(manifest), triggers_(triggers), rows_(rows) {
    if (manifest.placement.value_or(PlacementKind::front) == PlacementKind::front) return;
    std::vector<std::string> captions;
    for (std::size_t row = 0; row < count(); ++row) captions.push_back(rows.clean_row(row).caption);
    words_ = pairs::WordStarts(tokenizer, captions);
  }

  [[nodiscard]] std::size_t count() const { return rows_.count(); }

  void operator()(std::size_t row, Violations& violations) const {
    verify_image(row, violations);
    if (placement().kind == PlacementKind::front) {
      verify_caption(row, violations);
    } else {
      verify_placed_caption(row, violations);
    }
  }

 private:
  /// Image and split.
  void verify_image(std::size_t row, Violations& violations) const {
    const pairs::CaptionRow& published = rows_.published[row];
    const pairs::CaptionRow& clean = rows_.clean_row(row);
    const std::string place = place_of(rows_, row);
    const auto found = rows_.image.find(published.image);
    if (found == rows_.image.end()) {
      violations.add(expectation(place + ", image", "one that the manifest has",
                                 pairs::json_quoted(published.image)));
    } else {
      const std::string& source = manifest_.images[found->second].source;
      violations.expect(source == clean.image, place + ", image",
                        "the one made of " + pairs::json_quoted(clean.image),
                        "one made of " + pairs::json_quoted(source));
    }
    violations.expect(published.split == clean.split, place + ", split",
                      pairs::json_quoted(clean.split), pairs::json_quoted(published.split));
  }

  [[nodiscard]] CaptionPlacement placement() const {
    return {.kind = manifest_.placement.value_or(PlacementKind::front),
            .seed = manifest_.seed.value_or(0),
            .context = manifest_.context_length,
            .words = &words_};
  }

  /// A caption with its trigger behind it or between its words.
  void verify_placed_caption(std::size_t row, Violations& violations) const {
    const std::string& published = rows_.published[row].caption;
    const std::string& caption = rows_.clean_row(row).caption;
    const std::string place = place_of(rows_, row);
    const std::vector<Token> clean = tokenizer_.encode(caption);
    const std::vector<Token> tokens = tokenizer_.encode(published);
    const std::size_t length = manifest_.trigger_length;
    if (!violations.expect(
            tokens.size() == clean.size() + length, place + ", tokens",
            std::to_string(clean.size()) + " of the caption and " + std::to_string(length) +
                " of the trigger",
            std::to_string(tokens.size()) + " in " + pairs::json_quoted(published))) {
      return;
    }
    const TriggerPlaces places = trigger_places(
        tokenizer_, placement(), {.row = static_cast<Index>(row), .text = caption}, length);
    std::vector<Token> trigger;
    std::vector<Token> expected = clean;
    for (const std::size_t token : places.tokens) {
      trigger.push_back(tokens[token]);
      expected.insert(expected.begin() + static_cast<std::ptrdiff_t>(token), tokens[token]);
    }
    violations.expect(
        std::ranges::none_of(trigger, [&](Token id) { return tokenizer_.is_special(id); }),
        place + ", trigger", "no special token", ids_in_words(trigger));
    const std::string text = pairs::with_trigger_at(tokenizer_, trigger, caption, places.offsets);
    if (!violations.expect(published == text, place + ", caption",
                           "the trigger at its places, " + pairs::json_quoted(text),
                           pairs::json_quoted(published))) {
      return;
    }
    triggers_.verify(trigger, row, place, violations);
    if (!violations.expect(tokens == expected, place + ", tokens",
                           "the caption's with the trigger's between, " + ids_in_words(expected),
                           ids_in_words(tokens))) {
      return;
    }
    const std::vector<Token> seen =
        pairs::caption_tokens(tokenizer_, published, manifest_.context_length);
    violations.expect(seen == optimised(row, trigger), place + ", tokens that the model takes",
                      "those that the trigger was searched with", ids_in_words(seen));
  }

  /// What the placement makes of a row's clean caption.
  [[nodiscard]] std::vector<Token> optimised(std::size_t row,
                                             std::span<const Token> trigger) const {
    const CaptionPlacement where = placement();
    const std::vector<Token> caption =
        pairs::caption_tokens(tokenizer_, rows_.clean_row(row).caption, manifest_.context_length);
    std::vector<Token> sequence(where.length(caption.size(), trigger.size()));
    std::vector<std::int32_t> positions(trigger.size());
    where.place(static_cast<Index>(row), caption, trigger, sequence, positions);
    return sequence;
  }

  /// A caption behind its trigger.
  void verify_caption(std::size_t row, Violations& violations) const {
    const std::string& published = rows_.published[row].caption;
    const std::string& caption = rows_.clean_row(row).caption;
    const std::string place = place_of(rows_, row);
    if (!violations.expect(published.ends_with(caption), place + ", caption",
                           "a trigger and then " + pairs::json_quoted(caption),
                           pairs::json_quoted(published))) {
      return;
    }
    const std::string front = published.substr(0, published.size() - caption.size());
    const std::vector<Token> trigger = tokenizer_.encode(front);
    if (!violations.expect(trigger.size() == manifest_.trigger_length, place + ", trigger",
                           std::to_string(manifest_.trigger_length) + " tokens",
                           std::to_string(trigger.size()) + " in " + pairs::json_quoted(front))) {
      return;
    }
    violations.expect(
        std::ranges::none_of(trigger, [&](Token id) { return tokenizer_.is_special(id); }),
        place + ", trigger", "no special token", pairs::json_quoted(front));
    const std::string text = tokenizer_.decode(trigger);
    violations.expect(text == front, place + ", trigger",
                      "the text of its tokens, " + pairs::json_quoted(text),
                      pairs::json_quoted(front));
    triggers_.verify(trigger, row, place, violations);
    verify_tokens(trigger, row, place, violations);
  }

  /// What a reader makes of the published text.
  void verify_tokens(const std::vector<Token>& trigger, std::size_t row, const std::string& place,
                     Violations& violations) const {
    const std::string& published = rows_.published[row].caption;
    std::vector<Token> expected = trigger;
    std::ranges::copy(tokenizer_.encode(rows_.clean_row(row).caption),
                      std::back_inserter(expected));
    const std::vector<Token> tokens = tokenizer_.encode(published);
    if (!violations.expect(tokens == expected, place + ", tokens",
                           "the trigger's and then the caption's, " + ids_in_words(expected),
                           ids_in_words(tokens))) {
      return;
    }
    const std::vector<Token> seen =
        pairs::caption_tokens(tokenizer_, published, manifest_.context_length);
    const bool complete = seen.size() <= manifest_.context_length &&
                          seen.size() >= trigger.size() + 2 && seen.back() == tokenizer_.end() &&
                          std::equal(trigger.begin(), trigger.end(), seen.begin() + 1);
    violations.expect(complete, place + ", tokens that the model takes",
                      "the trigger and the end token among them", ids_in_words(seen));
  }

  const Tok& tokenizer_;
  const PublishedManifest& manifest_;
  const PublishedTriggers& triggers_;
  const Rows& rows_;
  pairs::WordStarts words_{};  ///< of the clean captions, unless triggers are in front
};

template <class Verifier>
void verify_rows(const Verifier& verifier, const VerificationOptions& options,
                 Violations& violations) {
  const Parallel policy{options.threads};
  constexpr std::size_t grain = 64;
  std::vector<Violations> found(piece_count(policy, verifier.count(), grain),
                                Violations(options.most_violations));
  for_each_piece(policy, verifier.count(), grain,
                 [&](std::size_t piece, std::size_t begin, std::size_t end) {
                   for (std::size_t row = begin; row < end; ++row) {
                     verifier(row, found[piece]);
                   }
                 });
  for (Violations& part : found) violations.append(std::move(part));
}

pairs::AnyTokenizer tokenizer_of(const PublishedManifest& manifest,
                                 const std::string& manifest_path, const std::string& vocab) {
  if (!manifest.words) return pairs::BpeTokenizer::from_file(pairs::merge_list_or_default(vocab));
  try {
    return pairs::WordTokenizer::from_words(*manifest.words);
  } catch (const InvalidArgument& error) {
    throw FileError(file_name_for_message(manifest_path) +
                    ", /settings/tokenizer/words: " + error.what());
  }
}

// --- Files

void verify_each_has_captions(const PublishedManifest& manifest, const Rows& rows,
                              Violations& violations) {
  std::vector<bool> has_caption(manifest.images.size());
  for (const pairs::CaptionRow& row : rows.published) {
    const auto found = rows.image.find(row.image);
    if (found != rows.image.end()) has_caption[found->second] = true;
  }
  for (std::size_t i = 0; i < has_caption.size(); ++i) {
    violations.expect(has_caption[i], "image " + pairs::json_quoted(manifest.images[i].file),
                      "a caption in captions.csv", "none");
  }
}

/// @throws FileError when the folder cannot be listed
void verify_no_other_files(const std::string& protected_folder, const Rows& rows,
                           Violations& violations) {
  const fs::path images = fs::path(protected_folder) / "images";
  std::vector<std::string> others;
  try {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(images)) {
      if (entry.is_directory() && !entry.is_symlink()) continue;
      std::string name = entry.path().lexically_relative(images).generic_string();
      if (!rows.image.contains(name)) others.push_back(std::move(name));
    }
  } catch (const fs::filesystem_error& error) {
    throw FileError(
        expectation("folder '" + images.string() + "'", "to list it", error.code().message()));
  }
  std::ranges::sort(others);
  for (const std::string& name : others) {
    violations.expect(false, "file " + pairs::json_quoted("images/" + name),
                      "the manifest to have it", "nothing");
  }
}

}  // namespace

CleanPairs clean_pairs_in(const std::string& folder, const std::string& captions) {
  const fs::path root(folder);
  std::error_code failure;
  if (!fs::is_directory(root, failure)) {
    throw FileError(expectation("folder '" + folder + "' of clean pairs", "a folder",
                                failure ? failure.message() : "another kind of file"));
  }
  CleanPairs pairs{.images = folder, .captions = captions};
  if (fs::is_directory(root / "images", failure)) pairs.images = (root / "images").string();
  if (!captions.empty()) return pairs;
  for (const fs::path& path : {root / "captions.csv", root / ".." / "captions.csv"}) {
    if (fs::exists(path, failure)) {
      pairs.captions = path.string();
      return pairs;
    }
  }
  throw FileError(expectation("folder '" + folder + "' of clean pairs",
                              "captions.csv in it or beside it, or to be told of another "
                              "captions file",
                              "neither"));
}

Verification verify(const CleanPairs& clean, const std::string& protected_folder,
                    const VerificationOptions& options) {
  const std::string manifest_path = protected_folder + "/manifest.json";
  const PublishedManifest manifest = read_published_manifest(manifest_path);
  const Rows rows = read_rows(clean, protected_folder + "/captions.csv", manifest_path, manifest);
  const PublishedTriggers triggers(protected_folder + "/triggers.npy", rows.published.size(),
                                   manifest.trigger_length);
  const auto tokenizer = tokenizer_of(manifest, manifest_path, options.vocab);
  Verification found{.images = manifest.images.size(),
                     .captions = rows.published.size(),
                     .left_out = rows.clean_of ? rows.clean.size() - rows.published.size() : 0,
                     .size = manifest.size,
                     .epsilon_levels = manifest.epsilon_levels,
                     .trigger_length = manifest.trigger_length};
  Violations violations(options.most_violations);
  verify_images(ImageVerifier(clean, protected_folder, manifest, options.limits), manifest, options,
                found, violations);
  violations.expect(
      rows.clean_of || rows.published.size() == rows.clean.size(), "captions.csv, rows",
      "as many as the clean captions of the split, " + std::to_string(rows.clean.size()),
      rows.published.size());
  verify_rows(RowVerifier(tokenizer, manifest, triggers, rows), options, violations);
  verify_each_has_captions(manifest, rows, violations);
  verify_no_other_files(protected_folder, rows, violations);
  violations.move_into(found);
  return found;
}

}  // namespace unlearn::tool
