// The page that writes, in a browser without a screen.
#include <fmt/format.h>

#include "tests/examples/example.h"
#include "tests/runtime/util.h"

namespace rondo::testing {
namespace {

/// The first of the programs that is not there, as a reason to skip; empty if all are.
std::string missing(std::initializer_list<const char*> programs) {
  for (const char* program : programs)
    if (shell(std::string("command -v ") + program).code != 0) return std::string("no ") + program;
  return "";
}

class Web : public ::testing::Test {
 protected:
  /// A small model, trained in a moment, and the page around it.
  void make_page() {
    std::string text;
    for (int i = 0; i < 400; ++i) text += fmt::format("line {} of the text\n", i * i % 97);
    write_text(dir_.file("text.txt"), text);
    run_example(char_lm("--epochs 20 --sample 0 --library " + dir_.file("page") + " --target wasm32"));
    ASSERT_EQ(shell("cp '" RONDO_SOURCE_DIR "/examples/web'/* '" RONDO_SOURCE_DIR
                    "/tests/examples/web_user.html' " +
                    dir_.file("page"))
                  .text,
              "");
  }

  std::string char_lm(const std::string& options) const {
    return fmt::format("char_lm --text {} --hidden 24 --batch 4 --steps 16 --out {} {}",
                       dir_.file("text.txt"), dir_.file("out"), options);
  }
  /// So many of the likeliest characters behind `prime`, by native code.
  std::string written(const std::string& prime, int count) const {
    const std::string text = run_example(
        char_lm(fmt::format("--resume --epochs 0 --temperature 0 --prime '{}' --sample {}", prime, count)));
    return text.substr(text.find("\n\n") + 2, prime.size() + static_cast<size_t>(count));
  }
  /// The page at that address as it is in the end, from a server of this machine's.
  std::string browse(const std::string& address) const {
    const Outcome outcome = shell(fmt::format(
        R"(cd {}
           python3 -u -m http.server --bind 127.0.0.1 --directory page 0 >served 2>&1 & server=$!
           for i in $(seq 200); do
             port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' served)
             [ "$port" ] && break
             sleep 0.05
           done
           timeout 60 chromium --headless --no-sandbox --disable-gpu --user-data-dir=browser \
             --virtual-time-budget=10000 --dump-dom "http://127.0.0.1:$port/{}" 2>errors
           kill $server)",
        dir_.file(""), address));
    return outcome.text;
  }

  TempDir dir_;
};

TEST_F(Web, WritesInTheBrowserWhatNativeCodeWrites) {
  if (const std::string reason = missing({"chromium", "python3"}); !reason.empty()) GTEST_SKIP() << reason;
  make_page();
  const std::string page = browse("index.html?begin=line%201&temperature=0&count=80");
  EXPECT_NE(page.find(">" + written("line 1", 80) + "</pre>"), std::string::npos) << page;
  EXPECT_NE(page.find("80 characters, "), std::string::npos) << page;
}

TEST_F(Web, WritesInNodeWhatNativeCodeWrites) {
  if (const std::string reason = missing({"node"}); !reason.empty()) GTEST_SKIP() << reason;
  make_page();
  const std::string command = "node " + dir_.file("page/write.mjs") + " 'line 1' 80 0 2>" + dir_.file("time");
  EXPECT_EQ(shell(command).text, written("line 1", 80));
  EXPECT_TRUE(read_text(dir_.file("time")).ends_with(" us a character\n"));
}

TEST_F(Web, DoesWhatItsButtonsSay) {
  if (const std::string reason = missing({"chromium", "python3"}); !reason.empty()) GTEST_SKIP() << reason;
  make_page();
  const std::string page = browse("web_user.html");
  const std::string text = written("line ", 35);
  EXPECT_NE(page.find("temperature 0.00\n"), std::string::npos) << page;
  std::string line = "wrote \"";
  for (char c : text) line += c == '\n' ? "\\n" : std::string(1, c);
  EXPECT_NE(page.find(line + "\"\n"), std::string::npos) << line << page;
  EXPECT_NE(page.find("stopped true\nagain true\n"), std::string::npos) << page;
}

}  // namespace
}  // namespace rondo::testing
