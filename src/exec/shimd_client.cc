#include "exec/shimd_client.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <array>
#include <string_view>

#include "exec/process_table.h"
#include "exec/shimd_image.h"
#include "slipway/base/rng.h"

namespace slipway::exec {
namespace {

using shim::Head;
using shim::Kind;
using shim::Reply;
using shim::Tag;

constexpr int kConnectTries = 100;
constexpr int kConnectPauseMs = 20;
constexpr int kAnswerMs = 3000;
constexpr timeval kSendTimeout{5, 0};

std::uint64_t build() { return stable_hash(shimd_image()); }

void add_field(std::string& body, Tag tag, std::string_view text) {
  const auto length = static_cast<std::uint32_t>(text.size());
  body.push_back(static_cast<char>(tag));
  body.append(reinterpret_cast<const char*>(&length), sizeof length);
  body.append(text);
  body.push_back('\0');
}

std::int64_t milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

void add_service(std::string& body, const ServiceSpec& service) {
  add_field(body, Tag::Service, service.name.str());
  add_field(body, Tag::ServiceDag, service.dag.str());
  add_field(body, Tag::ServicePort, std::to_string(service.port));
  add_field(body, Tag::Health, service.health);
  add_field(body, Tag::RolloutMs, std::to_string(milliseconds(service.rollout_timeout)));
  if (!service.smoke) return;
  add_field(body, Tag::SmokeMethod, service.smoke->post ? "POST" : "GET");
  add_field(body, Tag::SmokePath, service.smoke->path);
  add_field(body, Tag::SmokeBody, service.smoke->body);
  add_field(body, Tag::SmokeExpect, service.smoke->expect);
}

void add_limits(std::string& body, const LimitPlan& limits) {
  for (const LimitGroup& group : limits.groups) {
    add_field(body, Tag::Group, group.folder.native());
    for (const std::string& setting : group.settings) add_field(body, Tag::GroupSetting, setting);
  }
  if (limits.data_bytes > 0) add_field(body, Tag::DataLimit, std::to_string(limits.data_bytes));
}

std::size_t estimate(const LaunchSpec& spec) {
  std::size_t size = 8192;
  for (const auto& argument : spec.argv) size += argument.size() + shim::kFieldOverhead;
  for (const auto& [name, value] : spec.env) size += name.size() + value.size() + 16;
  for (const auto& [name, value] : spec.secret_env) size += name.size() + value.reveal().size() + 16;
  for (const auto& [name, secret] : spec.secret_files)
    size += secret.file.size() + secret.content.reveal().size() + 2 * shim::kFieldOverhead;
  if (spec.service && spec.service->smoke) size += spec.service->smoke->body.size();
  return size;
}

// Room is reserved first: a string that grows would leave copies of secrets behind.
std::string encode(const LaunchSpec& spec, const ShimdClient::Settings& settings) {
  std::string body;
  body.reserve(estimate(spec));
  add_field(body, Tag::Folder, settings.folder);
  add_field(body, Tag::Id, spec.id.str());
  add_field(body, Tag::Workdir, spec.workdir);
  add_field(body, Tag::GraceMs, std::to_string(milliseconds(spec.grace)));
  add_field(body, Tag::LogBytesMax, std::to_string(settings.log_bytes_max));
  add_limits(body, settings.limits);
  for (const auto& argument : spec.argv) add_field(body, Tag::Argument, argument);
  for (const auto& [name, value] : spec.env) add_field(body, Tag::Environment, name + "=" + value);
  for (const auto& [name, value] : spec.secret_env) {
    std::string variable;
    variable.reserve(name.size() + 1 + value.reveal().size());
    variable.append(name).append("=").append(value.reveal());
    add_field(body, Tag::Environment, variable);
    explicit_bzero(variable.data(), variable.size());
  }
  if (!settings.run_as.empty()) add_field(body, Tag::RunAs, settings.run_as);
  if (!spec.secret_files.empty()) add_field(body, Tag::SecretFolder, settings.secrets_folder);
  for (const auto& [name, secret] : spec.secret_files) {
    add_field(body, Tag::SecretName, secret.file);
    add_field(body, Tag::SecretContent, secret.content.reveal());
  }
  if (spec.service) add_service(body, *spec.service);
  return body;
}

bool send_packets(int connection, std::string_view body) {
  std::array<char, shim::kPacketBytesMax> packet;
  Head head{Kind::Launch, shim::kProtocolVersion, {}, static_cast<std::uint32_t>(body.size())};
  ::memcpy(packet.data(), &head, sizeof head);
  std::size_t used = sizeof head;
  bool sent = true;
  while (sent && !body.empty()) {
    const std::size_t part = std::min(body.size(), packet.size() - used);
    ::memcpy(packet.data() + used, body.data(), part);
    body.remove_prefix(part);
    sent = ::send(connection, packet.data(), used + part, MSG_NOSIGNAL) >= 0;
    used = 0;
  }
  ::explicit_bzero(packet.data(), packet.size());
  return sent;
}

bool is_readable(int fd, int timeout_ms) {
  pollfd wait{fd, POLLIN, 0};
  return ::poll(&wait, 1, timeout_ms) == 1;
}

Result<Fd> image_in_memory() {
  Fd image(::memfd_create("slipway-shimd", MFD_CLOEXEC));
  if (!image) return errno_error("memfd_create", errno);
  for (std::string_view left = shimd_image(); !left.empty();) {
    const ssize_t done = ::write(image.get(), left.data(), left.size());
    if (done <= 0) return errno_error("copying slipway-shimd into memory", errno);
    left.remove_prefix(static_cast<std::size_t>(done));
  }
  return image;
}

// Signals as a fresh process has them, no output, and an empty environment: the daemon's is none of the tasks'
// business.
struct SpawnSettings {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;

