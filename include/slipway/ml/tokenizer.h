// Text to token ids and back, as HF `tokenizers` reads a tokenizer.json: added tokens, normaliser, pre-tokeniser, BPE,
// post-processor, decoder. Exact for the models of this project (byte-level BPE and BPE with byte fallback); a part
// that is unknown here is an error at load, never a guess. The file's `truncation` and `padding` are not applied:
// lengths are the caller's business.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/result.h"

namespace slipway::ml {

using TokenId = std::int32_t;

// Half-open range of bytes.
struct ByteSpan {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;

  bool operator==(const ByteSpan&) const = default;
};

// Whether the post-processor's tokens (`<bos>` for Gemma) are put around the text. Specials written inside the text are
// recognised either way: whoever serves strangers decides what their text may contain.
enum class SpecialTokens : std::uint8_t { Add, Omit };

struct Encoding {
  std::vector<TokenId> ids;
  // As long as ids: the bytes of the text each token stands for; empty for a token that the post-processor added.
  std::vector<ByteSpan> spans;
};

// Immutable and cheap to copy; every member may be called from any thread.
class Tokenizer {
 public:
  // Reads FOLDER/tokenizer.json or the file itself. Errors: NotFound, Io, Corrupt (not a tokenizer), Unsupported (a
  // part this build does not have), each naming the file.
  [[nodiscard]] static Result<Tokenizer> load(const std::filesystem::path& file_or_folder);
  [[nodiscard]] static Result<Tokenizer> parse(std::string_view json);

  // `text` is UTF-8 below 4 GiB; a byte that is none counts as U+FFFD. O(n log n) in the longest pre-token.
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, SpecialTokens specials) const;
  [[nodiscard]] Encoding encode_with_spans(std::string_view text, SpecialTokens specials) const;

  // Ids that name no token are left out, as HF does (models may have more embedding rows than tokens).
  [[nodiscard]] std::string decode(std::span<const TokenId> ids, bool skip_special_tokens) const;

  // One more than the largest id.
  [[nodiscard]] std::size_t size() const;
  // The token as the vocabulary spells it ("Ġthe", "▁the", "<0x0A>", "<bos>").
  [[nodiscard]] std::optional<std::string> token(TokenId id) const;
  [[nodiscard]] std::optional<TokenId> find(std::string_view token) const;
  [[nodiscard]] bool is_special(TokenId id) const;

 private:
  friend class StreamDecoder;
  struct Parts;
  explicit Tokenizer(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

  std::shared_ptr<const Parts> parts_;
};

// decode() in pieces. The pieces together are exactly decode() of all ids; a piece never ends inside a code point, and
// what a later token could still change is held back. One stream, one thread.
class StreamDecoder {
 public:
  StreamDecoder(Tokenizer tokenizer, bool skip_special_tokens);
  StreamDecoder(StreamDecoder&&) noexcept;
  ~StreamDecoder();

  // The text that became certain with this token; may be empty.
  [[nodiscard]] std::string push(TokenId id);
  // What was still held back; nothing may be pushed afterwards.
  [[nodiscard]] std::string finish();

 private:
  struct State;
  Tokenizer tokenizer_;
  bool skip_special_tokens_;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::ml
