// What the users of libcurl in this folder share.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>
#include <string_view>

#include "slipway/base/error.h"
#include "slipway/http/message.h"

namespace slipway::http {

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;
using List = std::unique_ptr<curl_slist, ListDeleter>;

inline void append(List& list, const std::string& line) { list.reset(curl_slist_append(list.release(), line.c_str())); }

// "Name: value\r\n" into `headers`; other lines are ignored.
void add_header_line(std::string_view line, Headers& headers);

// "GET http://…: <detail>" for a request that got no reply.
[[nodiscard]] Error curl_error(CURLcode code, const std::string& request, const char* detail,
                               std::size_t reply_bytes_max);

}  // namespace slipway::http
