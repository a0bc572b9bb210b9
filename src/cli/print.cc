#include "cli/print.h"

#include <cctype>
#include <cmath>
#include <cstdio>
#include <ostream>

#include "cli/exit_code.h"

namespace slipway::cli {
namespace {

bool is_container(const Value& value) {
  return (value.is_array() && !value.as_array().empty()) || (value.is_object() && !value.as_object().empty());
}

// JSON scalars, and JSON strings, are YAML.
void emit_yaml(const Value& value, const std::string& indent, std::string& out) {
  if (value.is_array()) {
    for (const Value& item : value.as_array()) {
      std::string nested;
      if (!is_container(item)) {
        out += indent + "- " + item.dump() + "\n";
        continue;
      }
      emit_yaml(item, indent + "  ", nested);
      out += indent + "- " + nested.substr(indent.size() + 2);
    }
    return;
  }
  for (const auto& [key, member] : value.as_object()) {
    const bool bare = !key.empty() && std::isalpha(static_cast<unsigned char>(key.front())) != 0 &&
                      key.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
                          std::string::npos &&
                      key != "null" && key != "true" && key != "false";
    out += indent + (bare ? key : Value(key).dump()) + ":";
    if (is_container(member)) {
      out += "\n";
      emit_yaml(member, indent + "  ", out);
    } else {
      out += " " + member.dump() + "\n";
    }
  }
}

}  // namespace

const Value::Array& list_of(const Value& body, std::string_view name) {
  static const Value::Array kNone;
  const Value* list = body.find(name);
  return list != nullptr && list->is_array() ? list->as_array() : kNone;
}

void print_body(Session& session, const Value& body, const Shape& shape) {
  switch (session.format()) {
    case Format::Json: session.out << body.dump() << "\n"; return;
    case Format::Yaml: session.out << to_yaml(body); return;
    case Format::Jsonl:
      if (shape.list.empty())
        session.out << body.dump() << "\n";
      else
        for (const Value& item : list_of(body, shape.list)) session.out << item.dump() << "\n";
      return;
    case Format::Name:
      if (shape.list.empty())
        session.out << plain(body.find(shape.name)) << "\n";
      else
        for (const Value& item : list_of(body, shape.list))
          session.out << (item.is_string() ? item.as_string() : plain(item.find(shape.name))) << "\n";
      return;
    case Format::Table: shape.table(body, false).print(session.out); return;
    case Format::Wide: shape.table(body, true).print(session.out); return;
  }
}

int print_done(Session& session, const Result<Value>& reply, const std::string& said, const std::string& name) {
  if (!reply) return session.fail(reply.error());
  if (for_programs(session.format()) && !reply->is_null()) print_body(session, *reply, {"", name, {}});
  if (!for_programs(session.format()) && !session.globals.quiet) session.err << said << "\n";
  return kOk;
}

void print_file(Session& session, const std::string& file) {
  if (for_programs(session.format()))
    print_body(session, Value::Object{{"file", file}}, {"", "file", {}});
  else
    session.out << file << "\n";
}

std::string short_time(const Value* instant) {
  if (instant == nullptr || !instant->is_string() || instant->as_string().size() < 19) return "";
  std::string text = instant->as_string().substr(0, 19);
  text[10] = ' ';
  return text;
}

std::string short_duration(double seconds) {
  char buffer[64];
  if (seconds < 0) return "";
  if (seconds < 60)
    std::snprintf(buffer, sizeof buffer, "%.1fs", seconds);
  else if (seconds < 3600)
    std::snprintf(buffer, sizeof buffer, "%dm%02ds", static_cast<int>(seconds) / 60, static_cast<int>(seconds) % 60);
  else
    std::snprintf(buffer, sizeof buffer, "%dh%02dm", static_cast<int>(seconds / 3600),
                  static_cast<int>(std::fmod(seconds, 3600) / 60));
  return buffer;
}

std::string elapsed(const Value* from, const Value* to, Instant now) {
  if (from == nullptr || !from->is_string()) return "";
  const auto start = parse_rfc3339(from->as_string());
  const auto end = to != nullptr && to->is_string() ? parse_rfc3339(to->as_string()) : Result<Instant>(now);
  return start && end ? short_duration(to_seconds(*end - *start)) : "";
}

std::string rounded(const Value& value) {
  if (!value.is_double()) return plain(&value);
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.4g", value.as_double());
  return buffer;
}

std::string plain(const Value* value) {
  if (value == nullptr || value->is_null()) return "";
  return value->is_string() ? value->as_string() : value->dump();
}

std::string to_yaml(const Value& value) {
  if (!is_container(value)) return value.dump() + "\n";
  std::string out;
  emit_yaml(value, "", out);
  return out;
}

}  // namespace slipway::cli
