#include "report/gallery_figures.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "base/markup.h"
#include "io/hdf5/hdf5.h"
#include "io/output/png.h"
#include "probe/metrics.h"
#include "report/blocks.h"
#include "report/gnuplot.h"

namespace astroclip::report {

namespace {

constexpr int64_t spectra_shown = 3;  // of neighbours
/// Vacuum wavelengths in Å.
struct SpectralLine {
  const char* name;
  double wavelength;
};
constexpr SpectralLine spectral_lines[] = {{"Lyα", 1215.67},    {"C IV", 1549.5}, {"Mg II", 2799.1}, {"[O II]", 3728.5},
                                           {"K", 3934.8},       {"H", 3969.6},    {"G", 4305.6},     {"Hβ", 4862.7},
                                           {"[O III]", 5008.2}, {"Mg b", 5176.6}, {"Na D", 5895.6},  {"Hα", 6564.6},
                                           {"[S II]", 6725.5}};

template <class T>
std::vector<T> values_of(const io::Hdf5File& file, const std::string& name, DType dtype) {
  const Shape shape = file.shape(name);
  std::vector<int64_t> rows(static_cast<size_t>(shape[0]));
  std::iota(rows.begin(), rows.end(), 0);
  std::vector<T> values(static_cast<size_t>(shape.numel()));
  if (!values.empty()) file.read_rows(name, rows, dtype, values.data());
  return values;
}

/// What the file has of the objects shown.
struct Pictures {
  std::map<int64_t, size_t> places;  ///< by test object
  int64_t side = 0;                  ///< 0: no images
  std::vector<float> images;         ///< [shown, 3, side, side]
  std::vector<float> spectra;        ///< [shown, pixels]
  std::vector<double> wavelengths;   ///< [pixels]; empty: no spectra

  std::span<const float> image(int64_t object) const {
    const auto size = static_cast<size_t>(3 * side * side);
    return std::span(images).subspan(places.at(object) * size, size);
  }
  std::span<const float> spectrum(int64_t object) const {
    return std::span(spectra).subspan(places.at(object) * wavelengths.size(), wavelengths.size());
  }
};

Pictures read_pictures(const io::Hdf5File& file) {
  Pictures pictures;
  const auto objects = values_of<int64_t>(file, "pictures/object", DType::i64);
  for (size_t i = 0; i < objects.size(); ++i) pictures.places[objects[i]] = i;
  const auto count = std::ssize(objects);
  if (file.contains("pictures/image")) {
    pictures.side = file.expect_shape("pictures/image", std::vector<int64_t>{count, 3, -1, -1})[2];
    (void)file.expect_shape("pictures/image", std::vector<int64_t>{count, 3, pictures.side, pictures.side});
    pictures.images = values_of<float>(file, "pictures/image", DType::f32);
  }
  if (file.contains("pictures/spectrum")) {
    pictures.wavelengths = values_of<double>(file, "pictures/wavelength", DType::f64);
    (void)file.expect_shape("pictures/spectrum", std::vector<int64_t>{count, std::ssize(pictures.wavelengths)});
    pictures.spectra = values_of<float>(file, "pictures/spectrum", DType::f32);
  }
  return pictures;
}

struct ShownGallery {
  std::string name;
  std::vector<int64_t> queries, ranks, nearest;
  std::vector<double> cosines;
  std::vector<std::string> directions;
  size_t neighbours = 0;

