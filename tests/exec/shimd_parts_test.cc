// The pieces of the helper that are functions of bytes, in this process and so under its sanitizers.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "exec/process_table.h"
#include "exec/shim_protocol.h"
#include "exec/shimd/log_writer.h"
#include "exec/shimd/request.h"
#include "exec/shimd/system.h"
#include "slipway/base/rng.h"
#include "slipway/base/value.h"
#include "slipway/exec/attempt_folder.h"
#include "support/temp_folder.h"

namespace slipway::exec::shim {
namespace {

using slipway::test::TempFolder;

TEST(FormatTime, AgreesWithTheLibraryOnEveryDay) {
  Rng rng(7);
  char text[kTimeBytes];
  for (int day = 0; day < 60'000; ++day) {
    const std::int64_t micros = day * 86'400'000'000LL + static_cast<std::int64_t>(rng.below(86'400'000'000ULL));
    EXPECT_EQ(format_time(micros * 1000, 6, text), 27U);
    ASSERT_EQ(text, to_rfc3339(from_micros(micros)));
  }
  EXPECT_EQ(format_time(1'730'419'200'000'000'001, 9, text), 30U);
  EXPECT_STREQ(text, "2024-11-01T00:00:00.000000001Z");
}

TEST(StartTicks, IsTheExecutorsToo) { EXPECT_EQ(start_ticks(::getpid()), start_ticks_of(::getpid())); }

std::string json_of(const std::string& text, std::size_t room = 4096) {
  std::string buffer(room, '\0');
  Text out{buffer.data(), buffer.size()};
  out.add_json(text.c_str());
  return buffer.substr(0, out.used);
}

TEST(TextJson, ComesBackFromAParser) {
  for (const std::string text : {"", "plain", "a \"quoted\" \\ path", "line\nbreak\ttab\x01\x7f", "élan ∑ 𝄞"}) {
    const auto parsed = parse_json(json_of(text));
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->as_string(), text);
  }
}

TEST(TextJson, IsAlwaysJsonWhateverTheBytesAndTheRoom) {
  Rng rng(11);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(rng.below(40), '\0');
    for (char& byte : bytes) byte = static_cast<char>(rng.below(3) == 0 ? 0x80 + rng.below(128) : 1 + rng.below(255));
    ASSERT_TRUE(parse_json(json_of(bytes, 40 + rng.below(200))));
  }
}

TEST(Text, CutsWhatDoesNotFit) {
  char buffer[8];
  Text text{buffer, sizeof buffer};
  text.add("12345");
  text.add_number(-678);
  EXPECT_STREQ(buffer, "12345-6");
}

// --- requests

void field(std::string& body, Tag tag, const std::string& text) {
  const auto length = static_cast<std::uint32_t>(text.size());
  body.push_back(static_cast<char>(tag));
  body.append(reinterpret_cast<const char*>(&length), sizeof length);
  body.append(text).push_back('\0');
}

std::string example() {
  std::string body;
  field(body, Tag::Folder, "attempts/r/t.1");
  field(body, Tag::Id, "r/t/1");
  field(body, Tag::Argument, "echo");
  field(body, Tag::Argument, "");
  field(body, Tag::Environment, "A=1");
  field(body, Tag::Workdir, "/w");
  field(body, Tag::GraceMs, "1500");
  field(body, Tag::LogBytesMax, "99");
  field(body, Tag::Service, "s");
  field(body, Tag::ServicePort, "8000");
  field(body, Tag::SmokeMethod, "POST");
  field(body, Tag::SmokeBody, "{}");
  return body;
}

// The parser owns and frees what it is given.
bool parse(const std::string& bytes, Request& request) {
  auto* const body = static_cast<char*>(::malloc(bytes.size() + 1));
  ::memcpy(body, bytes.data(), bytes.size());
  return parse_request(body, bytes.size(), request);
}

TEST(ParseRequest, TakesEveryField) {
  Request request;
  ASSERT_TRUE(parse(example(), request));
  EXPECT_STREQ(request.folder, "attempts/r/t.1");
  EXPECT_STREQ(request.id, "r/t/1");
  ASSERT_EQ(request.arguments, 2U);
  EXPECT_STREQ(request.argv[0], "echo");
  EXPECT_STREQ(request.argv[1], "");
  EXPECT_EQ(request.argv[2], nullptr);
  EXPECT_STREQ(request.workdir, "/w");
  EXPECT_EQ(request.grace_ms, 1500);
  EXPECT_EQ(request.log_bytes_max, 99U);
  EXPECT_STREQ(request.service.name, "s");
  EXPECT_EQ(request.service.port, 8000);
  EXPECT_STREQ(request.service.smoke.method, "POST");
  EXPECT_STREQ(request.service.smoke.body, "{}");
  char port[] = "PORT=1";
  char other[] = "SLIPWAY_PORT=1";
  add_environment(request, port);
  add_environment(request, other);
  EXPECT_STREQ(request.environment[0], "A=1");
  EXPECT_STREQ(request.environment[2], "SLIPWAY_PORT=1");
  EXPECT_EQ(request.environment[3], nullptr);
  wipe(request);
  EXPECT_EQ(request.body, nullptr);
}

