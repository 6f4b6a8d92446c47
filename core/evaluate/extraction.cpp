#include "evaluate/extraction.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "base/error.h"
#include "data/loader.h"
#include "evaluate/batch_embedder.h"
#include "ops/ops.h"

namespace astroclip::evaluate {

namespace {

/// The task that reads tokens; "" for none.
std::string reader_of_tokens(const Experiment& experiment) {
  for (const plugin::Spec<Task>& spec : experiment.tasks) {
    if (spec.make()->reads_tokens()) return spec.plugin;
  }
  return "";
}

/// Those of the rows that are chosen.
class TokensOfChosen final : public TokenReader {
 public:
  TokensOfChosen(std::shared_ptr<const FrozenTokens> kept, std::vector<int64_t> rows)
      : kept_(std::move(kept)), rows_(std::move(rows)) {}

  int64_t tokens() const override { return kept_->tokens(); }

  Matrix read(std::span<const int64_t> objects) const override {
    std::vector<int64_t> rows;
    for (const int64_t object : objects) rows.push_back(rows_[static_cast<size_t>(object)]);
    return kept_->read_tokens(rows);
  }

 private:
  std::shared_ptr<const FrozenTokens> kept_;
  std::vector<int64_t> rows_;  ///< of the dataset, by object
};

/// From one split.
class Extraction {
 public:
  Extraction(const Experiment& experiment, const Dataset& dataset, const ChosenObjects& chosen, Split split,
             TokenCache* cache, const TokenFolder& tokens, record::Console& console, std::vector<Source>& sources)
      : experiment_(experiment),
        dataset_(dataset),
        split_(split),
        chosen_(chosen.of(split)),
        cache_(cache),
        tokens_(tokens),
        console_(console),
        sources_(sources) {}

  void run() const {
    std::vector<std::shared_ptr<const Dataset>> datasets;
    for (const Source& source : sources_) {
      if (std::ranges::find(datasets, source.objects) == datasets.end()) datasets.push_back(source.objects);
    }
    for (const auto& objects : datasets) extract_from(objects);
  }

 private:
  Vectors& vectors_of(Source& source) const {
    return split_ == Split::train ? source.representation.train : source.representation.test;
  }

  bool gives_tokens(const Source& source) const {
    return tokens_.is_wanted() && source.embedder->form() == TokenForm::pretraining;
  }

  /// What a backbone gives for the split, if that is cached or tokens are wanted.
  std::shared_ptr<const FrozenTokens> kept_tokens(const Source& source) const {
    if (!source.embedder) return nullptr;
    const ops::PrecisionScope scope(experiment_.run_precision());
    const Embedder& embedder = *source.embedder;
    const TokenRequest request{embedder.tower(), embedder.encoder(),           split_,      source.view,
                               embedder.form(),  experiment_.evaluation.batch, source.model};
    if (cache_ != nullptr && !source.objects && has_frozen_backbone(embedder.encoder())) {
      if (auto kept = cache_->open(request)) return kept;
    }
    if (!gives_tokens(source)) return nullptr;
    TokenCache files(experiment_, source.objects ? *source.objects : dataset_, {}, tokens_.path(),
                     experiment_.evaluation.token_mb << 20, &console_);
    return files.keep(request);
  }

  /// What is computed from a dataset; none: the experiment's.
  void extract_from(const std::shared_ptr<const Dataset>& dataset) const {
    std::vector<Source*> here;
    std::vector<std::optional<BatchEmbedder>> batches;  // by source
    std::vector<data::ViewPlan> needed;
    std::vector<std::shared_ptr<const FrozenTokens>> kept;
    data::LoaderOptions options = reading_options(experiment_, split_);
    for (Source& source : sources_) {
      if (source.objects != dataset) continue;
      here.push_back(&source);
      batches.emplace_back(source.embedder);
      kept.push_back(kept_tokens(source));
      if (!kept.back()) {
        needed.push_back(source.view);
        continue;
      }
      options.kept[name(here.size() - 1)] = [tokens = kept.back()](std::span<const int64_t> rows) {
        return tokens->read(rows);
      };
      if (gives_tokens(source)) vectors_of(source).tokens = std::make_shared<TokensOfChosen>(kept.back(), chosen_.rows);
    }
    size_t first = 0;
    std::vector<ComingMatrix> before;  // of the last batch, by source
    const auto take = [&] {
      int64_t count = 0;
      for (size_t i = 0; i < before.size(); ++i) {
        Matrix rows = std::move(before[i]).get();
        count = rows.rows;
        append_present(vectors_of(*here[i]), std::move(rows), chosen_.present.at(here[i]->view.request.modality),
                       first);
      }
      first += static_cast<size_t>(count);
    };
    const Dataset& read = dataset ? *dataset : dataset_;
    for_each_batch(read, chosen_.rows, needed, options, [&](const data::Batch& objects) {
      std::vector<ComingMatrix> next;
      for (size_t i = 0; i < here.size(); ++i) {
        next.push_back(kept[i] ? here[i]->embedder->embed(kept[i]->upload(objects.kept.at(name(i))))
                               : rows_of(*here[i], batches[i], objects));
      }
      take();
      before = std::move(next);
      return true;
    });
    take();
  }

  static std::string name(size_t source) { return fmt::format("{}", source); }

  static ComingMatrix rows_of(const Source& source, std::optional<BatchEmbedder>& batches, const data::Batch& objects) {
    const HostArray& views = objects.views.at(source.view.request.name);
    return batches ? ComingMatrix(batches->embed(views).vectors) : source.components(views);
  }

  /// The rows of a batch, whose first is object `first`, of objects that have the modality.
  static void append_present(Vectors& target, Matrix rows, const std::vector<bool>& present, size_t first) {
    std::vector<int64_t> there;
    for (int64_t row = 0; row < rows.rows; ++row) {
      const size_t object = first + static_cast<size_t>(row);
      if (!present[object]) continue;
      there.push_back(row);
      target.objects.push_back(static_cast<int64_t>(object));
    }
    target.values.append(std::ssize(there) == rows.rows ? std::move(rows) : select_rows(rows, there));
  }

  const Experiment& experiment_;
  const Dataset& dataset_;
  Split split_;
  const ChosenRows& chosen_;
  TokenCache* cache_;
  const TokenFolder& tokens_;
  record::Console& console_;
  std::vector<Source>& sources_;
};

}  // namespace

TokenFolder::TokenFolder(const Experiment& experiment, std::string path)
    : path_(reader_of_tokens(experiment).empty() ? "" : std::move(path)) {}

TokenFolder::~TokenFolder() {
  std::error_code ignored;
  if (is_wanted()) std::filesystem::remove_all(path_, ignored);
}

void extract(const Experiment& experiment, const Dataset& dataset, const ChosenObjects& chosen, TokenCache* cache,
             const TokenFolder& tokens, record::Console& console, std::vector<Source>& sources) {
  for (const Split split : {Split::train, Split::test}) {
    Extraction(experiment, dataset, chosen, split, cache, tokens, console, sources).run();
  }
}

void check_tokens(const Experiment& experiment) {
  const std::string task = reader_of_tokens(experiment);
  if (task.empty() || experiment.evaluation.embedding == Embedding::pool) return;
  throw Error(
      fmt::format("[tasks] '{}' has an attentive probe, and embeddings of heads have no tokens: set [evaluation] "
                  "'embedding' = \"pool\"",
                  task));
}

}  // namespace astroclip::evaluate
