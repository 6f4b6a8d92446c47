#pragma once

#include <string>
#include <vector>

#include "report/html.h"
#include "report/run_results.h"

namespace astroclip::report {

/// What the reports of one title measured, of one run or several side by side.
struct ResultTable {
  struct Line {
    size_t run = 0;  ///< its number
    Measurement measured;
    std::vector<double> published;  ///< along the metrics; NaN: none
  };
  std::string title, protocol = {};
  std::vector<std::string> notes = {};  ///< one where those of all runs are the same
  std::vector<std::string> metrics = {};
  std::vector<Line> lines = {};  ///< those of all runs on the same thing follow one another
};

/// In the order in which the runs have them.
std::vector<ResultTable> result_tables(const std::vector<RunResults>& runs);

/// A line for each representation, its errors behind ±; with a column for the run where there are several, and one
/// behind each metric that has published numbers.
HtmlTable cells_of(const ResultTable& table, const std::vector<RunResults>& runs);

/// The first metric of every line that is about a model, of each run beside the others.
HtmlTable overview(const std::vector<ResultTable>& tables, const std::vector<RunResults>& runs);

/// The same tables for other programs: tabulars with booktabs; a line for each number; and everything.
std::string tables_latex(const std::vector<ResultTable>& tables, const std::vector<RunResults>& runs);
std::string tables_csv(const std::vector<ResultTable>& tables, const std::vector<RunResults>& runs);
std::string tables_json(const std::vector<ResultTable>& tables, const std::vector<RunResults>& runs);

}  // namespace astroclip::report
