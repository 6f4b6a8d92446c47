#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/verbs.h"
#include "base/printable.h"
#include "io/weights/weights_file.h"

namespace astroclip::app {

namespace {

/// Text out of a file, fit for a terminal and one line.
std::string shown(const std::string& text) { return printable(text, 100); }

void print_listing(const std::string& path, const io::WeightsListing& listing) {
  int64_t numbers = 0;
  size_t width = 0;
  for (const auto& entry : listing.entries) {
    numbers += entry.shape.numel();
    width = std::max(width, entry.name.size());
  }
  fmt::print("{}\n{}: {} tensors, {} numbers\n\n", path, listing.format, listing.entries.size(), numbers);
  for (const auto& entry : listing.entries) {
    fmt::print("  {:{}}  {:4}  {}\n", shown(entry.name), width, entry.type, entry.shape.str());
  }
  if (!listing.skipped.empty()) fmt::print("\nno tensors that can be read\n");
  for (const auto& name : listing.skipped) fmt::print("  {}\n", shown(name));
  if (!listing.metadata.empty()) fmt::print("\nmetadata\n");
  for (const auto& [key, value] : listing.metadata) fmt::print("  {} = {}\n", shown(key), shown(value));
}

}  // namespace

Verb inspect_verb() {
  Verb verb{"inspect",
            {"FILE"},
            "list the tensors and metadata of a file of weights",
            "Lists the tensors of a PyTorch or safetensors file with dtype and shape, and what else it says of itself. "
            "Nothing that a PyTorch file holds is run."};
  verb.positionals = {{"file", "FILE", "weights: safetensors, or PyTorch of any version"}};
  verb.examples = {{"astroclip inspect runs/quickstart-1/model.safetensors", "what a run ended with"},
                   {"astroclip inspect astroclip.ckpt", "what is in a published file, without PyTorch"}};
  verb.run = [](const options::variables_map& values) {
    if (!values.contains("file")) throw UsageError("inspect needs a file");
    const auto path = values["file"].as<std::string>();
    print_listing(path, io::list_weights(path));
    return 0;
  };
  return verb;
}

}  // namespace astroclip::app
