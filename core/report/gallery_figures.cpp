#include "report/gallery_figures.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/markup.h"
#include "io/hdf5/hdf5.h"
#include "probe/metrics.h"
#include "report/blocks.h"
#include "report/gnuplot.h"
#include "report/pictures.h"
#include "report/stored_values.h"

namespace astroclip::report {

namespace {

constexpr size_t spectra_shown = 3;  // of neighbours

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
                       .queries = integers_in(file, group + "/queries"),
                       .ranks = {},
                       .nearest = integers_in(file, group + "/nearest"),
                       .cosines = doubles_in(file, group + "/cosines"),
                       .directions = {}};
  const std::vector<int64_t> rows = all_rows(file, group + "/directions");
  gallery.directions = file.read_texts(group + "/directions", rows);
  const auto queries = std::ssize(gallery.queries);
  for (const char* part : {"/nearest", "/cosines"})
    gallery.neighbours =
        static_cast<size_t>(file.expect_shape(group + part, std::vector<int64_t>{queries, std::ssize(rows), -1})[2]);
  if (file.contains(group + "/ranks")) {
    (void)file.expect_shape(group + "/ranks", std::vector<int64_t>{queries});
    gallery.ranks = integers_in(file, group + "/ranks");
  }
  for (const auto* list : {&gallery.queries, &gallery.nearest}) {
    for (const int64_t object : *list) {
      const bool is_known = object == -1
                                ? list == &gallery.nearest
                                : object >= 0 && object < std::ssize(objects.ids) && pictures.places.contains(object);
      if (!is_known)
        throw Error(fmt::format("{}: '{}' names object {}, of which there is no picture", file.path(), group, object));
    }
  }
  return gallery;
}

/// A spectrum over its median, which is a block of a figure's data.
struct Curve {
  int64_t block = 0;
  std::vector<double> values = {};
};

/// The spectra of a figure, each once.
class Curves {
 public:
  Curves(const Spectra& spectra, const Pictures& pictures, const TestObjects& objects)
      : spectra_(spectra), pictures_(pictures), objects_(objects) {}

  /// Null where there is no such spectrum.
  const Curve* of(int64_t object) {
    const auto [found, is_new] = curves_.try_emplace(object);
    if (is_new) found->second = made(object);
    return found->second.values.empty() ? nullptr : &found->second;
  }
  std::string text() const { return blocks_.text(); }

 private:
  Curve made(int64_t object) {
    const std::vector<double> flux = pictures_.over_median(spectra_, object);
    Curve curve;
    std::string lines;
    for (size_t pixel = 0; pixel + 2 < flux.size(); pixel += 2) {  // the last one may be of few pixels
      const double value = 0.5 * (flux[pixel] + flux[pixel + 1]);
      if (!std::isfinite(value)) continue;
      curve.values.push_back(value);
      lines +=
          fmt::format("{:.0f} {:.3f}\n", 0.5 * (spectra_.wavelengths[pixel] + spectra_.wavelengths[pixel + 1]), value);
    }
    if (!lines.empty())
      curve.block = blocks_.add(objects_.described(object) + ": wavelength, flux over its median", lines);
    return curve;
  }

  const Spectra& spectra_;
  const Pictures& pictures_;
  const TestObjects& objects_;
  Blocks blocks_;
  std::map<int64_t, Curve> curves_;
};

class Gallery {
 public:
  Gallery(const ShownGallery& shown, const TestObjects& objects, const Pictures& pictures)
      : shown_(shown), objects_(objects), pictures_(pictures) {}

