#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <span>

#include "base/error.h"
#include "base/threads.h"
#include "data/galaxy_zoo.h"
#include "data/label_presets_internal.h"
#include "data/provabgs.h"

namespace astroclip::data {

namespace {

constexpr double not_known = std::numeric_limits<double>::quiet_NaN();

/// A catalogue: the columns that its rows are joined by, and its labels.
struct Preset {
  std::string name, id, ra, dec;
  std::function<PresetLabels(const io::Table&, const LabelTable&)> labels;
};

/// Throws Error naming all that are missing.
void need_columns(const io::Table& rows, const std::vector<std::string>& columns, const LabelTable& how) {
  std::vector<std::string> missing;
  std::ranges::copy_if(columns, std::back_inserter(missing), [&](const auto& name) { return !rows.has(name); });
  if (missing.empty()) return;
  throw Error(fmt::format("[dataset.labels] {}: the preset '{}' reads columns that are not there: {}", rows.path(),
                          how.preset, fmt::join(missing, ", ")));
}

PresetLabels::Label label_of(std::string name, std::vector<double> values, std::string meaning, std::string unit = {}) {
  return {{.name = std::move(name), .values = std::move(values)}, std::move(unit), std::move(meaning)};
}

constexpr const char* theta_column = "PROVABGS_THETA_BF";
constexpr const char* mass_column = "PROVABGS_LOGMSTAR_BF";
constexpr const char* redshift_column = "Z_HP";

/// Of galaxies with a fit: LOGMSTAR_BF is above 0, and all parameters are finite.
PresetLabels provabgs(const io::Table& rows, const LabelTable& how) {
  std::vector<std::string> columns = {redshift_column, mass_column, "MAG_G", "MAG_R", "MAG_Z"};
  const auto own = std::ssize(columns);
  for (size_t i = 0; i < provabgs_parameters; ++i) columns.push_back(fmt::format("{}[{}]", theta_column, i));
  need_columns(rows, columns, how);
  std::vector<std::vector<double>> values;
  for (const std::string& column : columns) values.push_back(rows.read(column).numbers());
  const auto known = stellar_labels();
  std::vector<std::vector<double>> computed(known.size(),
                                            std::vector<double>(static_cast<size_t>(rows.rows()), not_known));
  parallel_for(rows.rows(), 256, [&](int64_t begin, int64_t end) {
    for (auto row = static_cast<size_t>(begin); row < static_cast<size_t>(end); ++row) {
      const double redshift = values[0][row], log_mass = values[1][row];
      std::array<double, provabgs_parameters> theta{};
      for (size_t i = 0; i < theta.size(); ++i) theta[i] = values[static_cast<size_t>(own) + i][row];
      const bool has_fit = log_mass > 0.0 && redshift > -1.0 &&
                           std::ranges::all_of(theta, [](double value) { return std::isfinite(value); });
      if (!has_fit) continue;
      const HistoryLabels history = provabgs_labels(provabgs_history(theta, provabgs_age_gyr(redshift)));
      const StellarProperties stars{log_mass, history.age, history.metallicity,
                                    std::pow(10.0, theta[0]) * history.specific_rate};
      for (size_t i = 0; i < known.size(); ++i) {
        const double value = known[i].value(stars);
        if (std::isfinite(value)) computed[i][row] = value;
      }
    }
  });
  PresetLabels made;
  for (size_t i = 0; i < static_cast<size_t>(own); ++i)
    made.labels.push_back(label_of(columns[i], std::move(values[i]), "column " + columns[i]));
  for (size_t i = 0; i < known.size(); ++i)
    made.labels.push_back(label_of(known[i].name, std::move(computed[i]), known[i].meaning, known[i].unit));
  return made;
}

/// Votes on questions, of which `totals` gives the numbers by row.
PresetLabels galaxy_zoo(const io::Table& rows, const LabelTable& how, std::span<const Question> questions,
                        const std::function<std::vector<std::string>(const Question&)>& counts) {
  constexpr const char* kind = "debiased";
  std::vector<std::string> columns;
  for (const Question& question : questions) {
    std::ranges::copy(counts(question), std::back_inserter(columns));
    for (size_t a = 0; a < question.answers.size(); ++a) columns.push_back(vote_share(question, a, kind));
  }
  need_columns(rows, columns, how);
  PresetLabels made;
  const auto count = static_cast<size_t>(rows.rows());
  for (const Question& question : questions) {
    std::vector<double> total(count, 0.0);
    for (const std::string& column : counts(question)) {
      const std::vector<double> votes = rows.read(column).numbers();
      for (size_t row = 0; row < count; ++row) total[row] += std::isfinite(votes[row]) ? votes[row] : 0.0;
    }
    std::vector<bool> is_few;
    for (const double votes : total) is_few.push_back(votes < static_cast<double>(how.min_votes));
    std::vector<double> majority(count, not_known), most(count, 0.0);
    std::vector<PresetLabels::Label> shares;
    for (size_t a = 0; a < question.answers.size(); ++a) {
      const std::string column = vote_share(question, a, kind);
      std::vector<double> share = rows.read(column).numbers();
      for (size_t row = 0; row < count; ++row) {
        if (is_few[row]) share[row] = not_known;
        if (!(share[row] > most[row])) continue;
        most[row] = share[row];
        majority[row] = static_cast<double>(a);
      }
      shares.push_back(label_of(column, std::move(share), "column " + column));
    }
    made.labels.push_back(label_of(total_votes(question), std::move(total), "number of votes on " + question.name));
    std::ranges::move(shares, std::back_inserter(made.labels));
    made.labels.push_back(label_of(
        question.name + "_majority", std::move(majority),
        fmt::format("answer with the largest share: its place, from 0, in {}", fmt::join(question.answers, ", "))));
    made.few_votes.push_back({question.name, std::move(is_few)});
  }
  return made;
}

const std::vector<Preset>& presets() {
  static const std::vector<Preset> all = {
      {"provabgs", "TARGETID", "", "", provabgs},
      {"galaxy_zoo_decals", "", "ra", "dec",
       [](const io::Table& rows, const LabelTable& how) {
         return galaxy_zoo(rows, how, galaxy_zoo_decals(),
                           [](const Question& question) { return std::vector{total_votes(question)}; });
       }},
      {"galaxy_zoo_2", "", "ra", "dec", [](const io::Table& rows, const LabelTable& how) {
         return galaxy_zoo(rows, how, galaxy_zoo_2(), [](const Question& question) {
           std::vector<std::string> counts;
           for (size_t a = 0; a < question.answers.size(); ++a) counts.push_back(vote_share(question, a, "count"));
           return counts;
         });
       }}};
  return all;
}

}  // namespace

const std::vector<std::string>& label_presets() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Preset& preset : presets()) all.push_back(preset.name);
    return all;
  }();
  return names;
}

LabelTable with_join(LabelTable table) {
  const auto preset = std::ranges::find(presets(), table.preset, &Preset::name);
  if (preset == presets().end() || !table.id.empty() || !table.ra.empty()) return table;
  table.id = preset->id, table.ra = preset->ra, table.dec = preset->dec;
  return table;
}

PresetLabels preset_labels(const io::Table& rows, const LabelTable& how) {
  const auto preset = std::ranges::find(presets(), how.preset, &Preset::name);
  return preset == presets().end() ? PresetLabels() : preset->labels(rows, how);
}

}  // namespace astroclip::data