TEST(ParseRequest, RefusesEveryTruncation) {
  const std::string whole = example();
  std::string only_folder;
  field(only_folder, Tag::Folder, "f");
  std::string no_folder;
  field(no_folder, Tag::Argument, "a");
  std::string nul;
  field(nul, Tag::Argument, std::string("a\0b", 3));
  for (const std::string& bytes : {std::string(), only_folder, no_folder, nul + only_folder}) {
    Request request;
    EXPECT_FALSE(parse(bytes, request));
    wipe(request);
  }
  int parsed = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    Request request;
    parsed += parse(whole.substr(0, size), request) ? 1 : 0;
    wipe(request);
  }
  EXPECT_EQ(parsed, 9);  // those that end between two fields, from the first argument on
}

TEST(ParseRequest, NoBytesAreTooStrange) {
  Rng rng(13);
  int parsed = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string bytes = example();
    for (auto edits = 1 + rng.below(4); edits > 0; --edits)
      bytes[rng.below(bytes.size())] = static_cast<char>(rng.below(256));
    Request request;
    if (parse(bytes, request)) {
      ++parsed;
      EXPECT_EQ(request.argv[request.arguments], nullptr);
    }
    wipe(request);
  }
  EXPECT_GT(parsed, 0);
}

// --- the log

class LogTest : public ::testing::Test {
 protected:
  LogTest() : directory_(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), log_(new_log()) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    stream_.fd = ends[0];
    in_ = Fd(ends[1]);
  }
  ~LogTest() override { close_stream(*log_, stream_); }
  static std::unique_ptr<LogWriter> new_log() { return std::make_unique<LogWriter>(); }

  void open(std::uint64_t bytes_max, Overflow overflow) { open_log(*log_, directory_.get(), bytes_max, overflow); }
  void print(const std::string& bytes) {
    ASSERT_EQ(::write(in_.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    while (pump(*log_, stream_)) flush(*log_);
  }
  [[nodiscard]] std::vector<std::string> texts(const char* name = "log") const {
    std::vector<std::string> found;
    for (const LogLine& line : read_log(folder_.path() / name, 0, 10U << 20U).lines)
      found.push_back((line.partial ? "P " : "F ") + line.text);
    return found;
  }

  TempFolder folder_;
  Fd directory_;
  std::unique_ptr<LogWriter> log_;
  LogStream stream_;
  Fd in_;
};

TEST_F(LogTest, KeepsAnUnfinishedLineUntilItsEnd) {
  open(1U << 20U, Overflow::Discard);
  print("one\ntw");
  EXPECT_EQ(texts(), (std::vector<std::string>{"F one"}));
  print("o\nthree");
  in_ = Fd();
  finish_stream(*log_, stream_);
  close_log(*log_);
  EXPECT_EQ(texts(), (std::vector<std::string>{"F one", "F two", "F three"}));
}

TEST_F(LogTest, AnyWayOfWritingGivesTheSameLines) {
  open(64U << 20U, Overflow::Discard);
  Rng rng(3);
  std::string whole;
  while (whole.size() < 300'000) {
    std::string part(rng.below(rng.chance(0.1) ? 40'000 : 60), 'x');
    for (char& c : part)
      if (rng.below(200) == 0) c = '\n';
    whole += part;
    print(part);
  }
  in_ = Fd();
  finish_stream(*log_, stream_);
  close_log(*log_);
  std::string joined;
  for (const std::string& line : texts()) joined += line.substr(2) + (line[0] == 'P' ? "" : "\n");
  if (whole.back() != '\n') whole += '\n';
  EXPECT_EQ(joined, whole);
}

TEST_F(LogTest, AServersLogRotatesOnce) {
  open(1000, Overflow::Rotate);
  for (int i = 0; i < 100; ++i) print("line " + std::to_string(i) + "\n");
  close_log(*log_);
  const auto now = texts();
  const auto before = texts("log.1");
  ASSERT_FALSE(now.empty());
  ASSERT_FALSE(before.empty());
  EXPECT_EQ(now.back(), "F line 99");
  EXPECT_EQ(before.back(), "F line " + std::to_string(99 - now.size()));
  EXPECT_LE(std::filesystem::file_size(folder_.path() / "log"), 1000U);
  EXPECT_LE(std::filesystem::file_size(folder_.path() / "log.1"), 1000U);
}

TEST_F(LogTest, WhatAFullDiskCutIsCountedAndTheNextLineIsWhole) {
  open(1U << 20U, Overflow::Discard);
  print("whole\n");
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{60, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  print("this one does not fit\n");
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  print("after\n");
  close_log(*log_);
  const auto lines = texts();
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[0], "F whole");
  EXPECT_EQ(lines[2], "F after");
  EXPECT_NE(lines[3].find("bytes of output were discarded"), std::string::npos);
}

}  // namespace
}  // namespace slipway::exec::shim
