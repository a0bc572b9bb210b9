#include "cli/api_path.h"

#include <CLI/CLI.hpp>

#include "slipway/http/message.h"

namespace slipway::cli {

std::string task_path(const std::string& run, const std::string& task, const std::string& what) {
  const auto bracket = task.find('[');
  const bool mapped = bracket != std::string::npos && task.back() == ']';
  return "/runs/" + http::percent_encode(run) + "/tasks/" +
         http::percent_encode(mapped ? task.substr(0, bracket) : task) + what + "?map_index=" +
         (mapped ? http::percent_encode(task.substr(bracket + 1, task.size() - bracket - 2)) : std::string("-1"));
}

void add_page_options(CLI::App& app, const std::string& members, PageOptions& options) {
  app.add_option("dag", options.dag, "only " + members + " of this DAG");
  app.add_option("--state", options.state, "only " + members + " in this state");
  app.add_option("--before", options.before, "only " + members + " older than this one, for the next page");
  app.add_option("-n,--limit", options.limit, "at most so many, newest first")->check(CLI::Range(1, 1000));
}

std::string page_path(const std::string& collection, const PageOptions& options) {
  std::string path = collection + "?limit=" + std::to_string(options.limit);
  if (!options.dag.empty()) path += "&dag=" + http::percent_encode(options.dag);
  if (!options.state.empty()) path += "&state=" + http::percent_encode(options.state);
  if (!options.before.empty()) path += "&before=" + http::percent_encode(options.before);
  return path;
}

}  // namespace slipway::cli
