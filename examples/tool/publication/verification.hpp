// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pairs/images/image.hpp"

namespace unlearn::tool {

/// Where clean pairs are.
struct CleanPairs {
  std::string images{};    ///< folder of the images
  std::string captions{};  ///< file, in any format that read_captions() takes
};

/// The pairs of a folder: images in `folder`/images, or in `folder` itself where that is not
/// there; captions in the file `captions`, or if that is empty in `folder`/captions.csv, or in
/// captions.csv beside the folder.
/// @throws FileError when there is no such folder or no such file
[[nodiscard]] CleanPairs clean_pairs_in(const std::string& folder,
                                        const std::string& captions = {});

/// How verify() works.
struct VerificationOptions {
  /// Merge list of CLIP's tokenizer, see merge_list_or_default(); not read where the manifest has
  /// words of its own.
  std::string vocab{};
  pairs::ImageLimits limits{};
  unsigned threads = 0;              ///< 0 means one for each core
  std::size_t most_violations = 10;  ///< that are named; all are counted
  /// Is told now and then, on the calling thread, how many of all images have been verified.
  std::function<void(std::size_t done, std::size_t all)> progress{};
};

/// What verify() found.
struct Verification {
  std::size_t images = 0;          ///< in the manifest
  std::size_t captions = 0;        ///< published
  std::size_t left_out = 0;        ///< clean captions of the split that the manifest leaves out
  std::size_t size = 0;            ///< side of each image in pixels
  std::size_t epsilon_levels = 0;  ///< the bound that is promised
  std::size_t trigger_length = 0;  ///< tokens of the trigger in each caption

  std::size_t compared = 0;     ///< images for which both could be read, and of the right size
  std::size_t linf_levels = 0;  ///< max |protected − clean| over those, in levels of 1/255
  /// Least and mean PSNR in dB, over the compared images that differ at all; nothing if none
  /// does.
  std::optional<double> psnr_min{};
  std::optional<double> psnr_mean{};  ///< see psnr_min
  /// Mean SSIM over the compared images; nothing for images smaller than its window of 11
  /// pixels.
  std::optional<double> ssim_mean{};

  std::size_t violation_count = 0;        ///< all of them
  std::vector<std::string> violations{};  ///< the first: "<where>: expected …, got …"

  /// Whether everything is as promised.
  [[nodiscard]] bool holds() const { return violation_count == 0; }
};

/// Reads a protected folder again as it was published, and proves what `manifest.json` in it
/// promises. With p a published image, x its source, e the tokenizer, t a trigger, c a caption:
///  - each file is a regular one, decodes, and has the digest that the manifest has; so does x;
///  - p has size · size pixels, and max |p − clip_crop(x, size)| ≤ epsilon_levels;
///  - captions.csv has the split's clean rows, all or those of the manifest, in order, each of the
///    image that was made of the row's own, with the same split;
///  - a published caption is a text and then c, unchanged; the text is decode(t), where t = e(text)
///    has trigger_length tokens, none of them special, and stands in the row of triggers.npy, where
///    that file is there. Where it has another number of rows than captions.csv, triggers are
///    shared, and t is one of its rows;
///  - e(published) = t, e(c), and of start, e(published) and end, cut to context_length, the
///    trigger and the end token remain;
///  - where the placement is `back` or `anywhere`, the same of a caption whose trigger is at the
///    places of its row: the words of c are unchanged, and what remains of start, e(published) and
///    end is the sequence that the trigger was searched with;
///  - each image has a caption, each caption an image, and images/ has no other files.
///
/// Violations are in this order: images as in the manifest, rows as in captions.csv, files. The
/// result is the same for every number of threads.
/// @throws FileError when manifest.json, triggers.npy, or a captions file cannot be read or is not
///         what it should be; when rows in the manifest are none of the clean file's; or there is
///         no merge list
[[nodiscard]] Verification verify(const CleanPairs& clean, const std::string& protected_folder,
                                  const VerificationOptions& options = {});

}  // namespace unlearn::tool
