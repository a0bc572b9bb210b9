#include "slipway/mlsteps/merge.h"

#include <array>
#include <ostream>

#include "slipway/ml/merge.h"

namespace slipway::mlsteps {

Result<std::optional<ml::Dtype>> merge_dtype(const std::string& name) {
  using Named = std::pair<std::string_view, ml::Dtype>;
  constexpr std::array<Named, 3> kNames{
      {{"bf16", ml::Dtype::BF16}, {"fp16", ml::Dtype::F16}, {"fp32", ml::Dtype::F32}}};
  if (name.empty()) return std::optional<ml::Dtype>();
  for (const auto& [text, dtype] : kNames)
    if (text == name) return std::optional(dtype);
  return Error{ErrorCode::InvalidArgument, "`" + name + "` is no dtype of a merged model", "use bf16, fp16 or fp32"};
}

namespace {

Result<Value> merge(const MergeStepOptions& options) {
  SLIPWAY_TRY_ASSIGN(const auto dtype, merge_dtype(options.dtype));
  ml::MergeOptions merge_options;
  merge_options.dtype = dtype;
  SLIPWAY_TRY_ASSIGN(const ml::MergeReport report,
                     ml::merge_adapter(options.model, options.adapter, options.output, merge_options));
  return Value(Value::Object{{"model", options.output},
                             {"tensors", static_cast<std::int64_t>(report.tensors)},
                             {"merged", static_cast<std::int64_t>(report.merged)},
                             {"delta_max", report.delta_max}});
}

}  // namespace

int run_merge(const MergeStepOptions& options, const StepIo& io) {
  const auto outputs = merge(options);
  if (!outputs) return fail(io, outputs.error());
  io.out << outputs->dump() << "\n";
  const auto written = write_outputs(io, *outputs);
  return written ? kStepOk : fail(io, written.error());
}

}  // namespace slipway::mlsteps
