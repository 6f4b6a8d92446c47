#include "explore/own_galaxies.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <libdeflate.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <set>

#include "backend/devices.h"
#include "base/error.h"
#include "data/fields.h"
#include "data/preprocessing.h"
#include "experiment/precision.h"
#include "fits/import.h"
#include "io/fits.h"
#include "io/output/output_file.h"
#include "map/similar.h"

namespace astroclip::explore {

namespace {

constexpr int64_t most_kept = 50, most_of_a_file = 20;
constexpr size_t most_unpacked = size_t{256} << 20, most_of_a_byte = 1032;  // deflate packs no more into one
constexpr int64_t most_values = int64_t{1} << 26;                           // of all images of a file
constexpr double least_cosine = 0.999;  // of two embeddings of one object, in two precisions

/// A folder of its own, which ends with the object.
class PrivateFolder {
 public:
  PrivateFolder() : path_((std::filesystem::temp_directory_path() / "astroclip-own-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr) throw Error("the server has no folder for uploads");
  }
  ~PrivateFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;

  std::string file(const std::string& name) const { return path_ + "/" + name; }
  /// A message without the folder's name.
  std::string without_it(std::string message) const {
    for (size_t at; (at = message.find(path_ + "/")) != std::string::npos;) message.erase(at, path_.size() + 1);
    return message;
  }

 private:
  std::string path_;
};

/// The bytes of a FITS file, unpacked where they are gzipped.
std::string unpacked(std::string_view bytes, const std::string& name) {
  constexpr std::string_view gzip_begin = "\x1F\x8B", fits_begin = "SIMPLE  =";
  const bool is_gzipped = bytes.starts_with(gzip_begin);
  std::string plain(is_gzipped ? std::string_view() : bytes);
  if (is_gzipped) {
    // The last four bytes tell the size (RFC 1952, section 2.3.1), so that nothing larger is ever held.
    uint32_t size = 0;
    if (bytes.size() > sizeof size) std::memcpy(&size, bytes.data() + bytes.size() - sizeof size, sizeof size);
    if (size > most_unpacked) throw Error(fmt::format("the {} unpacks to more than {} MB", name, most_unpacked >> 20));
    const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> decompressor(
        libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
    if (size <= most_of_a_byte * bytes.size()) plain.resize(size);
    if (plain.size() != size || libdeflate_gzip_decompress(decompressor.get(), bytes.data(), bytes.size(), plain.data(),
                                                           plain.size(), nullptr) != LIBDEFLATE_SUCCESS)
      throw Error(fmt::format("the {} is damaged: it is no whole gzip file", name));
  }
  if (!plain.starts_with(fits_begin)) throw Error(fmt::format("the {} is not a FITS file", name));
  return plain;
}

/// Writes an upload to a file and looks at what its header says, before anything reserves memory for it.
void keep(const std::string& path, std::string_view bytes, const std::string& name) {
  {
    io::OutputFile file(path, io::OutputFile::Mode::create, name + ".fits");
    file.write(unpacked(bytes, name));
    file.close();
  }
  int64_t values = 0;
  for (const io::FitsHdu& hdu : io::FitsFile::open(path).hdus()) {
    if (hdu.shape.rank() > 0) values = std::min(values, most_values) + std::min(hdu.shape.numel(), 2 * most_values);
  }
  if (values > most_values)
    throw Error(fmt::format("the {} has images of more than {} million pixels", name, most_values >> 20));
}

/// What an import says of the files it did not take.
std::string refusals(const fits::ImportReport& report) {
  std::vector<std::string> reasons;
  for (const fits::ImportedFile& file : report.files) {
    for (const fits::Refusal& refusal : file.refused) reasons.push_back(file.file + ": " + refusal.reason);
  }
  if (reasons.empty()) return "it holds neither an image nor a spectrum that can be read";
  reasons.resize(std::min(reasons.size(), size_t{3}));
  return fmt::format("{}", fmt::join(reasons, "; "));
}

/// The bands in which a model takes images.
std::vector<std::string> bands_of(const ModelDescription& model) {
  const config::Table* of_image = data::modality_table(model.preprocessing, "image");
  const config::Value* bands = of_image == nullptr ? nullptr : of_image->find("bands");
  const auto* names = bands == nullptr ? nullptr : bands->get_if<std::string>();
  return names == nullptr ? std::vector<std::string>() : data::split_bands(*names);
}

}  // namespace

OwnGalaxies::OwnGalaxies(const Embeddings& embeddings, const Catalogue& catalogue, const std::string& model,
                         Turns& computing)
    : embeddings_(embeddings), model_(model, ""), computing_(computing) {
  const std::string hash = embeddings.attribute("model_hash");
  if (!hash.empty() && hash != model_.description().hash) {
    throw Error(fmt::format("{}: is the model {}; {} was made by {}", model, model_.description().hash,
                            embeddings.path(), hash));
  }
  const bool head = embeddings.attribute("embedding") != "pool";
  for (const EncoderSpec& encoder : model_.description().encoders) {
    // A run embeds by the backbone what no stage has aligned; that is no place among the others.
    if (embeddings.has(encoder.name) && (!head || has_meaning(model_.origins(), encoder.name)))
      encoders_.push_back(encoder);
  }
  if (encoders_.empty())
    throw Error(fmt::format("{}: has none of the encoders of {} ({})", model, embeddings.path(),
                            fmt::join(embeddings.encoders(), ", ")));
  const Device device = Device::host();
  const bool is_bf16 = embeddings.attribute("precision") == name_of(Precision::bf16);
  const Precision precision =
      is_bf16 && backend_of(device).supports(Precision::bf16) ? Precision::bf16 : Precision::f32;
  model_.load(encoders_, device, precision, head);
  if (hash.empty()) check(catalogue);
}

void OwnGalaxies::check(const Catalogue& catalogue) const {
  const auto found = catalogue.first_found();
  if (!found) {
    throw Error(
        fmt::format("{}: does not say by which model it was made; name files of its objects, so that {} can be "
                    "compared",
                    embeddings_.path(), model_.path()));
  }
  auto [row, input, input_row] = *found;
  input.take_views(model_.description(), encoders_);
  for (const auto& [encoder, vector] : model_.embed(input, input_row)) {
    const auto similar = map::most_similar(vector, embeddings_.vector(encoder, row), 1);
    const bool fits = embeddings_.width(encoder) == std::ssize(vector);
    if (fits && !similar.empty() && similar[0].cosine >= least_cosine) continue;
    throw Error(fmt::format("{}: does not give the embeddings of {}: of object {} the cosine is {:.3f}", model_.path(),
                            embeddings_.path(), embeddings_.id(row), fits && !similar.empty() ? similar[0].cosine : 0));
  }
}

std::vector<std::shared_ptr<const OwnGalaxies::Galaxy>> OwnGalaxies::add(std::string_view image,
                                                                         std::string_view spectrum) {
  const std::scoped_lock computing(computing_);
  const PrivateFolder folder;
  std::vector<std::shared_ptr<const Galaxy>> added;
  try {
    fits::ImportRequest request;
    request.output = folder.file("objects.h5");
    if (const auto bands = bands_of(model_.description()); !bands.empty()) request.images.bands = bands;
    for (const auto& [bytes, name] : {std::pair(image, "image"), std::pair(spectrum, "spectrum")}) {
      if (bytes.empty()) continue;
      request.files.push_back(folder.file(std::string(name) + ".fits"));
      keep(request.files.back(), bytes, name);
    }
    if (request.files.empty()) throw Error("expected a FITS file with an image, a spectrum, or one of each");
    if (request.files.size() == 2) request.pairs = {{request.files[0], request.files[1]}};
    const fits::ImportReport report = fits::import_files(request);
    if (report.objects == 0) throw Error("nothing could be taken: " + refusals(report));
    if (report.objects > most_of_a_file)
      throw Error(
          fmt::format("the file holds {} objects; at most {} are embedded at once", report.objects, most_of_a_file));
    std::vector<std::string> notes;
    for (const fits::ImportedFile& file : report.files) {
      for (const std::string& note : file.notes) notes.push_back(folder.without_it(file.file + ": " + note));
    }
    embed::Request opening;
    opening.inputs = {request.output};
    opening.output = folder.file("none");
    for (embed::Input& input : embed::open_inputs(opening)) {
      input.take_views(model_.description(), encoders_);
      for (int64_t row = 0; row < input.size(); ++row) {
        auto galaxy = std::make_shared<Galaxy>();
        galaxy->vectors = model_.embed(input, row);
        galaxy->input = input;
        galaxy->row = row;
        galaxy->notes = notes;
        if (galaxy->vectors.empty())
          throw Error("the model has no encoder for what the file holds, or its values are not finite");
        added.push_back(std::move(galaxy));
      }
    }
  } catch (const Error& error) {
    throw Error(folder.without_it(error.what()));
  }
  const std::scoped_lock lock(mutex_);
  for (auto& one : added) {
    auto named = std::make_shared<Galaxy>(*one);
    named->id = ++last_;
    named->name = fmt::format("own {}", last_);
    one = named;
    galaxies_.push_back(one);
    if (std::ssize(galaxies_) > most_kept) galaxies_.pop_front();
  }
  return added;
}

std::vector<std::string> OwnGalaxies::reconstructed() const {
  std::set<std::string> fields;
  for (const evaluate::Embedder& embedder : model_.embedders()) {
    const std::string modality = embedder.encoder().modality();
    if (model_.reconstructs(modality)) fields.insert(modality);
  }
  return {fields.begin(), fields.end()};
}

std::vector<float> OwnGalaxies::reconstruction(const std::string& field, embed::Input input, int64_t row) const {
  if (!model_.reconstructs(field)) return {};
  input.take_views(model_.description(), encoders_);
  const std::scoped_lock lock(computing_);
  return model_.reconstruct(field, input, row);
}

std::vector<std::shared_ptr<const OwnGalaxies::Galaxy>> OwnGalaxies::all() const {
  const std::scoped_lock lock(mutex_);
  return {galaxies_.begin(), galaxies_.end()};
}

std::shared_ptr<const OwnGalaxies::Galaxy> OwnGalaxies::find(int64_t id) const {
  for (const auto& one : all()) {
    if (one->id == id) return one;
  }
  return nullptr;
}

}  // namespace astroclip::explore
