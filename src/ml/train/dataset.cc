#include "slipway/ml/dataset.h"

#include <algorithm>

namespace slipway::ml {
namespace {

// Index behind the last occurrence of `pattern`, in which no id is `masked`, or nullopt. The masked id is the pad token
// of trl 0.11.4 DataCollatorForCompletionOnlyLM, whose labels are gone before it searches.
std::optional<std::size_t> behind_last_match(const std::vector<TokenId>& ids, const std::vector<TokenId>& pattern,
                                             TokenId masked) {
  if (pattern.empty() || std::find(pattern.begin(), pattern.end(), masked) != pattern.end()) return std::nullopt;
  const auto at = std::find_end(ids.begin(), ids.end(), pattern.begin(), pattern.end());
  if (at == ids.end()) return std::nullopt;
  return static_cast<std::size_t>(at - ids.begin()) + pattern.size();
}

class Labeller {
 public:
  Labeller(const Tokenizer& tokenizer, TokenId eos, const DatasetRules& rules)
      : tokenizer_(tokenizer), eos_(eos), rules_(rules) {
    if (rules.compat == Compat::Hf && !rules.response_template.empty())
      pattern_ = tokenizer.encode(rules.response_template, SpecialTokens::Omit);
  }

  [[nodiscard]] Sample label(const TextSample& text, bool& truncated) const {
    const bool hf = rules_.compat == Compat::Hf;
    Encoding encoding = tokenizer_.encode_with_spans(text.text, hf ? SpecialTokens::Omit : text.special_tokens);
    drop_second_bos(encoding);
    if (text.eos && (encoding.ids.empty() || hf || encoding.ids.back() != eos_)) append_eos(encoding, text.text.size());
    truncated = !rules_.packing && std::cmp_greater(encoding.ids.size(), rules_.max_seq_length);
    if (truncated) {
      encoding.ids.resize(static_cast<std::size_t>(rules_.max_seq_length));
      encoding.spans.resize(encoding.ids.size());
    }
    Sample sample{.ids = encoding.ids, .labels = encoding.ids};
    hf ? mask_as_trl(sample, text) : mask_by_offset(sample, encoding, text);
    return sample;
  }

 private:
  // Text made by a chat template may begin with the token that the post-processor has just put there too.
  static void drop_second_bos(Encoding& encoding) {
    const bool twice = encoding.ids.size() > 1 && encoding.ids[0] == encoding.ids[1] && encoding.spans[0].end == 0 &&
                       encoding.spans[1].end > 0;
    if (!twice) return;
    encoding.ids.erase(encoding.ids.begin());
    encoding.spans.erase(encoding.spans.begin());
  }

  void append_eos(Encoding& encoding, std::size_t text_size) const {
    const auto end = static_cast<std::uint32_t>(text_size);
    encoding.ids.push_back(eos_);
    encoding.spans.push_back({.begin = end, .end = end + 1});  // behind every byte: learned if anything is
  }

  void mask_by_offset(Sample& sample, const Encoding& encoding, const TextSample& text) const {
    for (std::size_t i = 0; i < sample.labels.size(); ++i)
      if (text.learn_from == std::string::npos || encoding.spans[i].end <= text.learn_from)
        sample.labels[i] = kIgnoreLabel;
  }

  void mask_as_trl(Sample& sample, const TextSample& text) const {
    std::replace(sample.labels.begin(), sample.labels.end(), eos_, kIgnoreLabel);
    if (rules_.response_template.empty()) {
      const auto prompt =
          tokenizer_.encode(std::string_view(text.text).substr(0, text.learn_from), SpecialTokens::Omit);
      const std::size_t end = text.learn_from == 0 ? 0 : std::min(prompt.size(), sample.labels.size());
      std::fill_n(sample.labels.begin(), end, kIgnoreLabel);
      return;
    }
    const auto begin = behind_last_match(sample.ids, pattern_, eos_).value_or(sample.labels.size());
    std::fill_n(sample.labels.begin(), begin, kIgnoreLabel);
  }

