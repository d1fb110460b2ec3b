// SPDX-License-Identifier: MIT
// One program is the test and all of its children.
#define DOCTEST_CONFIG_IMPLEMENT
#include "support.h"

int main(int argc, char** argv) {
  // Children run no case, but may fail an assertion, too.
  doctest::Context context(argc, argv);
  context.setAsDefaultForAssertsOutOfTestCases();
  context.setAssertHandler(test::fail_in_child);

  test::register_entries();
  int32_t code = 0;
  if (kith_child_main(&code)) return code;
  if (test::has_role(argc, argv)) return test::run_role(argc, argv);
  return context.run();
}
