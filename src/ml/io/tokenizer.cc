#include "slipway/ml/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>

#include "ml/io/added_tokens.h"
#include "ml/io/bpe.h"
#include "ml/io/normalizer.h"
#include "ml/io/pre_tokenizer.h"
#include "ml/io/token_decoder.h"
#include "slipway/base/file.h"

namespace slipway::ml {
namespace {

constexpr std::size_t kFileBytesMax = 512U << 20U;
constexpr std::size_t kIdSlack = 65536;  // how far ids may run ahead of the number of tokens

struct Template {
  std::vector<TokenId> before;
  std::vector<TokenId> after;
};

const Value& member(const Value& object, std::string_view key) {
  static const Value kNull;
  const Value* found = object.find(key);
  return found != nullptr ? *found : kNull;
}

Result<void> append_special(const Value& processor, const std::string& name, std::vector<TokenId>& out) {
  const Value& ids = member(member(member(processor, "special_tokens"), name), "ids");
  if (!ids.is_array())
    return Error{ErrorCode::Corrupt, "post_processor names `" + name + "`, which it does not define", {}};
  for (const Value& id : ids.as_array()) {
    if (!id.is_int() || id.as_int() < 0 || id.as_int() > INT32_MAX)
      return Error{ErrorCode::Corrupt, "post_processor gives `" + name + "` the id " + id.dump(), {}};
    out.push_back(static_cast<TokenId>(id.as_int()));
  }
  return {};
}

// The `single` template: specials, the sequence, specials.
Result<Template> parse_template(const Value& processor) {
  Template result;
  bool seen = false;
  const Value& single = member(processor, "single");
  if (!single.is_array()) return Error{ErrorCode::Corrupt, "post_processor has no template `single`", {}};
  for (const Value& item : single.as_array()) {
    if (item.find("Sequence") != nullptr) {
      if (std::exchange(seen, true)) return Error{ErrorCode::Unsupported, "post_processor repeats the sequence", {}};
    } else {
      SLIPWAY_TRY(append_special(processor, member(item, "SpecialToken").get_string("id"),
                                 seen ? result.after : result.before));
    }
  }
  if (!seen) return Error{ErrorCode::Corrupt, "post_processor leaves the text out", {}};
  return result;
}

Result<Template> parse_post_processor(const Value& spec) {
  if (spec.is_null()) return Template{};
  const std::string type = spec.get_string("type");
  if (type == "ByteLevel") return Template{};  // moves offsets only
  if (type == "TemplateProcessing") return parse_template(spec);
  const Value& list = member(spec, "processors");
  if (type != "Sequence" || !list.is_array())
    return Error{ErrorCode::Unsupported, "post_processor `" + type + "` is not one this build knows",
                 "known are Sequence, TemplateProcessing and ByteLevel"};
  Template all;  // each processor wraps what the ones before it made
  for (const Value& one : list.as_array()) {
    SLIPWAY_TRY_ASSIGN(Template next, parse_post_processor(one));
    all.before.insert(all.before.begin(), next.before.begin(), next.before.end());
    all.after.insert(all.after.end(), next.after.begin(), next.after.end());
  }
  return all;
}

}  // namespace

struct Tokenizer::Parts {
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  Bpe bpe;
  Template post;
  TokenDecoder decoder;
  std::vector<AddedToken> added;
  TokenFinder in_raw_text;
  TokenFinder in_normalized_text;
  std::vector<std::optional<std::string>> tokens;  // by id
  std::vector<bool> special;                       // by id

