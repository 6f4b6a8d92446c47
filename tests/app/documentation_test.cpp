// The code that docs/writing-plugins.md shows is the code of the templates: each block of code follows a comment with
// the file in which it stands, word for word.
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "io/output/durable_file.h"

namespace {

using astroclip::io::read_text;

struct Block {
  int line = 0;
  std::string file, language, text;
};

/// The fenced blocks of a page, each with the file named by a comment `<!-- FILE -->` on the line above.
std::vector<Block> blocks_of(const std::string& page) {
  std::istringstream lines(page);
  std::vector<Block> blocks;
  std::string line, above;
  bool is_inside = false;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (line.starts_with("```")) {
      is_inside = !is_inside;
      const bool is_named = above.starts_with("<!-- ") && above.ends_with(" -->");
      if (is_inside) blocks.push_back({number, is_named ? above.substr(5, above.size() - 9) : "", line.substr(3), ""});
    } else if (is_inside) {
      blocks.back().text += line + "\n";
    }
    above = line;
  }
  return blocks;
}

TEST(Documentation, ShowsTheCodeThatIsCompiled) {
  const std::string page = "docs/writing-plugins.md";
  int compared = 0;
  for (const Block& block : blocks_of(read_text(SOURCE_ROOT "/" + page))) {
    if (block.language == "sh") continue;
    const std::string place = page + ":" + std::to_string(block.line);
    ASSERT_NE(block.file, "") << place << ": no comment above this block names its file";
    EXPECT_TRUE(read_text(SOURCE_ROOT "/" + block.file).find(block.text) != std::string::npos)
        << place << ": this block does not stand in " << block.file << ":\n"
        << block.text;
    ++compared;
  }
  EXPECT_GT(compared, 5);
}

}  // namespace
