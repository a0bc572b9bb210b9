#include <yaml-cpp/anchor.h>
#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <sstream>
#include <unordered_map>
#include <unordered_set>

#include "slipway/text/node.h"
#include "text/places.h"
#include "text/scalar.h"
#include "text/syntax_error.h"

namespace slipway::text {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// Ends the reading from within yaml-cpp; caught in parse_yaml.
struct Refused {
  std::string code;
  SourceSpan span;
  std::string message, help;
};

// A collection that is still being read.
struct Frame {
  Node node;
  Range range;
  bool flow = false;
  YAML::anchor_t anchor = YAML::NullAnchor;
  bool has_key = false;  // of a map: the next value belongs to `key`
  std::string key;
  SourceSpan key_span;
  std::unordered_map<std::string, int> lines;  // of a map: where each key was first written
};

// Builds the tree from yaml-cpp's events.
class Builder final : public YAML::EventHandler {
 public:
  Builder(const Places& places, std::size_t base, const YamlLimits& limits, Diagnostics& diagnostics)
      : places_(places), base_(base), limits_(limits), diagnostics_(diagnostics) {}

  [[nodiscard]] Node take() { return std::move(root_); }
  [[nodiscard]] ParserState state(const YAML::Mark& mark) const {
    ParserState state{offset(mark), read_until_, std::nullopt};
    for (const Frame& frame : frames_)
      if (frame.flow) state.opened = frame.range.begin;
    return state;
  }
  [[nodiscard]] std::size_t offset(const YAML::Mark& mark) const {
    return mark.pos < 0 ? places_.text().size() : base_ + static_cast<std::size_t>(mark.pos);
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 1) return;
    const std::size_t at = offset(mark);
    if (places_.text().substr(at, 3) != "---")
      throw Refused{"yaml-syntax", places_.span({at, at + 1}), "the document ends before this text",
                    "remove it, or indent it below the key that it belongs to"};
    throw Refused{"yaml-feature", places_.span({at, at + 3}), "a second document begins here",
                  "one file holds one document: move this one to a file of its own"};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const std::size_t at = offset(mark);
    const ScalarPlace written = place_scalar(places_.text(), at, "null", true);
    std::string_view text = places_.text().substr(written.whole.begin);
    text = text.substr(0, std::min(text.find_first_of(" \t\r\n,]}#:"), text.size()));
    Node node;
    node.scalar = std::string(text);
    resolve_plain(node);
    Range range{written.whole.begin, written.whole.begin + text.size()};
    if (node.kind != NodeKind::Null || text.empty()) {
      node = Node{};
      const std::size_t nowhere = empty_place(at);
      range = {nowhere, nowhere};
    }
    node.scalar.clear();
    node.span = node.content = places_.span(range);
    add(std::move(node), anchor, range);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const std::size_t at = offset(mark);
    const std::size_t end = std::min(places_.text().find_first_of(" \t\r\n,]}", at), places_.text().size());
    const auto known = anchored_.find(anchor);
    if (known == anchored_.end())
      throw Refused{"yaml-syntax", places_.span({at, end}), "this alias stands inside its own anchor",
                    "a value cannot contain itself: write it out"};
    count(known->second.nodes, places_.span({at, end}));
    refuse_deeper(static_cast<int>(frames_.size()) + known->second.depth, places_.span({at, end}));
    attach(known->second.node, {at, end});
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const bool plain = tag == "?";
    const bool text = tag == "!" || tag == "tag:yaml.org,2002:str";
    if (!plain && !text) refuse_tag(offset(mark));
    const bool looks_plain = plain || (tag != "!" && !quoted_at(offset(mark)));
    const ScalarPlace place = place_scalar(places_.text(), offset(mark), value, looks_plain);
    const std::size_t first = place.whole.begin;
    if (!looks_plain && place.whole.end == places_.text().size() && is_open_quote(place.whole)) {
      const Diagnostic open = unclosed_quote(first, places_);
      throw Refused{open.code, open.span, open.message, open.help};
    }
    Node node;
    node.kind = NodeKind::Text;
    node.scalar = value;
    node.span = places_.span(place.whole);
    node.content = places_.span({place.content, place.whole.end});
    const bool literal = places_.text().substr(place.whole.begin).starts_with('|');
    node.by_lines = literal || node.span.line == node.span.end_line;
    if (place.indent > 0) node.content.column = static_cast<int>(place.indent) + 1;
    if (plain) resolve_plain(node);
    add(std::move(node), anchor, place.whole);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    open(NodeKind::List, mark, tag, anchor, style);
  }
  void OnSequenceEnd() override { close(']'); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    open(NodeKind::Map, mark, tag, anchor, style);
  }
  void OnMapEnd() override { close('}'); }

