// What Model::load refuses, and what it accepts in another form.
#include <gtest/gtest.h>

#include <map>

#include "ml/support/numeric.h"
#include "ml/support/tiny_model.h"
#include "slipway/ml/model.h"

namespace slipway::ml {
namespace {

using testing::SafetensorsTensors;

// The tensors of another source with one replaced.
class Patched : public TensorSource {
 public:
  Patched(const TensorSource& base, std::string name, Result<TensorView> instead)
      : base_(base), name_(std::move(name)), instead_(std::move(instead)) {}
  [[nodiscard]] Result<TensorView> find(std::string_view name) const override {
    return name == name_ ? instead_ : base_.find(name);
  }

 private:
  const TensorSource& base_;
  std::string name_;
  Result<TensorView> instead_;
};

class LoadTest : public ::testing::Test {
 protected:
  const testing::TinyModel tiny_ = testing::tiny_models()[0];
  const SafetensorsTensors tensors_ = tiny_.tensors("fp32");
  const std::string name_ = "model.layers.1.mlp.up_proj.weight";
  const TensorView whole_ = tensors_.find(name_).value();

  Error load_error(Result<TensorView> instead) {
    const Patched source(tensors_, name_, std::move(instead));
    const auto loaded = Model::load(tiny_.config, source);
    return loaded ? Error{} : loaded.error();
  }
};

TEST_F(LoadTest, NamesTheMissingTensor) {
  const auto error = load_error(tensors_.find(name_ + "x"));
  EXPECT_EQ(error.code, ErrorCode::NotFound);
}

TEST_F(LoadTest, NamesTheTensorOfAnotherShape) {
  auto other = whole_;
  std::swap(other.shape[0], other.shape[1]);
  const auto error = load_error(other);
  EXPECT_EQ(error.code, ErrorCode::InvalidArgument);
  EXPECT_EQ(error.message, name_ + " is [40, 96] where the configuration wants [96, 40]");
}

TEST_F(LoadTest, RefusesTooFewBytes) {
  auto torn = whole_;
  torn.bytes = torn.bytes.first(torn.bytes.size() - 4);
  EXPECT_EQ(load_error(torn).code, ErrorCode::Corrupt);
}

TEST_F(LoadTest, RefusesIntegers) {
  auto integers = whole_;
  integers.dtype = Dtype::I32;
  EXPECT_EQ(load_error(integers).code, ErrorCode::InvalidArgument);
}

TEST_F(LoadTest, RefusesAnImpossibleConfiguration) {
  auto config = tiny_.config;
  config.kv_heads = 3;
  EXPECT_EQ(Model::load(config, tensors_).error().code, ErrorCode::InvalidArgument);
}

TEST_F(LoadTest, WidensHalfPrecisionAndMisalignedWeights) {
  const std::vector<std::int32_t> ids = {2, 7, 341, 17};
  Compute compute({.threads = 1});
  const auto want = Model::load(tiny_.config, tensors_).value().logits(compute, ids, nullptr);

  std::vector<std::byte> shifted(whole_.bytes.size() + 1);
  std::memcpy(shifted.data() + 1, whole_.bytes.data(), whole_.bytes.size());
  auto misaligned = whole_;
  misaligned.bytes = std::span<const std::byte>(shifted).subspan(1);
  const Patched moved(tensors_, name_, misaligned);
  testing::expect_same_bits(Model::load(tiny_.config, moved).value().logits(compute, ids, nullptr).values(),
                            want.values());

  // 0x3555 is 1365/4096, exact in both.
  const std::vector<std::uint16_t> halves(whole_.bytes.size() / 4, 0x3555);
  const std::vector<float> floats(halves.size(), 1365.0F / 4096);
  const Patched as_half(tensors_, name_, TensorView{Dtype::F16, whole_.shape, std::as_bytes(std::span(halves))});
  const Patched as_float(tensors_, name_, TensorView{Dtype::F32, whole_.shape, std::as_bytes(std::span(floats))});
  testing::expect_same_bits(Model::load(tiny_.config, as_half).value().logits(compute, ids, nullptr).values(),
                            Model::load(tiny_.config, as_float).value().logits(compute, ids, nullptr).values());
}

}  // namespace
}  // namespace slipway::ml
