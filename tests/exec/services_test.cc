#include "slipway/exec/services.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "exec/local_fixture.h"
#include "slipway/base/value.h"

namespace slipway::exec {
namespace {

using run::FailureClass;
using test::eventually;
using test::read_text;

// A socket bound to a port of the kernel's choice.
struct BoundPort {
  Fd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  int port = 0;

  BoundPort() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port = ntohs(address.sin_port);
  }
};

Fd dial(int port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ? std::move(fd) : Fd();
}

// The whole reply, empty if there is none.
std::string request(int port, const std::string& path, const std::string& body = "", bool half_close = false) {
  const Fd fd = dial(port);
  if (!fd) return "";
  const std::string text =
      "POST " + path + " HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t sent = ::send(fd.get(), text.data() + done, text.size() - done, MSG_NOSIGNAL);
    if (sent <= 0) break;
    done += static_cast<std::size_t>(sent);
  }
  if (half_close) ::shutdown(fd.get(), SHUT_WR);
  std::string reply;
  char buffer[65536];
  for (ssize_t got = 0; (got = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0;)
    reply.append(buffer, static_cast<std::size_t>(got));
  return reply;
}

std::string body_of(const std::string& reply) {
  const auto at = reply.find("\r\n\r\n");
  return at == std::string::npos ? "" : reply.substr(at + 4);
}

class ServicesTest : public test::LocalFixture {
 protected:
  ServicesTest() {
    const BoundPort free;
    port_ = free.port;
  }
  LaunchSpec deploy(const std::string& version, const std::string& mode, int number) const {
    LaunchSpec spec = shell("", number);
    spec.argv = {SLIPWAY_TEST_SERVER, version, mode};
    spec.service = ServiceSpec{ServiceId("sentiment"), DagId("mlops"), port_, "/health", {}, std::chrono::seconds(30)};
    return spec;
  }
  Exited deployed(LaunchSpec spec) {
    const auto exited = run(std::move(spec));
    EXPECT_TRUE(exited);
    return exited.value_or(Exited{});
  }
  std::string answer() const { return body_of(request(port_, "/")); }
  std::vector<ServiceStatus> services() const { return list_services(home_.path()); }

