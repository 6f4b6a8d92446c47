#include "report/attention_figures.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "io/hdf5/hdf5.h"
#include "probe/metrics.h"
#include "report/blocks.h"
#include "report/gnuplot.h"
#include "report/pictures.h"
#include "report/stored_values.h"

namespace astroclip::report {

namespace {

constexpr size_t most_heads = 8;      // that are shown one by one
constexpr float share_of_map = 0.6F;  // of a pixel's colour, beside the image
constexpr const char* weights_have_no_errors =
    "There are no errors: weights are computed from each object by itself, not estimated from several.";
/// Viridis (van der Walt & Smith 2015) at five places.
constexpr float viridis[][3] = {{0.267F, 0.005F, 0.329F},
                                {0.230F, 0.322F, 0.546F},
                                {0.128F, 0.567F, 0.551F},
                                {0.369F, 0.789F, 0.383F},
                                {0.993F, 0.906F, 0.144F}};

/// Of one encoder.
struct ShownAttention {
  std::string encoder, modality;
  std::vector<int64_t> objects;
  size_t heads = 0, tokens = 0;
  std::vector<float> weights;      ///< [objects, heads, tokens]
  std::vector<float> places;       ///< [tokens, 2] in pixels of the pictures; empty of spectra
  std::vector<float> wavelengths;  ///< [tokens]; empty of images
  std::vector<float> images;       ///< [objects, 3, side, side]
  int64_t side = 0;

