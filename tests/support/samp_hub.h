#pragma once

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "samp/xml_rpc.h"
#include "serve/http_client.h"
#include "serve/http_server.h"
#include "support/scratch.h"

namespace astroclip::testing_support {

/// Waits until something is so; false after ten seconds.
inline bool waits_for(const std::function<bool()>& is_so) {
  for (int i = 0; i < 1000; ++i) {
    if (is_so()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

/// A SAMP hub for one client, with a program "TOPCAT" at it that takes everything. While it lives, SAMP_HUB names it.
class SampHub {
 public:
  struct Told {
    std::string type;
    nlohmann::json parameters;
  };

  SampHub() : server_({}, [this](const serve::Request& request) { return answer(request); }) {
    thread_ = std::thread([this] { server_.run([this] { return stop_.load(); }); });
    write_lock(server_.url() + "hub");
  }
  ~SampHub() {
    unsetenv("SAMP_HUB");
    stop_ = true;
    thread_.join();
  }
  SampHub(const SampHub&) = delete;
  SampHub& operator=(const SampHub&) = delete;

  static constexpr const char *secret = "a-secret", *key = "a-key";
  /// A lock file that names a hub there.
  static void write_lock(const std::string& url) {
    const std::string path = scratch("samp.lock");
    std::ofstream(path) << "# SAMP lockfile\r\nsamp.profile.version=1.3\r\nsamp.secret=" << secret
                        << "\r\nsamp.hub.xmlrpc.url=" << url << "\r\n";
    setenv("SAMP_HUB", ("std-lockurl:file://" + path).c_str(), 1);
  }

  /// What the client sends in return to a message of TOPCAT's: the reply, or for a notification null.
  nlohmann::json send(const std::string& type, const nlohmann::json& parameters, bool wants_reply = true) {
    std::vector<nlohmann::json> values = {key, "c2"};
    if (wants_reply) values.push_back("message 1");
    values.push_back({{"samp.mtype", type}, {"samp.params", parameters}});
    {
      const std::scoped_lock lock(mutex_);
      reply_ = nullptr;
    }
    call_back({wants_reply ? "samp.client.receiveCall" : "samp.client.receiveNotification", values});
    if (wants_reply) waits_for([this] { return !reply().is_null(); });
    return reply();
  }
  nlohmann::json call_back(const samp::Call& call) const {
    return samp::parsed_answer(serve::post(callback(), "text/xml", samp::call_text(call), 10, 1 << 20));
  }
  std::string callback() const {
    const std::scoped_lock lock(mutex_);
    return callback_;
  }
  std::vector<Told> told() const {
    const std::scoped_lock lock(mutex_);
    return told_;
  }
  nlohmann::json metadata() const {
    const std::scoped_lock lock(mutex_);
    return metadata_;
  }
  nlohmann::json subscriptions() const {
    const std::scoped_lock lock(mutex_);
    return subscriptions_;
  }
  bool has_client() const {
    const std::scoped_lock lock(mutex_);
    return has_client_;
  }
  /// How many calls held the secret.
  int times_told_secret() const { return times_told_secret_; }

 private:
  serve::Response answer(const serve::Request& request) {
    const auto xml = [](std::string text) { return serve::Response{.type = "text/xml", .body = std::move(text)}; };
    if (request.body.find(secret) != std::string::npos) ++times_told_secret_;
    try {
      return xml(samp::answer_text(done(samp::parsed_call(request.body))));
    } catch (const Error& error) {
      return xml(samp::fault_text(error.what()));
    }
  }
  nlohmann::json done(const samp::Call& call) {
    const std::scoped_lock lock(mutex_);
    const auto& values = call.parameters;
    if (call.method == "samp.hub.register") {
      if (values.at(0) != secret) throw Error("the secret is another");
      has_client_ = true;
      return {{"samp.hub-id", "hub"}, {"samp.self-id", "c1"}, {"samp.private-key", key}};
    }
    if (values.at(0) != key) throw Error("the key is another");
    if (call.method == "samp.hub.setXmlrpcCallback") callback_ = values.at(1);
    if (call.method == "samp.hub.declareMetadata") metadata_ = values.at(1);
    if (call.method == "samp.hub.declareSubscriptions") subscriptions_ = values.at(1);
    if (call.method == "samp.hub.unregister") has_client_ = false;
    if (call.method == "samp.hub.reply") reply_ = values.at(2);
    if (call.method == "samp.hub.getMetadata") return {{"samp.name", values.at(1) == "c2" ? "TOPCAT" : "Hub"}};
    if (call.method == "samp.hub.getRegisteredClients") return nlohmann::json::array({"hub", "c2"});
    if (call.method == "samp.hub.notifyAll") {
      told_.push_back({values.at(1).at("samp.mtype"), values.at(1).at("samp.params")});
      return nlohmann::json::array({"c2"});
    }
    return "";
  }
  nlohmann::json reply() const {
    const std::scoped_lock lock(mutex_);
    return reply_;
  }

  mutable std::mutex mutex_;
  std::string callback_;
  nlohmann::json metadata_, subscriptions_, reply_;
  std::vector<Told> told_;
  bool has_client_ = false;
  std::atomic<int> times_told_secret_ = 0;
  std::atomic<bool> stop_ = false;
  serve::HttpServer server_;
  std::thread thread_;
};

}  // namespace astroclip::testing_support
