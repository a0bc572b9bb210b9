// A storage service in this process: the JSON API of Google Cloud Storage as far as the client uses it.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "slipway/base/value.h"
#include "slipway/http/server.h"

namespace slipway::objects {

class FakeStorage {
 public:
  FakeStorage() {
    auto started = http::Server::start(
        {.body_bytes_max = 64U << 20U}, [this](const http::Request& request) { return answer(request); }, Logger());
    EXPECT_TRUE(started);
    server_ = std::move(started).value();
  }

  [[nodiscard]] std::string host() const { return "127.0.0.1:" + std::to_string(server_->port()); }

  // "bucket/key" and its bytes.
  std::map<std::string, std::string> objects;
  std::vector<std::string> order;  // of uploads
  int failures = 0;                // requests that are answered with 503 first
  int status = 0;                  // of every reply, if not 0
  std::size_t page_size = 1000;
  std::mutex mutex;

 private:
  http::Response answer(const http::Request& request) {
    const std::scoped_lock lock(mutex);
    if (failures > 0) {
      --failures;
      return {.status = 503, .body = "busy"};
    }
    if (status != 0) return {.status = status, .body = "no"};
    const auto query = [&](const std::string& name) {
      const auto it = request.query.find(name);
      return it == request.query.end() ? std::string() : it->second;
    };
    if (request.path.starts_with("/session/")) return piece(request);
    const std::string bucket = between(request.path, "/b/", "/o");
    if (request.path.starts_with("/upload/")) {
      const std::string name = bucket + "/" + query("name");
      if (query("uploadType") == "resumable") {
        sessions_.push_back(name);
        const std::string place = "http://" + host() + "/session/" + std::to_string(sessions_.size() - 1);
        return {.body = "{}", .headers = {{"Location", place}}};
      }
      return keep(name, request.body);
    }
    if (request.path.ends_with("/o")) return listing(bucket, query("prefix"), query("pageToken"));
    const std::string name = bucket + "/" + request.path.substr(request.path.find("/o/") + 3);
    const auto it = objects.find(name);
    if (it == objects.end()) return {.status = 404, .body = "{}"};
    if (request.method == "DELETE") {
      objects.erase(it);
      return {.status = 204};
    }
    if (query("alt") != "media") return {.body = R"({"size":")" + std::to_string(it->second.size()) + "\"}"};
    const std::string range = request.header("Range");
    const auto first = std::stoul(range.substr(6)), last = std::stoul(range.substr(range.find('-') + 1));
    return {
        .status = 206, .content_type = "application/octet-stream", .body = it->second.substr(first, last - first + 1)};
  }

  static std::string between(const std::string& text, const std::string& from, const std::string& to) {
    const auto begin = text.find(from) + from.size();
    return text.substr(begin, text.find(to, begin) - begin);
  }

  http::Response keep(const std::string& name, const std::string& bytes) {
    objects[name] = bytes;
    order.push_back(name);
    return {.body = "{}"};
  }

  http::Response piece(const http::Request& request) {
    const std::string name = sessions_.at(std::stoul(request.path.substr(9)));
    std::string& held = pending_[name];
    const std::string content = request.header("Content-Range");
    EXPECT_EQ(std::stoul(content.substr(6)), held.size()) << "pieces follow one another";
    held += request.body;
    if (held.size() < std::stoul(content.substr(content.find('/') + 1))) return {.status = 308};
    return keep(name, held);
  }

  http::Response listing(const std::string& bucket, const std::string& prefix, const std::string& after) const {
    Value::Array items;
    std::string next;
    for (const auto& [name, bytes] : objects) {
      if (!name.starts_with(bucket + "/" + prefix) || name <= after) continue;
      if (items.size() == page_size) {
        next = bucket + "/" + items.back().get_string("name");
        break;
      }
      items.emplace_back(Value::Object{{"name", name.substr(bucket.size() + 1)}});
    }
    Value body = Value::Object{{"items", std::move(items)}};
    if (!next.empty()) body["nextPageToken"] = next;
    return {.body = body.dump()};
  }

  std::vector<std::string> sessions_;
  std::map<std::string, std::string> pending_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace slipway::objects
