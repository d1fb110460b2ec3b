/* SPDX-License-Identifier: MIT
 *
 * kith_uv: channels, queues, broadcasts, events, streams, processes and endpoints in a libuv loop. A library of its own, kith_uv, made of kith.h and libuv alone: link it
 * with the libuv that runs your loop.
 *
 * THE RULES
 *
 * Callbacks  run in the thread that runs the loop, inside uv_run. Every function here is for that thread only.
 * Turns      A watch calls back at most `most_per_turn` times before other handles of the loop have their turn, so that a fast sender does
 *            not starve them.
 * Objects    stay yours: close them after the callback of kith_uv_close. An object has one watch at a time. A channel's other calls may be
 *            used meanwhile: whoever receives by hand takes messages away from the watch.
 * Loops      An active watch keeps the loop alive until its last callback (the end of the channel, queue, stream or process) or kith_uv_close;
 *            kith_uv_unref makes that otherwise.
 * Deaths     A process that is killed at the very moment when it should tell us cannot: each watch looks by itself four times a second.
 */
#ifndef KITH_KITH_UV_H
#define KITH_KITH_UV_H

#include <kith/kith.h>
#include <uv.h>

#if defined(__GNUC__) && !defined(_WIN32)
#define KITH_UV_API __attribute__((visibility("default")))
#else
#define KITH_UV_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* An object that a loop watches. */
typedef struct kith_uv_watch kith_uv_watch;

typedef struct kith_uv_options {
  uint32_t struct_size;   /* sizeof(kith_uv_options) */
  uint32_t flags;         /* none yet: 0 */
  uint32_t most_per_turn; /* callbacks before the loop goes on; 0: 64 */
  uint32_t reserved;      /* 0 */
  uint64_t most_pending;  /* bytes that kith_uv_send keeps while the channel is full; 0: 16 MiB */
  void *user;             /* for kith_uv_user */
} kith_uv_options;

typedef struct kith_uv_message {
  const void *data; /* good until the callback returns */
  size_t size;
  void *object; /* what came with the message, of the kind `kind`: yours to close. NULL: nothing */
  int32_t kind; /* KITH_OBJECT_... */
  int32_t reserved;
  uint64_t missed; /* of a reader: messages that it has missed before this one */
} kith_uv_message;

/* `message` is NULL unless `status` is KITH_OK, or of a reader KITH_MISSED. Any other status is the last thing that the watch tells: why the channel or queue ended
 * (KITH_E_CLOSED, KITH_E_PEER_DIED, ...). Close the watch then, there or later. */
typedef void (*kith_uv_message_cb)(kith_uv_watch *watch, kith_status status, const kith_uv_message *message);
/* The event is set (KITH_OK), or cannot be waited for any more. An auto-reset event is cleared by this. A manual-reset event stays set: clear it, or
 * the callback comes in every turn of the loop. */
typedef void (*kith_uv_event_cb)(kith_uv_watch *watch, kith_status status);
/* The process has ended; the last thing that the watch tells. `how` is NULL unless `status` is KITH_OK. */
typedef void (*kith_uv_exit_cb)(kith_uv_watch *watch, kith_status status, const kith_exit *how);
/* A message of kith_uv_send was sent (KITH_OK), or was not. */
typedef void (*kith_uv_sent_cb)(kith_uv_watch *watch, kith_status status, void *request);
/* Somebody has connected: `channel` is yours to close. Any status but KITH_OK is the last thing that the watch tells; `channel` is NULL then. */
typedef void (*kith_uv_accept_cb)(kith_uv_watch *watch, kith_status status, kith_channel *channel);
typedef void (*kith_uv_close_cb)(kith_uv_watch *watch);

/* Receives the messages of a channel. `callback` may be NULL: then the watch only sends.
 * Returns: KITH_OK; KITH_E_INVALID; KITH_E_MISMATCH (another kind of object); KITH_E_UNSUPPORTED (an unknown flag); KITH_E_MOVED;
 * KITH_E_NO_MEMORY; KITH_E_LIMIT; KITH_E_OS. Lifetime: *out until the callback of kith_uv_close. Threads: the loop's. Since: 0.1 */
KITH_UV_API kith_status kith_uv_channel(uv_loop_t *loop, kith_channel *channel, const kith_uv_options *options,
                                        kith_uv_message_cb callback, kith_uv_watch **out);

/* Takes the items of a queue. In other things as kith_uv_channel.
 * Returns: as kith_uv_channel. Lifetime: as there. Threads: the loop's. Since: 0.1 */
KITH_UV_API kith_status kith_uv_queue(uv_loop_t *loop, kith_queue *queue, const kith_uv_options *options, kith_uv_message_cb callback,
                                      kith_uv_watch **out);

