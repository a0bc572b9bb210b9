// What the names inside ${{ … }} mean for one task: its parameters, its environment, the tasks that end before it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "dag/draft.h"
#include "dag/reach.h"
#include "slipway/dag/expr.h"

namespace slipway::dag {

// Refers to the draft, whose tasks must be linked, and to `reach`, which all tasks share.
class TaskNames {
 public:
  TaskNames(Draft& draft, Reach& reach, int task);

  // Where the text stands decides what it may read.
  struct Place {
    bool secrets = false;  // inside env
    bool env = true;       // where the environment is made already: not in env, when, for_each
    bool outputs = false;  // the task's own, once it succeeded
    bool item = true;      // where the list is known already: not in when, for_each
  };
  [[nodiscard]] Result<NameInfo> resolve(const std::vector<std::string>& path, Place place) const;

  // Says that a secret flows into the environment variable `name`.
  void mark_secret(const std::string& name) { secret_env_.insert(name); }

 private:
  [[nodiscard]] Result<NameInfo> param(const std::string& name) const;
  [[nodiscard]] Result<NameInfo> environment(const std::string& name, Place place) const;
  [[nodiscard]] Result<NameInfo> secret(const std::string& name, Place place) const;
  [[nodiscard]] Result<NameInfo> other_task(const std::vector<std::string>& path) const;
  [[nodiscard]] Result<NameInfo> output(const TaskDraft& task, const std::string& name) const;
  [[nodiscard]] Result<NameInfo> element(const std::string& name, Place place) const;
  [[nodiscard]] Result<NameInfo> of_run(const std::string& name) const;
  [[nodiscard]] const TaskDraft& self() const { return draft_.tasks[static_cast<std::size_t>(task_)]; }
  [[nodiscard]] Result<NameInfo> answer(const TaskDraft& task, const std::string& name) const;

  Draft& draft_;
  Reach& reach_;
  int task_;
  std::set<std::string> secret_env_;
};

}  // namespace slipway::dag
