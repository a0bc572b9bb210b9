// Layers by the longest way, as in Sugiyama, Tagawa, Toda, "Methods for Visual Understanding of Hierarchical System
// Structures" (1981): lines over several columns get a bend in each, columns are ordered by the mean of their
// neighbours, and heights are the least squares to the neighbours' that keep the order (pool adjacent violators).
#include "slipway/dag/layout.h"

#include <algorithm>
#include <cstdint>
#include <numeric>

#include "dag/drawing.h"
#include "slipway/base/display_width.h"

namespace slipway::dag {
namespace {

constexpr std::size_t kBendsMax = 20'000;
constexpr int kOrderSweeps = 8, kHeightSweeps = 6;
constexpr int kMargin = 16, kBoxGap = 14, kColumnGap = 56;
constexpr int kBoxHeight = 30, kNotedHeight = 44, kBendHeight = 6;
constexpr int kPadding = 24, kWidthMin = 60;
constexpr std::size_t kShownMax = 40;  // characters of an id; the rest is cut

// A box, or a bend of a line that passes its column.
struct Place {
  int column = 0;
  int height = kBendHeight;
  std::int64_t centre = 0;
  std::vector<int> left, right;  // neighbours in the columns beside
};

class Layout {
 public:
  explicit Layout(const Dag& dag) : dag_(dag) {
    const std::vector<int> layers = layers_of(dag);
    for (std::size_t task = 0; task < layers.size(); ++task)
      places_.push_back({layers[task], notes_of(dag.tasks[task]).empty() ? kBoxHeight : kNotedHeight, 0, {}, {}});
    for (std::size_t task = 0; task < layers.size(); ++task)
      for (const TaskId& need : dag.tasks[task].needs) connect(dag.index_of(need), static_cast<int>(task));
    columns_.resize(layers.empty() ? 0 : static_cast<std::size_t>(*std::max_element(layers.begin(), layers.end())) + 1);
    for (std::size_t i = 0; i < places_.size(); ++i) column_of(i).push_back(static_cast<int>(i));
  }

  GraphLayout run() && {
    order();
    set_heights();
    return drawn();
  }

 private:
  std::vector<int>& column_of(std::size_t place) { return columns_[static_cast<std::size_t>(places_[place].column)]; }
  Place& at(int place) { return places_[static_cast<std::size_t>(place)]; }

  void link(int left, int right) {
    at(left).right.push_back(right);
    at(right).left.push_back(left);
  }

  void connect(int from, int to) {
    std::vector<int> way{from};
    const auto bends = static_cast<std::size_t>(std::max(0, at(to).column - at(from).column - 1));
    if (bends_ + bends <= kBendsMax) {
      bends_ += bends;
      for (std::size_t i = 0; i < bends; ++i) {
        places_.push_back({at(way.back()).column + 1, kBendHeight, 0, {}, {}});
        link(way.back(), static_cast<int>(places_.size()) - 1);
        way.push_back(static_cast<int>(places_.size()) - 1);
      }
      link(way.back(), to);
    }
    way.push_back(to);
    ways_.push_back(std::move(way));
  }

  // --- the order within columns

  void number_positions() {
    position_.resize(places_.size());
    for (const auto& column : columns_)
      for (std::size_t i = 0; i < column.size(); ++i)
        position_[static_cast<std::size_t>(column[i])] = static_cast<int>(i);
  }