/* Reads a broadcast. In other things as kith_uv_channel.
 * Returns: as kith_uv_channel. Lifetime: as there. Threads: the loop's. Platforms: but on Linux it looks every 25 ms. Since: 0.1 */
KITH_UV_API kith_status kith_uv_reader(uv_loop_t *loop, kith_reader *reader, const kith_uv_options *options, kith_uv_message_cb callback,
                                       kith_uv_watch **out);

/* Tells when an event is set.
 * Returns: as kith_uv_channel. Lifetime: as there. Threads: the loop's. Since: 0.1 */
KITH_UV_API kith_status kith_uv_event(uv_loop_t *loop, kith_event *event, const kith_uv_options *options, kith_uv_event_cb callback,
                                      kith_uv_watch **out);

/* Reads a stream: each "message" is what has come, of any size; KITH_E_CLOSED is its end. Of a stream that is written `callback` is NULL, and the
 * watch is for kith_uv_send.
 * Returns: as kith_uv_channel; KITH_E_INVALID also when `callback` is missing, or not wanted. Lifetime: as there. Threads: the loop's.
 * Platforms: on Windows a stream that is written looks for room 40 times a second. Since: 0.1 */
KITH_UV_API kith_status kith_uv_stream(uv_loop_t *loop, kith_stream *stream, const kith_uv_options *options, kith_uv_message_cb callback,
                                       kith_uv_watch **out);

/* Tells when a process has ended, and how.
 * Returns: as kith_uv_channel. Lifetime: as there. Threads: the loop's. Platforms: as kith_wait_any. Since: 0.1 */
KITH_UV_API kith_status kith_uv_process(uv_loop_t *loop, kith_process *process, const kith_uv_options *options, kith_uv_exit_cb callback,
                                        kith_uv_watch **out);

/* Accepts who connects to an endpoint.
 * Returns: as kith_uv_channel. Lifetime: as there. Threads: the loop's. Since: 0.1 */
KITH_UV_API kith_status kith_uv_endpoint(uv_loop_t *loop, kith_endpoint *endpoint, const kith_uv_options *options,
                                         kith_uv_accept_cb callback, kith_uv_watch **out);

/* Sends a message through a watched channel, or bytes through a watched stream, without waiting: what there is no room for is copied, and sent as
 * room comes, in order.
 * `sent` (may be NULL) is called once for each message that was accepted, with `request`; perhaps before this call returns. Messages that are
 * still pending when the channel ends or the watch is closed are told so (KITH_E_CLOSED, ...).
 * Returns: KITH_OK (accepted); KITH_E_BUSY (most_pending bytes are pending: go on when some have been sent); KITH_E_MISMATCH (no channel,
 * nor a stream that is written); KITH_E_NO_MEMORY; otherwise as kith_channel_send or kith_stream_write. Platforms: a message that is larger than the ring is sent by a thread of libuv's pool.
 * Threads: the loop's. Since: 0.1 */
KITH_UV_API kith_status kith_uv_send(kith_uv_watch *watch, const void *data, size_t size, kith_uv_sent_cb sent, void *request);

/* How many bytes kith_uv_send has accepted that are not sent yet.
 * Returns: bytes; 0 when watch is NULL. Threads: the loop's. Since: 0.1 */
KITH_UV_API uint64_t kith_uv_pending(const kith_uv_watch *watch);

/* No more callbacks for what comes, until kith_uv_resume: what is sent stays in the channel or queue, and its senders wait once that is full.
 * Returns: KITH_OK; KITH_E_INVALID. Threads: the loop's. Since: 0.1 */
KITH_UV_API kith_status kith_uv_pause(kith_uv_watch *watch);

/* Goes on after kith_uv_pause.
 * Returns: KITH_OK; KITH_E_INVALID. Threads: the loop's. Since: 0.1 */
KITH_UV_API kith_status kith_uv_resume(kith_uv_watch *watch);

/* The watch alone does not keep the loop running any more.
 * Returns: KITH_OK; KITH_E_INVALID. Threads: the loop's. Since: 0.1 */
KITH_UV_API kith_status kith_uv_unref(kith_uv_watch *watch);

/* What the options had for `user`.
 * Returns: it; NULL when watch is NULL. Threads: the loop's. Since: 0.1 */
KITH_UV_API void *kith_uv_user(const kith_uv_watch *watch);

/* Ends the watch, also in one of its callbacks, of which no more comes but those of pending messages. `closed` (may be NULL) is the last one; the
 * watch is gone after it. The object is not closed. NULL, and a second close, do nothing.
 * Threads: the loop's. Since: 0.1 */
KITH_UV_API void kith_uv_close(kith_uv_watch *watch, kith_uv_close_cb closed);

#ifdef __cplusplus
}
#endif

#endif /* KITH_KITH_UV_H */
