// The `decoder` of a tokenizer.json as a chain of stages that tokens flow through one at a time, so that decoding a
// whole text and streaming it are the same code.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ml/io/normalizer.h"
#include "slipway/base/value.h"

namespace slipway::ml {

// "<0x0A>" tokens become bytes; a run of them that is no UTF-8 becomes one U+FFFD per byte.
struct ByteFallbackStage {};
// Characters of the byte-level alphabet become bytes, ill-formed parts of the whole text one U+FFFD each.
struct ByteLevelStage {};
// All tokens are one from here on.
struct FuseStage {};
// Takes up to `start` and `stop` copies of `content` off the ends of a token.
struct StripStage {
  char32_t content = 0;
  std::size_t start = 0;
  std::size_t stop = 0;
};
// The replacement becomes a blank; in the first token nothing, unless nothing was put in front.
struct MetaspaceStage {
  std::string replacement;
  bool prepended = true;
};
using DecodeStage = std::variant<ReplaceStep, ByteFallbackStage, ByteLevelStage, FuseStage, StripStage, MetaspaceStage>;

class TokenDecoder {
 public:
  // null (tokens are joined by blanks), one decoder, or a Sequence.
  [[nodiscard]] static Result<TokenDecoder> parse(const Value& spec);

  // One text in the making.
  class Run {
   public:
    explicit Run(const TokenDecoder& decoder) : decoder_(&decoder), held_(decoder.stages_.size() + 1) {}
    // Appends to `out` what is certain.
    void push(std::string_view token, std::string& out) { feed(0, token, out); }
    void finish(std::string& out);

   private:
    void feed(std::size_t stage, std::string_view token, std::string& out);
    void run(const ReplaceStep& step, std::size_t stage, std::string_view token, std::string& out);
    void run(const ByteFallbackStage&, std::size_t stage, std::string_view token, std::string& out);
    void run(const ByteLevelStage&, std::size_t stage, std::string_view token, std::string& out);
    void run(const FuseStage&, std::size_t stage, std::string_view token, std::string& out);
    void run(const StripStage& strip, std::size_t stage, std::string_view token, std::string& out);
    void run(const MetaspaceStage& metaspace, std::size_t stage, std::string_view token, std::string& out);
    void strip_stream(const StripStage& strip, std::size_t stage, std::string_view text, std::string& out);
    [[nodiscard]] bool fused(std::size_t stage) const;

    // What a stage keeps until a later token decides about it.
    struct Held {
      std::string bytes;
      std::size_t stripped = 0;  // copies that Strip took off the beginning of the stream
      bool begun = false;        // Strip saw something else than its content, Metaspace a token
    };
    const TokenDecoder* decoder_;
    std::vector<Held> held_;
    bool any_ = false;
  };

 private:
  std::vector<DecodeStage> stages_;
};

}  // namespace slipway::ml
