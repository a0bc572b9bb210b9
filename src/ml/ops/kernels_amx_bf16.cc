#define SLIPWAY_ML_LANES 16
#define SLIPWAY_ML_TILE_ROWS 12

#include "ml/ops/gemm_tiles_impl.h"
#include "ml/ops/kernels_impl.h"

namespace slipway::ml {
namespace {

// Tiles 0 to 3 are sums, 4 and 5 rows of a, 6 and 7 columns of b.
struct MachineTiles {
  static void begin() {
    struct alignas(64) Config {
      std::uint8_t palette, start_row, reserved[14];
      std::uint16_t row_bytes[16];
      std::uint8_t rows[16];
    } config{};
    static_assert(sizeof(Config) == 64);
    config.palette = 1;
    for (int tile = 0; tile < 8; ++tile) {
      config.row_bytes[tile] = 64;
      config.rows[tile] = 16;
    }
    // g++ 12 thinks that only the first bytes are read, and would not write the others.
    asm volatile("" : : "r"(&config) : "memory");
    _tile_loadconfig(&config);
  }
  static void end() { _tile_release(); }
  static void clear() {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  static void step(const std::uint16_t* a, std::int64_t a_row, const std::uint32_t* b, std::int64_t b_row) {
    _tile_loadd(4, a, a_row * 2);
    _tile_loadd(6, b, b_row * 4);
    _tile_loadd(7, b + kTileSide, b_row * 4);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(5, a + kTileSide * a_row, a_row * 2);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  static void store(float* block) {
    _tile_stored(0, block, kBlockSide * 4);
    _tile_stored(1, block + kTileSide, kBlockSide * 4);
    _tile_stored(2, block + kTileSide * kBlockSide, kBlockSide * 4);
    _tile_stored(3, block + kTileSide * kBlockSide + kTileSide, kBlockSide * 4);
  }
};

constexpr Kernels with_tiles() {
  Kernels kernels = make_kernels("bf16-amx-1");
  kernels.gemm_bf16 = gemm_tiles<MachineTiles>;
  kernels.round_row = round_row;
  kernels.few_rows = 8;
  return kernels;
}

}  // namespace

const Kernels kAmxBf16Kernels = with_tiles();

}  // namespace slipway::ml
