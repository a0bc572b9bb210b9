#include "ml/io/token_decoder.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "ml/io/byte_level.h"
#include "ml/io/pre_tokenizer.h"
#include "ml/io/unicode.h"

namespace slipway::ml {
namespace {

// 0x0A for "<0x0A>".
std::optional<char> fallback_byte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(token.data() + 3, token.data() + 5, value, 16);
  if (error != std::errc() || end != token.data() + 5) return std::nullopt;
  return static_cast<char>(value);
}

std::string fallback_text(std::string_view bytes) {
  if (is_valid_utf8(bytes)) return std::string(bytes);
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); ++i) out += kReplacement;
  return out;
}

// The bytes that a token of byte-level BPE spells; a token with another character in it stands for itself.
std::string byte_level_bytes(std::string_view token) {
  std::string bytes;
  for (std::size_t at = 0; at < token.size();) {
    const CodePoint point = code_point_at(token, at);
    const auto byte = symbol_byte(point.value);
    if (!byte) return std::string(token);
    bytes += static_cast<char>(*byte);
    at += point.size;
  }
  return bytes;
}

// How many bytes the first (or, from the back, the last) copies of `content` take, at most `most` copies.
std::size_t copies_at_front(std::string_view text, std::string_view content, std::size_t most) {
  std::size_t n = 0;
  while (n < most && text.substr(n * content.size()).starts_with(content)) ++n;
  return n;
}
std::size_t copies_at_back(std::string_view text, std::string_view content, std::size_t most) {
  std::size_t n = 0;
  while (n < most && text.ends_with(content)) {
    text.remove_suffix(content.size());
    ++n;
  }
  return n;
}

std::string utf8_of(char32_t value) {
  std::string out;
  append_utf8(out, value);
  return out;
}

Result<StripStage> parse_strip(const Value& spec) {
  const std::string content = spec.get_string("content");
  const std::int64_t start = spec.get_int("start");
  const std::int64_t stop = spec.get_int("stop");
  if (content.empty() || code_point_at(content, 0).size != content.size() || start < 0 || stop < 0)
    return Error{ErrorCode::Corrupt, "Strip needs one character and two counts: " + spec.dump(), {}};
  return StripStage{code_point_at(content, 0).value, static_cast<std::size_t>(start), static_cast<std::size_t>(stop)};
}

Result<void> append_stages(const Value& spec, std::vector<DecodeStage>& stages) {
  const std::string type = spec.get_string("type");
  if (type == "Replace") {
    const Value* pattern = spec.find("pattern");
    SLIPWAY_TRY_ASSIGN(std::string from, literal_pattern(pattern != nullptr ? *pattern : Value()));
    stages.emplace_back(ReplaceStep{std::move(from), spec.get_string("content")});
  } else if (type == "ByteFallback") {
    stages.emplace_back(ByteFallbackStage{});
  } else if (type == "ByteLevel") {
    stages.emplace_back(ByteLevelStage{});
  } else if (type == "Fuse") {
    stages.emplace_back(FuseStage{});
  } else if (type == "Strip") {
    SLIPWAY_TRY_ASSIGN(const StripStage strip, parse_strip(spec));
    stages.emplace_back(strip);
  } else if (type == "Metaspace") {
    SLIPWAY_TRY_ASSIGN(MetaspaceStep step, parse_metaspace(spec));
    stages.emplace_back(MetaspaceStage{std::move(step.replacement), step.prepend != Prepend::Never});
  } else if (const Value* list = spec.find("decoders"); type == "Sequence" && list != nullptr && list->is_array()) {
    for (const Value& stage : list->as_array()) SLIPWAY_TRY(append_stages(stage, stages));
  } else {
    return Error{ErrorCode::Unsupported, "decoder `" + type + "` is not one this build knows",
                 "known are Sequence, Replace, ByteFallback, ByteLevel, Fuse, Strip and Metaspace"};
  }
  return {};
}

}  // namespace

Result<TokenDecoder> TokenDecoder::parse(const Value& spec) {
  TokenDecoder decoder;
  if (!spec.is_null()) SLIPWAY_TRY(append_stages(spec, decoder.stages_));
  return decoder;
}

