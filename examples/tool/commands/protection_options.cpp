// SPDX-License-Identifier: Apache-2.0
#include "tool/commands/protection_options.hpp"

#include <concepts>
#include <cstdint>
#include <string>

#include "pairs/files/enum_names.hpp"
#include "tool/commands/enum_option.hpp"

namespace unlearn::tool {
namespace {

/// Makes a command-line option of each option of a plan.
class PlanOptions {
 public:
  explicit PlanOptions(CLI::App& command) : command_(&command) {}

  template <class Value>
  void operator()(const PlanOption& option, Value& value) {
    add(option, value)->group(option.group);
  }

 private:
  CLI::Option* add(const PlanOption& option, bool& value) {
    return command_->add_flag(option.flag, value, option.help);
  }
  template <pairs::NamedEnum Enum>
  CLI::Option* add(const PlanOption& option, Enum& value) {
    return add_enum_option(*command_, option.flag, value, option.help);
  }
  CLI::Option* add(const PlanOption& option, std::string& value) {
    CLI::Option* const added = command_->add_option(option.flag, value, option.help);
    return value.empty() ? added : added->capture_default_str();
  }
  template <class Number>
    requires std::integral<Number> || std::floating_point<Number>
  CLI::Option* add(const PlanOption& option, Number& value) {
    CLI::Option* const added = command_->add_option(option.flag, value, option.help);
    const auto& [least, most] = option.range;
    if (least == positive_numbers.least) {
      added->check(CLI::PositiveNumber);
    } else if (least == 0 && most == numbers_from_0.most) {
      added->check(CLI::NonNegativeNumber);
    } else if (!option.range.is_all()) {
      added->check(CLI::Range(static_cast<std::int64_t>(least), static_cast<std::int64_t>(most)));
    }
    // The side of the images has no default of its own.
    return value == 0 && least > 0 ? added : added->capture_default_str();
  }

  CLI::App* command_;
};

}  // namespace

void add_protection_options(CLI::App& command, ProtectionPlan& plan) {
  PlanOptions options(command);
  describe_options(options, plan);
  CLI::Option* const weights = command.get_option("--weights");
  for (const char* const other : {"--model", "--size", "--surrogate-rounds"}) {
    weights->excludes(command.get_option(other));
  }
}

}  // namespace unlearn::tool
