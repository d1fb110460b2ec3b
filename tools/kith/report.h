// SPDX-License-Identifier: MIT
// What a command has to tell, as a table for people or as JSON.
#pragma once

#include <string>
#include <vector>

namespace command {

enum class verdict {
  ok,        // as good as it gets
  fallback,  // it works, in another way than the best
  missing,   // this machine cannot do it
  failed,    // it should work, and does not
  fact       // neither good nor bad
};

struct finding {
  std::string name;  // in JSON: the key, in small letters with underscores
  verdict result;
  std::string value;
  std::string remark;  // what follows from it; may be empty
};

using report = std::vector<finding>;

const char* name_of(verdict result);
void print_table(const report& all);
void print_json(const report& all);
bool has_failed(const report& all);

}  // namespace command
