#include "slipway/kube/pod_manifest.h"

#include <gtest/gtest.h>

#include "kube/merge.h"
#include "support/golden.h"

namespace slipway::kube {
namespace {

Value json(std::string_view text) {
  auto value = parse_json(text);
  EXPECT_TRUE(value) << text;
  return value ? *value : Value();
}

PodTask task() {
  PodTask out;
  out.instance = "01jb000000000000000000inst";
  out.dag = DagId("nightly.etl");
  out.attempt = *AttemptId::parse("01jbmz0000000000000000000a/fine_tune[3]/2");
  out.namespace_name = "ml";
  out.image = "example.com/x@sha256:0";
  return out;
}

PodTask full_task() {
  PodTask out = task();
  out.argv = {"slipway", "train", "--epochs", "3"};
  out.env = {{"B", "2"}, {"A", "1"}};
  out.secret_env = {{"TOKEN", "hub", "token"}};
  out.workdir = "/work";
  out.cpu_milli = 1500;
  out.memory_bytes = 2'147'483'648;
  out.disk_bytes = 1'073'741'824;
  out.gpus = 1;
  out.gpu_type = "nvidia-l4";
  out.grace = std::chrono::milliseconds(1500);
  out.backstop = std::chrono::hours(2);
  out.restartable = true;
  out.service_account = "trainer";
  out.image_pull_policy = "IfNotPresent";
  out.labels = {{"team", "ml"}, {"slipway/run", "theirs"}};
  out.annotations = {{"gke-gcsfuse/volumes", "true"}};
  out.fragment = json(R"({"volumes":[{"name":"shm","emptyDir":{"medium":"Memory"}}],
    "containers":[{"name":"main","volumeMounts":[{"name":"shm","mountPath":"/dev/shm"}],"env":[{"name":"A","value":"9"}]}],
    "nodeSelector":{"cloud.google.com/gke-spot":"true"}})");
  return out;
}

TEST(PodManifests, Goldens) {
  for (const auto& [name, wanted] : {std::pair("least", task()), std::pair("full", full_task())}) {
    const auto pod = pod_manifest(wanted);
    ASSERT_TRUE(pod) << pod.error().message;
    test::expect_golden("tests/golden/kube/pod_" + std::string(name) + ".json", pod->dump_pretty() + "\n");
    EXPECT_EQ(pod_manifest(wanted)->dump(), pod->dump()) << "twice the same";
  }
}

TEST(PodManifests, NamesAreReadableUniqueAndValid) {
  const std::string name = pod_name(task());
  EXPECT_EQ(name.substr(0, name.size() - 10), "nightly-etl-fine-tune-");
  std::set<std::string> names{name};
  PodTask other = task();
  other.attempt.number = 3;
  names.insert(pod_name(other));
  other = task();
  other.attempt.key.map_index = 4;
  names.insert(pod_name(other));
  other = task();
  other.instance = "another";
  names.insert(pod_name(other));
  other = task();
  other.attempt.run = RunId("01jbmz0000000000000000000b");
  names.insert(pod_name(other));
  other = task();
  other.dag = DagId("nightly-etl");  // the same slug
  names.insert(pod_name(other));
  EXPECT_EQ(names.size(), 6U);
  PodTask longest = task();
  longest.dag = DagId("9." + std::string(96, 'x') + "-z");
  EXPECT_EQ(pod_name(longest).size(), 51U);
  for (const std::string& one : {name, pod_name(longest)}) {
    EXPECT_EQ(one.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"), std::string::npos) << one;
    EXPECT_TRUE(one.front() >= 'a' && one.front() <= 'z') << one;
  }
}

TEST(PodManifests, DollarsMeanWhatTheySay) {
  PodTask shell = task();
  shell.argv = {"sh", "-c", "echo $HOME $$ $(date) $$$ $$(x) 5$"};
  shell.env = {{"A", "$(B)"}};
  const auto pod = pod_manifest(shell);
  ASSERT_TRUE(pod);
  const Value& main = pod->find("spec")->find("containers")->as_array().at(0);
  EXPECT_EQ(main.find("command")->as_array().at(2).as_string(), "echo $HOME $$$ $$(date) $$$$$ $$$$(x) 5$");
  EXPECT_EQ(main.find("env")->as_array().at(0).get_string("value"), "$$(B)");
}

TEST(PodManifests, AFragmentMayAddButNotTakeMainAway) {
  PodTask bad = task();
  bad.fragment = json(R"({"containers":null})");
  EXPECT_EQ(pod_manifest(bad).error().message, "pod takes the container `main` away");
  bad.fragment = json("[]");
  EXPECT_EQ(pod_manifest(bad).error().message, "pod must be a map, it is array");
}

TEST(PodManifests, APodIsOursByItsAnnotations) {
  const auto pod = pod_manifest(task());
  ASSERT_TRUE(pod);
  EXPECT_TRUE(is_pod_of(*pod, task()));
  PodTask other = task();
  other.attempt.number = 9;
  EXPECT_FALSE(is_pod_of(*pod, other));
  other = task();
  other.instance = "another";
  EXPECT_FALSE(is_pod_of(*pod, other));
  EXPECT_FALSE(is_pod_of(json(R"({"metadata":{"name":"p"}})"), task()));
}

struct MergeCase {
  const char* name;
  const char* into;
  const char* patch;
  const char* merged;
};

TEST(StrategicMerge, Table) {
  const MergeCase cases[] = {
      {"maps by key", R"({"a":{"x":1,"y":2}})", R"({"a":{"y":3},"b":4})", R"({"a":{"x":1,"y":3},"b":4})"},
      {"null removes", R"({"a":1,"b":2})", R"({"a":null,"c":null})", R"({"b":2})"},
      {"containers by name", R"({"containers":[{"name":"main","image":"i"}]})",
       R"({"containers":[{"name":"side"},{"name":"main","tty":true}]})",
       R"({"containers":[{"image":"i","name":"main","tty":true},{"name":"side"}]})"},
      {"env in a container", R"({"containers":[{"name":"main","env":[{"name":"A","value":"1"}]}]})",
       R"({"containers":[{"name":"main","env":[{"name":"A","value":"2"},{"name":"B","value":"3"}]}]})",
       R"({"containers":[{"env":[{"name":"A","value":"2"},{"name":"B","value":"3"}],"name":"main"}]})"},
      {"mounts by path", R"({"volumeMounts":[{"mountPath":"/a","name":"x"}]})",
       R"({"volumeMounts":[{"mountPath":"/a","name":"y"},{"mountPath":"/b","name":"x"}]})",
       R"({"volumeMounts":[{"mountPath":"/a","name":"y"},{"mountPath":"/b","name":"x"}]})"},
      {"other lists whole", R"({"command":["a","b"],"tolerations":[{"key":"k"}]})",
       R"({"command":["c"],"tolerations":[{"key":"l"}]})", R"({"command":["c"],"tolerations":[{"key":"l"}]})"},
      {"another kind of value", R"({"a":{"x":1}})", R"({"a":[1]})", R"({"a":[1]})"},
  };
  for (const MergeCase& c : cases) {
    Value into = json(c.into);
    strategic_merge(into, json(c.patch));
    EXPECT_EQ(into.dump(), c.merged) << c.name;
  }
}

struct PolicyCase {
  const char* fragment;
  const char* refused;  // the field; empty: permitted
  bool root = false;
};

TEST(PodPolicies, Table) {
  const PolicyCase cases[] = {
      {"{}", ""},
      {R"({"volumes":[{"name":"v","emptyDir":{}},{"name":"w","persistentVolumeClaim":{"claimName":"c"}}]})", ""},
      {R"({"hostNetwork":true})", "hostNetwork"},
      {R"({"hostPID":true})", "hostPID"},
      {R"({"hostIPC":true})", "hostIPC"},
      {R"({"nodeName":"n"})", "nodeName"},
      {R"({"volumes":[{"name":"v","hostPath":{"path":"/"}}]})", "volumes[v].hostPath"},
      {R"({"serviceAccountName":"admin"})", "serviceAccountName"},
      {R"({"serviceAccount":"admin"})", "serviceAccount"},
      {R"({"serviceAccountName":"trainer"})", ""},
      {R"({"automountServiceAccountToken":true})", "automountServiceAccountToken"},
      {R"({"automountServiceAccountToken":null})", "automountServiceAccountToken"},
      {R"({"volumes":[{"name":"v","projected":{"sources":[{"serviceAccountToken":{"path":"t"}}]}}]})",
       "automountServiceAccountToken"},
      {R"({"securityContext":{"runAsNonRoot":false}})", "securityContext.runAsNonRoot"},
      {R"({"securityContext":{"runAsUser":0}})", "securityContext.runAsNonRoot"},
      {R"({"securityContext":null})", "securityContext.runAsNonRoot"},
      {R"({"securityContext":null})", "", true},
      {R"({"securityContext":{"seccompProfile":{"type":"Unconfined"}}})", "securityContext", true},
      {R"({"containers":[{"name":"main","securityContext":{"privileged":true}}]})",
       "containers[main].securityContext.privileged", true},
      {R"({"containers":[{"name":"main","securityContext":{"capabilities":{"add":["SYS_ADMIN"]}}}]})",
       "containers[main].securityContext.capabilities.add", true},
      {R"({"containers":[{"name":"main","securityContext":{"capabilities":null}}]})",
       "containers[main].securityContext.capabilities.drop"},
      {R"({"containers":[{"name":"main","securityContext":{"allowPrivilegeEscalation":true}}]})",
       "containers[main].securityContext.allowPrivilegeEscalation"},
      {R"({"containers":[{"name":"main","securityContext":{"allowPrivilegeEscalation":true}}]})", "", true},
      {R"({"containers":[{"name":"main","securityContext":{"runAsUser":0}}]})", "containers[main].securityContext"},
      {R"({"containers":[{"name":"main","securityContext":{"procMount":"Unmasked"}}]})",
       "containers[main].securityContext.procMount", true},
      {R"({"containers":[{"name":"main","securityContext":{"appArmorProfile":{"type":"Unconfined"}}}]})",
       "containers[main].securityContext", true},
      {R"({"containers":[{"name":"main","ports":[{"containerPort":80,"hostPort":80}]}]})",
       "containers[main].ports.hostPort"},
      {R"({"initContainers":[{"name":"i","image":"x"}]})", "initContainers[i].securityContext"},
      {R"({"initContainers":[{"name":"i","image":"x"}]})", "", true},
  };
  for (const PolicyCase& c : cases) {
    PodTask wanted = task();
    wanted.fragment = json(c.fragment);
    const auto pod = pod_manifest(wanted);
    ASSERT_TRUE(pod) << c.fragment;
    const auto judged = check_policy(*pod, {.service_accounts = {"trainer"}, .root = c.root});
    EXPECT_EQ(judged ? "" : judged.error().message.substr(0, judged.error().message.find(" is not permitted")),
              *c.refused == '\0' ? "" : "spec." + std::string(c.refused))
        << c.fragment;
  }
}

TEST(PodPolicies, BaselineNeedsTheOperatorsWord) {
  PodTask root = task();
  root.security = PodSecurity::Baseline;
  const auto pod = pod_manifest(root);
  ASSERT_TRUE(pod);
  EXPECT_EQ(check_policy(*pod, {}).error().code, ErrorCode::Forbidden);
  EXPECT_TRUE(check_policy(*pod, {.root = true}));
}

}  // namespace
}  // namespace slipway::kube
