#include "io/file_list.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/error.h"

namespace astroclip::io {

namespace {

namespace fs = std::filesystem;

struct Found {
  std::vector<std::string> files;
  bool has_parquet = false;
  std::set<fs::path> folders;  ///< without links: each is entered once, so that links in a circle end
};

void search(const fs::path& folder, Found& found) {
  if (!found.folders.insert(fs::canonical(folder)).second) return;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(folder, failure)) {
    if (entry.path().filename().string().starts_with('.')) continue;
    std::error_code dangling;
    const auto extension = entry.path().extension();
    if (entry.is_directory(dangling))
      search(entry.path(), found);
    else if (entry.is_regular_file(dangling) && (extension == ".h5" || extension == ".hdf5"))
      found.files.push_back(entry.path().string());
    else
      found.has_parquet = found.has_parquet || extension == ".parquet";
  }
  if (failure) throw Error(fmt::format("{}: cannot read the folder: {}", folder.string(), failure.message()));
}

std::vector<std::string> in_folder(const std::string& folder) {
  Found found;
  search(folder, found);
  if (found.files.empty() && found.has_parquet) {
    throw Error(fmt::format(
        "{}: the folder contains Parquet files (a HATS catalogue?), which are not read; write its objects as "
        "HDF5 files, as the Multimodal Universe's scripts do",
        folder));
  }
  if (found.files.empty()) throw Error(fmt::format("{}: the folder contains no *.h5 or *.hdf5 files", folder));
  std::ranges::sort(found.files);
  return found.files;
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
    if (fs::is_directory(name))
      more = in_folder(name);
    else if (!fs::exists(name) && name.find_first_of("*?[") != std::string::npos)
      more = fitting(name);
    else if (!fs::exists(name))
      throw Error(fmt::format("{}: no such file", name));
    for (std::string& file : more)
      if (known.insert(fs::weakly_canonical(file).string()).second) files.push_back(std::move(file));
  }
  return files;
}

}  // namespace astroclip::io
