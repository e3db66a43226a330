// SPDX-License-Identifier: Apache-2.0
#include "tool/publication/protection_plan.hpp"

#include "pairs/files/json_record.hpp"
#include "unlearn/mem/configurations.hpp"

namespace unlearn::tool {
namespace {

struct SettingsWriter {
  pairs::JsonWriter json{};

  template <class Value>
  void operator()(const PlanOption& option, const Value& value) {
    json(option.key, value);
  }
};

MultiStepMinimizer<> papers_settings(Method method) {
  switch (method) {
    case Method::em: return em();
    case Method::uap: return uap();
    case Method::mem: break;
  }
  return mem();
}

}  // namespace

ProtectionPlan resolved(const ProtectionPlan& plan) {
  const MultiStepMinimizer<> own = papers_settings(plan.method);
  ProtectionPlan result = plan;
  if (plan.rounds == 0) result.rounds = own.rounds;
  if (plan.surrogate_steps == 0 || plan.method == Method::uap) {
    result.surrogate_steps = own.surrogate_steps;
  }
  if (plan.method != Method::mem) {
    result.trigger_length = 0;
    result.placement = PlacementKind::front;
    result.trigger_rounds = own.trigger_rounds;
  }
  if (plan.method != Method::uap) result.surrogate_epochs = 0;
  return result;
}

nlohmann::json settings_of(const ProtectionPlan& plan) {
  SettingsWriter settings;
  describe_options(settings, plan);
  return settings.json.take();
}

}  // namespace unlearn::tool
