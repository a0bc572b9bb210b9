// Options that several verbs of the model tower share.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "slipway/base/enum_table.h"

namespace slipway::cli {

// An option whose words are those of an enum table.
template <class E, std::size_t N>
CLI::Option* add_enum(CLI::App& app, const std::string& flag, E& target, const EnumTable<E, N>& table,
                      const std::string& help) {
  std::vector<std::string> words;
  std::string listed;
  for (const auto& row : table.rows()) {
    words.emplace_back(row.text);
    listed += (listed.empty() ? "" : ", ") + std::string(row.text);
  }
  return app
      .add_option_function<std::string>(
          flag, [&target, &table](const std::string& word) { target = *table.parse(word); }, help + ": " + listed)
      ->check(CLI::IsMember(words));
}

// --threads and --compute-dtype. Products are computed in fp32 whatever the weights are stored in.
inline void add_compute(CLI::App& app, int& threads) {
  app.add_option("--threads", threads, "threads that compute [all this process may use]")->check(CLI::Range(0, 1024));
  app.add_option_function<std::string>(
         "--compute-dtype", [](const std::string&) {}, "arithmetic of the matrix products: auto (fp32) or fp32")
      ->check(CLI::IsMember({"auto", "fp32"}));
}

}  // namespace slipway::cli
