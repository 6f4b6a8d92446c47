#pragma once

namespace astroclip::record {

/// A line's colour on a white page and on a dark one.
struct LineColour {
  const char *light, *dark;  ///< "#rrggbb"
};

/// Colours of lines and marks in all figures, for the colour-blind too: blue, vermilion, green, purple, orange, sky
/// blue. On the dark page those of Okabe & Ito (2008), on white darker ones of the same hues. All are told from the
/// page by a contrast of at least 3:1 (WCAG 2.2, 1.4.11), and from each other as tests/record/line_colours_test.cpp
/// measures. Black, or white on the dark page, may stand beside them.
inline constexpr LineColour line_colours[] = {{"#0d2d9b", "#0072b2"}, {"#aa2e0a", "#d55e00"}, {"#11785d", "#009e73"},
                                              {"#5c173c", "#cc79a7"}, {"#d08024", "#e69f00"}, {"#2c9bd6", "#56b4e9"}};

/// Backgrounds that they are drawn on.
inline constexpr const char *white_page = "#ffffff", *dark_page = "#14171b";

}  // namespace astroclip::record
