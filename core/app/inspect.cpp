#include <fmt/format.h>

#include "app/verbs.h"
#include "base/printable.h"
#include "base/table.h"
#include "io/weights/weights_file.h"

namespace astroclip::app {

namespace {

/// Text out of a file, fit for a terminal and one line.
std::string shown(const std::string& text) { return printable(text, 100); }

void print_listing(const std::string& path, const io::WeightsListing& listing) {
  int64_t numbers = 0;
  std::vector<TableRow> rows;
  for (const auto& entry : listing.entries) {
    numbers += entry.shape.numel();
    rows.push_back({shown(entry.name), fmt::format("{:4}", entry.type), entry.shape.str()});
  }
  fmt::print("{}\n{}: {} tensors, {} numbers\n\n{}", path, listing.format, listing.entries.size(), numbers,
             format_table(rows));
  if (!listing.skipped.empty()) fmt::print("\ncannot be read\n");
  for (const auto& name : listing.skipped) fmt::print("  {}\n", shown(name));
  if (!listing.metadata.empty()) fmt::print("\nmetadata\n");
  for (const auto& [key, value] : listing.metadata) fmt::print("  {} = {}\n", shown(key), shown(value));
}

}  // namespace

Verb inspect_verb() {
  return {
      .name = "inspect",
      .usages = {"FILE"},
      .meaning = "list the tensors and metadata of a weights file",
      .description =
          "Lists name, dtype and shape of the tensors in a PyTorch or safetensors file, and its metadata. No code in a "
          "PyTorch file is executed.",
      .positionals = {Argument("file", "FILE", "safetensors file, or PyTorch file of any version")
                          .required()
                          .completed_by(Completes::file)},
      .examples = {{"astroclip inspect runs/quickstart-1/model.safetensors", "lists the model of a run"},
                   {"astroclip inspect astroclip.ckpt", "lists a published file, without PyTorch"}},
      .run = [](const Values& values) {
        print_listing(values.text("file"), io::list_weights(values.text("file")));
        return 0;
      }};
}

}  // namespace astroclip::app
