#include "slipway/objects/web_file.h"

#include <charconv>
#include <fstream>
#include <optional>

#include "slipway/base/file.h"

namespace slipway::objects {
namespace {

namespace fs = std::filesystem;

constexpr Duration kFirstWait = std::chrono::milliseconds(500);
constexpr Duration kTransferLimit = std::chrono::minutes(10);
constexpr int kRedirectsMax = 5;
constexpr int kPartial = 206;
constexpr int kNoSuchRange = 416;

std::string header(const http::Reply& reply, std::string_view name) {
  const auto it = reply.headers.find(name);
  return it == reply.headers.end() ? std::string() : it->second;
}

std::optional<std::int64_t> number_at(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

// "bytes 0-99/1234": where it begins and how long the whole is.
struct Part {
  std::int64_t first = 0;
  std::int64_t total = 0;
};
std::optional<Part> part_of(const http::Reply& reply) {
  const std::string range = header(reply, "Content-Range");
  const auto slash = range.find('/');
  if (!range.starts_with("bytes ") || slash == std::string::npos) return std::nullopt;
  const auto first = number_at(std::string_view(range).substr(6));
  const auto total = number_at(std::string_view(range).substr(slash + 1));
  return first && total ? std::optional(Part{*first, *total}) : std::nullopt;
}

Error refusal(const http::Reply& reply, const std::string& url) {
  const std::string status = std::to_string(reply.status);
  if (reply.status == 404 || reply.status == 410) return {ErrorCode::NotFound, url + " does not exist", {}};
  if (reply.status == 401) return {ErrorCode::Unauthorized, url + " wants credentials", {}};
  if (reply.status == 403) return {ErrorCode::Forbidden, url + " is not permitted", {}};
  return {ErrorCode::Unavailable, url + ": the server said " + status, "try again later"};
}

bool worth_repeating(const Result<http::Reply>& reply) {
  if (!reply) return reply.error().code == ErrorCode::Unavailable || reply.error().code == ErrorCode::TimedOut;
  return reply->status == 429 || reply->status == 408 || reply->status >= 500;
}

class Download {
 public:
  Download(http::Transport& transport, const std::string& url, const fs::path& partial, const WebAccess& access)
      : transport_(transport), url_(url), partial_(partial), access_(access) {
    begin_again();
  }

  Result<std::int64_t> run() {
    while (!whole_) {
      SLIPWAY_TRY_ASSIGN(const http::Reply reply, ask());
      SLIPWAY_TRY(take(reply));
    }
    out_.close();
    if (!out_) return Error{ErrorCode::Io, "writing " + partial_.string() + " failed", {}};
    return size_;
  }

 private:
  void begin_again() {
    out_.close();
    out_.open(partial_, std::ios::binary | std::ios::trunc);
    size_ = 0;
  }

  Result<http::Reply> ask() {
    http::Call call{.url = url_,
                    .headers = access_.headers,
                    .timeout = kTransferLimit,
                    .reply_bytes_max = std::max(access_.whole_bytes_max, access_.piece_bytes + (1U << 20U)),
                    .redirects_max = kRedirectsMax};
    call.headers["Accept-Encoding"] = "identity";
    call.headers["Range"] = "bytes=" + std::to_string(size_) + "-" +
                            std::to_string(size_ + static_cast<std::int64_t>(access_.piece_bytes) - 1);
    // Another version is sent whole instead of a part that does not fit.
    if (size_ > 0 && !version_.empty()) call.headers["If-Range"] = version_;
    Duration wait = kFirstWait;
    for (int left = access_.tries - 1;; --left, wait *= 2) {
      auto reply = transport_.send(call);
      if (!worth_repeating(reply) || left <= 0) {
        if (!reply) return reply.error().in(url_);
        return reply;
      }
      access_.wait(wait);
    }
  }

  Result<void> take(const http::Reply& reply) {
    const auto part = part_of(reply);
    if (reply.status == kPartial && part && part->first == size_ && !reply.body.empty()) {
      version_ = header(reply, "ETag");
      if (version_.starts_with("W/")) version_.clear();
      return write(reply.body, part->total);
    }
    if (reply.status == kPartial)
      return Error{ErrorCode::Corrupt, url_ + ": the server sent another part than was asked for", "try again"};
    if (reply.status == kNoSuchRange && size_ == 0) return write("", 0);
    if (reply.status != 200) return refusal(reply, url_);
    begin_again();
    return write(reply.body, static_cast<std::int64_t>(reply.body.size()));
  }

  Result<void> write(std::string_view bytes, std::int64_t total) {
    out_ << bytes;
    if (!out_) return Error{ErrorCode::Io, "writing " + partial_.string() + " failed", {}};
    size_ += static_cast<std::int64_t>(bytes.size());
    whole_ = size_ >= total;
    return {};
  }

  http::Transport& transport_;
  const std::string& url_;
  const fs::path& partial_;
  const WebAccess& access_;
  std::ofstream out_;
  std::string version_;  // a strong ETag, if there is one
  std::int64_t size_ = 0;
  bool whole_ = false;
};

}  // namespace

bool is_web_url(std::string_view uri) { return uri.starts_with("http://") || uri.starts_with("https://"); }

std::string web_file_name(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  const auto host = url.find("://");
  if (host != std::string_view::npos) url.remove_prefix(host + 3);
  const auto slash = url.rfind('/');
  const std::string name = slash == std::string_view::npos ? "" : http::percent_decode(url.substr(slash + 1));
  const bool usable = !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
                      name.find('\0') == std::string::npos;
  return usable ? name : "download";
}

Result<std::int64_t> download_url(http::Transport& transport, const std::string& url, const fs::path& file,
                                  const WebAccess& access) {
  std::error_code failure;
  if (file.has_parent_path()) fs::create_directories(file.parent_path(), failure);
  if (failure) return errno_error("making " + file.parent_path().string(), failure.value());
  const fs::path partial = file.string() + ".partial";
  const auto size = Download(transport, url, partial, access).run();
  if (!size) {
    fs::remove(partial, failure);
    return size.error();
  }
  SLIPWAY_TRY(sync_to_disk(partial));
  fs::rename(partial, file, failure);
  if (failure) return errno_error("renaming " + partial.string(), failure.value());
  return size;
}

}  // namespace slipway::objects
