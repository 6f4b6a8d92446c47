#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace astroclip::serve {

/// What a client asks for, once it has been let in.
struct Request {
  std::string method;                        ///< "GET" or "POST"
  std::string path;                          ///< decoded, without the token: "api/tile"
  std::map<std::string, std::string> query;  ///< decoded
  std::string body;

  /// Throws Error naming the parameter when it is missing.
  const std::string& text(const std::string& name) const;
  /// Throws Error when the parameter is missing or no whole number from `low` to `high`.
  int64_t integer(const std::string& name, int64_t low, int64_t high) const;
  /// The same of one to `most` numbers with commas between.
  std::vector<int64_t> integers(const std::string& name, int64_t low, int64_t high, int64_t most) const;
  /// Throws Error when the parameter is missing or no finite number.
  double number(const std::string& name) const;
};

struct Response {
  std::string type = "application/json";  ///< of the contents
  std::string body = {};
  std::string file_name = {};  ///< under which a browser saves it; "": it is shown
};

/// There is nothing under that name: status 404.
class NotFound : public Error {
 public:
  using Error::Error;
};

/// Called by several threads at once. An Error is told to the client (status 400), any other exception is not (500).
using Handler = std::function<Response(const Request&)>;

struct ServerOptions {
  std::string address = "127.0.0.1";
  int port = 0;  ///< 0: one that is free
  int threads = 2;
  int64_t most_header_bytes = 8 << 10;
  int64_t most_body_bytes = 1 << 20;
  int most_connections = 64;     ///< one more ends the connection that has waited longest for a request
  int seconds_for_request = 10;  ///< from its first to its last byte, or until the first byte
  int seconds_for_response = 60;
  std::string upload_path = {};  ///< whose bodies may be longer, one at a time; "": none
  int64_t most_upload_bytes = 0;
  int seconds_for_upload = 60;
};

/// Serves HTTP/1.1 to browsers of this machine, or to all that reach its address. Every path begins with a random
/// token; a request without it, with another Host than the server's address, or of another Origin is refused. No page
/// may load anything from elsewhere (Content-Security-Policy). Requests are read and responses written without a thread
/// for each connection, so slow clients cost nothing but their connection.
class HttpServer {
 public:
  /// Listens. Throws Error when the address cannot be used.
  HttpServer(ServerOptions options, Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const;
  /// "http://127.0.0.1:PORT/TOKEN/"
  std::string url() const;
  /// Serves until `stop()`, which is asked several times a second.
  void run(const std::function<bool()>& stop);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Whether an address is this machine's own, which no other machine reaches. Throws Error when it is none, or every one
/// of this machine ("0.0.0.0", "::"): a server must know by which it is asked.
bool is_loopback(const std::string& address);

/// A path or a parameter's value as it was before it was written with percent signs. Throws Error for what is none.
std::string percent_decoded(std::string_view text);

}  // namespace astroclip::serve
