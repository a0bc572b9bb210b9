// Datasets: what tasks produce and schedules wait for.
#include <CLI/CLI.hpp>
#include <ostream>

#include "cli/exit_code.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/verbs.h"

namespace slipway::cli {
namespace {

std::string joined(const Value& item, const char* name) {
  std::string text;
  for (const Value& one : list_of(item, name)) text += (text.empty() ? "" : ", ") + one.as_string();
  return text;
}

Table dataset_table(const Value& body, bool) {
  Table table({"DATASET", "UPDATES", "UPDATED", "BY", "PRODUCERS", "CONSUMERS"});
  for (const Value& item : list_of(body, "datasets"))
    table.add({item.get_string("uri"), plain(item.find("updates")), short_time(item.find("updated_at")),
               item.get_string("updated_by"), joined(item, "producers"), joined(item, "consumers")});
  return table;
}

int print_datasets(Session& session, const std::string& query) {
  const auto body = session.call("GET", "/datasets" + query);
  if (!body) return session.fail(body.error());
  print_body(session, *body, {"datasets", "uri", dataset_table});
  return kOk;
}

}  // namespace

Handler setup_dataset_list(CLI::App&) {
  return [](Session& session) { return print_datasets(session, ""); };
}

Handler setup_dataset_get(CLI::App& app) {
  auto uri = std::make_shared<std::string>();
  app.add_option("uri", *uri, "its URI")->required();
  return [uri](Session& session) { return print_datasets(session, "?uri=" + http::percent_encode(*uri)); };
}

Handler setup_dataset_touch(CLI::App& app) {
  auto uri = std::make_shared<std::string>();
  app.add_option("uri", *uri, "its URI")->required();
  return [uri](Session& session) {
    const auto reply = session.call("POST", "/datasets/touch", Value::Object{{"uri", *uri}});
    return print_done(session, reply, "dataset " + *uri + " updated", "uri");
  };
}

}  // namespace slipway::cli