void TokenDecoder::Run::feed(std::size_t stage, std::string_view token, std::string& out) {
  if (stage < decoder_->stages_.size()) {
    std::visit([&](const auto& one) { run(one, stage, token, out); }, decoder_->stages_[stage]);
    return;
  }
  if (decoder_->stages_.empty() && any_) out += ' ';
  any_ = true;
  out += token;
}

void TokenDecoder::Run::finish(std::string& out) {
  for (std::size_t stage = 0; stage < decoder_->stages_.size(); ++stage) {
    const std::string held = std::exchange(held_[stage].bytes, {});
    if (held.empty()) continue;
    const DecodeStage& kind = decoder_->stages_[stage];
    if (std::holds_alternative<ByteFallbackStage>(kind)) feed(stage + 1, fallback_text(held), out);
    if (std::holds_alternative<ByteLevelStage>(kind)) feed(stage + 1, to_valid_utf8(held), out);
    // Strip holds exactly what it takes off the end of the stream.
  }
}

void TokenDecoder::Run::run(const ReplaceStep& step, std::size_t stage, std::string_view token, std::string& out) {
  feed(stage + 1, replace_all(token, step), out);
}

void TokenDecoder::Run::run(const ByteFallbackStage&, std::size_t stage, std::string_view token, std::string& out) {
  std::string& held = held_[stage].bytes;
  if (const auto byte = fallback_byte(token)) {
    held += *byte;
    return;
  }
  if (!held.empty()) feed(stage + 1, fallback_text(std::exchange(held, {})), out);
  feed(stage + 1, token, out);
}

void TokenDecoder::Run::run(const ByteLevelStage&, std::size_t stage, std::string_view token, std::string& out) {
  std::string& held = held_[stage].bytes;
  held += byte_level_bytes(token);
  const std::size_t ready = held.size() - unfinished_suffix(held);
  if (ready == 0) return;
  const std::string text = to_valid_utf8(std::string_view(held).substr(0, ready));
  held.erase(0, ready);
  feed(stage + 1, text, out);
}

void TokenDecoder::Run::run(const FuseStage&, std::size_t stage, std::string_view token, std::string& out) {
  feed(stage + 1, token, out);
}

void TokenDecoder::Run::run(const MetaspaceStage& metaspace, std::size_t stage, std::string_view token,
                            std::string& out) {
  const bool first = !std::exchange(held_[stage].begun, true);
  feed(stage + 1, replace_all(token, {metaspace.replacement, first && metaspace.prepended ? "" : " "}), out);
}

bool TokenDecoder::Run::fused(std::size_t stage) const {
  return std::any_of(decoder_->stages_.begin(), decoder_->stages_.begin() + static_cast<std::ptrdiff_t>(stage),
                     [](const DecodeStage& one) {
                       return std::holds_alternative<FuseStage>(one) || std::holds_alternative<ByteLevelStage>(one);
                     });
}

void TokenDecoder::Run::run(const StripStage& strip, std::size_t stage, std::string_view token, std::string& out) {
  if (fused(stage)) return strip_stream(strip, stage, token, out);
  const std::string content = utf8_of(strip.content);
  token.remove_prefix(copies_at_front(token, content, strip.start) * content.size());
  token.remove_suffix(copies_at_back(token, content, strip.stop) * content.size());
  feed(stage + 1, token, out);
}

// The stream is one token whose end is not known: what could be its end is held back.
void TokenDecoder::Run::strip_stream(const StripStage& strip, std::size_t stage, std::string_view text,
                                     std::string& out) {
  const std::string content = utf8_of(strip.content);
  Held& held = held_[stage];
  if (!held.begun) {
    const std::size_t n = copies_at_front(text, content, strip.start - held.stripped);
    held.stripped += n;
    text.remove_prefix(n * content.size());
    if (text.empty()) return;
    held.begun = true;
  }
  held.bytes += text;
  const std::size_t keep = copies_at_back(held.bytes, content, strip.stop) * content.size();
  const std::string ready = held.bytes.substr(0, held.bytes.size() - keep);
  held.bytes.erase(0, ready.size());
  if (!ready.empty()) feed(stage + 1, ready, out);
}

}  // namespace slipway::ml
