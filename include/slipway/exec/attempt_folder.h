// Where an attempt keeps its files, whichever executor runs it (docs/formats/attempt-folder.md):
//
//   <home>/attempts/<run>/<task>[I].<n>/      mode 0700, appears complete and locked: the at-most-once guard
//     lock          empty; whoever watches the attempt holds a POSIX record lock on it until the attempt is over
//     log           absent if nothing was printed; CRI log format: "<rfc3339 nano> stdout|stderr F|P <text>\n"
//     log.state     while a log is read from elsewhere: "draining", or in the end "truncated: why"
//     output.json   what the task wrote to $SLIPWAY_OUTPUT
//     exit          what `lock` is renamed to at the end, written before: {"exit_code", "ended_at", …}
//   <home>/workspace/<run>/                   $SLIPWAY_WORKSPACE, shared by the run's tasks
//   <home>/artifacts/<run>/<task>[I]/<n>/     $SLIPWAY_ARTIFACTS, as file:// URI; made by the task
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/ids.h"

namespace slipway::exec {

[[nodiscard]] std::filesystem::path attempt_folder(const std::filesystem::path& home, const AttemptId& id);
// The same relative to the home, and back; nullopt for what is no such name.
[[nodiscard]] std::string attempt_folder_name(const AttemptId& id);
[[nodiscard]] std::optional<AttemptId> attempt_of_folder(std::string_view name);
[[nodiscard]] std::filesystem::path log_file(const std::filesystem::path& home, const AttemptId& id);
// More of the log may come although the attempt is over: it is read from where it was written.
[[nodiscard]] bool log_is_draining(const std::filesystem::path& home, const AttemptId& id);
[[nodiscard]] std::filesystem::path workspace_folder(const std::filesystem::path& home, const RunId& run);
[[nodiscard]] std::filesystem::path artifact_folder(const std::filesystem::path& home, const AttemptId& id);
// Everything of a run that lies in the home: the folders above which those of its attempts are, and its workspace.
[[nodiscard]] std::vector<std::filesystem::path> folders_of(const std::filesystem::path& home, const RunId& run);

// One line of a log file, taken apart. Lines longer than 16 KiB are split by the writer: all parts but the last are
// partial. A line that is not of the format (a disk that was full) is all text.
struct LogLine {
  std::string time;  // as written
  bool is_stderr = false;
  bool partial = false;
  std::string text;  // bytes as the task wrote them, without the line break: any byte but \n, not always UTF-8
};
// Reads the complete lines in [offset, offset + bytes_max) of a log; `next` is where to go on. A missing file reads as
// empty. `bytes_max` below the longest possible line (17 KiB) counts as that, so that a reader always gets on.
struct LogChunk {
  std::vector<LogLine> lines;
  std::uint64_t next = 0;
};
[[nodiscard]] LogChunk read_log(const std::filesystem::path& file, std::uint64_t offset, std::size_t bytes_max);

}  // namespace slipway::exec
