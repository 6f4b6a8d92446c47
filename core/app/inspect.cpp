#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/program_options.hpp>

#include "app/verbs.h"
#include "io/weights_file.h"

namespace astroclip::app {

namespace {

namespace options = boost::program_options;

/// Text out of a file, fit for a terminal and one line.
std::string shown(const std::string& text) {
  constexpr size_t longest = 100;
  std::string line = text.size() > longest ? text.substr(0, longest) + "…" : text;
  std::ranges::replace_if(
      line, [](char c) { return (c >= 0 && c < ' ') || c == 0x7F; }, '?');
  return line;
}

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
  if (!listing.skipped.empty()) fmt::print("\nno tensors\n");
  for (const auto& name : listing.skipped) fmt::print("  {}\n", shown(name));
  if (!listing.metadata.empty()) fmt::print("\nmetadata\n");
  for (const auto& [key, value] : listing.metadata) fmt::print("  {} = {}\n", shown(key), shown(value));
}

}  // namespace

int inspect_command(std::span<const std::string> arguments) {
  options::options_description all;
  all.add_options()("help", "print this")("file", options::value<std::string>());
  options::variables_map values;
  const std::vector<std::string> words(arguments.begin(), arguments.end());
  options::store(options::command_line_parser(words)
                     .options(all)
                     .positional(options::positional_options_description().add("file", 1))
                     .run(),
                 values);
  if (values.count("help") > 0) {
    fmt::print(
        "usage: astroclip inspect FILE\n\n"
        "Lists the tensors of a PyTorch or safetensors file with dtype and shape, and what else it says of itself.\n"
        "Nothing that a PyTorch file holds is run.\n");
    return 0;
  }
  if (values.count("file") == 0) throw UsageError("inspect needs a file");
  const auto path = values["file"].as<std::string>();
  print_listing(path, io::list_weights(path));
  return 0;
}

}  // namespace astroclip::app
