#include "ml/io/bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>

#include "ml/io/unicode.h"

namespace slipway::ml {
namespace {

constexpr std::int32_t kNone = -1;

std::uint64_t pair_key(TokenId left, TokenId right) {
  return (std::uint64_t{static_cast<std::uint32_t>(left)} << 32U) | static_cast<std::uint32_t>(right);
}

bool get_flag(const Value& model, std::string_view key) {
  const Value* member = model.find(key);
  return member != nullptr && member->is_bool() && member->as_bool();
}

// Commas inside of strings make it too large, never too small.
std::size_t list_size_max(std::string_view json) {
  return static_cast<std::size_t>(std::count(json.begin(), json.end(), ',')) + 1;
}

}  // namespace

// A symbol in a doubly linked list over the word.
struct Bpe::Node {
  TokenId id;
  std::uint32_t size;  // 0: merged into its left neighbour
  std::int32_t previous = kNone;
  std::int32_t next = kNone;
};

Result<Bpe> Bpe::parse(const TokenizerFile& file) {
  const Value& model = *file.json.find("model");
  const std::string type = model.get_string("type", "BPE");
  if (type != "BPE" || model.find("merges") == nullptr)
    return Error{ErrorCode::Unsupported, "model `" + type + "` is not one this build knows", "only BPE is known"};
  const Value* dropout = model.find("dropout");
  if (dropout != nullptr && dropout->is_number() && dropout->as_double() != 0)
    return Error{ErrorCode::Unsupported, "BPE dropout makes encoding random", "set model.dropout to null"};
  Bpe bpe;
  bpe.fuse_unknown_ = get_flag(model, "fuse_unk");
  bpe.ignore_merges_ = get_flag(model, "ignore_merges");
  bpe.continuing_prefix_ = model.get_string("continuing_subword_prefix");
  bpe.end_suffix_ = model.get_string("end_of_word_suffix");
  SLIPWAY_TRY(bpe.read_vocabulary(file.vocab));
  SLIPWAY_TRY(bpe.read_special_tokens(model));
  SLIPWAY_TRY(bpe.read_merges(file.merges));
  return bpe;
}

// {"token": id, ...}
Result<void> Bpe::read_vocabulary(std::string_view vocab) {
  if (vocab.empty()) return Error{ErrorCode::Corrupt, "model.vocab is missing", {}};
  JsonCursor cursor(vocab);
  const auto malformed = [&] {
    return Error{
        ErrorCode::Corrupt, fmt::format("model.vocab is no object of ids (its byte {})", cursor.position()), {}};
  };
  vocabulary_ = Vocabulary(list_size_max(vocab));
  if (!cursor.take('{')) return malformed();
  if (cursor.take('}')) return {};
  do {
    const auto token = cursor.string();
    if (!token || !cursor.take(':')) return malformed();
    const auto id = cursor.integer();
    if (!id) return malformed();
    if (*id < 0 || *id > INT32_MAX)
      return Error{ErrorCode::Corrupt, fmt::format("model.vocab gives `{}` the id {}", *token, *id), {}};
    if (vocabulary_.find(*token)) return Error{ErrorCode::Corrupt, "model.vocab repeats `" + *token + "`", {}};
    vocabulary_.add(*token, static_cast<TokenId>(*id));
  } while (cursor.take(','));
  if (!cursor.take('}') || !cursor.at_end()) return malformed();
  return {};
}

Result<void> Bpe::read_special_tokens(const Value& model) {
  if (const Value* unknown = model.find("unk_token"); unknown != nullptr && unknown->is_string()) {
    unknown_ = vocabulary_.find(unknown->as_string());
    if (!unknown_)
      return Error{ErrorCode::Corrupt, "unk_token `" + unknown->as_string() + "` is not in model.vocab", {}};
  }
  if (get_flag(model, "byte_fallback"))
    for (int byte = 0; byte < 256; ++byte) byte_tokens_.push_back(vocabulary_.find(fmt::format("<0x{:02X}>", byte)));
  return {};
}

// ["a b", ...] or [["a", "b"], ...]
Result<void> Bpe::read_merges(std::string_view merges) {
  JsonCursor cursor(merges);
  const auto no_pair = [&] {
    return Error{
        ErrorCode::Corrupt, fmt::format("model.merges has what is no pair (its byte {})", cursor.position()), {}};
  };
  merges_.reserve(list_size_max(merges));
  if (!cursor.take('[')) return Error{ErrorCode::Corrupt, "model.merges is no list", {}};
  if (cursor.take(']')) return {};
  do {
    if (cursor.take('[')) {
      const auto left = cursor.string();
      const bool comma = cursor.take(',');
      const auto right = cursor.string();
      if (!left || !comma || !right || !cursor.take(']')) return no_pair();
      SLIPWAY_TRY(add_merge(*left, *right));
      continue;
    }
    const auto text = cursor.string();
    const std::size_t space = text ? text->find(' ') : std::string::npos;
    if (space == std::string::npos) return no_pair();
    SLIPWAY_TRY(add_merge(std::string_view(*text).substr(0, space), std::string_view(*text).substr(space + 1)));
  } while (cursor.take(','));
  if (!cursor.take(']') || !cursor.at_end()) return no_pair();
  return {};
}

Result<void> Bpe::add_merge(std::string_view left, std::string_view right) {
  const std::size_t prefix = right.starts_with(continuing_prefix_) ? continuing_prefix_.size() : 0;
  const std::string merged = std::string(left) + std::string(right.substr(prefix));
  const auto l = vocabulary_.find(left);
  const auto r = vocabulary_.find(right);
  const auto m = vocabulary_.find(merged);
  if (!l || !r || !m)
    return Error{
        ErrorCode::Corrupt, fmt::format("merge `{}` + `{}` names a token that is not in model.vocab", left, right), {}};
  const auto rank = merge_count_++;
  merges_.insert_or_assign(pair_key(*l, *r), Merge{rank, *m});
  return {};
}

const Bpe::Merge* Bpe::merge_of(TokenId left, TokenId right) const {
  const auto it = merges_.find(pair_key(left, right));
  return it == merges_.end() ? nullptr : &it->second;
}

bool Bpe::add_bytes(std::string_view code_point, std::vector<Node>& nodes) const {
  if (byte_tokens_.empty()) return false;
  const auto token_of = [&](char c) { return byte_tokens_[static_cast<unsigned char>(c)]; };
  if (!std::all_of(code_point.begin(), code_point.end(), [&](char c) { return token_of(c).has_value(); })) return false;
  for (const char c : code_point) nodes.push_back({*token_of(c), 1});
  return true;
}

std::vector<Bpe::Node> Bpe::symbols_of(std::string_view word) const {
  std::vector<Node> nodes;
  std::optional<Node> unknown;  // a run of unknown code points that is not written yet
  const auto flush = [&] {
    if (unknown) nodes.push_back(*unknown);
    unknown.reset();
  };
  std::string spelled;
  for (std::size_t at = 0; at < word.size();) {
    const std::uint32_t size = code_point_at(word, at).size;
    const std::string_view code_point = word.substr(at, size);
    const bool last = at + size == word.size();
    spelled.assign(at == 0 ? "" : continuing_prefix_).append(code_point).append(last ? end_suffix_ : "");
    at += size;
    if (const auto id = vocabulary_.find(spelled)) {
      flush();
      nodes.push_back({*id, size});
    } else if (!add_bytes(spelled, nodes) && unknown_) {
      if (unknown && !fuse_unknown_) flush();
      unknown = Node{*unknown_, (unknown ? unknown->size : 0) + size};
    }
  }
  flush();
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    nodes[i].previous = static_cast<std::int32_t>(i) - 1;
    nodes[i].next = i + 1 < nodes.size() ? static_cast<std::int32_t>(i + 1) : kNone;
  }
  return nodes;
}

