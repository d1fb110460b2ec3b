// SPDX-License-Identifier: MIT
// The texts that Windows starts a process with: one line for all arguments, one block for all variables; and what cmd.exe makes of
// the arguments of a batch file.
#include <windows.h>
// Needs windows.h before it.
#include <shellapi.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "../support.h"
#include "command_line.h"
#include "environment_block.h"

using test::nothing_leaks;
using namespace kith;

namespace {

std::string utf8(const std::wstring& wide) {
  text out;
  REQUIRE_OK(platform::to_utf8(wide.c_str(), wide.size(), out));
  return out.data();
}

std::wstring line_of(const std::vector<std::string>& arguments) {
  const test::argument_list list(arguments);
  platform::wide_text line;
  REQUIRE_OK(platform::make_command_line(list.argv(), line));
  return line.data();
}

// "Parsing C command-line arguments" in Microsoft's documentation, rule by rule. `doubled`: two quotes within a quoted part are one,
// and the part goes on (the C runtime since 2008); before, and in the shell's parser, it ended there.
std::vector<std::string> parsed(const std::wstring& line, bool doubled) {
  std::vector<std::string> arguments;
  size_t at = line.find(L'"', 1) + 1;
  arguments.push_back(utf8(line.substr(1, at - 2)));
  while (true) {
    at = line.find_first_not_of(L" \t", at);
    if (at == std::wstring::npos) return arguments;
    std::wstring argument;
    bool quoted = false;
    for (; at < line.size() && (quoted || (line[at] != L' ' && line[at] != L'\t')); ++at) {
      size_t backslashes = 0;
      for (; at < line.size() && line[at] == L'\\'; ++at) ++backslashes;
      const bool quote = at < line.size() && line[at] == L'"';
      argument.append(quote ? backslashes / 2 : backslashes, L'\\');
      if (quote && backslashes % 2 == 1) {
        argument += L'"';
      } else if (quote && quoted && at + 1 < line.size() && line[at + 1] == L'"') {
        argument += L'"';
        quoted = doubled;
        ++at;
      } else if (quote) {
        quoted = !quoted;
      } else if (at == line.size() || (!quoted && (line[at] == L' ' || line[at] == L'\t'))) {
        break;
      } else {
        argument += line[at];
      }
    }
    arguments.push_back(utf8(argument));
  }
}

std::vector<std::string> parsed_by_shell(const std::wstring& line) {
  int count = 0;
  wchar_t** const wide = CommandLineToArgvW(line.c_str(), &count);
  REQUIRE(wide != nullptr);
  std::vector<std::string> arguments;
  for (int i = 0; i < count; ++i) arguments.push_back(utf8(wide[i]));
  LocalFree(wide);
  return arguments;
}

std::vector<std::string> random_arguments(uint64_t& state) {
  static constexpr const char* pieces[] = {"\"", "\"", "\\", "\\", "\\", " ",        "\t",
                                           "a",  "bc", "\n", "\v", "%",  "\xC3\xA4", "\xF0\x9F\x90\x8D"};
  std::vector<std::string> arguments = {"program"};
  arguments.resize(1 + test::next_random(state) % 5);
  for (size_t i = 1; i < arguments.size(); ++i) {
    for (uint64_t left = test::next_random(state) % 10; left > 0; --left) {
      arguments[i] += pieces[test::next_random(state) % std::size(pieces)];
    }
  }
  return arguments;
}

std::vector<std::string> block_of(const std::vector<std::string>& variables) {
  const test::argument_list list(variables);
  platform::wide_text block;
  REQUIRE_OK(platform::make_environment_block(list.argv(), block));
  std::vector<std::string> all;
  const wchar_t* next = block.data();
  for (; *next != L'\0'; next += std::wcslen(next) + 1) {
    // Windows adds what a process cannot do without.
    if (next[0] != L'=' && std::wcsncmp(next, L"SystemRoot", 10) != 0) all.push_back(utf8(next));
  }
  CHECK(block.data() + block.size() - next <= 2);
  return all;
}

std::string slashes_turned(std::string path) {
  for (char& each : path) {
    if (each == '/') each = '\\';
  }
  return path;
}

// A batch file that hands all its arguments to a program, which writes down what it got.
class relay {
 public:
  explicit relay(const char* name = "relay.cmd", const std::string& before = "") {
    const std::string program = slashes_turned(test::this_program());
    path_ = folder_.file(name, "@echo off\r\n" + before + "\"" + program + "\" --child=store %*\r\n");
    file_ = folder_.path() + "/arguments";
  }

  const std::string& path() const { return path_; }
  const std::string& folder() const { return folder_.path(); }

