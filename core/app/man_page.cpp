#include "app/man_page.h"

#include <fmt/format.h>

namespace astroclip::app {

namespace {

/// Text without roff requests or escapes.
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

std::string option_item(const Argument& option) {
  const std::string value = value_name(option);
  const std::string name = bold("--" + option.key);
  return item(value.empty() ? name : fmt::format("{} {}", name, italic(value)), full_meaning(option));
}

std::string section(const Verb& verb) {
  std::string text = fmt::format(".SS {}\n", plain(verb.name));
  for (const std::string& usage : verb.usages) {
    text += fmt::format("{}{} {}\n", &usage == &verb.usages.front() ? "" : ".br\n", bold("astroclip " + verb.name),
                        plain(usage));
  }
  text += fmt::format(".PP\n{}\n", plain(verb.description));
  for (const Argument& positional : verb.positionals)
    text += item(italic(value_name(positional)), full_meaning(positional));
  for (const Argument& option : verb.options) text += option_item(option);
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
      ".SH DESCRIPTION\nTrains an image encoder and a spectrum encoder, aligns them in one embedding space, and "
      "measures how well the embeddings predict redshift and match across modalities. Encoders, losses, datasets and "
      "tasks are plugins; one TOML file selects and configures them.\n";
  text += ".SH OPTIONS\n" + option_item(plugins_option());
  text += item(bold("--version"), "print the version, the libraries and what this machine supports");
  text += item(bold("--help"), "list the verbs; after a verb, describe it");
  text += ".SH VERBS\n";
  for (const Verb& verb : verbs) text += section(verb);
  text += ".SH \"EXIT STATUS\"\n";
  text += item("0", "success");
  text += item("1", "failure; standard error has one message with the place of the error");
  text += item("2", "the command line is wrong");
  text += item("130", "interrupted by a signal; the run can be resumed");
  text += ".SH ENVIRONMENT\n";
  text += item(bold("ASTROCLIP_PLUGIN_PATH"), "folders to search for plugins, separated by colons");
  text +=
      item(bold("ASTROCLIP_CUDA_PLANS"),
           "file with the fastest algorithms for products on an NVIDIA card; those that it lacks are searched for by "
           "timing, and added. Without it, the library's first choice is taken. The same file gives the same results");
  text += item(bold("OMP_NUM_THREADS"), "compute threads, unless the experiment or an option sets them");
  return text;
}

}  // namespace astroclip::app
