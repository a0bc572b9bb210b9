// What a verb works with: streams, global options, where the daemon is. Everything a test wants to replace is a member.
#pragma once

#include <functional>
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "slipway/base/enum_table.h"
#include "slipway/base/result.h"
#include "slipway/base/time.h"
#include "slipway/base/value.h"
#include "slipway/http/transport.h"

namespace slipway::cli {

// The largest file that the command line reads whole: parameters, DAG files, tokens.
inline constexpr std::size_t kFileBytesMax = 64U << 20U;

// Made absolute against the working folder; links are not resolved.
[[nodiscard]] std::string absolute_path(const std::string& path);

enum class Format : unsigned char { Table, Wide, Json, Jsonl, Yaml, Name };
inline constexpr EnumTable<Format, 6> kFormats{{{
    {Format::Table, "table", "aligned columns"},
    {Format::Wide, "wide", "more columns"},
    {Format::Json, "json", "the API's body, unchanged"},
    {Format::Jsonl, "jsonl", "one JSON object a line"},
    {Format::Yaml, "yaml", "the API's body as YAML"},
    {Format::Name, "name", "names only, one a line"},
}}};

// Whether a program reads it: then nothing but the body may stand on standard output.
[[nodiscard]] constexpr bool for_programs(Format format) { return format != Format::Table && format != Format::Wide; }

// Options that every verb takes.
struct Globals {
  std::string output = "table";
  bool no_color = false;
  bool ascii = false;
  bool quiet = false;
  int verbose = 0;
  std::string server;   // empty = from the home's daemon.json
  std::string home;     // empty = $SLIPWAY_HOME, else the user's state folder
  std::string timeout;  // empty = none
  bool no_input = false;
  bool yes = false;
};

class Session {
 public:
  Session(std::ostream& out, std::ostream& err, std::map<std::string, std::string> env);

  Globals globals;
  std::ostream& out;  // data
  std::ostream& err;  // talk
  std::map<std::string, std::string> env;
  bool out_is_terminal = false;
  bool err_is_terminal = false;

  [[nodiscard]] Format format() const;
  [[nodiscard]] bool color() const;                                   // on `out`
  [[nodiscard]] std::string variable(const std::string& name) const;  // of the environment; empty if absent

  // The folder that holds the database, logs and token.
  [[nodiscard]] std::string home() const;
  // How long the whole command may take; --timeout.
  [[nodiscard]] Result<std::optional<Duration>> timeout() const;

  // One API call: path below /api/v1 ("/runs"), body null = none. A problem+json reply becomes its Error; the cure of a
  // missing daemon is in the error's help.
  [[nodiscard]] Result<Value> call(const std::string& method, const std::string& path, const Value& body = {},
                                   const http::Headers& headers = {});

  // Prints the error ("slipway: message", "help: …") to err and gives its exit code.
  int fail(const Error& error) const;
  int usage(const std::string& message, const std::string& help = {}) const;

 private:
  struct Server {
    std::string url;
    std::string token;
  };
  [[nodiscard]] Result<Server> server() const;

  std::unique_ptr<http::Transport> transport_;
};

}  // namespace slipway::cli
