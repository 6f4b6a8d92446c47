// Identifiers as files have them: exactly, or an error that names the row.
#include <gmock/gmock.h>

#include <bit>

#include "base/error.h"
#include "io/hdf5/hdf5.h"
#include "io/output/durable_file.h"
#include "support/hdf5_files.h"
#include "support/scratch.h"

namespace astroclip::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

const std::vector<int64_t> all = {0, 1, 2}, shuffled = {2, 0, 2};

template <class T>
std::string written(const std::vector<T>& values, hid_t type, hid_t in_file) {
  const std::string path = testing_support::scratch("ids.h5");
  testing_support::Hdf5Written file(path);
  file.write("ids", {values.size()}, values.data(), type, {.type = in_file});
  return path;
}

TEST(Hdf5Ids, UnsignedNumbersKeepTheirBits) {
  const std::vector<uint64_t> ids = {4611686018427387907U, 9223372036854775810U, 14127161586843054080U};
  const auto file = Hdf5File::open(written(ids, H5T_NATIVE_UINT64, H5T_STD_U64BE));
  const ObjectIds found = file.read_ids("ids", shuffled);
  EXPECT_EQ(found.kind, IdKind::uint64);
  IdNames names;
  names.add(found);
  EXPECT_EQ(names(found.keys[0]), "14127161586843054080");
  EXPECT_EQ(names(found.keys[1]), "4611686018427387907");
  std::vector<int64_t> clamped(3);
  EXPECT_THAT([&] { file.read_rows("ids", all, DType::i64, clamped.data()); },
              ThrowsMessage<Error>(HasSubstr("they hold numbers beyond int64")));
}

TEST(Hdf5Ids, AreOneARow) {
  const std::string path = testing_support::scratch("pairs.h5");
  const std::vector<int64_t> pairs = {1, 2, 3, 4, 5, 6};
  testing_support::Hdf5Written(path).write("ids", {3, 2}, pairs.data(), H5T_NATIVE_INT64, {.type = H5T_STD_I64LE});
  EXPECT_THAT([&] { (void)Hdf5File::open(path).read_ids("ids", all); },
              ThrowsMessage<Error>(path + ": dataset 'ids': has the shape [3, 2]; expected one identifier a row"));
}

TEST(Hdf5Ids, FloatingPointNumbersMustBeExact) {
  const auto read = [](double last) {
    return Hdf5File::open(written<double>({1.0, -2.0, last}, H5T_NATIVE_DOUBLE, H5T_IEEE_F64LE)).read_ids("ids", all);
  };
  EXPECT_THAT(read(9007199254740991.0).keys, ElementsAre(1, -2, 9007199254740991));
  EXPECT_THAT([&] { read(3.5); }, ThrowsMessage<Error>(HasSubstr("dataset 'ids': row 2: 3.5 identifies no object")));
  EXPECT_THAT([&] { read(std::nan("")); }, ThrowsMessage<Error>(HasSubstr("row 2: nan identifies no object")));
  EXPECT_THAT([&] { read(39633300968442592.0); }, ThrowsMessage<Error>(HasSubstr("row 2: ")));
  EXPECT_THAT([&] { read(-9007199254740992.0); }, ThrowsMessage<Error>(HasSubstr("row 2: ")));  // may be 2^53 + 1
}

TEST(Hdf5Ids, TextsOfFixedAndOfVariableLength) {
  const hid_t fixed = H5Tcopy(H5T_C_S1), variable = H5Tcopy(H5T_C_S1);
  H5Tset_size(fixed, 6);
  H5Tset_strpad(fixed, H5T_STR_SPACEPAD);
  H5Tset_size(variable, H5T_VARIABLE);
  const std::string filled = "a-1   bc-22 d     ";
  const std::vector<const char*> pointers = {"a-1", "bc-22", "d"};
  const std::vector<std::string> paths = {testing_support::scratch("fixed.h5"), testing_support::scratch("free.h5")};
  {
    testing_support::Hdf5Written(paths[0]).write("ids", {3}, filled.data(), fixed, {.type = fixed});
    testing_support::Hdf5Written(paths[1]).write("ids", {3}, pointers.data(), variable, {.type = variable});
  }
  for (const std::string& path : paths) {
    const ObjectIds ids = Hdf5File::open(path).read_ids("ids", shuffled);
    EXPECT_EQ(ids.kind, IdKind::text);
    EXPECT_THAT(ids.texts, ElementsAre("d", "a-1", "d")) << path;
    EXPECT_EQ(ids.keys[0], ids.keys[2]);
    EXPECT_EQ(ids.keys[1], id_key("a-1"));
  }
  H5Tclose(fixed);
  H5Tclose(variable);
}

TEST(Hdf5Ids, AreWrittenAsTheyWereRead) {
  const std::string path = testing_support::scratch("out.h5");
  const ObjectIds texts{IdKind::text, {id_key("ß1"), id_key("long-2")}, {"ß1", "long-2"}};
  const ObjectIds numbers{IdKind::uint64, {-1, 7}, {}};
  DurableFile durable(path);
  auto file = Hdf5File::create(durable.file());
  file.write_ids("texts", texts);
  file.write_ids("group/numbers", numbers);
  file.close();
  durable.commit();
  const auto read = Hdf5File::open(path);
  EXPECT_THAT(read.read_ids("texts", std::vector<int64_t>{0, 1}).texts, ElementsAre("ß1", "long-2"));
  const ObjectIds found = read.read_ids("group/numbers", std::vector<int64_t>{0, 1});
  EXPECT_EQ(found.kind, IdKind::uint64);
  EXPECT_THAT(found.keys, ElementsAre(-1, 7));
}

}  // namespace
}  // namespace astroclip::io