  SpawnSettings() {
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    for (int fd = 0; fd < 3; ++fd) posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
};

}  // namespace

ShimdClient::ShimdClient(std::filesystem::path home, Duration idle, Logger log)
    : home_(std::move(home)),
      idle_(idle),
      log_(std::move(log)),
      home_fd_(::open(home_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}

Result<void> ShimdClient::connect() {
  Error last{ErrorCode::Unavailable, "slipway-shimd does not answer", "see " + (home_ / shim::kLogName).string()};
  for (int tries = 0; tries < kConnectTries && !is_connected(); ++tries) {
    if (tries > 0) ::poll(nullptr, 0, kConnectPauseMs);
    if (!open_connection()) {
      if (const auto started = start(); !started) last = started.error();
      if (!open_connection()) continue;
    }
    const Greeting greeting = greet();
    if (greeting == Greeting::Other) retire();
    if (greeting != Greeting::Ours) disconnect();
    if (greeting == Greeting::Silent) break;
  }
  return is_connected() ? Result<void>() : Result<void>(last);
}

void ShimdClient::disconnect() {
  connection_ = Fd();
  process_ = Fd();
}

// Through the folder's descriptor, because a socket's path may have 107 bytes at most.
bool ShimdClient::open_connection() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = "/proc/self/fd/" + std::to_string(home_fd_.get()) + "/" + shim::kSocketName;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  Fd connection(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!connection || ::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return false;
  ::setsockopt(connection.get(), SOL_SOCKET, SO_SNDTIMEO, &kSendTimeout, sizeof kSendTimeout);
  connection_ = std::move(connection);
  return true;
}

ShimdClient::Greeting ShimdClient::greet() {
  const Head hello{Kind::Hello, shim::kProtocolVersion, {}, 0};
  Reply reply{};
  if (::send(connection_.get(), &hello, sizeof hello, MSG_NOSIGNAL) < 0) return Greeting::Gone;
  if (!is_readable(connection_.get(), kAnswerMs)) return Greeting::Silent;
  const ssize_t got = ::recv(connection_.get(), &reply, sizeof reply, 0);
  if (got < 2) return Greeting::Gone;
  if (got != sizeof reply || reply.version != shim::kProtocolVersion || reply.build != build()) return Greeting::Other;
  process_ = open_process(reply.pid, reply.start_ticks);
  return process_ ? Greeting::Ours : Greeting::Gone;
}

// Its shims go on without it.
void ShimdClient::retire() {
  const Head retire{Kind::Retire, shim::kProtocolVersion, {}, 0};
  log_.info("another build of slipway-shimd is retired");
  if (::send(connection_.get(), &retire, sizeof retire, MSG_NOSIGNAL) >= 0) is_readable(connection_.get(), kAnswerMs);
}

Result<void> ShimdClient::start() const {
  SLIPWAY_TRY_ASSIGN(const Fd image, image_in_memory());
  const SpawnSettings settings;
  const std::string program = "/proc/self/fd/" + std::to_string(image.get());
  std::string name = "slipway-shimd";
  std::string home = home_.string();
  std::string idle = std::to_string(milliseconds(idle_));
  std::string id = std::to_string(build());
  std::array<char*, 5> argv{name.data(), home.data(), idle.data(), id.data(), nullptr};
  std::array<char*, 1> environment{nullptr};
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, program.c_str(), &settings.files, &settings.attributes, argv.data(), environment.data());
  if (error != 0) return errno_error("starting slipway-shimd", error);
  // It detaches at once: this child ends as soon as the socket listens, or when another shimd holds the home.
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return {};
}

Result<void> ShimdClient::launch(const LaunchSpec& spec, const Settings& settings) {
  std::string body = encode(spec, settings);
  if (body.size() > shim::kRequestBytesMax)
    return Error{ErrorCode::TooLarge, "arguments and environment take " + std::to_string(body.size()) + " bytes",
                 "the limit is " + std::to_string(shim::kRequestBytesMax)};
  const bool sent = send_packets(connection_.get(), body);
  const int why = errno;
  ::explicit_bzero(body.data(), body.size());
  if (sent) return {};
  disconnect();
  return Error{ErrorCode::Unavailable, errno_error("slipway-shimd", why).message, {}};
}

std::optional<ShimReply> ShimdClient::receive() {
  std::array<char, 4096> packet;
  const ssize_t got = ::recv(connection_.get(), packet.data(), packet.size() - 2, MSG_DONTWAIT);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) disconnect();
  if (got < static_cast<ssize_t>(sizeof(Reply))) return std::nullopt;
  const auto size = static_cast<std::size_t>(got);
  packet[size] = packet[size + 1] = '\0';
  Reply reply{};
  ::memcpy(&reply, packet.data(), sizeof reply);
  const std::string folder = packet.data() + sizeof reply;
  const std::size_t rest = sizeof reply + folder.size() + 1;
  return ShimReply{reply.kind,
                   reply.pid,
                   reply.start_ticks,
                   from_micros(reply.at_us),
                   folder,
                   rest < size ? packet.data() + rest : ""};
}

}  // namespace slipway::exec