  kith_status start(const std::vector<std::string>& arguments, test::process& child,
                    uint32_t flags = KITH_PROCESS_BATCH_FILES) const {
    std::vector<std::string> all = {path_};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const test::argument_list program(all);
    const test::argument_list changes({"KITH_TEST_FILE=" + file_, "KITH_TEST_VALUE=expanded"});
    auto options = test::defaults<kith_process_options>();
    options.argv = program.argv();
    options.env = changes.argv();
    options.cwd = folder_.path().c_str();
    options.flags = flags;
    return kith_process_spawn(&options, child.out());
  }

  std::vector<std::string> relayed(const std::vector<std::string>& arguments) const {
    std::filesystem::remove(file_);
    test::process child;
    REQUIRE_OK(start(arguments, child));
    CHECK_EXIT(child, KITH_EXIT_CODE, 0);
    std::ifstream file(file_, std::ios::binary);
    std::vector<std::string> all;
    for (std::string each; std::getline(file, each, '\0');) all.push_back(each);
    return all;
  }

 private:
  test::temporary_folder folder_;
  std::string path_;
  std::string file_;
};

kith_status batch_refused(const relay& batch, const std::vector<std::string>& arguments,
                          uint32_t flags = KITH_PROCESS_BATCH_FILES) {
  test::process child;
  return batch.start(arguments, child, flags);
}

}  // namespace

TEST_CASE(
    "10,000 random argument vectors are taken apart as they were, by the documented rules and by the shell") {
  uint64_t state = 7;
  int wrong = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::vector<std::string> arguments = random_arguments(state);
    const std::wstring line = line_of(arguments);
    wrong += parsed(line, true) != arguments;
    wrong += parsed(line, false) != arguments;
    wrong += parsed_by_shell(line) != arguments;
  }
  CHECK(wrong == 0);
}

TEST_CASE("a command line has quotes only where it needs them") {
  CHECK(utf8(line_of({"a b.exe", "plain", "two words", "", "C:\\x\\", "C:\\x y\\", "a\"b", "%x%"})) ==
        R"("a b.exe" plain "two words" "" C:\x\ "C:\x y\\" "a\"b" %x%)");
}

TEST_CASE("the longest command line is one that Windows takes") {
  const std::string program = "p";
  for (const size_t room : {platform::max_command_line - 1, platform::max_command_line}) {
    // Quotes around the program, a space, and the NUL.
    const test::argument_list list({program, std::string(room - program.size() - 3 - 1 + 1, 'x')});
    platform::wide_text line;
    const kith_status status = platform::make_command_line(list.argv(), line);
    CHECK_STATUS(status,
                 line.size() <= platform::max_command_line && status == KITH_OK ? KITH_OK : KITH_E_TOO_LARGE);
    CHECK((room < platform::max_command_line) == (status == KITH_OK));
  }
}

TEST_CASE("an environment block is sorted by name, whatever the case") {
  CHECK((block_of({"b=2", "C=3", "a=1", "A_B=5", "AB=4", "_=6", "\xC3\xA4=7"}) ==
         std::vector<std::string>{"a=1", "AB=4", "A_B=5", "b=2", "C=3", "_=6", "\xC3\xA4=7"}));
}

TEST_CASE("an environment block keeps values as they are") {
  CHECK((block_of({"A=", "B==", "C=a=b", "D= x ", "E=%PATH%", "F=\xF0\x9F\x90\x8D"}) ==
         std::vector<std::string>{"A=", "B==", "C=a=b", "D= x ", "E=%PATH%", "F=\xF0\x9F\x90\x8D"}));
}

// ---- batch files -------------------------------------------------------------------------------------------------------------