  size_t place(size_t query, size_t direction) const { return (query * directions.size() + direction) * neighbours; }
};

ShownGallery read_gallery(const io::Hdf5File& file, const std::string& name, const TestObjects& objects,
                          const Pictures& pictures) {
  const std::string group = "galleries/" + name;
  ShownGallery gallery{.name = name,
                       .queries = values_of<int64_t>(file, group + "/queries", DType::i64),
                       .ranks = {},
                       .nearest = values_of<int64_t>(file, group + "/nearest", DType::i64),
                       .cosines = values_of<double>(file, group + "/cosines", DType::f64),
                       .directions = {}};
  std::vector<int64_t> rows(static_cast<size_t>(file.shape(group + "/directions")[0]));
  std::iota(rows.begin(), rows.end(), 0);
  gallery.directions = file.read_texts(group + "/directions", rows);
  const auto queries = std::ssize(gallery.queries);
  for (const char* part : {"/nearest", "/cosines"})
    gallery.neighbours =
        static_cast<size_t>(file.expect_shape(group + part, std::vector<int64_t>{queries, std::ssize(rows), -1})[2]);
  if (file.contains(group + "/ranks")) {
    (void)file.expect_shape(group + "/ranks", std::vector<int64_t>{queries});
    gallery.ranks = values_of<int64_t>(file, group + "/ranks", DType::i64);
  }
  for (const auto* list : {&gallery.queries, &gallery.nearest}) {
    for (const int64_t object : *list) {
      const bool is_known = object == -1 ? list == &gallery.nearest
                                         : pictures.places.contains(object) && object < std::ssize(objects.ids);
      if (!is_known)
        throw Error(fmt::format("{}: '{}' names object {}, of which there is no picture", file.path(), group, object));
    }
  }
  return gallery;
}

std::string base64(std::span<const std::byte> bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](size_t at) { return at < bytes.size() ? std::to_integer<uint32_t>(bytes[at]) : 0U; };
    const uint32_t bits = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (size_t digit = 0; digit < 4; ++digit)
      text += digit <= bytes.size() - i ? digits[bits >> (18 - 6 * digit) & 63] : '=';
  }
  return text;
}

/// A picture [3, side, side], the lowest row first, as PNG.
std::string png_of(std::span<const float> image, int64_t side) {
  std::vector<uint8_t> rgb;
  for (int64_t y = side - 1; y >= 0; --y) {
    for (int64_t x = 0; x < side; ++x) {
      for (int64_t colour = 0; colour < 3; ++colour)
        rgb.push_back(static_cast<uint8_t>(
            std::lround(255.0F * std::clamp(image[static_cast<size_t>((colour * side + y) * side + x)], 0.0F, 1.0F))));
    }
  }
  return base64(io::png_bytes(side, side, rgb));
}

class Gallery {
 public:
  Gallery(const ShownGallery& shown, const TestObjects& objects, const Pictures& pictures)
      : shown_(shown), objects_(objects), pictures_(pictures), redshift_(objects.redshift()) {}

  /// Rows of pictures: a query, and in every direction what is nearest to it.
  std::string images() const {
    std::string html =
        "<div class=\"wide\" role=\"region\" aria-label=\"Gallery\" tabindex=\"0\"><table "
        "class=\"gallery\"><thead><tr><th scope=\"col\">query</th>";
    for (const std::string& direction : shown_.directions)
      html += fmt::format("<th scope=\"col\">{}</th>", markup_text(direction));
    html += "</tr></thead>\n<tbody>\n";
    for (size_t query = 0; query < shown_.queries.size(); ++query) {
      html += fmt::format("<tr><th scope=\"row\">{}</th>", image(shown_.queries[query], " class=\"query\"", ""));
      for (size_t direction = 0; direction < shown_.directions.size(); ++direction) {
        html += "<td>";
        for (size_t k = shown_.place(query, direction); k < shown_.place(query, direction) + shown_.neighbours; ++k) {
          if (shown_.nearest[k] >= 0)
            html += image(shown_.nearest[k], "", fmt::format(", cosine {:.3f}", shown_.cosines[k]));
        }
        html += "</td>";
      }
      html += "</tr>\n";
    }
    return html + "</tbody></table></div>\n";
  }

  HtmlTable table() const {
    HtmlTable table{"Queries and what is nearest to them", {"query", "direction"}, 2, {}};
    for (size_t k = 0; k < shown_.neighbours; ++k) table.head.push_back(fmt::format("nearest {}", k + 1));
    for (size_t query = 0; query < shown_.queries.size(); ++query) {
      for (size_t direction = 0; direction < shown_.directions.size(); ++direction) {
        TableRow& row =
            table.rows.emplace_back(TableRow{described(shown_.queries[query]), shown_.directions[direction]});
        for (size_t k = shown_.place(query, direction); k < shown_.place(query, direction) + shown_.neighbours; ++k)
          row.push_back(shown_.nearest[k] < 0
                            ? "–"
                            : fmt::format("{}, cosine {:.3f}", described(shown_.nearest[k]), shown_.cosines[k]));
      }
    }
    return table;
  }

