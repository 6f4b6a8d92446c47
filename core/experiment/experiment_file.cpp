#include "experiment/experiment_file.h"

#include <fmt/format.h>

#include "base/error.h"
#include "config/toml.h"
#include "io/file_format.h"

namespace astroclip {

namespace {

void refuse_other_formats(const std::string& path) {
  try {
    (void)config::parse_file(path);
  } catch (const Error&) {
    const std::string other = io::other_format(path);
    if (!other.empty()) throw Error(fmt::format("{}: is not an experiment file but {}", path, other));
  }
}

}  // namespace

config::Table parse_experiment(const std::string& path, const std::vector<std::string>& assignments) {
  if (!path.ends_with(".toml")) refuse_other_formats(path);
  return config::parse_file(path, assignments);
}

}  // namespace astroclip
