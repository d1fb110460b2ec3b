// SPDX-License-Identifier: MIT
// Functions of libraries that this program has not loaded, run by kith-host.
#include <uv.h>

#include <cstring>

#include "boot.h"
#include "support.h"

using test::nothing_leaks;

namespace {

std::string beside_kith(const std::string& name) { return test::folder_of_program() + "/../" + name; }

std::string host() { return beside_kith(std::string("kith-host") + test::exe_suffix); }

// With a kith of its own inside, and linked with the shared one.
std::vector<std::string> libraries_with_kith() {
  return {beside_kith(std::string("kith_test_hosted_static") + test::plugin_suffix),
          beside_kith(std::string("kith_test_hosted_shared") + test::plugin_suffix)};
}

// What the options point to.
struct hosted {
  std::string library = test::plugin_path();
  std::string symbol = "kith_test_plugin_sum";
  std::string host = ::host();
  test::shares shares;
  std::string argument;
  const char* cwd = nullptr;

  kith_process_options options() const {
    auto made = test::defaults<kith_process_options>();
    made.library = library.c_str();
    made.symbol = symbol.c_str();
    made.host = host.empty() ? nullptr : host.c_str();
    made.shares = shares.data();
    made.share_count = shares.size();
    made.argument = argument.data();
    made.argument_size = argument.size();
    made.cwd = cwd;
    return made;
  }

  kith_status spawn(test::process& out) const {
    const kith_process_options made = options();
    return kith_process_spawn(&made, out.out());
  }

  test::shown_exit run() const {
    test::process child;
    REQUIRE_OK(spawn(child));
    return test::end_of(child);
  }
};

test::shown_exit no_entry(kith_status why) { return {KITH_EXIT_NO_ENTRY, why}; }

kith_status refused(const kith_process_options& options) {
  kith_process* out = test::untouched<kith_process>();
  const kith_status status = kith_process_spawn(&options, &out);
  CHECK(out == test::untouched<kith_process>());
  return status;
}

std::string bytes_of(const std::vector<int32_t>& numbers) {
  std::string out(numbers.size() * sizeof numbers[0], '\0');
  std::memcpy(out.data(), numbers.data(), out.size());
  return out;
}

class environment_variable {
 public:
  environment_variable(const char* name, const std::string& value) : name_(name) {
    REQUIRE(uv_os_setenv(name, value.c_str()) == 0);
  }
  ~environment_variable() { uv_os_unsetenv(name_); }
  environment_variable(const environment_variable&) = delete;
  environment_variable& operator=(const environment_variable&) = delete;

