// What each kind of target is sent.
#include <array>
#include <cstdint>

#include "slipway/base/base64.h"
#include "slipway/base/sha256.h"
#include "slipway/notify/notifier.h"

namespace slipway::notify {
namespace {

std::string bytes_of(const std::array<std::uint8_t, 32>& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

// RFC 2104.
std::string hmac_sha256(const std::string& key, const std::string& message) {
  constexpr std::size_t kBlock = 64;
  std::string block = key.size() > kBlock ? bytes_of(sha256(key)) : key;
  block.resize(kBlock, '\0');
  std::string inner = block;
  std::string outer = block;
  for (char& c : inner) c = static_cast<char>(c ^ 0x36);
  for (char& c : outer) c = static_cast<char>(c ^ 0x5c);
  return bytes_of(sha256(outer + bytes_of(sha256(inner + message))));
}

std::string key_bytes(const Secret& key) {
  constexpr std::string_view kPrefix = "whsec_";
  const std::string& text = key.reveal();
  const auto decoded = text.starts_with(kPrefix) ? from_base64(text.substr(kPrefix.size())) : std::nullopt;
  return decoded.value_or(text);
}

// The three characters that Slack reads as markup.
std::string slack_escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  return out;
}

}  // namespace

std::string webhook_body(const run::Notice& notice) {
  return Value(Value::Object{{"id", notice.id},
                             {"type", "slipway.run." + std::string(run::kNoticeKinds.text(notice.kind))},
                             {"timestamp", to_rfc3339(notice.at)},
                             {"data", notice.data}})
      .dump();
}

std::string webhook_signature(const Secret& key, const std::string& id, std::int64_t timestamp,
                              const std::string& body) {
  return "v1," + to_base64(hmac_sha256(key_bytes(key), id + "." + std::to_string(timestamp) + "." + body));
}

std::string slack_body(const run::Notice& notice) {
  std::string text = slack_escaped(headline(notice));
  if (const std::string url = notice.data.get_string("url"); !url.empty()) text += "\n<" + url + ">";
  return Value(Value::Object{{"text", std::move(text)}}).dump();
}

std::string teams_body(const run::Notice& notice) {
  Value::Array body{Value::Object{{"type", "TextBlock"}, {"text", headline(notice)}, {"wrap", true}}};
  Value::Object card{{"type", "AdaptiveCard"},
                     {"$schema", "http://adaptivecards.io/schemas/adaptive-card.json"},
                     {"version", "1.4"},
                     {"body", std::move(body)}};
  if (const std::string url = notice.data.get_string("url"); !url.empty())
    card["actions"] = Value::Array{Value::Object{{"type", "Action.OpenUrl"}, {"title", "Open"}, {"url", url}}};
  Value::Object attachment{{"contentType", "application/vnd.microsoft.card.adaptive"}, {"content", std::move(card)}};
  return Value(Value::Object{{"type", "message"}, {"attachments", Value::Array{std::move(attachment)}}}).dump();
}

}  // namespace slipway::notify
