#include "io/file_format.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <string_view>

#include "base/error.h"
#include "base/printable.h"
#include "io/table/table.h"
#include "io/weights/weights_file.h"

namespace astroclip::io {

namespace {

using namespace std::string_view_literals;

struct Format {
  std::string_view begin;  ///< the file's first bytes
  std::string_view what;
};
constexpr Format formats[] = {
    {"SIMPLE  ="sv, "a FITS file; `astroclip import` makes objects of its images and spectra"},
    {"\x89HDF\r\n\x1a\n"sv,
     "an HDF5 file; its objects go into `astroclip embed` by --input as they are, its tables into `astroclip import` "
     "by "
     "--labels or --at"},
    {"CDF\x01"sv, "a netCDF 3 file"},
    {"PAR1"sv, "a Parquet file; write it as FITS, HDF5 or CSV"},
    {"ARROW1"sv, "an Arrow file; write it as FITS, HDF5 or CSV"},
    {"\x93NUMPY"sv, "a NumPy array (.npy); write it as FITS, HDF5 or CSV"},
    {"\xff\xfe"sv, "text in UTF-16; write it in UTF-8"},
    {"\xfe\xff"sv, "text in UTF-16; write it in UTF-8"},
    {"PK\x03\x04"sv, "a zip archive; unpack it"},
    {"\x1f\x8b"sv, "compressed by gzip; decompress it with gunzip"},
    {"BZh"sv, "compressed by bzip2; decompress it with bunzip2"},
    {"\xfd\x37zXZ"sv, "compressed by xz; decompress it with unxz"},
    {"\x28\xb5\x2f\xfd"sv, "compressed by zstd; decompress it with unzstd"},
    {"GGUF"sv, "a GGUF file of quantised weights"},
    {"version https://git-lfs.github.com"sv, "a Git LFS pointer, not the file itself; fetch it with git lfs pull"},
    {"<!DOCTYPE html"sv, "a web page, perhaps a failed download"},
    {"<!doctype html"sv, "a web page, perhaps a failed download"},
    {"<html"sv, "a web page, perhaps a failed download"},
    {"\x89PNG"sv, "a PNG image"},
    {"\xff\xd8\xff"sv, "a JPEG image"},
};

/// Protocols 2 to 5 begin with their number and a frame, a dict, a list, a class or a memo; older ones are text.
bool looks_like_pickle(std::string_view text) {
  constexpr std::string_view second = "\x95}]c(\x8c\x8a"sv;
  return text.size() > 2 && text[0] == '\x80' && text[1] >= 2 && text[1] <= 5 && second.find(text[2]) != second.npos;
}

}  // namespace

std::string other_format(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto* found = std::ranges::find_if(formats, [&](const Format& one) { return text.starts_with(one.begin); });
  if (found != std::end(formats)) return std::string(found->what);
  if (looks_like_pickle(text)) {
    return "a Python pickle; load it in Python and save its tensors with safetensors.torch.save_file or torch.save";
  }
  constexpr size_t place_of_magic = 257;
  if (text.size() > place_of_magic && text.substr(place_of_magic).starts_with("ustar"))
    return "a tar archive; unpack it";
  return "";
}

std::string other_format(const std::string& path, bool or_table) {
  constexpr size_t most = 512;
  std::string bytes(most, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), static_cast<std::streamsize>(most));
  bytes.resize(static_cast<size_t>(file.gcount()));
  if (bytes.empty()) return file.eof() ? "an empty file" : "";
  const bool is_zip_of_others = bytes.starts_with("PK") && bytes.find("data.pkl") == std::string::npos;
  if (!is_zip_of_others && looks_like_weights(path))
    return "a file of weights; `astroclip embed` takes a model's by --model";
  if (const std::string table = or_table && bytes.starts_with("\x1f\x8b") ? table_format(path) : ""; !table.empty())
    return table;
  if (const std::string known = other_format(std::as_bytes(std::span(bytes))); !known.empty()) return known;
  if (path.ends_with(".toml")) return "an experiment file; `astroclip run` takes it, and `embed` by --dataset";
  return or_table ? table_format(path) : "";
}

std::string table_format(const std::string& path, const std::string& table) {
  try {
    constexpr size_t most = 8;
    const Table found = Table::open(path, table);
    const auto names = std::span(found.columns()).first(std::min(found.columns().size(), most));
    if (found.rows() == 0 || names.size() < 2) return "";
    return fmt::format(
        "a table ({}: {}{}); `astroclip import` takes it by --labels, to join its columns to objects, and by --at, to "
        "cut "
        "images out at its positions",
        found.format(), printable(fmt::format("{}", fmt::join(names, ", "))),
        names.size() < found.columns().size() ? ", …" : "");
  } catch (const Error&) {
    return "";
  }
}

void require_regular_file(const std::string& path) {
  struct stat status {};
  const bool exists = stat(path.c_str(), &status) == 0;
  if (exists ? S_ISREG(status.st_mode) : path != "-") return;
  throw Error(fmt::format("{}: {}", path,
                          exists && S_ISDIR(status.st_mode) ? "is a folder; name the files in it"
                          : exists                          ? "is a pipe or device; save its data to a file first"
                                   : "standard input cannot be read; save its data to a file first"));
}

}  // namespace astroclip::io
