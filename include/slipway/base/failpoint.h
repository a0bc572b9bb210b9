// Places at which a program can be made to die, to prove that nothing is lost there. In slipway itself reach() does
// nothing; tests/e2e links a program with another one, which dies where its environment says.
#pragma once

#include <string_view>

#include "slipway/base/enum_table.h"

namespace slipway {

enum class Failpoint : unsigned char {
  StoreTransaction,
  StoreWritten,
  StoreCommitted,
  StoreCheckpoint,
  EngineAdopt,
  EngineRecovered,
  EngineDecided,
  EngineCommitted,
  EngineAcknowledged,
  EngineLaunched,
  EngineStopped,
  EngineForgot,
  ExecAsk,
  ExecAsked,
  ExecStarted,
  ExecEnded,
  NotifySend,
  NotifySent,
  NotifyDone,
  BackupBegin,
  BackupCopied,
  SuspectNamed,
};
inline constexpr EnumTable<Failpoint, 22> kFailpoints{{{
    {Failpoint::StoreTransaction, "store.transaction", "a write has begun, nothing is written"},
    {Failpoint::StoreWritten, "store.written", "the rows are written, not committed"},
    {Failpoint::StoreCommitted, "store.committed", "committed, the caller does not know it"},
    {Failpoint::StoreCheckpoint, "store.checkpoint", "before the log is moved into the database"},
    {Failpoint::EngineAdopt, "engine.adopt", "at start, before open attempts are looked for"},
    {Failpoint::EngineRecovered, "engine.recovered", "at start, everything is settled, nothing decided"},
    {Failpoint::EngineDecided, "engine.decided", "decided, not committed"},
    {Failpoint::EngineCommitted, "engine.committed", "committed, nobody was told"},
    {Failpoint::EngineAcknowledged, "engine.acknowledged", "callers were told, nothing is launched"},
    {Failpoint::EngineLaunched, "engine.launched", "attempts were handed to the executor"},
    {Failpoint::EngineStopped, "engine.stopped", "the executor was asked to stop an attempt; subject: the attempt"},
    {Failpoint::EngineForgot, "engine.forgot", "the executor may forget an attempt; subject: the attempt"},
    {Failpoint::ExecAsk, "exec.ask", "before slipway-shimd is asked to launch; subject: the attempt"},
    {Failpoint::ExecAsked, "exec.asked", "slipway-shimd was asked; subject: the attempt"},
    {Failpoint::ExecStarted, "exec.started", "a start is known, not reported; subject: the attempt"},
    {Failpoint::ExecEnded, "exec.ended", "an end is known, not reported; subject: the attempt"},
    {Failpoint::NotifySend, "notify.send", "before a notice is sent; subject: the notice"},
    {Failpoint::NotifySent, "notify.sent", "a notice was sent, which is not recorded; subject: the notice"},
    {Failpoint::NotifyDone, "notify.done", "the engine was told that a notice was sent; subject: the notice"},
    {Failpoint::BackupBegin, "backup.begin", "before a backup is written"},
    {Failpoint::BackupCopied, "backup.copied", "a backup is written, its folder not flushed"},
    {Failpoint::SuspectNamed, "suspect.named", "the engine is about to work on something; subject: what"},
}}};

// Any thread. `subject` is whom it is about.
void reach(Failpoint point, std::string_view subject = {});

}  // namespace slipway
