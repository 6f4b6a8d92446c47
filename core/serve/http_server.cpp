#include "serve/http_server.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <cmath>
#include <cstring>
#include <list>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/printable.h"

namespace astroclip::serve {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using Clock = std::chrono::steady_clock;

constexpr size_t token_bytes = 16;
constexpr std::chrono::milliseconds between_looks(100);  // for a request to stop
constexpr size_t read_buffer_bytes = 16 << 10;

std::string random_token() {
  std::array<unsigned char, token_bytes> bytes;
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    throw Error("the system gives no random numbers");
  std::string token;
  for (const unsigned char byte : bytes) token += fmt::format("{:02x}", byte);
  return token;
}

/// In a time that does not depend on where they differ.
bool same_secret(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]));
  }
  return difference == 0;
}

struct Refusal {
  http::status status;
  std::string reason;
};

std::string json_error(const std::string& message) {
  return nlohmann::json{{"error", printable(message)}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::map<std::string, std::string> parsed_query(std::string_view text) {
  std::map<std::string, std::string> query;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    const size_t equals = pair.find('=');
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    query[percent_decoded(pair.substr(0, equals))] = percent_decoded(value);
  }
  return query;
}

int64_t whole_number(const std::string& name, std::string_view value, int64_t low, int64_t high) {
  int64_t number = 0;
  const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (problem == std::errc() && end == value.data() + value.size() && number >= low && number <= high) return number;
  throw Error(
      fmt::format("the parameter '{}' must be a whole number from {} to {}, found '{}'", name, low, high, value));
}

}  // namespace

bool is_loopback(const std::string& address) {
  boost::system::error_code problem;
  const asio::ip::address own = asio::ip::make_address(address, problem);
  if (problem) throw Error(fmt::format("'{}' is no address such as 127.0.0.1 or ::1", printable(address, 100)));
  if (own.is_unspecified())
    throw Error(
        fmt::format("'{}' is every address of this machine; name the one at which it is to be reached", address));
  return own.is_loopback();
}

std::string percent_decoded(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    unsigned value = 0;
    const std::string_view digits = text.substr(i + 1, 2);
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() < 2 || problem != std::errc() || end != digits.data() + 2 || value == 0)
      throw Error(fmt::format("'{}' is no percent-encoded text", printable(std::string(text), 100)));
    plain += static_cast<char>(value);
    i += 2;
  }
  return plain;
}

const std::string& Request::text(const std::string& name) const {
  const auto found = query.find(name);
  if (found == query.end()) throw Error(fmt::format("the parameter '{}' is missing", name));
  return found->second;
}

int64_t Request::integer(const std::string& name, int64_t low, int64_t high) const {
  return whole_number(name, text(name), low, high);
}

std::vector<int64_t> Request::integers(const std::string& name, int64_t low, int64_t high, int64_t most) const {
  std::vector<int64_t> all;
  const std::string& list = text(name);
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    if (std::ssize(all) == most) throw Error(fmt::format("the parameter '{}' has more than {} numbers", name, most));
    all.push_back(whole_number(name, std::string_view(list).substr(begin, end - begin), low, high));
    begin = end + 1;
  }
  return all;
}

double Request::number(const std::string& name) const {
  const std::string& value = text(name);
  double number = 0.0;
  const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (problem == std::errc() && end == value.data() + value.size() && std::isfinite(number)) return number;
  throw Error(fmt::format("the parameter '{}' must be a number, found '{}'", name, value));
}

struct HttpServer::State {
  /// A connection, which serves one request after another.
  struct Connection : std::enable_shared_from_this<Connection> {
    Connection(State& server, tcp::socket socket) : owner(server), stream(std::move(socket)) {}

    void read() {
      end_upload();
      parser.emplace();
      parser->header_limit(static_cast<uint32_t>(owner.options.most_header_bytes));
      parser->body_limit(
          static_cast<uint64_t>(std::max(owner.options.most_body_bytes, owner.options.most_upload_bytes)));
      waiting_since = Clock::now();
      is_waiting = true;
      stream.expires_after(std::chrono::seconds(owner.options.seconds_for_request));
      http::async_read_header(stream, buffer, *parser, [self = shared_from_this()](beast::error_code error, size_t) {
        self->is_waiting = false;
        self->on_header(error);
      });
    }

    void on_header(beast::error_code error) {
      if (error) return end_after(error);
      if (const auto refusal = owner.refusal_of(parser->get())) return refuse(*refusal);
      if (owner.is_upload(parser->get())) {
        if (owner.is_uploading) return refuse({http::status::service_unavailable, "another upload is under way"});
        owner.is_uploading = is_uploading = true;
        stream.expires_after(std::chrono::seconds(owner.options.seconds_for_upload));
      } else {
        const auto most = static_cast<uint64_t>(owner.options.most_body_bytes);
        if (parser->content_length() && *parser->content_length() > most) return end_after(http::error::body_limit);
        parser->body_limit(most);
      }
      http::async_read(stream, buffer, *parser, [self = shared_from_this()](beast::error_code problem, size_t) {
        if (problem) return self->end_after(problem);
        self->answer();
      });
    }

