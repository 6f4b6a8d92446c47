#include "serve/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "support/raw_client.h"

namespace astroclip::serve {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

using Client = testing_support::RawClient;
using testing_support::resident_bytes;

class Serving : public testing::Test {
 protected:
  Serving() {
    ServerOptions options;
    options.seconds_for_request = 1;
    options.most_connections = 8;
    options.upload_path = "upload";
    options.most_upload_bytes = 4 << 20;
    options.seconds_for_upload = 5;
    server_ = std::make_unique<HttpServer>(options, [](const Request& request) -> Response {
      if (request.path == "echo") return {.type = "text/plain", .body = request.method + " " + request.body};
      if (request.path == "upload") return {.type = "text/plain", .body = std::to_string(request.body.size())};
      if (request.path == "parameter") return {.type = "text/plain", .body = request.text("a")};
      if (request.path == "file") return {.type = "text/csv", .body = "a", .file_name = "a.csv"};
      if (request.path == "fail") throw Error("this \"way\"");
      if (request.path == "break") throw std::runtime_error("a secret");
      throw NotFound("there is nothing under '" + request.path + "'");
    });
    const std::string url = server_->url();
    token_ = url.substr(url.size() - 33, 32);
    host_ = "127.0.0.1:" + std::to_string(server_->port());
    thread_ = std::thread([this] { server_->run([this] { return stop_.load(); }); });
  }
  ~Serving() override {
    stop_ = true;
    thread_.join();
  }

  std::string head(const std::string& method, const std::string& path, const std::string& more = "") const {
    return method + " /" + token_ + "/" + path + " HTTP/1.1\r\nHost: " + host_ + "\r\nConnection: close\r\n" + more;
  }
  std::string ask(const std::string& request) const {
    Client client(server_->port());
    client.send(request);
    return client.receive();
  }
  std::string get(const std::string& path, const std::string& more = "") const {
    return ask(head("GET", path, more) + "\r\n");
  }
  void expect_alive() const { EXPECT_THAT(get("echo"), StartsWith("HTTP/1.1 200")); }

  std::unique_ptr<HttpServer> server_;
  std::string token_, host_;

