// SPDX-License-Identifier: MIT
#include "command_line.h"

#include <algorithm>
#include <cstdio>

#include "text.h"

namespace command {

namespace {

const option* find_option(const std::vector<option>& known, const std::string& name) {
  const auto found = std::find_if(known.begin(), known.end(), [&](const option& each) {
    return name == each.name || (each.short_name != nullptr && name == each.short_name);
  });
  return found == known.end() ? nullptr : &*found;
}

// `at` goes on to the value, if that is a word of its own.
bool read_option(const command_line& line, const std::vector<option>& known, size_t& at) {
  const std::string& word = line.given[at];
  const size_t equals = word.compare(0, 2, "--") == 0 ? word.find('=') : std::string::npos;
  const std::string name = word.substr(0, equals);
  const option* const found = find_option(known, name);
  const auto wrong = [&](const std::string& what) {
    complain(line.command, what);
    return false;
  };
  if (found == nullptr) return wrong("there is no option " + shown_text(name));
  if (found->value == nullptr) {
    if (equals != std::string::npos) return wrong(name + " takes no value");
    return *found->flag = true;
  }
  if (equals == std::string::npos && at + 1 == line.given.size()) return wrong(name + " needs a value");
  *found->value = equals != std::string::npos ? word.substr(equals + 1) : line.given[++at];
  return true;
}

}  // namespace

bool read_options(command_line& line, const std::vector<option>& known) {
  bool may_be_option = true;
  for (size_t i = 0; i < line.given.size(); ++i) {
    const std::string& word = line.given[i];
    const bool is_option = may_be_option && word.size() > 1 && word[0] == '-';
    if (is_option && word == "--") {
      may_be_option = false;
    } else if (!is_option) {
      line.words.push_back(word);
      if (may_be_option) ++line.before_end;
    } else if (!read_option(line, known, i)) {
      return false;
    }
  }
  return true;
}

int complain(const char* command, const std::string& what) {
  std::fprintf(stderr, "kith %s: %s (kith %s --help tells what there is)\n", command, what.c_str(), command);
  return usage_error;
}

}  // namespace command
