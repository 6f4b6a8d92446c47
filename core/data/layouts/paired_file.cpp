#include "data/layouts/paired_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "io/file_format.h"
#include "io/hdf5/hdf5.h"
#include "io/hdf5/row_reader.h"
#include "io/output/durable_file.h"

namespace astroclip::data {

namespace {

constexpr int64_t side = paired_image_side;
constexpr int64_t cache_bytes = int64_t{256} << 20;  // of decoded chunks

/// (x, y, band) of the file to (band, y, x) of the survey.
void to_native(const float* from, int64_t bands, float* to) {
  for (int64_t x = 0; x < side; ++x)
    for (int64_t y = 0; y < side; ++y)
      for (int64_t band = 0; band < bands; ++band)
        to[(band * side + y) * side + x] = from[(x * side + y) * bands + band];
}

void from_native(const float* from, int64_t bands, float* to) {
  for (int64_t x = 0; x < side; ++x)
    for (int64_t y = 0; y < side; ++y)
      for (int64_t band = 0; band < bands; ++band)
        to[(x * side + y) * bands + band] = from[(band * side + y) * side + x];
}

/// The dataset of a group's identifiers, by its name in any case. Throws Error when there is none.
std::string id_dataset(const io::Hdf5File& file, const std::string& group) {
  static constexpr std::array names = {"targetids", "targetid", "object_ids", "object_id", "objids", "ids", "id"};
  const std::vector<std::string> there = file.datasets(group);
  for (const char* name : names) {
    const auto found = std::ranges::find_if(there, [&](const std::string& one) { return lower(one) == name; });
    if (found != there.end()) return *found;
  }
  throw Error(fmt::format("{}: group '{}' has no identifiers of its objects: a dataset named {}", file.path(), group,
                          fmt::join(names, ", ")));
}

bool has_measurements(const io::Hdf5File& file, const std::string& group) {
  return file.contains(group + "/images") || file.contains(group + "/spectra");
}

/// A group's datasets: "labels/NAME" first, then its own.
std::vector<std::string> datasets_of(const io::Hdf5File& file, const std::string& group) {
  std::vector<std::string> names;
  if (file.contains(group + "/labels"))
    for (const std::string& name : file.datasets(group + "/labels")) names.push_back("labels/" + name);
  for (std::string& name : file.datasets(group)) names.push_back(std::move(name));
  return names;
}

/// "labels/mass" is the label mass.
std::string label_of(const std::string& dataset) { return dataset.substr(dataset.find('/') + 1); }

/// The columns of a group, whose datasets are checked.
std::vector<PairedColumn> columns_of(const io::Hdf5File& file, const std::string& group, int64_t& rows) {
  const std::string prefix = group + "/";
  const bool has_images = file.contains(prefix + "images");
  const int64_t any_images[] = {-1, side, side, -1}, any_spectra[] = {-1, paired_pixels, 1};
  const Shape first = has_images ? file.expect_shape(prefix + "images", any_images)
                                 : file.expect_shape(prefix + "spectra", any_spectra);
  rows = first[0];
  const int64_t spectrum_shape[] = {rows, paired_pixels, 1};
  const int64_t ivar_shape[] = {rows, paired_pixels};
  const int64_t label_shape[] = {rows};
  std::vector<PairedColumn> columns;
  if (has_images) columns.push_back({"image", "images", DType::f32, {first[3], side, side}});
  const auto add = [&](const PairedColumn& column, std::span<const int64_t> shape, bool needed) {
    if (!needed && !file.contains(prefix + column.dataset)) return;
    file.expect_shape(prefix + column.dataset, shape);
    columns.push_back(column);
  };
  add({"spectrum", "spectra", DType::f32, {paired_pixels}}, spectrum_shape, false);
  add({"redshift", "redshifts", DType::f64, {}}, label_shape, false);
  add({"object_id", id_dataset(file, group), DType::i64, {}}, label_shape, true);
  add({"spectrum_ivar", "spectra_ivar", DType::f32, {paired_pixels}}, ivar_shape, false);
  const auto add_label = [&](const std::string& name, const std::string& dataset) {
    const auto same = [&](const PairedColumn& one) { return one.name == name || one.dataset == dataset; };
    if (std::any_of(columns.begin(), columns.end(), same)) return;
    columns.push_back({name, dataset, file.dtype(prefix + dataset) == DType::i64 ? DType::i64 : DType::f64, {}});
  };
  for (const std::string& name : datasets_of(file, group))
    if (file.column_of(prefix + name, rows) == io::Hdf5File::Column::numbers) add_label(label_of(name), name);
  return columns;
}

/// A group's labels that are texts, with their datasets, but for the identifiers.
std::map<std::string, std::string> texts_of(const io::Hdf5File& file, const std::string& group, int64_t rows) {
  std::map<std::string, std::string> texts;
  const std::string ids = id_dataset(file, group);
  for (const std::string& name : datasets_of(file, group)) {
    if (name != ids && file.column_of(group + "/" + name, rows) == io::Hdf5File::Column::texts)
      texts.emplace(label_of(name), name);
  }
  return texts;
}

/// What a group's images or spectra are: "[3, 152, 152]", or "none".
std::string shape_of(const std::vector<PairedColumn>& columns, const std::string& name) {
  const auto found = std::ranges::find(columns, name, &PairedColumn::name);
  return found == columns.end() ? "none" : found->shape.str();
}

/// What a file without groups of measurements is told.
std::string reason_without_groups(const io::Hdf5File& file) {
  const std::string expected = "the paired layout has groups with images and spectra";
  if (const auto groups = file.groups(""); !groups.empty())
    return fmt::format("group '{}' has neither images nor spectra; {}", groups[0], expected);
  if (!file.contains("images")) {
    const std::vector<std::string> names = file.datasets("");
    if (std::ranges::any_of(names, [](const std::string& name) { return name.ends_with("_embeddings"); }))
      return "holds embeddings, which `astroclip explore` takes; " + expected;
    const std::string table = io::table_format(file.path());
    return table.empty() ? "has no groups; " + expected : fmt::format("is {}; {}", table, expected);
  }
  return fmt::format("has no groups, but 'images' of {}; the image survey's are [N, bands, {}, {}], and {}",
                     file.shape("images").str(), side, side, expected);
}

}  // namespace

struct PairedFile::State {
  struct Group {
    std::string name;
    int64_t rows = 0;
    int64_t train_rows = 0;
    int64_t first[2] = {0, 0};  ///< row of the split at which it begins: test, train
    int64_t count(bool train) const { return train ? train_rows : rows - train_rows; }
    int64_t offset(bool train) const { return train ? 0 : train_rows; }
    std::map<std::string, io::RowReader> readers = {};  ///< by dataset
  };
  io::Hdf5File file;
  std::vector<Group> groups;
  std::vector<PairedColumn> columns;
  std::map<std::string, std::string> texts = {};  ///< datasets of the labels that are texts
  std::vector<std::string> left_out = {};
  int64_t sizes[2] = {0, 0};  ///< test, train
  IdKind id_kind = IdKind::int64;

