/* SPDX-License-Identifier: MIT
 *
 * Large messages without a copy: the child writes each picture into the channel itself, and the parent reads it there. Small messages go many
 * at once. */
#include <kith/kith.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { pictures = 3, bytes_of_picture = 1 << 20, samples = 1000 };

/* Ends the program when a call did not succeed, saying what failed and why. */
static void check(kith_status status, const char* what) {
  if (status == KITH_OK) return;
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

static int32_t camera(const void* argument, size_t argument_size) {
  (void)argument;
  (void)argument_size;
  kith_channel* viewer;
  check(kith_channel_inherit("viewer", &viewer), "take the channel");

  /* [reserve] */
  for (int i = 1; i <= pictures; ++i) {
    void* picture;
    check(kith_channel_reserve(viewer, bytes_of_picture, &picture, KITH_FOREVER), "reserve");
    memset(picture, i, bytes_of_picture); /* takes the picture, where the viewer will see it */
    check(kith_channel_commit(viewer, bytes_of_picture), "commit");
  }
  /* [reserve] end */

  /* [many] */
  int32_t values[samples];
  size_t sizes[samples];
  for (int i = 0; i < samples; ++i) {
    values[i] = i;
    sizes[i] = sizeof values[i];
  }
  check(kith_channel_send_many(viewer, values, sizes, samples, NULL, KITH_FOREVER), "send many");
  /* [many] end */
  kith_channel_close(viewer);
  return 0;
}

int main(void) {
  int32_t code;
  if (kith_child_main(&code)) return code;

  /* [ring] */
  const kith_channel_options options = {.struct_size = sizeof options,
                                        .ring_size = 4 * bytes_of_picture}; /* room for some pictures */
  kith_channel *channel, *theirs;
  check(kith_channel_create(&options, &channel, &theirs), "create a channel");
  /* [ring] end */
  const kith_share share = {"viewer", theirs};
  const kith_process_options child_options = {
      .struct_size = sizeof child_options, .entry = camera, .shares = &share, .share_count = 1};
  kith_process* child;
  check(kith_process_spawn(&child_options, &child), "start the camera");
  kith_channel_close(theirs);

  /* [peek] */
  for (int i = 1; i <= pictures; ++i) {
    const void* picture;
    size_t size;
    check(kith_channel_peek(channel, &picture, &size, KITH_FOREVER), "peek");
    const unsigned char* bytes = picture;
    printf("picture %d: %zu bytes, the last is %d\n", i, size, bytes[size - 1]);
    check(kith_channel_consume(channel), "consume"); /* its room is free for the next one */
  }
  /* [peek] end */

  int32_t values[100];
  size_t sizes[100], count;
  int64_t sum = 0, received = 0;
  while (kith_channel_recv_many(channel, values, sizeof values, sizes, 100, &count, KITH_FOREVER) ==
         KITH_OK) {
    for (size_t i = 0; i < count; ++i) sum += values[i];
    received += (int64_t)count;
  }
  printf("%lld samples, their sum is %lld\n", (long long)received, (long long)sum);

  kith_exit end;
  check(kith_process_wait(child, KITH_FOREVER, &end), "wait for the camera");
  kith_process_close(child);
  kith_channel_close(channel);
  return 0;
}
