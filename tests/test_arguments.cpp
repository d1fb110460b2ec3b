// SPDX-License-Identifier: MIT
// Arguments reach a program as they are, whatever is in them. On Windows they are joined into one line and taken apart again.
#include <string>
#include <vector>

#include "support.h"

using test::nothing_leaks;

namespace {

using vector_of_arguments = std::vector<std::string>;

// What a child says that its arguments are.
vector_of_arguments echoed(const vector_of_arguments& arguments) {
  test::channel_pair line = test::make_channel();
  vector_of_arguments role = {"echo"};
  role.insert(role.end(), arguments.begin(), arguments.end());
  test::process child = test::start_role(role, {{"report", line.b}});
  vector_of_arguments all;
  std::vector<unsigned char> message;
  while (test::receive(line.a, message) == KITH_OK) all.emplace_back(message.begin(), message.end());
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  return all;
}

// The cases of Microsoft's documentation, those that quoting by halves gets wrong, and what a shell would take for more than text.
const std::vector<vector_of_arguments> telling = {
    {},
    {""},
    {"", ""},
    {"", "", ""},
    {"", "a", ""},
    {" "},
    {"  ", " "},
    {"\t"},
    {"\n"},
    {"\r\n"},
    {"\v\f"},
    {"a"},
    {"a", "b", "c"},
    {"a b"},
    {"a b", "c d"},
    {" a"},
    {"a "},
    {" a "},
    {"a\tb"},
    {"a\nb"},
    {"\""},
    {"\"\""},
    {"\"\"\""},
    {"a\"b"},
    {"\"a\""},
    {"\"a b\""},
    {"a\" \"b"},
    {"say \"hello world\" twice"},
    {"\"", "\""},
    {"\" ", " \""},
    {"\\"},
    {"\\\\"},
    {"\\\\\\"},
    {"a\\"},
    {"a\\\\"},
    {"a b\\"},
    {"a b\\\\"},
    {"a b\\\\\\"},
    {"\\ "},
    {" \\"},
    {"\\\""},
    {"\\\\\""},
    {"\\\\\\\""},
    {"a\\\"b"},
    {"a\\\\\"b"},
    {"a\\\\\\\"b c"},
    {"a\\\\\\\\\"b c"},
    {"\"\\"},
    {"\"\\\\"},
    {"\\\"\\"},
    {"a\\\\b", "d\"e f\"g", "h"},
    {"a\\\"b", "c", "d"},
    {"a\\\\\\\"b", "c", "d"},
    {"a\\\\b c", "d", "e"},
    {"a\"b\" c d"},
    {"ab\"", "c d"},
    {"\\\\server\\share\\folder with spaces\\"},
    {"C:\\Program Files\\x\\", "next"},
    {"--name=\"value with spaces\""},
    {"--path=C:\\a b\\", "--quote=\""},
    {"%PATH%", "%%", "%", "%cd%"},
    {"!PATH!", "^", "^^", "^&", "&", "&&", "|", "||", "<", ">", ">>", "(", ")"},
    {"$HOME", "`id`", "$(id)", "~", "*", "?", "[a-z]", "{a,b}", ";", "#"},
    {"'", "''", "'a b'", "'\"'", "\"'\""},
    {"/", "//", "/?", "-", "--", "-a", "/a:b"},
    {"=", "a=", "=a", "a=b c", ",", ";", "@", "@file"},
    {"\xC3\xA4\xC3\xB6\xC3\xBC", "\xE2\x82\xAC uro", "\xE3\x80\x80", "\xC2\xA0"},
    {"\xF0\x9F\x90\x8D", "\xF0\x9F\x90\x8D \xF0\x9F\x90\x8D", "\"\xF0\x9F\x90\x8D\\\""},
    {"\xEF\xBB\xBF", "\xE2\x80\xAE", "\xEF\xBC\x82", "e\xCC\x81"},
    {"\x01", "\x1B[0m", "\x7F"},
};

constexpr const char* pieces[] = {"\"",
                                  "\"",
                                  "\\",
                                  "\\",
                                  "\\",
                                  " ",
                                  " ",
                                  "\t",
                                  "a",
                                  "bc",
                                  "%",
                                  "^",
                                  "&",
                                  "'",
                                  "=",
                                  "\n",
                                  "\xC3\xA4",
                                  "\xE2\x82\xAC",
                                  "x",
                                  "\\\"",
                                  "/",
                                  "\"\"",
                                  "|",
                                  "!",
                                  "\xF0\x9F\x90\x8D",
                                  "\\\\\"",
                                  "-"};

vector_of_arguments random_arguments(uint64_t& state) {
  vector_of_arguments arguments(test::next_random(state) % 5);
  for (std::string& each : arguments) {
    for (uint64_t left = test::next_random(state) % 8; left > 0; --left) {
      each += pieces[test::next_random(state) % std::size(pieces)];
    }
  }
  return arguments;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "arguments reach a program as they are") {
  CHECK(telling.size() >= 60);
  for (const vector_of_arguments& arguments : telling) {
    const std::string first = arguments.empty() ? "(none)" : arguments[0];
    CAPTURE(first);
    CHECK((echoed(arguments) == arguments));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "10,000 random argument vectors reach programs as they are") {
  // A hundred to a child: how an argument is written does not depend on its neighbours.
  constexpr int children = 100;
  constexpr int vectors = 100;
  const std::string end_of_vector = "(end)";
  uint64_t state = 20'240'424;
  int wrong = 0;
  for (int i = 0; i < children; ++i) {
    vector_of_arguments all;
    for (int k = 0; k < vectors; ++k) {
      for (std::string& each : random_arguments(state)) all.push_back(std::move(each));
      all.push_back(end_of_vector);
    }
    wrong += echoed(all) != all;
  }
  CHECK(wrong == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a long argument reaches a program") {
  for (const std::string& longest :
       {std::string(20'000, 'x'), std::string(10'000, '"'), std::string(10'000, '\\') + " "}) {
    CHECK((echoed({longest}) == vector_of_arguments{longest}));
  }
}
