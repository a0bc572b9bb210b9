#include "slipway/ml/paged_attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "ml/support/numeric.h"
#include "ml/support/supported_isas.h"

namespace slipway::ml {
namespace {

constexpr std::int64_t kPageTokens = 16;

struct Case {
  const char* name;
  AttentionShape shape;
};
const Case kCases[] = {
    {"plain", {.heads = 2, .kv_heads = 2, .head_dim = 6, .scale = 0.4F}},
    {"window", {.heads = 4, .kv_heads = 2, .head_dim = 10, .scale = 0.3F, .softcap = 2, .window = 21}},
    {"grouped", {.heads = 6, .kv_heads = 2, .head_dim = 16, .scale = 0.5F, .softcap = 5}},
};

// A sequence of `keys` tokens in pages whose unused rows hold what must not be read.
class PagedAttentionTest : public ::testing::TestWithParam<std::tuple<Isa, Case>> {
 protected:
  void fill(std::int64_t keys) {
    keys_ = keys;
    const std::int64_t width = shape_.kv_heads * shape_.head_dim;
    q_ = testing::to_matrix(testing::random_values(keys * shape_.heads * shape_.head_dim, 1, 2), keys);
    k_ = testing::to_matrix(testing::random_values(keys * width, 2, 2), keys);
    v_ = testing::to_matrix(testing::random_values(keys * width, 3), keys);
    memory_ = Matrix(2 * (keys + kPageTokens), width);
    memory_.fill(1e30F);
    pages_.clear();
    for (std::int64_t first = 0; first < keys; first += kPageTokens) {
      const auto rows = [&](std::int64_t from) { return memory_.view().slice(from, kPageTokens); };
      const auto keys_page = rows(2 * first), values_page = rows(2 * first + kPageTokens);
      for (std::int64_t t = first; t < std::min(keys, first + kPageTokens); ++t) {
        std::copy_n(k_.row(t), width, keys_page.row(t - first));
        std::copy_n(v_.row(t), width, values_page.row(t - first));
      }
      pages_.push_back({keys_page, values_page});
    }
  }
  // The last `queries` tokens attend.
  Matrix paged(std::int64_t first, std::int64_t queries, bool one_by_one) {
    Matrix out(queries, q_.cols());
    const PagedSpan span{
        .q = q_.view().slice(first, queries),
        .out = out.view(),
        .first = first,
        .pages = std::span(pages_).first(static_cast<std::size_t>((first + queries + kPageTokens - 1) / kPageTokens)),
        .one_by_one = one_by_one};
    paged_attention(compute_, shape_, {&span, 1});
    return out;
  }
  Matrix contiguous() {
    Matrix out(keys_, q_.cols());
    const AttentionSpan span{q_.view(), k_.view(), v_.view(), out.view()};
    attention(compute_, shape_, {&span, 1});
    return out;
  }

  AttentionShape shape_ = std::get<1>(GetParam()).shape;
  Compute compute_{{.threads = 2, .isa = std::get<0>(GetParam())}};
  std::int64_t keys_ = 0;
  Matrix q_, k_, v_, memory_;
  std::vector<KvPage> pages_;
};

TEST_P(PagedAttentionTest, IsAttention) {
  for (const std::int64_t keys : {1, 16, 50, 150}) {
    fill(keys);
    const Matrix want = contiguous();
    for (const bool one_by_one : {false, true}) {
      const Matrix got = paged(0, keys, one_by_one);
      for (std::size_t i = 0; i < want.values().size(); ++i)
        ASSERT_NEAR(got.values()[i], want.values()[i], 1e-5) << keys << " keys, element " << i;
    }
  }
}

TEST_P(PagedAttentionTest, ATokenAloneHasTheSameBitsAsOneOfMany) {
  fill(90);
  const Matrix all = paged(0, 90, true);
  for (const std::int64_t t : {0, 15, 16, 63, 64, 89}) {
    const Matrix alone = paged(t, 1, true);
    EXPECT_TRUE(std::ranges::equal(alone.values(), std::span(all.row(t), alone.values().size()))) << t;
  }
}

TEST_P(PagedAttentionTest, PromptsCutAtBlocksHaveTheSameBits) {
  fill(150);
  const Matrix all = paged(0, 150, false);
  const Matrix first = paged(0, 64, false), second = paged(64, 86, false);
  EXPECT_TRUE(std::ranges::equal(first.values(), all.values().first(first.values().size())));
  EXPECT_TRUE(std::ranges::equal(second.values(), all.values().last(second.values().size())));
}

INSTANTIATE_TEST_SUITE_P(All, PagedAttentionTest,
                         ::testing::Combine(::testing::ValuesIn(testing::supported_isas()),
                                            ::testing::ValuesIn(kCases)),
                         [](const auto& row) {
                           return std::string(kIsas.text(std::get<0>(row.param))) + "_" + std::get<1>(row.param).name;
                         });

}  // namespace
}  // namespace slipway::ml
