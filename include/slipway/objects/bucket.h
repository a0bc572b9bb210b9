// Objects of a Google Cloud Storage bucket as files: gs://BUCKET/KEY.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/result.h"
#include "slipway/base/time.h"
#include "slipway/http/transport.h"

namespace slipway::objects {

struct BucketPlace {
  std::string bucket;
  std::string key;  // without a leading slash; may be empty, and then means the whole bucket

  bool operator==(const BucketPlace&) const = default;
};

[[nodiscard]] bool is_bucket_uri(std::string_view uri);
// InvalidArgument unless it is gs://BUCKET or gs://BUCKET/KEY.
[[nodiscard]] Result<BucketPlace> parse_bucket_uri(std::string_view uri);

struct BucketAccess {
  // STORAGE_EMULATOR_HOST: the service elsewhere, without credentials. GOOGLE_OAUTH_ACCESS_TOKEN: a token; without it
  // the metadata server of the machine or pod is asked (GCE_METADATA_HOST: elsewhere).
  std::map<std::string, std::string> env;
  std::function<void(Duration)> wait;    // called before a request is repeated
  std::size_t piece_bytes = 32U << 20U;  // of a transfer; larger objects go in several requests. A multiple of 256 KiB
  int tries = 5;                         // of a request that is answered with 429 or 5xx, or not at all
};

// One thread at a time.
class Buckets {
 public:
  // `transport` must outlive this.
  Buckets(http::Transport& transport, BucketAccess access);

  // Keys below the prefix, in order.
  [[nodiscard]] Result<std::vector<std::string>> list(const BucketPlace& prefix);
  // The object as a file, which appears whole or not at all. Its folder is made.
  [[nodiscard]] Result<void> download(const BucketPlace& object, const std::filesystem::path& file);
  // All objects below the prefix as files below `folder`, under the rest of their keys. NotFound if there is none;
  // Corrupt if a key would leave the folder.
  [[nodiscard]] Result<std::int64_t> download_folder(const BucketPlace& prefix, const std::filesystem::path& folder);
  [[nodiscard]] Result<void> upload(const std::filesystem::path& file, const BucketPlace& object);
  // No error if there is none.
  [[nodiscard]] Result<void> remove(const BucketPlace& object);
  // Every file below `folder` that `wanted` (given the path below it) says yes to; `last`, if there, after all others.
  [[nodiscard]] Result<std::int64_t> upload_folder(const std::filesystem::path& folder, const BucketPlace& prefix,
                                                   const std::function<bool(const std::string&)>& wanted,
                                                   const std::string& last);

 private:
  Result<http::Reply> ask(http::Call call);
  Result<http::Reply> ask_expecting(http::Call call, const BucketPlace& place);
  Result<std::string> token();
  Result<void> upload_in_pieces(const std::filesystem::path& file, std::int64_t size, const BucketPlace& object);
  [[nodiscard]] std::string object_url(const BucketPlace& object) const;
  [[nodiscard]] std::string upload_url(const BucketPlace& object, std::string_view type) const;

  http::Transport& transport_;
  BucketAccess access_;
  std::string service_;
  bool emulated_ = false;
  std::string token_;
};

}  // namespace slipway::objects
