// SPDX-License-Identifier: MIT
// The soak: workers use all kinds of synchronisation objects at random, the parent kills and suspends them at random, and what must
// hold whatever is killed is checked all the time.
//
// Parent and workers write down on a board in shared memory what they do. The board's atomics are all seq_cst: what is being tested is
// the library, and not the order of the notes about it.
#pragma once

#include <kith/kith.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace soak {

inline constexpr uint32_t most_workers = 32;
inline constexpr uint32_t permit_count = 2;
inline constexpr uint32_t signals_at_first = 4;
inline constexpr uint32_t most_signals = 8;
inline constexpr uint64_t queue_capacity = 3;
inline constexpr uint32_t barrier_parties = 2;
inline constexpr uint64_t line_ring = 4096;
inline constexpr uint64_t item_room = 8192;
// For what is there, or comes regularly. Long beside the moments in which a virtual machine stands still.
inline constexpr int64_t longest_wait_ms = 10'000;

// What is being soaked.
enum object_id : uint32_t {
  plain_lock,
  recursive_lock,
  array_lock,
  owned_semaphore,
  signal_semaphore,
  bounded_queue,  // a lock and two conditions
  ticket_office,  // a lock, and a condition whose notifications are counted one by one
  auto_event,
  manual_event,
  barrier,
  message_line,  // a channel between each worker and the parent
  item_queue,
  told_broadcast,  // its readers are told what they missed
  held_broadcast,  // its readers hold the writers back
  object_count
};
extern const char* const object_names[object_count + 1];  // the last one: none yet

// ---- the board ---------------------------------------------------------------------------------------------------------------

// What a lock protects, beside the lock. `inside` is who holds it; 0: nobody.
struct room {
  std::atomic<uint64_t> inside;
};

// Volatile: a kill must find the writes in the order in which they stand in the source.
struct pair_room : room {
  volatile uint64_t a;  // written first: equal to b, or one ahead when its writer was killed
  volatile uint64_t b;
};

struct queue_room : room {
  volatile uint64_t produced;
  volatile uint64_t consumed;
  volatile uint64_t count;  // the difference of the two
  volatile uint64_t not_empty_since_us;
  volatile uint64_t not_full_since_us;
};

struct ticket_room : room {
  volatile uint64_t tickets;  // put there by the parent, with a notification for each
  volatile uint64_t since_us;
};

// The two broadcasts.
enum news : uint32_t { told, held, news_count };

// What a worker was about when it was killed, where it is unknown afterwards whether it has done it.
enum doubt : uint32_t {
  no_doubt,
  taking_signal,
  giving_signal,
  passing_barrier,
  putting_item,
  taking_item,
  publishing_told,
  publishing_held,
  doubt_count
};

// One worker's place, which its successors take over: counters go on. Only the worker writes, except where it says otherwise.
struct alignas(64) place {
  std::atomic<uint64_t> doomed;  // by the parent, before it kills: that one, and all before it at this place
  std::atomic<uint64_t> progress;
  std::atomic<uint32_t> object;     // what it does now: an object_id,
  std::atomic<uint32_t> operation;  // and which call: an index of operation_names
  std::atomic<uint32_t> doubt;
  std::atomic<uint32_t>
      awaits_ticket;             // under the lock of the ticket office; the parent clears it for the killed
  std::atomic<uint64_t> permit;  // what it holds of the owned semaphore; the parent clears it for the killed
  std::atomic<uint64_t> signals_taken;
  std::atomic<uint64_t> signals_given;
  std::atomic<uint64_t> barriers_passed;
  std::atomic<uint64_t> barriers_last;
  std::atomic<uint64_t> barriers_broken;
  std::atomic<uint64_t>
      barriers_early;  // timed out before the time, as the table was held by a suspended one
  std::atomic<uint64_t> tickets_taken;
  std::atomic<uint64_t> messages_sent;  // by this worker; the parent clears it for the next one
  std::atomic<uint64_t> messages_received;
  std::atomic<uint64_t> messages_given_up;
  std::atomic<uint64_t> items_put;
  std::atomic<uint64_t> items_taken;
  std::atomic<uint64_t> published[news_count];
  std::atomic<uint64_t> uses[object_count];
  std::atomic<uint64_t> deaths_told[object_count];
  std::atomic<uint64_t> longest_wait_us[object_count];
  std::atomic<uint32_t> failed;  // 0, or the how-manieth it was; the text is whole when the process has ended
  char failure[240];
};

struct board {
  std::atomic<uint32_t> stop;
  std::atomic<uint32_t> failures;
  uint32_t workers;
  pair_room plain;
  pair_room recursive;
  queue_room queue;
  ticket_room tickets;
  place places[most_workers + 1];  // the one after the workers' is the parent's
};

// ---- the objects -------------------------------------------------------------------------------------------------------------

