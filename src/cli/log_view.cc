#include "cli/log_view.h"

#include <ostream>

#include "cli/exit_code.h"
#include "cli/print.h"
#include "cli/signals.h"
#include "cli/terminal_text.h"

namespace slipway::cli {
namespace {

void print_lines(Session& session, const Value& chunk, const LogView& view) {
  for (const Value& line : list_of(chunk, "lines")) {
    if (session.format() == Format::Json || session.format() == Format::Jsonl) {
      session.out << line.dump() << "\n";
      continue;
    }
    const Value* partial = line.find("partial");
    const std::string text = line.get_string("text");
    session.out << view.prefix << (view.timestamps ? line.get_string("time") + " " : "")
                << (session.out_is_terminal ? for_terminal(text) : text);
    if (partial == nullptr || !partial->is_bool() || !partial->as_bool()) session.out << "\n";
  }
  session.out.flush();
}

}  // namespace

int show_log(Session& session, const std::function<std::string(std::int64_t)>& path_at, const LogView& view) {
  const SignalWaiter signals;
  std::int64_t offset = 0;
  for (;;) {
    const auto chunk = session.call("GET", path_at(offset));
    if (!chunk) return session.fail(chunk.error());
    print_lines(session, *chunk, view);
    const auto next = chunk->get_int("next", offset);
    const bool more = next != offset;
    offset = next;
    const Value* over = chunk->find("over");
    const bool ended = over == nullptr || !over->is_bool() || over->as_bool();
    if (!more && (ended || !view.follow)) return kOk;
    if (!more && signals.wait(std::chrono::milliseconds(200))) return kInterrupted;
  }
}

}  // namespace slipway::cli
