// man: the manual page, made from the table of verbs.
#include <CLI/CLI.hpp>
#include <ostream>

#include "cli/app.h"
#include "cli/exit_code.h"
#include "cli/help_topics.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "cli/version.h"

namespace slipway::cli {
namespace {

// Text as troff shows it: no escapes, no requests at the start of a line, hyphens that can be searched for.
std::string troff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (out.empty() && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c == '\n' ? ' ' : c;
  }
  return out;
}

void print_item(std::ostream& out, const std::string& term, std::string_view text) {
  out << ".TP\n.B " << troff(term) << "\n" << troff(text) << "\n";
}

bool is_help(const CLI::App& app, const CLI::Option* option) { return option == app.get_help_ptr(); }

// "-f,--follow", and for what takes a value its name.
std::string term_of(const CLI::Option& option) {
  if (option.get_positional()) return option.get_name(true);
  return option.get_name(false, true) + (option.get_items_expected_max() > 0 ? " VALUE" : "");
}

void print_options(std::ostream& out, const CLI::App& app) {
  for (const CLI::Option* option : app.get_options())
    if (!is_help(app, option)) print_item(out, term_of(*option), option->get_description());
}

std::string synopsis(const Command& command, const CLI::App& app) {
  std::string line = "slipway " + std::string(command.path);
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    const std::string name = option->get_name(true) + (option->get_items_expected_max() > 1 ? "..." : "");
    line += option->get_required() ? " " + name : " [" + name + "]";
  }
  return line + " [options]";
}

void print_commands(std::ostream& out) {
  out << ".SH COMMANDS\n";
  for (const Command& command : commands()) {
    if (command.internal) continue;
    CLI::App app;
    // The handler is not run; it keeps alive what the options write to.
    const Handler handler = command.setup(app);
    out << ".SS " << troff(synopsis(command, app)) << "\n" << troff(command.summary) << "\n";
    print_options(out, app);
  }
}

void print_page(std::ostream& out) {
  out << ".TH SLIPWAY 1 \"\" \"slipway " << kVersion << "\" \"slipway manual\"\n"
      << ".SH NAME\nslipway \\- takes a model from data to a served endpoint, and does it again every day\n"
      << ".SH SYNOPSIS\n.B slipway\n[options]\nNOUN VERB [arguments] [options]\n";
  print_commands(out);
  CLI::App globals;
  Globals values;
  add_globals(globals, values);
  out << ".SH OPTIONS OF EVERY COMMAND\n";
  print_options(out, globals);
  out << ".SH EXIT STATUS\n";
  for (const ExitCode& code : kExitCodes) print_item(out, std::to_string(code.number), code.doc);
  out << ".SH SEE ALSO\n";
  for (const HelpTopic& topic : help_topics())
    out << ".br\n" << troff("slipway help " + std::string(topic.name)) << "\n";
}

}  // namespace

Handler setup_man(CLI::App&) {
  return [](Session& session) {
    print_page(session.out);
    return kOk;
  };
}

}  // namespace slipway::cli
