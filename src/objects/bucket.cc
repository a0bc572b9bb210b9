#include "slipway/objects/bucket.h"

#include <algorithm>
#include <fstream>

#include "slipway/base/file.h"
#include "slipway/base/value.h"

namespace slipway::objects {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kScheme = "gs://";
constexpr std::size_t kSmallBytes = 8U << 20U;  // sent in one request
constexpr Duration kFirstWait = std::chrono::milliseconds(500);
constexpr Duration kTransferLimit = std::chrono::minutes(10);
constexpr int kResume = 308;

std::string variable(const std::map<std::string, std::string>& env, const std::string& name) {
  const auto it = env.find(name);
  return it == env.end() ? std::string() : it->second;
}

std::string with_scheme(const std::string& host) {
  return host.find("://") == std::string::npos ? "http://" + host : host;
}

std::string uri_of(const BucketPlace& place) {
  return std::string(kScheme).append(place.bucket).append("/").append(place.key);
}

bool worth_repeating(const Result<http::Reply>& reply) {
  if (!reply) return reply.error().code == ErrorCode::Unavailable || reply.error().code == ErrorCode::TimedOut;
  return reply->status == 429 || reply->status == 408 || reply->status >= 500;
}

Error refusal(const http::Reply& reply, const BucketPlace& place) {
  const std::string uri = uri_of(place), status = std::to_string(reply.status);
  if (reply.status == 404) return {ErrorCode::NotFound, uri + " does not exist", {}};
  if (reply.status == 401)
    return {ErrorCode::Unauthorized, "the credentials for " + uri + " were refused",
            "set GOOGLE_OAUTH_ACCESS_TOKEN, or run where the metadata server gives a token"};
  if (reply.status == 403)
    return {ErrorCode::Forbidden, "the credentials do not permit " + uri,
            "grant the service account roles/storage.objectUser on the bucket"};
  return {ErrorCode::Unavailable, uri + ": the storage service said " + status + " " + reply.body.substr(0, 200), {}};
}

std::string header(const http::Reply& reply, std::string_view name) {
  const auto it = reply.headers.find(name);
  return it == reply.headers.end() ? std::string() : it->second;
}

// The path below `folder` that a key's rest names; Corrupt if it would be elsewhere.
Result<fs::path> inside(const fs::path& folder, const std::string& rest) {
  const fs::path relative = fs::path(rest).lexically_normal();
  if (relative.empty() || relative.is_absolute() || *relative.begin() == "..")
    return Error{ErrorCode::Corrupt, "the object name `" + rest + "` leaves its folder", {}};
  return folder / relative;
}

Result<std::string> read_piece(std::ifstream& file, std::int64_t size, const fs::path& path) {
  std::string bytes(static_cast<std::size_t>(size), '\0');
  file.read(bytes.data(), size);
  if (!file) return Error{ErrorCode::Io, "reading " + path.string() + " failed", {}};
  return bytes;
}

std::string range(std::int64_t first, std::int64_t last) { return std::to_string(first) + "-" + std::to_string(last); }

// Sorted paths below `folder`, files only.
Result<std::vector<std::string>> files_below(const fs::path& folder) {
  std::vector<std::string> files;
  std::error_code failure;
  for (fs::recursive_directory_iterator at(folder, failure), end; !failure && at != end; at.increment(failure))
    if (at->is_regular_file(failure)) files.push_back(fs::path(at->path()).lexically_relative(folder).string());
  if (failure) return errno_error("listing " + folder.string(), failure.value());
  std::ranges::sort(files);
  return files;
}

}  // namespace

bool is_bucket_uri(std::string_view uri) { return uri.starts_with(kScheme); }

Result<BucketPlace> parse_bucket_uri(std::string_view uri) {
  const auto wrong = [&] {
    return Error{ErrorCode::InvalidArgument, "`" + std::string(uri) + "` names no bucket", "write gs://BUCKET/KEY"};
  };
  if (!is_bucket_uri(uri)) return wrong();
  const std::string_view rest = uri.substr(kScheme.size());
  const auto slash = rest.find('/');
  BucketPlace place{std::string(rest.substr(0, slash)),
                    slash == std::string_view::npos ? std::string() : std::string(rest.substr(slash + 1))};
  if (place.bucket.empty()) return wrong();
  return place;
}

Buckets::Buckets(http::Transport& transport, BucketAccess access) : transport_(transport), access_(std::move(access)) {
  const std::string emulator = variable(access_.env, "STORAGE_EMULATOR_HOST");
  emulated_ = !emulator.empty();
  service_ = emulated_ ? with_scheme(emulator) : "https://storage.googleapis.com";
  while (service_.ends_with('/')) service_.pop_back();
}

