#include "slipway/objects/hub.h"

#include <algorithm>
#include <array>
#include <vector>

#include "slipway/base/file.h"
#include "slipway/base/value.h"

namespace slipway::objects {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kListingBytesMax = 64U << 20U;
constexpr std::array<std::string_view, 8> kSideFiles{
    "config.json",           "generation_config.json",  "model.safetensors.index.json", "tokenizer.json",
    "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja",          "tokenizer.model"};

std::string variable(const std::map<std::string, std::string>& env, const std::string& name,
                     const std::string& otherwise) {
  const auto it = env.find(name);
  return it == env.end() || it->second.empty() ? otherwise : it->second;
}

bool is_part(std::string_view text) {
  return !text.empty() && text != "." && text != ".." && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-';
  });
}

// Weights of other programs lie beside them under other names.
bool is_wanted(std::string_view name) {
  if (name.find('/') != std::string_view::npos) return false;
  return std::ranges::find(kSideFiles, name) != kSideFiles.end() ||
         (name.starts_with("model") && name.ends_with(".safetensors"));
}

struct HubFile {
  std::string name;
  std::int64_t size = -1;
};

class Hub {
 public:
  Hub(http::Transport& transport, const HubModel& model, const std::map<std::string, std::string>& env,
      WebAccess access)
      : transport_(transport),
        model_(model),
        access_(std::move(access)),
        endpoint_(variable(env, "HF_ENDPOINT", "https://huggingface.co")) {
    while (endpoint_.ends_with('/')) endpoint_.pop_back();
    const std::string token = variable(env, "HF_TOKEN", "");
    has_token_ = !token.empty();
    if (has_token_) access_.headers["Authorization"] = "Bearer " + token;
  }

  Result<std::int64_t> download(const fs::path& folder) {
    SLIPWAY_TRY_ASSIGN(const Value about, listing(folder));
    const std::string commit = about.get_string("sha", model_.revision);
    const auto files = wanted(about);
    if (std::ranges::none_of(files, [](const HubFile& file) { return file.name == "config.json"; }))
      return Error{ErrorCode::NotFound, page() + " holds no config.json", "is it a model for transformers?"};
    for (const HubFile& file : files) {
      std::error_code absent;
      const auto there = fs::file_size(folder / file.name, absent);
      if (!absent && std::cmp_equal(there, file.size)) continue;
      const std::string url = endpoint_ + "/" + model_.id + "/resolve/" + http::percent_encode(commit) + "/" +
                              http::percent_encode(file.name);
      const auto fetched = download_url(transport_, url, folder / file.name, access_);
      if (!fetched) return with_cure(fetched.error());
    }
    return std::ssize(files);
  }

 private:
  [[nodiscard]] std::string page() const { return endpoint_ + "/" + model_.id; }

  // Also through a file: one way to ask, with its repetitions.
  Result<Value> listing(const fs::path& folder) {
    const std::string url =
        endpoint_ + "/api/models/" + model_.id + "/revision/" + http::percent_encode(model_.revision) + "?blobs=true";
    const fs::path file = folder / ".hub.json";
    if (const auto fetched = download_url(transport_, url, file, access_); !fetched) return with_cure(fetched.error());
    SLIPWAY_TRY_ASSIGN(const std::string text, read_whole_file(file, kListingBytesMax));
    std::error_code ignored;
    fs::remove(file, ignored);
    return parse_json(text);
  }

  static std::vector<HubFile> wanted(const Value& about) {
    std::vector<HubFile> files;
    const Value* siblings = about.find("siblings");
    if (siblings == nullptr || !siblings->is_array()) return files;
    for (const Value& one : siblings->as_array())
      if (const std::string name = one.get_string("rfilename"); is_wanted(name))
        files.push_back({name, one.get_int("size", -1)});
    // The file that makes the folder a model comes last.
    std::ranges::stable_partition(files, [](const HubFile& file) { return file.name != "config.json"; });
    return files;
  }

  // A hub answers 401 for what does not exist, too, to who has no token.
  [[nodiscard]] Error with_cure(const Error& error) const {
    if (error.code != ErrorCode::Unauthorized && error.code != ErrorCode::Forbidden) return error;
    if (!has_token_)
      return {error.code, page() + " is private, wants its licence accepted, or does not exist",
              "accept the licence on that page if it has one, and set HF_TOKEN"};
    return {error.code, "the token in HF_TOKEN does not permit " + page(),
            "accept the licence on that page with the account of the token, or take a token that may read it"};
  }

  http::Transport& transport_;
  const HubModel& model_;
  WebAccess access_;
  std::string endpoint_;
  bool has_token_ = false;
};

}  // namespace

std::optional<HubModel> parse_hub_model(std::string_view text) {
  constexpr std::string_view kScheme = "hf://";
  if (text.starts_with(kScheme)) text.remove_prefix(kScheme.size());
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto at = text.find('@', slash);
  const std::string_view organisation = text.substr(0, slash), name = text.substr(slash + 1, at - slash - 1);
  HubModel model{std::string(organisation) + "/" + std::string(name)};
  if (at != std::string_view::npos) model.revision = text.substr(at + 1);
  if (!is_part(organisation) || !is_part(name) || model.revision.empty()) return std::nullopt;
  return model;
}

Result<std::int64_t> download_model(http::Transport& transport, const HubModel& model, const fs::path& folder,
                                    const std::map<std::string, std::string>& env, WebAccess access) {
  return Hub(transport, model, env, std::move(access)).download(folder);
}

}  // namespace slipway::objects