 private:
  struct Anchored {
    Node node;
    int nodes = 0;  // how many values an alias adds
    int depth = 0;  // how many levels
  };

  [[noreturn]] void refuse_tag(std::size_t at) const {
    const std::size_t end = std::min(places_.text().find_first_of(" \t\r\n,]}", at), places_.text().size());
    throw Refused{"yaml-feature", places_.span({at, end}), "tags other than !!str are not read",
                  "write the value without it"};
  }

  [[nodiscard]] bool quoted_at(std::size_t at) const {
    const auto place = place_scalar(places_.text(), at, "", true).whole.begin;
    return place < places_.text().size() &&
           std::string_view("\"'|>").find(places_.text()[place]) != std::string_view::npos;
  }

  // A quoted scalar that ends with the file is closed only if it is closed without its last byte being read as content.
  [[nodiscard]] bool is_open_quote(Range range) const {
    const std::string_view text = places_.text().substr(range.begin, range.end - range.begin);
    if (text.empty() || (text.front() != '"' && text.front() != '\'')) return false;
    return !is_closed_quote(text);
  }

  // yaml-cpp places a value that is not written at the token after it; it belongs behind its key or dash.
  [[nodiscard]] std::size_t empty_place(std::size_t next) const {
    const std::string_view text = places_.text();
    if (frames_.empty()) return std::min(next, text.size());
    const std::size_t found =
        text.find_last_of(frames_.back().node.kind == NodeKind::Map ? ':' : '-', next == 0 ? 0 : next - 1);
    return found == std::string_view::npos || found < read_until_ ? read_until_ : found + 1;
  }

  void count(int nodes, const SourceSpan& span) {
    nodes_ += nodes;
    if (nodes_ > limits_.nodes_max)
      throw Refused{"yaml-limit", span, "the file has more than " + std::to_string(limits_.nodes_max) + " values",
                    "split it; what an alias stands for counts each time"};
  }

  void open(NodeKind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YAML::EmitterStyle::value style) {
    const std::size_t at = offset(mark);
    if (tag != "?" && tag != "!" && !tag.empty() && tag != "tag:yaml.org,2002:map" && tag != "tag:yaml.org,2002:seq")
      refuse_tag(at);
    const auto span = places_.span({at, at + 1});
    refuse_as_key(span);
    refuse_deeper(static_cast<int>(frames_.size()) + 1, span);
    count(1, span);
    Frame& frame = frames_.emplace_back();
    frame.node.kind = kind;
    frame.flow = style == YAML::EmitterStyle::Flow;
    frame.anchor = anchor;
    frame.range = {at, at + (frame.flow ? 1U : 0U)};
  }

  void close(char closer) {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    if (frame.flow) frame.range.end = behind_closer(places_.text(), frame.range.end, closer);
    frame.node.span = places_.span(frame.range);
    frame.node.content = frame.node.span;
    remember(frame.node, frame.anchor);
    attach(std::move(frame.node), frame.range);
  }

  void add(Node node, YAML::anchor_t anchor, Range range) {
    const bool is_key = !frames_.empty() && frames_.back().node.kind == NodeKind::Map && !frames_.back().has_key;
    if (is_key) {
      take_key(frames_.back(), node, range);
      return;
    }
    count(1, node.span);
    remember(node, anchor);
    attach(std::move(node), range);
  }

  void refuse_as_key(const SourceSpan& span) const {
    if (frames_.empty() || frames_.back().node.kind != NodeKind::Map || frames_.back().has_key) return;
    throw Refused{"yaml-syntax", span, "a key must be plain or quoted text",
                  "text that begins with `{` or `[` needs quotes; an expression is written \"${{ … }}\""};
  }

  void take_key(Frame& frame, const Node& node, Range range) {
    if (node.kind == NodeKind::Null && node.scalar.empty() && range.begin == range.end) refuse_as_key(node.span);
    const std::string key = node.kind == NodeKind::Null
                                ? std::string(places_.text().substr(range.begin, range.end - range.begin))
                                : node.scalar;
    if (key == "<<")
      throw Refused{"yaml-feature", node.span, "merge keys (`<<`) belong to YAML 1.1",
                    "write the keys out, or use `defaults:`"};
    const auto [first, inserted] = frame.lines.emplace(key, node.span.line);
    if (!inserted)
      diagnostics_.error("duplicate-key", node.span, "the key `" + key + "` stands twice in this map",
                         "remove one; the first is on line " + std::to_string(first->second));
    frame.has_key = true;
    frame.key = key;
    frame.key_span = node.span;
    frame.range.end = std::max(frame.range.end, range.end);
    read_until_ = std::max(read_until_, range.end);
  }

