#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/object_ids.h"
#include "io/hdf5/hdf5.h"
#include "io/mapped_file.h"
#include "io/table/column.h"

namespace astroclip::explore {

/// A file of embeddings, as `astroclip embed` writes it, or a run, whose training objects come before the others.
/// Vectors are read from the mapped file where they lie in one piece, else they are held in memory. Throws Error naming
/// the file and what is wrong with it.
class Embeddings {
 public:
  explicit Embeddings(const std::string& path);

  const std::string& path() const { return path_; }
  int64_t rows() const { return std::ssize(ids_.keys); }
  /// Names of the encoders, such as "image".
  std::vector<std::string> encoders() const;
  /// [rows, width(encoder)]; NaN in rows of objects without the modality. Throws Error for an unknown encoder.
  std::span<const float> vectors(const std::string& encoder) const;
  std::span<const float> vector(const std::string& encoder, int64_t row) const;
  int64_t width(const std::string& encoder) const { return column(encoder).width; }
  bool has(const std::string& encoder) const { return columns_.contains(encoder); }

  const ObjectIds& ids() const { return ids_; }
  std::string id(int64_t row) const;
  /// The identifiers of rows as the file has them: integers or texts.
  io::ColumnValues id_values(std::span<const int64_t> rows) const;
  /// The first row of an identifier.
  std::optional<int64_t> row_of(const std::string& id) const;

  /// "model_hash", "embedding" … as the file says; "" for what it does not say.
  std::string attribute(const std::string& name) const;
  /// A hash of the model's, every identifier, and up to 4096 rows of each encoder, evenly spaced: a change of other
  /// rows goes unnoticed.
  const std::string& fingerprint() const { return fingerprint_; }

 private:
  struct VectorColumn {
    int64_t width = 0;
    std::vector<float> held = {};  ///< empty where the file is mapped
    std::span<const float> values = {};
  };
  const VectorColumn& column(const std::string& encoder) const;
  void add_vectors(const io::Hdf5File& file, const std::string& name, const std::string& encoder, int64_t rows);
  std::string find_fingerprint() const;

  std::string path_, fingerprint_;
  ObjectIds ids_;
  std::map<std::string, VectorColumn> columns_;
  std::map<std::string, std::string> attributes_;
  std::unique_ptr<io::MappedFile> mapping_;
};

}  // namespace astroclip::explore
