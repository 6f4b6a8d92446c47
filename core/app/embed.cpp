#include "embed/embed.h"

#include <fmt/format.h>
#include <fmt/ostream.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/program_options.hpp>

#include "app/verbs.h"

namespace astroclip::app {

namespace {

namespace options = boost::program_options;
using Texts = std::vector<std::string>;
constexpr int interrupted_status = 130;  // as a shell reports Ctrl-C

options::options_description described(embed::Request& request) {
  options::options_description named("options");
  auto add = named.add_options();
  const auto text = [](std::string* to, const char* name) { return options::value<std::string>(to)->value_name(name); };
  (void)add("help", "print this");
  (void)add("model", text(&request.model, "FILE")->required(), "the weights: of a run, or of astroclip convert");
  (void)add("input", options::value<Texts>(&request.inputs)->value_name("FILE")->multitoken()->required(),
            "files, folders or patterns: paired files, or the image survey's");
  (void)add("output", text(&request.output, "FILE.h5")->required(), "the file to write, or to go on with");
  (void)add("modality", options::value<Texts>(&request.modalities)->value_name("NAME")->multitoken(),
            "image, spectrum (default: all that both sides have)");
  (void)add("embedding", text(&request.embedding, "KIND"),
            "head (default), or pool: class token or mean token, before alignment");
  (void)add("precision", text(&request.precision, "NAME"),
            "f32, bf16, or auto (default): bf16 where the machine has it");
  (void)add("batch", options::value<int64_t>(&request.batch)->default_value(request.batch), "objects at once");
  (void)add("architecture", text(&request.architecture, "FILE.toml"),
            "the model's encoders, for weights that do not tell");
  (void)add("threads", options::value<int64_t>(&request.threads)->default_value(request.threads),
            "compute threads; 0: one for each core");
  (void)add("loader-threads", options::value<int64_t>(&request.loader_threads)->default_value(request.loader_threads),
            "threads that read ahead");
  return named;
}

void check_choice(const char* option, const std::string& value, const Texts& choices) {
  if (std::ranges::find(choices, value) != choices.end()) return;
  throw UsageError(fmt::format("--{} is '{}', must be one of {}", option, value, fmt::join(choices, ", ")));
}

void check_range(const char* option, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high)
    throw UsageError(fmt::format("--{} is {}, must be {}..{}", option, value, low, high));
}

}  // namespace

int embed_command(std::span<const std::string> arguments) {
  embed::Request request;
  const options::options_description named = described(request);
  options::variables_map values;
  options::store(options::command_line_parser(Texts(arguments.begin(), arguments.end())).options(named).run(), values);
  if (values.contains("help")) {
    fmt::print(
        "usage: astroclip embed --model FILE --input FILE… --output FILE.h5 [options]\n\n"
        "Writes image_embeddings, spectrum_embeddings and object_id of every object. Stopped or killed, the same\n"
        "command goes on where it was.\n\n{}",
        fmt::streamed(named));
    return 0;
  }
  options::notify(values);
  check_choice("embedding", request.embedding, {"head", "pool"});
  check_choice("precision", request.precision, {"auto", "f32", "bf16"});
  check_range("batch", request.batch, 1, 65536);
  check_range("threads", request.threads, 0, 4096);
  check_range("loader-threads", request.loader_threads, 1, 256);
  return embed::embed(request) == train::Outcome::finished ? 0 : interrupted_status;
}

}  // namespace astroclip::app