  int port_ = 0;
};

TEST_F(ServicesTest, DeploysBehindTheFrontPort) {
  start();
  const Exited exited = deployed(deploy("v1", "ok", 1));
  EXPECT_EQ(exited.exit_code, 0) << exited.message;
  const std::string url = "http://127.0.0.1:" + std::to_string(port_);
  EXPECT_EQ(exited.output, Value(Value::Object{{"revision", id().str()}, {"url", url}}).dump());
  EXPECT_EQ(answer(), "v1 ");
  ASSERT_EQ(services().size(), 1U);
  const ServiceStatus status = services()[0];
  EXPECT_EQ(status.name, ServiceId("sentiment"));
  EXPECT_EQ(status.dag, DagId("mlops"));
  EXPECT_EQ(status.revision, id().str());
  EXPECT_EQ(status.url, url);
  EXPECT_TRUE(status.front_up);
  EXPECT_TRUE(status.revision_up);
  ASSERT_TRUE(status.since);
  ASSERT_FALSE(read_log(status.log, 0, 1000).lines.empty());
  EXPECT_EQ(read_log(status.log, 0, 1000).lines[0].text, "version v1 starts");
  EXPECT_NE(output().find("slipway: " + url + " serves revision " + id().str()), std::string::npos) << output();
}

TEST_F(ServicesTest, SwitchesWithoutLosingARequest) {
  start();
  deployed(deploy("v1", "ok", 1));
  const pid_t old = lock_holder(services().at(0).log.parent_path() / "lock");
  std::atomic<bool> done{false};
  int answered = 0;
  int failed = 0;
  std::thread caller([&] {
    while (!done) {
      const std::string body = answer();
      (body == "v1 " || body == "v2 " ? answered : failed) += 1;
    }
  });
  const Exited exited = deployed(deploy("v2", "ok", 2));
  EXPECT_EQ(exited.exit_code, 0) << exited.message;
  done = true;
  caller.join();
  EXPECT_GT(answered, 0);
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(answer(), "v2 ");
  EXPECT_EQ(services().at(0).revision, id(2).str());
  EXPECT_TRUE(eventually([&] { return !is_alive(old); }));
}

TEST_F(ServicesTest, OldRevisionsAreRemovedButTheLast) {
  start();
  for (int n = 1; n <= 3; ++n) {
    ASSERT_EQ(deployed(deploy("v" + std::to_string(n), "ok", n)).exit_code, 0);
    // The one before has surely ended when the next deploy looks.
    const auto folder = home_.path() / "services/sentiment";
    EXPECT_TRUE(eventually(
        [&] { return n == 1 || lock_holder(folder / (kRun + ".task." + std::to_string(n - 1)) / "lock") == 0; }));
  }
  EXPECT_FALSE(exists(home_.path() / ("services/sentiment/" + kRun + ".task.1")));
  EXPECT_TRUE(exists(home_.path() / ("services/sentiment/" + kRun + ".task.2")));
}

TEST_F(ServicesTest, ASickRevisionLeavesTheOldOneLive) {
  start();
  deployed(deploy("v1", "ok", 1));
  LaunchSpec sick = deploy("v2", "sick", 2);
  sick.service->rollout_timeout = std::chrono::milliseconds(300);
  const Exited exited = deployed(sick);
  EXPECT_EQ(exited.exit_code, 1);
  EXPECT_EQ(exited.failure, FailureClass::User);
  EXPECT_EQ(exited.message,
            "the new revision was not healthy within 0.3 s: GET /health answered 503 not yet; its last output:\n"
            "version v2 starts");
  EXPECT_EQ(answer(), "v1 ");
  EXPECT_EQ(services().at(0).revision, id(1).str());
  EXPECT_TRUE(
      eventually([&] { return lock_holder(home_.path() / ("services/sentiment/" + kRun + ".task.2/lock")) == 0; }));
}

TEST_F(ServicesTest, ARevisionThatEndsFailsAtOnce) {
  start();
  const Exited exited = deployed(deploy("v1", "broken", 1));
  EXPECT_EQ(exited.exit_code, 1);
  EXPECT_EQ(exited.failure, FailureClass::User);
  EXPECT_EQ(exited.message.find("the new revision ended with exit code 9 before it was live; its last output:\n"), 0U)
      << exited.message;
  EXPECT_NE(exited.message.find("cannot load the model"), std::string::npos);
  EXPECT_TRUE(services().empty());
  EXPECT_FALSE(dial(port_));
}

TEST_F(ServicesTest, AMissingProgramIsAMatterOfConfiguration) {
  start();
  LaunchSpec spec = deploy("v1", "ok", 1);
  spec.argv = {"no-such-server"};
  const Exited exited = deployed(spec);
  EXPECT_EQ(exited.failure, FailureClass::Config);
  EXPECT_EQ(exited.message, "program `no-such-server` not found in PATH (/usr/local/bin:/usr/bin:/bin)");
}

TEST_F(ServicesTest, AStrangerOnTheFrontPortIsNamed) {
  const BoundPort stranger;
  port_ = stranger.port;
  start();
  const Exited exited = deployed(deploy("v1", "ok", 1));
  EXPECT_EQ(exited.exit_code, 1);
  EXPECT_EQ(exited.failure, FailureClass::Config);
  EXPECT_EQ(exited.message, "port " + std::to_string(port_) +
                                " of service `sentiment` cannot be used: Address already in use by another program; "
                                "end it or choose another `port`");
  EXPECT_FALSE(exists(home_.path() / ("services/sentiment/" + kRun + ".task.1")));
}

TEST_F(ServicesTest, TheSmokeRequestDecides) {
  start();
  LaunchSpec good = deploy("v1", "ok", 1);
  good.service->smoke = ServiceSpec::Smoke{true, "/generate", R"({"prompt":"a good film"})", "v1 {\"prompt\""};
  EXPECT_EQ(deployed(good).exit_code, 0);
  LaunchSpec bad = deploy("v2", "ok", 2);
  bad.service->smoke = ServiceSpec::Smoke{false, "/generate", "", "POSITIVE"};
  const Exited exited = deployed(bad);
  EXPECT_EQ(exited.exit_code, 1);
  EXPECT_EQ(exited.message.find("the smoke request GET /generate expected a reply with `POSITIVE` and got 200 v2 ;"),
            0U)
      << exited.message;
  EXPECT_EQ(answer(), "v1 ");
}

TEST_F(ServicesTest, StoppingADeployEndsTheNewRevisionOnly) {
  start();
  deployed(deploy("v1", "ok", 1));
  executor_->launch(deploy("v2", "wait", 2));
  const auto lock = home_.path() / ("services/sentiment/" + kRun + ".task.2/lock");
  ASSERT_TRUE(eventually([&] { return lock_holder(lock) > 0; }));
  executor_->stop(id(2), false);
  const auto exited = sink_.wait<Exited>(id(2));
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 143);
  EXPECT_TRUE(eventually([&] { return lock_holder(lock) == 0; }));
  EXPECT_EQ(answer(), "v1 ");
}

