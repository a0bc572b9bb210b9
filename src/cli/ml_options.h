// Options whose values are words of an enum table.
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

}  // namespace slipway::cli
