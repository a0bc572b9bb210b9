// pool: named slots.
#include <CLI/CLI.hpp>

#include "cli/exit_code.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/verbs.h"

namespace slipway::cli {
namespace {

std::string pool_path(const std::string& name) { return "/pools/" + http::percent_encode(name); }

void add_row(Table& table, const Value& pool, bool wide) {
  std::vector<std::string> row{pool.get_string("name"), plain(pool.find("slots")), plain(pool.find("used")),
                               plain(pool.find("queued"))};
  if (wide) row.push_back(pool.get_string("description"));
  table.add(std::move(row));
}

Table empty_table(bool wide) {
  std::vector<std::string> header{"NAME", "SLOTS", "USED", "QUEUED"};
  if (wide) header.emplace_back("DESCRIPTION");
  return Table(std::move(header));
}

}  // namespace

Handler setup_pool_list(CLI::App&) {
  return [](Session& session) {
    const auto body = session.call("GET", "/pools");
    if (!body) return session.fail(body.error());
    print_body(session, *body, {"pools", "name", [](const Value& pools, bool wide) {
                                  Table table = empty_table(wide);
                                  for (const Value& pool : list_of(pools, "pools")) add_row(table, pool, wide);
                                  return table;
                                }});
    return kOk;
  };
}

Handler setup_pool_get(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("name", *name, "name of the pool")->required();
  return [=](Session& session) {
    const auto body = session.call("GET", pool_path(*name));
    if (!body) return session.fail(body.error());
    print_body(session, *body, {"", "name", [](const Value& pool, bool wide) {
                                  Table table = empty_table(wide);
                                  add_row(table, pool, wide);
                                  return table;
                                }});
    return kOk;
  };
}

Handler setup_pool_set(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  auto slots = std::make_shared<int>(0);
  auto description = std::make_shared<std::string>();
  app.add_option("name", *name, "name of the pool")->required();
  app.add_option("slots", *slots, "how many slots it has; 0 lets nothing start")->required();
  const CLI::Option* described = app.add_option("--description", *description, "what it is for; else as it was");
  return [=](Session& session) {
    Value::Object body{{"slots", *slots}};
    if (described->count() > 0) body.emplace("description", *description);
    return print_done(session, session.call("PUT", pool_path(*name), Value(std::move(body))),
                      "pool " + *name + " has " + std::to_string(*slots) + " slots");
  };
}

Handler setup_pool_delete(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("name", *name, "name of the pool")->required();
  return [=](Session& session) {
    return print_done(session, session.call("DELETE", pool_path(*name)), "pool " + *name + " deleted");
  };
}

}  // namespace slipway::cli