Result<std::string> Buckets::token() {
  if (emulated_ || !token_.empty()) return token_;
  token_ = variable(access_.env, "GOOGLE_OAUTH_ACCESS_TOKEN");
  if (!token_.empty()) return token_;
  std::string host = variable(access_.env, "GCE_METADATA_HOST");
  if (host.empty()) host = "metadata.google.internal";
  const auto reply =
      transport_.send({.url = with_scheme(host) + "/computeMetadata/v1/instance/service-accounts/default/token",
                       .headers = {{"Metadata-Flavor", "Google"}},
                       .timeout = std::chrono::seconds(5),
                       .direct = true});
  const auto body = reply && reply->status == 200 ? parse_json(reply->body) : Result<Value>(Error{});
  if (body) token_ = body->get_string("access_token");
  if (token_.empty())
    return Error{ErrorCode::Unauthorized, "there are no credentials for Google Cloud Storage",
                 "set GOOGLE_OAUTH_ACCESS_TOKEN, or run where the metadata server gives a token"};
  return token_;
}

// A token that has expired is fetched again, once.
Result<http::Reply> Buckets::ask(http::Call call) {
  call.timeout = kTransferLimit;
  call.reply_bytes_max = access_.piece_bytes + (1U << 20U);
  Duration wait = kFirstWait;
  bool renewed = false;
  for (int left = access_.tries - 1;;) {
    SLIPWAY_TRY_ASSIGN(const std::string token, this->token());
    if (!token.empty()) call.headers["Authorization"] = "Bearer " + token;
    auto reply = transport_.send(call);
    if (reply && reply->status == 401 && !renewed && !emulated_) {
      renewed = true;
      token_.clear();
      continue;
    }
    if (!worth_repeating(reply) || left-- <= 0) return reply;
    access_.wait(wait);
    wait *= 2;
  }
}

Result<http::Reply> Buckets::ask_expecting(http::Call call, const BucketPlace& place) {
  auto reply = ask(std::move(call));
  if (!reply) return reply.error().in(uri_of(place));
  if (reply->status < 200 || (reply->status >= 300 && reply->status != kResume)) return refusal(*reply, place);
  return reply;
}

std::string Buckets::object_url(const BucketPlace& object) const {
  return service_ + "/storage/v1/b/" + http::percent_encode(object.bucket) + "/o/" + http::percent_encode(object.key);
}

std::string Buckets::upload_url(const BucketPlace& object, std::string_view type) const {
  return (service_ + "/upload/storage/v1/b/" + http::percent_encode(object.bucket) + "/o?uploadType=").append(type) +
         "&name=" + http::percent_encode(object.key);
}

Result<std::vector<std::string>> Buckets::list(const BucketPlace& prefix) {
  std::vector<std::string> keys;
  std::string page;
  do {
    const std::string url = service_ + "/storage/v1/b/" + http::percent_encode(prefix.bucket) +
                            "/o?fields=items(name),nextPageToken&prefix=" + http::percent_encode(prefix.key) +
                            (page.empty() ? "" : "&pageToken=" + http::percent_encode(page));
    SLIPWAY_TRY_ASSIGN(const http::Reply reply, ask_expecting({.url = url}, prefix));
    SLIPWAY_TRY_ASSIGN(const Value body, parse_json(reply.body));
    if (const Value* items = body.find("items"); items != nullptr && items->is_array())
      for (const Value& item : items->as_array()) keys.push_back(item.get_string("name"));
    page = body.get_string("nextPageToken");
  } while (!page.empty());
  return keys;
}

Result<void> Buckets::download(const BucketPlace& object, const fs::path& file) {
  SLIPWAY_TRY_ASSIGN(const http::Reply about, ask_expecting({.url = object_url(object) + "?fields=size"}, object));
  SLIPWAY_TRY_ASSIGN(const Value described, parse_json(about.body));
  const std::int64_t size = std::atoll(described.get_string("size").c_str());
  std::error_code failure;
  if (file.has_parent_path()) fs::create_directories(file.parent_path(), failure);
  if (failure) return errno_error("making " + file.parent_path().string(), failure.value());
  const fs::path partial = file.string() + ".partial";
  std::ofstream out(partial, std::ios::binary | std::ios::trunc);
  const auto piece = static_cast<std::int64_t>(access_.piece_bytes);
  for (std::int64_t first = 0; first < size; first += piece) {
    const std::int64_t last = std::min(first + piece, size) - 1;
    SLIPWAY_TRY_ASSIGN(const http::Reply reply, ask_expecting({.url = object_url(object) + "?alt=media",
                                                               .headers = {{"Range", "bytes=" + range(first, last)}}},
                                                              object));
    if (std::cmp_not_equal(reply.body.size(), last - first + 1))
      return Error{ErrorCode::Corrupt, uri_of(object) + " came in another length than it has", "try again"};
    out << reply.body;
  }
  out.close();
  if (!out) return Error{ErrorCode::Io, "writing " + partial.string() + " failed", {}};
  SLIPWAY_TRY(sync_to_disk(partial));
  fs::rename(partial, file, failure);
  if (failure) return errno_error("renaming " + partial.string(), failure.value());
  return {};
}

