#include "exec/shimd_image.h"

asm(R"(
    .section .rodata
    .balign 16
    .hidden slipway_shimd_begin
    .hidden slipway_shimd_end
    .global slipway_shimd_begin
    .global slipway_shimd_end
slipway_shimd_begin:
    .incbin ")" SLIPWAY_SHIMD_IMAGE R"("
slipway_shimd_end:
    .byte 0
    .text
)");

extern "C" const char slipway_shimd_begin[];
extern "C" const char slipway_shimd_end[];

namespace slipway::exec {

std::string_view shimd_image() {
  return {slipway_shimd_begin, static_cast<std::size_t>(slipway_shimd_end - slipway_shimd_begin)};
}

}  // namespace slipway::exec
