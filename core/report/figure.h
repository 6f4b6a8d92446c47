#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "report/html.h"

namespace astroclip::report {

/// What gnuplot draws.
struct Figure {
  std::string name = {};     ///< of its files: letters of ASCII, digits and -
  std::string caption = {};  ///< what is drawn, of how many objects
  std::string errors = {};   ///< how the errors that are drawn were estimated, or why none are; ends the caption
  std::string alt = {};      ///< what is to be seen, for those who do not
  std::string data = {};     ///< a file of numbers, whose blocks gnuplot calls index 0, 1 …
  std::string script = {};   ///< gnuplot's commands, which find the data's file under the name `data`
  HtmlTable table = {};      ///< the same in numbers
  int width = 620, height = 420;
};

/// A name made of words: other characters than letters of ASCII and digits become one -.
std::string file_name_of(const std::string& words);

/// Those of figures that have something to draw.
std::vector<Figure> with_data(std::vector<Figure> figures);

/// The figures of a page.
class FigureSheet {
 public:
  /// Figures' files go to `folder`, over those of the same names. All that is given has about so many bytes at most:
  /// drawings and numbers beyond are left out, and a note stands for them.
  FigureSheet(std::string folder, size_t most_bytes);

  /// Writes script and data of figures, has them drawn where there is gnuplot, and gives them as HTML, numbered on.
  std::string add(std::vector<Figure> figures);
  /// Gives a figure that is HTML itself, numbered like the others.
  std::string add(const std::string& body, const std::string& caption, const std::string& errors,
                  const HtmlTable& table);

  int64_t count() const { return count_; }

 private:
  std::string html_of_figure(const std::string& body, const std::string& caption, const HtmlTable& table, bool wide);
  std::string drawing_of(const Figure& figure);

  std::string folder_;
  size_t left_;  ///< bytes
  bool has_gnuplot_;
  int64_t count_ = 0;
  std::set<std::string> names_;  ///< of files
};

}  // namespace astroclip::report