  const Tokenizer& tokenizer_;
  TokenId eos_;
  const DatasetRules& rules_;
  std::vector<TokenId> pattern_;
};

std::string excerpt(const std::string& text) {
  constexpr std::size_t kBytesMax = 160;
  return text.size() <= kBytesMax ? text : text.substr(0, kBytesMax) + "…";
}

Error unlabelled_error(const TextSample& first, const Dataset& dataset, std::size_t total, const DatasetRules& rules) {
  std::string message = std::to_string(dataset.without_labels) + " of " + std::to_string(total) +
                        " samples have nothing to learn; the first is " + first.where + ": " + excerpt(first.text);
  std::string help =
      rules.response_template.empty()
          ? "check that completions are not empty and that --max-seq-length leaves room for them"
          : "check that `" + rules.response_template + "` stands in every sample and within --max-seq-length tokens";
  return Error{ErrorCode::InvalidArgument, std::move(message), std::move(help)};
}

// All samples as one. The first token of each has no label, for it does not follow from the sample before; transformers
// gives it one, and puts an eos without a label between two.
Sample joined(const std::vector<Sample>& samples, TokenId eos, Compat compat) {
  Sample all;
  for (const auto& sample : samples) {
    const std::size_t first = all.ids.size();
    all.ids.insert(all.ids.end(), sample.ids.begin(), sample.ids.end());
    all.labels.insert(all.labels.end(), sample.labels.begin(), sample.labels.end());
    if (compat == Compat::None) {
      all.labels[first] = kIgnoreLabel;
    } else {
      all.ids.push_back(eos);
      all.labels.push_back(kIgnoreLabel);
    }
  }
  return all;
}

std::vector<Sample> packed(const std::vector<Sample>& samples, TokenId eos, const DatasetRules& rules) {
  const Sample all = joined(samples, eos, rules.compat);
  const auto length = static_cast<std::size_t>(rules.max_seq_length);
  std::vector<Sample> blocks;
  for (std::size_t first = 0; first < all.ids.size(); first += length) {
    const auto begin = static_cast<std::ptrdiff_t>(first);
    const auto end = static_cast<std::ptrdiff_t>(std::min(first + length, all.ids.size()));
    if (rules.compat == Compat::Hf && std::cmp_less(end - begin, length)) break;
    Sample block{.ids = {all.ids.begin() + begin, all.ids.begin() + end},
                 .labels = {all.labels.begin() + begin, all.labels.begin() + end}};
    if (block.label_count() > 0) blocks.push_back(std::move(block));
  }
  return blocks;
}

}  // namespace

std::int64_t Sample::label_count() const {
  if (labels.empty()) return 0;
  return std::count_if(labels.begin() + 1, labels.end(), [](std::int32_t label) { return label != kIgnoreLabel; });
}

Result<Dataset> tokenize_samples(const std::vector<TextSample>& texts, const Tokenizer& tokenizer, TokenId eos,
                                 const DatasetRules& rules) {
  const Labeller labeller(tokenizer, eos, rules);
  Dataset dataset;
  const TextSample* unlabelled = nullptr;
  for (const auto& text : texts) {
    bool truncated = false;
    Sample sample = labeller.label(text, truncated);
    const std::int64_t labels = sample.label_count();
    dataset.truncated += truncated ? 1 : 0;
    if (labels == 0) {
      ++dataset.without_labels;
      if (unlabelled == nullptr) unlabelled = &text;
      const bool keep = rules.keep_unlabelled || rules.compat == Compat::Hf;
      if (!keep || sample.ids.empty()) continue;
    }
    dataset.tokens += static_cast<std::int64_t>(sample.ids.size());
    dataset.labels += labels;
    dataset.samples.push_back(std::move(sample));
  }
  const bool too_many =
      static_cast<double>(dataset.without_labels) > rules.skip_ratio_max * static_cast<double>(texts.size());
  if (unlabelled != nullptr && (too_many || dataset.samples.empty()))
    return unlabelled_error(*unlabelled, dataset, texts.size(), rules);
  if (!rules.packing) return dataset;
  dataset.samples = packed(dataset.samples, eos, rules);
  if (dataset.samples.empty())
    return Error{ErrorCode::InvalidArgument,
                 "the samples together do not fill one block of " + std::to_string(rules.max_seq_length) + " tokens",
                 "choose a smaller --max-seq-length, or leave --packing out"};
  dataset.tokens = dataset.labels = 0;
  for (const auto& block : dataset.samples) {
    dataset.tokens += std::ssize(block.ids);
    dataset.labels += block.label_count();
  }
  return dataset;
}

}  // namespace slipway::ml
