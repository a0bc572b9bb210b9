// A linear module with its adapter: y = x W^T + b + scale (dropout(x) A^T) B^T.
#pragma once

#include "ml/models/pass.h"

namespace slipway::ml {

// Place in the arena for h = dropout(x) A^T [T, r], which backward needs; no rows if this pass will have no backward or
// its adapter does not target the module.
[[nodiscard]] Rows<float> allocate_hidden(Pass& pass, std::int64_t layer, Linear which);

// Fills `hidden` if it has rows.
void linear_forward(Pass& pass, std::int64_t layer, Linear which, Rows<const float> x, Rows<float> y,
                    Rows<float> hidden);

struct LinearBackward {
  Rows<const float> x;       // the input of forward
  Rows<const float> hidden;  // what forward returned
  Rows<const float> dy;
  Rows<float> dx;           // no rows: not wanted
  bool accumulate = false;  // dx += instead of dx =
};
// dx = dy W + mask(dh A), dh = scale dy B;  dB += scale dy^T h;  dA += dh^T dropout(x).  One adapter over all rows.
void linear_backward(Pass& pass, std::int64_t layer, Linear which, const LinearBackward& in, Lora& gradients);

}  // namespace slipway::ml