  void sort_column(std::vector<int>& column, bool by_left) {
    constexpr std::int64_t kFine = 1024;
    std::vector<std::pair<std::int64_t, int>> keys;
    for (const int place : column) {
      const auto& beside = by_left ? at(place).left : at(place).right;
      std::int64_t sum = 0;
      for (const int other : beside) sum += position_[static_cast<std::size_t>(other)];
      const auto count = static_cast<std::int64_t>(beside.size());
      keys.emplace_back(count == 0 ? position_[static_cast<std::size_t>(place)] * kFine : sum * kFine / count, place);
    }
    std::stable_sort(keys.begin(), keys.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (std::size_t i = 0; i < keys.size(); ++i) {
      column[i] = keys[i].second;
      position_[static_cast<std::size_t>(column[i])] = static_cast<int>(i);
    }
  }

  // Inversions among the ends of the lines between two columns, by a tree of counts.
  std::int64_t crossings_right_of(const std::vector<int>& column, std::size_t next_size) {
    std::vector<int> counts(next_size + 1, 0);
    std::int64_t crossings = 0, seen = 0;
    for (const int place : column) {
      std::vector<int> ends;
      for (const int other : at(place).right) ends.push_back(position_[static_cast<std::size_t>(other)]);
      for (const int end : ends) {
        std::int64_t not_above = 0;
        for (int i = end + 1; i > 0; i -= i & -i) not_above += counts[static_cast<std::size_t>(i)];
        crossings += seen - not_above;
      }
      for (const int end : ends)
        for (int i = end + 1; i <= static_cast<int>(next_size); i += i & -i) ++counts[static_cast<std::size_t>(i)];
      seen += static_cast<std::int64_t>(ends.size());
    }
    return crossings;
  }

  std::int64_t crossings() {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i + 1 < columns_.size(); ++i)
      sum += crossings_right_of(columns_[i], columns_[i + 1].size());
    return sum;
  }

  void order() {
    number_positions();
    auto best = columns_;
    std::int64_t least = crossings();
    for (int sweep = 0; sweep < kOrderSweeps && least > 0; ++sweep) {
      const bool by_left = sweep % 2 == 0;
      for (std::size_t i = 1; i < columns_.size(); ++i)
        sort_column(columns_[by_left ? i : columns_.size() - 1 - i], by_left);
      const std::int64_t now = crossings();
      if (now < least) best = columns_;
      least = std::min(least, now);
    }
    columns_ = std::move(best);
  }

  // --- heights

  static int room_between(const Place& above, const Place& below) {
    return (above.height + below.height) / 2 + kBoxGap;
  }

  // The heights nearest to `wanted` that keep the order and the room between.
  void place_column(const std::vector<int>& column, const std::vector<std::int64_t>& wanted) {
    struct Block {
      std::int64_t sum = 0, count = 0;
    };
    std::vector<Block> blocks;
    std::vector<std::int64_t> offsets(column.size(), 0);
    for (std::size_t i = 0; i < column.size(); ++i) {
      if (i > 0) offsets[i] = offsets[i - 1] + room_between(at(column[i - 1]), at(column[i]));
      blocks.push_back({wanted[i] - offsets[i], 1});
      while (blocks.size() > 1) {
        const Block last = blocks.back();
        Block& before = blocks[blocks.size() - 2];
        if (before.sum * last.count <= last.sum * before.count) break;
        before.sum += last.sum;
        before.count += last.count;
        blocks.pop_back();
      }
    }
    std::size_t next = 0;
    for (const Block& block : blocks)
      for (std::int64_t i = 0; i < block.count; ++i, ++next) {
        const std::int64_t floor =
            block.sum >= 0 ? block.sum / block.count : -((block.count - 1 - block.sum) / block.count);
        at(column[next]).centre = floor + offsets[next];
      }
  }

  std::int64_t wanted_centre(int place, bool by_left) {
    const auto& beside = by_left ? at(place).left : at(place).right;
    if (beside.empty()) return at(place).centre;
    std::int64_t sum = 0;
    for (const int other : beside) sum += at(other).centre;
    return sum / static_cast<std::int64_t>(beside.size());
  }

  void set_heights() {
    for (const auto& column : columns_) place_column(column, std::vector<std::int64_t>(column.size(), 0));
    for (int sweep = 0; sweep < kHeightSweeps; ++sweep) {
      const bool by_left = sweep % 2 == 0;
      for (std::size_t i = 1; i < columns_.size(); ++i) {
        const auto& column = columns_[by_left ? i : columns_.size() - 1 - i];
        std::vector<std::int64_t> wanted;
        for (const int place : column) wanted.push_back(wanted_centre(place, by_left));
        place_column(column, wanted);
      }
    }
    std::int64_t top = 0;
    for (const Place& place : places_) top = std::min(top, place.centre - place.height / 2);
    for (Place& place : places_) place.centre += kMargin - top;
  }

  // --- the picture

  [[nodiscard]] int width_of(const Task& task) const {
    const std::size_t name = std::min(display_width(task.id.str()), kShownMax);
    const std::size_t notes = display_width(notes_of(task));
    return std::max(kWidthMin, static_cast<int>(std::max(name * 29 / 4, notes * 25 / 4)) + kPadding);
  }

