#include "report/html.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/markup.h"
#include "record/line_colours.h"

namespace astroclip::report {

namespace {

/// Of figures' lines: `--line-1` …
std::string line_colours(const char* record::LineColour::*of_page) {
  std::string text;
  int line = 0;
  for (const record::LineColour& colour : record::line_colours)
    text += fmt::format(" --line-{}: {};", ++line, colour.*of_page);
  return text;
}

constexpr std::string_view style = R"(
:root { color-scheme: light; --back: #fff; --text: #1b1f24; --soft: #5a6470; --line: #c9d0d8; --link: #0a58ca; }
@media screen and (prefers-color-scheme: dark) {
  :root { color-scheme: dark; --back: #14171b; --text: #e6e9ed; --soft: #a3adb8; --line: #3b434d; --link: #7db3ff; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem 1.5rem 4rem; max-width: 88rem; font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
  background: var(--back); color: var(--text); }
h1 { font-size: 1.6rem; margin: .5rem 0; } h2 { font-size: 1.25rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .3rem; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.soft, .note, figcaption { color: var(--soft); } .note, figcaption { font-size: .9rem; max-width: 60rem; }
/* Shadows at the edges of what can be scrolled aside. */
.wide { overflow-x: auto; background:
  linear-gradient(to right, var(--back) 30%, transparent) left / 3rem 100% no-repeat local,
  linear-gradient(to left, var(--back) 30%, transparent) right / 3rem 100% no-repeat local,
  linear-gradient(to right, var(--line), transparent) left / .8rem 100% no-repeat scroll,
  linear-gradient(to left, var(--line), transparent) right / .8rem 100% no-repeat scroll; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; margin: .5rem 0; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
caption > span { position: sticky; left: 0; display: inline-block; max-width: calc(100vw - 3rem); }
th, td { padding: .15rem .9rem .15rem 0; text-align: right; white-space: nowrap; }
th.text, td.text { text-align: left; font-weight: inherit; }
thead th, thead th.text { border-bottom: 1px solid var(--text); font-weight: 600; vertical-align: bottom; }
thead { border-top: 2px solid var(--text); } tbody { border-bottom: 2px solid var(--text); }
tbody tr:nth-child(even) { background: color-mix(in srgb, var(--line) 25%, transparent); }
tr.quiet { color: var(--soft); }
figure { margin: 1.2rem 0; min-width: 0; } figure svg { max-width: 100%; height: auto; display: block; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(34rem, 100%), 1fr)); gap: 0 2rem; }
.figures > .whole { grid-column: 1 / -1; }
.gallery img { width: 46px; height: 46px; margin: 1px; vertical-align: middle; }
.gallery img.query { width: 72px; height: 72px; border: 4px solid #d5000e; } .gallery th, .gallery td { text-align: left; }
.attention img { width: 96px; height: 96px; }
details { margin: .4rem 0; } summary { cursor: pointer; color: var(--link); font-size: .9rem; }
pre { font-size: .8rem; overflow-x: auto; border: 1px solid var(--line); padding: .6rem; white-space: pre-wrap;
  overflow-wrap: anywhere; }
@page { margin: 14mm; }
@media print {
  html { font-size: 10pt; } body { max-width: none; padding: 0; font-size: 1rem; } details { display: none; }
  section[aria-labelledby="made-from"] { display: none; }
  .figures { grid-template-columns: 1fr 1fr; gap: 0 6mm; } figure svg { min-width: 0 !important; }
  figure, tr { break-inside: avoid; } h2, h3, caption, thead, tbody tr:first-child { break-after: avoid; } thead { display: table-header-group; }
  .wide { overflow: visible; background: none; } table { font-size: 7pt; }
  th, td { padding-right: .5em; white-space: normal; overflow-wrap: normal; }
  .gallery img { width: 27px; height: 27px; } .gallery img.query { width: 44px; height: 44px; border-width: 2px; }
  .attention img { width: 90px; height: 90px; }
  h1, h2, h3, p { orphans: 3; widows: 3; }
}
)";

}  // namespace

std::string html_of(const HtmlTable& table) {
  std::string out = fmt::format("<div class=\"wide\" role=\"region\" aria-label=\"{}\" tabindex=\"0\"><table>\n",
                                markup_text(table.caption));
  if (!table.caption.empty()) out += fmt::format("<caption><span>{}</span></caption>\n", markup_text(table.caption));
  const auto cell = [&](const std::string& text, size_t column, const char* element, const char* scope) {
    return fmt::format("<{0}{1}{2}>{3}</{0}>", element, scope, column < table.text_columns ? " class=\"text\"" : "",
                       markup_text(text));
  };
  out += "<thead><tr>";
  for (size_t i = 0; i < table.head.size(); ++i) out += cell(table.head[i], i, "th", " scope=\"col\"");
  out += "</tr></thead>\n<tbody>\n";
  for (size_t row = 0; row < table.rows.size(); ++row) {
    out += std::ranges::binary_search(table.quiet, row) ? "<tr class=\"quiet\">" : "<tr>";
    for (size_t i = 0; i < table.rows[row].size(); ++i) {
      out += i == 0 ? cell(table.rows[row][i], i, "th", " scope=\"row\"") : cell(table.rows[row][i], i, "td", "");
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string html_fold(std::string_view summary, std::string_view body) {
  return fmt::format("<details><summary>{}</summary>\n{}</details>\n", markup_text(summary), body);
}

std::string html_verbatim(std::string_view text) { return fmt::format("<pre>{}</pre>\n", markup_text(text)); }

std::string html_page(std::string_view title, std::string_view body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n"
      "<style>\n:root {{{} }}\n@media screen and (prefers-color-scheme: dark) {{ :root {{{} }} "
      "}}{}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
      markup_text(title), line_colours(&record::LineColour::light), line_colours(&record::LineColour::dark), style,
      body);
}

}  // namespace astroclip::report
