#include "slipway/mlsteps/evaluate.h"

#include <algorithm>
#include <cmath>
#include <ostream>

#include "mlsteps/answer.h"
#include "mlsteps/json_lines.h"
#include "mlsteps/subject.h"
#include "slipway/ml/dataset.h"
#include "slipway/ml/generator.h"
#include "slipway/ml/memory.h"

namespace slipway::mlsteps {
namespace {

constexpr std::size_t kBatchTokens = 2048;  // of one forward, at least one sample

struct Question {
  std::string prompt;
  std::string answer;
  ml::SpecialTokens specials = ml::SpecialTokens::Add;
};

struct Scores {
  double accuracy = 0;
  ml::LossSum loss;
  std::vector<Value> examples;

  [[nodiscard]] double mean_loss() const { return loss.loss_sum / static_cast<double>(loss.label_count); }
};

bool wants(const EvaluateOptions& options, EvaluateMetric metric) {
  return options.metric == metric || options.metric == EvaluateMetric::All;
}

// Where the answer begins; npos if nothing says so.
std::size_t answer_begin(const ml::TextSample& sample, const std::string& marker) {
  if (sample.learn_from > 0) return sample.learn_from;
  const std::size_t at = marker.empty() ? std::string::npos : sample.text.rfind(marker);
  return at == std::string::npos ? at : at + marker.size();
}

Result<std::vector<Question>> questions_of(const std::vector<ml::TextSample>& texts, const ml::Tokenizer& tokenizer,
                                           const EvaluateOptions& options) {
  std::vector<Question> questions;
  for (const auto& sample : texts) {
    const std::size_t begin = answer_begin(sample, options.answer_marker);
    if (begin == std::string::npos)
      return Error{ErrorCode::InvalidArgument, sample.where + ": `" + options.answer_marker + "` is not in the text",
                   "name what stands before the answer with --answer-marker"};
    std::string answer = sample.text.substr(begin);
    // A chat template writes special tokens behind the answer, which a generated text does not show.
    if (sample.special_tokens == ml::SpecialTokens::Omit)
      answer = tokenizer.decode(tokenizer.encode(answer, ml::SpecialTokens::Omit), true);
    Question question{sample.text.substr(0, begin), trimmed(answer), sample.special_tokens};
    const auto& labels = options.labels;
    if (!labels.empty() && std::find(labels.begin(), labels.end(), question.answer) == labels.end())
      return Error{ErrorCode::InvalidArgument, sample.where + ": the answer `" + question.answer + "` is no label", {}};
    questions.push_back(std::move(question));
  }
  return questions;
}

Result<void> answer_questions(const Subject& subject, const std::vector<Question>& questions, ml::Compute& compute,
                              const EvaluateOptions& options, Scores& scores) {
  ml::Generator generator(subject.model(), subject.loaded.tokenizer, compute,
                          {.tokens_only = true, .kv_bytes_max = ml::usable_memory() / 2});
  std::int64_t right = 0;
  scores.examples.resize(questions.size());
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const Question& question = questions[i];
    const bool one_line = question.answer.find('\n') == std::string::npos;
    ml::GenerationRequest request;
    request.prompt = subject.loaded.tokenizer.encode(question.prompt, question.specials);
    if (request.prompt.empty() || std::ssize(request.prompt) >= generator.context())
      return Error{
          ErrorCode::InvalidArgument, "a prompt is empty or longer than the model's context: " + question.prompt, {}};
    request.params.temperature = 0;
    request.params.max_tokens = options.max_new_tokens;
    if (one_line) request.params.stop = {"\n"};
    request.lora = subject.lora();
    request.events.finished = [&, i, one_line](int, const ml::Generation& generation) {
      const std::string given =
          one_line || !options.labels.empty() ? answer_of(generation.text, options.labels) : trimmed(generation.text);
      const bool correct = given == questions[i].answer;
      right += correct ? 1 : 0;
      scores.examples[i] = Value::Object{{"prompt", questions[i].prompt},
                                         {"answer", questions[i].answer},
                                         {"generated", generation.text},
                                         {"correct", correct}};
    };
    generator.add(std::move(request));
  }
  while (!generator.idle()) generator.step();
  scores.accuracy = static_cast<double>(right) / static_cast<double>(questions.size());
  return {};
}

Result<ml::LossSum> loss_of(const Subject& subject, std::vector<ml::TextSample> texts, ml::Compute& compute,
                            const EvaluateOptions& options) {
  for (auto& sample : texts) {
    const std::size_t begin = answer_begin(sample, options.answer_marker);
    sample.learn_from = begin == std::string::npos ? 0 : begin;
  }
  const ml::DatasetRules rules{.max_seq_length = subject.model().config().context_length, .skip_ratio_max = 1};
  SLIPWAY_TRY_ASSIGN(const auto dataset,
                     ml::tokenize_samples(texts, subject.loaded.tokenizer, subject.loaded.text_end, rules));
  ml::LossSum total;
  std::vector<ml::Sequence> batch;
  std::size_t tokens = 0;
  const auto run = [&] {
    const auto sum = subject.model().loss(compute, batch, subject.lora());
    total.loss_sum += sum.loss_sum;
    total.label_count += sum.label_count;
    batch.clear();
    tokens = 0;
  };
  for (const auto& sample : dataset.samples) {
    if (!batch.empty() && tokens + sample.ids.size() > kBatchTokens) run();
    batch.push_back({.ids = sample.ids, .labels = sample.labels});
    tokens += sample.ids.size();
  }
  run();
  return total;
}

Result<Scores> score(const std::vector<ml::TextSample>& texts, const std::string& model_folder,
                     const std::string& adapter_folder, const EvaluateOptions& options) {
  SLIPWAY_TRY_ASSIGN(const Subject subject, open_subject(model_folder, adapter_folder, options.weights));
  ml::Compute compute(options.compute);
  Scores scores;
  if (wants(options, EvaluateMetric::Accuracy)) {
    SLIPWAY_TRY_ASSIGN(const auto questions, questions_of(texts, subject.loaded.tokenizer, options));
    SLIPWAY_TRY(answer_questions(subject, questions, compute, options, scores));
  }
  if (wants(options, EvaluateMetric::Perplexity)) {
    SLIPWAY_TRY_ASSIGN(scores.loss, loss_of(subject, texts, compute, options));
  }
  return scores;
}

Result<Value> evaluate(const EvaluateOptions& options) {
  SLIPWAY_TRY_ASSIGN(const auto texts, ml::read_text_samples(options.data, {}, options.model));
  SLIPWAY_TRY_ASSIGN(const Scores scores, score(texts, options.model, options.adapter, options));
  if (!options.output.empty()) SLIPWAY_TRY(write_json_lines(options.output, scores.examples));
  Value::Object outputs{{"examples", std::ssize(texts)}};
  if (wants(options, EvaluateMetric::Accuracy)) outputs.emplace("accuracy", scores.accuracy);
  if (wants(options, EvaluateMetric::Perplexity)) {
    outputs.emplace("loss", scores.mean_loss());
    outputs.emplace("perplexity", std::exp(scores.mean_loss()));
    outputs.emplace("tokens", scores.loss.label_count);
  }
  if (options.baseline.empty()) return Value(std::move(outputs));
  SLIPWAY_TRY_ASSIGN(const Scores before, score(texts, options.baseline, {}, options));
  if (wants(options, EvaluateMetric::Accuracy)) outputs.emplace("accuracy_before", before.accuracy);
  if (wants(options, EvaluateMetric::Perplexity)) outputs.emplace("perplexity_before", std::exp(before.mean_loss()));
  return Value(std::move(outputs));
}

std::string usage_problem(const EvaluateOptions& options) {
  if (options.max_new_tokens < 1) return "--max-new-tokens must be at least 1";
  if (options.metric != EvaluateMetric::Perplexity) return {};
  if (!options.output.empty()) return "--output holds what was generated: it needs --metric accuracy or all";
  if (options.accuracy_min > 0) return "--min-accuracy needs --metric accuracy or all";
  return {};
}

}  // namespace

int run_evaluate(const EvaluateOptions& options, const StepIo& io) {
  if (const std::string problem = usage_problem(options); !problem.empty())
    return fail(io, kStepUsage, "usage", problem);
  const auto outputs = evaluate(options);
  if (!outputs) return fail(io, outputs.error());
  io.out << outputs->dump() << "\n";
  const Value* reached = outputs->find("accuracy");
  if (reached != nullptr && reached->as_double() < options.accuracy_min)
    return fail(
        io, kStepFailed, "check",
        "accuracy is " + std::to_string(reached->as_double()) + ", below " + std::to_string(options.accuracy_min));
  const auto written = write_outputs(io, *outputs);
  return written ? kStepOk : fail(io, written.error());
}

}  // namespace slipway::mlsteps