 private:
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

TEST_F(Serving, AnswersByItsHandler) {
  EXPECT_THAT(get("echo"), testing::EndsWith("\r\n\r\nGET "));
  EXPECT_THAT(ask(head("POST", "echo", "Content-Length: 5\r\n") + "\r\nhello"),
              testing::EndsWith("\r\n\r\nPOST hello"));
  EXPECT_THAT(get("parameter?b=1&a=x%20y%26+z"), testing::EndsWith("\r\n\r\nx y& z"));
  EXPECT_THAT(get("file"), HasSubstr("Content-Disposition: attachment; filename=\"a.csv\"\r\n"));
}

TEST_F(Serving, SeveralRequestsUseOneConnection) {
  Client client(server_->port());
  const std::string request = "GET /" + token_ + "/parameter?a=first HTTP/1.1\r\nHost: " + host_ + "\r\n\r\n";
  client.send(request + head("GET", "parameter?a=second") + "\r\n");
  const std::string answers = client.receive();
  EXPECT_THAT(answers, HasSubstr("\r\n\r\nfirstHTTP/1.1 200"));
  EXPECT_THAT(answers, testing::EndsWith("\r\n\r\nsecond"));
}

TEST_F(Serving, TellsErrorsButNothingOfOthers) {
  EXPECT_THAT(get("nothing"),
              testing::AllOf(StartsWith("HTTP/1.1 404"), HasSubstr("there is nothing under 'nothing'")));
  EXPECT_THAT(get("fail"), testing::AllOf(StartsWith("HTTP/1.1 400"), HasSubstr(R"({"error":"this \"way\""})")));
  EXPECT_THAT(get("break"), testing::AllOf(StartsWith("HTTP/1.1 500"), Not(HasSubstr("secret"))));
  EXPECT_THAT(get("parameter"), HasSubstr("the parameter 'a' is missing"));
  EXPECT_THAT(get("parameter?a=%zz"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(get("parameter?a=%0"), StartsWith("HTTP/1.1 400"));
}

TEST_F(Serving, EveryResponseForbidsWhatComesFromElsewhere) {
  for (const char* path : {"echo", "nothing", "break"}) {
    const std::string response = get(path);
    EXPECT_THAT(response, HasSubstr("Content-Security-Policy: default-src 'self'; img-src 'self' blob:;"));
    EXPECT_THAT(response, HasSubstr("X-Content-Type-Options: nosniff\r\n"));
    EXPECT_THAT(response, HasSubstr("Cross-Origin-Resource-Policy: same-origin\r\n"));
  }
}

TEST_F(Serving, RefusesOtherHostsOriginsAndTokens) {
  const auto request = [&](const std::string& target, const std::string& fields) {
    return ask("GET " + target + " HTTP/1.1\r\n" + fields + "\r\n");
  };
  const std::string target = "/" + token_ + "/echo", host = "Host: " + host_ + "\r\n";
  EXPECT_THAT(request(target, "Host: evil.example:80\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(request(target, ""), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(request(target, host + "Host: evil.example\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(request(target, host + "Origin: http://evil.example\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(request(target, host + "Origin: null\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(get("echo", "Origin: http://" + host_ + "\r\n"), StartsWith("HTTP/1.1 200"));
  for (const std::string& other : {std::string("/"), std::string("/echo"), "/" + token_, "/" + token_ + "x/echo",
                                   "/" + std::string(32, '0') + "/echo", "/../" + token_ + "/echo"}) {
    EXPECT_THAT(request(other, host), testing::AllOf(StartsWith("HTTP/1.1 403"), HasSubstr("token"))) << other;
  }
  EXPECT_THAT(ask(head("DELETE", "echo") + "\r\n"), StartsWith("HTTP/1.1 405"));
}

TEST_F(Serving, APathIsANameAlone) {
  for (const char* path : {"../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd"}) {
    EXPECT_THAT(get(path), testing::AllOf(StartsWith("HTTP/1.1 404"), Not(HasSubstr("root:")))) << path;
  }
  EXPECT_THAT(get("echo%00"), StartsWith("HTTP/1.1 400"));
}

TEST_F(Serving, EndsRequestsThatAreTooLong) {
  const int64_t before = resident_bytes();
  const std::string megabyte(1 << 20, 'a');
  {
    Client line(server_->port());  // a line without end
    bool is_open = line.send("GET /" + token_ + "/echo?");
    for (int i = 0; i < 200 && is_open; ++i) is_open = line.send(megabyte);
    EXPECT_FALSE(is_open);
  }
  {
    Client fields(server_->port());  // 21 MB of fields
    std::string some;
    for (int i = 0; i < 8192; ++i) some += "X-Field-" + std::to_string(i) + ": " + std::string(100, 'b') + "\r\n";
    bool is_open = fields.send("GET /" + token_ + "/echo HTTP/1.1\r\nHost: " + host_ + "\r\n");
    for (int i = 0; i < 21 && is_open; ++i) is_open = fields.send(some);
    EXPECT_FALSE(is_open);
  }
  EXPECT_THAT(get("echo", "X-Long: " + std::string(10000, 'c') + "\r\n"), StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(ask(head("POST", "echo", "Content-Length: 209715200\r\n") + "\r\n"), StartsWith("HTTP/1.1 413"));
  {
    Client chunks(server_->port());  // a body that does not say its length
    bool is_open = chunks.send(head("POST", "echo", "Transfer-Encoding: chunked\r\n") + "\r\n");
    for (int i = 0; i < 200 && is_open; ++i) is_open = chunks.send("100000\r\n" + megabyte + "\r\n");
    EXPECT_FALSE(is_open);
  }
  EXPECT_LT(resident_bytes() - before, 16 << 20);
  expect_alive();
}

TEST_F(Serving, OneAddressTakesLongBodiesOneAtATime) {
  const auto post = [&](const std::string& path, size_t bytes) {
    return ask(head("POST", path, "Content-Length: " + std::to_string(bytes) + "\r\n") + "\r\n" +
               std::string(bytes, 'a'));
  };
  EXPECT_THAT(post("upload?image=1", 3 << 20), testing::EndsWith("\r\n\r\n3145728"));
  EXPECT_THAT(ask(head("POST", "upload", "Content-Length: 4194305\r\n") + "\r\n"), StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(ask(head("POST", "echo", "Content-Length: 1048577\r\n") + "\r\n"), StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(ask(head("POST", "upload/../echo", "Content-Length: 1048577\r\n") + "\r\n"), StartsWith("HTTP/1.1 413"));
  {
    Client first(server_->port());
    first.send(head("POST", "upload", "Content-Length: 8\r\n") + "\r\nhalf");
    std::string second;
    do second = post("upload", 4);  // until the first one's header has come
    while (!second.starts_with("HTTP/1.1 503"));
    EXPECT_THAT(second, HasSubstr("another upload is under way"));
    first.send("half");
    EXPECT_THAT(first.receive(), testing::EndsWith("\r\n\r\n8"));
    EXPECT_THAT(post("upload", 4), StartsWith("HTTP/1.1 200"));
    Client gone(server_->port());
    gone.send(head("POST", "upload", "Content-Length: 8\r\n") + "\r\nhalf");
  }
  std::string answer;  // once it is noticed that the client has gone
  do answer = post("upload", 4);
  while (answer.starts_with("HTTP/1.1 503"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
}

TEST_F(Serving, RefusesCompressedBodies) {
  EXPECT_THAT(ask(head("POST", "echo", "Content-Encoding: gzip\r\nContent-Length: 20\r\n") + "\r\n"),
              StartsWith("HTTP/1.1 415"));
}

TEST_F(Serving, EndsRequestsThatDoNotCome) {
  Client silent(server_->port()), slow(server_->port()), unfinished(server_->port());
  unfinished.send(head("POST", "echo", "Content-Length: 100\r\n") + "\r\nhalf");
  const std::string request = head("GET", "echo");
  size_t sent = 0;
  while (sent < request.size() && slow.send(request.substr(sent, 1))) {
    ++sent;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_LT(sent, request.size()) << "a byte every 50 ms";
  EXPECT_THAT(silent.receive(), IsEmpty());
  EXPECT_THAT(unfinished.receive(), IsEmpty());
  expect_alive();
}

TEST_F(Serving, AnswersBesideAThousandIdleConnections) {
  const int64_t before = resident_bytes();
  std::vector<std::unique_ptr<Client>> idle;
  for (int i = 0; i < 1000; ++i) {
    idle.push_back(std::make_unique<Client>(server_->port()));
    if (i % 100 == 99) expect_alive();
  }
  EXPECT_LT(resident_bytes() - before, 16 << 20);
  expect_alive();
}

TEST_F(Serving, LeavesAloneWhatIsNoHttp) {
  EXPECT_THAT(ask(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + "\r\n\r\n"),
              StartsWith("HTTP/1.1 400"));
  expect_alive();
}

TEST(ServerOptions, ATakenPortIsToldOf) {
  const Handler handler = [](const Request&) { return Response(); };
  HttpServer first({}, handler);
  ServerOptions same;
  same.port = first.port();
  EXPECT_THAT([&] { HttpServer second(same, handler); },
              testing::ThrowsMessage<Error>(HasSubstr("cannot listen at 127.0.0.1, port ")));
}

TEST(IsLoopback, KnowsThisMachinesOwnAddresses) {
  for (const char* own : {"127.0.0.1", "127.1.2.3", "::1"}) EXPECT_TRUE(is_loopback(own)) << own;
  for (const char* other : {"192.168.1.5", "10.0.0.1", "fe80::1", "2001:db8::1"})
    EXPECT_FALSE(is_loopback(other)) << other;
  for (const char* every : {"0.0.0.0", "::"})
    EXPECT_THAT([&] { is_loopback(every); }, testing::ThrowsMessage<Error>(HasSubstr("name the one")));
  for (const char* none : {"", "localhost", "127.0.0.1:80", "1.2.3"})
    EXPECT_THAT([&] { is_loopback(none); }, testing::ThrowsMessage<Error>(HasSubstr("is no address")));
}

TEST(ServerOptions, AnotherAddressIsItsOwnHost) {
  ServerOptions options;
  options.address = "127.0.0.2";
  const HttpServer server(options, [](const Request&) { return Response(); });
  EXPECT_THAT(server.url(), StartsWith("http://127.0.0.2:"));
}

TEST(RequestTest, NumbersAreWholeAndWithinRange) {
  Request request;
  request.query = {{"row", "12"}, {"far", "99"}, {"no", "1x"}, {"x", "-2.5e1"}, {"infinite", "inf"}};
  EXPECT_EQ(request.integer("row", 0, 20), 12);
  EXPECT_THROW(request.integer("far", 0, 20), Error);
  EXPECT_THROW(request.integer("no", 0, 20), Error);
  EXPECT_EQ(request.number("x"), -25.0);
  EXPECT_THROW(request.number("infinite"), Error);
  EXPECT_THROW(request.number("none"), Error);
}

}  // namespace
}  // namespace astroclip::serve