TEST_F(ServicesTest, ADeployGoesOnWithoutTheDaemon) {
  start();
  executor_->launch(deploy("v1", "wait", 1));
  const auto launched = sink_.wait<Running>(id());
  ASSERT_TRUE(launched);
  ASSERT_TRUE(
      eventually([&] { return lock_holder(home_.path() / ("services/sentiment/" + kRun + ".task.1/lock")) > 0; }));
  executor_.reset();
  std::ofstream(workspace() / "go") << "1";
  EXPECT_TRUE(eventually([&] { return answer() == "v1 "; }));
  start();
  executor_->adopt({{id(), launched->identity, false, Duration(0), true}});
  const auto exited = sink_.wait<Exited>(id());
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 0);
}

TEST_F(ServicesTest, AServiceOutlivesDaemonAndHelper) {
  start();
  deployed(deploy("v1", "ok", 1));
  executor_.reset();
  ASSERT_TRUE(test::end_holder(home_.path() / shim::kLockName, SIGKILL));
  EXPECT_EQ(answer(), "v1 ");
  start();
  EXPECT_EQ(deployed(deploy("v2", "ok", 2)).exit_code, 0);
  EXPECT_EQ(answer(), "v2 ");
}

TEST_F(ServicesTest, AKilledDeployTakesItsRevisionAlong) {
  start();
  deployed(deploy("v1", "ok", 1));
  executor_->launch(deploy("v2", "wait", 2));
  const auto lock = home_.path() / ("services/sentiment/" + kRun + ".task.2/lock");
  ASSERT_TRUE(eventually([&] { return lock_holder(lock) > 0; }));
  ASSERT_TRUE(test::end_holder(folder(2) / "lock", SIGKILL));
  const auto lost = sink_.wait<Lost>(id(2));
  ASSERT_TRUE(lost);
  EXPECT_TRUE(lost->end_proved);
  EXPECT_TRUE(eventually([&] { return lock_holder(lock) == 0; }));
  EXPECT_EQ(answer(), "v1 ");
}

TEST_F(ServicesTest, ACrashedServerIsStartedAgain) {
  start();
  deployed(deploy("v1", "ok", 1));
  EXPECT_EQ(request(port_, "/crash"), "");
  // While it is away callers are told so; the kernel may reset those who come in the very instant of its end.
  EXPECT_TRUE(eventually([&] {
    const std::string meanwhile = request(port_, "/");
    return meanwhile.find("503 Service Unavailable") != std::string::npos || body_of(meanwhile) == "v1 ";
  }));
  EXPECT_TRUE(eventually([&] { return answer() == "v1 "; }));
  EXPECT_NE(read_text(services().at(0).log).find("the server ended with exit code 3, next start in 1 s"),
            std::string::npos);
}

