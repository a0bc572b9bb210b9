#include "ml/io/normalizer.h"

#include <algorithm>
#include <optional>

namespace slipway::ml {
namespace {

AlignedText apply_step(const ReplaceStep& step, AlignedText in) {
  if (step.from.empty() || in.text().find(step.from) == std::string::npos) return in;
  AlignedText out;
  std::uint32_t done = 0;
  for (std::size_t hit = in.text().find(step.from); hit != std::string::npos; hit = in.text().find(step.from, done)) {
    const ByteSpan found{static_cast<std::uint32_t>(hit), static_cast<std::uint32_t>(hit + step.from.size())};
    out.append(in, {done, found.begin});
    out.append(step.to, in.origin(found));
    done = found.end;
  }
  out.append(in, {done, static_cast<std::uint32_t>(in.size())});
  return out;
}

AlignedText apply_step(const PrependStep& step, AlignedText in) {
  if (in.empty()) return in;
  AlignedText out;
  const std::uint32_t start = in.origin_before(0);
  out.append(step.prefix, {start, start});
  out.append(in, {0, static_cast<std::uint32_t>(in.size())});
  return out;
}

bool continues_code_point(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// Appends `after`, the normal form of range `at` of `in`: what is equal at both ends keeps its own origin, what changed
// between comes from all that changed.
void append_changed(AlignedText& out, const AlignedText& in, ByteSpan at, std::string_view after) {
  const std::string_view before = in.view(at);
  std::size_t head = 0;
  const std::size_t shorter = std::min(before.size(), after.size());
  while (head < shorter && before[head] == after[head]) ++head;
  while (head > 0 && ((head < before.size() && continues_code_point(before[head])) ||
                      (head < after.size() && continues_code_point(after[head]))))
    --head;
  std::size_t tail = 0;
  while (tail < shorter - head && before[before.size() - 1 - tail] == after[after.size() - 1 - tail]) ++tail;
  while (tail > 0 && continues_code_point(before[before.size() - tail])) --tail;

  const auto first = static_cast<std::uint32_t>(at.begin + head);
  const auto last = static_cast<std::uint32_t>(at.end - tail);
  out.append(in, {at.begin, first});
  const ByteSpan origin =
      first < last ? in.origin({first, last}) : ByteSpan{in.origin_before(first), in.origin_before(first)};
  out.append(after.substr(head, after.size() - head - tail), origin);
  out.append(in, {last, at.end});
}

// A code point below U+0300 never composes with what stands before it, so the text can be cut in front of each; that
// keeps what one change touches small.
AlignedText apply_step(NormalForm form, AlignedText in) {
  const std::string& text = in.text();
  if (std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; })) return in;
  AlignedText out;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin + code_point_at(text, begin).size;
    while (end < text.size() && code_point_at(text, end).value >= 0x300) end += code_point_at(text, end).size;
    const ByteSpan at{static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
    append_changed(out, in, at, normal_form(in.view(at), form));
    begin = end;
  }
  return out;
}

std::optional<NormalForm> normal_form_named(std::string_view type) {
  if (type == "NFC") return NormalForm::Nfc;
  if (type == "NFD") return NormalForm::Nfd;
  if (type == "NFKC") return NormalForm::Nfkc;
  if (type == "NFKD") return NormalForm::Nfkd;
  return std::nullopt;
}

Result<void> append_steps(const Value& spec, std::vector<Normalizer::Step>& steps) {
  if (spec.is_null()) return {};
  const std::string type = spec.get_string("type");
  if (const auto form = normal_form_named(type)) {
    steps.emplace_back(*form);
  } else if (type == "Replace") {
    const Value* pattern = spec.find("pattern");
    SLIPWAY_TRY_ASSIGN(std::string from, literal_pattern(pattern != nullptr ? *pattern : Value()));
    steps.emplace_back(ReplaceStep{std::move(from), spec.get_string("content")});
  } else if (type == "Prepend") {
    steps.emplace_back(PrependStep{spec.get_string("prepend")});
  } else if (const Value* list = spec.find("normalizers"); type == "Sequence" && list != nullptr && list->is_array()) {
    for (const Value& step : list->as_array()) SLIPWAY_TRY(append_steps(step, steps));
  } else {
    return Error{ErrorCode::Unsupported, "normalizer `" + type + "` is not one this build knows",
                 "known are Sequence, Replace, Prepend, NFC, NFD, NFKC and NFKD"};
  }
  return {};
}

}  // namespace

Result<std::string> literal_pattern(const Value& spec) {
  const Value* literal = spec.find("String");
  if (literal != nullptr && literal->is_string()) return literal->as_string();
  return Error{ErrorCode::Unsupported, "pattern " + spec.dump() + " is no literal text",
               "only {\"String\": …} patterns are known here"};
}

std::string replace_all(std::string_view text, const ReplaceStep& step) {
  return apply_step(step, AlignedText::of_input(text)).text();
}

Result<Normalizer> Normalizer::parse(const Value& spec) {
  Normalizer normalizer;
  SLIPWAY_TRY(append_steps(spec, normalizer.steps_));
  return normalizer;
}

AlignedText Normalizer::apply(AlignedText text) const {
  for (const Step& step : steps_)
    text = std::visit([&](const auto& one) { return apply_step(one, std::move(text)); }, step);
  return text;
}

}  // namespace slipway::ml
