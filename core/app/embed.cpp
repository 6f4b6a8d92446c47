#include "embed/embed.h"

#include "app/verbs.h"
#include "backend/devices.h"

namespace astroclip::app {

namespace {

int embed(const Values& values) {
  if (values.has("input") == values.has("dataset")) throw UsageError("embed needs --input or --dataset");
  embed::Request request;
  request.model = values.text("model");
  request.architecture = values.text("architecture");
  request.inputs = values.texts("input");
  request.dataset = values.text("dataset");
  request.assignments = values.texts("set");
  request.output = values.text("output");
  request.modalities = values.texts("modality");
  request.embedding = values.text("embedding");
  request.probes = values.texts("probe");
  request.device = values.text("device");
  request.precision = values.text("precision");
  request.batch = values.integer("batch");
  request.threads = values.integer("threads");
  request.loader_threads = values.integer("loader-threads");
  return embed::embed(request) == run::Outcome::finished ? 0 : interrupted_status;
}

}  // namespace

Verb embed_verb() {
  return {
      .name = "embed",
      .usages = {"--model FILE --input FILE… --output FILE.h5", "--model FILE --dataset PLUGIN --output FILE.h5"},
      .meaning = "embed images and spectra with a trained model",
      .description =
          "Writes the embeddings of every object of the inputs, or of a dataset, to an HDF5 file: object_id, and "
          "NAME_embeddings for each encoder, such as image_embeddings. An interrupted command resumes when it is "
          "repeated.",
      .options =
          {Argument("model", "FILE", "model file of a run or of `astroclip convert`")
               .required()
               .completed_by(Completes::file),
           Argument("input", "FILE…", "files, folders or patterns, in the paired layout or that of the image survey")
               .many()
               .completed_by(Completes::file),
           Argument("dataset", "PLUGIN|FILE.toml",
                    "dataset plugin, or a file with a section [dataset], such as an experiment file")
               .completed_by(Completes::dataset),
           Argument("set", "dataset.key=value", "set parameters of the dataset").many(),
           Argument("output", "FILE.h5", "file to write, or to resume").required().completed_by(Completes::file),
           Argument("modality", "NAME…",
                    "encoders of the model to use, such as image (default: all whose modality the inputs have)")
               .many(),
           Argument("embedding", "",
                    "head: output of the head; pool: class token or mean token of the backbone, before alignment")
               .one_of({"head", "pool"})
               .by_default("head"),
           Argument("probe", "FILE…",
                    "files of a run's folder probes; what they predict is written, too, as NAME_LABEL_METHOD")
               .many()
               .completed_by(Completes::file),
           Argument("device", "NAME", std::string("where to compute: ") + device_name_forms + "; auto is the fastest")
               .by_default("auto"),
           Argument("precision", "",
                    "precision of matrix products; auto: that of an output to resume, else bf16 on a card and "
                    "where its products are measured to be at least 1.2 times as fast")
               .one_of({"f32", "bf16", "auto"})
               .by_default("auto"),
           Argument("batch", "N", "batch size").between(1, 65536).by_default("32"),
           Argument("architecture", "FILE.toml",
                    "encoders of a model file without metadata: an experiment file, or the file or name "
                    "of a preset")
               .completed_by(Completes::preset),
           Argument("threads", "N", "compute threads; 0: OMP_NUM_THREADS, or one for each core")
               .between(0, 4096)
               .by_default("0"),
           Argument("loader-threads", "N", "threads that read ahead").between(1, 256).by_default("1")},
      .examples =
          {{"astroclip embed --model runs/quickstart-1/model.safetensors --input survey.h5 --output "
            "embeddings.h5",
            "embeds every galaxy of a file with the model of a run"},
           {"astroclip embed --model astroclip.safetensors --input images_*.h5 --modality image "
            "--embedding pool --output images.h5",
            "embeds many files of images with the backbone alone"},
           {"astroclip embed --model model.safetensors --probe redshift_mlp.safetensors --input new.h5 --output "
            "redshifts.h5",
            "predicts the redshifts of new galaxies by a probe of a run with keep_probes = true"},
           {"astroclip embed --model model.safetensors --dataset experiment.toml --output all.h5",
            "embeds the training and test objects of an experiment"}},
      .run = embed};
}

}  // namespace astroclip::app