  std::span<const float> of_head(size_t object, size_t head) const {
    return std::span(weights).subspan((object * heads + head) * tokens, tokens);
  }
  /// The mean over heads.
  std::vector<float> mean(size_t object) const {
    std::vector<float> sum(tokens, 0.0F);
    for (size_t head = 0; head < heads; ++head) {
      const auto own = of_head(object, head);
      for (size_t token = 0; token < tokens; ++token) sum[token] += own[token] / static_cast<float>(heads);
    }
    return sum;
  }
};

ShownAttention read_attention(const io::Hdf5File& file, const std::string& encoder, const TestObjects& objects) {
  const std::string group = "attention/" + encoder + "/";
  ShownAttention shown{.encoder = encoder,
                       .modality = "spectrum",  // in files that do not say it
                       .objects = integers_in(file, group + "object"),
                       .weights = floats_in(file, group + "weights"),
                       .places = {},
                       .wavelengths = {},
                       .images = {}};
  const auto count = std::ssize(shown.objects);
  const Shape shape = file.expect_shape(group + "weights", std::vector<int64_t>{count, -1, -1});
  shown.heads = static_cast<size_t>(shape[1]), shown.tokens = static_cast<size_t>(shape[2]);
  for (const int64_t object : shown.objects) {
    if (object < 0 || object >= std::ssize(objects.ids))
      throw Error(
          fmt::format("{}: '{}object' names object {}, which is none of the test objects", file.path(), group, object));
  }
  for (float& weight : shown.weights) weight = std::isfinite(weight) ? std::max(weight, 0.0F) : 0.0F;
  if (file.contains(group + "modality"))
    shown.modality = file.read_texts(group + "modality", std::vector<int64_t>{0}).front();
  if (file.contains(group + "wavelengths")) {
    (void)file.expect_shape(group + "wavelengths", std::vector<int64_t>{shape[2]});
    shown.wavelengths = floats_in(file, group + "wavelengths");
    return shown;
  }
  (void)file.expect_shape(group + "places", std::vector<int64_t>{shape[2], 2});
  shown.places = floats_in(file, group + "places");
  shown.side = file.expect_shape(group + "image", std::vector<int64_t>{count, 3, -1, -1})[2];
  (void)file.expect_shape(group + "image", std::vector<int64_t>{count, 3, shown.side, shown.side});
  shown.images = floats_in(file, group + "image");
  return shown;
}

/// Tokens with the greatest weights that together have half of a map's.
size_t tokens_of_half(std::span<const float> weights) {
  std::vector<float> falling(weights.begin(), weights.end());
  std::ranges::sort(falling, std::ranges::greater());
  const float half = 0.5F * std::accumulate(falling.begin(), falling.end(), 0.0F);
  float sum = 0.0F;
  size_t count = 0;
  while (count < falling.size() && sum < half) sum += falling[count++];
  return count;
}

/// A line for the mean of all heads and for each head of each object.
HtmlTable table_of(const ShownAttention& shown, const TestObjects& objects) {
  const bool is_spectrum = !shown.wavelengths.empty();
  HtmlTable table{
      fmt::format("Attention of the encoder {}", shown.encoder),
      {"object", "head", "greatest weight", "over an even one",
       is_spectrum ? "at wavelength [Å]" : "at column, row [pixels]", "tokens with half of all weight", "tokens"},
      2,
      {}};
  const auto add = [&](size_t object, const std::string& head, std::span<const float> weights) {
    const auto most = static_cast<size_t>(std::ranges::max_element(weights) - weights.begin());
    std::string place = "none";
    if (is_spectrum && std::isfinite(shown.wavelengths[most])) place = fmt::format("{:.0f}", shown.wavelengths[most]);
    if (!is_spectrum && std::isfinite(shown.places[2 * most]))
      place = fmt::format("{:.0f}, {:.0f}", shown.places[2 * most], shown.places[2 * most + 1]);
    table.rows.push_back({objects.described(shown.objects[object]), head, fmt::format("{:.3f}", weights[most]),
                          fmt::format("{:.1f}", weights[most] * static_cast<float>(shown.tokens)), place,
                          std::to_string(tokens_of_half(weights)), std::to_string(shown.tokens)});
  };
  for (size_t object = 0; object < shown.objects.size(); ++object) {
    add(object, "mean", shown.mean(object));
    for (size_t head = 0; head < shown.heads; ++head)
      add(object, std::to_string(head + 1), shown.of_head(object, head));
  }
  return table;
}

/// A map over a grey image: each pixel has the colour of the nearest token, of the greatest weight yellow.
std::vector<float> overlay(std::span<const float> image, std::span<const float> weights, const ShownAttention& shown) {
  const auto pixels = static_cast<size_t>(shown.side * shown.side);
  const float greatest = std::max(1e-12F, std::ranges::max(weights));
  std::vector<float> rgb(3 * pixels);
  for (size_t pixel = 0; pixel < pixels; ++pixel) {
    const auto x = static_cast<float>(pixel % static_cast<size_t>(shown.side)),
               y = static_cast<float>(pixel / static_cast<size_t>(shown.side));
    float least = HUGE_VALF, weight = 0.0F;
    for (size_t token = 0; token < shown.tokens; ++token) {
      const float dx = shown.places[2 * token] - x, dy = shown.places[2 * token + 1] - y;
      const float distance = dx * dx + dy * dy;
      if (distance < least) least = distance, weight = weights[token];  // false of a token without a place
    }
    const float place = 4.0F * weight / greatest;
    const auto below = std::min<size_t>(3, static_cast<size_t>(place));
    const float grey = (image[pixel] + image[pixels + pixel] + image[2 * pixels + pixel]) / 3.0F;
    for (size_t colour = 0; colour < 3; ++colour) {
      const float mapped = viridis[below][colour] +
                           (place - static_cast<float>(below)) * (viridis[below + 1][colour] - viridis[below][colour]);
      rgb[colour * pixels + pixel] = share_of_map * mapped + (1.0F - share_of_map) * grey;
    }
  }
  return rgb;
}

std::string images_html(const ShownAttention& shown, const TestObjects& objects) {
  const size_t heads = shown.heads > 1 && shown.heads <= most_heads ? shown.heads : 0;
  std::string html =
      "<div class=\"wide\" role=\"region\" aria-label=\"Attention\" tabindex=\"0\"><table class=\"gallery attention\">"
      "<thead><tr><th scope=\"col\">image</th><th scope=\"col\">mean of heads</th>";
  for (size_t head = 1; head <= heads; ++head) html += fmt::format("<th scope=\"col\">head {}</th>", head);
  html += "</tr></thead>\n<tbody>\n";
  const auto size = static_cast<size_t>(3 * shown.side * shown.side);
  for (size_t object = 0; object < shown.objects.size(); ++object) {
    const auto image = std::span(shown.images).subspan(object * size, size);
    const std::string name = objects.described(shown.objects[object]);
    const auto map = [&](std::span<const float> weights, const std::string& of) {
      html += fmt::format("<td>{}</td>",
                          picture_html(encoded_jpeg(overlay(image, weights, shown), shown.side), name + ", " + of));
    };
    html += fmt::format("<tr><th scope=\"row\">{}</th>", picture_html(encoded_jpeg(image, shown.side), name));
    map(shown.mean(object), "attention, mean of heads");
    for (size_t head = 0; head < heads; ++head)
      map(shown.of_head(object, head), fmt::format("attention of head {}", head + 1));
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

/// A panel for each object: its spectrum, and the weights along it.
Figure along_spectra(const ShownAttention& shown, const TestObjects& objects, const Pictures& pictures,
                     const Spectra& spectra) {
  const size_t rows = shown.objects.size();
  Figure figure{
      .name = file_name_of("attention " + shown.encoder), .width = 940, .height = static_cast<int>(110 + 160 * rows)};
  const double first = spectra.wavelengths.front(), last = spectra.wavelengths.back();
  Blocks blocks;
  figure.script = fmt::format(
      "set multiplot layout {},1 margins 0.09,0.91,{:.3f},{:.3f} spacing 0,{:.3f}\nset border 11\nset tics font "
      "',10'\nset y2tics\nset xrange [{}:{}]\nset ylabel 'flux / median'\nset y2label 'weight [%]'\nset y2range "
      "[0:*]\n",
      rows, 65.0 / figure.height, 1.0 - 45.0 / figure.height, 30.0 / figure.height, first, last);
  for (size_t row = 0; row < rows; ++row) {
    const int64_t object = shown.objects[row];
    const std::vector<float> weights = shown.mean(row);
    std::string lines;
    for (size_t token = 0; token < weights.size(); ++token) {
      if (std::isfinite(shown.wavelengths[token]))
        lines += fmt::format("{:.1f} {:.5g}\n", shown.wavelengths[token], 100.0 * double{weights[token]});
    }
    if (lines.empty()) {
      figure.script += "set multiplot next\n";
      continue;
    }
    const std::string name = objects.described(object);
    const int64_t attention = blocks.add(name + ": wavelength, weight in %", lines);
    std::string plots = fmt::format(
        "data index {0} using 1:2 axes x1y2 with fillsteps linetype 5 fillstyle transparent solid 0.3, "
        "data index {0} using 1:2 axes x1y2 with steps linetype 5 title {1}",
        attention, row == 0 ? "'weight, mean of heads'" : "''");
    std::vector<double> seen;
    lines.clear();
    if (pictures.places.contains(object)) {
      const std::vector<double> flux = pictures.over_median(spectra, object);
      for (size_t pixel = 0; pixel < flux.size(); ++pixel) {
        if (!std::isfinite(flux[pixel])) continue;
        seen.push_back(flux[pixel]);
        lines += fmt::format("{:.0f} {:.3f}\n", spectra.wavelengths[pixel], flux[pixel]);
      }
    }
    if (!lines.empty()) {
      std::ranges::sort(seen);
      const double low = probe::quantile(seen, 0.005), high = probe::quantile(seen, 0.995);
      const double room = high > low ? 0.1 * (high - low) : 0.5;
      figure.script += fmt::format("set yrange [{:.4g}:{:.4g}]\n", low - room, high + 2.0 * room);
      plots += fmt::format(", data index {} using 1:2 with lines linetype 7 linewidth 1 title {}",
                           blocks.add(name + ": wavelength, flux over its median", lines), row == 0 ? "'flux'" : "''");
    }
    figure.script +=
        fmt::format("unset arrow\nunset label\n{}set label {} at graph 0.01,0.92 font ',11'\n{}{}plot {}\n",
                    row + 1 == rows ? "set format x\nset xlabel 'vacuum wavelength [Å]'\n" : "set format x ''\n",
                    gnuplot_text(name), row == 0 ? "set key at graph 1,1.2 right top horizontal\n" : "unset key\n",
                    line_marks(objects.redshift_of(object), first, last), plots);
  }
  figure.script += "unset multiplot\n";
  figure.data = blocks.text();
  figure.caption = fmt::format(
      "What the embedding of spectra by the encoder {} attends to in {} test objects: the weight of each of its {} "
      "tokens, in the mean of {} heads (orange), over the spectrum in means over {:.0f} Å (line). Lines are named at "
      "the object's redshift.",
      shown.encoder, rows, shown.tokens, shown.heads, spectra.wavelengths[1] - spectra.wavelengths[0]);
  figure.errors = weights_have_no_errors;
  figure.alt =
      fmt::format("Spectra of {} objects, with the attention of the encoder {} along them.", rows, shown.encoder);
  figure.table = table_of(shown, objects);
  return figure;
}

}  // namespace

std::string attention_html(const record::RunFolder& folder, const TestObjects& objects, FigureSheet& sheet) {
  if (!std::filesystem::exists(folder.objects())) return "";
  const auto file = io::Hdf5File::open(folder.objects());
  if (!file.contains("attention")) return "";
  std::string html;
  std::vector<Figure> figures;
  for (const std::string& encoder : file.groups("attention")) {
    const ShownAttention shown = read_attention(file, encoder, objects);
    if (shown.objects.empty() || shown.heads == 0 || shown.tokens == 0) continue;
    if (!shown.wavelengths.empty()) {
      const Pictures pictures = read_pictures(file);
      const auto of = std::ranges::find(pictures.spectra, shown.modality, &Spectra::field);
      if (of != pictures.spectra.end()) figures.push_back(along_spectra(shown, objects, pictures, *of));
      continue;
    }
    html += sheet.add(
        images_html(shown, objects),
        fmt::format(
            "What the embedding of images by the encoder {} attends to in {} test objects: the weight of each of "
            "its {} tokens over the image, from blue (none) to yellow (the greatest weight of the map), in the "
            "mean of {} heads{}.",
            shown.encoder, shown.objects.size(), shown.tokens, shown.heads,
            shown.heads > 1 && shown.heads <= most_heads ? " and by each" : ""),
        weights_have_no_errors, table_of(shown, objects));
  }
  return html + sheet.add(with_data(std::move(figures)));
}

}  // namespace astroclip::report
