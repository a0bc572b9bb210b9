// The loops around AMX's tiles, with the tiles emulated as the manual describes TDPBF16PS: so they are tested on
// machines without it. What the machine's own tiles compute is checked by Compute before they are used.
#if defined(__x86_64__)
#define SLIPWAY_ML_LANES 16
#define SLIPWAY_ML_TILE_ROWS 12

#include <gtest/gtest.h>

#include <vector>

#include "ml/ops/gemm_tiles_impl.h"
#include "ml/support/numeric.h"
#include "slipway/ml/bf16.h"
#include "slipway/ml/compute.h"

namespace slipway::ml {
namespace {

struct EmulatedTiles {
  static inline float sums[kBlockSide][kBlockSide];
  static void begin() {}
  static void end() {}
  static void clear() { __builtin_memset(sums, 0, sizeof sums); }
  static float half_of(std::uint32_t pair, int which) {
    return to_float(Bf16{static_cast<std::uint16_t>(which == 0 ? pair : pair >> 16)});
  }
  static void step(const std::uint16_t* a, std::int64_t a_row, const std::uint32_t* b, std::int64_t b_row) {
    for (std::int64_t m = 0; m < kBlockSide; ++m)
      for (std::int64_t p = 0; p < kTileSide; ++p)
        for (std::int64_t n = 0; n < kBlockSide; ++n)
          for (int which = 0; which < 2; ++which)
            sums[m][n] += to_float(Bf16{a[m * a_row + 2 * p + which]}) * half_of(b[p * b_row + n], which);
  }
  static void store(float* block) { __builtin_memcpy(block, sums, sizeof sums); }
};

struct Case {
  std::int64_t m, n, k;
  bool k_along_memory;
};
class TilesTest : public ::testing::TestWithParam<Case> {};

TEST_P(TilesTest, MultiplyAsTheVectorsDo) {
  if (!has_bf16_products()) GTEST_SKIP() << "no AVX512_BF16";
  const auto [m, n, k, along] = GetParam();
  const auto a = testing::to_matrix(testing::random_values(m * k, 1), m);
  const auto weights = testing::to_matrix(testing::random_values(n * k, 2), 1);
  std::vector<Bf16> b(static_cast<std::size_t>(n * k));
  narrow(weights.values(), b);
  const std::int64_t row = (k + 31) / 32 * 32 + 32;
  std::vector<std::uint16_t> rounded(static_cast<std::size_t>(m * row));
  for (std::int64_t r = 0; r < m; ++r) round_row(a.row(r), k, rounded.data() + r * row);
  Matrix wanted(m, n), got(m, n), pack(1, kBlockK * kPanel + kCopyRows * kCopyStride);
  wanted.fill(3);
  got.fill(3);
  GemmTile tile{.m = m,
                .n = n,
                .k = k,
                .a_bf16 = rounded.data(),
                .a_bf16_row = row,
                .b = b.data(),
                .b_row = along ? 1 : n,
                .b_col = along ? k : 1,
                .b_is_bf16 = true,
                .c = wanted.row(0),
                .c_row = n,
                .scale = 0.5F,
                .accumulate = true};
  gemm_bf16(tile, pack.row(0));
  tile.c = got.row(0);
  gemm_tiles<EmulatedTiles>(tile, pack.row(0));
  const testing::Doubles reference(wanted.values().begin(), wanted.values().end());
  testing::expect_close(got.values(), reference, 2e-6, "tiles");
}
INSTANTIATE_TEST_SUITE_P(Shapes, TilesTest,
                         ::testing::Values(Case{32, 32, 32, false}, Case{32, 32, 64, true}, Case{64, 40, 96, false},
                                           Case{33, 7, 45, true}, Case{79, 65, 513, false}, Case{96, 33, 1055, true},
                                           Case{5, 16, 31, false}, Case{40, 1, 1, true}));

}  // namespace
}  // namespace slipway::ml
#endif
