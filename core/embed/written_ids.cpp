#include "embed/written_ids.h"

#include <algorithm>
#include <numeric>

#include "data/fields.h"

namespace astroclip::embed {

namespace {

constexpr const char* id_column = "object_id";
constexpr int64_t ids_at_once = 1 << 16;

std::vector<std::string> texts_of(const ObjectIds& ids) {
  if (ids.kind == IdKind::text) return ids.texts;
  IdNames names;
  names.add(ids);
  std::vector<std::string> texts;
  for (const int64_t key : ids.keys) texts.push_back(names(key));
  return texts;
}

}  // namespace

WrittenIds::WrittenIds(const std::vector<Input>& inputs) : kind_(inputs.front().objects->id_kind()) {
  for (const Input& input : inputs) {
    if (input.objects->id_kind() != kind_) kind_ = IdKind::text;
  }
  if (kind_ != IdKind::text) return;
  for (const Input& input : inputs) {
    for (int64_t begin = 0; begin < input.size(); begin += ids_at_once) {
      std::vector<int64_t> rows(static_cast<size_t>(std::min(ids_at_once, input.size() - begin)));
      std::iota(rows.begin(), rows.end(), begin);
      for (const std::string& text : texts_of(data::read_object_ids(*input.objects, input.split, rows))) {
        bytes_ = std::max(bytes_, std::ssize(text));
      }
    }
  }
}

io::RowFile::Column WrittenIds::column() const {
  if (kind_ == IdKind::text) return {id_column, DType::u8, {bytes_}, kind_};
  return {id_column, DType::i64, {}, kind_};
}

void WrittenIds::write(io::RowFile& file, int64_t begin, const ObjectIds& ids) const {
  const auto count = std::ssize(ids.keys);
  if (kind_ != IdKind::text) return file.write(id_column, begin, count, ids.keys.data());
  file.write(id_column, begin, count, padded_texts(texts_of(ids), static_cast<size_t>(bytes_)).data());
}

}  // namespace astroclip::embed