  GraphLayout drawn() {
    GraphLayout layout;
    layout.boxes.resize(dag_.tasks.size());
    std::vector<int> left(columns_.size() + 1, kMargin), widths(columns_.size(), 0);
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      for (const int place : columns_[i])
        if (place < static_cast<int>(dag_.tasks.size()))
          widths[i] = std::max(widths[i], width_of(dag_.tasks[static_cast<std::size_t>(place)]));
      left[i + 1] = left[i] + widths[i] + kColumnGap;
    }
    for (std::size_t task = 0; task < dag_.tasks.size(); ++task) {
      const Place& place = places_[task];
      const int y = static_cast<int>(place.centre) - place.height / 2;
      layout.boxes[task] = {place.column, left[static_cast<std::size_t>(place.column)], y, width_of(dag_.tasks[task]),
                            place.height};
      layout.height = std::max(layout.height, y + place.height + kMargin);
    }
    for (const Place& place : places_)
      layout.height = std::max(layout.height, static_cast<int>(place.centre) + kMargin);
    layout.width = columns_.empty() ? 2 * kMargin : left[columns_.size()] - kColumnGap + kMargin;
    layout.height = std::max(layout.height, 2 * kMargin);
    for (const auto& way : ways_) layout.lines.push_back(line_of(way, layout, left, widths));
    return layout;
  }

  GraphLine line_of(const std::vector<int>& way, const GraphLayout& layout, const std::vector<int>& left,
                    const std::vector<int>& widths) {
    GraphLine line{way.front(), way.back(), {}};
    const GraphBox& from = layout.boxes[static_cast<std::size_t>(line.from)];
    const GraphBox& to = layout.boxes[static_cast<std::size_t>(line.to)];
    const auto column = static_cast<std::size_t>(from.column);
    const GraphPoint begin{from.x + from.width, from.y + from.height / 2};
    line.points.push_back(begin);
    // Level until the widest box of the column is passed.
    if (from.width < widths[column]) line.points.push_back({left[column] + widths[column], begin.y});
    for (std::size_t i = 1; i + 1 < way.size(); ++i) {
      const Place& bend = at(way[i]);
      const int x = left[static_cast<std::size_t>(bend.column)];
      const int y = static_cast<int>(bend.centre);
      line.points.push_back({x, y});
      line.points.push_back({x + widths[static_cast<std::size_t>(bend.column)], y});
    }
    line.points.push_back({to.x, to.y + to.height / 2});
    return line;
  }

  const Dag& dag_;
  std::vector<Place> places_;  // the boxes by task index, then the bends
  std::vector<std::vector<int>> columns_;
  std::vector<std::vector<int>> ways_;  // places that each line goes through, its ends included
  std::vector<int> position_;           // of each place in its column
  std::size_t bends_ = 0;
};

}  // namespace

GraphLayout lay_out(const Dag& dag) { return Layout(dag).run(); }

Value graph_value(const Dag& dag, const GraphLayout& layout) {
  Value::Array tasks, lines;
  for (std::size_t i = 0; i < dag.tasks.size(); ++i) {
    const Task& task = dag.tasks[i];
    const GraphBox& box = layout.boxes[i];
    tasks.push_back(Value::Object{{"task", task.id.str()},
                                  {"kind", kTaskKinds.text(task.kind)},
                                  {"trigger_rule", kTriggerRules.text(task.trigger_rule)},
                                  {"column", box.column},
                                  {"x", box.x},
                                  {"y", box.y},
                                  {"width", box.width},
                                  {"height", box.height}});
  }
  for (const GraphLine& line : layout.lines) {
    Value::Array points;
    for (const GraphPoint& point : line.points) points.emplace_back(Value::Array{point.x, point.y});
    lines.push_back(Value::Object{{"from", dag.tasks[static_cast<std::size_t>(line.from)].id.str()},
                                  {"to", dag.tasks[static_cast<std::size_t>(line.to)].id.str()},
                                  {"points", std::move(points)}});
  }
  return Value::Object{{"dag", dag.id.str()},
                       {"width", layout.width},
                       {"height", layout.height},
                       {"tasks", std::move(tasks)},
                       {"lines", std::move(lines)}};
}

}  // namespace slipway::dag