Result<std::int64_t> Buckets::download_folder(const BucketPlace& prefix, const fs::path& folder) {
  BucketPlace below = prefix;
  if (!below.key.empty() && !below.key.ends_with('/')) below.key += '/';
  SLIPWAY_TRY_ASSIGN(const auto keys, list(below));
  std::int64_t count = 0;
  for (const auto& key : keys) {
    if (key.ends_with('/')) continue;  // a folder that a console made
    SLIPWAY_TRY_ASSIGN(const fs::path file, inside(folder, key.substr(below.key.size())));
    SLIPWAY_TRY(download({below.bucket, key}, file));
    ++count;
  }
  if (count == 0) return Error{ErrorCode::NotFound, uri_of(prefix) + " holds nothing", {}};
  return count;
}

Result<void> Buckets::upload(const fs::path& file, const BucketPlace& object) {
  std::error_code failure;
  const auto size = fs::file_size(file, failure);
  if (failure) return errno_error("reading " + file.string(), failure.value());
  if (size > kSmallBytes) return upload_in_pieces(file, static_cast<std::int64_t>(size), object);
  SLIPWAY_TRY_ASSIGN(std::string bytes, read_whole_file(file, kSmallBytes));
  const auto sent = ask_expecting({.method = "POST",
                                   .url = upload_url(object, "media"),
                                   .headers = {{"Content-Type", "application/octet-stream"}},
                                   .body = std::move(bytes)},
                                  object);
  return sent ? Result<void>() : Result<void>(sent.error());
}

Result<void> Buckets::remove(const BucketPlace& object) {
  const auto removed = ask_expecting({.method = "DELETE", .url = object_url(object)}, object);
  if (!removed && removed.error().code != ErrorCode::NotFound) return removed.error();
  return {};
}

Result<void> Buckets::upload_in_pieces(const fs::path& file, std::int64_t size, const BucketPlace& object) {
  SLIPWAY_TRY_ASSIGN(const http::Reply begun, ask_expecting({.method = "POST",
                                                             .url = upload_url(object, "resumable"),
                                                             .headers = {{"Content-Type", "application/json"}},
                                                             .body = "{}"},
                                                            object));
  const std::string session = header(begun, "Location");
  if (session.empty())
    return Error{ErrorCode::Unavailable, uri_of(object) + ": the storage service opened no upload", {}};
  std::ifstream in(file, std::ios::binary);
  const auto piece = static_cast<std::int64_t>(access_.piece_bytes);
  for (std::int64_t first = 0; first < size; first += piece) {
    const std::int64_t last = std::min(first + piece, size) - 1;
    SLIPWAY_TRY_ASSIGN(std::string bytes, read_piece(in, last - first + 1, file));
    const std::string content = "bytes " + range(first, last) + "/" + std::to_string(size);
    const auto sent = ask_expecting(
        {.method = "PUT", .url = session, .headers = {{"Content-Range", content}}, .body = std::move(bytes)}, object);
    if (!sent) return sent.error();
  }
  return {};
}

Result<std::int64_t> Buckets::upload_folder(const fs::path& folder, const BucketPlace& prefix,
                                            const std::function<bool(const std::string&)>& wanted,
                                            const std::string& last) {
  SLIPWAY_TRY_ASSIGN(auto files, files_below(folder));
  std::erase_if(files, [&](const std::string& file) { return !wanted(file); });
  std::ranges::stable_partition(files, [&](const std::string& file) { return file != last; });
  std::string root = prefix.key;
  if (!root.empty() && !root.ends_with('/')) root += '/';
  for (const auto& file : files) SLIPWAY_TRY(upload(folder / file, {prefix.bucket, root + file}));
  return std::ssize(files);
}

}  // namespace slipway::objects
