#include "mlsteps/subject.h"

namespace slipway::mlsteps {

Result<Subject> open_subject(const std::string& model, const std::string& adapter, ml::WeightForm form) {
  SLIPWAY_TRY_ASSIGN(ml::LoadedModel loaded, ml::load_model(model, form));
  if (adapter.empty()) return Subject{std::move(loaded), std::nullopt};
  SLIPWAY_TRY_ASSIGN(ml::Adapter read, ml::read_adapter(adapter, loaded.model.config()));
  return Subject{std::move(loaded), std::move(read)};
}

}  // namespace slipway::mlsteps