    void end_upload() {
      if (is_uploading) owner.is_uploading = is_uploading = false;
    }

    /// Tells a client whose request is too long; others have gone.
    void end_after(beast::error_code error) {
      if (error == http::error::header_limit)
        return refuse({http::status::request_header_fields_too_large, "the header is too long"});
      if (error == http::error::body_limit) return refuse({http::status::payload_too_large, "the body is too long"});
      if (error == beast::error::timeout || error == http::error::end_of_stream ||
          error == http::error::partial_message || error == asio::error::operation_aborted ||
          error == asio::error::connection_reset)
        return end();
      refuse({http::status::bad_request, "this is no HTTP"});
    }

    void answer() {
      stream.expires_never();  // the handler takes the time that it takes
      asio::post(owner.workers, [self = shared_from_this()] {
        auto made = self->owner.respond(self->parser->get());
        asio::post(self->stream.get_executor(), [self, made = std::move(made)]() mutable {
          self->write(std::move(made), self->parser->get().keep_alive());
        });
      });
    }

    void refuse(const Refusal& refusal) {
      auto made = std::make_shared<http::response<http::string_body>>();
      made->result(refusal.status);
      made->set(http::field::content_type, "application/json");
      made->body() = json_error(refusal.reason);
      write(std::move(made), false);
    }

    void write(std::shared_ptr<http::response<http::string_body>> made, bool keep_alive) {
      response = std::move(made);
      response->version(11);
      response->keep_alive(keep_alive);
      for (const auto& [name, value] : std::initializer_list<std::pair<const char*, const char*>>{
               {"Content-Security-Policy",
                "default-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors "
                "'none'"},
               {"X-Content-Type-Options", "nosniff"},
               {"Cross-Origin-Resource-Policy", "same-origin"},
               {"Cross-Origin-Opener-Policy", "same-origin"},
               {"Referrer-Policy", "no-referrer"},
               {"Cache-Control", "no-store"}}) {
        response->set(name, value);
      }
      response->prepare_payload();
      stream.expires_after(std::chrono::seconds(owner.options.seconds_for_response));
      http::async_write(stream, *response, [self = shared_from_this(), keep_alive](beast::error_code error, size_t) {
        if (error || !keep_alive) return self->end();
        self->response.reset();
        self->read();
      });
    }

    void end() {
      if (has_ended) return;
      has_ended = true;
      end_upload();
      beast::error_code ignored;
      stream.socket().shutdown(tcp::socket::shutdown_both, ignored);
      stream.close();
      owner.forget(this);
    }

    State& owner;
    beast::tcp_stream stream;
    beast::flat_buffer buffer{read_buffer_bytes};
    std::optional<http::request_parser<http::string_body>> parser;
    std::shared_ptr<http::response<http::string_body>> response;
    Clock::time_point waiting_since;
    bool is_waiting = false, has_ended = false, is_uploading = false;
  };

  State(ServerOptions its_options, Handler its_handler)
      : options(std::move(its_options)),
        handler(std::move(its_handler)),
        acceptor(context),
        timer(context),
        workers(static_cast<size_t>(std::max(1, options.threads))),
        token(random_token()),
        is_on_loopback(is_loopback(options.address)) {
    try {
      const tcp::endpoint endpoint(asio::ip::make_address(options.address), static_cast<uint16_t>(options.port));
      acceptor.open(endpoint.protocol());
      acceptor.set_option(tcp::acceptor::reuse_address(true));
      acceptor.bind(endpoint);
      acceptor.listen();
    } catch (const boost::system::system_error& error) {
      throw Error(
          fmt::format("cannot listen at {}, port {}: {}", options.address, options.port, error.code().message()));
    }
    port = acceptor.local_endpoint().port();
    const bool is_v6 = options.address.find(':') != std::string::npos;
    host = fmt::format("{}:{}", is_v6 ? fmt::format("[{}]", options.address) : options.address, port);
  }