struct objects {
  kith_memory* memory = nullptr;  // the board
  kith_lock* plain = nullptr;
  kith_lock* recursive = nullptr;
  kith_array* array = nullptr;  // a pair_room
  kith_semaphore* permits = nullptr;
  kith_semaphore* signals = nullptr;
  kith_lock* queue = nullptr;
  kith_condition* not_empty = nullptr;
  kith_condition* not_full = nullptr;
  kith_lock* tickets = nullptr;
  kith_condition* ticket_posted = nullptr;
  kith_event* auto_reset = nullptr;
  kith_event* manual = nullptr;
  kith_barrier* barrier = nullptr;
  kith_queue* items = nullptr;
  kith_broadcast* told = nullptr;
  kith_broadcast* held = nullptr;
  kith_channel* line = nullptr;  // a worker's; its end only
};

inline constexpr size_t share_count = 17;

bool create_objects(objects& all);
bool inherit_objects(objects& all);
void list_shares(const objects& all, kith_share* shares);  // share_count of them; the line is not among them
void close_objects(objects& all);

// ---- somebody who uses them --------------------------------------------------------------------------------------------------

enum operation_id : uint32_t {
  starting,
  acquiring,
  acquiring_again,
  releasing,
  marking,
  waiting,
  notifying,
  setting,
  clearing,
  resetting,
  putting,
  taking,
  outside,
  operation_count
};
extern const char* const operation_names[operation_count];

// The last item of a place that somebody took.
struct item_seen {
  uint64_t sender = 0;
  uint64_t number = 0;
};

// Of a broadcast, and what it has seen of each sender.
struct listener {
  kith_reader* reader = nullptr;
  bool from_the_beginning = false;
  uint64_t got_or_missed = 0;
  item_seen seen[most_workers + 1];
};

// A worker, or the parent.
struct actor {
  objects all;
  board* notes = nullptr;
  place* mine = nullptr;
  uint64_t me = 0;  // differs between all that ever were; the low byte is the place
  uint64_t random = 0;
  uint64_t permits_taken = 0;
  uint64_t items_made = 0;
  item_seen items_seen[most_workers + 1];
  uint64_t published[news_count] = {};
  listener listeners[news_count];
  bool wrong = false;  // an invariant does not hold: mine->failure says which
};

inline constexpr uint32_t place_bits = 8;
inline uint64_t name_of(uint64_t number, uint32_t at) { return number << place_bits | at; }
bool is_doomed(const board& notes, uint64_t name);

struct worker_argument {
  uint64_t number;
  uint64_t seed;
  uint32_t place;
  uint32_t reserved;
};

int32_t work(const void* argument, size_t size);  // the entry function of the workers

uint64_t now_us();
uint64_t next_random(uint64_t& state);
void add(std::atomic<uint64_t>& counter, uint64_t more = 1);  // that only one process writes
void begin(actor& self, object_id object, operation_id operation);
// Of anything found wrong, the first is kept.
void fail(actor& self, const char* format, ...);
// The call must return what is expected.
void expect(actor& self, const char* call, kith_status status, kith_status expected);

// Enters a room, and checks whether it may. KITH_OK, KITH_OWNER_DIED: it is inside; KITH_E_TIMEOUT: not in the time that it was ready to
// wait; otherwise something is wrong.
kith_status enter(actor& self, object_id object, kith_lock* lock, room& where, int64_t timeout_ms);
void leave(actor& self, kith_lock* lock, room& where);
// One turn of each kind.
using turn = void (*)(actor& self);
extern const turn turns[object_count];

// Not at all, a little, or as long as anybody ever should have to.
int64_t some_timeout(actor& self);
// A call that waited: a wait that may be in vain was, or the call succeeded.
void judge(actor& self, const char* call, kith_status status, int64_t timeout_ms, uint64_t start);

// soak_messages.cpp
// What the message of that number is made of.
void write_bytes(unsigned char* bytes, size_t size, uint64_t sender, uint64_t number);
bool are_bytes_of(const unsigned char* bytes, size_t size, uint64_t sender, uint64_t number);
void use_line(actor& self);
void use_items(actor& self);
kith_status put_item(actor& self, int64_t timeout_ms);
kith_status take_item(actor& self, int64_t timeout_ms);

// soak_broadcasts.cpp
bool create_broadcasts(objects& all);
void use_told(actor& self);
void use_held(actor& self);
void stop_listening(actor& self);

// What the parent does with the queue and the ticket office, too.
void repair_queue(actor& self);
void check_queue(actor& self, kith_status told);
void change_queue(actor& self, bool produce);
void repair_tickets(actor& self);
void check_pair(actor& self, kith_lock* lock, pair_room& pair, kith_status told);
pair_room& pair_in_array(const objects& all);

// ---- the OS: soak_posix.cpp, soak_win32.cpp ------------------------------------------------------------------------------------

extern const int64_t stuck_after_ms;  // a worker without any progress for so long will make none
bool suspend(int64_t pid);            // false: this OS cannot
void resume(int64_t pid);
size_t open_handles();
bool may_spawn_again();  // after KITH_E_OS: the OS is known to fail so now and then
bool has_children();     // that run, or that nobody reaped; Windows: never

}  // namespace soak