TEST_CASE("the line for a batch file leaves cmd.exe nothing to understand") {
  const auto line_for = [](const char* batch, const std::vector<std::string>& arguments) {
    std::vector<std::string> all = {"ignored"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const test::argument_list list(all);
    platform::wide_text path, line;
    REQUIRE_OK(platform::to_utf16(batch, path));
    REQUIRE_OK(platform::make_batch_line(path, list.argv(), line));
    return utf8(line.data());
  };
  const std::string begin = R"(cmd.exe /d /e:on /v:off /s /c ")";
  CHECK(line_for(R"(C:\x\y.bat)", {}) == begin + R"("C:\x\y.bat"")");
  CHECK(line_for(R"(C:\R&D 100%\y.bat)", {"a"}) == begin + R"("C:\R&D 100%%cd:~,%\y.bat" a")");
  CHECK(line_for("C:\\y.bat", {"plain", "C:\\a\\b", "-x", ""}) ==
        begin + R"("C:\y.bat" plain C:\a\b -x """)");
  CHECK(line_for("C:\\y.bat", {"a b", "a&b", "^", "a,b", "a;b", "a=b", "(", "!x!", "*", "\xC3\xA4"}) ==
        begin + R"("C:\y.bat" "a b" "a&b" "^" "a,b" "a;b" "a=b" "(" "!x!" "*" ")" + "\xC3\xA4" + R"("")");
  CHECK(line_for("C:\\y.bat", {"%PATH%"}) == begin + R"("C:\y.bat" "%%cd:~,%PATH%%cd:~,%"")");
  CHECK(line_for("C:\\y.bat", {"say \"hi\"", "a\\\"b", "C:\\a b\\", "C:\\a\\"}) ==
        begin + R"("C:\y.bat" "say ""hi""" "a\\""b" "C:\a b\\" "C:\a\\"")");
}

TEST_CASE_FIXTURE(nothing_leaks, "a batch file is not started unless that is asked for") {
  for (const char* name : {"file.bat", "file.cmd", "file.BAT", "file.Cmd"}) {
    const relay batch(name);
    CHECK_STATUS(batch_refused(batch, {}, 0), KITH_E_UNSUPPORTED);
    CHECK((batch.relayed({"a"}) == std::vector<std::string>{"a"}));
  }
  // Windows does not see these dots and spaces.
  const relay batch("file.bat");
  for (const char* tail : {".", " ", ". .", "..."}) {
    const test::argument_list program({batch.path() + tail});
    auto options = test::defaults<kith_process_options>();
    options.argv = program.argv();
    kith_process* out = test::untouched<kith_process>();
    CHECK(kith_process_spawn(&options, &out) < 0);
    CHECK(out == test::untouched<kith_process>());
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "what a batch file hands on arrives as it was") {
  const relay batch("a relay & more.cmd");
  const std::vector<std::vector<std::string>> all = {
      {"plain"},
      {"two words", "and", "more"},
      {""},
      {"a", "", "b"},
      {"a&b", "&", "&&"},
      {"a|b", "|", "||"},
      {"<", ">", ">>"},
      {"^", "^^", "^&"},
      {"(", ")", "(a)"},
      {"a,b", "a;b", "a=b"},
      {"!KITH_TEST_VALUE!"},
      {"'", "`", "~", "#", "@"},
      {"C:\\x\\y", "C:\\x y\\z"},
      {"\xC3\xA4", "\xF0\x9F\x90\x8D"},
      {"*", "?"},
      {"a\tb"},
      {"a b\\"},
      {"C:\\a b\\", "C:\\"},
  };
  for (const std::vector<std::string>& arguments : all) {
    CAPTURE(arguments[0]);
    CHECK((batch.relayed(arguments) == arguments));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "an argument of a batch file that looks like a variable is none") {
  // On a command line %% is two percent signs; the cmd.exe of Wine 8 makes one of them, as in a batch file.
  if (GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != nullptr) {
    SKIP_CASE("the cmd.exe of Wine expands variables by rules of its own");
  }
  const relay batch;
  for (const std::string argument :
       {"%KITH_TEST_VALUE%", "100%", "%", "%%", "%1", "%*", "%~dp0", "a%b%c", "%KITH_TEST_VALUE:~0,1%"}) {
    CAPTURE(argument);
    CHECK((batch.relayed({argument, "last"}) == std::vector<std::string>{argument, "last"}));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "no argument of a batch file becomes a command") {
  const relay batch;
  for (const std::string evil :
       {"&echo x>pwned", "\"&echo x>pwned", "\"&echo x>pwned&\"", "a\"&echo x>pwned&rem \"", "|echo x>pwned",
        "x\" >pwned \"", "%KITH_TEST_VALUE%&echo x>pwned", "^\"&echo x>pwned", "\\\"&echo x>pwned",
        "\\\\\"&echo x>pwned", "\"\"&echo x>pwned", "%CMDCMDLINE:~-1%&echo x>pwned",
        "%CMDCMDLINE:~-1%&echo x>pwned&rem %CMDCMDLINE:~-1%", ">pwned", "a\\\" \"&echo x>pwned"}) {
    CAPTURE(evil);
    test::process child;
    REQUIRE_OK(batch.start({evil, "last"}, child));
    (void)test::end_of(child);
    CHECK(!std::filesystem::exists(batch.folder() + "/pwned"));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "what no quoting keeps from cmd.exe is refused") {
  const relay batch;
  for (const char* wrong : {"a\nb", "a\r\nb", "\r", "\x1A", "\x01", "\x7F"}) {
    CHECK_STATUS(batch_refused(batch, {wrong}), KITH_E_INVALID);
  }
  CHECK_STATUS(batch_refused(batch, {std::string(9'000, 'x')}), KITH_E_TOO_LARGE);
  CHECK_STATUS(batch_refused(batch, {"\xFF\xFE"}), KITH_E_INVALID);
}
