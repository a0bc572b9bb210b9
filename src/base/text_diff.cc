#include "slipway/base/text_diff.h"

#include <algorithm>
#include <vector>

namespace slipway {
namespace {

constexpr int kChangesMax = 2'000;
constexpr std::size_t kAround = 3;

using Lines = std::vector<std::string_view>;

Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    lines.push_back(line);
  }
  return lines;
}

struct Step {
  char sign;  // ' ', '-' or '+'
  std::string_view line;
};

// The middle part, whose first and last lines differ.
class Script {
 public:
  Script(const Lines& a, const Lines& b, std::size_t head, std::size_t tail)
      : a_(a),
        b_(b),
        head_(static_cast<int>(head)),
        n_(static_cast<int>(a.size() - head - tail)),
        m_(static_cast<int>(b.size() - head - tail)) {}

  std::vector<Step> steps() {
    std::vector<Step> steps;
    if (!search()) {
      for (int i = 0; i < n_; ++i) steps.push_back({'-', old_line(i)});
      for (int i = 0; i < m_; ++i) steps.push_back({'+', new_line(i)});
      return steps;
    }
    int x = n_, y = m_;
    for (int d = static_cast<int>(trace_.size()) - 1; x > 0 || y > 0; --d) {
      const auto& reached = trace_[static_cast<std::size_t>(d)];
      const int k = x - y;
      const bool down = k == -d || (k != d && at(reached, k - 1, d) < at(reached, k + 1, d));
      const int from_k = down ? k + 1 : k - 1;
      const int from_x = d == 0 ? 0 : at(reached, from_k, d);
      const int from_y = d == 0 ? 0 : from_x - from_k;
      while (x > from_x && y > from_y) steps.push_back({' ', old_line((--y, --x))});
      if (d == 0) break;
      steps.push_back(down ? Step{'+', new_line(--y)} : Step{'-', old_line(--x)});
    }
    std::reverse(steps.begin(), steps.end());
    return steps;
  }

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  [[nodiscard]] std::string_view old_line(int i) const { return a_[index(head_ + i)]; }
  [[nodiscard]] std::string_view new_line(int i) const { return b_[index(head_ + i)]; }
  // `reached` holds how far diagonals -d-1 … d+1 came before round d.
  static int at(const std::vector<int>& reached, int k, int d) { return reached[index(k + d + 1)]; }

  // Fills trace_ with what was reached before each round; false if there are too many changes.
  bool search() {
    std::vector<int> reached{0, 0, 0};
    for (int d = 0; d <= std::min(n_ + m_, kChangesMax); ++d) {
      trace_.push_back(reached);
      std::vector<int> next(index(2 * d + 5), 0);
      for (int k = -d; k <= d; k += 2) {
        int x = 0;
        if (d > 0)
          x = k == -d || (k != d && at(reached, k - 1, d) < at(reached, k + 1, d)) ? at(reached, k + 1, d)
                                                                                   : at(reached, k - 1, d) + 1;
        int y = x - k;
        while (x < n_ && y < m_ && old_line(x) == new_line(y)) ++x, ++y;
        next[index(k + d + 2)] = x;
        if (x >= n_ && y >= m_) return true;
      }
      reached = std::move(next);
    }
    return false;
  }

  const Lines& a_;
  const Lines& b_;
  int head_, n_, m_;
  std::vector<std::vector<int>> trace_;
};

std::string range(std::size_t begin, std::size_t count) {
  return std::to_string(count == 0 ? begin : begin + 1) + (count == 1 ? "" : "," + std::to_string(count));
}

// Changes that are at most twice the context apart share a hunk.
std::string hunks(const std::vector<Step>& steps) {
  std::string text;
  std::size_t old_line = 0, new_line = 0, i = 0;
  while (i < steps.size()) {
    std::size_t first = i;
    while (first < steps.size() && steps[first].sign == ' ') ++first;
    if (first == steps.size()) break;
    const std::size_t begin = first - std::min(kAround, first - i);
    std::size_t end = first, quiet = 0;
    for (std::size_t j = first; j < steps.size() && quiet <= 2 * kAround; ++j) {
      quiet = steps[j].sign == ' ' ? quiet + 1 : 0;
      if (quiet == 0) end = j + 1;
    }
    end = std::min(steps.size(), end + kAround);
    old_line += begin - i;
    new_line += begin - i;
    std::string body;
    std::size_t removed = 0, added = 0;
    for (std::size_t j = begin; j < end; ++j) {
      removed += steps[j].sign != '+' ? 1U : 0U;
      added += steps[j].sign != '-' ? 1U : 0U;
      body += steps[j].sign + std::string(steps[j].line) + "\n";
    }
    text += "@@ -" + range(old_line, removed) + " +" + range(new_line, added) + " @@\n" + body;
    old_line += removed;
    new_line += added;
    i = end;
  }
  return text;
}

}  // namespace

std::string unified_diff(std::string_view before, std::string_view after, const DiffNames& names) {
  if (before == after) return {};
  const Lines a = lines_of(before), b = lines_of(after);
  const std::size_t shorter = std::min(a.size(), b.size());
  std::size_t head = 0, tail = 0;
  while (head < shorter && a[head] == b[head]) ++head;
  while (tail < shorter - head && a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) ++tail;
  std::vector<Step> steps;
  for (std::size_t i = 0; i < head; ++i) steps.push_back({' ', a[i]});
  const std::vector<Step> middle = Script(a, b, head, tail).steps();
  steps.insert(steps.end(), middle.begin(), middle.end());
  for (std::size_t i = a.size() - tail; i < a.size(); ++i) steps.push_back({' ', a[i]});
  return "--- " + names.before + "\n+++ " + names.after + "\n" + hunks(steps);
}

}  // namespace slipway
