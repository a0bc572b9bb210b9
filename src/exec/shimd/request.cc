#include "exec/shimd/request.h"

#include <stdlib.h>
#include <string.h>

#include "exec/shim_protocol.h"

namespace slipway::exec::shim {
namespace {

constexpr std::size_t kSpareVariables = 2;

struct Field {
  Tag tag;
  char* text;
};

// The field at *at, which is moved behind it. False at a malformed one.
bool next_field(char*& at, const char* end, Field& out) {
  std::uint32_t length = 0;
  if (static_cast<std::size_t>(end - at) < kFieldOverhead) return false;
  memcpy(&length, at + 1, sizeof length);
  if (length > static_cast<std::size_t>(end - at) - kFieldOverhead) return false;
  out = {static_cast<Tag>(*at), at + 1 + sizeof length};
  at = out.text + length + 1;
  return out.text[length] == '\0' && strlen(out.text) == length;
}

bool count_fields(Request& request) {
  char* at = request.body;
  const char* const end = at + request.body_bytes;
  Field field{};
  while (at < end) {
    if (!next_field(at, end, field)) return false;
    if (field.tag == Tag::Argument) ++request.arguments;
    if (field.tag == Tag::Environment) ++request.variables;
  }
  return request.arguments > 0;
}

std::int64_t number(const char* text) { return strtoll(text, nullptr, 10); }

// What does not fit is refused later, when the group cannot be made as asked: the daemon sends less.
void take_limit(LimitsRequest& limits, Field field) {
  if (field.tag == Tag::RunAs) limits.run_as = field.text;
  if (field.tag == Tag::DataLimit) limits.data_bytes = strtoull(field.text, nullptr, 10);
  if (field.tag == Tag::Group && limits.count < kGroupsMax) limits.groups[limits.count++].folder = field.text;
  if (field.tag != Tag::GroupSetting || limits.count == 0) return;
  GroupRequest& group = limits.groups[limits.count - 1];
  if (group.count < kGroupSettingsMax) group.settings[group.count++] = field.text;
}

void take_secret(SecretFilesRequest& secrets, Field field) {
  if (field.tag == Tag::SecretFolder) secrets.folder = field.text;
  if (secrets.count == kSecretFilesMax) return;
  if (field.tag == Tag::SecretName) secrets.names[secrets.count] = field.text;
  if (field.tag == Tag::SecretContent) secrets.contents[secrets.count++] = field.text;
}

void take_field(Request& request, Field field, std::size_t& arguments) {
  ServiceRequest& service = request.service;
  switch (field.tag) {
    case Tag::Folder: request.folder = field.text; break;
    case Tag::Argument: request.argv[arguments++] = field.text; break;
    case Tag::Environment: request.environment[request.variables++] = field.text; break;
    case Tag::Workdir: request.workdir = field.text; break;
    case Tag::GraceMs: request.grace_ms = number(field.text); break;
    case Tag::LogBytesMax: request.log_bytes_max = strtoull(field.text, nullptr, 10); break;
    case Tag::Id: request.id = field.text; break;
    case Tag::Service: service.name = field.text; break;
    case Tag::ServiceDag: service.dag = field.text; break;
    case Tag::ServicePort: service.port = static_cast<int>(number(field.text)); break;
    case Tag::Health: service.health = field.text; break;
    case Tag::RolloutMs: service.rollout_ms = number(field.text); break;
    case Tag::SmokeMethod: service.smoke.method = field.text; break;
    case Tag::SmokePath: service.smoke.path = field.text; break;
    case Tag::SmokeBody: service.smoke.body = field.text; break;
    case Tag::SmokeExpect: service.smoke.expect = field.text; break;
    case Tag::SecretFolder:
    case Tag::SecretName:
    case Tag::SecretContent: take_secret(request.secrets, field); break;
    case Tag::RunAs:
    case Tag::Group:
    case Tag::GroupSetting:
    case Tag::DataLimit: take_limit(request.limits, field); break;
  }
}

}  // namespace

bool parse_request(char* body, std::size_t size, Request& out) {
  out.body = body;
  out.body_bytes = size;
  if (!count_fields(out)) return false;
  out.argv = static_cast<char**>(calloc(out.arguments + 1, sizeof(char*)));
  out.environment = static_cast<char**>(calloc(out.variables + kSpareVariables + 1, sizeof(char*)));
  if (out.argv == nullptr || out.environment == nullptr) return false;
  out.variables = 0;
  std::size_t arguments = 0;
  Field field{};
  for (char* at = body; at < body + size;) {
    next_field(at, body + size, field);
    take_field(out, field, arguments);
  }
  return out.folder != nullptr;
}

void add_environment(Request& request, char* text) { request.environment[request.variables++] = text; }

void wipe(Request& request) {
  if (request.body != nullptr) explicit_bzero(request.body, request.body_bytes);
  free(request.body);
  free(request.argv);
  free(request.environment);
  request = Request{};
}

}  // namespace slipway::exec::shim
