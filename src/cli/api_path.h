// Addresses in the API that several verbs ask for.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace slipway::cli {

// Of a task by the name that people give it, "finetune" or "finetune[3]"; `what` follows the task: "/logs". Ends in a
// query that may be gone on with.
[[nodiscard]] std::string task_path(const std::string& run, const std::string& task, const std::string& what);

// A page of a collection whose members belong to a DAG and have a state.
struct PageOptions {
  std::string dag, state, before;
  int limit = 20;
};
// `members`: "runs".
void add_page_options(CLI::App& app, const std::string& members, PageOptions& options);
[[nodiscard]] std::string page_path(const std::string& collection, const PageOptions& options);

}  // namespace slipway::cli
