#include "slipway/http/mail.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "slipway/base/base64.h"

namespace slipway::http {
namespace {

Mail example() {
  Mail mail;
  mail.from = "slipway@example.org";
  mail.to = {"ops@example.org", "ml@example.org"};
  mail.subject = "run failed";
  mail.text = "line one\n.\nline three: ünïcode\n";
  mail.message_id = "1@example.org";
  mail.date = from_micros(1'730'442'600'000'000);
  return mail;
}

// One conversation of SMTP on a free port; remembers what the client said.
class SmtpServer {
 public:
  explicit SmtpServer(std::string reply_to_rcpt = "250 OK") : reply_to_rcpt_(std::move(reply_to_rcpt)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~SmtpServer() {
    if (thread_.joinable()) thread_.join();
    ::close(listener_);
  }
  [[nodiscard]] std::string url() const { return "smtp://127.0.0.1:" + std::to_string(port_); }
  // After the client is gone.
  const std::string& heard() {
    thread_.join();
    return heard_;
  }

 private:
  void serve() {
    const int client = ::accept(listener_, nullptr, nullptr);
    const auto say = [&](const std::string& line) {
      const std::string out = line + "\r\n";
      (void)!::write(client, out.data(), out.size());
    };
    say("220 test");
    bool in_data = false;
    for (std::string pending;;) {
      char buffer[4096];
      const ssize_t got = ::read(client, buffer, sizeof buffer);
      if (got <= 0) break;
      pending.append(buffer, static_cast<std::size_t>(got));
      for (std::size_t end = 0; (end = pending.find("\r\n")) != std::string::npos; pending.erase(0, end + 2)) {
        const std::string line = pending.substr(0, end);
        heard_ += line + "\n";
        if (in_data && line != ".") continue;
        if (line == "DATA")
          say("354 go on");
        else if (line.starts_with("RCPT"))
          say(reply_to_rcpt_);
        else if (line == "QUIT")
          say("221 bye");
        else
          say("250 OK");
        in_data = line == "DATA";
      }
    }
    ::close(client);
  }

  const std::string reply_to_rcpt_;
  int listener_ = -1;
  int port_ = 0;
  std::string heard_;
  std::thread thread_;
};

TEST(FormatMail, HasTheHeadersAndTheTextAsBase64) {
  const std::string text = format_mail(example());
  EXPECT_EQ(text.substr(0, text.find("\r\n\r\n")),
            "Date: Fri, 01 Nov 2024 06:30:00 +0000\r\n"
            "From: slipway@example.org\r\n"
            "To: ops@example.org, ml@example.org\r\n"
            "Subject: run failed\r\n"
            "Message-ID: <1@example.org>\r\n"
            "Auto-Submitted: auto-generated\r\n"
            "MIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: base64");
  std::string body = text.substr(text.find("\r\n\r\n") + 4);
  body.erase(std::remove_if(body.begin(), body.end(), [](char c) { return c == '\r' || c == '\n'; }), body.end());
  EXPECT_EQ(from_base64(body), example().text);
}

TEST(FormatMail, LinesAreShortAndSubjectsOfAnyAlphabetAreEncoded) {
  Mail mail = example();
  mail.subject = "Lauf fehlgeschlagen: größer\r\nBcc: x@example.org";
  for (int i = 0; i < 60; ++i) mail.subject += "ß";
  mail.text = std::string(5000, 'x');
  const std::string text = format_mail(mail);
  EXPECT_EQ(text.find("\nBcc:"), std::string::npos);
  EXPECT_NE(text.find("Subject: =?UTF-8?B?"), std::string::npos);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find("\r\n", at);
    ASSERT_NE(end, std::string::npos);
    EXPECT_LE(end - at, 90U);
    at = end + 2;
  }
}

TEST(CurlMailer, SendsOverSmtp) {
  SmtpServer server;
  Mail mail = example();
  mail.url = server.url();
  const auto sent = make_curl_mailer()->send(mail);
  ASSERT_TRUE(sent) << sent.error().message;
  const std::string& heard = server.heard();
  EXPECT_NE(heard.find("MAIL FROM:<slipway@example.org>"), std::string::npos) << heard;
  EXPECT_NE(heard.find("RCPT TO:<ops@example.org>"), std::string::npos);
  EXPECT_NE(heard.find("RCPT TO:<ml@example.org>"), std::string::npos);
  EXPECT_NE(heard.find("Subject: run failed"), std::string::npos);
}

TEST(CurlMailer, ARefusalForGoodIsNotWorthAnotherTry) {
  SmtpServer server("550 no such user");
  Mail mail = example();
  mail.url = server.url();
  const auto sent = make_curl_mailer()->send(mail);
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::InvalidArgument) << sent.error().message;
}

TEST(CurlMailer, ARefusalForNowIs) {
  SmtpServer server("451 try later");
  Mail mail = example();
  mail.url = server.url();
  const auto sent = make_curl_mailer()->send(mail);
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::Unavailable) << sent.error().message;
}

TEST(CurlMailer, ALoginIsNotSentInTheClear) {
  SmtpServer server;
  Mail mail = example();
  mail.url = server.url();
  mail.username = "u";
  mail.password = Secret("hunter2");
  const auto sent = make_curl_mailer()->send(mail);
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::Unauthorized) << sent.error().message;
  EXPECT_EQ(server.heard().find("hunter2"), std::string::npos);
}

TEST(CurlMailer, NobodyThereIsUnavailable) {
  Mail mail = example();
  mail.url = "smtp://127.0.0.1:1";
  EXPECT_EQ(make_curl_mailer()->send(mail).error().code, ErrorCode::Unavailable);
  mail.url = "http://127.0.0.1:1";
  EXPECT_EQ(make_curl_mailer()->send(mail).error().code, ErrorCode::InvalidArgument);
}

}  // namespace
}  // namespace slipway::http