  void remember(const Node& node, YAML::anchor_t anchor) {
    if (anchor == YAML::NullAnchor) return;
    if (static_cast<int>(anchored_.size()) >= limits_.anchors_max)
      throw Refused{"yaml-limit", node.span,
                    "the file has more than " + std::to_string(limits_.anchors_max) + " anchors",
                    "write the values out, or use `defaults:`"};
    anchored_[anchor] = {node, size_of(node), depth_of(node)};
  }

  static int size_of(const Node& node) {
    int nodes = 1;
    for (const Node& item : node.items) nodes += size_of(item);
    for (const Entry& entry : node.entries) nodes += size_of(entry.value);
    return nodes;
  }

  static int depth_of(const Node& node) {
    int below = 0;
    for (const Node& item : node.items) below = std::max(below, depth_of(item));
    for (const Entry& entry : node.entries) below = std::max(below, depth_of(entry.value));
    return below + (node.is_scalar() ? 0 : 1);
  }

  void refuse_deeper(int levels, const SourceSpan& span) const {
    if (levels > limits_.depth_max)
      throw Refused{"yaml-limit", span, "nested deeper than " + std::to_string(limits_.depth_max) + " levels",
                    "flatten it"};
  }

  // Puts a finished value where it belongs.
  void attach(Node node, Range range) {
    read_until_ = std::max(read_until_, range.end);
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = frames_.back();
    frame.range.end = std::max(frame.range.end, range.end);
    if (frame.node.kind == NodeKind::List) {
      frame.node.items.push_back(std::move(node));
      return;
    }
    if (!frame.has_key) refuse_as_key(node.span);
    frame.has_key = false;
    // Of a key that stands twice the first value stays, so that later checks see one consistent map.
    if (frame.node.entries.size() + 1 == frame.lines.size())
      frame.node.entries.push_back({std::move(frame.key), frame.key_span, std::move(node)});
  }

  const Places& places_;
  std::size_t base_;
  const YamlLimits& limits_;
  Diagnostics& diagnostics_;
  Node root_;
  std::vector<Frame> frames_;
  std::unordered_map<YAML::anchor_t, Anchored> anchored_;
  std::size_t read_until_ = 0;
  int nodes_ = 0;
  int documents_ = 0;
};

void read(const Places& places, std::size_t base, const YamlLimits& limits, ParseResult<Node>& result) {
  Builder builder(places, base, limits, result.diagnostics);
  try {
    std::istringstream stream{std::string(places.text().substr(base))};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
    result.value = builder.take();
  } catch (const Refused& refused) {
    result.diagnostics.error(refused.code, refused.span, refused.message, refused.help);
  } catch (const YAML::DeepRecursion& deep) {
    const std::size_t at = builder.offset(deep.mark);
    result.diagnostics.error("yaml-limit", places.span({at, at + 1}),
                             "nested deeper than " + std::to_string(limits.depth_max) + " levels", "flatten it");
  } catch (const YAML::Exception& error) {
    const auto problem = explain_syntax_error(error.msg, builder.state(error.mark), places);
    result.diagnostics.error(problem.code, problem.span, problem.message, problem.help);
  }
}

}  // namespace

ParseResult<Node> parse_yaml(const SourceText& source, const YamlLimits& limits) {
  ParseResult<Node> result;
  if (source.text.size() > limits.bytes_max) {
    result.diagnostics.error("yaml-limit", {}, "the file has " + std::to_string(source.text.size()) + " bytes",
                             "at most " + std::to_string(limits.bytes_max) + " are read: split it");
    return result;
  }
  const Places places(source.text);
  check_encoding(places, result.diagnostics);
  if (result.diagnostics.has_errors()) return result;
  const bool marked = std::string_view(source.text).starts_with(kByteOrderMark);
  read(places, marked ? kByteOrderMark.size() : 0, limits, result);
  result.diagnostics.sort();
  if (result.diagnostics.has_errors()) result.value.reset();
  return result;
}

}  // namespace slipway::text
