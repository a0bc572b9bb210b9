#include "cli/command.h"

#include <array>

#include "cli/verbs.h"

namespace slipway::cli {
namespace {

constexpr std::array kGroups{
    Group{"dag", "DAG files and what the daemon knows of them"},
    Group{"run", "runs: one execution of a DAG each"},
    Group{"task", "tasks of a run"},
    Group{"schedule", "when DAGs run by themselves"},
    Group{"var", "variables that expressions read"},
    Group{"secret", "sealed values that tasks get as environment variables"},
    Group{"service", "servers that `service:` tasks deployed"},
    Group{"config", "settings of this command and the daemon"},
    Group{"db", "the database of a home"},
    Group{"debug", "looking inside the trainer"},
};

constexpr std::array kCommands{
    Command{"version", "print the version", setup_version},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }
std::span<const Group> groups() { return kGroups; }

}  // namespace slipway::cli
