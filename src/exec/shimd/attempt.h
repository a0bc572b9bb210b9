// One attempt: its folder, its processes, its end. Runs in a process of its own, forked from shimd without exec, whose
// life is the attempt's: it holds the folder's lock, and is gone only after the file `exit` is there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "exec/shim_protocol.h"
#include "exec/shimd/log_writer.h"
#include "exec/shimd/process.h"
#include "exec/shimd/request.h"

namespace slipway::exec::shim {

struct Attempt {
  Request request;
  char path[512] = "";  // of the folder, kept beyond the request
  int client = -1;      // the daemon's connection until it has been told, else -1
  int folder = -1;
  int lock = -1;
  int signals = -1;
  std::uint64_t start_ticks = 0;  // of this process
  std::int64_t started_us = 0;
  Limits limits;
  SecretFolder secrets;
  LogWriter log;
  LogStream out;
  LogStream err;
};

// What the file `exit` says.
struct Ending {
  int exit_code = 0;
  int signal = 0;
  bool started = true;  // false: the command never ran; `failure` and `message` say why
  bool oom = false;
  bool stopped = false;      // somebody asked for it before it ended
  const char* failure = "";  // a run::FailureClass, where the helper and not the command failed
  const char* message = "";
};

// Takes the request over. Never returns.
[[noreturn]] void run_attempt(const Request& request, int client);

// Used by run_attempt and by a deploy, which is an attempt without a command of its own.
// Makes both output pipes; `out` and `err` are the ends for the command. False with errno.
bool open_pipes(LogStream& out_stream, LogStream& err_stream, int& out, int& err);
// Writes `exit`, trying again while the disk is full, and ends the process.
[[noreturn]] void finish(Attempt& attempt, const Ending& ending);
// Takes the instant, and lets everybody see that the command runs.
void mark_started(Attempt& attempt);
// Tells the daemon that the attempt runs. False if it must be tried again when the connection takes more.
bool tell_started(Attempt& attempt);
// "program `x` not found in PATH (…)" and the like, with its failure class.
Ending launch_failure(const Command& command, const Spawned& spawned, char* message, std::size_t size);

bool send_reply(int client, const Reply& reply, const char* folder, const char* message, int flags);

// The deploy of a service, in an attempt whose folder is taken. deploy.cc.
[[noreturn]] void run_deploy(Attempt& attempt);

}  // namespace slipway::exec::shim
