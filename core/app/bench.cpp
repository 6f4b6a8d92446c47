#include "bench/bench.h"

#include "app/verbs.h"
#include "backend/devices.h"

namespace astroclip::app {

Verb bench_verb() {
  return {
      .name = "bench",
      .usages = {"[--device NAME] [--only NAME] [--precision f32|bf16] [--against PACKAGE]…"},
      .meaning = "measure the speed of kernels, towers, search and file reading",
      .description =
          "Measures kernels, embedding and training with the published towers, search for nearest neighbours, and "
          "reading of files, and prints their rates and the share of the rate that a large matrix product of the same "
          "precision reaches. The product is measured in turn with each row, so that other load on the machine affects "
          "both. On a card the rows are kernels, towers and the loader at sizes that fill it; each is measured alone, "
          "as the median of groups of calls, and products and copies are measured before and after them.",
      .options =
          {Argument("device", "NAME", std::string("where to compute: ") + device_name_forms + "; auto is the fastest")
               .by_default("auto"),
           Argument("seconds", "S", "time to measure each row").number_between(0, 3600).by_default("3"),
           Argument("batch", "N",
                    "batch size of the towers; 0: 8 spectra, 16 images, 32 for ResNet-18; on a card, as many as keep "
                    "it busy")
               .between(0, 65536)
               .by_default("0"),
           Argument("precision", "", "precision of matrix products").one_of({"f32", "bf16"}).by_default("f32"),
           Argument("against", "PACKAGE",
                    "also measure a Python package, with the same threads, precision and batch size, and its own "
                    "OpenMP settings: PyTorch on the towers, where the faster of eager and compiled counts, "
                    "scikit-learn and FAISS on the search. On a card PyTorch follows when all rows are measured, "
                    "compiled, in bf16 and by autocast where both can be")
               .one_of({"pytorch", "scikit-learn", "faiss"})
               .repeated(),
           Argument("python", "FILE", "Python interpreter that has the packages")
               .by_default("python3")
               .completed_by(Completes::file),
           Argument("compile-mode", "", "mode of torch.compile on a card")
               .one_of({"default", "max-autotune"})
               .by_default("default"),
           Argument("limit", "S", "time that PyTorch gets for a row on a card, compiling included")
               .number_between(1, 3600)
               .by_default("120"),
           Argument("only", "NAME", "only rows whose name contains NAME"),
           Argument("json", "FILE", "add every result to a file, as a line of JSON").completed_by(Completes::file),
           Argument("small", "", "small towers and shapes, to see that rows work: the rates mean nothing")},
      .examples = {{"astroclip bench --only embed --precision bf16", "measures embedding with the published towers"},
                   {"astroclip bench --only train --against pytorch --python venv/bin/python",
                    "compares training steps with PyTorch"},
                   {"astroclip bench --device cuda --precision bf16 --against pytorch --json results.json",
                    "measures a card, and PyTorch on it"},
                   {"astroclip bench --only search --against faiss --against scikit-learn --python venv/bin/python",
                    "compares the search for nearest neighbours with FAISS and scikit-learn"}},
      .run = [](const Values& values) {
        const auto precision = values.text("precision") == "bf16" ? Precision::bf16 : Precision::f32;
        bench::run({{.seconds = values.number("seconds"),
                     .batch = values.integer("batch"),
                     .precision = precision,
                     .device = device_named(values.text("device")),
                     .small = values.has("small")},
                    values.text("only"),
                    values.texts("against"),
                    values.text("python"),
                    {values.text("compile-mode"), values.number("limit")},
                    values.text("json")});
        return 0;
      }};
}

}  // namespace astroclip::app