void Bpe::merge_all(std::vector<Node>& nodes) const {
  struct Candidate {
    std::uint32_t rank;
    std::int32_t at;
    TokenId merged;
    bool operator>(const Candidate& other) const { return rank != other.rank ? rank > other.rank : at > other.at; }
  };
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto offer = [&](std::int32_t at) {
    if (at == kNone || nodes[at].next == kNone) return;
    if (const Merge* merge = merge_of(nodes[at].id, nodes[nodes[at].next].id); merge != nullptr)
      queue.push({merge->rank, at, merge->merged});
  };
  for (std::size_t i = 0; i < nodes.size(); ++i) offer(static_cast<std::int32_t>(i));
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Node& left = nodes[best.at];
    if (left.size == 0 || left.next == kNone) continue;
    Node& right = nodes[left.next];
    const Merge* now = merge_of(left.id, right.id);
    if (now == nullptr || now->merged != best.merged) continue;  // stale: a neighbour was merged since
    left.id = best.merged;
    left.size += right.size;
    left.next = right.next;
    right.size = 0;
    if (left.next != kNone) nodes[left.next].previous = best.at;
    offer(left.previous);
    offer(best.at);
  }
}

void Bpe::encode(std::string_view word, std::vector<Symbol>& out) const {
  if (ignore_merges_)
    if (const auto id = vocabulary_.find(word)) {
      out.push_back({*id, static_cast<std::uint32_t>(word.size())});
      return;
    }
  std::vector<Node> nodes = symbols_of(word);
  merge_all(nodes);
  for (const Node& node : nodes)
    if (node.size != 0) out.push_back({node.id, node.size});
}

}  // namespace slipway::ml
