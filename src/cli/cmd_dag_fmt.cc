// dag fmt: DAG files in the one form.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <iterator>

#include "cli/exit_code.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "slipway/base/file.h"
#include "slipway/base/text_diff.h"
#include "slipway/dagdir/watcher.h"
#include "slipway/text/format.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::vector<std::string> paths;
  bool check = false, diff = false;
};

// What became of one file.
struct Formatted {
  std::string file;
  bool changed = false, failed = false;
};

// Files as given; a folder stands for the DAG files below it.
Result<std::vector<std::string>> files_of(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code ignored;
    if (!fs::is_directory(path, ignored)) {
      files.push_back(path);
      continue;
    }
    SLIPWAY_TRY_ASSIGN(const auto found, dagdir::read_folder(path, Logger()));
    for (const auto& file : found) files.push_back((fs::path(path) / file.name).string());
  }
  return files;
}

Result<void> replace(const std::string& file, const std::string& text) {
  std::error_code ignored;
  const auto mode = fs::status(file, ignored).permissions();
  SLIPWAY_TRY(write_whole_file(file, text));
  fs::permissions(file, mode, ignored);
  return {};
}

// Nothing is written where a file has problems.
Result<Formatted> format_file(const std::string& file, const Options& options, Session& session) {
  SLIPWAY_TRY_ASSIGN(std::string text, read_whole_file(file, kFileBytesMax));
  const SourceText source{file, std::move(text)};
  const auto formatted = text::format_yaml(source);
  for (const Diagnostic& problem : formatted.diagnostics.items()) session.err << render(problem, source) << "\n";
  if (!formatted.value) return Formatted{file, false, true};
  const bool changed = *formatted.value != source.text;
  if (changed && options.diff) session.out << unified_diff(source.text, *formatted.value, {file, file});
  if (changed && !options.check && !options.diff) SLIPWAY_TRY(replace(file, *formatted.value));
  return Formatted{file, changed, false};
}

void print_files(Session& session, const std::vector<Formatted>& files, const Options& options) {
  Value::Array list;
  for (const Formatted& one : files)
    if (one.changed) list.push_back(Value::Object{{"file", one.file}});
  const Value body = Value::Object{{"changed", std::move(list)}};
  if (for_programs(session.format())) return print_body(session, body, {"changed", "file", {}});
  if (options.diff || session.globals.quiet) return;
  for (const Value& one : list_of(body, "changed")) session.out << one.get_string("file") << "\n";
}

int format_files(const Options& options, Session& session) {
  const auto files = files_of(options.paths);
  if (!files) return session.fail(files.error());
  std::vector<Formatted> done;
  bool changed = false, failed = false;
  for (const std::string& file : *files) {
    const auto one = format_file(file, options, session);
    if (!one) return session.fail(one.error());
    done.push_back(*one);
    changed = changed || one->changed;
    failed = failed || one->failed;
  }
  print_files(session, done, options);
  if (failed) return kInvalid;
  return changed && (options.check || options.diff) ? kChanges : kOk;
}

// For editors: standard input to standard output.
int format_input(Session& session) {
  const SourceText source{"-",
                          std::string((std::istreambuf_iterator<char>(std::cin)), std::istreambuf_iterator<char>())};
  const auto formatted = text::format_yaml(source);
  for (const Diagnostic& problem : formatted.diagnostics.items()) session.err << render(problem, source) << "\n";
  if (!formatted.value) return kInvalid;
  session.out << *formatted.value;
  return kOk;
}

}  // namespace

Handler setup_dag_fmt(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("path", options->paths, "DAG files, or folders of them; - formats standard input")->required();
  app.add_flag("--check", options->check, "write nothing; list what is not formatted, exit 20 if there is any");
  app.add_flag("--diff", options->diff, "write nothing; show what would change, exit 20 if anything would");
  return [options](Session& session) {
    const bool input = options->paths == std::vector<std::string>{"-"};
    return input ? format_input(session) : format_files(*options, session);
  };
}

}  // namespace slipway::cli
