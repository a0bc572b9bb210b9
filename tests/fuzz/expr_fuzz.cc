// Any text is checked, rendered and evaluated without a crash, and what checking refuses as syntax never gives a value.
#include <cstddef>
#include <cstdint>

#include "slipway/base/assert.h"
#include "slipway/dag/expr.h"

namespace {

const slipway::dag::Scope& scope() {
  static const slipway::dag::Scope kScope{
      *slipway::parse_json(R"({"params": {"a": 1, "b": "x", "list": [1, null, "x", {"k": 2.5}]},
    "run": {"ds": "2024-11-01"}, "tasks": {"t-1": {"outputs": {"o": true}}}, "item": {"i": []}, "index": 3})"),
      nullptr};
  return kScope;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::dag;
  const Template text{std::string(reinterpret_cast<const char*>(data), size), {1, 1, 1, 1}};
  slipway::Diagnostics diagnostics;
  const auto known = [](const std::vector<std::string>&) -> slipway::Result<NameInfo> { return NameInfo{}; };
  static_cast<void>(check_template(text, known, diagnostics));
  const auto value = evaluate(text, scope());
  const bool bad_syntax = diagnostics.has_errors() && diagnostics.items().front().code == "expr-syntax";
  SLIPWAY_ASSERT(!(bad_syntax && value));
  const auto shell = render(text, scope(), TextUse::Shell);
  const auto plain = render(text, scope());
  SLIPWAY_ASSERT(!shell || (plain && plain->text == shell->text));
  return 0;
}
