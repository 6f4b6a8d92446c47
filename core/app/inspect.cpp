#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "app/file_readers.h"
#include "app/verbs.h"
#include "base/error.h"
#include "io/file_format.h"

namespace astroclip::app {

namespace {

int inspect(const std::string& path) {
  if (!std::filesystem::is_directory(path)) io::require_regular_file(path);
  if (!std::filesystem::exists(path)) throw Error(fmt::format("{}: cannot read: No such file or directory", path));
  const auto readers = file_readers();
  const auto reader = std::ranges::find_if(readers, [&](const FileReader& one) { return one.recognises(path); });
  if (reader == readers.end()) {
    const std::string other = io::other_format(path);
    throw Error(fmt::format("{}: is no file that astroclip reads{}", path, other.empty() ? "" : ", but " + other));
  }
  fmt::print("{}\n", path);
  reader->describe(path);
  return 0;
}

}  // namespace

Verb inspect_verb() {
  return {
      .name = "inspect",
      .usages = {"FILE"},
      .meaning = "identify a file and list its contents",
      .description =
          "Identifies any file that the program reads, lists its contents, and says which parts the verbs that read "
          "it would use, and why not the others: weights (PyTorch, safetensors) and model files, FITS files, HDF5 "
          "files of objects and of embeddings, tables, experiment files, and folders of runs or of files. No code in a "
          "PyTorch file is executed.",
      .positionals =
          {Argument("file", "FILE", "any of these files, or a folder").required().completed_by(Completes::file)},
      .examples = {{"astroclip inspect runs/quickstart-1/model.safetensors", "lists the model of a run"},
                   {"astroclip inspect astroclip.ckpt", "lists a published file, without PyTorch"},
                   {"astroclip inspect spectra/coadd.fits", "says which spectra `import` would take"}},
      .run = [](const Values& values) { return inspect(values.text("file")); }};
}

}  // namespace astroclip::app
