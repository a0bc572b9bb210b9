#include "slipway/mlsteps/generate.h"

#include <ostream>
#include <string_view>

#include "mlsteps/json_lines.h"
#include "mlsteps/subject.h"
#include "slipway/ml/chat_template.h"
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

// The text that makes the model answer a conversation.
Result<std::string> render_chat(const JsonLine& line, const Value& list, const std::filesystem::path& folder) {
  const Error problem{ErrorCode::InvalidArgument,
                      line.where + ": `messages` must hold objects with the texts `role` and `content`",
                      {}};
  if (!list.is_array() || list.as_array().empty()) return problem;
  std::vector<ml::ChatMessage> messages;
  for (const Value& item : list.as_array()) {
    const Value* content = item.find("content");
    if (content == nullptr || !content->is_string() || item.get_string("role").empty()) return problem;
    messages.push_back({item.get_string("role"), content->as_string()});
  }
  SLIPWAY_TRY_ASSIGN(const auto chat, ml::ChatTemplate::load(folder));
  auto text = chat.render(messages, true);
  if (!text) return text.error().in(line.where);
  return text;
}

Result<std::vector<ml::TokenId>> prompt_of(const JsonLine& line, const ml::LoadedModel& model, std::int64_t context) {
  std::vector<ml::TokenId> ids;
  if (const Value* messages = line.value.find("messages")) {
    SLIPWAY_TRY_ASSIGN(const std::string text, render_chat(line, *messages, model.folder));
    ids = model.tokenizer.encode(text, ml::SpecialTokens::Omit);
  } else if (const Value* text = line.value.find("prompt"); text != nullptr && text->is_string()) {
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
  if (!options.chat) return std::vector<JsonLine>{{Value(Value::Object{{"prompt", options.prompt}}), "--prompt"}};
  Value::Array messages{Value::Object{{"role", "user"}, {"content", options.prompt}}};
  return std::vector<JsonLine>{{Value(Value::Object{{"messages", std::move(messages)}}), "--prompt"}};
}

bool types(const GenerateOptions& options) { return !options.prompt.empty() && options.params.n == 1; }

// Shows the text of a single continuation while it grows.
class Typewriter {
 public:
  explicit Typewriter(std::ostream& out) : out_(out) {}
  void show(std::string_view text) {
    out_ << text.substr(shown_) << std::flush;
    shown_ = text.size();
  }

 private:
  std::ostream& out_;
  std::size_t shown_ = 0;
};

Result<std::vector<std::vector<ml::Generation>>> generate(const GenerateOptions& options, std::ostream& out) {
  SLIPWAY_TRY_ASSIGN(const Subject subject, open_subject(options.model, options.adapter, options.weights));
  SLIPWAY_TRY_ASSIGN(const auto lines, prompts_of(options));
  std::vector<std::vector<ml::Generation>> results(lines.size());
  ml::Compute compute(options.compute);
  ml::Generator generator(subject.model(), subject.loaded.tokenizer, compute,
                          {.kv_bytes_max = ml::usable_memory() / 2});
  Typewriter typewriter(out);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    ml::GenerationRequest request;
    if (types(options))
      request.events.progress = [&](int, const ml::Generation&, std::string_view text) { typewriter.show(text); };
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
  if (types(options)) typewriter.show(results.front().front().text);
  return results;
}

}  // namespace

int run_generate(const GenerateOptions& options, const StepIo& io) {
  if (options.prompt.empty() == options.input.empty())
    return fail(io, kStepUsage, "usage", "either --prompt or --input is needed");
  if (options.chat && options.prompt.empty()) return fail(io, kStepUsage, "usage", "--chat needs --prompt");
  if (!options.input.empty() && options.output.empty()) return fail(io, kStepUsage, "usage", "--output is needed");
  if (const auto reason = ml::invalid_reason(options.params)) return fail(io, kStepUsage, "usage", *reason);
  const auto results = generate(options, io.out);
  if (!results) return fail(io, results.error());
  if (!options.prompt.empty()) {
    if (types(options)) io.out << "\n";
    for (const auto& generation : results->front())
      if (!types(options)) io.out << generation.text << "\n";
    return kStepOk;
  }
  std::vector<Value> lines;
  for (const auto& generations : *results) lines.push_back(to_value(generations, options.params));
  const auto written = write_json_lines(options.output, lines);
  return written ? kStepOk : fail(io, written.error());
}

}  // namespace slipway::mlsteps
