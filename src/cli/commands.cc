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
    Command{"fetch", "bring a file or folder to a local path", setup_fetch},
    Command{"prepare", "turn a table of examples into JSONL to train on", setup_prepare},
    Command{"train", "fine-tune a model with a LoRA adapter", setup_train},
    Command{"merge", "fold an adapter into its base model", setup_merge},
    Command{"evaluate", "count the right answers of a model", setup_evaluate},
    Command{"generate", "continue prompts, one or a file of them", setup_generate},
    Command{"serve-model", "answer HTTP requests with a model", setup_serve_model},
    Command{"tokenize", "text to token ids and back", setup_tokenize},
    Command{"debug logits", "write the logits of token sequences", setup_debug_logits},
    Command{"debug eval-loss", "write the loss of each sample", setup_debug_eval_loss},
    Command{"debug grads", "write the gradients of an adapter", setup_debug_grads},
    Command{"version", "print the version", setup_version},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }
std::span<const Group> groups() { return kGroups; }

}  // namespace slipway::cli
