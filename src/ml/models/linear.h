// A linear module with its adapter: y = x W^T + b + scale (dropout(x) A^T) B^T.
#pragma once

#include "ml/models/pass.h"

namespace slipway::ml {

// Returns h = dropout(x) A^T [T, r] of the last adapted range, which backward needs (empty if no adapter targets the
// module). It is allocated in the arena after the call began.
Rows<float> linear_forward(Pass& pass, std::int64_t layer, Linear which, Rows<const float> x, Rows<float> y);

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
