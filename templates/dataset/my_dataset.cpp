// A made-up survey. Every object has a redshift; the spectrum shows it by the place of one emission line, the image by
// the colour of a round galaxy. Put the reading of your files in place of `fill`.
#include <plugin/record.h>

#include <algorithm>
#include <cmath>

namespace {

using namespace astroclip;

class MyDataset final : public Dataset {
 public:
  struct Parameters {
    int64_t objects = 1000;
    int64_t seed = 1;
    int64_t side = 40;
    int64_t pixels = 256;
    double noise = 0.1;
  };

  static const config::Schema<Parameters>& schema() {
    using config::between;
    static const auto schema =
        config::Schema<Parameters>("Round galaxies and spectra with one emission line.")
            .field("objects", &Parameters::objects, "number of objects; the last fifth is for testing", between(5, 100000000))
            .field("seed", &Parameters::seed, "seed of the objects and their noise", config::at_least(0))
            .field("side", &Parameters::side, "pixels of an image's side", between(8, 1024))
            .field("pixels", &Parameters::pixels, "pixels of a spectrum", between(16, 65536))
            .field("noise", &Parameters::noise, "standard deviation of a pixel", between(0.0, 10.0))
            .example(R"(
[dataset]
plugin = "my_dataset"
objects = 1000
)");
    return schema;
  }

  explicit MyDataset(const Parameters& parameters) : p_(parameters) {}

  std::vector<Field> fields() const override {
    return {{"image", DType::f32, {3, p_.side, p_.side}, "peak of a galaxy", "axes (band, y, x)"},
            {"spectrum", DType::f32, {p_.pixels}, "peak of the line", "flux"},
            {"redshift", DType::f64, {}, "", "0 to 1"},
            {"object_id", DType::i64, {}, "", "row among all objects"}};
  }

  int64_t size(Split split) const override {
    const int64_t test = p_.objects / 5;
    return split == Split::test ? test : p_.objects - test;
  }

  void read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
            HostBatch& out) const override {
    const auto count = static_cast<int64_t>(rows.size());
    for (const std::string& name : names) {
      const Field field = find(name);
      HostArray& column = out[name] = HostArray(field, count);
      for (int64_t i = 0; i < count; ++i) fill(object_of(split, rows[static_cast<size_t>(i)]), field, i, column);
    }
  }

 private:
  Field find(const std::string& name) const {
    const std::vector<Field> all = fields();
    const auto found = std::ranges::find(all, name, &Field::name);
    if (found == all.end()) fail("has no field '" + name + "'");
    return *found;
  }

  int64_t object_of(Split split, int64_t row) const { return split == Split::test ? size(Split::train) + row : row; }

  /// Streams of an object: of its properties, and of each field's noise. The same numbers on every thread, in any
  /// order.
  Rng stream(const std::string& of, int64_t object) const {
    return {static_cast<uint64_t>(p_.seed), RngStream::simulation, stable_hash(of), static_cast<uint64_t>(object)};
  }

  /// Writes one object's value of a field as row `row` of the column.
  void fill(int64_t object, const Field& field, int64_t row, HostArray& column) const {
    const double redshift = stream("redshift", object).uniform();
    if (field.name == "object_id") column.values<int64_t>()[static_cast<size_t>(row)] = object;
    if (field.name == "redshift") column.values<double>()[static_cast<size_t>(row)] = redshift;
    if (field.dtype != DType::f32) return;
    const auto values = static_cast<size_t>(field.shape.numel());
    const auto part = column.values<float>().subspan(static_cast<size_t>(row) * values, values);
    if (field.name == "image") draw_image(redshift, part);
    if (field.name == "spectrum") draw_spectrum(redshift, part);
    Rng noise = stream(field.name, object);
    for (float& value : part) value += static_cast<float>(p_.noise * noise.normal());
  }

  /// The blue band fades and the red band rises with redshift.
  void draw_image(double redshift, std::span<float> out) const {
    const double colours[] = {1.0 - redshift, 0.5, redshift}, centre = 0.5 * static_cast<double>(p_.side - 1);
    auto value = out.begin();
    for (const double colour : colours) {
      for (int64_t y = 0; y < p_.side; ++y) {
        for (int64_t x = 0; x < p_.side; ++x) {
          const double radius = std::hypot(static_cast<double>(x) - centre, static_cast<double>(y) - centre);
          *value++ = static_cast<float>(colour * std::exp(-radius / 4.0));
        }
      }
    }
  }

  /// A line of unit height, two pixels wide, at the relative place `redshift`.
  void draw_spectrum(double redshift, std::span<float> out) const {
    const double centre = redshift * static_cast<double>(p_.pixels - 1);
    for (size_t i = 0; i < out.size(); ++i) {
      const double distance = (static_cast<double>(i) - centre) / 2.0;
      out[i] = static_cast<float>(std::exp(-0.5 * distance * distance));
    }
  }

  Parameters p_;
};

}  // namespace

ASTROCLIP_PLUGIN(astroclip::Dataset, MyDataset)
