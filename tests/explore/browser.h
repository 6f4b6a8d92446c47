#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/scratch.h"

namespace astroclip::testing_support {

/// The path of Chromium; "" where it is not installed.
inline std::string chromium_path() {
  for (const char* path : {"/usr/bin/chromium", "/usr/bin/chromium-headless-shell", "/usr/bin/chromium-browser"}) {
    if (std::filesystem::exists(path)) return path;
  }
  return "";
}

/// Writes what a base64 text (RFC 4648) stands for.
inline void write_decoded(const std::string& path, const std::string& encoded) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::ofstream file(path, std::ios::binary);
  uint32_t bits = 0;
  int count = 0;
  for (const char letter : encoded) {
    if (letter == '=') break;
    bits = bits << 6 | static_cast<uint32_t>(digits.find(letter));
    count += 6;
    if (count >= 8) file.put(static_cast<char>(bits >> (count -= 8)));
  }
}

/// A headless Chromium with one page, driven by its debugging protocol over a pipe.
class Browser {
 public:
  Browser() {
    int to[2], from[2];
    if (pipe(to) != 0 || pipe(from) != 0) throw std::runtime_error("no pipes");
    child_ = fork();
    if (child_ == 0) {
      // Chromium reads commands from descriptor 3 and writes to 4.
      const int input = fcntl(to[0], F_DUPFD, 10), output = fcntl(from[1], F_DUPFD, 10);
      dup2(input, 3);
      dup2(output, 4);
      const int nowhere = open("/dev/null", O_RDWR);
      for (const int descriptor : {0, 1, 2}) dup2(nowhere, descriptor);
      for (int descriptor = 5; descriptor < 64; ++descriptor) close(descriptor);
      const std::string profile = "--user-data-dir=" + scratch("chromium");
      execl(chromium_path().c_str(), "chromium", "--headless", "--remote-debugging-pipe", "--no-sandbox",
            "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--window-size=1400,1000", profile.c_str(), "about:blank",
            nullptr);
      _exit(127);
    }
    close(to[0]);
    close(from[1]);
    to_ = to[1];
    from_ = from[0];
    try {
      const auto target = call("Target.createTarget", {{"url", "about:blank"}})["targetId"];
      session_ = call("Target.attachToTarget", {{"targetId", target}, {"flatten", true}})["sessionId"];
      for (const char* domain : {"Page", "Runtime", "Network", "Log"}) call(std::string(domain) + ".enable");
    } catch (...) {
      end();
      throw;
    }
  }
  ~Browser() { end(); }
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;

  /// The result of a command; its events go to `events`. Throws when there is none within a minute.
  nlohmann::json call(const std::string& method, const nlohmann::json& parameters = nlohmann::json::object(),
                      bool of_page = true) {
    nlohmann::json message = {{"id", ++last_}, {"method", method}, {"params", parameters}};
    if (of_page && !session_.empty()) message["sessionId"] = session_;
    const std::string text = message.dump() + '\0';
    for (size_t sent = 0; sent < text.size();) {
      const ssize_t count = write(to_, text.data() + sent, text.size() - sent);
      if (count <= 0) throw std::runtime_error("Chromium has ended");
      sent += static_cast<size_t>(count);
    }
    for (;;) {
      nlohmann::json answer = receive();
      if (!answer.contains("id")) {
        events.push_back(std::move(answer));
      } else if (answer["id"] == last_) {
        if (answer.contains("error")) throw std::runtime_error(method + ": " + answer["error"].dump());
        return answer["result"];
      }
    }
  }

  /// The value of a JavaScript expression, awaited.
  nlohmann::json value(const std::string& expression) {
    const auto result =
        call("Runtime.evaluate", {{"expression", expression}, {"awaitPromise", true}, {"returnByValue", true}});
    if (result.contains("exceptionDetails"))
      throw std::runtime_error(expression + ": " + result["exceptionDetails"].dump());
    return result["result"].contains("value") ? result["result"]["value"] : nlohmann::json();
  }

  /// Waits until an expression is true; false after half a minute.
  bool becomes(const std::string& expression) {
    for (int i = 0; i < 600; ++i) {
      if (value("Boolean(" + expression + ")") == true) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
  }

  void go(const std::string& url) { call("Page.navigate", {{"url", url}}); }
  void mouse(const std::string& type, double x, double y, int buttons) {
    call("Input.dispatchMouseEvent", {{"type", type},
                                      {"x", x},
                                      {"y", y},
                                      {"button", type == "mouseMoved" && buttons == 0 ? "none" : "left"},
                                      {"buttons", buttons},
                                      {"clickCount", type == "mouseMoved" ? 0 : 1}});
  }
  void click(double x, double y) {
    mouse("mousePressed", x, y, 1);
    mouse("mouseReleased", x, y, 0);
  }
  /// A key by its name, such as "Enter", "ArrowLeft" or "v".
  void key(const std::string& name) {
    nlohmann::json press = {{"type", "keyDown"}, {"key", name}};
    if (name.size() == 1) press["text"] = name;
    if (name == "Enter") press["text"] = "\r";
    if (name == "Enter") press["windowsVirtualKeyCode"] = 13;
    if (name == "Tab") press["windowsVirtualKeyCode"] = 9;
    call("Input.dispatchKeyEvent", press);
    call("Input.dispatchKeyEvent", {{"type", "keyUp"}, {"key", name}});
  }
  /// Keeps what is shown as a PNG file, if the environment variable ASTROCLIP_SCREENSHOTS names a folder.
  void screenshot(const std::string& name) {
    const char* folder = std::getenv("ASTROCLIP_SCREENSHOTS");
    if (folder == nullptr) return;
    const std::string encoded =
        call("Page.captureScreenshot", {{"format", "png"}, {"captureBeyondViewport", true}})["data"];
    write_decoded(std::string(folder) + "/" + name + ".png", encoded);
  }

  std::vector<nlohmann::json> events;

 private:
  void end() const {
    close(to_);
    close(from_);
    kill(child_, SIGTERM);
    waitpid(child_, nullptr, 0);
  }

  nlohmann::json receive() {
    size_t end;
    while ((end = received_.find('\0')) == std::string::npos) {
      pollfd waiting{from_, POLLIN, 0};
      char buffer[65536];
      const ssize_t count = poll(&waiting, 1, 60000) > 0 ? read(from_, buffer, sizeof buffer) : 0;
      if (count <= 0) throw std::runtime_error("Chromium does not answer");
      received_.append(buffer, static_cast<size_t>(count));
    }
    auto message = nlohmann::json::parse(received_.substr(0, end));
    received_.erase(0, end + 1);
    return message;
  }

  pid_t child_ = 0;
  int to_ = -1, from_ = -1;
  int64_t last_ = 0;
  std::string session_, received_;
};

}  // namespace astroclip::testing_support
