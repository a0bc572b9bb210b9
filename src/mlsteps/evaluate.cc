#include "slipway/mlsteps/evaluate.h"

#include <algorithm>
#include <ostream>

#include "mlsteps/answer.h"
#include "mlsteps/subject.h"
#include "slipway/ml/dataset.h"
#include "slipway/ml/generator.h"
#include "slipway/ml/memory.h"

namespace slipway::mlsteps {
namespace {

struct Question {
  std::string prompt;
  std::string answer;
};

Result<std::vector<Question>> read_questions(const EvaluateOptions& options) {
  SLIPWAY_TRY_ASSIGN(const auto texts, ml::read_text_samples(options.data, {}, options.model));
  std::vector<Question> questions;
  for (const auto& sample : texts) {
    std::size_t end = sample.learn_from;
    if (end == 0) {
      const std::size_t marker =
          options.answer_marker.empty() ? std::string::npos : sample.text.rfind(options.answer_marker);
      if (marker == std::string::npos)
        return Error{ErrorCode::InvalidArgument, sample.where + ": `" + options.answer_marker + "` is not in the text",
                     "name what stands before the answer with --answer-marker"};
      end = marker + options.answer_marker.size();
    }
    Question question{sample.text.substr(0, end), trimmed(std::string_view(sample.text).substr(end))};
    const auto& labels = options.labels;
    if (!labels.empty() && std::find(labels.begin(), labels.end(), question.answer) == labels.end())
      return Error{ErrorCode::InvalidArgument, sample.where + ": the answer `" + question.answer + "` is no label", {}};
    questions.push_back(std::move(question));
  }
  return questions;
}

// Share of questions that the model answers exactly.
Result<double> accuracy(const std::vector<Question>& questions, const std::string& model_folder,
                        const std::string& adapter_folder, const EvaluateOptions& options) {
  SLIPWAY_TRY_ASSIGN(const Subject subject, open_subject(model_folder, adapter_folder));
  ml::Compute compute(options.compute);
  ml::Generator generator(subject.model(), subject.loaded.tokenizer, compute,
                          {.tokens_only = true, .kv_bytes_max = ml::usable_memory() / 2});
  std::int64_t right = 0;
  for (const auto& question : questions) {
    ml::GenerationRequest request;
    request.prompt = subject.loaded.tokenizer.encode(question.prompt, ml::SpecialTokens::Add);
    if (request.prompt.empty() || std::ssize(request.prompt) >= generator.context())
      return Error{
          ErrorCode::InvalidArgument, "a prompt is empty or longer than the model's context: " + question.prompt, {}};
    request.params.temperature = 0;
    request.params.max_tokens = options.max_new_tokens;
    request.params.stop = {"\n"};
    request.lora = subject.lora();
    request.events.finished = [&](int, const ml::Generation& generation) {
      right += answer_of(generation.text, options.labels) == question.answer ? 1 : 0;
    };
    generator.add(std::move(request));
  }
  while (!generator.idle()) generator.step();
  return static_cast<double>(right) / static_cast<double>(questions.size());
}

Result<Value> evaluate(const EvaluateOptions& options) {
  SLIPWAY_TRY_ASSIGN(const auto questions, read_questions(options));
  SLIPWAY_TRY_ASSIGN(const double after, accuracy(questions, options.model, options.adapter, options));
  Value::Object outputs{{"accuracy", after}, {"examples", std::ssize(questions)}};
  if (!options.baseline.empty()) {
    SLIPWAY_TRY_ASSIGN(const double before, accuracy(questions, options.baseline, {}, options));
    outputs.emplace("accuracy_before", before);
  }
  return Value(std::move(outputs));
}

}  // namespace

int run_evaluate(const EvaluateOptions& options, const StepIo& io) {
  if (options.max_new_tokens < 1) return fail(io, kStepUsage, "usage", "--max-new-tokens must be at least 1");
  const auto outputs = evaluate(options);
  if (!outputs) return fail(io, outputs.error());
  io.out << outputs->dump() << "\n";
  const double reached = outputs->find("accuracy")->as_double();
  if (reached < options.accuracy_min)
    return fail(io, kStepFailed, "check",
                "accuracy is " + std::to_string(reached) + ", below " + std::to_string(options.accuracy_min));
  const auto written = write_outputs(io, *outputs);
  return written ? kStepOk : fail(io, written.error());
}

}  // namespace slipway::mlsteps
