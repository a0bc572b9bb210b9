// A Launch request, taken apart in place: every pointer points into the body it was parsed from.
#pragma once

#include <cstddef>
#include <cstdint>

#include "exec/shimd/limits.h"
#include "exec/shimd/secret_files.h"

namespace slipway::exec::shim {

struct SmokeRequest {
  const char* method = nullptr;  // nullptr: no smoke request
  const char* path = "/";
  const char* body = "";
  const char* expect = "";
};

struct ServiceRequest {
  const char* name = nullptr;  // nullptr: a plain task
  const char* dag = "";
  const char* health = "/";
  int port = 0;
  std::int64_t rollout_ms = 0;
  SmokeRequest smoke;
};

struct Request {
  char* body = nullptr;  // owned; holds secrets until wipe()
  std::size_t body_bytes = 0;
  const char* folder = nullptr;
  const char* id = "";
  const char* workdir = "";
  char** argv = nullptr;         // owned arrays, NULL terminated
  char** environment = nullptr;  // with two free slots behind its end, see add_environment
  std::size_t arguments = 0;
  std::size_t variables = 0;
  std::int64_t grace_ms = 0;
  std::uint64_t log_bytes_max = 0;
  long long oom_kills = -1;  // of the kernel shortly before the launch, see oom_kills(); not from the body
  ServiceRequest service;
  LimitsRequest limits;
  SecretFilesRequest secrets;
};

// Takes `body` over, whatever it returns. False if the bytes are no request.
bool parse_request(char* body, std::size_t size, Request& out);
// Appends NAME=value; `text` must live as long as the request. At most two.
void add_environment(Request& request, char* text);
// Overwrites and frees the body and the arrays.
void wipe(Request& request);

}  // namespace slipway::exec::shim
