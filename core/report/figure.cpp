#include "report/figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/markup.h"
#include "io/output/durable_file.h"
#include "record/line_colours.h"
#include "report/condensed_svg.h"
#include "report/gnuplot.h"

namespace astroclip::report {

namespace fs = std::filesystem;

namespace {

constexpr const char* figure_style =
    R"(# What all figures share: change it here, and draw them again with `gnuplot *.gp`.
set encoding utf8
set termoption noenhanced
set border 3 linewidth 0.8
set tics nomirror out scale 0.6
set key noautotitle
set style fill solid noborder
# Viridis (van der Walt & Smith 2015) at nine places but the first, which a dark page would hide.
set palette defined (1 '#472c7a', 2 '#3b518b', 3 '#2c718e', 4 '#21908d', 5 '#27ad81', 6 '#5cc863', 7 '#aadc32', \
  8 '#fde725')
# Colours that the colour-blind tell apart.
)";

/// figures/style.gp
std::string style_text() {
  constexpr int marks[] = {7, 5, 9, 11, 13, 15, 3};
  constexpr size_t colours = std::size(record::line_colours);
  static_assert(std::size(marks) == colours + 1);
  std::string text = figure_style;
  for (size_t line = 0; line <= colours; ++line) {
    text += fmt::format("set linetype {} linecolor rgb '{}' linewidth 1.6 pointtype {}\n", line + 1,
                        line < colours ? record::line_colours[line].light : "#000000", marks[line]);
  }
  return text + fmt::format("set linetype cycle {}\n", colours + 1);
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

std::string whole_caption(const std::string& caption, const std::string& errors) { return caption + " " + errors; }

/// gnuplot's SVG as a part of a page: in the page's colours where it is black, or white around points with errors, and
/// with names of its own. It is drawn at most a quarter smaller than it is, so that its letters can be read.
std::string embedded(std::string svg, const Figure& figure, int64_t number) {
  const size_t begin = svg.find("<defs>"), end = svg.rfind("</g>");
  if (begin == std::string::npos || end == std::string::npos || end < begin ||
      svg.find("</svg>", end) == std::string::npos)
    return "";
  svg = condensed_svg(svg.substr(begin, end - begin));
  // These two filters are for boxed text, which no figure has.
  const size_t filters = svg.find("\t<filter"), after = svg.find("</defs>");
  if (filters < after) svg.erase(filters, after - filters);
  const std::string own = fmt::format("f{}gp", number);
  for (const auto& [what, by] : std::initializer_list<std::pair<std::string, std::string>>{
           {"id='gp", "id='" + own},
           {"href='#gp", "href='#" + own},
           {"id=\"gnuplot_", fmt::format("id=\"f{}_", number)},
           {" color=\"black\"", " color=\"currentColor\""},
           {"stroke='black'", "stroke='currentColor'"},
           {"fill=\"black\"", "fill=\"currentColor\""},
           {"stroke='rgb(  0,   0,   0)'", "stroke='currentColor'"},
           {" color='rgb(  0,   0,   0)'", ""},
           {" color='white'", " style='color:var(--back)'"},
           {" font-family=\"Helvetica,Arial,sans-serif\" ", " "},
           {"stroke-linecap=\"butt\" stroke-linejoin=\"miter\"", ""},
           {"\t", ""},
           {"\n\n", "\n"}}) {
    replace_all(svg, what, by);
  }
  for (size_t line = 0; line < std::size(record::line_colours); ++line) {
    const std::string hex = record::line_colours[line].light, by = fmt::format("var(--line-{})", line + 1);
    const auto part = [&](size_t at) { return std::stoi(hex.substr(at, 2), nullptr, 16); };
    // As gnuplot writes a colour, and condensed_svg that of dots.
    replace_all(svg, fmt::format("rgb({:3}, {:3}, {:3})", part(1), part(3), part(5)), by);
    replace_all(svg, hex, by);
  }
  return fmt::format(
      "<div class=\"wide\"><svg role=\"img\" aria-labelledby=\"alt-{0}\" width=\"{1}\" height=\"{2}\" viewBox=\"0 0 "
      "{1} "
      "{2}\" style=\"min-width:{5}px\" font-family=\"Helvetica,Arial,sans-serif\"><title "
      "id=\"alt-{0}\">{3}</title>\n{4}"
      "</svg></div>\n",
      number, figure.width, figure.height, markup_text(figure.alt), svg, figure.width * 3 / 4);
}

}  // namespace

std::string file_name_of(const std::string& words) {
  std::string name;
  for (const char letter : words) {
    const bool is_plain =
        (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9');
    if (is_plain)
      name += letter;
    else if (!name.empty() && name.back() != '-')
      name += '-';
  }
  while (name.ends_with('-')) name.pop_back();
  return name;
}

std::vector<Figure> with_data(std::vector<Figure> figures) {
  std::erase_if(figures, [](const Figure& figure) { return figure.data.empty(); });
  return figures;
}

FigureSheet::FigureSheet(std::string folder, size_t most_bytes)
    : folder_(std::move(folder)), left_(most_bytes), has_gnuplot_(report::has_gnuplot()) {}

std::string FigureSheet::add(std::vector<Figure> figures) {
  if (figures.empty()) return "";
  io::make_folder(folder_);
  io::write_text(folder_ + "/style.gp", style_text());
  std::vector<std::string> scripts;
  for (Figure& figure : figures) {
    const std::string plain = figure.name;
    for (int number = 2; !names_.insert(figure.name).second; ++number)
      figure.name = fmt::format("{}-{}", plain, number);
    // On one line: what follows a line feed would be a command.
    std::string comment = whole_caption(figure.caption, figure.errors);
    std::ranges::replace(comment, '\n', ' ');
    const auto write = [&](const char* ending, const std::string& text) {
      io::write_text(fmt::format("{}/{}{}", folder_, figure.name, ending), text);
    };
    write(".dat", figure.data);
    write(".gp",
          fmt::format("# {4}\nreset\nload 'style.gp'\nset terminal svg size {1},{2} noenhanced font "
                      "'Helvetica,Arial,sans-serif,13'\nset output '{0}.svg'\ndata = '{0}.dat'\n{3}unset output\n",
                      figure.name, figure.width, figure.height, figure.script, comment));
    fs::remove(fmt::format("{}/{}.svg", folder_, figure.name));  // of an earlier page
    scripts.push_back(figure.name + ".gp");
  }
  if (has_gnuplot_) (void)run_gnuplot(folder_, scripts);  // a figure that it fails on is not there
  std::string html = "<div class=\"figures\">\n";
  for (const Figure& figure : figures) {
    ++count_;
    html += html_of_figure(drawing_of(figure), whole_caption(figure.caption, figure.errors), figure.table,
                           figure.width > 620);
  }
  return html + "</div>\n";
}

std::string FigureSheet::drawing_of(const Figure& figure) {
  const std::string svg = fmt::format("{}/{}.svg", folder_, figure.name);
  const auto instead = [&](const char* reason) {
    return fmt::format("<p class=\"note\">Not shown: {}. <code>figures/{}.gp</code> draws it.</p>\n", reason,
                       figure.name);
  };
  if (!has_gnuplot_) return instead("there was no gnuplot");
  if (!fs::exists(svg)) return instead("gnuplot failed");
  std::string drawing = embedded(io::read_text(svg), figure, count_);
  if (drawing.empty()) return instead("gnuplot failed");
  return drawing.size() > left_ ? instead("the page would be too large") : drawing;
}

std::string FigureSheet::add(const std::string& body, const std::string& caption, const std::string& errors,
                             const HtmlTable& table) {
  ++count_;
  const std::string whole = whole_caption(caption, errors);
  if (body.size() > left_)
    return html_of_figure("<p class=\"note\">Not shown: the page would be too large.</p>\n", whole, table, true);
  return html_of_figure(body, whole, table, true);
}

std::string FigureSheet::html_of_figure(const std::string& body, const std::string& caption, const HtmlTable& table,
                                        bool wide) {
  std::string html = fmt::format("<figure id=\"figure-{0}\"{1}>\n{2}<figcaption><b>Figure {0}.</b> {3}</figcaption>\n",
                                 count_, wide ? " class=\"whole\"" : "", body, markup_text(caption));
  const std::string numbers = html_fold(fmt::format("Figure {} in numbers", count_), html_of(table));
  html += html.size() + numbers.size() > left_
              ? "<p class=\"note\">Its numbers are not shown: the page would be too large.</p>\n"
              : numbers;
  html += "</figure>\n";
  left_ -= std::min(left_, html.size());
  return html;
}

}  // namespace astroclip::report
