#include "slipway/store/findings.h"

namespace slipway::store {

Result<Value> check_report(const Store& store) {
  SLIPWAY_TRY_ASSIGN(const auto findings, store.check());
  Value::Array list;
  for (const Finding& finding : findings)
    list.push_back(Value::Object{{"invariant", finding.invariant}, {"detail", finding.detail}});
  return Value(Value::Object{{"findings", std::move(list)}});
}

}  // namespace slipway::store
