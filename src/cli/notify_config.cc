#include "cli/notify_config.h"

#include <algorithm>
#include <array>

namespace slipway::cli {
namespace {

using text::Entry;
using text::Node;
using text::NodeKind;

struct Kind {
  std::string_view word;
  std::string_view schemes;  // that its URL may begin with
};
constexpr std::array<Kind, 4> kKinds{{{"webhook", "http:// https://"},
                                      {"slack", "http:// https://"},
                                      {"teams", "http:// https://"},
                                      {"mail", "smtp:// smtps://"}}};
constexpr std::array<std::string_view, 4> kOther{"secret", "username", "from", "to"};

std::vector<std::string> known_words() {
  std::vector<std::string> words;
  for (const Kind& kind : kKinds) words.emplace_back(kind.word);
  words.insert(words.end(), kOther.begin(), kOther.end());
  return words;
}

const Kind* kind_of(std::string_view word) {
  const auto* found = std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& kind) { return kind.word == word; });
  return found == kKinds.end() ? nullptr : found;
}

bool has_scheme(const std::string& url, std::string_view schemes) {
  const auto end = url.find("://");
  return end != std::string::npos && schemes.find(url.substr(0, end + 3)) != std::string_view::npos;
}

class TargetReader {
 public:
  explicit TargetReader(Diagnostics& out) : out_(out) {}

  void read(const Entry& entry, NotifyTarget& target) {
    for (const Entry& member : entry.value.entries) read_member(member, target);
    if (target.kind.empty())
      return out_.error("missing-field", entry.key_span, "target `" + entry.key + "` says not where to",
                        "write one of webhook, slack, teams or mail with its address");
    if (target.kind == "mail" && (target.from.empty() || target.to.empty()))
      out_.error("missing-field", entry.key_span, "target `" + entry.key + "` needs `from` and `to`",
                 "write from: slipway@example.org, to: [ops@example.org]");
  }

 private:
  void read_member(const Entry& member, NotifyTarget& target) {
    const Kind* kind = kind_of(member.key);
    if (kind != nullptr) return read_address(member, *kind, target);
    if (member.key == "to") return read_to(member.value, target);
    std::string* field = member.key == "secret"     ? &target.secret
                         : member.key == "username" ? &target.username
                         : member.key == "from"     ? &target.from
                                                    : nullptr;
    if (field == nullptr) {
      const auto near = nearest(member.key, known_words());
      return out_.error("unknown-key", member.key_span, "`" + member.key + "` is no field of a target",
                        near ? "did you mean `" + *near + "`?"
                             : "it takes webhook, slack, teams or mail, secret, "
                               "username, from, to");
    }
    if (!member.value.is_scalar())
      return out_.error("wrong-type", member.value.span, "`" + member.key + "` takes one value", "");
    *field = member.value.scalar;
  }

  void read_address(const Entry& member, const Kind& kind, NotifyTarget& target) {
    if (!target.kind.empty())
      return out_.error("several-kinds", member.key_span,
                        "a target is one of webhook, slack, teams and mail; this is " + target.kind + " already",
                        "make it a target of its own");
    target.kind = kind.word;
    target.url = member.value.is_scalar() ? member.value.scalar : "";
    if (!has_scheme(target.url, kind.schemes))
      out_.error("bad-value", member.value.span, "`" + member.key + "` takes an address",
                 "it begins with one of: " + std::string(kind.schemes));
  }

  void read_to(const Node& node, NotifyTarget& target) {
    if (node.is_scalar()) target.to = {node.scalar};
    for (const Node& item : node.items) target.to.push_back(item.scalar);
    for (const std::string& address : target.to)
      if (address.find('@') == std::string::npos)
        out_.error("bad-value", node.span, "`" + address + "` is no mail address", "write name@host");
  }

  Diagnostics& out_;
};

}  // namespace

void read_notify_targets(const Node& node, const std::string& path,
                         std::map<std::string, NotifyTarget, std::less<>>& targets, Diagnostics& diagnostics) {
  if (node.kind != NodeKind::Map)
    return diagnostics.error("wrong-type", node.span, "`notify` is a map of targets by name",
                             "write ops: {slack: \"https://…\"}");
  TargetReader reader(diagnostics);
  for (const Entry& entry : node.entries) {
    if (entry.value.kind != NodeKind::Map) {
      diagnostics.error("wrong-type", entry.value.span, "target `" + entry.key + "` is no map",
                        "write " + entry.key + ": {webhook: \"https://…\"}");
      continue;
    }
    NotifyTarget target;
    target.name = entry.key;
    target.origin = path + ":" + std::to_string(entry.key_span.line);
    reader.read(entry, target);
    targets.emplace(entry.key, std::move(target));
  }
}

}  // namespace slipway::cli
