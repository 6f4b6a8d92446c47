#include "serve/http_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/printable.h"
#include "base/text.h"

namespace astroclip::serve {

namespace {

using Moment = std::chrono::steady_clock::time_point;

constexpr size_t longest_answer_head = 16 << 10;

struct LocalAddress {
  std::string host, path;  ///< as the URL has them, the host with its port
  sockaddr_storage socket = {};
  socklen_t size = 0;
};

/// The address of a host on loopback; false for a host of another machine.
bool set_loopback(LocalAddress& address, std::string host, uint16_t port) {
  std::array<char, 256> own = {};
  gethostname(own.data(), own.size() - 1);
  const std::string_view name(own.data());
  if (same_letters(host, "localhost") || same_letters(host, std::string(name)) ||
      same_letters(host, std::string(name.substr(0, name.find('.')))))
    host = "127.0.0.1";
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  sockaddr_in v4 = {};
  if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1 && ntohl(v4.sin_addr.s_addr) >> 24 == 127) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&address.socket, &v4, address.size = sizeof v4);
    return true;
  }
  sockaddr_in6 v6 = {};
  if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1 && IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr)) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&address.socket, &v6, address.size = sizeof v6);
    return true;
  }
  return false;
}

LocalAddress local_address(const std::string& url) {
  constexpr std::string_view scheme = "http://";
  const auto fail = [&](const std::string& reason) {
    throw Error(fmt::format("'{}' {}", printable(url, 100), reason));
  };
  if (!url.starts_with(scheme)) fail("is no address that begins with http://");
  LocalAddress address;
  const std::string rest = url.substr(scheme.size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  address.host = rest.substr(0, slash);
  address.path = slash < rest.size() ? rest.substr(slash) : "/";
  const size_t colon = address.host.rfind(':');
  const bool has_port = colon != std::string::npos && colon > std::min(address.host.rfind(']'), colon - 1);
  unsigned port = 80;
  if (has_port) {
    const std::string digits = address.host.substr(colon + 1);
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (problem != std::errc() || end != digits.data() + digits.size() || port > 65535) fail("has no port");
  }
  if (!set_loopback(address, has_port ? address.host.substr(0, colon) : address.host, static_cast<uint16_t>(port)))
    fail("is not an address of this machine");
  return address;
}

/// A connection whose every step ends by a moment.
class TimedSocket {
 public:
  TimedSocket(const LocalAddress& address, Moment end)
      : host_(address.host),
        end_(end),
        socket_(::socket(address.socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
  ~TimedSocket() { close(socket_); }
  TimedSocket(const TimedSocket&) = delete;
  TimedSocket& operator=(const TimedSocket&) = delete;

  void connect_to(const LocalAddress& address) const {
    if (connect(socket_, reinterpret_cast<const sockaddr*>(&address.socket), address.size) == 0) return;
    if (errno != EINPROGRESS) fail("cannot be reached");
    wait(POLLOUT);
    int problem = 0;
    socklen_t size = sizeof problem;
    if (getsockopt(socket_, SOL_SOCKET, SO_ERROR, &problem, &size) != 0 || problem != 0) fail("cannot be reached");
  }
  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      wait(POLLOUT);
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) fail("has ended the connection");
      bytes.remove_prefix(static_cast<size_t>(std::max<ssize_t>(0, sent)));
    }
  }
  /// What comes until the other side ends.
  std::string receive(size_t most) const {
    std::string all;
    std::array<char, 16384> buffer;
    for (;;) {
      wait(POLLIN);
      const ssize_t count = recv(socket_, buffer.data(), buffer.size(), 0);
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (count < 0) fail("has ended the connection");
      if (count == 0) return all;
      all.append(buffer.data(), static_cast<size_t>(count));
      if (all.size() > most) fail("answers too much");
    }
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(fmt::format("{} {}", printable(host_, 100), what));
  }

 private:
  void wait(short event) const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end_ - std::chrono::steady_clock::now());
    pollfd waiting{socket_, event, 0};
    if (left.count() <= 0 || poll(&waiting, 1, static_cast<int>(left.count())) == 0) fail("does not answer");
  }

  std::string host_;
  Moment end_;
  int socket_;
};

}  // namespace

std::string post(const std::string& url, const std::string& type, const std::string& body, int seconds,
                 size_t most_bytes) {
  const LocalAddress address = local_address(url);
  const TimedSocket socket(address, std::chrono::steady_clock::now() + std::chrono::seconds(seconds));
  socket.connect_to(address);
  // HTTP/1.0: the answer comes in one piece and ends with the connection.
  socket.send(fmt::format("POST {} HTTP/1.0\r\nHost: {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
                          address.path, address.host, type, body.size()));
  socket.send(body);
  const std::string answer = socket.receive(most_bytes + longest_answer_head);
  const size_t end = answer.find("\r\n\r\n");
  if (end == std::string::npos || !answer.starts_with("HTTP/1.")) socket.fail("answers no HTTP");
  const std::string status = answer.substr(0, answer.find("\r\n"));
  if (status.find(" 200") != std::string_view("HTTP/1.x").size())
    socket.fail(fmt::format("answers '{}'", printable(status, 100)));
  return answer.substr(end + 4);
}

}  // namespace astroclip::serve
