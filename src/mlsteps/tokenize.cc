#include "slipway/mlsteps/tokenize.h"

#include <limits>
#include <ostream>

#include "mlsteps/json_lines.h"
#include "slipway/ml/tokenizer.h"

namespace slipway::mlsteps {
namespace {

bool flag(const Value& line, std::string_view name, bool fallback) {
  const Value* value = line.find(name);
  return value != nullptr && value->is_bool() ? value->as_bool() : fallback;
}

Result<Value> encode(const ml::Tokenizer& tokenizer, const JsonLine& line) {
  const Value* text = line.value.find("text");
  if (text == nullptr || !text->is_string())
    return Error{ErrorCode::InvalidArgument, line.where + ": `text` is missing or no text", {}};
  const auto specials = flag(line.value, "add_special_tokens", true) ? ml::SpecialTokens::Add : ml::SpecialTokens::Omit;
  return Value(Value::Object{{"ids", to_values(tokenizer.encode(text->as_string(), specials))}});
}

Result<Value> decode(const ml::Tokenizer& tokenizer, const JsonLine& line) {
  SLIPWAY_TRY_ASSIGN(const auto ids, token_ids(line, "ids", std::numeric_limits<ml::TokenId>::max()));
  return Value(Value::Object{{"text", tokenizer.decode(ids, flag(line.value, "skip_special_tokens", false))}});
}

Value shown(const ml::Tokenizer& tokenizer, const std::string& text) {
  const auto ids = tokenizer.encode(text, ml::SpecialTokens::Add);
  Value::Array tokens;
  for (const auto id : ids) tokens.emplace_back(tokenizer.token(id).value());
  return Value::Object{{"ids", to_values(ids)}, {"tokens", std::move(tokens)}};
}

Result<void> tokenize(const TokenizeOptions& options, std::ostream& out) {
  SLIPWAY_TRY_ASSIGN(const ml::Tokenizer tokenizer, ml::Tokenizer::load(options.tokenizer));
  if (!options.text.empty()) {
    out << shown(tokenizer, options.text).dump() << "\n";
    return {};
  }
  SLIPWAY_TRY_ASSIGN(const auto lines, read_json_lines(options.input));
  std::vector<Value> results;
  for (const auto& line : lines) {
    SLIPWAY_TRY_ASSIGN(Value result, options.decode ? decode(tokenizer, line) : encode(tokenizer, line));
    results.push_back(std::move(result));
  }
  return write_json_lines(options.output, results);
}

}  // namespace

int run_tokenize(const TokenizeOptions& options, const StepIo& io) {
  const bool files = !options.input.empty() && !options.output.empty();
  if (options.text.empty() ? !files : !options.input.empty() || !options.output.empty() || options.decode)
    return fail(io, kStepUsage, "usage", "either --text or both --input and --output are needed");
  const auto done = tokenize(options, io.out);
  return done ? kStepOk : fail(io, done.error());
}

}  // namespace slipway::mlsteps
