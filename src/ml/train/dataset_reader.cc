#include <algorithm>
#include <fstream>

#include "ml/train/chat_sample.h"
#include "slipway/base/value.h"
#include "slipway/ml/dataset.h"

namespace slipway::ml {
namespace {

constexpr std::string_view kColumnsHelp =
    "each line is a JSON object with `text`, `prompt` and `completion`, `messages`, or `instruction`, `input` and "
    "`output`";

Error line_error(const std::string& where, std::string message) {
  return Error{ErrorCode::InvalidArgument, where + ": " + std::move(message), std::string(kColumnsHelp)};
}

// The Alpaca prompt (tatsu-lab/stanford_alpaca), without its input section where the input is empty.
std::string instruction_prompt(const std::string& instruction, const std::string& input) {
  std::string prompt = input.empty()
                           ? "Below is an instruction that describes a task. Write a response that appropriately "
                             "completes the request.\n\n"
                           : "Below is an instruction that describes a task, paired with an input that provides "
                             "further context. Write a response that appropriately completes the request.\n\n";
  prompt += "### Instruction:\n" + instruction + "\n\n";
  if (!input.empty()) prompt += "### Input:\n" + input + "\n\n";
  return prompt + "### Response:\n";
}

// Fields of a line that must be text if they are there.
struct Fields {
  const std::string* text = nullptr;
  const std::string* prompt = nullptr;
  const std::string* completion = nullptr;
  const std::string* instruction = nullptr;
  const std::string* input = nullptr;
  const std::string* output = nullptr;
};

Error wrong_type(const std::string& where, std::string_view name, const Value& value) {
  std::string message("`");
  message.append(name).append("` is ").append(value.type_name()).append(", not text");
  return line_error(where, std::move(message));
}

Result<Fields> fields_of(const Value& line, const std::string& where) {
  Fields fields;
  const std::pair<std::string_view, const std::string**> places[] = {{"text", &fields.text},
                                                                     {"prompt", &fields.prompt},
                                                                     {"completion", &fields.completion},
                                                                     {"instruction", &fields.instruction},
                                                                     {"input", &fields.input},
                                                                     {"output", &fields.output}};
  for (const auto& [name, place] : places) {
    const Value* value = line.find(name);
    if (value == nullptr || value->is_null()) continue;
    if (!value->is_string()) return wrong_type(where, name, *value);
    *place = &value->as_string();
  }
  return fields;
}

Result<TextSample> pair_sample(const std::string& prompt, const std::string& completion, const std::string& where) {
  return TextSample{.text = prompt + completion, .learn_from = prompt.size(), .eos = true, .where = where};
}

Result<TextSample> sample_of(const Fields& fields, const std::string& where, Compat compat) {
  const bool hf = compat == Compat::Hf;
  if (fields.text != nullptr) return TextSample{.text = *fields.text, .learn_from = 0, .eos = !hf, .where = where};
  if (fields.prompt != nullptr && fields.completion != nullptr)
    return pair_sample(*fields.prompt, *fields.completion, where);
  if (fields.instruction != nullptr) {
    if (fields.output == nullptr) return line_error(where, "`instruction` is there, but `output` is missing");
    const std::string input = fields.input != nullptr ? *fields.input : std::string();
    return pair_sample(instruction_prompt(*fields.instruction, input), *fields.output, where);
  }
  if (fields.prompt != nullptr)
    return TextSample{.text = *fields.prompt + (hf ? "\n" : ""), .learn_from = 0, .eos = true, .where = where};
  return line_error(where, "none of the known fields is there");
}

Result<TextSample> sample_of_object(const Value& object, const std::string& where, const DatasetRules& rules,
                                    ChatReader& chat) {
  if (const Value* messages = object.find("messages")) {
    SLIPWAY_TRY_ASSIGN(TextSample sample, chat.sample(*messages, where));
    if (rules.compat == Compat::Hf && rules.completion_only != true) sample.learn_from = 0;
    return sample;
  }
  SLIPWAY_TRY_ASSIGN(const Fields fields, fields_of(object, where));
  return sample_of(fields, where, rules.compat);
}

Result<TextSample> parse_line(const std::string& line, const std::string& where, const DatasetRules& rules,
                              ChatReader& chat) {
  const Result<Value> value = parse_json(line);
  if (!value) return line_error(where, value.error().message);
  if (!value->is_object()) return line_error(where, "is " + std::string(value->type_name()) + ", not an object");
  SLIPWAY_TRY_ASSIGN(TextSample sample, sample_of_object(*value, where, rules, chat));
  if (rules.completion_only == false) {
    sample.learn_from = 0;
  } else if (!rules.response_template.empty()) {
    const std::size_t at = sample.text.rfind(rules.response_template);
    sample.learn_from = at == std::string::npos ? at : at + rules.response_template.size();
  } else if (rules.completion_only == true && sample.learn_from == 0) {
    return Error{ErrorCode::InvalidArgument, where + ": nothing says where the completion begins",
                 "name the text before it with --response-template, or use `prompt` and `completion`"};
  }
  return sample;
}

Result<std::vector<std::filesystem::path>> files_of(const std::filesystem::path& path) {
  std::error_code failure;
  if (!std::filesystem::is_directory(path, failure)) return std::vector{path};
  std::vector<std::filesystem::path> files;
  for (std::filesystem::directory_iterator at(path, failure), end; !failure && at != end; at.increment(failure))
    if (at->path().extension() == ".jsonl") files.push_back(at->path());
  if (failure) return errno_error("reading " + path.string(), failure.value());
  std::sort(files.begin(), files.end());
  if (files.empty()) return Error{ErrorCode::NotFound, path.string() + " holds no .jsonl file", {}};
  return files;
}

}  // namespace

Result<std::vector<TextSample>> read_text_samples(const std::filesystem::path& path, const DatasetRules& rules,
                                                  const std::filesystem::path& model_folder) {
  ChatReader chat(model_folder);
  SLIPWAY_TRY_ASSIGN(const auto files, files_of(path));
  std::vector<TextSample> samples;
  for (const auto& file : files) {
    std::ifstream in(file);
    if (!in) return errno_error("opening " + file.string(), errno);
    std::string line;
    for (std::int64_t number = 1; std::getline(in, line); ++number) {
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      SLIPWAY_TRY_ASSIGN(TextSample sample,
                         parse_line(line, file.filename().string() + ":" + std::to_string(number), rules, chat));
      samples.push_back(std::move(sample));
    }
    if (in.bad()) return errno_error("reading " + file.string(), errno);
  }
  if (samples.empty()) return Error{ErrorCode::InvalidArgument, path.string() + " holds no samples", {}};
  return samples;
}

}  // namespace slipway::ml
