#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "slipway/kube/client.h"
#include "support/files.h"

namespace slipway::kube {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(SLIPWAY_SOURCE_DIR) / "tests/kube";

// tls_server.py, which ends with the pipe to its stdin.
class TlsServer {
 public:
  TlsServer() {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    SLIPWAY_ASSERT(::pipe2(in.data(), O_CLOEXEC) == 0 && ::pipe2(out.data(), O_CLOEXEC) == 0);
    const std::string script = (kFolder / "tls_server.py").string();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(in[0], 0);
      ::dup2(out[1], 1);
      ::execlp("python3", "python3", script.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    input_ = in[1];
    std::string text;
    for (char c = 0; ::read(out[0], &c, 1) == 1 && c != '\n';) text += c;
    ::close(out[0]);
    port_ = std::atoi(text.c_str());
  }
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;
  ~TlsServer() {
    ::close(input_);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] std::string url() const { return "https://127.0.0.1:" + std::to_string(port_); }

 private:
  pid_t pid_ = -1;
  int input_ = -1;
  int port_ = 0;
};

class TlsTest : public testing::Test {
 protected:
  TlsTest() {
    config_.cluster.server = server_.url();
    config_.cluster.ca.file = kFolder / "fixtures/ca.crt";
    config_.user.login = Login::Certificate;
    config_.user.certificate.file = kFolder / "fixtures/client.crt";
    config_.user.key.file = kFolder / "fixtures/client.key";
  }
  // What the server saw as our name, or the failure.
  std::string ask() {
    auto client = Client::create(config_, {.retry = {.transient_max = 0}}, {.clock = clock_}, Logger());
    if (!client) return client.error().message;
    const Answer answer = (*client)->call_and_wait(get_call({kPods, "a", "p"}));
    if (answer) return answer.object.get_string("client");
    return std::string(kFailureKinds.text(answer.failure->kind));
  }

  SystemClock clock_;
  TlsServer server_;
  ClientConfig config_;
};

TEST_F(TlsTest, TrustsTheAuthorityOfTheConfigAndShowsOurCertificate) { EXPECT_EQ(ask(), "client"); }

TEST_F(TlsTest, TakesThePemFromTheConfigItself) {
  config_.cluster.ca = {Secret(test::slurp(kFolder / "fixtures/ca.crt")), {}};
  config_.user.certificate = {Secret(test::slurp(kFolder / "fixtures/client.crt")), {}};
  config_.user.key = {Secret(test::slurp(kFolder / "fixtures/client.key")), {}};
  EXPECT_EQ(ask(), "client");
}

TEST_F(TlsTest, TrustsNobodyElse) {
  config_.cluster.ca.file = kFolder / "fixtures/other.crt";
  EXPECT_EQ(ask(), "misconfigured");
  config_.cluster.ca = {};  // the system's roots
  EXPECT_EQ(ask(), "misconfigured");
}

TEST_F(TlsTest, VerifiesTheNameItIsTold) {
  config_.cluster.tls_server_name = "kubernetes.default";
  EXPECT_EQ(ask(), "client");
  config_.cluster.tls_server_name = "far.example";
  EXPECT_EQ(ask(), "misconfigured");
}

TEST_F(TlsTest, VerifiesNothingWhereTold) {
  config_.cluster.ca = {};
  config_.cluster.insecure_skip_tls_verify = true;
  config_.cluster.tls_server_name = "far.example";
  EXPECT_EQ(ask(), "client");
}

TEST_F(TlsTest, AWrongKeyIsTheConfigsFault) {
  config_.user.key.file = kFolder / "fixtures/server.key";
  EXPECT_EQ(ask(), "misconfigured");
}

TEST_F(TlsTest, AnAuthorityThatIsMissingIsAnErrorAtOnce) {
  config_.cluster.ca.file = kFolder / "fixtures/absent.crt";
  EXPECT_NE(ask().find("certificate-authority: "), std::string::npos);
}

}  // namespace
}  // namespace slipway::kube