  Result<void> index_tokens();
  void encode_text(AlignedText text, Encoding& out) const;
  void encode_words(AlignedText text, Encoding& out) const;
};

namespace {

void append(Encoding& out, TokenId id, ByteSpan span) {
  out.ids.push_back(id);
  out.spans.push_back(span);
}

}  // namespace

Result<void> Tokenizer::Parts::index_tokens() {
  TokenId largest = -1;
  for (const auto& [token, id] : bpe.vocabulary().entries()) largest = std::max(largest, id);
  for (const AddedToken& token : added) largest = std::max(largest, token.id);
  const auto size = static_cast<std::size_t>(largest) + 1;
  if (size > bpe.vocabulary().entries().size() + added.size() + kIdSlack)
    return Error{ErrorCode::Corrupt,
                 fmt::format("token id {} is far beyond the {} tokens there are", largest,
                             bpe.vocabulary().entries().size() + added.size()),
                 {}};
  tokens.resize(size);
  special.resize(size);
  for (const auto& [token, id] : bpe.vocabulary().entries()) tokens[static_cast<std::size_t>(id)] = token;
  for (const AddedToken& token : added) {
    tokens[static_cast<std::size_t>(token.id)] = token.content;
    if (token.special) special[static_cast<std::size_t>(token.id)] = true;
    if (token.normalized) {
      in_normalized_text.add(normalizer.apply(token.content), &token);
    } else {
      in_raw_text.add(token.content, &token);
    }
  }
  for (const TokenId id : post.before)
    if (static_cast<std::size_t>(id) >= size)
      return Error{ErrorCode::Corrupt, "post_processor adds an unknown token", {}};
  for (const TokenId id : post.after)
    if (static_cast<std::size_t>(id) >= size)
      return Error{ErrorCode::Corrupt, "post_processor adds an unknown token", {}};
  return {};
}

void Tokenizer::Parts::encode_text(AlignedText text, Encoding& out) const {
  const AlignedText normalized = normalizer.apply(std::move(text));
  for (const TextPart& part : in_normalized_text.split(normalized.text())) {
    if (part.token != nullptr) {
      append(out, part.token->id, normalized.origin(part.range));
    } else {
      encode_words(normalized.slice(part.range), out);
    }
  }
}

void Tokenizer::Parts::encode_words(AlignedText text, Encoding& out) const {
  const Words words = pre_tokenizer.apply(std::move(text));
  std::vector<Symbol> symbols;
  for (const ByteSpan word : words.ranges) {
    symbols.clear();
    bpe.encode(words.text.view(word), symbols);
    std::uint32_t at = word.begin;
    for (const Symbol& symbol : symbols) {
      const std::uint32_t end = std::min(at + symbol.size, word.end);
      append(out, symbol.id, at < end ? words.text.origin({at, end}) : ByteSpan{});
      at = end;
    }
  }
}

Result<Tokenizer> Tokenizer::parse(std::string_view json) {
  const auto split = split_tokenizer_file(json, kFileBytesMax);
  if (!split) return split.error();
  const Value& file = split->json;
  if (!member(file, "model").is_object())
    return Error{ErrorCode::Corrupt, "there is no `model` in it", "is it the tokenizer.json of a model folder?"};
  auto parts = std::make_shared<Parts>();
  SLIPWAY_TRY_ASSIGN(parts->normalizer, Normalizer::parse(member(file, "normalizer")));
  SLIPWAY_TRY_ASSIGN(parts->pre_tokenizer, PreTokenizer::parse(member(file, "pre_tokenizer")));
  SLIPWAY_TRY_ASSIGN(parts->bpe, Bpe::parse(*split));
  SLIPWAY_TRY_ASSIGN(parts->post, parse_post_processor(member(file, "post_processor")));
  SLIPWAY_TRY_ASSIGN(parts->decoder, TokenDecoder::parse(member(file, "decoder")));
  SLIPWAY_TRY_ASSIGN(parts->added, parse_added_tokens(member(file, "added_tokens"), parts->bpe.vocabulary()));
  SLIPWAY_TRY(parts->index_tokens());
  return Tokenizer(std::move(parts));
}

Result<Tokenizer> Tokenizer::load(const std::filesystem::path& file_or_folder) {
  std::error_code error;
  const bool folder = std::filesystem::is_directory(file_or_folder, error);
  const std::filesystem::path file = folder ? file_or_folder / "tokenizer.json" : file_or_folder;
  SLIPWAY_TRY_ASSIGN(const std::string text, read_whole_file(file, kFileBytesMax));
  auto tokenizer = parse(text);
  if (!tokenizer) return tokenizer.error().in(file.string());
  return tokenizer;
}

Encoding Tokenizer::encode_with_spans(std::string_view text, SpecialTokens specials) const {
  Encoding out;
  if (specials == SpecialTokens::Add)
    for (const TokenId id : parts_->post.before) append(out, id, {});
  const AlignedText input = AlignedText::of_input(text);
  for (const TextPart& part : parts_->in_raw_text.split(input.text())) {
    if (part.token != nullptr) {
      append(out, part.token->id, input.origin(part.range));
    } else {
      parts_->encode_text(input.slice(part.range), out);
    }
  }
  if (specials == SpecialTokens::Add)
    for (const TokenId id : parts_->post.after) append(out, id, {});
  return out;
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, SpecialTokens specials) const {
  return encode_with_spans(text, specials).ids;
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special_tokens) const {
  StreamDecoder stream(*this, skip_special_tokens);
  std::string text;
  for (const TokenId id : ids) text += stream.push(id);
  return text + stream.finish();
}

std::size_t Tokenizer::size() const { return parts_->tokens.size(); }

std::optional<std::string> Tokenizer::token(TokenId id) const {
  const auto index = static_cast<std::size_t>(id);
  return id >= 0 && index < parts_->tokens.size() ? parts_->tokens[index] : std::nullopt;
}

std::optional<TokenId> Tokenizer::find(std::string_view token) const {
  for (const AddedToken& added : parts_->added)
    if (added.content == token) return added.id;
  return parts_->bpe.vocabulary().find(token);
}

bool Tokenizer::is_special(TokenId id) const {
  return id >= 0 && static_cast<std::size_t>(id) < parts_->special.size() &&
         parts_->special[static_cast<std::size_t>(id)];
}

struct StreamDecoder::State {
  TokenDecoder::Run run;
};

StreamDecoder::StreamDecoder(Tokenizer tokenizer, bool skip_special_tokens)
    : tokenizer_(std::move(tokenizer)),
      skip_special_tokens_(skip_special_tokens),
      state_(std::make_unique<State>(State{TokenDecoder::Run(tokenizer_.parts_->decoder)})) {}
StreamDecoder::StreamDecoder(StreamDecoder&&) noexcept = default;
StreamDecoder::~StreamDecoder() = default;

std::string StreamDecoder::push(TokenId id) {
  std::string out;
  const auto token = tokenizer_.token(id);
  if (token && !(skip_special_tokens_ && tokenizer_.is_special(id))) state_->run.push(*token, out);
  return out;
}

std::string StreamDecoder::finish() {
  std::string out;
  state_->run.finish(out);
  return out;
}

}  // namespace slipway::ml
