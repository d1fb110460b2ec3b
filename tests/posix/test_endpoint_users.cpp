// SPDX-License-Identifier: MIT
// Two users, and what somebody may have put where our files should be.
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "posix_support.h"
#include "runtime_folder.h"
#include "strangers.h"

using test::generous;
using test::nothing_leaks;

namespace {

constexpr uid_t nobody_user = 65534;

// This test's own folder of names.
class own_names {
 public:
  own_names() {
    chmod(folder_.path().c_str(), 0755);
    setenv("KITH_RUNTIME_DIR", folder_.path().c_str(), 1);
  }
  ~own_names() {
    unsetenv("KITH_RUNTIME_DIR");
    std::filesystem::remove_all(path());
    std::filesystem::remove_all(path() + "-open");
  }
  std::string path() const { return folder_.path() + "/kith-" + std::to_string(geteuid()); }
  std::string file(char letter, const std::string& name) const {
    kith::sha256 hash;
    hash.add(name.data(), name.size());
    return path() + "/" + kith::platform::file_name_of(letter, hash.end()).text;
  }

 private:
  test::temporary_folder folder_;
};

struct other_user {
  char name[128];
  char owner[16];
  bool knows_owner;
};

bool become_nobody() {
  return setgroups(0, nullptr) == 0 && setgid(nobody_user) == 0 && setuid(nobody_user) == 0;
}

// What another user gets: as the exit code, positive.
int32_t connects_as_nobody(const void* argument, size_t) {
  const other_user& wish = *static_cast<const other_user*>(argument);
  CHILD_NEEDS(become_nobody());
  auto options = test::defaults<kith_connect_options>();
  if (wish.knows_owner) options.user = wish.owner;
  test::channel line;
  const kith_status status = kith_connect(wish.name, &options, line.out(), 5000);
  if (status != KITH_OK) return -status;
  CHILD_NEEDS(test::tell(line, "from another user"));
  CHILD_NEEDS(test::heard(line) == "(KITH_E_CLOSED)");
  return 0;
}

// Everything that is not allowed, tried by hand.
int32_t pries_as_nobody(const void* argument, size_t size) {
  const std::string folder(static_cast<const char*>(argument), size);
  CHILD_NEEDS(become_nobody());
  CHILD_NEEDS(access(folder.c_str(), R_OK) != 0);
  CHILD_NEEDS(access(folder.c_str(), W_OK) != 0);
  CHILD_NEEDS(access(folder.c_str(), X_OK) != 0);
  const std::string open_folder = folder + "-open";
  CHILD_NEEDS(access(open_folder.c_str(), R_OK) != 0);
  CHILD_NEEDS(access(open_folder.c_str(), W_OK) != 0);
  CHILD_NEEDS(rmdir(open_folder.c_str()) != 0);
  return 0;
}

int32_t listens_as_nobody(const void* argument, size_t size) {
  const std::string name(static_cast<const char*>(argument), size);
  CHILD_NEEDS(become_nobody());
  test::endpoint place;
  return -kith_endpoint_listen(name.c_str(), nullptr, place.out());
}

test::shown_exit tried_by_nobody(const std::string& name, bool knows_owner) {
  other_user wish{};
  std::snprintf(wish.name, sizeof wish.name, "%s", name.c_str());
  std::snprintf(wish.owner, sizeof wish.owner, "%u", geteuid());
  wish.knows_owner = knows_owner;
  const test::process child = test::start_with(connects_as_nobody, {}, wish);
  return test::end_of(child);
}

test::shown_exit ended_with(int64_t code) { return {KITH_EXIT_CODE, code}; }

kith_status listen_status(const std::string& name) {
  test::endpoint place;
  return kith_endpoint_listen(name.c_str(), nullptr, place.out());
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "another user cannot connect, unless he was allowed to") {
  if (geteuid() != 0) SKIP_CASE("only root can become another user");
  const own_names names;
  const std::string name = test::unique_name("users");
  test::endpoint place = test::listen(name);
  CHECK(tried_by_nobody(name, false) == ended_with(-KITH_E_NOT_FOUND));  // his own name, which nobody has
  CHECK(tried_by_nobody(name, true) == ended_with(-KITH_E_NOT_FOUND));
  place.close();

  auto options = test::defaults<kith_endpoint_options>();
  const auto accepts_nobody = [&](const char* const* users) {
    options.users = users;
    place = test::listen(name, &options);
    kith_status accepted = KITH_E_OS;
    std::string heard, user;
    std::thread serves([&] {
      test::channel line;
      accepted = kith_endpoint_accept(place, line.out(), 1500);
      if (accepted != KITH_OK) return;
      heard = test::heard(line);
      kith_peer peer{};
      CHECK_OK(kith_channel_peer(line, &peer));
      user = peer.user;
    });
    const test::shown_exit end = tried_by_nobody(name, true);
    serves.join();
    place.close();
    if (accepted == KITH_OK) {
      CHECK(heard == "from another user");
      CHECK(user == std::to_string(nobody_user));
    }
    return end;
  };
  const char* const everybody[] = {"*", nullptr};
  const char* const him[] = {"7", "65534", nullptr};
  const char* const somebody_else[] = {"7", nullptr};
  CHECK(accepts_nobody(everybody) == ended_with(0));
  CHECK(accepts_nobody(him) == ended_with(0));
  CHECK(accepts_nobody(somebody_else) == ended_with(-KITH_E_DENIED));
}

TEST_CASE_FIXTURE(nothing_leaks, "another user can neither list, write nor remove") {
  if (geteuid() != 0) SKIP_CASE("only root can become another user");
  const own_names names;
  auto options = test::defaults<kith_endpoint_options>();
  const char* const everybody[] = {"*", nullptr};
  options.users = everybody;
  const test::endpoint place = test::listen(test::unique_name("prying"), &options);
  const std::string folder = names.path();
  const test::process child = test::start(pries_as_nobody, {}, folder.data(), folder.size());
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "another user's folder in the place of ours is refused") {
  if (geteuid() != 0) SKIP_CASE("only root can become another user");
  const own_names names;
  const std::string name = test::unique_name("squatted");
  const std::string his = names.path().substr(0, names.path().rfind('-')) + "-" + std::to_string(nobody_user);
  REQUIRE(mkdir(his.c_str(), 0700) == 0);
  const test::process child = test::start(listens_as_nobody, {}, name.data(), name.size());
  CHECK_EXIT(child, KITH_EXIT_CODE, -KITH_E_DENIED);
  rmdir(his.c_str());
}

TEST_CASE_FIXTURE(nothing_leaks, "the folder of names is its user's alone") {
  const own_names names;
  const std::string name = test::unique_name("folder");
  {
    const test::endpoint place = test::listen(name);
    struct stat info {};
    REQUIRE(lstat(names.path().c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0700);
    CHECK(info.st_uid == geteuid());
    CHECK(std::filesystem::exists(names.file('s', name)));
  }
  CHECK(std::filesystem::is_empty(names.path()));
  for (const mode_t mode : {mode_t{0750}, mode_t{0707}, mode_t{0722}}) {
    REQUIRE(chmod(names.path().c_str(), mode) == 0);
    CHECK_STATUS(listen_status(name), KITH_E_DENIED);
    kith_channel* line = nullptr;
    CHECK_STATUS(kith_connect(name.c_str(), nullptr, &line, 0), KITH_E_DENIED);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "links and strange files in the place of ours are refused and left alone") {
  const own_names names;
  const std::string name = test::unique_name("strange");
  CHECK_OK(listen_status(name));
  const std::string claim = names.file('e', name);
  const std::string victim = names.path() + "/victim";
  std::filesystem::create_directory(victim);
  const auto refused = [&](auto put) {
    put();
    CHECK_STATUS(listen_status(name), KITH_E_DENIED);
    CHECK(std::filesystem::symlink_status(claim).type() != std::filesystem::file_type::not_found);
    std::filesystem::remove_all(claim);
  };
  refused([&] { std::filesystem::create_symlink(victim, claim); });
  refused([&] { std::filesystem::create_symlink("nowhere", claim); });
  refused([&] { std::filesystem::create_directory(claim); });
  refused([&] { REQUIRE(mkfifo(claim.c_str(), 0600) == 0); });
  // A second name of a file, whose content would be ours to write.
  const std::string precious = names.path() + "/precious";
  REQUIRE(close(creat(precious.c_str(), 0600)) == 0);
  refused([&] { std::filesystem::create_hard_link(precious, claim); });
  if (geteuid() == 0) {
    refused([&] {
      REQUIRE(close(creat(claim.c_str(), 0666)) == 0);
      REQUIRE(chown(claim.c_str(), nobody_user, nobody_user) == 0);
    });
  }
  // In the place of the socket.
  const std::string socket = names.file('s', name);
  std::filesystem::create_directory(socket);
  CHECK_STATUS(listen_status(name), KITH_E_DENIED);
  std::filesystem::remove(socket);
  // A folder of names that is a link.
  const std::string folder = names.path();
  std::filesystem::rename(folder, folder + "-moved");
  std::filesystem::create_symlink(folder + "-moved", folder);
  CHECK_STATUS(listen_status(name), KITH_E_DENIED);
  std::filesystem::remove(folder);
  std::filesystem::rename(folder + "-moved", folder);
  CHECK_OK(listen_status(name));
}

TEST_CASE_FIXTURE(nothing_leaks, "a folder of names where everybody may write is refused") {
  const test::temporary_folder shared;
  REQUIRE(chmod(shared.path().c_str(), 0777) == 0);
  setenv("KITH_RUNTIME_DIR", shared.path().c_str(), 1);
  CHECK_STATUS(listen_status("x"), KITH_E_DENIED);
  unsetenv("KITH_RUNTIME_DIR");
}

TEST_CASE_FIXTURE(nothing_leaks, "a forked child does not end its parent's endpoint") {
  const std::string name = test::unique_name("forked");
  const test::endpoint place = test::listen(name);
  static kith_endpoint* inherited = nullptr;
  inherited = place;
  kith_process_options options = test::run_entry(
      [](const void*, size_t) {
        kith_channel* none = nullptr;
        CHILD_NEEDS(kith_endpoint_accept(inherited, &none, 0) == KITH_E_INVALID);
        kith_endpoint_close(inherited);
        return int32_t{0};
      },
      {});
  options.start = KITH_START_FORK;
  test::process child;
  REQUIRE_OK(kith_process_spawn(&options, child.out()));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK_OK(test::meet(place, name).connected);
  const pid_t plain = fork();
  if (plain == 0) {
    kith_channel* none = nullptr;
    const bool is_over = kith_endpoint_accept(inherited, &none, 0) == KITH_E_CLOSED;
    kith_endpoint_close(inherited);
    _exit(is_over ? 0 : 1);
  }
  int end = -1;
  REQUIRE(waitpid(plain, &end, 0) == plain);
  CHECK(end == 0);
  CHECK_OK(test::meet(place, name).connected);
}