TEST_F(ServicesTest, ADeadFrontIsStartedAgain) {
  start();
  ASSERT_EQ(deployed(deploy("v1", "ok", 1)).exit_code, 0);
  const auto lock = home_.path() / "services" / "sentiment" / ("front." + std::to_string(port_));
  for (int times = 0; times < 2; ++times) {
    const pid_t front = lock_holder(lock);
    ASSERT_GT(front, 0);
    ASSERT_TRUE(test::end_holder(lock, SIGKILL));
    ASSERT_TRUE(eventually([&] { return lock_holder(lock) > 0 && answer() == "v1 "; }));
    EXPECT_NE(lock_holder(lock), front);
  }
  ASSERT_EQ(deployed(deploy("v2", "ok", 2)).exit_code, 0);
  EXPECT_EQ(answer(), "v2 ") << "the new front serves the next revision as well";
  ASSERT_TRUE(stop_service(home_.path(), ServiceId("sentiment"), test::kPatience));
  EXPECT_EQ(lock_holder(lock), 0);
}

TEST_F(ServicesTest, TheFrontCarriesAnyAmountBothWays) {
  start();
  deployed(deploy("v1", "ok", 1));
  const std::string big(5'000'000, 'q');
  EXPECT_EQ(body_of(request(port_, "/", big)), "v1 " + big);
  EXPECT_EQ(body_of(request(port_, "/big/7000000")).size(), 7'000'000U);
  EXPECT_EQ(body_of(request(port_, "/big/3000000", "", true)).size(), 3'000'000U);
  std::vector<Fd> idle;
  for (int i = 0; i < 100; ++i) idle.push_back(dial(port_));
  EXPECT_EQ(answer(), "v1 ");
}

TEST_F(ServicesTest, ANewPortMovesTheFront) {
  start();
  deployed(deploy("v1", "ok", 1));
  const int old_port = port_;
  {
    const BoundPort free;
    port_ = free.port;
  }
  ASSERT_EQ(deployed(deploy("v2", "ok", 2)).exit_code, 0);
  EXPECT_EQ(answer(), "v2 ");
  EXPECT_TRUE(eventually([&] { return !dial(old_port); }));
}

TEST_F(ServicesTest, StopEndsRevisionAndFront) {
  start();
  deployed(deploy("v1", "ok", 1));
  EXPECT_TRUE(stop_service(home_.path(), ServiceId("sentiment"), std::chrono::seconds(30)));
  EXPECT_TRUE(services().empty());
  EXPECT_FALSE(dial(port_));
  EXPECT_EQ(lock_holder(home_.path() / ("services/sentiment/" + kRun + ".task.1/lock")), 0);
  EXPECT_EQ(stop_service(home_.path(), ServiceId("sentiment"), std::chrono::seconds(1)).error().code,
            ErrorCode::NotFound);
  EXPECT_EQ(stop_service(home_.path(), ServiceId("../x"), std::chrono::seconds(1)).error().code, ErrorCode::NotFound);
}

TEST_F(ServicesTest, TheRevisionSeesItsPortAndNotTheFronts) {
  start();
  LaunchSpec spec = deploy("v1", "ok", 1);
  spec.env["PORT"] = std::to_string(port_);
  spec.env["SLIPWAY_PORT"] = "1";
  const std::string server = SLIPWAY_TEST_SERVER;
  spec.argv = {"/bin/sh", "-ec", "echo $PORT $SLIPWAY_PORT >ports; exec " + server + " v1 ok"};
  ASSERT_EQ(deployed(spec).exit_code, 0);
  const std::string ports = read_text(workspace() / "ports");
  const std::string own = ports.substr(0, ports.find(' '));
  EXPECT_EQ(ports, own + " " + own + "\n");
  EXPECT_NE(own, std::to_string(port_));
}

}  // namespace
}  // namespace slipway::exec