 private:
  const char* name_;
};

void check_squares(const hosted& wanted) {
  test::array numbers = test::make_array(KITH_I32, 3);
  auto* data = static_cast<int32_t*>(kith_array_data(numbers));
  for (int32_t i = 0; i < 3; ++i) data[i] = i + 2;
  hosted call = wanted;
  call.shares = {{"numbers", numbers.get()}};
  CHECK(call.run() == test::shown_exit{KITH_EXIT_CODE, 0});
  CHECK(data[0] == 4);
  CHECK(data[1] == 9);
  CHECK(data[2] == 16);
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "kith-host runs a function of a library that knows nothing of kith") {
  hosted call;
  call.argument = bytes_of({1, 2, 3, 4});
  CHECK(call.run() == test::shown_exit{KITH_EXIT_CODE, 10});
  call.argument.clear();
  CHECK(call.run() == test::shown_exit{KITH_EXIT_CODE, 0});
}

TEST_CASE_FIXTURE(nothing_leaks, "a hosted function takes its shares, whichever kith its library uses") {
  for (const std::string& library : libraries_with_kith()) {
    CAPTURE(library);
    hosted call;
    call.library = library;
    call.symbol = "hosted_square";
    check_squares(call);
    call.symbol = "hosted_delegate";
    check_squares(call);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a channel end that a hosted function leaves open is closed in good order") {
  for (const std::string& library : libraries_with_kith()) {
    CAPTURE(library);
    test::channel_pair line = test::make_channel();
    hosted call;
    call.library = library;
    call.symbol = "hosted_echo";
    call.argument = "hello";
    call.shares = {{"line", line.b.get()}};
    test::process child;
    REQUIRE_OK(call.spawn(child));
    CHECK(test::heard(line.a) == "hello");
    CHECK(test::heard(line.a) == "(KITH_E_CLOSED)");
    CHECK_EXIT(child, KITH_EXIT_CODE, 7);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "what is missing of a hosted function is told by its exit") {
  hosted call;
  call.symbol = "kith_test_plugin_sums";
  CHECK(call.run() == no_entry(KITH_E_NO_FUNCTION));
  const test::temporary_folder folder;
  call.library = folder.path() + "/nothing" + test::plugin_suffix;
  CHECK(call.run() == no_entry(KITH_E_NOT_FOUND));
  call.library = std::string("kith_no_such_library") + test::plugin_suffix;
  CHECK(call.run() == no_entry(KITH_E_NOT_FOUND));
  call.library = folder.file(std::string("rubbish") + test::plugin_suffix, "no library");
  CHECK(call.run() == no_entry(KITH_E_NOT_A_PROGRAM));
  call.library = folder.path();
  CHECK(call.run() == no_entry(KITH_E_NOT_A_PROGRAM));
}

TEST_CASE_FIXTURE(nothing_leaks, "a library is found from this process's folder, whatever the child's is") {
  hosted call;
  const std::string folder = test::folder_of_program();
  char before[4096];
  size_t size = sizeof before;
  REQUIRE(uv_cwd(before, &size) == 0);
  REQUIRE(uv_chdir(folder.c_str()) == 0);
  call.library = "./" + test::plugin_path().substr(folder.size() + 1);
  call.cwd = "..";
  call.argument = bytes_of({5, 6});
  CHECK(call.run() == test::shown_exit{KITH_EXIT_CODE, 11});
  REQUIRE(uv_chdir(before) == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "kith-host is looked for where it is said to be") {
  hosted call;
  call.argument = bytes_of({1, 1});
  const test::temporary_folder folder;
  call.host = folder.path() + "/kith-host";
  CHECK_STATUS(refused(call.options()), KITH_E_NO_HOST);
  {
    const environment_variable variable("KITH_HOST", host());
    CHECK_STATUS(refused(call.options()), KITH_E_NO_HOST);  // the option goes first
    call.host.clear();
    CHECK(call.run() == test::shown_exit{KITH_EXIT_CODE, 2});
  }
  const environment_variable variable("KITH_HOST", folder.path() + "/kith-host");
  CHECK_STATUS(refused(call.options()), KITH_E_NO_HOST);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "any program with a kith_child_main can be the host; one without is refused") {
  hosted call;
  call.argument = bytes_of({3, 4});
  call.host = test::this_program();
  CHECK(call.run() == test::shown_exit{KITH_EXIT_CODE, 7});
  call.host = test::helper("kith_forgot_child_main");
  CHECK(call.run() == no_entry(KITH_E_MISMATCH));
}

TEST_CASE_FIXTURE(nothing_leaks, "a host with another version of kith refuses") {
  kith::boot_plan plan;
  plan.run = kith::shm::run_kind::library;
  REQUIRE(kith::assign(plan.library, test::plugin_path().c_str()));
  plan.symbol = "kith_test_plugin_sum";
  const kith::given_shares none;
  for (const uint32_t version : {kith::shm::boot_version, kith::shm::boot_version + 1}) {
    kith::boot_segment boot;
    REQUIRE_OK(kith::boot_write(plan, none, boot));
    boot.state().version = version;
    const char* const env[] = {boot.variable.data(), nullptr};
    const std::string program = host();
    const char* const argv[] = {program.c_str(), nullptr};
    kith::platform::spawn_plan spawn;
    spawn.argv = argv;
    spawn.env = env;
    kith::boot_hand_over(boot, spawn);
    kith::platform::process child;
    REQUIRE_OK(kith::platform::process_spawn(spawn, child));
    REQUIRE_OK(
        kith::platform::process_await(child, kith::deadline_in(kith::platform::clock_now(), test::generous)));
    kith_exit end{};
    kith::platform::process_collect(child, end);
    const bool same = version == kith::shm::boot_version;
    CHECK(end.code == (same ? 0 : 127));
    CHECK_STATUS(kith::boot_read_report(boot.segment).no_entry, same ? KITH_OK : KITH_E_MISMATCH);
    kith::shm::segment_close(boot.segment);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a library needs a symbol, and neither goes with anything else") {
  hosted call;
  const auto with = [&](auto change) {
    kith_process_options options = call.options();
    change(options);
    return refused(options);
  };
  using options = kith_process_options;
  CHECK_STATUS(with([](options& o) { o.symbol = nullptr; }), KITH_E_INVALID);
  CHECK_STATUS(with([](options& o) { o.symbol = ""; }), KITH_E_INVALID);
  CHECK_STATUS(with([](options& o) { o.library = ""; }), KITH_E_INVALID);
  CHECK_STATUS(with([](options& o) { o.host = ""; }), KITH_E_INVALID);
  CHECK_STATUS(with([](options& o) { o.library = nullptr; }), KITH_E_INVALID);
  CHECK_STATUS(with([](options& o) { o.entry_name = "name"; }), KITH_E_INVALID);
  CHECK_STATUS(with([](options& o) { o.start = KITH_START_FORK; }), KITH_E_UNSUPPORTED);
  kith_process_options named = test::run_entry([](const void*, size_t) { return 0; }, {});
  named.host = "kith-host";
  CHECK_STATUS(refused(named), KITH_E_INVALID);
}
