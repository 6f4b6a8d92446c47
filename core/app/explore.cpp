#include "explore/explore.h"

#include <fmt/format.h>

#include "app/verbs.h"
#include "serve/http_server.h"

namespace astroclip::app {

namespace {

int explore(const Values& values) {
  if (values.has("data") && values.has("dataset")) throw UsageError("explore takes --data or --dataset, not both");
  explore::Options options;
  options.embeddings = values.text("embeddings");
  options.data = values.texts("data");
  options.dataset = values.text("dataset");
  options.assignments = values.texts("set");
  options.model = values.text("model");
  options.predictions = values.text("predictions");
  options.address = values.text("listen");
  if (!serve::is_loopback(options.address) && !values.has("open-to-network")) {
    throw UsageError(
        fmt::format("--listen {}: {}. Add --open-to-network if that is meant, or forward the port with ssh -L",
                    options.address, explore::what_others_can_do));
  }
  options.port = static_cast<int>(values.integer("port"));
  options.threads = values.integer("threads");
  options.with_umap = !values.has("no-umap");
  options.only_index = values.has("only-index");
  explore::explore(options);
  return 0;
}

}  // namespace

Verb explore_verb() {
  return {
      .name = "explore",
      .usages = {"EMBEDDINGS.h5 [--data FILE…] [--model FILE] [--predictions RUN]", "RUN [--model FILE]"},
      .meaning = "show embeddings in a browser: maps, galaxies, neighbours",
      .description =
          "Serves a page for browsers, whose address it prints: maps of the embeddings by principal components and "
          "UMAP, and of the sky; the image, spectrum and labels of a galaxy, its neighbours in every direction, and "
          "selections to export or to share with TOPCAT and Aladin. With the model, galaxies in FITS files are "
          "embedded and placed among them. It needs no network. The maps are kept beside the embeddings, in "
          "EMBEDDINGS.h5.view.",
      .positionals = {Argument("embeddings", "EMBEDDINGS.h5|RUN",
                               "file of `astroclip embed`, or the folder of a run, which brings its dataset")
                          .required()
                          .completed_by(Completes::file)},
      .options = {Argument("data", "FILE…", "files, folders or patterns with images, spectra and labels of the objects")
                      .many()
                      .completed_by(Completes::file),
                  Argument("dataset", "PLUGIN|FILE.toml",
                           "instead of --data: dataset plugin, or a file with a section [dataset]")
                      .completed_by(Completes::dataset),
                  Argument("set", "dataset.key=value", "set parameters of the dataset").many(),
                  Argument("model", "FILE", "the embeddings' model; with it galaxies can be uploaded, and are embedded")
                      .completed_by(Completes::file),
                  Argument("predictions", "RUN",
                           "finished run whose tasks' predictions are shown of the objects that it has in common with "
                           "the embeddings; that of the embeddings' own folder needs no naming")
                      .completed_by(Completes::file),
                  Argument("listen", "ADDRESS", "address of this machine to listen at").by_default("127.0.0.1"),
                  Argument("open-to-network", "",
                           "allow another address than loopback: whoever reaches it and has the "
                           "printed URL sees everything, and nothing is encrypted"),
                  Argument("port", "N", "port to serve at; 0: one that is free").between(0, 65535).by_default("0"),
                  Argument("no-umap", "",
                           "make no maps by UMAP and no outlier scores, which take minutes of all cores"),
                  Argument("only-index", "", "build the view index beside the embeddings, and end"),
                  Argument("threads", "N", "compute threads; 0: one for each core").between(0, 4096).by_default("0")},
      .examples = {{"astroclip explore embeddings.h5", "shows maps and neighbours"},
                   {"astroclip explore embeddings.h5 --data survey.h5", "shows images, spectra and labels, too"},
                   {"astroclip explore embeddings.h5 --model model.safetensors", "embeds uploaded galaxies, too"},
                   {"astroclip explore runs/quickstart-1", "shows what a run has embedded"}},
      .run = explore};
}

}  // namespace astroclip::app
