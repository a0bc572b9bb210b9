#include "slipway/run/state.h"

#include <gtest/gtest.h>

#include <sstream>

namespace slipway::run {
namespace {

// The whole table of one machine: a row for each state, "x" where the move is legal, in the order of the enumerators.
template <class State, std::size_t N>
std::string matrix(const EnumTable<State, N>& states) {
  std::ostringstream out;
  for (const auto& from : states.rows()) {
    for (const auto& to : states.rows()) out << (is_legal(from.value, to.value) ? 'x' : '.');
    out << ' ' << from.text << '\n';
  }
  return out.str();
}

TEST(StateMachines, AttemptMoves) {
  EXPECT_EQ(matrix(kAttemptStates),
            ".xxxxxxx intent\n"
            "..xxxxxx launched\n"
            "...xxxxx running\n"
            "....xxxx stopping\n"
            "........ succeeded\n"
            "........ failed\n"
            "........ cancelled\n"
            "..xxxxx. lost\n");
}

TEST(StateMachines, TaskMoves) {
  EXPECT_EQ(matrix(kTaskStates),
            ".xx....xxxxxx none\n"
            "..xx...xxx..x scheduled\n"
            ".x.....xxx..x waiting\n"
            "....xxxxxx..x queued\n"
            ".....xxxxx..x active\n"
            ".x..........x up_for_retry\n"
            ".....x.xxx..x stopping\n"
            "............. success\n"
            "............. failed\n"
            "............. skipped\n"
            "............. upstream_failed\n"
            "............. removed\n"
            "............. cancelled\n");
}

TEST(StateMachines, RunMoves) {
  EXPECT_EQ(matrix(kRunStates),
            ".xx... queued\n"
            "..xxx. running\n"
            "..x.xx cancelling\n"
            "...... success\n"
            "...... failed\n"
            "...... cancelled\n");
}

template <class State, std::size_t N>
void expect_terminal_is_a_dead_end(const EnumTable<State, N>& states) {
  for (const auto& from : states.rows()) {
    bool leaves = false;
    for (const auto& to : states.rows()) leaves |= is_legal(from.value, to.value);
    EXPECT_EQ(leaves, !is_terminal(from.value)) << from.text;
  }
}

TEST(StateMachines, ExactlyTerminalStatesHaveNoMoves) {
  expect_terminal_is_a_dead_end(kAttemptStates);
  expect_terminal_is_a_dead_end(kTaskStates);
  expect_terminal_is_a_dead_end(kRunStates);
}

}  // namespace
}  // namespace slipway::run
