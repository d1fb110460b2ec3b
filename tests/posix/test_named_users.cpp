// SPDX-License-Identifier: MIT
// Named objects of two users, and what somebody may have put where they should lie.
#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "naming.h"
#include "posix_support.h"
#include "runtime_folder.h"

using test::create;
using test::either;
using test::generous;
using test::named_kinds;
using test::named_object;
using test::naming;
using test::nothing_leaks;
using test::open_status;
using test::own_names;
using test::unique_name;

namespace {

constexpr uid_t nobody_user = 65534;
constexpr uint32_t open_only = KITH_NAME_OPEN;

bool become_nobody() {
  return setgroups(0, nullptr) == 0 && setgid(nobody_user) == 0 && setuid(nobody_user) == 0;
}

// Others go through it to what they may have.
struct two_users {
  two_users() { chmod(names.base().c_str(), 0755); }
  const own_names names;
  const std::string folder = names.base() + "/kith-" + std::to_string(geteuid());

  std::string file(char letter, const std::string& name) const {
    kith::sha256 hash;
    hash.add(name.data(), name.size());
    return folder + "/" + kith::platform::file_name_of(letter, hash.end()).text;
  }
};

struct wish {
  char name[200];
  char owner[16];
  int32_t kind;
};

wish wish_of(const std::string& name, int32_t kind) {
  wish out{};
  std::snprintf(out.name, sizeof out.name, "%s", name.c_str());
  std::snprintf(out.owner, sizeof out.owner, "%u", geteuid());
  out.kind = kind;
  return out;
}

// What another user gets: as the exit code, positive.
int32_t opens_as_nobody(const void* argument, size_t) {
  const wish& wanted = *static_cast<const wish*>(argument);
  const std::string name = wanted.name;
  CHILD_NEEDS(become_nobody());
  kith_naming of_owner = naming(name, open_only);
  of_owner.user = wanted.owner;
  named_object opened;
  return -opened.open(wanted.kind, of_owner);
}

test::shown_exit opened_by_nobody(const std::string& name, int32_t kind) {
  const test::process child = test::start_with(opens_as_nobody, {}, wish_of(name, kind));
  return test::end_of(child);
}

test::shown_exit ended_with(int64_t code) { return {KITH_EXIT_CODE, code}; }

// Reads what it may read, and finds that it may do no more.
int32_t reads_as_nobody(const void* argument, size_t) {
  const wish& wanted = *static_cast<const wish*>(argument);
  const std::string name = wanted.name;
  CHILD_NEEDS(become_nobody());
  kith_naming of_owner = naming(name, open_only);
  of_owner.user = wanted.owner;
  test::memory memory;
  CHILD_NEEDS(kith_memory_open_named(&of_owner, 0, nullptr, memory.out(), nullptr) == KITH_OK);
  CHILD_NEEDS(std::strcmp(static_cast<const char*>(kith_memory_data(memory)), "to be read") == 0);
  CHILD_NEEDS(!test::make_writable(kith_memory_data(memory), kith_memory_size(memory)));
  of_owner.flags = either;
  CHILD_NEEDS(kith_memory_open_named(&of_owner, 64, nullptr, memory.out(), nullptr) == KITH_E_INVALID);
  // Among his own names there is none.
  CHILD_NEEDS(kith_name_remove(KITH_OBJECT_MEMORY, wanted.name) == KITH_E_NOT_FOUND);
  return 0;
}

int32_t uses_as_nobody(const void* argument, size_t) {
  const wish& wanted = *static_cast<const wish*>(argument);
  const std::string name = wanted.name;
  CHILD_NEEDS(become_nobody());
  kith_naming of_owner = naming(name, open_only);
  of_owner.user = wanted.owner;
  test::value value;
  CHILD_NEEDS(kith_value_open_named(&of_owner, KITH_I64, nullptr, nullptr, value.out(), nullptr) == KITH_OK);
  CHILD_NEEDS(kith_lock_acquire(kith_value_lock(value), generous) == KITH_OK);
  CHILD_NEEDS(kith_lock_release(kith_value_lock(value)) == KITH_OK);
  CHILD_NEEDS(kith_value_add(value, 5, nullptr) == KITH_OK);
  test::event event;
  CHILD_NEEDS(kith_event_open_named(&of_owner, nullptr, event.out(), nullptr) == KITH_OK);
  CHILD_NEEDS(kith_event_set(event) == KITH_OK);
  CHILD_NEEDS(kith_name_remove(KITH_OBJECT_VALUE, wanted.name) == KITH_E_NOT_FOUND);
  return 0;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "another user can neither open, list nor remove what is ours") {
  if (geteuid() != 0) SKIP_CASE("only root can become another user");
  const two_users place;
  const std::string name = unique_name("ours");
  for (const int32_t kind : named_kinds) {
    CAPTURE(kind);
    named_object mine;
    REQUIRE_OK(mine.open(kind, naming(name, create)));
    CHECK(opened_by_nobody(name, kind) == ended_with(-KITH_E_NOT_FOUND));
  }
  named_object for_all;
  REQUIRE_OK(for_all.open(KITH_OBJECT_VALUE, naming(name, create | KITH_NAME_OTHERS_USE)));
  named_object for_us;
  REQUIRE_OK(for_us.open(KITH_OBJECT_LOCK, naming(name, create)));
  CHECK(opened_by_nobody(name, KITH_OBJECT_VALUE) == ended_with(0));
  CHECK(opened_by_nobody(name, KITH_OBJECT_LOCK) == ended_with(-KITH_E_NOT_FOUND));
  const auto pries = [](const void* argument, size_t size) -> int32_t {
    const std::string folder(static_cast<const char*>(argument), size);
    CHILD_NEEDS(become_nobody());
    CHILD_NEEDS(access(folder.c_str(), R_OK) != 0 && access(folder.c_str(), X_OK) != 0);
    const std::string for_others = folder + "-open";
    CHILD_NEEDS(access(for_others.c_str(), R_OK) != 0 && access(for_others.c_str(), W_OK) != 0);
    test::names list;
    CHILD_NEEDS(kith_names_list(list.out()) == KITH_OK && kith_names_count(list) == 0);
    size_t removed = 1;
    CHILD_NEEDS(kith_collect(&removed) == KITH_OK && removed == 0);
    return 0;
  };
  const test::process child = test::start(pries, {}, place.folder.data(), place.folder.size());
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK_OK(open_status(KITH_OBJECT_VALUE, name, open_only));
}

TEST_CASE_FIXTURE(nothing_leaks, "another user reads what he may read, and does no more") {
  if (geteuid() != 0) SKIP_CASE("only root can become another user");
  const two_users place;
  const std::string name = unique_name("readable");
  const kith_naming wanted = naming(name, create | KITH_NAME_OTHERS_READ);
  test::memory memory;
  REQUIRE_OK(kith_memory_open_named(&wanted, 64, nullptr, memory.out(), nullptr));
  std::strcpy(static_cast<char*>(kith_memory_data(memory)), "to be read");
  const test::process child = test::start_with(reads_as_nobody, {}, wish_of(name, KITH_OBJECT_MEMORY));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  memory.close();
  CHECK(opened_by_nobody(name, KITH_OBJECT_MEMORY) == ended_with(-KITH_E_NOT_FOUND));
  CHECK(place.names.files().empty());
}

TEST_CASE_FIXTURE(nothing_leaks, "another user uses what he may use") {
  if (geteuid() != 0) SKIP_CASE("only root can become another user");
  const two_users place;
  const std::string name = unique_name("usable");
  const kith_naming wanted = naming(name, create | KITH_NAME_OTHERS_USE);
  test::value value;
  test::event event;
  REQUIRE_OK(kith_value_open_named(&wanted, KITH_I64, nullptr, nullptr, value.out(), nullptr));
  REQUIRE_OK(kith_event_open_named(&wanted, nullptr, event.out(), nullptr));
  const test::process child = test::start_with(uses_as_nobody, {}, wish_of(name, KITH_OBJECT_VALUE));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK(test::count_in(value) == 5);
  CHECK_OK(kith_event_wait(event, 0));
  const std::vector<test::listed_name> listed = test::list_names(name);
  CHECK(listed.size() == 2);
  for (const test::listed_name& each : listed) {
    CHECK(each.info.flags == KITH_NAME_OTHERS_USE);
    CHECK(each.users == std::vector<int64_t>{test::own_id()});
  }
  value.close();
  event.close();
  CHECK(place.names.files().empty());
}

TEST_CASE_FIXTURE(nothing_leaks, "the folder of named objects is its user's alone") {
  const two_users place;
  const std::string name = unique_name("folder");
  {
    named_object one;
    REQUIRE_OK(one.open(KITH_OBJECT_QUEUE, naming(name, create)));
    struct stat info {};
    REQUIRE(lstat(place.folder.c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0700);
    CHECK(info.st_uid == geteuid());
    for (const char* end : {"", "-0", "-1"}) {
      REQUIRE(lstat((place.file('q', name) + end).c_str(), &info) == 0);
      CHECK((info.st_mode & 07777) == 0600);
    }
  }
  CHECK(place.names.files().empty());
  for (const mode_t mode : {mode_t{0750}, mode_t{0707}, mode_t{0722}}) {
    REQUIRE(chmod(place.folder.c_str(), mode) == 0);
    CHECK_STATUS(open_status(KITH_OBJECT_QUEUE, name, either), KITH_E_DENIED);
    CHECK_STATUS(open_status(KITH_OBJECT_QUEUE, name, open_only), KITH_E_DENIED);
    CHECK_STATUS(kith_collect(nullptr), KITH_E_DENIED);
    kith_names* list = nullptr;
    CHECK_STATUS(kith_names_list(&list), KITH_E_DENIED);
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "links and strange files in the place of a named object are refused and left alone") {
  const two_users place;
  const std::string name = unique_name("strange");
  CHECK_OK(open_status(KITH_OBJECT_QUEUE, name, create));
  const std::string file = place.file('q', name);
  const std::string victim = place.folder + "/victim";
  std::filesystem::create_directory(victim);
  const auto refused = [&](auto put) {
    put();
    for (const uint32_t flags : {either, open_only, create})
      CHECK_STATUS(open_status(KITH_OBJECT_QUEUE, name, flags), KITH_E_DENIED);
    CHECK_STATUS(kith_name_remove(KITH_OBJECT_QUEUE, name.c_str()), KITH_E_DENIED);
    CHECK_OK(kith_collect(nullptr));
    CHECK(test::list_names("").empty());
    CHECK(std::filesystem::symlink_status(file).type() != std::filesystem::file_type::not_found);
    std::filesystem::remove_all(file);
  };
  refused([&] { std::filesystem::create_symlink(victim, file); });
  refused([&] { std::filesystem::create_symlink("nowhere", file); });
  refused([&] { std::filesystem::create_directory(file); });
  refused([&] { REQUIRE(mkfifo(file.c_str(), 0600) == 0); });
  // A second name of a file, whose content would be ours to write.
  const std::string precious = place.folder + "/precious";
  REQUIRE(close(creat(precious.c_str(), 0600)) == 0);
  refused([&] { std::filesystem::create_hard_link(precious, file); });
  // A file of ours in which something else is.
  refused([&] {
    const test::descriptor made(::open(file.c_str(), O_CREAT | O_RDWR, 0600));
    REQUIRE(write(made.get(), "a letter to somebody", 20) == 20);
  });
  if (geteuid() == 0) {
    refused([&] {
      REQUIRE(close(creat(file.c_str(), 0666)) == 0);
      REQUIRE(chown(file.c_str(), nobody_user, nobody_user) == 0);
    });
  }
  // In the place of a bell.
  {
    named_object one;
    REQUIRE_OK(one.open(KITH_OBJECT_QUEUE, naming(name, create)));
    std::filesystem::remove(file + "-1");
    CHECK_STATUS(open_status(KITH_OBJECT_QUEUE, name, open_only), KITH_E_DENIED);
    REQUIRE(close(creat((file + "-1").c_str(), 0600)) == 0);
    CHECK_STATUS(open_status(KITH_OBJECT_QUEUE, name, open_only), KITH_E_DENIED);
  }
  // What is empty is what a machine that lost its power may leave.
  REQUIRE(close(creat(file.c_str(), 0600)) == 0);
  CHECK_OK(open_status(KITH_OBJECT_QUEUE, name, create));
}

// Rubbish in an object that somebody uses: it is checked, not believed.
TEST_CASE_FIXTURE(nothing_leaks, "a named object that is not what kith makes is refused") {
  const two_users place;
  const std::string name = unique_name("rubbish");
  named_object one;
  REQUIRE_OK(one.open(KITH_OBJECT_ARRAY, naming(name, create)));
  const test::descriptor file(::open(place.file('a', name).c_str(), O_RDWR));
  struct stat info {};
  REQUIRE(fstat(file.get(), &info) == 0);
  std::vector<unsigned char> good(static_cast<size_t>(info.st_size));
  REQUIRE(pread(file.get(), good.data(), good.size(), 0) == info.st_size);
  const size_t card = 4096;
  const size_t places[] = {0, 4, 8, 12, 32, 36, 40, 56, 64, 72, card, card + 24};
  for (const size_t at : places) {
    CAPTURE(at);
    std::vector<unsigned char> bad = good;
    for (size_t i = 0; i < 4; ++i) bad[at + i] = 0xA5;
    REQUIRE(pwrite(file.get(), bad.data(), bad.size(), 0) == info.st_size);
    CHECK_STATUS(open_status(KITH_OBJECT_ARRAY, name, open_only),
                 at == 64 ? KITH_E_UNSUPPORTED : KITH_E_MISMATCH);
    (void)test::list_names("");
  }
  uint64_t random = 7;
  for (int i = 0; i < 300; ++i) {
    std::vector<unsigned char> bad = good;
    for (int n = 0; n < 8; ++n) {
      const bool in_card = test::next_random(random) % 2 == 0;
      const size_t at = (in_card ? card : 0) + test::next_random(random) % (in_card ? 4096 : 128);
      bad[at] = static_cast<unsigned char>(test::next_random(random));
    }
    REQUIRE(pwrite(file.get(), bad.data(), bad.size(), 0) == info.st_size);
    (void)open_status(KITH_OBJECT_ARRAY, name, open_only);
    (void)test::list_names("");
  }
  REQUIRE(pwrite(file.get(), good.data(), good.size(), 0) == info.st_size);
  CHECK_OK(open_status(KITH_OBJECT_ARRAY, name, open_only));
}

TEST_CASE_FIXTURE(nothing_leaks, "a stopped process holds nobody up for ever") {
  const two_users place;
  const std::string name = unique_name("stopped");
  named_object one;
  REQUIRE_OK(one.open(KITH_OBJECT_LOCK, naming(name, create)));
  const test::descriptor folder(::open(place.folder.c_str(), O_RDONLY | O_DIRECTORY));
  REQUIRE(flock(folder.get(), LOCK_EX) == 0);
  const uint64_t begin = test::now_ms();
  CHECK_STATUS(open_status(KITH_OBJECT_LOCK, name, open_only), KITH_E_TIMEOUT);
  CHECK(test::now_ms() - begin < 20'000);
  const uint64_t close_begin = test::now_ms();
  one.close();
  CHECK(test::now_ms() - close_begin < 5'000);
  REQUIRE(flock(folder.get(), LOCK_UN) == 0);
  size_t removed = 0;
  CHECK_OK(kith_collect(&removed));  // what a close could not remove
  CHECK(removed == 1);
  CHECK(place.names.files().empty());
}

TEST_CASE_FIXTURE(nothing_leaks, "what killed creators leave unfinished is seen by nobody, and collected") {
  const two_users place;
  const std::string name = unique_name("unfinished");
  CHECK_OK(open_status(KITH_OBJECT_LOCK, name, create));
  const std::string unfinished = place.folder + "/t" + std::string(32, '0');
  REQUIRE(close(creat(unfinished.c_str(), 0600)) == 0);
  const std::string bell = place.file('q', name) + "-0";
  REQUIRE(mkfifo(bell.c_str(), 0600) == 0);
  const std::string alive = place.folder + "/t" + std::string(32, '1');
  const test::descriptor creator(::open(alive.c_str(), O_CREAT | O_RDWR, 0600));
  REQUIRE(flock(creator.get(), LOCK_SH) == 0);
  CHECK(test::list_names("").empty());
  CHECK_OK(kith_collect(nullptr));
  CHECK(place.names.files() == std::vector<std::string>{"t" + std::string(32, '1')});
}

TEST_CASE_FIXTURE(nothing_leaks, "what a killed listener leaves is listed as such, and collected") {
  const two_users place;
  const std::string name = unique_name("listener");
  const auto listens = [](const void* argument, size_t size) -> int32_t {
    const std::string its_name(static_cast<const char*>(argument), size);
    test::channel line;
    CHILD_NEEDS(test::take(line, "line"));
    const test::endpoint here = test::listen(its_name);
    CHILD_NEEDS(test::tell(line, "listens"));
    (void)test::heard(line);
    return 0;
  };
  test::channel_pair ends = test::make_channel();
  const test::process child = test::start(listens, {{"line", ends.b}}, name.data(), name.size());
  REQUIRE(test::heard(ends.a) == "listens");
  std::vector<test::listed_name> listed = test::list_names(name);
  REQUIRE(listed.size() == 1);
  CHECK(listed[0].users == std::vector<int64_t>{kith_process_id(child)});
  CHECK_OK(kith_process_kill(child));
  CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
  listed = test::list_names(name);
  REQUIRE(listed.size() == 1);
  CHECK(listed[0].info.stale == 1);
  CHECK(listed[0].users.empty());
  size_t removed = 0;
  CHECK_OK(kith_collect(&removed));
  CHECK(removed == 1);
  CHECK(place.names.files().empty());
}

TEST_CASE_FIXTURE(nothing_leaks, "a forked child has the memory, and may go first or last") {
  const two_users place;
  const std::string name = unique_name("forked");
  static kith_value* inherited = nullptr;
  for (const bool by_kith : {true, false}) {
    test::value value;
    const kith_naming wanted = naming(name, either);
    REQUIRE_OK(kith_value_open_named(&wanted, KITH_I64, nullptr, nullptr, value.out(), nullptr));
    inherited = value;
    const auto counts = [](const void*, size_t) -> int32_t {
      CHILD_NEEDS(kith_value_add(inherited, 1, nullptr) == KITH_OK);
      kith_value_close(inherited);
      return 0;
    };
    if (by_kith) {
      kith_process_options options = test::run_entry(counts, {});
      options.start = KITH_START_FORK;
      test::process child;
      REQUIRE_OK(kith_process_spawn(&options, child.out()));
      CHECK_EXIT(child, KITH_EXIT_CODE, 0);
    } else {
      const pid_t child = fork();
      if (child == 0) _exit(static_cast<int>(counts(nullptr, 0)));
      int end = -1;
      REQUIRE(waitpid(child, &end, 0) == child);
      CHECK(end == 0);
    }
    CHECK(test::count_in(value) == 1);
    CHECK_OK(open_status(KITH_OBJECT_VALUE, name, open_only));
    CHECK(test::list_names(name).at(0).users == std::vector<int64_t>{test::own_id()});
    value.close();
    CHECK(place.names.files().empty());
  }
}
