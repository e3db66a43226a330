// SPDX-License-Identifier: Apache-2.0
#include "tool/publication/verification_text.hpp"

#include <nlohmann/json.hpp>
#include <optional>

#include "unlearn/core/error.hpp"
#include "unlearn/io/number_text.hpp"

namespace unlearn::tool {

std::string json_text(const Verification& found) {
  const auto number = [](const std::optional<double>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
  };
  const nlohmann::ordered_json json{{"verified", found.holds()},
                                    {"images", found.images},
                                    {"captions", found.captions},
                                    {"captions_left_out", found.left_out},
                                    {"size", found.size},
                                    {"trigger_length", found.trigger_length},
                                    {"epsilon_levels", found.epsilon_levels},
                                    {"images_compared", found.compared},
                                    {"linf_levels", found.linf_levels},
                                    {"psnr_min", number(found.psnr_min)},
                                    {"psnr_mean", number(found.psnr_mean)},
                                    {"ssim_mean", number(found.ssim_mean)},
                                    {"violation_count", found.violation_count},
                                    {"violations", found.violations}};
  // Names of files need not be UTF-8.
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string summary_of(const Verification& found) {
  const auto number = [](const std::optional<double>& value, const char* unit) {
    return value ? rounded_text(*value, 4) + unit : std::string("-");
  };
  std::string text = std::to_string(found.images) + " images of " + std::to_string(found.size) +
                     " x " + std::to_string(found.size) + ", " + std::to_string(found.captions) +
                     " captions, " + std::to_string(found.trigger_length) +
                     " trigger tokens each\n";
  if (found.left_out > 0) {
    text += "left out by the manifest: " + std::to_string(found.left_out) + " captions\n";
  }
  return text + "largest change " + std::to_string(found.linf_levels) + " levels, at most " +
         std::to_string(found.epsilon_levels) + " allowed\nPSNR " + number(found.psnr_mean, " dB") +
         " (least " + number(found.psnr_min, " dB") + "), SSIM " + number(found.ssim_mean, "") +
         "\n";
}

void require_to_hold(const Verification& found, const std::string& folder) {
  if (found.holds()) return;
  std::string message =
      expectation("protected folder '" + folder + "'", "what its manifest promises",
                  std::to_string(found.violation_count) +
                      (found.violation_count == 1 ? " violation" : " violations"));
  if (found.violations.size() < found.violation_count) {
    message += ", the first " + std::to_string(found.violations.size());
  }
  message += ":";
  for (const std::string& violation : found.violations) message += "\n  " + violation;
  throw Error(message);
}

}  // namespace unlearn::tool
