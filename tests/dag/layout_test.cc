#include "slipway/dag/layout.h"

#include <gtest/gtest.h>

#include "dag/support.h"
#include "support/golden.h"

namespace slipway::dag {
namespace {

using test::parse_ok;

int box_index_over(const GraphLayout& layout, int x_from, int x_to, int y_from, int y_to) {
  for (std::size_t i = 0; i < layout.boxes.size(); ++i) {
    const GraphBox& box = layout.boxes[i];
    if (box.x < x_to && x_from < box.x + box.width && box.y < y_to && y_from < box.y + box.height)
      return static_cast<int>(i);
  }
  return -1;
}

// What makes a picture readable: boxes apart and inside, lines from left to right and behind no box.
void expect_readable(const Dag& dag) {
  const GraphLayout layout = lay_out(dag);
  ASSERT_EQ(layout.boxes.size(), dag.tasks.size());
  for (std::size_t i = 0; i < layout.boxes.size(); ++i) {
    const GraphBox& box = layout.boxes[i];
    EXPECT_GE(box.x, 0);
    EXPECT_GE(box.y, 0);
    EXPECT_LE(box.x + box.width, layout.width);
    EXPECT_LE(box.y + box.height, layout.height);
    for (std::size_t j = 0; j < i; ++j) {
      const GraphBox& other = layout.boxes[j];
      EXPECT_TRUE(box.x >= other.x + other.width || other.x >= box.x + box.width || box.y >= other.y + other.height ||
                  other.y >= box.y + box.height)
          << dag.tasks[i].id << " over " << dag.tasks[j].id;
    }
  }
  for (const GraphLine& line : layout.lines) {
    EXPECT_EQ(line.points.front().x, layout.boxes[static_cast<std::size_t>(line.from)].x +
                                         layout.boxes[static_cast<std::size_t>(line.from)].width);
    EXPECT_EQ(line.points.back().x, layout.boxes[static_cast<std::size_t>(line.to)].x);
    for (std::size_t i = 1; i < line.points.size(); ++i) {
      const GraphPoint a = line.points[i - 1], b = line.points[i];
      EXPECT_LE(a.x, b.x);
      EXPECT_EQ(box_index_over(layout, a.x, b.x, std::min(a.y, b.y) - 1, std::max(a.y, b.y) + 1), -1)
          << dag.tasks[static_cast<std::size_t>(line.from)].id << " to "
          << dag.tasks[static_cast<std::size_t>(line.to)].id;
    }
  }
}

// Layers of `width` tasks; each needs some of the layer before and now and then one far above.
std::string layered(int layers, int width) {
  std::string text = "dag: d\ntasks:\n";
  for (int layer = 0; layer < layers; ++layer)
    for (int i = 0; i < width; ++i) {
      const auto name = [&](int l, int t) { return "t" + std::to_string(l) + "-" + std::to_string(t % width); };
      text += "  " + name(layer, i) + ": {noop: true";
      if (layer > 0) text += ", needs: [" + name(layer - 1, i * 3) + (i % 2 ? ", " + name(layer - 1, i * 3 + 1) : "");
      if (layer > 2 && i % 3 == 0) text += ", " + name(layer - 3, i + 1);
      text += layer > 0 ? "]}\n" : "}\n";
    }
  return text;
}

TEST(Layout, AChainIsARow) {
  const auto layout =
      lay_out(parse_ok("dag: d\ntasks: {a: {noop: true}, b: {noop: true, needs: a}, c: {noop: true, needs: b}}\n"));
  ASSERT_EQ(layout.boxes.size(), 3U);
  EXPECT_EQ(layout.boxes[0].y, layout.boxes[2].y);
  EXPECT_LT(layout.boxes[0].x, layout.boxes[1].x);
  EXPECT_EQ(layout.boxes[2].column, 2);
  EXPECT_EQ(layout.lines.size(), 2U);
}

TEST(Layout, OneTaskStandsBetweenWhatItNeeds) {
  const auto layout = lay_out(parse_ok(
      "dag: d\ntasks: {a: {noop: true}, b: {noop: true}, c: {noop: true}, z: {noop: true, needs: [a, b, c]}}\n"));
  EXPECT_EQ(layout.boxes[3].y, layout.boxes[1].y);
}

TEST(Layout, LinesDoNotCrossWhereTheyNeedNot) {
  const auto layout =
      lay_out(parse_ok("dag: d\ntasks: {a: {noop: true}, b: {noop: true}, x: {noop: true, needs: b}, "
                       "y: {noop: true, needs: a}}\n"));
  EXPECT_EQ(layout.boxes[0].y < layout.boxes[1].y, layout.boxes[3].y < layout.boxes[2].y);
}

TEST(Layout, IsReadable) {
  expect_readable(parse_ok("dag: d\ntasks: {a: {noop: true}}\n"));
  expect_readable(parse_ok(layered(5, 4)));
  expect_readable(parse_ok(layered(12, 9)));
  for (const auto& name : slipway::test::golden_cases("dag", ".yaml")) {
    const auto parsed =
        parse({name, slipway::test::read_text(SLIPWAY_SOURCE_DIR "/tests/golden/dag/" + name + ".yaml")});
    if (parsed.value) expect_readable(*parsed.value);
  }
}

TEST(Layout, IsTheSameEveryTime) {
  const Dag dag = parse_ok(layered(8, 6));
  EXPECT_EQ(draw_svg(dag), draw_svg(dag));
}

// 2,000 tasks with lines over every column: 20,000 bends, and the lines beyond that go straight.
TEST(Layout, BendsAreBounded) {
  std::string text = "dag: d\ntasks:\n  t0: {noop: true}\n";
  for (int i = 1; i < 2'000; ++i)
    text +=
        "  t" + std::to_string(i) + ": {noop: true, needs: [t" + std::to_string(i - 1) + (i > 1 ? ", t0" : "") + "]}\n";
  const GraphLayout layout = lay_out(parse_ok(text));
  std::size_t points = 0;
  for (const GraphLine& line : layout.lines) points += line.points.size();
  EXPECT_EQ(layout.lines.size(), 3'997U);
  EXPECT_LE(points, 2 * 20'000U + 3 * layout.lines.size());
  EXPECT_EQ(layout.lines.back().points.size(), 2U + (layout.boxes[0].width < layout.boxes[1'000].width ? 1U : 0U));
}

TEST(Svg, Golden) {
  const auto parsed = parse({"good.yaml", slipway::test::read_text(SLIPWAY_SOURCE_DIR "/tests/golden/dag/good.yaml")});
  ASSERT_TRUE(parsed.value);
  slipway::test::expect_golden("tests/golden/dag/good.svg", draw_svg(*parsed.value));
}

TEST(Svg, WordsAreEscapedAndLongIdsCut) {
  const std::string id(100, 'a');
  const std::string svg =
      draw_svg(parse_ok("dag: d\ntasks: {" + id + ": {noop: true, description: 'a < b & \"c\"'}}\n"));
  EXPECT_NE(svg.find("<title>" + id + ": a &lt; b &amp; &quot;c&quot;</title>"), std::string::npos);
  EXPECT_NE(svg.find(">" + id.substr(0, 39) + "…</text>"), std::string::npos);
}

TEST(Graph, IsAValueForThePage) {
  const Dag dag = parse_ok("dag: d\ntasks: {a: {noop: true}, b: {noop: true, needs: a}}\n");
  const Value graph = graph_value(dag, lay_out(dag));
  EXPECT_EQ(
      graph.dump(),
      R"({"dag":"d","height":76,"lines":[{"from":"a","points":[[83,38],[139,38]],"to":"b"}],"tasks":[)"
      R"({"column":0,"height":44,"kind":"noop","task":"a","trigger_rule":"all_success","width":67,"x":16,"y":16},)"
      R"({"column":1,"height":44,"kind":"noop","task":"b","trigger_rule":"all_success","width":67,"x":139,)"
      R"("y":16}],"width":222})");
}

}  // namespace
}  // namespace slipway::dag
