// Where numbers are computed: threads, the instruction set and scratch memory. Models and adapters are data; every
// function that computes takes a Compute. One Compute serves one caller at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "slipway/base/enum_table.h"
#include "slipway/base/time.h"
#include "slipway/ml/arena.h"
#include "slipway/ml/thread_pool.h"

namespace slipway::ml {

// The same kernels, compiled three times; widest last.
enum class Isa : std::uint8_t { Baseline, Avx2, Avx512 };

inline constexpr EnumTable<Isa, 3> kIsas{{{
    {Isa::Baseline, "baseline", "what the compiler assumes: SSE2 on x86-64"},
    {Isa::Avx2, "avx2", "AVX2 and FMA"},
    {Isa::Avx512, "avx512", "AVX-512 F, BW, DQ, VL"},
}}};

// The widest one that this CPU and kernel offer.
[[nodiscard]] Isa best_isa();

// What a product with a bf16 weight multiplies; sums are fp32 every time.
enum class Products : std::uint8_t { Fp32, Bf16, Bf16Tiles, Fp16 };

inline constexpr EnumTable<Products, 4> kProducts{{{
    {Products::Fp32, "fp32", "weights are widened: the exact mode"},
    {Products::Bf16, "bf16", "activations are rounded to bf16, as the weights are; needs AVX512_BF16"},
    {Products::Bf16Tiles, "bf16-tiles", "the same by AMX"},
    {Products::Fp16, "fp16", "scaled rows in half precision, sums of 32 in it, the rest in fp32; needs AVX512_FP16"},
}}};

// Whether this CPU and kernel offer them. AMX must also compute a small product rightly: permission alone was seen to
// promise too much.
[[nodiscard]] bool has_products(Products products);
[[nodiscard]] inline bool has_bf16_products() { return has_products(Products::Bf16); }
// Which multiplies fastest here, by a measurement of a few milliseconds on the calling thread: CPUs exist that have an
// instruction and lose by it.
[[nodiscard]] Products faster_products(const Clock& clock);
// The products whose Compute::kernel_id() this is, if they can be had here.
[[nodiscard]] std::optional<Products> products_of_kernel(std::string_view kernel_id);

struct Kernels;  // the table of compiled loops, private to ml/ops

struct ComputeOptions {
  int threads = 0;                     // 0: usable_cpus()
  std::optional<Isa> isa;              // none: best_isa(); one the CPU lacks is a programmer error
  Products products = Products::Fp32;  // others without has_products() and Avx512 are a programmer error
};

class Compute {
 public:
  explicit Compute(ComputeOptions options = {});
  ~Compute();

  [[nodiscard]] int threads() const { return pool_.threads(); }
  [[nodiscard]] Isa isa() const { return isa_; }
  // Names everything that decides the bits of a result, e.g. "fp32-avx512-1". Written into checkpoints: resuming under
  // another id is not bit-exact.
  [[nodiscard]] std::string_view kernel_id() const;

  // Memory for the caller's activations.
  [[nodiscard]] Arena& arena() { return arena_; }
  [[nodiscard]] const Kernels& kernels() const { return *kernels_; }

  // Calls task(index, scratch) for index in [0, count) on all threads; `scratch` is that worker's own and is emptied
  // after each task.
  template <class Task>
  void parallel(std::int64_t count, Task&& task) {
    pool_.for_each(count, [&](std::int64_t index, int worker) {
      Arena& scratch = scratch_[worker];
      const ArenaScope scope(scratch);
      task(index, scratch);
    });
  }

 private:
  Isa isa_;
  const Kernels* kernels_;
  ThreadPool pool_;
  Arena arena_;
  std::unique_ptr<Arena[]> scratch_;  // one per worker
};

}  // namespace slipway::ml