  std::string caption(const std::string& of) const {
    std::string chosen = "Queries drawn evenly from the test objects";
    if (shown_.name == "successes")
      chosen =
          "Successes: queries drawn evenly from the test objects whose own other view is among the nearest ten in both "
          "directions";
    if (shown_.name == "failures") chosen = "Worst failures: the test objects whose own other view is farthest";
    std::string ranks;
    for (const int64_t rank : shown_.ranks)
      ranks += fmt::format("{}{}", ranks.empty() ? "; the larger of its two ranks: " : ", ", rank);
    return fmt::format("{}{}. {}", chosen, ranks, of);
  }

  /// A panel for each query and direction: the query's spectrum in red over those of its nearest.
  Figure spectra() const {
    const size_t columns = shown_.directions.size(), rows = shown_.queries.size();
    Figure figure{
        .name = file_name_of("spectra " + shown_.name), .width = 1100, .height = static_cast<int>(60 + 150 * rows)};
    Blocks blocks;
    figure.script = fmt::format(
        "set multiplot layout {},{} margins 0.04,0.99,{:.3f},{:.3f} spacing 0.025,{:.3f}\nset tics font ',9' scale "
        "0.3\nset xrange [{}:{}]\n",
        rows, columns, 50.0 / figure.height, 1.0 - 25.0 / figure.height, 26.0 / figure.height,
        pictures_.wavelengths.front(), pictures_.wavelengths.back());
    for (size_t query = 0; query < rows; ++query) {
      const int64_t object = shown_.queries[query];
      const std::string lines = line_marks(object);
      for (size_t direction = 0; direction < columns; ++direction) {
        std::vector<std::string> plots;
        std::vector<double> seen;
        const size_t first = shown_.place(query, direction);
        for (size_t k = first; k < first + std::min<size_t>(static_cast<size_t>(spectra_shown), shown_.neighbours);
             ++k) {
          if (shown_.nearest[k] < 0) continue;
          add(shown_.nearest[k], "linetype 6 linewidth 0.8", blocks, plots, seen);
        }
        add(object, "linecolor rgb '#D5000E' linewidth 1", blocks, plots, seen);
        if (plots.empty()) continue;
        std::ranges::sort(seen);
        const double low = probe::quantile(seen, 0.005), high = probe::quantile(seen, 0.995);
        const double room = high > low ? 0.1 * (high - low) : 0.5;
        figure.script += fmt::format(
            "unset arrow\nunset label\n{}set title {} font ',10' offset 0,-0.6\nset yrange [{:.4g}:{:.4g}]\n{}plot "
            "{}\n",
            query + 1 == rows ? "set xlabel 'wavelength / Å' font ',10' offset 0,0.6\n" : "unset xlabel\n",
            gnuplot_text(query == 0 ? shown_.directions[direction] : ""), low - room, high + 2.0 * room, lines,
            fmt::format("{}", fmt::join(plots, ", ")));
      }
    }
    figure.script += "unset multiplot\n";
    figure.data = blocks.text();
    figure.caption =
        caption(fmt::format("Spectra of the queries (red) over those of the {} nearest in each direction (blue), in "
                            "means of 20 pixels over their median; lines are "
                            "named at the query's redshift.",
                            spectra_shown));
    figure.alt = fmt::format("Spectra of {} queries over those nearest to them in {} directions.", rows, columns);
    figure.table = table();
    return figure;
  }

 private:
  double redshift_of(int64_t object) const {
    return redshift_.empty() ? std::nan("") : objects_.labels.at(redshift_)[static_cast<size_t>(object)];
  }

  std::string described(int64_t object) const {
    const double redshift = redshift_of(object);
    return objects_.ids[static_cast<size_t>(object)] +
           (std::isfinite(redshift) ? fmt::format(" (z = {:.3f})", redshift) : "");
  }

