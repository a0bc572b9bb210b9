#include <gtest/gtest.h>

#include <cmath>

#include "ml/support/numeric.h"
#include "ml/support/supported_isas.h"
#include "slipway/ml/ops.h"

namespace slipway::ml {
namespace {

using testing::Doubles;

struct Inputs {
  std::int64_t queries, keys;
  Doubles q, k, v;
};

Inputs random_inputs(const AttentionShape& shape, std::int64_t queries, std::int64_t keys) {
  return {queries, keys, testing::random_values(queries * shape.heads * shape.head_dim, 1, 2),
          testing::random_values(keys * shape.kv_heads * shape.head_dim, 2, 2),
          testing::random_values(keys * shape.kv_heads * shape.head_dim, 3)};
}

// The formula of ops.h in double, element by element.
Doubles reference(const AttentionShape& shape, const Inputs& in) {
  const std::int64_t d = shape.head_dim, group = shape.heads / shape.kv_heads;
  Doubles out(in.q.size());
  for (std::int64_t i = 0; i < in.queries; ++i) {
    for (std::int64_t head = 0; head < shape.heads; ++head) {
      const std::int64_t position = in.keys - in.queries + i;
      const auto q = static_cast<std::size_t>((i * shape.heads + head) * d);
      double total = 0;
      Doubles sum(static_cast<std::size_t>(d));
      for (std::int64_t j = 0; j <= position; ++j) {
        if (shape.window > 0 && position - j >= shape.window) continue;
        const auto k = static_cast<std::size_t>((j * shape.kv_heads + head / group) * d);
        double s = 0;
        for (std::size_t c = 0; c < static_cast<std::size_t>(d); ++c) s += in.q[q + c] * in.k[k + c];
        s *= static_cast<double>(shape.scale);
        const auto cap = static_cast<double>(shape.softcap);
        if (cap > 0) s = cap * std::tanh(s / cap);
        const double weight = std::exp(s);
        total += weight;
        for (std::size_t c = 0; c < static_cast<std::size_t>(d); ++c) sum[c] += weight * in.v[k + c];
      }
      for (std::size_t c = 0; c < static_cast<std::size_t>(d); ++c) out[q + c] = sum[c] / total;
    }
  }
  return out;
}

const AttentionShape kPlain{.heads = 2, .kv_heads = 2, .head_dim = 6, .scale = 0.4F};
const AttentionShape kGemma{.heads = 4, .kv_heads = 2, .head_dim = 10, .scale = 0.3F, .softcap = 2, .window = 5};
const AttentionShape kGrouped{.heads = 3, .kv_heads = 1, .head_dim = 4, .scale = 0.5F, .softcap = 5};

class AttentionTest : public ::testing::TestWithParam<Isa> {
 protected:
  Compute compute_{{.threads = 2, .isa = GetParam()}};

  void check_forward(const AttentionShape& shape, std::int64_t queries, std::int64_t keys) {
    const auto in = random_inputs(shape, queries, keys);
    const auto q = testing::to_matrix(in.q, queries), k = testing::to_matrix(in.k, keys),
               v = testing::to_matrix(in.v, keys);
    Matrix out(queries, q.cols());
    const AttentionSpan span{q.view(), k.view(), v.view(), out.view()};
    attention(compute_, shape, {&span, 1});
    testing::expect_close(out.values(), reference(shape, in), 3e-6,
                          std::to_string(queries) + " of " + std::to_string(keys));
  }

  void check_backward(const AttentionShape& shape, std::int64_t length) {
    const auto in = random_inputs(shape, length, length);
    const auto d_out = testing::random_values(static_cast<std::int64_t>(in.q.size()), 4);
    const auto q = testing::to_matrix(in.q, length), k = testing::to_matrix(in.k, length),
               v = testing::to_matrix(in.v, length), d = testing::to_matrix(d_out, length);
    Matrix dq(length, q.cols()), dk(length, k.cols()), dv(length, v.cols());
    dk.fill(9);  // must be overwritten
    const AttentionGradient span{q.view(), k.view(), v.view(), d.view(), dq.view(), dk.view(), dv.view()};
    attention_backward(compute_, shape, {&span, 1});
    const auto loss = [&](Doubles Inputs::*which) {
      return [&, which](const Doubles& at) {
        Inputs moved = in;
        moved.*which = at;
        return testing::dot(d_out, reference(shape, moved));
      };
    };
    testing::expect_close(dq.values(), testing::numeric_gradient(in.q, loss(&Inputs::q)), 5e-6, "dq");
    testing::expect_close(dk.values(), testing::numeric_gradient(in.k, loss(&Inputs::k)), 5e-6, "dk");
    testing::expect_close(dv.values(), testing::numeric_gradient(in.v, loss(&Inputs::v)), 5e-6, "dv");
  }
};

TEST_P(AttentionTest, ForwardFollowsTheFormula) {
  for (const auto& shape : {kPlain, kGemma, kGrouped})
    for (const std::int64_t length : {1, 2, 7, 64, 65, 150}) check_forward(shape, length, length);
}

TEST_P(AttentionTest, LastQueriesOfALongerSequence) {
  for (const auto& shape : {kPlain, kGemma, kGrouped}) {
    check_forward(shape, 1, 30);
    check_forward(shape, 70, 100);
  }
}

TEST_P(AttentionTest, BackwardIsTheSlope) {
  check_backward(kPlain, 9);
  check_backward(kGrouped, 8);
  check_backward(kGemma, 12);
}

// Crosses the block of 64 queries, with a window that leaves early keys to the first block.
TEST_P(AttentionTest, BackwardOverSeveralBlocks) {
  check_backward({.heads = 1, .kv_heads = 1, .head_dim = 2, .scale = 0.5F, .softcap = 3, .window = 20}, 70);
}

TEST_P(AttentionTest, PackedSequencesDoNotSeeEachOther) {
  const std::int64_t lengths[] = {5, 70, 3};
  const auto in = random_inputs(kGemma, 78, 78);
  const auto q = testing::to_matrix(in.q, 78), k = testing::to_matrix(in.k, 78), v = testing::to_matrix(in.v, 78);
  Matrix packed(78, q.cols()), alone(78, q.cols());
  std::vector<AttentionSpan> spans;
  std::int64_t first = 0;
  for (const auto length : lengths) {
    const AttentionSpan span{q.view().slice(first, length), k.view().slice(first, length),
                             v.view().slice(first, length), alone.view().slice(first, length)};
    attention(compute_, kGemma, {&span, 1});
    spans.push_back({span.q, span.k, span.v, packed.view().slice(first, length)});
    first += length;
  }
  attention(compute_, kGemma, spans);
  testing::expect_same_bits(packed.values(), alone.values());
}

INSTANTIATE_TEST_SUITE_P(Isas, AttentionTest, ::testing::ValuesIn(testing::supported_isas()),
                         [](const auto& parameter) { return std::string(kIsas.text(parameter.param)); });

}  // namespace
}  // namespace slipway::ml
