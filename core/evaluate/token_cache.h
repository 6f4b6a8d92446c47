#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <memory_resource>
#include <span>
#include <string>
#include <vector>

#include "api/dataset.h"
#include "api/encoder.h"
#include "data/loader.h"
#include "experiment/experiment.h"
#include "experiment/provenance.h"
#include "io/hdf5/row_reader.h"
#include "record/console.h"
#include "tensor/matrix.h"

namespace astroclip::evaluate {

/// What a frozen backbone gives for every row of a split, on disk.
class FrozenTokens {
 public:
  FrozenTokens(const std::string& path, std::vector<int64_t> places, Device device);
  ~FrozenTokens();
  FrozenTokens(const FrozenTokens&) = delete;
  FrozenTokens& operator=(const FrozenTokens&) = delete;

  /// Tokens, and the summary if there is one, in the order of `rows` of the split, bit for bit as the backbone would
  /// compute them. A row that lacks the modality gets another row's. Thread-safe.
  std::vector<HostArray> read(std::span<const int64_t> rows) const;
  /// The tokens alone: [rows · tokens(), width].
  Matrix read_tokens(std::span<const int64_t> rows) const;
  /// Of each row.
  int64_t tokens() const;
  /// On the device; those in pinned memory are on their way when it returns.
  Encoded upload(const std::vector<HostArray>& arrays) const;

 private:
  struct Files;
  HostArray read(const io::RowReader& reader, std::span<const int64_t> rows, std::pmr::memory_resource* memory) const;
  std::unique_ptr<Files> files_;
  std::vector<int64_t> places_;  ///< in the file, by row of the split
  Device device_;
};

/// Whether an encoder has a backbone, no parameter of which is trained.
bool has_frozen_backbone(const Encoder& encoder);

/// Which tokens to keep: an encoder's, whose frozen tensors do not change meanwhile, of plain views of a split.
struct TokenRequest {
  std::string name;  ///< the encoder's
  const Encoder& encoder;
  Split split = Split::train;
  data::ViewPlan view;
  TokenForm form = TokenForm::alignment;
  int64_t batch = 1;              ///< objects that go through the backbone at once
  std::string encoder_text = "";  ///< describes encoder and views beside the tensors; "": the experiment does
};

/// Tokens of frozen backbones, kept in a folder within a bound, for this run and for others. A file is known by what
/// its contents depend on: frozen tensors, encoder, dataset, their provenance, view, form, batch, precision, threads
/// and instructions.
class TokenCache {
 public:
  /// Reports what it does on `console`, if there is one.
  TokenCache(const Experiment& experiment, const Dataset& dataset, const Provenance& provenance, std::string folder,
             int64_t bytes, record::Console* console);

  /// Runs the backbone over all rows that have the modality unless that was done before; an interrupted pass is
  /// resumed. The least recently used files are removed to make room. Null when the tokens do not fit the bound or the
  /// disk.
  std::shared_ptr<const FrozenTokens> open(const TokenRequest& request);
  /// The same of a backbone that was not trained further, all files of the folder being in use: none is removed, and
  /// what does not fit is an Error. Null when no row has the modality.
  std::shared_ptr<const FrozenTokens> keep(const TokenRequest& request);

 private:
  enum class WhenFull { drop_oldest, refuse };
  std::shared_ptr<const FrozenTokens> find(const TokenRequest& request, WhenFull when_full);
  std::string key(const TokenRequest& request, bool with_trainable) const;
  /// False when there is no room.
  bool fill(const TokenRequest& request, const std::string& path, const std::string& key,
            const std::vector<int64_t>& rows, WhenFull when_full);
  /// Views of batches [first, last) of rows, in order.
  void load(const TokenRequest& request, const std::vector<int64_t>& rows, int64_t first, int64_t last,
            const std::function<void(int64_t begin, const HostArray& view)>& use) const;
  Encoded encode(const TokenRequest& request, const HostArray& view) const;
  bool make_room(int64_t needed, const std::string& name, WhenFull when_full);
  void say(const std::string& line) const {
    if (console_ != nullptr) console_->say(line);
  }

  const Experiment& experiment_;
  const Dataset& dataset_;
  std::string provenance_;  ///< of datasets and encoders
  std::string folder_;
  int64_t bytes_;
  record::Console* console_;
};

}  // namespace astroclip::evaluate
