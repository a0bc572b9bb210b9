// var, secret, service and schedule: small nouns over the API.
#include <CLI/CLI.hpp>
#include <iostream>
#include <iterator>

#include "cli/exit_code.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/verbs.h"

namespace slipway::cli {
namespace {

int print_list(Session& session, const std::string& path, const Shape& shape) {
  const auto body = session.call("GET", path);
  if (!body) return session.fail(body.error());
  print_body(session, *body, shape);
  return kOk;
}

// The first of a list of instants.
std::string first_time(const Value* list) {
  return list != nullptr && list->is_array() && !list->as_array().empty() ? short_time(&list->as_array().front()) : "";
}

std::string item_path(const char* noun, const std::string& name) {
  return std::string("/") + noun + "/" + http::percent_encode(name);
}

}  // namespace

Handler setup_var_set(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  auto text = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  app.add_option("name", *name, "name of the variable")->required();
  app.add_option("value", *text, "its value, as text unless --json")->required();
  app.add_flag("--json", *json, "read the value as JSON");
  return [=](Session& session) {
    Value value = *text;
    if (*json) {
      auto parsed = parse_json(*text);
      if (!parsed) return session.usage(parsed.error().message, "leave --json out to store text");
      value = *std::move(parsed);
    }
    return print_done(session, session.call("PUT", item_path("vars", *name), Value::Object{{"value", value}}),
                      "variable " + *name + " set");
  };
}

Handler setup_var_get(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("name", *name, "name of the variable")->required();
  return [=](Session& session) {
    const auto body = session.call("GET", item_path("vars", *name));
    if (!body) return session.fail(body.error());
    if (for_programs(session.format()))
      print_body(session, *body, {"", "name", {}});
    else
      session.out << plain(body->find("value")) << "\n";
    return kOk;
  };
}

Handler setup_var_list(CLI::App&) {
  return [](Session& session) {
    const auto body = session.call("GET", "/vars");
    if (!body) return session.fail(body.error());
    const Value* vars = body->find("vars");
    const Value::Object none;
    const auto& all = vars != nullptr && vars->is_object() ? vars->as_object() : none;
    if (session.format() == Format::Name) {
      for (const auto& [name, value] : all) session.out << name << "\n";
      return kOk;
    }
    print_body(session, *body, {"", "", [&](const Value&, bool) {
                                  Table table({"NAME", "VALUE"});
                                  for (const auto& [name, value] : all) table.add({name, plain(&value)});
                                  return table;
                                }});
    return kOk;
  };
}

Handler setup_var_delete(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("name", *name, "name of the variable")->required();
  return [=](Session& session) {
    return print_done(session, session.call("DELETE", item_path("vars", *name)), "variable " + *name + " deleted");
  };
}

Handler setup_secret_set(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("name", *name, "name of the secret; its value is read from standard input")->required();
  return [=](Session& session) {
    std::string text((std::istreambuf_iterator<char>(std::cin)), std::istreambuf_iterator<char>());
    if (!text.empty() && text.back() == '\n') text.pop_back();
    if (text.empty())
      return session.usage("standard input is empty", "printf '%s' \"$VALUE\" | slipway secret set " + *name);
    return print_done(session, session.call("PUT", item_path("secrets", *name), Value::Object{{"value", text}}),
                      "secret " + *name + " set");
  };
}

Handler setup_secret_list(CLI::App&) {
  return [](Session& session) {
    return print_list(session, "/secrets",
                      {"secrets", "name", [](const Value& body, bool) {
                         Table table({"NAME"});
                         for (const Value& item : list_of(body, "secrets"))
                           table.add({item.is_string() ? item.as_string() : item.get_string("name")});
                         return table;
                       }});
  };
}

Handler setup_secret_delete(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("name", *name, "name of the secret")->required();
  return [=](Session& session) {
    return print_done(session, session.call("DELETE", item_path("secrets", *name)), "secret " + *name + " deleted");
  };
}

Handler setup_service_list(CLI::App&) {
  return [](Session& session) {
    return print_list(session, "/services",
                      {"services", "name", [](const Value& body, bool) {
                         Table table({"NAME", "DAG", "URL", "REVISION", "DEPLOYED"});
                         for (const Value& item : list_of(body, "services"))
                           table.add({item.get_string("name"), item.get_string("dag"), item.get_string("url"),
                                      item.get_string("revision"), short_time(item.find("deployed_at"))});
                         return table;
                       }});
  };
}

Handler setup_service_stop(CLI::App& app) {
  auto names = std::make_shared<std::vector<std::string>>();
  auto all = std::make_shared<bool>(false);
  app.add_option("name", *names, "names of services");
  app.add_flag("--all", *all, "every service");
  return [=](Session& session) {
    if (names->empty() == !*all)
      return session.usage("name services, or say --all", "`slipway service list` shows them");
    std::vector<std::string> wanted = *names;
    if (*all) {
      const auto body = session.call("GET", "/services");
      if (!body) return session.fail(body.error());
      for (const Value& item : list_of(*body, "services")) wanted.push_back(item.get_string("name"));
    }
    int failed = 0;
    int code = kOk;
    for (const std::string& name : wanted) {
      const int one = print_done(session, session.call("POST", item_path("services", name) + "/stop", Value::Object{}),
                                 "service " + name + " stopped");
      if (one != kOk) ++failed;
      if (one != kOk) code = one;
    }
    return failed > 0 && failed < static_cast<int>(wanted.size()) ? kPartial : code;
  };
}

Handler setup_schedule_list(CLI::App&) {
  return [](Session& session) {
    return print_list(session, "/schedules",
                      {"schedules", "dag", [](const Value& body, bool) {
                         Table table({"DAG", "SCHEDULE", "EXPRESSION", "TIMEZONE", "NEXT"});
                         for (const Value& item : list_of(body, "schedules"))
                           table.add({item.get_string("dag"), item.get_string("name"), item.get_string("expression"),
                                      item.get_string("timezone"), first_time(item.find("next"))});
                         return table;
                       }});
  };
}

}  // namespace slipway::cli