  /// Rows of pictures: a query, and in every direction what is nearest to it.
  std::string rows_of(const Images& images) const {
    std::map<int64_t, std::string> encoded;
    const auto image = [&](int64_t object, const char* attributes, const std::string& more) {
      auto [found, is_new] = encoded.try_emplace(object);
      if (is_new) found->second = encoded_jpeg(pictures_.image(images, object), images.side);
      return picture_html(found->second, objects_.described(object) + more, attributes);
    };
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
            table.rows.emplace_back(TableRow{objects_.described(shown_.queries[query]), shown_.directions[direction]});
        for (size_t k = shown_.place(query, direction); k < shown_.place(query, direction) + shown_.neighbours; ++k)
          row.push_back(shown_.nearest[k] < 0 ? "–"
                                              : fmt::format("{}, cosine {:.3f}", objects_.described(shown_.nearest[k]),
                                                            shown_.cosines[k]));
      }
    }
    return table;
  }

  std::string caption(const std::string& of) const {
    std::string chosen = fmt::format("Queries drawn evenly from {} test objects", objects_.ids.size());
    if (shown_.name == "successes")
      chosen = fmt::format(
          "Successes: queries drawn evenly from those of {} test objects whose own other view is among the nearest ten "
          "in both directions",
          objects_.ids.size());
    if (shown_.name == "failures")
      chosen =
          fmt::format("Worst failures: those of {} test objects whose own other view is farthest", objects_.ids.size());
    std::string ranks;
    for (const int64_t rank : shown_.ranks)
      ranks += fmt::format("{}{}", ranks.empty() ? "; the larger of its two ranks: " : ", ", rank);
    return fmt::format("{}{}. {}", chosen, ranks, of);
  }

  /// A panel for each query and direction: the query's spectrum in red over those of its nearest.
  Figure panels_of(const Spectra& spectra) const {
    const double from = spectra.wavelengths.front(), to = spectra.wavelengths.back();
    const size_t columns = shown_.directions.size(), rows = shown_.queries.size();
    const std::string field = pictures_.spectra.size() == 1 ? "" : spectra.field;
    Figure figure{.name = file_name_of(fmt::format("spectra {} {}", field, shown_.name)),
                  .width = 1100,
                  .height = static_cast<int>(60 + 150 * rows)};
    Curves curves(spectra, pictures_, objects_);
    figure.script = fmt::format(
        "set multiplot layout {},{} margins 0.055,0.99,{:.3f},{:.3f} spacing 0.025,{:.3f}\nset tics font ',9' scale "
        "0.3\nset xrange [{}:{}]\n",
        rows, columns, 60.0 / figure.height, 1.0 - 40.0 / figure.height, 22.0 / figure.height, from, to);
    for (size_t query = 0; query < rows; ++query) {
      const int64_t object = shown_.queries[query];
      const std::string lines = line_marks(objects_.redshift_of(object), from, to);
      for (size_t direction = 0; direction < columns; ++direction) {
        std::vector<std::string> plots;
        std::vector<double> seen;
        const auto draw = [&](int64_t drawn, const char* how) {
          const Curve* curve = drawn < 0 ? nullptr : curves.of(drawn);
          if (curve == nullptr) return;
          seen.insert(seen.end(), curve->values.begin(), curve->values.end());
          plots.push_back(fmt::format("data index {} using 1:2 with lines {}", curve->block, how));
        };
        const size_t first = shown_.place(query, direction), last = first + std::min(spectra_shown, shown_.neighbours);
        for (size_t k = first; k < last; ++k) draw(shown_.nearest[k], "linetype 6 linewidth 0.8");
        draw(object, "linecolor rgb '#D5000E' linewidth 1");
        if (plots.empty()) {
          figure.script += "set multiplot next\n";
          continue;
        }
        std::ranges::sort(seen);
        const double low = probe::quantile(seen, 0.005), high = probe::quantile(seen, 0.995);
        const double room = high > low ? 0.1 * (high - low) : 0.5;
        figure.script += fmt::format(
            "unset arrow\nunset label\n{}{}set title {} font ',10' offset 0,0.1\nset yrange [{:.4g}:{:.4g}]\n{}plot "
            "{}\n",
            query + 1 == rows ? "set format x\nset xlabel 'vacuum wavelength [Å]' font ',10'\n" : "set format x ''\n",
            direction == 0 ? "set ylabel 'flux / median' font ',10' offset 1.5,0\n" : "unset ylabel\n",
            gnuplot_text(query == 0 ? shown_.directions[direction] : ""), low - room, high + room, lines,
            fmt::format("{}", fmt::join(plots, ", ")));
      }
    }
    figure.script += "unset multiplot\n";
    figure.data = curves.text();
    figure.caption = caption(
        fmt::format("Spectra{} of the queries (red) over those of the {} nearest in each direction (blue), in means "
                    "over {:.0f} Å, divided by their median; lines are named at the query's redshift.",
                    field.empty() ? "" : fmt::format(" ({})", field), spectra_shown,
                    2.0 * (spectra.wavelengths[1] - spectra.wavelengths[0])));
    figure.errors = "No errors are drawn: a line is the measurement of one object, whose noise it shows.";
    figure.alt = fmt::format("Spectra of {} queries over those nearest to them in {} directions.", rows, columns);
    figure.table = table();
    return figure;
  }

 private:
  const ShownGallery& shown_;
  const TestObjects& objects_;
  const Pictures& pictures_;
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
    for (const Images& images : pictures.images) {
      html += sheet.add(gallery.rows_of(images),
                        gallery.caption(fmt::format(
                            "Images{} of the queries (framed in red) and of the nearest other test objects by cosine, "
                            "in each direction; under the pointer are object_id, redshift and cosine.",
                            pictures.images.size() == 1 ? "" : fmt::format(" ({})", images.field))),
                        "There are no errors: a picture is the measurement of one object, and its place is by an exact "
                        "search.",
                        gallery.table());
    }
    for (const Spectra& of : pictures.spectra) spectra.push_back(gallery.panels_of(of));
  }
  return html + sheet.add(with_data(std::move(spectra)));
}

}  // namespace astroclip::report
