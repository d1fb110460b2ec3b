// SPDX-License-Identifier: MIT
#include "named.h"

#include <cstddef>
#include <cstring>

#include "handshake.h"
#include "options.h"

namespace kith {

namespace {

constexpr uint32_t flags_of_creators = KITH_NAME_PERSISTENT | KITH_NAME_OTHERS_READ | KITH_NAME_OTHERS_USE;
constexpr uint32_t known_flags = KITH_NAME_CREATE | KITH_NAME_OPEN | flags_of_creators;

// Closing never waits for long: what is left then is collected later.
constexpr int64_t longest_wait_of_close_ms = 200;
constexpr int64_t longest_wait_to_collect_ms = 100;

deadline in_ms(int64_t ms) { return deadline_in(platform::clock_now(), ms); }

platform::name_key key_of(const platform::meeting_name& name, shm::segment_kind kind) {
  return platform::name_key_of(shm::name_letter_of(kind), name.hash);
}

kith_status read_user(const char* user, named_wish& out) {
  if (user == nullptr) return KITH_OK;
  if (std::strlen(user) >= KITH_USER_SIZE || !platform::user_is_valid(user)) return KITH_E_INVALID;
  platform::user_name own;
  if (const kith_status status = platform::own_user(own); status != KITH_OK) return status;
  if (std::strcmp(user, own.text) != 0) out.user = user;
  return out.user != nullptr && out.creates() ? KITH_E_INVALID : KITH_OK;
}

bool flags_agree(uint32_t flags, shm::segment_kind kind) {
  const bool creates = (flags & KITH_NAME_CREATE) != 0;
  if (!creates && ((flags & KITH_NAME_OPEN) == 0 || (flags & flags_of_creators) != 0)) return false;
  const bool only_read = (flags & (KITH_NAME_OTHERS_READ | KITH_NAME_OTHERS_USE)) == KITH_NAME_OTHERS_READ;
  return !only_read || kind == shm::segment_kind::memory;
}

// Once in the life of a process, so that what crashes leave does not pile up. Relaxed: which thread does it matters to nobody, nor that the others
// do not wait for it.
void collect_once() {
  static constinit std::atomic<bool> done{false};
  if (done.load(std::memory_order_relaxed) || done.exchange(true, std::memory_order_relaxed)) return;
  size_t ignored = 0;
  (void)names_collect(in_ms(longest_wait_to_collect_ms), ignored);
}

// Ends a use, by `let_go`, and the object if nobody else uses it: both with the lock, so that nobody takes it for one that was left by a crash.
template <class LetGo>
void end_use(const platform::name_key& key, LetGo let_go) {
  platform::name_place place;
  if (platform::place_open(false, place) != KITH_OK) return let_go();
  const deadline until = in_ms(longest_wait_of_close_ms);
  bool found = false;
  platform::native_handle taken;  // goes after the lock: to free much memory takes long
  const place_guard locked(place, until);
  let_go();
  if (locked.status() == KITH_OK) (void)named_look(place, key, until, found, taken);
}

// One attempt after the other to find or make an object, until there is an answer.
class opening {
 public:
  opening(const named_wish& wish, const named_terms& terms, shm::segment& out, platform::bells& bells)
      : wish_(wish),
        terms_(terms),
        key_(key_of(wish.name, terms.plan->kind)),
        until_(in_ms(longest_wait_for_names_ms)),
        out_(out),
        bells_(bells) {}
  // The mapping first: Windows deletes no file that is mapped.
  ~opening() {
    if (has_made_) shm::segment_close(made_);
    platform::place_give_up(place_);
  }
  opening(const opening&) = delete;
  opening& operator=(const opening&) = delete;

  kith_status run_own(bool& created);
  kith_status run_foreign();

 private:
  kith_status look_or_publish(bool& created, bool& again);
  kith_status make_it();
  kith_status publish(bool& created);
  kith_status attach(platform::native_handle&& taken);
  kith_status attach_mapped(platform::memory&& mapped);

