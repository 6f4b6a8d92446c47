#include "io/fits.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <span>

#include "base/error.h"
#include "base/printable.h"
#include "base/text.h"
#include "io/file_format.h"
#include "io/fits_file_internal.h"

/// cfitsio's reader of bytes from where ffmbyt has gone; fitsio.h declares the latter alone.
extern "C" int ffgbyt(fitsfile* file, LONGLONG count, void* bytes, int* status);

namespace astroclip::io {

namespace {

std::string reason(int status) {
  char text[FLEN_STATUS] = "";
  fits_get_errstatus(status, text);
  fits_clear_errmsg();
  return text;
}

Error not_fits(const std::string& path) {
  const std::string other = other_format(path);
  return Error(fmt::format("{}: is not a FITS file{}", path, other.empty() ? "" : " but " + other));
}

/// Throws Error for a gzip or zip file that says of itself a size which its bytes cannot expand to: cfitsio would
/// reserve it. A size below its own, which the first block of a FITS file rules out, cfitsio takes for one of more than
/// 4 GiB, as gzip counts modulo that.
void check_packed(const std::string& path) {
  constexpr uint64_t most_expanded = 1032;  // what a byte of a deflate stream makes at most
  constexpr uint64_t counted = uint64_t{1} << 32U;
  constexpr std::streamoff size_in_zip = 22;
  std::ifstream file(path, std::ios::binary);
  std::array<unsigned char, 4> bytes = {};
  const auto read = [&] { return !file.read(reinterpret_cast<char*>(bytes.data()), std::ssize(bytes)).fail(); };
  if (!read()) return;
  const bool is_gzip = bytes[0] == 0x1F && bytes[1] == 0x8B, is_zip = bytes[0] == 'P' && bytes[1] == 'K';
  if (!is_gzip && !is_zip) return;
  file.seekg(0, std::ios::end);
  const auto packed = static_cast<uint64_t>(file.tellg());
  if (is_gzip)
    file.seekg(-static_cast<std::streamoff>(bytes.size()), std::ios::end);
  else
    file.seekg(size_in_zip);
  if (!read()) return;
  uint64_t size = 0;
  for (size_t i = bytes.size(); i-- > 0;) size = size << 8U | bytes[i];
  if (is_gzip && size < packed && most_expanded * packed < counted) throw not_fits(path);
  if (size <= most_expanded * packed) return;
  throw Error(fmt::format("{}: is damaged: {} bytes of {} cannot hold the {} of which it tells", path, packed,
                          is_gzip ? "gzip" : "zip", size));
}

constexpr size_t header_block = 2880;

/// Whether a word whose value cfitsio reads as a number has a long text: cfitsio says so in a message that does not
/// hold it.
bool is_long_text_for_number(std::string_view name, std::string_view card) {
  constexpr std::array<std::string_view, 19> words = {
      "BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "TFIELDS", "TBCOL", "THEAP",   "TNULL",   "TZERO",  "TSCAL",
      "BSCALE", "BZERO", "BLANK",  "ZNAXIS", "ZTILE",   "ZVAL",  "ZBITPIX", "ZPCOUNT", "ZGCOUNT"};
  constexpr size_t most = 28, value_at = 10;
  const auto is_word = [&](std::string_view word) {
    return name.starts_with(word) && name.find_first_not_of("0123456789", word.size()) == name.npos;
  };
  if (std::ranges::none_of(words, is_word)) return false;
  std::string_view value = trimmed(card.substr(value_at));
  const bool is_quoted = value.starts_with('\'');
  if (is_quoted) value.remove_prefix(1);
  value = trimmed(value.substr(0, value.find(is_quoted ? '\'' : '/')));
  return value.size() > most && value.find_first_not_of("+-0123456789.EDed") != value.npos;
}

/// The number of a card whose value is a count; -1 if it is none.
int64_t count_of(std::string_view card) {
  constexpr std::string_view digits = "0123456789";
  constexpr size_t sign_at = 8, value_at = 10, most_digits = 18;
  const std::string value(trimmed(card.substr(value_at, card.find('/') - value_at)));
  const bool is_count = card.substr(sign_at, 2) == "= " && !value.empty() && value.size() <= most_digits &&
                        value.find_first_not_of(digits, value.starts_with('+') ? 1 : 0) == value.npos;
  return is_count ? std::strtoll(value.c_str(), nullptr, 10) : -1;
}

/// Whether a card gives the extent of an axis, and no count: of a table, cfitsio goes on without its number of columns.
bool is_extent_without_count(std::string_view name, std::string_view card) {
  constexpr std::string_view word = "NAXIS", digits = "0123456789";
  return name.starts_with(word) && name != word && name.find_first_not_of(digits, word.size()) == name.npos &&
         count_of(card) < 0;
}

}  // namespace

void FitsFile::State::check(int status, const std::string& what) const {
  if (status != 0) throw Error(fmt::format("{}: {}: {}", path, what, reason(status)));
}

std::string FitsFile::State::unnamed(size_t index) { return index == 0 ? "PRIMARY" : fmt::format("HDU {}", index + 1); }

std::string FitsFile::State::label(size_t index) const {
  const std::string& name = hdus[index].name;
  return index > 0 && name == unnamed(index) ? name : fmt::format("HDU '{}'", name);
}

size_t FitsFile::State::index_of(const std::string& name) const {
  for (size_t i = 0; i < hdus.size(); ++i) {
    if (same_letters(hdus[i].name, name)) return i;
  }
  return hdus.size();
}

size_t FitsFile::State::go_to(const std::string& name) const {
  const size_t index = index_of(name);
  if (index == hdus.size()) {
    std::vector<std::string> names;
    for (const FitsHdu& hdu : hdus) names.push_back(hdu.name);
    throw Error(fmt::format("{}: has no HDU '{}'; it has {}", path, name, fmt::join(names, ", ")));
  }
  const auto is_same = [&](const FitsHdu& hdu) { return same_letters(hdu.name, name); };
  if (const auto same = std::ranges::count_if(hdus, is_same); same > 1) {
    throw Error(
        fmt::format("{}: has {} HDUs named '{}', and which is meant cannot be told: keep one, or name them "
                    "apart (EXTNAME)",
                    path, same, name));
  }
  move_to(index);
  return index;
}

void FitsFile::State::move_to(size_t index) const {
  // cfitsio 4.2 keeps of a compressed image that its numbers are not quantised, and takes those of the next for such.
  if (file->Fptr->curhdu != static_cast<int>(index)) file->Fptr->quantize_level = 0;
  int status = 0;
  fits_movabs_hdu(file, static_cast<int>(index) + 1, nullptr, &status);
  check(status, label(index));
}

std::string FitsFile::State::go_to(const FitsHdu& hdu) const {
  const auto index = static_cast<size_t>(&hdu - hdus.data());
  move_to(index);
  return label(index);
}

int64_t FitsFile::State::key(const char* name, int64_t fallback) const {
  LONGLONG value = 0;
  int status = 0;
  fits_read_key(file, TLONGLONG, name, &value, nullptr, &status);
  if (status != 0) fits_clear_errmsg();
  return status == 0 ? static_cast<int64_t>(value) : fallback;
}

int64_t FitsFile::State::data_bytes() const {
  const int64_t axes = key("NAXIS", 0);
  if (axes == 0) return 0;
  int64_t elements = 1;
  for (int64_t axis = 1; axis <= axes; ++axis) {
    const int64_t extent = key(fmt::format("NAXIS{}", axis).c_str(), 0);
    constexpr int64_t most = int64_t{1} << 50;
    if (extent < 0 || (extent > 0 && elements > most / extent)) {
      throw Error(fmt::format("{}: is damaged: HDU {} has NAXIS{} = {}", path, hdus.size() + 1, axis, extent));
    }
    elements *= extent;
  }
  const int64_t groups = key("GCOUNT", 1), heap = key("PCOUNT", 0), bits = key("BITPIX", 8);
  int64_t bytes = 0;
  constexpr int64_t most_bits = 64;
  if (groups < 0 || heap < 0 || std::abs(bits) > most_bits || __builtin_add_overflow(elements, heap, &bytes) ||
      __builtin_mul_overflow(bytes, std::abs(bits) / 8, &bytes) || __builtin_mul_overflow(bytes, groups, &bytes)) {
    throw Error(fmt::format("{}: is damaged: HDU {} has BITPIX = {}, PCOUNT = {}, GCOUNT = {}", path, hdus.size() + 1,
                            bits, heap, groups));
  }
  return bytes;
}

void FitsFile::State::read_raw(int64_t begin, std::span<char> bytes, int& status) const {
  ffmbyt(file, begin, 0, &status);
  ffgbyt(file, static_cast<LONGLONG>(bytes.size()), bytes.data(), &status);
}

bool FitsFile::State::check_block(std::string_view block, RiceBlocks& rice) const {
  constexpr size_t card = 80;
  for (; block.size() >= card; block.remove_prefix(card)) {
    const std::string_view text = block.substr(0, card);
    if (text.starts_with("END     ")) {
      if (!rice.is_used || rice.wrong_size.empty()) return true;
      throw Error(fmt::format("{}: is damaged: HDU {} has blocks of {} pixels for Rice code (ZVAL1)", path,
                              hdus.size() + 1, printable(rice.wrong_size)));
    }
    if (text.starts_with("TTYPE") && text.back() != ' ' && !trimmed(text.substr(10)).starts_with('\'')) {
      throw Error(fmt::format("{}: is damaged: HDU {} has a column's name without quotes", path, hdus.size() + 1));
    }
    const std::string name(trimmed(text.substr(0, 8))), value(trimmed(text.substr(10, 20)));
    const auto is_damaged = [&](const std::string& found) {
      return Error(
          fmt::format("{}: is damaged: HDU {} has {} = {}", path, hdus.size() + 1, printable(name), printable(found)));
    };
    if (is_long_text_for_number(name, text)) throw is_damaged(std::string(trimmed(text.substr(10))));
    if (is_extent_without_count(name, text)) throw is_damaged(value);
    if (name == "ZCMPTYPE") rice.is_used = rice.is_used || text.find("RICE") != text.npos;
    if (name == "ZVAL1" && count_of(text) < 1) rice.wrong_size = trimmed(text.substr(10, text.find('/') - 10));
    const bool is_tile = text.starts_with("ZTILE"), is_axis = text.starts_with("ZNAXIS");
    if (!is_tile && !is_axis) continue;
    constexpr int64_t most = int64_t{1} << 31;
    const int64_t number = std::strtoll(value.c_str(), nullptr, 10);
    if (number < (is_tile ? 1 : 0) || number > (name == "ZNAXIS" ? Shape::max_rank : most)) throw is_damaged(value);
  }
  return false;
}

void FitsFile::State::check_header(int64_t begin, int64_t size) const {
  std::vector<char> bytes(header_block);
  RiceBlocks rice;
  for (int status = 0; begin + std::ssize(bytes) <= size; begin += std::ssize(bytes)) {
    read_raw(begin, bytes, status);
    if (status != 0) return fits_clear_errmsg();
    if (check_block({bytes.data(), bytes.size()}, rice)) return;
  }
}

void FitsFile::State::check_first_header() const {
  std::ifstream plain(path, std::ios::binary);
  std::string block(header_block, '\0');
  RiceBlocks rice;
  for (bool is_first = true; plain.read(block.data(), std::ssize(block)); is_first = false) {
    if ((is_first && !block.starts_with("SIMPLE  =")) || check_block(block, rice)) return;
  }
}

void FitsFile::State::check_pixels(const FitsHdu& hdu, int64_t bytes) const {
  constexpr int64_t always = int64_t{1} << 26, most_of_a_byte = 4096;
  if (hdu.is_table || hdu.shape.rank() == 0 || hdu.shape.numel() <= always) return;
  if (hdu.shape.numel() / most_of_a_byte <= bytes) return;
  throw Error(fmt::format("{}: is damaged: {} has the shape {}, but {} bytes", path, label(hdus.size() - 1),
                          hdu.shape.str(), bytes));
}

int64_t FitsFile::State::data_begin() const {
  LONGLONG header = 0, data = 0, end = 0;
  int status = 0;
  fits_get_hduaddrll(file, &header, &data, &end, &status);
  return static_cast<int64_t>(data);
}

bool FitsFile::State::is_padding(int64_t begin, int64_t end) const {
  int status = 0;
  fits_movabs_hdu(file, static_cast<int>(hdus.size()), nullptr, &status);
  constexpr int64_t at_once = 1 << 16;
  std::vector<char> bytes(static_cast<size_t>(at_once));
  const std::string_view padding("\0 \n\r\x1a", 5);
  for (; begin < end && status == 0; begin += at_once) {
    const std::span<char> part = std::span(bytes).first(static_cast<size_t>(std::min(at_once, end - begin)));
    read_raw(begin, part, status);
    if (std::string_view(part.data(), part.size()).find_first_not_of(padding) != std::string_view::npos) return false;
  }
  fits_clear_errmsg();
  return status == 0;
}

void FitsFile::State::add_current() {
  char name[FLEN_VALUE] = "";
  int status = 0, type = 0;
  fits_read_key(file, TSTRING, "EXTNAME", name, nullptr, &status);
  if (status != 0) fits_clear_errmsg();
  FitsHdu hdu{.name = std::string(trimmed(name)), .shape = {}, .columns = {}};
  if (hdu.name.empty()) hdu.name = unnamed(hdus.size());
  hdus.push_back(hdu);
  status = 0;
  fits_get_hdu_type(file, &type, &status);
  hdus.back().is_table = type != IMAGE_HDU;
  if (hdus.back().is_table)
    describe_table(hdus.back(), status);
  else
    describe_image(hdus.back(), status);
  check(status, label(hdus.size() - 1));
}

void FitsFile::State::describe_table(FitsHdu& hdu, int& status) const {
  LONGLONG rows = 0;
  int columns = 0;
  fits_get_num_rowsll(file, &rows, &status);
  fits_get_num_cols(file, &columns, &status);
  hdu.rows = rows;
  for (int column = 1; column <= columns; ++column) {
    char name[FLEN_VALUE] = "";
    fits_read_key(file, TSTRING, fmt::format("TTYPE{}", column).c_str(), name, nullptr, &status);
    if (status == KEY_NO_EXIST) status = 0;
    hdu.columns.emplace_back(trimmed(name));
  }
}

void FitsFile::State::describe_image(FitsHdu& hdu, int& status) const {
  int axes = 0;
  fits_get_img_dim(file, &axes, &status);
  if (status != 0 || axes == 0 || axes > Shape::max_rank) return;
  std::vector<LONGLONG> extents(static_cast<size_t>(axes));
  fits_get_img_sizell(file, axes, extents.data(), &status);
  std::vector<int64_t> slowest_first(extents.rbegin(), extents.rend());
  int64_t pixels = 1;
  for (const int64_t extent : slowest_first) {
    if (extent >= 0 && !__builtin_mul_overflow(pixels, extent, &pixels)) continue;
    throw Error(fmt::format("{}: is damaged: {} has the shape [{}]", path, label(hdus.size() - 1),
                            fmt::join(slowest_first, ", ")));
  }
  hdu.shape = Shape(std::span<const int64_t>(slowest_first));
}

FitsFile FitsFile::open(const std::string& path) {
  require_regular_file(path);
  if (!std::ifstream(path)) throw Error(fmt::format("{}: cannot open: {}", path, std::strerror(errno)));
  check_packed(path);
  FitsFile opened;
  opened.state_ = std::make_shared<State>(path);
  State& state = *opened.state_;
  state.check_first_header();
  int status = 0;
  fits_open_diskfile(&state.file, path.c_str(), READONLY, &status);
  if (status != 0) {
    fits_clear_errmsg();
    throw not_fits(path);
  }
  const int64_t size = state.file->Fptr->filesize;
  int64_t end = 0;
  for (int hdu = 1; end < size; ++hdu) {
    if (hdu > 1) state.check_header(end, size);
    fits_movabs_hdu(state.file, hdu, nullptr, &status);
    if (status != 0) {
      fits_clear_errmsg();
      if (end == 0 || !state.is_padding(end, size)) {
        throw Error(fmt::format("{}: is damaged: the {} bytes after HDU {} are not an HDU", path, size - end,
                                state.hdus.size()));
      }
      state.warning = fmt::format("{} bytes of padding after the last HDU are ignored", size - end);
      break;
    }
    const int64_t begin = state.data_begin(), bytes = state.data_bytes();
    state.add_current();
    if (begin + bytes > size) {
      throw Error(fmt::format("{}: is truncated: the data of {} end at byte {}, but the file ends at byte {}", path,
                              state.label(state.hdus.size() - 1), begin + bytes, size));
    }
    state.check_pixels(state.hdus.back(), bytes);
    constexpr int64_t block = 2880;
    end = begin + (bytes + block - 1) / block * block;
  }
  return opened;
}

const std::string& FitsFile::path() const { return state_->path; }
const std::vector<FitsHdu>& FitsFile::hdus() const { return state_->hdus; }

const std::string& FitsFile::warning() const { return state_->warning; }

const FitsHdu* FitsFile::find(const std::string& hdu) const {
  const size_t index = state_->index_of(hdu);
  return index == state_->hdus.size() ? nullptr : &state_->hdus[index];
}

const FitsHdu& FitsFile::hdu(const std::string& name) const { return state_->hdus[state_->go_to(name)]; }

bool FitsFile::has_column(const std::string& hdu, const std::string& column) const {
  const FitsHdu* table = find(hdu);
  return table != nullptr &&
         std::ranges::any_of(table->columns, [&](const std::string& one) { return same_letters(one, column); });
}

std::vector<double> FitsFile::image(const std::string& name) const {
  const size_t hdu = state_->go_to(name);
  const FitsHdu& found = state_->hdus[hdu];
  if (found.is_table || found.shape.rank() == 0) {
    throw Error(fmt::format("{}: {}: expected an image, found {}", path(), state_->label(hdu),
                            found.is_table ? "a table" : "no data, or more axes than are supported"));
  }
  const std::vector<int64_t> corner(static_cast<size_t>(found.shape.rank()));
  state_->check_tiles(found, corner, found.shape.extents());
  std::vector<double> values(static_cast<size_t>(found.shape.numel()));
  int status = 0, any_undefined = 0;  // cfitsio always writes the latter
  double undefined = undefined_number;
  fits_read_img(state_->file, TDOUBLE, 1, found.shape.numel(), &undefined, values.data(), &any_undefined, &status);
  state_->check(status, state_->label(hdu));
  return values;
}

std::vector<double> FitsFile::image(const std::string& name, const Shape& expected) const {
  const size_t index = state_->go_to(name);
  const FitsHdu& found = state_->hdus[index];
  if (found.is_table || found.shape != expected) {
    throw Error(fmt::format("{}: {}: expected an image of shape {}, found {}", path(), state_->label(index),
                            expected.str(), found.is_table ? "a table" : found.shape.str()));
  }
  return image(name);
}

std::string FitsFile::header(const std::string& name) const { return header(hdu(name)); }

std::string FitsFile::header(const FitsHdu& hdu) const {
  const std::string label = state_->go_to(hdu);
  char* cards = nullptr;
  int count = 0, status = 0;
  fits_convert_hdr2str(state_->file, 1, nullptr, 0, &cards, &count, &status);
  const std::string text = cards == nullptr ? "" : cards;
  int ignored = 0;
  fits_free_memory(cards, &ignored);
  state_->check(status, label);
  return text;
}

std::vector<double> FitsFile::section(const FitsHdu& hdu, std::span<const int64_t> first,
                                      std::span<const int64_t> extent) const {
  const std::string label = state_->go_to(hdu);
  state_->check_tiles(hdu, first, extent);
  const auto axes = static_cast<size_t>(hdu.shape.rank());
  std::vector<long> begin(axes), end(axes), step(axes, 1);
  int64_t count = 1;
  for (size_t axis = 0; axis < axes; ++axis) {
    begin[axes - 1 - axis] = first[axis] + 1;
    end[axes - 1 - axis] = first[axis] + extent[axis];
    count *= extent[axis];
  }
  std::vector<double> values(static_cast<size_t>(count));
  int status = 0, any_undefined = 0;
  double undefined = undefined_number;
  fits_read_subset(state_->file, TDOUBLE, begin.data(), end.data(), step.data(), &undefined, values.data(),
                   &any_undefined, &status);
  state_->check(status, label);
  return values;
}

int64_t FitsFile::tile_height(const FitsHdu& hdu) const {
  state_->go_to(hdu);
  return std::max<int64_t>(1, state_->key("ZTILE2", 1));
}

}  // namespace astroclip::io