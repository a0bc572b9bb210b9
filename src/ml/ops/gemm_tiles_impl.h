// Matrix product with both factors in bf16 and fp32 sums by tiles of 16 rows of 64 bytes (AMX). Blocking, rounding and
// panels are those of gemm_bf16_impl.h, whose pairs of k are what a tile wants: rows of a are one tile operand where
// they lie, 16 pair rows of a panel the other. `Tiles` is the machine's, or an emulation for tests. Included only by
// sources compiled for AVX512_BF16.
#pragma once

#include "ml/ops/gemm_bf16_impl.h"

namespace slipway::ml {
namespace {

constexpr std::int64_t kTileSide = 16;              // rows of a tile; columns of fp32; pairs of bf16
constexpr std::int64_t kBlockSide = 2 * kTileSide;  // a block of the result is 2 x 2 tiles

// Rows behind the last pair are 0, up to whole tiles.
void fill_up(std::uint32_t* panel, std::int64_t pairs) {
  const std::int64_t whole = (pairs + kTileSide - 1) / kTileSide * kTileSide;
  __builtin_memset(panel + pairs * kPanel, 0, static_cast<std::size_t>((whole - pairs) * kPanel) * sizeof(*panel));
}

// 32 rows of a against a panel: kBlockSide x kBlockSide sums to `block`.
template <class Tiles>
void multiply_tiles(std::int64_t pairs, const std::uint16_t* a, std::int64_t a_row, const std::uint32_t* panel,
                    float* block) {
  Tiles::clear();
  for (std::int64_t p = 0; p < pairs; p += kTileSide) Tiles::step(a + 2 * p, a_row, panel + p * kPanel, kPanel);
  Tiles::store(block);
}

template <class Tiles>
void gemm_tiles(const GemmTile& t, float* pack) {
  alignas(64) float block[kBlockSide * kBlockSide];
  Tiles::begin();
  each_pair_panel(t, pack, kPanel, [&](const PairPanel& panel) {
    fill_up(panel.data, panel.pairs);
    std::int64_t m = 0;
    for (; m + kBlockSide <= t.m; m += kBlockSide) {
      multiply_tiles<Tiles>(panel.pairs, panel.a + m * t.a_bf16_row, t.a_bf16_row, panel.data, block);
      for (std::int64_t r = 0; r < kBlockSide; ++r)
        for (std::int64_t j = 0; j < kPanel; j += kLanes)
          put(panel.c + (m + r) * t.c_row + j, load(block + r * kBlockSide + j, All{}) * t.scale, panel.accumulate,
              panel.cols - j);
    }
    multiply_rows(t, panel, m);
  });
  Tiles::end();
}

}  // namespace
}  // namespace slipway::ml