  std::string image(int64_t object, const char* attributes, const std::string& more) const {
    auto [found, is_new] = encoded_.try_emplace(object);
    if (is_new) found->second = png_of(pictures_.image(object), pictures_.side);
    const std::string text = markup_text(described(object) + more);
    return fmt::format("<img{0} src=\"data:image/png;base64,{1}\" alt=\"{2}\" title=\"{2}\">", attributes,
                       found->second, text);
  }

  /// Named lines of the query that are observed; names that would overlap are left out.
  std::string line_marks(int64_t object) const {
    const double redshift = redshift_of(object), first = pictures_.wavelengths.front(),
                 last = pictures_.wavelengths.back();
    if (!std::isfinite(redshift)) return "";
    std::string marks;
    double before = -HUGE_VAL;
    for (const auto& [name, rest] : spectral_lines) {
      const double observed = rest * (1.0 + redshift);
      if (observed <= first || observed >= last) continue;
      marks += fmt::format(
          "set arrow from {0:.1f}, graph 0 to {0:.1f}, graph 0.88 nohead linecolor rgb '#888888' linewidth 0.5 "
          "dashtype 3\n",
          observed);
      if (observed - before < 0.09 * (last - first)) continue;
      marks += fmt::format("set label {} at {:.1f}, graph 0.94 center font ',8'\n", gnuplot_text(name), observed);
      before = observed;
    }
    return marks;
  }

  /// A spectrum over its median, if it has one.
  void add(int64_t object, const std::string& how, Blocks& blocks, std::vector<std::string>& plots,
           std::vector<double>& seen) const {
    std::vector<double> values;
    for (const float value : pictures_.spectrum(object)) {
      if (std::isfinite(value)) values.push_back(double{value});
    }
    const double median = std::abs(probe::median(values));
    if (!(median > 0.0)) return;
    const auto [known, is_new] = block_of_.try_emplace(object, 0);
    if (is_new) {
      std::string lines;
      const auto flux = pictures_.spectrum(object);
      for (size_t pixel = 0; pixel < flux.size(); ++pixel) {
        if (std::isfinite(flux[pixel]))
          lines += fmt::format("{:.0f} {:.3f}\n", pictures_.wavelengths[pixel], double{flux[pixel]} / median);
      }
      known->second = blocks.add(described(object) + ": wavelength, flux over its median", lines);
    }
    for (const double value : values) seen.push_back(value / median);
    plots.push_back(fmt::format("data index {} using 1:2 with lines {}", known->second, how));
  }

  const ShownGallery& shown_;
  const TestObjects& objects_;
  const Pictures& pictures_;
  std::string redshift_;
  mutable std::map<int64_t, std::string> encoded_;
  mutable std::map<int64_t, int64_t> block_of_;
};

}  // namespace

std::string galleries_html(const record::RunFolder& folder, const TestObjects& objects, FigureSheet& sheet) {
  if (!std::filesystem::exists(folder.objects())) return "";
  const auto file = io::Hdf5File::open(folder.objects());
  if (!file.contains("galleries") || !file.contains("pictures")) return "";
  const Pictures pictures = read_pictures(file);
  std::vector<ShownGallery> all;
  for (const std::string& name : file.groups("galleries")) all.push_back(read_gallery(file, name, objects, pictures));
  std::ranges::reverse(all);  // successes before failures
  std::string html;
  std::vector<Figure> spectra;
  for (const ShownGallery& shown : all) {
    const Gallery gallery(shown, objects, pictures);
    if (pictures.side > 0) {
      html += sheet.add(gallery.images(),
                        gallery.caption("Images of the queries (framed in red) and of the nearest other test objects "
                                        "by cosine, in each direction; under the "
                                        "pointer are object_id, redshift and cosine."),
                        gallery.table());
    }
    if (!pictures.wavelengths.empty()) spectra.push_back(gallery.spectra());
  }
  std::erase_if(spectra, [](const Figure& figure) { return figure.data.empty(); });
  return html + sheet.add(spectra);
}

}  // namespace astroclip::report
