#pragma once

#include <string>
#include <vector>

#include "api/dataset.h"
#include "data/layouts/survey_files.h"

namespace astroclip::data {

/// Images or spectra of many files (layouts/survey_files.h): the fields "image", or "spectrum" and perhaps
/// "spectrum_ivar", "object_id" and every column of the files.
class SurveyDataset : public Dataset {
 public:
  struct Options {
    std::vector<std::string> files;  ///< paths, folders or patterns
    /// The column that is shown as "object_id", of integers or texts. "": object_id, targetid or their like, in any
    /// case; else DESI's TARGETID, made of the Legacy Surveys' release, brickid and objid; else the row's number in all
    /// files.
    std::string object_id = {};
    double train_fraction = 0.9;             ///< of every thousand rows of a file, the first so many are for training
    int64_t cache_bytes = int64_t{1} << 30;  ///< for decoded chunks
    int64_t first_id = 0;                    ///< of the first row, where rows are numbered
  };

  /// Throws Error naming the file and what is wrong with it.
  explicit SurveyDataset(const Options& options);

  std::vector<Field> fields() const override;
  int64_t size(Split split) const override;
  /// Throws Error when the cache is too small to shuffle the rows of compressed chunks well.
  ReadPlan read_plan(Split split) const override;
  void read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
            HostBatch& out) const override;
  IdKind id_kind() const override { return id_kind_; }
  std::vector<std::string> id_texts(Split split, std::span<const int64_t> rows) const override;
  std::vector<std::string> text_labels() const override { return files_.text_columns(); }
  std::vector<std::string> texts(Split split, std::span<const int64_t> rows, const std::string& label) const override {
    return files_.read_texts(label, file_rows(split, rows));
  }
  std::vector<std::string> files() const override;
  config::Table preprocessing() const override;
  std::vector<std::string> notes() const override;

 private:
  /// Rows of the split among the first `rows` of a file.
  int64_t count(Split split, int64_t rows) const;
  /// Rows of the split as rows of all files.
  std::vector<int64_t> file_rows(Split split, std::span<const int64_t> rows) const;
  void read_object_ids(std::span<const int64_t> rows, int64_t* out) const;
  void choose_ids();
  /// The column of one of these names, in any case of letters; "" if no file has one.
  std::string column_of_all(std::span<const char* const> names) const;
  std::string meaning_of_ids() const;
  std::string place() const;

  Options options_;
  SurveyFiles files_;
  IdKind id_kind_ = IdKind::int64;
  std::vector<std::string> legacy_columns_;  ///< of which ids are made, if they are
  int64_t train_of_a_thousand_;
  std::vector<int64_t> first_[2];  ///< of each file's rows in a split; one more: the split's size
};

}  // namespace astroclip::data
