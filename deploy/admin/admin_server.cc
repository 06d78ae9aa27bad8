// SPDX-License-Identifier: Apache-2.0
#include "deploy/admin/admin_server.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"

namespace reef::deploy {
namespace {

constexpr int kIdleSeconds = 10;
constexpr ssize_t kHeadBytesMax = 16 * 1024;
constexpr ssize_t kBodyBytesMax = 1024;  // of a request, which needs none

struct FreeBuffer {
  void operator()(evbuffer* buffer) const { evbuffer_free(buffer); }
};

struct Page {
  int status = 200;
  const char* type = "text/plain; charset=utf-8";
  std::string body;
};

const char* Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    default:
      return "Service Unavailable";
  }
}

void Send(evhttp_request* request, const Page& page) {
  evkeyvalq* const fields = evhttp_request_get_output_headers(request);
  evhttp_add_header(fields, "Content-Type", page.type);
  evhttp_add_header(fields, "Cache-Control", "no-store");
  evhttp_add_header(fields, "X-Content-Type-Options", "nosniff");
  evhttp_add_header(fields, "Referrer-Policy", "no-referrer");
  // The page is one file: its own script and style, data from here, nothing from elsewhere.
  evhttp_add_header(fields, "Content-Security-Policy",
                    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
                    "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
                    "frame-ancestors 'none'");
  // evhttp would send the body of an answer to HEAD too (RFC 9110, 9.3.2).
  const bool is_head = evhttp_request_get_command(request) == EVHTTP_REQ_HEAD;
  if (is_head) {
    evhttp_add_header(fields, "Content-Length", std::to_string(page.body.size()).c_str());
  }
  if (page.status == 405) evhttp_add_header(fields, "Allow", "GET, HEAD");
  const std::unique_ptr<evbuffer, FreeBuffer> body(evbuffer_new());
  if (!is_head) evbuffer_add(body.get(), page.body.data(), page.body.size());
  evhttp_send_reply(request, page.status, Reason(page.status), body.get());
}

Page Health(const std::vector<std::string>& complaints, std::string_view good) {
  if (complaints.empty()) return {.body = std::string(good) + "\n"};
  Page page{.status = 503, .body = ""};
  for (const std::string& complaint : complaints) page.body += complaint + "\n";
  return page;
}

}  // namespace

bool IsTrustedHost(std::string_view host, const std::vector<std::string>& names) {
  if (Endpoint::Parse(host) || IpAddress::Parse(host)) return true;
  if (host.starts_with('[') && host.ends_with(']')) {
    return IpAddress::Parse(host.substr(1, host.size() - 2)).has_value();
  }
  if (const size_t colon = host.rfind(':'); colon != std::string_view::npos) {
    if (!ParseDecimal(host.substr(colon + 1))) return false;
    host = host.substr(0, colon);
  }
  const std::string name = AsciiLower(host);
  return name == "localhost" || std::ranges::find(names, name) != names.end();
}

void AdminServer::FreeHttp::operator()(evhttp* http) const {
  evhttp_free(http);
}

AdminServer::AdminServer(Options options, Pages pages)
    : options_(std::move(options)), pages_(std::move(pages)), thread_("admin") {}

AdminServer::~AdminServer() {
  Stop();
}

Status AdminServer::Start() {
  ASSIGN_OR_RETURN(UniqueFd fd, ListenTcp(options_.listen, false));
  endpoint_ = LocalEndpoint(fd.get());
  thread_.RunAndWait([&] {
    http_.reset(evhttp_new(thread_.loop().base()));
    REEF_CHECK(http_ != nullptr) << "evhttp: out of memory";
    evhttp_set_timeout(http_.get(), kIdleSeconds);
    evhttp_set_max_headers_size(http_.get(), kHeadBytesMax);
    evhttp_set_max_body_size(http_.get(), kBodyBytesMax);
    evhttp_set_allowed_methods(http_.get(), EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
                                                EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                                EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
    const auto answer = [](evhttp_request* request, void* self) {
      static_cast<AdminServer*>(self)->Answer(request);
    };
    evhttp_set_gencb(http_.get(), answer, this);
    // Closes the descriptor when freed, unless it fails.
    REEF_CHECK(evhttp_accept_socket(http_.get(), fd.get()) == 0) << "evhttp cannot accept";
    [[maybe_unused]] const int owned = fd.Release();
  });
  return absl::OkStatus();
}

void AdminServer::Stop() {
  if (std::exchange(stopped_, true)) return;
  thread_.RunAndWait([this] { http_.reset(); });
  thread_.StopAndJoin();
}

void AdminServer::Answer(evhttp_request* request) {
  const char* const host = evhttp_find_header(evhttp_request_get_input_headers(request), "Host");
  if (host == nullptr || !IsTrustedHost(host, options_.names)) {
    return Send(
        request,
        {.status = 403,
         .body = "This name is not one of this node's: use its address, localhost, or a name "
                 "listed under admin.hosts in its configuration.\n"});
  }
  const evhttp_cmd_type method = evhttp_request_get_command(request);
  if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
    return Send(request, {.status = 405, .body = "Only GET and HEAD: nothing here acts.\n"});
  }
  const evhttp_uri* const uri = evhttp_request_get_evhttp_uri(request);
  const char* const raw_path = evhttp_uri_get_path(uri);
  const std::string_view path = raw_path == nullptr ? "" : raw_path;
  if (path == "/livez") return Send(request, Health(pages_.why_not_alive(), "alive"));
  if (path == "/readyz") return Send(request, Health(pages_.why_not_ready(), "ready"));
  if (path == "/metrics") {
    return Send(request,
                {.type = "text/plain; version=0.0.4; charset=utf-8", .body = pages_.metrics()});
  }
  if (path == "/status.json") {
    return Send(request, {.type = "application/json", .body = pages_.status_json()});
  }
  if (path == "/") {
    return Send(request,
                {.type = "text/html; charset=utf-8", .body = std::string(pages_.dashboard)});
  }
  Send(request, {.status = 404, .body = "Here are: / /livez /readyz /metrics /status.json\n"});
}

}  // namespace reef::deploy
