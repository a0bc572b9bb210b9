#include "slipway/ml/kv_cache.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "ml/support/tiny_model.h"

namespace slipway::ml {
namespace {

constexpr std::int64_t kPage = KvPool::kPageTokens;

TEST(KvCache, TakesPagesAsItGrowsAndGivesThemBack) {
  const auto config = testing::tiny_gemma2();
  EXPECT_EQ(KvPool::bytes_per_token(config), 3U * 2 * 32 * sizeof(float));
  KvPool pool(config, 3);
  {
    KvCache cache(pool);
    EXPECT_TRUE(cache.reserve(kPage));
    EXPECT_EQ(cache.capacity(), kPage);
    EXPECT_TRUE(cache.reserve(kPage + 1));
    EXPECT_EQ(pool.free_pages(), 1);
    EXPECT_FALSE(cache.reserve(4 * kPage)) << "there are only three";
    EXPECT_EQ(pool.free_pages(), 1) << "and none was taken";
    cache.advance(kPage + 1);
    cache.truncate(kPage);
    EXPECT_EQ(pool.free_pages(), 2);
    KvCache moved(std::move(cache));
    EXPECT_EQ(moved.size(), kPage);
  }
  EXPECT_EQ(pool.free_pages(), 3);
}

TEST(KvCache, LayersPagesKeysAndValuesLieApart) {
  const auto config = testing::tiny_gemma2();
  KvPool pool(config, 2);
  KvCache cache(pool);
  ASSERT_TRUE(cache.reserve(2 * kPage));
  std::vector<float*> starts;
  for (std::int64_t page = 0; page < 2; ++page)
    for (std::int64_t layer = 0; layer < config.layers; ++layer)
      for (const auto& rows : {cache.keys(layer, page), cache.values(layer, page)}) {
        EXPECT_EQ(rows.rows, kPage);
        EXPECT_EQ(rows.cols, 32);
        starts.push_back(rows.data);
      }
  std::ranges::sort(starts);
  for (std::size_t i = 1; i < starts.size(); ++i) EXPECT_GE(starts[i] - starts[i - 1], kPage * 32);
}

TEST(KvCache, ForksShareFullPagesAndCopyTheLast) {
  const auto config = testing::tiny_gemma2();
  KvPool pool(config, 3);
  KvCache cache(pool);
  ASSERT_TRUE(cache.reserve(kPage + 2));
  cache.advance(kPage + 2);
  cache.keys(1, 0).at(5, 7) = 1;
  cache.values(2, 1).at(1, 7) = 2;
  auto fork = cache.fork();
  ASSERT_TRUE(fork);
  EXPECT_EQ(fork->size(), kPage + 2);
  EXPECT_EQ(pool.free_pages(), 0);
  EXPECT_EQ(fork->keys(1, 0).data, cache.keys(1, 0).data);
  EXPECT_NE(fork->values(2, 1).data, cache.values(2, 1).data);
  EXPECT_EQ(fork->values(2, 1).at(1, 7), 2);
  EXPECT_FALSE(cache.fork()) << "no page is left for the copy";
  cache.clear();
  EXPECT_EQ(pool.free_pages(), 1) << "the shared page is still in use";
  EXPECT_EQ(fork->keys(1, 0).at(5, 7), 1);
}

}  // namespace
}  // namespace slipway::ml
