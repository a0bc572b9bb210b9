#include "slipway/mlsteps/generate.h"

#include <ostream>

#include "mlsteps/json_lines.h"
#include "mlsteps/subject.h"
#include "slipway/ml/generator.h"
#include "slipway/ml/memory.h"

namespace slipway::mlsteps {
namespace {

Value to_value(const ml::Generation& generation) {
  return Value::Object{{"ids", to_values(generation.ids)},
                       {"text", generation.text},
                       {"finish_reason", ml::kFinishReasons.text(generation.finish)}};
}

// All continuations of one prompt.
Value to_value(const std::vector<ml::Generation>& generations, const ml::SamplingParams& params) {
  if (params.n == 1) return to_value(generations.front());
  Value::Array samples;
  std::vector<ml::TokenId> draws;
  for (const auto& generation : generations) {
    draws.push_back(generation.ids.front());
    if (params.max_tokens > 1) samples.push_back(to_value(generation));
  }
  if (params.max_tokens == 1) return Value::Object{{"ids", to_values(draws)}};
  return Value::Object{{"ids", to_values(generations.front().ids)}, {"samples", std::move(samples)}};
}

Result<std::vector<ml::TokenId>> prompt_of(const JsonLine& line, const ml::LoadedModel& model, std::int64_t context) {
  std::vector<ml::TokenId> ids;
  if (const Value* text = line.value.find("prompt"); text != nullptr && text->is_string()) {
    ids = model.tokenizer.encode(text->as_string(), ml::SpecialTokens::Add);
  } else {
    SLIPWAY_TRY_ASSIGN(ids, token_ids(line, "prompt_ids", model.model.config().vocab_size));
  }
  if (ids.empty() || std::ssize(ids) >= context)
    return Error{ErrorCode::InvalidArgument,
                 line.where + ": the prompt has " + std::to_string(ids.size()) + " tokens; 1 to " +
                     std::to_string(context - 1) + " are possible",
                 {}};
  return ids;
}

Result<std::vector<JsonLine>> prompts_of(const GenerateOptions& options) {
  if (options.prompt.empty()) return read_json_lines(options.input);
  return std::vector<JsonLine>{{Value(Value::Object{{"prompt", options.prompt}}), "--prompt"}};
}

Result<std::vector<std::vector<ml::Generation>>> generate(const GenerateOptions& options) {
  SLIPWAY_TRY_ASSIGN(const Subject subject, open_subject(options.model, options.adapter));
  SLIPWAY_TRY_ASSIGN(const auto lines, prompts_of(options));
  std::vector<std::vector<ml::Generation>> results(lines.size());
  ml::Compute compute(options.compute);
  ml::Generator generator(subject.model(), subject.loaded.tokenizer, compute,
                          {.kv_bytes_max = ml::usable_memory() / 2});
  for (std::size_t i = 0; i < lines.size(); ++i) {
    ml::GenerationRequest request;
    SLIPWAY_TRY_ASSIGN(request.prompt, prompt_of(lines[i], subject.loaded, generator.context()));
    results[i].resize(static_cast<std::size_t>(options.params.n));
    request.params = options.params;
    request.lora = subject.lora();
    request.seed = options.seed + 0xd1342543de82ef95ULL * i;
    request.events.finished = [&slot = results[i]](int index, ml::Generation generation) {
      slot[static_cast<std::size_t>(index)] = std::move(generation);
    };
    generator.add(std::move(request));
  }
  while (!generator.idle()) generator.step();
  return results;
}

}  // namespace

int run_generate(const GenerateOptions& options, const StepIo& io) {
  if (options.prompt.empty() == options.input.empty())
    return fail(io, kStepUsage, "usage", "either --prompt or --input is needed");
  if (!options.input.empty() && options.output.empty()) return fail(io, kStepUsage, "usage", "--output is needed");
  if (const auto reason = ml::invalid_reason(options.params)) return fail(io, kStepUsage, "usage", *reason);
  const auto results = generate(options);
  if (!results) return fail(io, results.error());
  if (!options.prompt.empty()) {
    for (const auto& generation : results->front()) io.out << generation.text << "\n";
    return kStepOk;
  }
  std::vector<Value> lines;
  for (const auto& generations : *results) lines.push_back(to_value(generations, options.params));
  const auto written = write_json_lines(options.output, lines);
  return written ? kStepOk : fail(io, written.error());
}

}  // namespace slipway::mlsteps
