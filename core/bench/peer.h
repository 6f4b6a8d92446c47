#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/row.h"

namespace astroclip::bench {

/// A Python package doing a row's work in a process of its own, a call at a time.
class Peer {
 public:
  /// Starts `python` and waits until it has done the work once in each mode. Throws Error when that fails.
  Peer(const std::string& python, const std::string& package, const std::string& work, int64_t batch,
       const Settings& settings);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  const std::string& package() const;
  /// Its ways of doing the work: of PyTorch "eager", and "compiled" where it can be.
  const std::vector<std::string>& modes() const;
  /// Does the work once. Throws Error when the process has ended.
  double seconds(const std::string& mode);

 private:
  struct Process;
  std::unique_ptr<Process> process_;
};

/// PyTorch doing rows' work on a card, one after another, in a process that starts with the first of them, and anew
/// after one that was too slow.
class CardPeer {
 public:
  struct Options {
    std::string compile_mode = "default";  ///< of torch.compile; or "max-autotune"
    double limit = 120.0;                  ///< seconds for a row, compiling included
  };
  /// One way of doing a row's work.
  struct Result {
    std::string mode;      ///< "compiled, bf16"
    double seconds = 0.0;  ///< of a call, measured as this program's are
    double first = 0.0;    ///< seconds of the first call
    double memory = 0.0;   ///< bytes of the card that its allocator held
    std::string error = {};
  };

  CardPeer(std::string python, const Settings& settings, Options options);
  ~CardPeer();
  CardPeer(const CardPeer&) = delete;
  CardPeer& operator=(const CardPeer&) = delete;

  /// Every way of doing a row's work. Throws Error when Python cannot be started.
  std::vector<Result> measure(const std::string& work, int64_t batch);

 private:
  struct Process;
  std::string python_;
  Settings settings_;
  Options options_;
  std::unique_ptr<Process> process_;
};

}  // namespace astroclip::bench
