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
       Precision precision);
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

}  // namespace astroclip::bench
