#include "io/file_list.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/error.h"

namespace astroclip::io {

namespace {

std::vector<std::string> in_folder(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const auto extension = entry.path().extension();
    if (entry.is_regular_file() && (extension == ".h5" || extension == ".hdf5")) files.push_back(entry.path().string());
  }
  if (files.empty()) throw Error(fmt::format("{}: the folder contains no *.h5 or *.hdf5 files", folder));
  std::ranges::sort(files);
  return files;
}

std::vector<std::string> fitting(const std::string& pattern) {
  glob_t found{};
  const int failure = glob(pattern.c_str(), GLOB_ERR, nullptr, &found);
  std::vector<std::string> files(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  if (failure == GLOB_NOMATCH) throw Error(fmt::format("{}: no file matches the pattern", pattern));
  if (failure != 0) throw Error(fmt::format("{}: cannot read a folder of the pattern", pattern));
  return files;
}

}  // namespace

std::vector<std::string> hdf5_files(std::span<const std::string> named) {
  std::vector<std::string> files;
  std::set<std::string> known;
  for (const std::string& name : named) {
    std::vector<std::string> more = {name};
    if (std::filesystem::is_directory(name))
      more = in_folder(name);
    else if (!std::filesystem::exists(name) && name.find_first_of("*?[") != std::string::npos)
      more = fitting(name);
    else if (!std::filesystem::exists(name))
      throw Error(fmt::format("{}: no such file", name));
    for (std::string& file : more)
      if (known.insert(std::filesystem::weakly_canonical(file).string()).second) files.push_back(std::move(file));
  }
  return files;
}

}  // namespace astroclip::io