  void find_left_out() {
    std::set<std::string> names;
    for (const Group& group : groups) {
      for (const std::string& name : datasets_of(file, group.name)) {
        const auto text = texts.find(label_of(name));
        const bool is_text = text != texts.end() && text->second == name;
        if (!is_text && std::ranges::find(columns, name, &PairedColumn::dataset) == columns.end()) names.insert(name);
      }
    }
    for (const std::string& name : file.groups("")) {
      if (std::ranges::find(groups, name, &Group::name) == groups.end()) names.insert(fmt::format("group {}", name));
    }
    left_out.assign(names.begin(), names.end());
  }
  /// The group of a split's row.
  size_t group_of(bool train, int64_t row) const {
    if (row < 0 || row >= sizes[train])
      throw Error(fmt::format("{}: has {} {} objects, row {} was asked for", file.path(), sizes[train],
                              train ? "training" : "test", row));
    size_t group = groups.size() - 1;
    while (groups[group].first[train] > row) --group;
    return group;
  }
  /// Calls `use(group, its rows, their places among rows)` for every group that has some of a split's rows.
  template <class Use>
  void by_group(bool train, std::span<const int64_t> rows, const Use& use) const {
    std::vector<std::vector<size_t>> places(groups.size());
    for (size_t i = 0; i < rows.size(); ++i) places[group_of(train, rows[i])].push_back(i);
    for (size_t g = 0; g < places.size(); ++g) {
      if (places[g].empty()) continue;
      std::vector<int64_t> local;
      for (const size_t i : places[g]) local.push_back(rows[i] - groups[g].first[train] + groups[g].offset(train));
      use(groups[g], local, places[g]);
    }
  }
};

PairedFile PairedFile::open(const std::string& path, int64_t train_tenths) {
  auto state = std::make_shared<State>(State{io::Hdf5File::open(path), {}, {}});
  static const auto cache = std::make_shared<io::BlockCache>(cache_bytes);  // of all files together
  for (const auto& name : state->file.groups("")) {
    if (!has_measurements(state->file, name)) continue;
    State::Group group{name};
    auto columns = columns_of(state->file, name, group.rows);
    auto texts = texts_of(state->file, name, group.rows);
    group.train_rows = group.rows * train_tenths / 10;
    for (const auto& column : columns) {
      const std::string dataset = name + "/" + column.dataset;
      if (column.name != "object_id") {
        group.readers.emplace(column.dataset, io::RowReader(state->file, dataset, cache));
        continue;
      }
      const IdKind kind = state->file.id_kind(dataset);
      if (!state->groups.empty() && kind != state->id_kind) {
        throw Error(
            fmt::format("{}: dataset '{}' holds other identifiers than group '{}': all must be integers, all "
                        "unsigned integers, or all texts",
                        path, dataset, state->groups[0].name));
      }
      state->id_kind = kind;
    }
    for (const bool train : {false, true}) {
      group.first[train] = state->sizes[train];
      state->sizes[train] += group.count(train);
    }
    if (state->groups.empty()) {
      state->columns = std::move(columns);
      state->texts = std::move(texts);
    } else {
      for (const char* modality : {"image", "spectrum"}) {
        const std::string here = shape_of(columns, modality), before = shape_of(state->columns, modality);
        if (here == before) continue;
        throw Error(fmt::format("{}: {} of group '{}': {}; of group '{}': {}; all groups must have the same", path,
                                modality, name, here, state->groups[0].name, before));
      }
      // Only what every group has is a column.
      std::erase_if(state->columns, [&](const PairedColumn& one) {
        return std::none_of(columns.begin(), columns.end(), [&](const PairedColumn& other) {
          return other.name == one.name && other.dataset == one.dataset;
        });
      });
      std::erase_if(state->texts, [&](const auto& one) {
        const auto other = texts.find(one.first);
        return other == texts.end() || other->second != one.second;
      });
    }
    state->groups.push_back(group);
  }
  if (state->groups.empty()) throw Error(fmt::format("{}: {}", path, reason_without_groups(state->file)));
  state->find_left_out();
  PairedFile opened;
  opened.state_ = std::move(state);
  return opened;
}

const std::string& PairedFile::path() const { return state_->file.path(); }
const std::vector<PairedColumn>& PairedFile::columns() const { return state_->columns; }
const std::vector<std::string>& PairedFile::left_out() const { return state_->left_out; }
std::string PairedFile::bands() const { return state_->file.attribute("bands"); }
int64_t PairedFile::size(bool train) const { return state_->sizes[train]; }

const PairedColumn& PairedFile::column(const std::string& name) const {
  std::vector<std::string> names;
  for (const auto& one : state_->columns) {
    if (one.name == name) return one;
    names.push_back(one.name);
  }
  throw Error(fmt::format("{}: has no column '{}'; it has {}", path(), name, fmt::join(names, ", ")));
}

std::vector<PairedFile::Range> PairedFile::ranges(bool train) const {
  std::vector<Range> ranges;
  bool is_compressed = false;
  for (const auto& group : state_->groups) {
    const auto images = group.readers.find("images");
    const int64_t together = images == group.readers.end() ? 1 : images->second.rows_together();
    const int64_t offset = group.offset(train), end = offset + group.count(train);
    is_compressed = is_compressed || together > 1;
    for (int64_t row = offset; row < end;) {
      const int64_t next = std::min(end, (row / together + 1) * together);
      ranges.push_back({group.first[train] + row - offset, group.first[train] + next - offset});
      row = next;
    }
  }
  if (!is_compressed) ranges.clear();
  return ranges;
}

int64_t PairedFile::window() const {
  int64_t most = 1;
  for (const auto& group : state_->groups) {
    int64_t bytes = 0;
    for (const auto& [dataset, reader] : group.readers)
      if (reader.rows_together() > 1) bytes += reader.bytes_together();
    most = std::max(most, bytes);
  }
  return cache_bytes / 2 / most;
}

void PairedFile::read(bool train, std::span<const int64_t> rows, const std::string& name, DType dtype,
                      void* out) const {
  const PairedColumn& wanted = column(name);
  if (name == "object_id") {
    if (dtype != DType::i64) throw Error(fmt::format("{}: identifiers are read as i64", path()));
    std::ranges::copy(read_ids(train, rows).keys, static_cast<int64_t*>(out));
    return;
  }
  const bool is_image = wanted.dataset == "images";
  if (is_image && dtype != DType::f32) throw Error(fmt::format("{}: images are read as f32", path()));
  const size_t row_bytes = static_cast<size_t>(wanted.shape.numel() * size_of(dtype));
  std::vector<std::byte> block;
  const auto read = [&](const State::Group& group, std::span<const int64_t> local, std::span<const size_t> places) {
    block.resize(local.size() * row_bytes);
    group.readers.at(wanted.dataset).read(local, dtype, block.data());
    for (size_t k = 0; k < local.size(); ++k) {
      const std::byte* from = block.data() + k * row_bytes;
      std::byte* to = static_cast<std::byte*>(out) + places[k] * row_bytes;
      if (is_image)
        to_native(reinterpret_cast<const float*>(from), wanted.shape[0], reinterpret_cast<float*>(to));
      else
        std::copy(from, from + row_bytes, to);
    }
  };
  state_->by_group(train, rows, read);
}

IdKind PairedFile::id_kind() const { return state_->id_kind; }

ObjectIds PairedFile::read_ids(bool train, std::span<const int64_t> rows) const {
  const std::string& dataset = column("object_id").dataset;
  ObjectIds ids{state_->id_kind, std::vector<int64_t>(rows.size()), {}};
  if (ids.kind == IdKind::text) ids.texts.resize(rows.size());
  const auto read = [&](const State::Group& group, std::span<const int64_t> local, std::span<const size_t> places) {
    ObjectIds own = state_->file.read_ids(group.name + "/" + dataset, local);
    for (size_t k = 0; k < local.size(); ++k) {
      ids.keys[places[k]] = own.keys[k];
      if (ids.kind == IdKind::text) ids.texts[places[k]] = std::move(own.texts[k]);
    }
  };
  state_->by_group(train, rows, read);
  return ids;
}

std::vector<std::string> PairedFile::text_labels() const {
  std::vector<std::string> labels;
  for (const auto& [label, dataset] : state_->texts) labels.push_back(label);
  return labels;
}

std::vector<std::string> PairedFile::read_texts(bool train, std::span<const int64_t> rows,
                                                const std::string& label) const {
  std::vector<std::string> texts(rows.size());
  const auto read = [&](const State::Group& group, std::span<const int64_t> local, std::span<const size_t> places) {
    std::vector<std::string> own = state_->file.read_texts(group.name + "/" + state_->texts.at(label), local);
    for (size_t k = 0; k < local.size(); ++k) texts[places[k]] = std::move(own[k]);
  };
  state_->by_group(train, rows, read);
  return texts;
}

namespace {

/// Identifiers [first, first + count).
ObjectIds part_of(const ObjectIds& ids, int64_t first, int64_t count) {
  ObjectIds part{ids.kind, {ids.keys.begin() + first, ids.keys.begin() + first + count}};
  if (ids.kind == IdKind::text) part.texts = {ids.texts.begin() + first, ids.texts.begin() + first + count};
  return part;
}

}  // namespace

struct PairedWriter::State {
  std::string path;
  io::DurableFile durable;
  io::Hdf5File file;
  std::vector<int64_t> sizes;
  std::vector<std::string> labels;
  bool with_ivar;
  int64_t bands;
  bool has_ids;  ///< from the start
  size_t group = 0;
  int64_t row = 0;  ///< of the group
  std::vector<float> image;

