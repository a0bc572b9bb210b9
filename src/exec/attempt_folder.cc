#include "slipway/exec/attempt_folder.h"

#include <algorithm>
#include <fstream>
#include <string_view>

namespace slipway::exec {
namespace {

constexpr std::string_view kAttempts = "attempts/";
constexpr std::size_t kLineBytesMax = 17U << 10U;  // 16 KiB of text and what stands before it

LogLine take_apart(std::string_view line) {
  const auto first = line.find(' ');
  const auto second = first == std::string_view::npos ? first : first + 7;
  const auto third = first == std::string_view::npos ? first : second + 2;
  const bool shaped = third != std::string_view::npos && third < line.size() && line[second] == ' ' &&
                      line[third] == ' ' && (line[second + 1] == 'F' || line[second + 1] == 'P');
  const auto stream = shaped ? line.substr(first + 1, 6) : std::string_view();
  if (stream != "stdout" && stream != "stderr") return {{}, false, false, std::string(line)};
  return {std::string(line.substr(0, first)), stream == "stderr", line[second + 1] == 'P',
          std::string(line.substr(third + 1))};
}

}  // namespace

std::filesystem::path attempt_folder(const std::filesystem::path& home, const AttemptId& id) {
  return home / attempt_folder_name(id);
}
std::string attempt_folder_name(const AttemptId& id) {
  return std::string(kAttempts) + id.run.str() + "/" + id.key.str() + "." + std::to_string(id.number);
}
std::optional<AttemptId> attempt_of_folder(std::string_view name) {
  if (name.substr(0, kAttempts.size()) != kAttempts) return std::nullopt;
  std::string id(name.substr(kAttempts.size()));
  const auto dot = id.rfind('.');
  if (dot == std::string::npos) return std::nullopt;
  id[dot] = '/';
  return AttemptId::parse(id);
}
std::filesystem::path log_file(const std::filesystem::path& home, const AttemptId& id) {
  return attempt_folder(home, id) / "log";
}
bool log_is_draining(const std::filesystem::path& home, const AttemptId& id) {
  std::ifstream in(attempt_folder(home, id) / "log.state");
  std::string word;
  return in >> word && word == "draining";
}
std::filesystem::path workspace_folder(const std::filesystem::path& home, const RunId& run) {
  return home / "workspace" / run.str();
}
std::filesystem::path artifact_folder(const std::filesystem::path& home, const AttemptId& id) {
  return home / "artifacts" / id.run.str() / id.key.str() / std::to_string(id.number);
}
std::vector<std::filesystem::path> folders_of(const std::filesystem::path& home, const RunId& run) {
  return {home / "attempts" / run.str(), home / "artifacts" / run.str(), workspace_folder(home, run)};
}

LogChunk read_log(const std::filesystem::path& file, std::uint64_t offset, std::size_t bytes_max) {
  LogChunk chunk{{}, offset};
  std::ifstream in(file, std::ios::binary);
  if (!in.seekg(static_cast<std::streamoff>(offset))) return chunk;
  std::string bytes(std::max(bytes_max, kLineBytesMax), '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  std::string_view rest(bytes.data(), static_cast<std::size_t>(in.gcount()));
  for (auto stop = rest.find('\n'); stop != std::string_view::npos; stop = rest.find('\n')) {
    chunk.lines.push_back(take_apart(rest.substr(0, stop)));
    chunk.next += stop + 1;
    rest.remove_prefix(stop + 1);
  }
  return chunk;
}

}  // namespace slipway::exec
