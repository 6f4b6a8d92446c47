#include "samp/client.h"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <utility>

#include "base/error.h"
#include "serve/http_client.h"

namespace astroclip::samp {

namespace {

using nlohmann::json;

constexpr int seconds_for_hub = 2, seconds_to_leave = 1;
constexpr size_t most_answer_bytes = size_t{4} << 20, most_waiting = 32, longest_lock_file = size_t{64} << 10;
constexpr int64_t most_message_bytes = int64_t{8} << 20;
constexpr const char *shutdown_type = "samp.hub.event.shutdown", *disconnect_type = "samp.hub.disconnect",
                     *ping_type = "samp.app.ping";

serve::ServerOptions server_options() {
  serve::ServerOptions options;
  options.threads = 1;
  options.most_body_bytes = most_message_bytes;
  return options;
}

std::string lock_path() {
  if (const char* named = std::getenv("SAMP_HUB")) {
    constexpr std::string_view scheme = "std-lockurl:file:";
    const std::string_view value = named;
    if (value.starts_with(scheme)) {
      // RFC 8089 writes a local file as file:///PATH, file://localhost/PATH or file:/PATH.
      std::string_view path = value.substr(scheme.size());
      for (const std::string_view host : {"//localhost", "//"}) {
        if (path.starts_with(std::string(host) + "/")) path.remove_prefix(host.size());
      }
      if (path.starts_with('/') && !path.starts_with("//")) return serve::percent_decoded(std::string(path));
    }
    throw Error(fmt::format("SAMP_HUB is '{}', expected std-lockurl:file:///PATH", value));
  }
  const char* home = std::getenv("HOME");
  return home == nullptr ? "" : std::string(home) + "/.samp";
}

std::string text_at(const json& map, const char* name) {
  const auto found = map.is_object() ? map.find(name) : map.end();
  return found != map.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

Hub running_hub() {
  const std::string path = lock_path();
  std::ifstream file(path);
  if (path.empty() || !file)
    throw Error("no SAMP hub runs: start TOPCAT or Aladin (which bring one), then connect again");
  Hub hub;
  size_t read = 0;
  for (std::string line; std::getline(file, line);) {
    if ((read += line.size()) > longest_lock_file) break;
    if (line.ends_with('\r')) line.pop_back();
    const size_t equals = line.find('=');
    if (line.starts_with('#') || equals == std::string::npos) continue;
    const std::string name = line.substr(0, equals);
    if (name == "samp.secret") hub.secret = line.substr(equals + 1);
    if (name == "samp.hub.xmlrpc.url") hub.url = line.substr(equals + 1);
  }
  if (hub.secret.empty() || hub.url.empty()) throw Error(fmt::format("{}: is no lock file of a SAMP hub", path));
  return hub;
}

Client::Client(ClientOptions options)
    : options_(std::move(options)),
      hub_(running_hub()),
      server_(server_options(), [this](const serve::Request& request) { return answer(request); }) {
  serving_ = std::thread([this] { server_.run([this] { return stop_.load(); }); });
  working_ = std::thread([this] { work(); });
  try {
    enter();
  } catch (const Error& error) {
    leave();
    throw Error(fmt::format("the SAMP hub of the lock file cannot be used: {}", error.what()));
  }
}

Client::~Client() { leave(); }

void Client::enter() {
  const json registered = call("samp.hub.register", {hub_.secret}, seconds_for_hub);
  key_ = text_at(registered, "samp.private-key");
  own_id_ = text_at(registered, "samp.self-id");
  if (key_.empty()) throw Error("it gives no key");
  is_registered_ = true;
  call("samp.hub.setXmlrpcCallback", {key_, server_.url() + calls_}, seconds_for_hub);
  call("samp.hub.declareMetadata",
       {key_, {{"samp.name", options_.name}, {"samp.description.text", options_.description}}}, seconds_for_hub);
  json types = json::object();
  for (const std::string& type : options_.types) types[type] = json::object();
  for (const char* type : {shutdown_type, disconnect_type, ping_type}) types[type] = json::object();
  call("samp.hub.declareSubscriptions", {key_, types}, seconds_for_hub);
}

void Client::leave() {
  if (is_registered_.exchange(false)) {
    try {
      call("samp.hub.unregister", {key_}, seconds_to_leave);
    } catch (const Error&) {  // the hub has gone
    }
  }
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  serving_.join();
  working_.join();
}

json Client::call(const std::string& method, std::vector<json> parameters, int seconds) {
  return parsed_answer(
      serve::post(hub_.url, "text/xml", call_text({method, std::move(parameters)}), seconds, most_answer_bytes));
}

std::string Client::name_of(const std::string& id) {
  {
    const std::scoped_lock lock(mutex_);
    const auto known = names_.find(id);
    if (known != names_.end()) return known->second;
  }
  const std::string name = text_at(call("samp.hub.getMetadata", {key_, id}, seconds_for_hub), "samp.name");
  if (name.empty()) return id;
  const std::scoped_lock lock(mutex_);
  return names_[id] = name;
}

std::vector<std::string> Client::others() {
  std::vector<std::string> names;
  const json ids = call("samp.hub.getRegisteredClients", {key_}, seconds_for_hub);
  for (const json& id : ids) {
    if (id.is_string()) names.push_back(name_of(id));
  }
  return names;
}

std::vector<std::string> Client::notify_all(const std::string& type, const json& parameters) {
  std::vector<std::string> names;
  const json ids =
      call("samp.hub.notifyAll", {key_, {{"samp.mtype", type}, {"samp.params", parameters}}}, seconds_for_hub);
  for (const json& id : ids) {
    if (id.is_string()) names.push_back(name_of(id));
  }
  return names;
}

serve::Response Client::answer(const serve::Request& request) {
  if (request.path.starts_with(files_)) return options_.file(request.path.substr(std::string_view(files_).size()));
  if (request.path != calls_) throw serve::NotFound("there is nothing under that name");
  const auto xml = [](std::string text) { return serve::Response{.type = "text/xml", .body = std::move(text)}; };
  try {
    return xml(answer_text(take(parsed_call(request.body))));
  } catch (const Error& error) {
    return xml(fault_text(error.what()));
  }
}

/// Keeps a message to be handled, so that the hub need not wait for it.
json Client::take(const Call& call) {
  const bool is_call = call.method == "samp.client.receiveCall";
  if (call.method == "samp.client.receiveResponse") return "";
  if (!is_call && call.method != "samp.client.receiveNotification") throw Error("there is no such method");
  const size_t count = is_call ? 4 : 3;
  if (call.parameters.size() != count || call.parameters[0] != key_ || !call.parameters[1].is_string() ||
      !call.parameters[count - 2].is_string())
    throw Error("the call is not the hub's");
  const json& message = call.parameters.back();
  Received received{call.parameters[1].get<std::string>(), is_call ? call.parameters[2].get<std::string>() : "",
                    text_at(message, "samp.mtype"),
                    message.is_object() ? message.value("samp.params", json::object()) : json::object()};
  if (received.type == shutdown_type || received.type == disconnect_type) is_registered_ = false;
  const std::scoped_lock lock(mutex_);
  if (waiting_.size() >= most_waiting) throw Error("too many messages are waiting");
  waiting_.push_back(std::move(received));
  changed_.notify_all();
  return "";
}

void Client::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
    if (stop_) return;
    const Received received = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    handle(received);
    lock.lock();
  }
}

void Client::handle(const Received& received) {
  json outcome = {{"samp.status", "samp.ok"}, {"samp.result", json::object()}};
  try {
    if (received.type != shutdown_type && received.type != disconnect_type && received.type != ping_type &&
        received.parameters.is_object())
      options_.receive({name_of(received.sender), received.type, received.parameters});
  } catch (const Error& error) {
    outcome = {{"samp.status", "samp.error"}, {"samp.error", {{"samp.errortxt", error.what()}}}};
  }
  if (received.answer_to.empty() || !is_registered_) return;
  try {
    call("samp.hub.reply", {key_, received.answer_to, outcome}, seconds_for_hub);
  } catch (const Error&) {  // the hub has gone, and so has who asked
  }
}

}  // namespace astroclip::samp