  State(const std::string& to, std::span<const int64_t> group_sizes, std::span<const std::string> names, bool ivar,
        int64_t image_bands, bool with_ids)
      : path(to),
        durable(to),
        file(io::Hdf5File::create(durable.file())),
        sizes(group_sizes.begin(), group_sizes.end()),
        labels(names.begin(), names.end()),
        with_ivar(ivar),
        bands(image_bands),
        has_ids(with_ids) {}
  int64_t image_size() const { return bands * side * side; }
  void expect(const std::string& what, size_t found, int64_t wanted) const {
    if (found != static_cast<size_t>(wanted))
      throw Error(fmt::format("{}: {} has {} values, expected {}", path, what, found, wanted));
  }
  void check(const PairedRows& rows) const {
    expect("images", rows.images.size(), rows.count * image_size());
    expect("spectra", rows.spectra.size(), rows.count * paired_pixels);
    expect("spectra_ivar", rows.ivar.size(), with_ivar ? rows.count * paired_pixels : 0);
    expect("redshifts", rows.redshifts.size(), rows.count);
    expect("targetids", rows.object_ids.size(), has_ids ? 0 : rows.count);
    for (const auto& name : labels) {
      if (!rows.labels.contains(name)) throw Error(fmt::format("{}: the label '{}' is missing", path, name));
      expect(name, rows.labels.at(name).size(), rows.count);
    }
  }
  /// Rows [from, from + count) of what was handed over, all into the current group.
  void write_part(const PairedRows& rows, int64_t from, int64_t count) {
    const std::string prefix = fmt::format("{}/", group);
    image.resize(static_cast<size_t>(count * image_size()));
    for (int64_t i = 0; i < count; ++i)
      from_native(rows.images.data() + (from + i) * image_size(), bands, image.data() + i * image_size());
    file.write_rows(prefix + "images", row, count, DType::f32, image.data());
    file.write_rows(prefix + "spectra", row, count, DType::f32, rows.spectra.data() + from * paired_pixels);
    if (with_ivar)
      file.write_rows(prefix + "spectra_ivar", row, count, DType::f32, rows.ivar.data() + from * paired_pixels);
    file.write_rows(prefix + "redshifts", row, count, DType::f64, rows.redshifts.data() + from);
    if (!has_ids) file.write_rows(prefix + "targetids", row, count, DType::i64, rows.object_ids.data() + from);
    for (const auto& name : labels)
      file.write_rows(prefix + "labels/" + name, row, count, DType::f64, rows.labels.at(name).data() + from);
  }
};

PairedWriter::PairedWriter(const std::string& path, std::span<const int64_t> group_sizes,
                           std::span<const std::string> labels, bool with_ivar, int64_t bands,
                           const std::optional<ObjectIds>& ids)
    : state_(new State(path, group_sizes, labels, with_ivar, bands, ids.has_value())) {
  io::Hdf5File& file = state_->file;
  int64_t first = 0;
  for (size_t group = 0; group < group_sizes.size(); ++group) {
    const int64_t rows = group_sizes[group];
    const std::string prefix = fmt::format("{}/", group);
    file.make_dataset(prefix + "images", DType::f32, {rows, side, side, bands});
    file.make_dataset(prefix + "spectra", DType::f32, {rows, paired_pixels, 1});
    if (with_ivar) file.make_dataset(prefix + "spectra_ivar", DType::f32, {rows, paired_pixels});
    file.make_dataset(prefix + "redshifts", DType::f64, {rows});
    if (ids)
      file.write_ids(prefix + "targetids", part_of(*ids, first, rows));
    else
      file.make_dataset(prefix + "targetids", DType::i64, {rows});
    first += rows;
    for (const auto& name : labels) file.make_dataset(prefix + "labels/" + name, DType::f64, {rows});
  }
}

PairedWriter::~PairedWriter() = default;

void PairedWriter::write(const PairedRows& rows) {
  state_->check(rows);
  for (int64_t done = 0; done < rows.count;) {
    while (state_->group < state_->sizes.size() && state_->row == state_->sizes[state_->group]) {
      ++state_->group;
      state_->row = 0;
    }
    if (state_->group == state_->sizes.size())
      throw Error(fmt::format("{}: more objects than were announced", state_->path));
    const int64_t count = std::min(rows.count - done, state_->sizes[state_->group] - state_->row);
    state_->write_part(rows, done, count);
    state_->row += count;
    done += count;
  }
}

void PairedWriter::write_texts(const std::string& name, std::span<const std::string> texts) {
  ObjectIds column{IdKind::text, std::vector<int64_t>(texts.size()), {texts.begin(), texts.end()}};
  state_->file.write_ids("0/labels/" + name, column);
}

void PairedWriter::write_attribute(const std::string& name, const std::string& text) {
  state_->file.write_attribute(name, text);
}

void PairedWriter::commit() {
  while (state_->group < state_->sizes.size() && state_->row == state_->sizes[state_->group]) {
    ++state_->group;
    state_->row = 0;
  }
  if (state_->group != state_->sizes.size())
    throw Error(fmt::format("{}: group {} has {} of {} objects", state_->path, state_->group, state_->row,
                            state_->sizes[state_->group]));
  state_->file.close();
  state_->durable.commit();
}

std::vector<int64_t> paired_groups(int64_t count) {
  const int64_t groups = std::clamp<int64_t>(count / 10, 1, 10);
  std::vector<int64_t> sizes;
  for (int64_t i = 0; i < groups; ++i) sizes.push_back(count * (i + 1) / groups - count * i / groups);
  return sizes;
}

}  // namespace astroclip::data
