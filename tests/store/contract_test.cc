#include "contract/store_contract.h"

#include "slipway/store/sqlite_store.h"
#include "support/temp_folder.h"

namespace slipway::test {
namespace {

class SqlitePlace final : public StorePlace {
 public:
  std::unique_ptr<store::Store> open() override {
    auto opened = store::open_sqlite(folder_ / "slipway.db");
    EXPECT_TRUE(opened) << opened.error().message;
    return *std::move(opened);
  }

 private:
  TempFolder folder_;
};

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract, ::testing::Values([] { return std::make_unique<SqlitePlace>(); }));

}  // namespace
}  // namespace slipway::test
