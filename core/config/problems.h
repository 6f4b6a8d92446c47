#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "config/value.h"

namespace astroclip::config {

/// An Error that lists problems, each a line of its own that begins with its place.
class __attribute__((visibility("default"))) ProblemList : public Error {
 public:
  using Error::Error;
};

/// All problems of a configuration, collected and thrown together.
class Problems {
 public:
  /// "file:line:column: error: message"
  void add(const Location& location, const std::string& message);
  void append(const Problems& other);
  bool empty() const { return problems_.empty(); }
  size_t size() const { return problems_.size(); }
  /// Sorted by place: files in the order they were first mentioned, then line and column.
  std::vector<std::string> messages() const;
  /// Throws one ProblemList with every message on a line of its own when there is any.
  void throw_if_any() const;

 private:
  struct Problem {
    Location location;
    std::string message;
  };
  std::vector<Problem> problems_;
};

}  // namespace astroclip::config
