// init, api: the first minute, and what no verb covers.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>

#include "cli/example_dag.h"
#include "cli/exit_code.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "slipway/base/file.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

int init(const std::string& folder, Session& session) {
  const fs::path file = fs::path(folder) / "hello.yaml";
  std::error_code error;
  if (fs::exists(file, error))
    return session.fail({ErrorCode::Conflict, file.string() + " exists already", "name another folder"});
  fs::create_directories(folder, error);
  if (error) return session.fail(errno_error("cannot create " + folder, error.value()));
  const auto written = write_whole_file(file, std::string(kExampleDag));
  if (!written) return session.fail(written.error());
  print_file(session, file.string());
  if (!session.globals.quiet)
    session.err << "next: slipway dag test " << file.string() << ", or slipway up --dags " << folder
                << " and slipway run start hello --watch\n";
  return kOk;
}

struct ApiOptions {
  std::string method, path, data;
};

// The body: JSON as it is written, or of standard input for "-".
Result<Value> body_of(const std::string& data) {
  if (data.empty()) return Value();
  const std::string text =
      data == "-" ? std::string(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()) : data;
  auto body = parse_json(text);
  if (!body) return body.error().in("--data");
  return body;
}

int call(const ApiOptions& options, Session& session) {
  if (options.path.empty() || options.path.front() != '/')
    return session.usage("`" + options.path + "` is no path below /api/v1", "write /runs, say; docs/api.md has all");
  const auto body = body_of(options.data);
  if (!body) return session.usage(body.error().message, "write JSON, or - for standard input");
  const auto reply = session.call(options.method, options.path, *body);
  if (!reply) return session.fail(reply.error());
  if (!reply->is_null()) session.out << reply->dump_pretty() << "\n";
  return kOk;
}

}  // namespace

Handler setup_init(CLI::App& app) {
  auto folder = std::make_shared<std::string>("dags");
  app.add_option("folder", *folder, "the folder of DAG files; default dags");
  return [folder](Session& session) { return init(*folder, session); };
}

Handler setup_api(CLI::App& app) {
  auto options = std::make_shared<ApiOptions>();
  app.add_option("method", options->method, "GET, POST, PUT or DELETE")
      ->required()
      ->check(CLI::IsMember({"GET", "POST", "PUT", "DELETE"}));
  app.add_option("path", options->path, "below /api/v1, with its query: /runs?state=failed")->required();
  app.add_option("--data", options->data, "the body, JSON; - reads standard input");
  return [options](Session& session) { return call(*options, session); };
}

}  // namespace slipway::cli
