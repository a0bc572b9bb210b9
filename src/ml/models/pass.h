// One run of the decoder over packed rows: which rows belong together, where they stand, and what adapts them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ml/models/weights.h"
#include "slipway/ml/compute.h"
#include "slipway/ml/lora.h"
#include "slipway/ml/model.h"
#include "slipway/ml/ops.h"

namespace slipway::ml {

// Rows [first, first + count).
struct RowRange {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

struct AdaptedRows {
  RowRange range;
  const Lora* lora = nullptr;
};

struct Pass {
  Pass(Compute& where, const DecoderWeights& what) : compute(where), weights(what) {}

  Compute& compute;
  const DecoderWeights& weights;
  std::vector<std::int32_t> ids;           // one per row
  std::vector<RowRange> sequences;         // a row attends inside its range, and to its cache
  std::vector<const DecodeInput*> inputs;  // one per sequence when decoding, else empty
  // Rows before this one are computed by the streaming loop, the others by the packed one; nullopt: by shape.
  std::optional<std::int64_t> streamed;
  std::vector<AdaptedRows> adapted;      // ranges that an adapter changes
  bool has_backward = false;             // then one adapter changes all rows
  RopeTable rope;                        // in the arena
  RopeTable local_rope;                  // of layers with a window, if the family has one; else no rows
  std::vector<std::int32_t> rope_index;  // row of both for each row
  float dropout = 0;                     // 0: none
  std::uint64_t dropout_seed = 0;
  std::vector<std::uint64_t> dropout_stream;   // one per row if dropout > 0
  std::vector<std::int32_t> dropout_position;  // likewise

  [[nodiscard]] std::int64_t rows() const { return static_cast<std::int64_t>(ids.size()); }
  [[nodiscard]] const ModelConfig& config() const { return weights.config; }
  [[nodiscard]] Arena& arena() const { return compute.arena(); }
};

// Some rows of a pass, ascending: what the last layer computes after its attention, because nobody asks for the others.
struct Tail {
  Pass pass;                       // the rows alone; it has no sequences, the rows no longer meet
  std::vector<std::int64_t> rows;  // which rows of the whole pass they are
};
[[nodiscard]] Tail make_tail(const Pass& pass, std::vector<std::int64_t> rows);

// Whole samples, positions from 0. The pass uses the arena: keep a scope around it. lora may be null.
[[nodiscard]] Pass make_pass(Compute& compute, const DecoderWeights& weights, std::span<const Sequence> batch,
                             const Lora* lora);
// New tokens of cached sequences; those that come one by one must come first.
[[nodiscard]] Pass make_pass(Compute& compute, const DecoderWeights& weights,
                             std::span<const DecodeInput* const> inputs);

}  // namespace slipway::ml
