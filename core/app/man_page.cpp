#include "app/man_page.h"

#include <fmt/format.h>

#include "app/value_words.h"

namespace astroclip::app {

namespace {

/// Text in which nothing is a request to roff.
std::string plain(const std::string& text) {
  std::string safe = text.starts_with(".") || text.starts_with("'") ? "\\&" : "";
  for (const char c : text) {
    if (c == '\\')
      safe += "\\e";
    else if (c == '-')
      safe += "\\-";
    else
      safe += c;
  }
  return safe;
}

std::string item(const std::string& head, const std::string& body) {
  return fmt::format(".TP\n{}\n{}\n", head, plain(body));
}

std::string bold(const std::string& text) { return fmt::format("\\fB{}\\fR", plain(text)); }
std::string italic(const std::string& text) { return fmt::format("\\fI{}\\fR", plain(text)); }

std::string section(const Verb& verb) {
  std::string text = fmt::format(".SS {}\n", plain(verb.name));
  for (const std::string& usage : verb.usages) {
    text += fmt::format("{}{} {}\n", &usage == &verb.usages.front() ? "" : ".br\n", bold("astroclip " + verb.name),
                        plain(usage));
  }
  text += fmt::format(".PP\n{}\n", plain(verb.description));
  for (const Positional& positional : verb.positionals) text += item(italic(positional.name), positional.meaning);
  for (const auto& option : verb.options.options()) {
    const std::string value = value_name_of(*option);
    std::string head = bold(fmt::format("--{}", option->long_name()));
    if (!value.empty()) head += fmt::format(" {}", italic(value));
    text += item(head, option->description());
  }
  for (const Example& example : verb.examples) {
    text += fmt::format(".PP\n{}:\n.PP\n.RS 4\n.nf\n{}\n.fi\n.RE\n", plain(example.meaning), plain(example.command));
  }
  return text;
}

}  // namespace

std::string man_page(std::span<const Verb> verbs) {
  std::string text = fmt::format(".TH ASTROCLIP 1 \"\" \"astroclip {}\" \"User Commands\"\n", ASTROCLIP_VERSION);
  text += ".SH NAME\nastroclip \\- cross\\-modal representation learning on galaxies\n";
  text += fmt::format(".SH SYNOPSIS\n{} [{} {}]... {} ...\n.br\n{} {} | {}\n", bold("astroclip"), bold("--plugins"),
                      italic("DIR"), italic("VERB"), bold("astroclip"), bold("--version"), bold("--help"));
  text +=
      ".SH DESCRIPTION\nTrains an image encoder and a spectrum encoder, aligns them so that the two views of one "
      "galaxy "
      "meet in one space, and measures what the embeddings are good for. Encoders, losses, datasets and tasks are "
      "plugins, chosen and configured in one TOML file.\n";
  text += ".SH OPTIONS\n";
  text += item(fmt::format("{} {}", bold("--plugins"), italic("DIR")), "search DIR for plugins, too");
  text += item(bold("--version"), "print the version, what the program was built with and what it can use");
  text += item(bold("--help"), "list the verbs; behind a verb, tell more of it");
  text += ".SH VERBS\n";
  for (const Verb& verb : verbs) text += section(verb);
  text += ".SH \"EXIT STATUS\"\n";
  text += item("0", "the verb did what it was asked for");
  text += item("1", "it did not; one error tells the place, what was expected and what was found");
  text += item("2", "the command line is wrong");
  text += item("130", "a signal ended it at a point from which it can go on");
  text += ".SH ENVIRONMENT\n";
  text += item(bold("ASTROCLIP_PLUGIN_PATH"), "folders to search for plugins, separated by colons");
  text += item(bold("OMP_NUM_THREADS"), "compute threads, where neither experiment nor option tells");
  return text;
}

}  // namespace astroclip::app