  const named_wish& wish_;
  const named_terms& terms_;
  const platform::name_key key_;
  const deadline until_;
  shm::segment& out_;
  platform::bells& bells_;
  platform::name_place place_;
  shm::segment made_;
  bool has_made_ = false;
};

kith_status opening::attach_mapped(platform::memory&& mapped) {
  const shm::segment_kind kind = terms_.plan->kind;
  if (!mapped.writable && kind != shm::segment_kind::memory) return KITH_E_DENIED;
  shm::segment found;
  kith_status status = shm::segment_attach_memory(std::move(mapped), kind, found);
  if (status != KITH_OK) return status;
  const bool is_it = std::memcmp(found.name.key.text, key_.text, sizeof key_.text) == 0;
  if (!is_it || !terms_.fits(terms_.context, found)) status = KITH_E_MISMATCH;
  if (status == KITH_OK) status = platform::place_bells(place_, key_, terms_.bells, bells_);
  if (status == KITH_OK) {
    out_ = std::move(found);
  } else {
    named_let_go(found);
  }
  return status;
}

// It cannot go away any more, so this needs no lock.
kith_status opening::attach(platform::native_handle&& taken) {
  platform::memory mapped;
  kith_status status = platform::place_attach(std::move(taken), mapped);
  if (status == KITH_OK) status = attach_mapped(std::move(mapped));
  if (status == KITH_OK) return KITH_OK;
  const auto let_go = [&] {
    platform::memory_close(mapped);
    taken.reset();
  };
  if (wish_.user != nullptr) {
    let_go();
  } else {
    end_use(key_, let_go);  // all others may have gone while we had it
  }
  return status;
}

kith_status opening::make_it() {
  const shm::name_plan named{&place_, key_, wish_.name, wish_.flags};
  shm::segment_plan plan = *terms_.plan;
  plan.name = &named;
  const kith_status status = shm::segment_create(plan, made_);
  if (status != KITH_OK) return status;
  has_made_ = true;
  terms_.prepare(terms_.context, made_);
  // Release: pairs with the acquire of who looks, where others can see it before it is published.
  if (platform::names_are_made_aside)
    made_.name.card->ready.store(shm::name_card_ready, std::memory_order_release);
  return KITH_OK;
}

kith_status opening::publish(bool& created) {
  const kith_status status =
      platform::place_publish(place_, key_, wish_.flags, made_.memory, terms_.bells, bells_);
  if (status != KITH_OK) return status;
  made_.name.card->ready.store(shm::name_card_ready, std::memory_order_release);
  has_made_ = false;
  out_ = std::move(made_);
  created = true;
  return KITH_OK;
}

kith_status opening::look_or_publish(bool& created, bool& again) {
  platform::native_handle taken;
  bool found = false;
  {
    const place_guard locked(place_, until_);
    kith_status status = locked.status();
    if (status == KITH_OK) status = named_look(place_, key_, until_, found, taken);
    if (status != KITH_OK) return status;
    if (found && !wish_.opens()) return KITH_E_EXISTS;
    if (!found && !wish_.creates()) return KITH_E_NOT_FOUND;
    if (!found && !has_made_ && !platform::names_are_made_aside) status = make_it();
    if (status != KITH_OK) return status;
    if (!found && has_made_) return publish(created);
  }
  if (found) return attach(std::move(taken));
  again = true;
  return make_it();
}

kith_status opening::run_own(bool& created) {
  kith_status status = platform::place_open(wish_.creates(), place_);
  if (status != KITH_OK) return status;
  bool again = true;
  while (status == KITH_OK && again) {
    again = false;
    status = while_busy(until_, [&] { return look_or_publish(created, again); });
  }
  return status;
}

kith_status opening::run_foreign() {
  kith_status status = platform::place_open_of(wish_.user, place_);
  if (status != KITH_OK) return status;
  platform::place_state state{};
  platform::native_handle taken;
  status = platform::place_take(place_, key_, until_, state, taken);
  if (status != KITH_OK) return status;
  if (state == platform::place_state::none) return KITH_E_NOT_FOUND;
  const bool is_left_over = state == platform::place_state::unused && !named_glance(taken).is_kept();
  return is_left_over ? kith_status{KITH_E_NOT_FOUND} : attach(std::move(taken));
}

}  // namespace

kith_status named_read_wish(const kith_naming* naming, shm::segment_kind kind, named_wish& out) {
  kith_naming wanted;
  if (naming == nullptr) return KITH_E_INVALID;
  if (kith_status status = read_options(naming, wanted, known_flags); status != KITH_OK) return status;
  if (!flags_agree(wanted.flags, kind)) return KITH_E_INVALID;
  out.flags = wanted.flags;
  const kith_status status = read_meeting_name(wanted.name, out.name);
  return status == KITH_OK ? read_user(wanted.user, out) : status;
}

kith_status named_open(const named_wish& wish, const named_terms& terms, shm::segment& out,
                       platform::bells& out_bells, bool& created) {
  if (wish.creates()) collect_once();
  opening attempt(wish, terms, out, out_bells);
  created = false;
  return wish.user == nullptr ? attempt.run_own(created) : attempt.run_foreign();
}

void named_let_go(shm::segment& self) {
  const platform::name_key key = self.name.key;
  const bool may_be_left = platform::names_outlive_users || self.name.was_persistent;
  if (!self.name.has_name() || !may_be_left) return shm::segment_close(self);
  end_use(key, [&] { shm::segment_close(self); });
}

card_glance named_glance(const platform::native_handle& taken) {
  card_glance out;
  shm::segment_header header;
  const uint64_t size = platform::place_size(taken);
  if (platform::place_read(taken, 0, &header, sizeof header) != KITH_OK) {
    out.is_ours = size == 0;
    return out;
  }
  out.is_ours = header.magic == shm::segment_magic || header.magic == 0;
  uint64_t words[2];  // ready, flags
  static_assert(offsetof(shm::name_card, ready) == 0 && offsetof(shm::name_card, flags) == 8);
  if (header.magic != shm::segment_magic || header.card == 0 || header.card > size ||
      platform::place_read(taken, header.card, words, sizeof words) != KITH_OK)
    return out;
  out.is_ready = words[0] == shm::name_card_ready;
  out.flags = words[1];
  return out;
}

kith_status named_look(platform::name_place& place, const platform::name_key& key, deadline until,
                       bool& found, platform::native_handle& out) {
  platform::place_state state{};
  platform::native_handle taken;
  found = false;
  const kith_status status = platform::place_take(place, key, until, state, taken);
  if (status != KITH_OK || state == platform::place_state::none) return status;
  const card_glance card = named_glance(taken);
  if (state == platform::place_state::unused && !card.is_kept()) {
    if (!card.is_ours) return KITH_E_DENIED;
    // Windows removes no file that is open, or mapped.
    if (!platform::names_outlive_users) taken.reset();
    out = std::move(taken);
    return platform::place_remove(place, key);
  }
  if (!platform::names_are_made_aside && !card.is_ready) return KITH_E_BUSY;
  found = true;
  out = std::move(taken);
  return KITH_OK;
}

}  // namespace kith
