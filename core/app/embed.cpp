#include "embed/embed.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

#include "app/verbs.h"

namespace astroclip::app {

namespace {

namespace options = boost::program_options;
using Texts = std::vector<std::string>;

void describe(embed::Request& request, options::options_description& named) {
  auto add = named.add_options();
  const auto text = [](std::string* to, const char* name) { return options::value<std::string>(to)->value_name(name); };
  const auto number = [](int64_t* to) { return options::value<int64_t>(to)->value_name("N")->default_value(*to); };
  (void)add("model", text(&request.model, "FILE")->required(), "the weights: of a run, or of astroclip convert");
  (void)add("input", options::value<Texts>(&request.inputs)->value_name("FILE")->multitoken(),
            "files, folders or patterns: paired files, or the image survey's");
  (void)add("dataset", text(&request.dataset, "PLUGIN|FILE.toml"),
            "instead of --input: a dataset plugin, or a file with a section [dataset], such as an experiment's");
  (void)add("set", options::value<Texts>(&request.assignments)->value_name("dataset.key=value")->multitoken(),
            "a parameter of the dataset; may be repeated");
  (void)add("output", text(&request.output, "FILE.h5")->required(), "the file to write, or to go on with");
  (void)add("modality", options::value<Texts>(&request.modalities)->value_name("image|spectrum")->multitoken(),
            "image, spectrum (default: all that both sides have)");
  (void)add("embedding", text(&request.embedding, "head|pool"),
            "head (default), or pool: class token or mean token, before alignment");
  (void)add("precision", text(&request.precision, "f32|bf16|auto"),
            "f32, bf16, or auto (default): bf16 where the machine has it");
  (void)add("batch", number(&request.batch), "objects at once");
  (void)add("architecture", text(&request.architecture, "FILE.toml"),
            "the model's encoders, or a preset's name, for weights that do not tell");
  (void)add("threads", number(&request.threads), "compute threads; 0: one for each core");
  (void)add("loader-threads", number(&request.loader_threads), "threads that read ahead");
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

Verb embed_verb() {
  Verb verb{"embed",
            {"--model FILE --input FILE… --output FILE.h5", "--model FILE --dataset PLUGIN --output FILE.h5"},
            "embed images and spectra with a model",
            "Writes image_embeddings, spectrum_embeddings and object_id of every object. Stopped or killed, the same "
            "command goes on where it was."};
  const auto request = std::make_shared<embed::Request>();
  describe(*request, verb.options);
  verb.examples = {
      {"astroclip embed --model runs/quickstart-1/model.safetensors --input survey.h5 --output embeddings.h5",
       "every galaxy of a file with what a run learnt"},
      {"astroclip embed --model astroclip.safetensors --input images_*.h5 --modality image --embedding pool --output "
       "images.h5",
       "many files of images, before alignment"},
      {"astroclip embed --model model.safetensors --dataset experiment.toml --output all.h5",
       "the training and test objects of an experiment"}};
  verb.run = [request](const options::variables_map&) {
    if (request->inputs.empty() == request->dataset.empty()) throw UsageError("embed needs --input or --dataset");
    check_choice("embedding", request->embedding, {"head", "pool"});
    check_choice("precision", request->precision, {"auto", "f32", "bf16"});
    check_range("batch", request->batch, 1, 65536);
    check_range("threads", request->threads, 0, 4096);
    check_range("loader-threads", request->loader_threads, 1, 256);
    return embed::embed(*request) == run::Outcome::finished ? 0 : interrupted_status;
  };
  return verb;
}

}  // namespace astroclip::app
