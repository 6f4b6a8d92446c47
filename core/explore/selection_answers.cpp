// Selections: made, joined, named, listed and exported.
#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "explore/answers.h"
#include "explore/exported_table.h"
#include "explore/request_body.h"
#include "explore/response_body.h"
#include "explore/selection_table.h"
#include "map/selecting.h"

namespace astroclip::explore {

namespace {

using nlohmann::ordered_json;
using serve::Request;
using serve::Response;

constexpr int64_t most_table_rows = 500;

/// {"map", "polygon"}, {"column", "low", "high"}, {"where"}, {"rows"} or {"selection"}.
map::Mask asked_rows(const Explored& explored, const ordered_json& body) {
  if (body.contains("polygon")) {
    const auto of = explored.index.find(text_in(body, "map", ""));
    if (!of) throw serve::NotFound("there is no such map");
    return map::inside(of->positions, polygon_in(body));
  }
  if (body.contains("column"))
    return map::within(*explored.columns.values(text_in(body, "column", "")), number_in(body, "low"),
                       number_in(body, "high"));
  if (body.contains("where")) return explored.columns.where(text_in(body, "where", ""));
  if (body.contains("rows")) return rows_in(body, explored.embeddings.rows());
  return *explored.selections.find(integer_in(body, "selection")).rows;
}

/// With "earlier" and "how" the rows join an earlier selection; "inverse" takes all others.
Response select(Explored& explored, const Request& request) {
  const ordered_json body = parsed_body(request);
  map::Mask rows = asked_rows(explored, body);
  const auto inverse = body.find("inverse");
  if (inverse != body.end() && *inverse == true)
    rows = joined(map::every_row(explored.embeddings.rows()), std::move(rows), "difference");
  if (body.contains("earlier")) {
    rows = joined(*explored.selections.find(integer_in(body, "earlier")).rows, std::move(rows),
                  text_in(body, "how", "union"));
  }
  const Selection made = explored.selections.add(name_in(body), std::move(rows));
  return json_response({{"id", made.id}, {"name", made.name}, {"count", made.count}});
}

Response rename(Explored& explored, const Request& request) {
  const ordered_json body = parsed_body(request);
  const int64_t id = integer_in(body, "selection");
  const std::string name = name_in(body);
  if (name.empty()) throw Error("a selection needs a name");
  explored.selections.rename(id, name);
  return json_response({{"id", id}, {"name", name}});
}

Response forget(Explored& explored, const Request& request) {
  const int64_t id = integer_in(parsed_body(request), "selection");
  explored.selections.remove(id);
  return json_response({{"id", id}});
}

/// Lines of a table of a selection, or of all objects.
Response table(Explored& explored, const Request& request) {
  const int64_t id = request.integer("selection", 0, INT64_MAX), all = explored.embeddings.rows();
  const int64_t first = request.integer("first", 0, all), most = request.integer("most", 1, most_table_rows);
  const Selection chosen = id > 0 ? explored.selections.find(id) : Selection{};
  std::vector<int64_t> rows;
  if (id > 0)
    rows = map::rows_of(*chosen.rows, first, most);
  else
    for (int64_t row = first; row < std::min(first + most, all); ++row) rows.push_back(row);
  std::vector<io::Column> columns;
  for (const Catalogue::Column& column : explored.columns.all())
    columns.push_back(explored.columns.read(column.name, rows));
  ordered_json lines = ordered_json::array();
  for (size_t i = 0; i < rows.size(); ++i) {
    ordered_json values = ordered_json::array();
    for (const io::Column& column : columns) values.push_back(json_cell(column, static_cast<int64_t>(i)));
    lines.push_back({{"row", rows[i]}, {"id", explored.embeddings.id(rows[i])}, {"values", values}});
  }
  return json_response({{"total", id > 0 ? chosen.count : all}, {"first", first}, {"rows", lines}});
}

ExportedTable exported(const Explored& explored, const Request& request) {
  const Selection chosen = explored.selections.find(request.integer("selection", 1, INT64_MAX));
  return table_of(explored.embeddings, explored.columns, explored.index, chosen.name,
                  map::rows_of(*chosen.rows, 0, chosen.count));
}

Response csv(Explored& explored, const Request& request) {
  return {"text/csv; charset=utf-8", csv_text(exported(explored, request)), "selection.csv"};
}

Response fits(Explored& explored, const Request& request) {
  return {"application/fits", fits_bytes(exported(explored, request)), "selection.fits"};
}

Response votable(Explored& explored, const Request& request) {
  return {"application/x-votable+xml", votable_text(exported(explored, request)), "selection.vot"};
}

}  // namespace

Answers selection_answers(Explored& explored) {
  return answers_by<Explored>(explored, {{"api/select", select},
                                         {"api/rename", rename},
                                         {"api/forget", forget},
                                         {"api/table", table},
                                         {"api/export.csv", csv},
                                         {"api/export.fits", fits},
                                         {"api/export.vot", votable}});
}

}  // namespace astroclip::explore
