// slipway that can be told to die, by SLIPWAY_FAILPOINT=NAME=HOW[:NTH[:SUBJECT]]: HOW is kill (as by kill -9) or abort,
// NTH the reach at which it happens (default 1), SUBJECT whom it must be about. tests/e2e/failpoints.py walks all of
// them; slipway itself is linked without this file.
#include "slipway/base/failpoint.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace slipway {
namespace {

struct Wish {
  std::string name, how, subject;
  int nth = 1;
};

// The word up to the next `end`, which is taken away.
std::string take(std::string_view& text, char end) {
  const auto at = text.find(end);
  std::string word(text.substr(0, at));
  text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  return word;
}

Wish read_wish() {
  const char* given = std::getenv("SLIPWAY_FAILPOINT");
  std::string_view text = given == nullptr ? "" : given;
  Wish wish;
  wish.name = take(text, '=');
  wish.how = take(text, ':');
  const std::string nth = take(text, ':');
  std::from_chars(nth.data(), nth.data() + nth.size(), wish.nth);
  wish.subject = text;
  const bool known = kFailpoints.parse(wish.name) && (wish.how == "kill" || wish.how == "abort");
  if (given != nullptr && !known) {
    std::fprintf(stderr, "SLIPWAY_FAILPOINT=%s names no failpoint\n", given);
    std::_Exit(2);
  }
  return wish;
}

const Wish& wish() {
  static const Wish kWish = read_wish();
  return kWish;
}

}  // namespace

void reach(Failpoint point, std::string_view subject) {
  static std::atomic<int> reached{0};
  if (kFailpoints.text(point) != wish().name) return;
  if (!wish().subject.empty() && wish().subject != subject) return;
  if (++reached != wish().nth) return;
  if (wish().how == "abort") std::abort();
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();  // it is delivered at once, or very soon
}

}  // namespace slipway