  void accept() {
    acceptor.async_accept([this](beast::error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) {  // out of file descriptors: others will end
        timer_of_accept.emplace(context, between_looks);
        timer_of_accept->async_wait([this](beast::error_code) { accept(); });
        return;
      }
      if (std::ssize(connections) >= options.most_connections) end_longest_waiting();
      if (std::ssize(connections) < options.most_connections) {
        connections.push_back(std::make_shared<Connection>(*this, std::move(socket)));
        connections.back()->read();
      }
      accept();
    });
  }

  void end_longest_waiting() {
    std::shared_ptr<Connection> longest;
    for (const auto& connection : connections) {
      if (connection->is_waiting && (!longest || connection->waiting_since < longest->waiting_since))
        longest = connection;
    }
    if (longest) longest->end();
  }

  void forget(const Connection* connection) {
    connections.remove_if([&](const auto& one) { return one.get() == connection; });
  }

  void look_for_stop(const std::function<bool()>& stop) {
    timer.expires_after(between_looks);
    timer.async_wait([this, stop](beast::error_code) {
      if (stop())
        context.stop();
      else
        look_for_stop(stop);
    });
  }

  /// Whether a host is this server: by its address, or on loopback by its name.
  bool is_own_host(std::string_view name) const {
    return name == host || (is_on_loopback && name == fmt::format("localhost:{}", port));
  }

  /// Why a request is not let in. What is sent is looked at before its body is read.
  template <class Header>
  std::optional<Refusal> refusal_of(const Header& request) const {
    const auto refused = [](http::status status, std::string reason) { return Refusal{status, std::move(reason)}; };
    const auto host_field = request[http::field::host];
    if (request.count(http::field::host) != 1 || !is_own_host({host_field.data(), host_field.size()}))
      return refused(http::status::forbidden, "the request is meant for another host");
    if (request.count(http::field::origin) > 0) {
      const auto origin = request[http::field::origin];
      const std::string_view text(origin.data(), origin.size());
      constexpr std::string_view scheme = "http://";
      if (request.count(http::field::origin) != 1 || !text.starts_with(scheme) ||
          !is_own_host(text.substr(scheme.size())))
        return refused(http::status::forbidden, "the request comes from another page");
    }
    if (request.method() != http::verb::get && request.method() != http::verb::post)
      return refused(http::status::method_not_allowed, "only GET and POST are understood");
    if (request.count(http::field::content_encoding) > 0)
      return refused(http::status::unsupported_media_type, "a body must not be compressed");
    const std::string_view target(request.target().data(), request.target().size());
    if (target.size() < token.size() + 2 || target[0] != '/' || target[token.size() + 1] != '/' ||
        !same_secret(target.substr(1, token.size()), token))
      return refused(http::status::forbidden, "the address lacks the token that the program printed");
    return std::nullopt;
  }

  /// Whether a request that has been let in may have a long body.
  template <class Header>
  bool is_upload(const Header& request) const {
    const std::string_view target(request.target().data(), request.target().size());
    const std::string_view own = target.substr(token.size() + 2);
    return !options.upload_path.empty() && own.substr(0, own.find('?')) == options.upload_path;
  }

  /// Takes the body from the request.
  std::shared_ptr<http::response<http::string_body>> respond(http::request<http::string_body>& request) const {
    auto response = std::make_shared<http::response<http::string_body>>();
    Response made;
    const auto fail = [&](http::status status, const std::string& message) {
      response->result(status);
      made = {.body = json_error(message)};
    };
    try {
      const std::string_view target(request.target().data(), request.target().size());
      const std::string_view own = target.substr(token.size() + 2);
      const size_t mark = own.find('?');
      Request asked{
          std::string(request.method_string()), percent_decoded(own.substr(0, mark)), {}, std::move(request.body())};
      if (mark != std::string_view::npos) asked.query = parsed_query(own.substr(mark + 1));
      made = handler(asked);
      response->result(http::status::ok);
    } catch (const NotFound& error) {
      fail(http::status::not_found, error.what());
    } catch (const Error& error) {
      fail(http::status::bad_request, error.what());
    } catch (const std::exception&) {
      fail(http::status::internal_server_error, "the request could not be answered");
    }
    response->set(http::field::content_type, made.type);
    if (!made.file_name.empty()) {
      response->set(http::field::content_disposition, fmt::format("attachment; filename=\"{}\"", made.file_name));
    }
    response->body() = std::move(made.body);
    return response;
  }

  ServerOptions options;
  Handler handler;
  asio::io_context context{1};
  tcp::acceptor acceptor;
  asio::steady_timer timer;
  std::optional<asio::steady_timer> timer_of_accept;
  asio::thread_pool workers;
  std::string token, host;
  bool is_on_loopback;
  int port = 0;
  bool is_uploading = false;
  std::list<std::shared_ptr<Connection>> connections;
};

HttpServer::HttpServer(ServerOptions options, Handler handler)
    : state_(std::make_unique<State>(std::move(options), std::move(handler))) {}

HttpServer::~HttpServer() {
  state_->workers.stop();
  state_->workers.join();
}

int HttpServer::port() const { return state_->port; }

std::string HttpServer::url() const { return fmt::format("http://{}/{}/", state_->host, state_->token); }

void HttpServer::run(const std::function<bool()>& stop) {
  state_->accept();
  state_->look_for_stop(stop);
  state_->context.run();
}

}  // namespace astroclip::serve
