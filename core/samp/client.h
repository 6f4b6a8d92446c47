#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "samp/xml_rpc.h"
#include "serve/http_server.h"

namespace astroclip::samp {

/// Where a hub is, as its lock file says (SAMP 1.3, section 4.2).
struct Hub {
  std::string url, secret;
};
/// By the file that SAMP_HUB names ("std-lockurl:file:///PATH"), or else ~/.samp. Throws Error when there is none, or
/// it is no lock file.
Hub running_hub();

/// What another program has sent.
struct Message {
  std::string sender;         ///< its name, or its number at the hub
  std::string type;           ///< "table.highlight.row"
  nlohmann::json parameters;  ///< an object
};

struct ClientOptions {
  std::string name, description;   ///< as others show them
  std::vector<std::string> types;  ///< of messages that it takes, besides those of the hub
  /// Called for one message after another, on a thread of the client. An Error is told to the sender.
  std::function<void(const Message&)> receive;
  /// A file that others are sent the address of. Throws serve::NotFound.
  std::function<serve::Response(const std::string& name)> file;
};

/// A program at a SAMP hub of this machine, by the Standard Profile: it is called back at a server of its own, with a
/// token and the limits of every HttpServer. Thread-safe.
class Client {
 public:
  /// Registers. Throws Error saying that no hub runs, or why it does not take the program.
  explicit Client(ClientOptions options);
  /// Unregisters, if the hub answers within a second.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// False once the hub has ended or sent the program away.
  bool is_registered() const { return is_registered_; }
  /// Where others find a file.
  std::string url_of(const std::string& file) const { return server_.url() + files_ + file; }
  /// The names of all other programs at the hub.
  std::vector<std::string> others();
  /// Sends a message to all that take its type, and returns their names. Throws Error when the hub does not answer.
  std::vector<std::string> notify_all(const std::string& type, const nlohmann::json& parameters);

 private:
  struct Received {
    std::string sender, answer_to;  ///< answer_to: "" for a notification
    std::string type;
    nlohmann::json parameters;
  };
  static constexpr const char *files_ = "files/", *calls_ = "calls";

  nlohmann::json call(const std::string& method, std::vector<nlohmann::json> parameters, int seconds);
  void enter();
  void leave();
  std::string name_of(const std::string& id);
  serve::Response answer(const serve::Request& request);
  nlohmann::json take(const Call& call);
  void work();
  void handle(const Received& received);

  ClientOptions options_;
  Hub hub_;
  std::string key_, own_id_;  ///< as the hub has given them
  std::atomic<bool> is_registered_ = false, stop_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Received> waiting_;
  std::map<std::string, std::string> names_;  ///< of programs, by their numbers
  serve::HttpServer server_;
  std::thread serving_, working_;
};

}  // namespace astroclip::samp
