/* SPDX-License-Identifier: MIT
 *
 * Objects that are made after the child was started reach it through a channel. */
#include <kith/kith.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the program when a call did not succeed, saying what failed and why. */
static void check(kith_status status, const char* what) {
  if (status == KITH_OK) return;
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

/* Squares each array that comes, in place, and answers. */
static int32_t squarer(const void* argument, size_t argument_size) {
  (void)argument;
  (void)argument_size;
  kith_channel* parent;
  check(kith_channel_inherit("parent", &parent), "take the channel");
  /* [receive] */
  void* object;
  int32_t kind;
  char note[64];
  size_t size;
  while (kith_channel_recv_object(parent, &object, &kind, note, sizeof note, &size, KITH_FOREVER) ==
         KITH_OK) {
    if (kind != KITH_OBJECT_ARRAY) return 1;
    kith_array* array = object; /* ours now: the same elements as the sender's */
    int32_t* elements = kith_array_data(array);
    for (size_t i = 0; i < kith_array_count(array); ++i) elements[i] *= elements[i];
    kith_array_close(array);
    check(kith_channel_send(parent, note, size, KITH_FOREVER), "answer");
  }
  /* [receive] end */
  kith_channel_close(parent);
  return 0;
}

int main(void) {
  int32_t code;
  if (kith_child_main(&code)) return code;

  kith_channel *child_line, *theirs;
  check(kith_channel_create(NULL, &child_line, &theirs), "create a channel");
  const kith_share share = {"parent", theirs};
  const kith_process_options options = {
      .struct_size = sizeof options, .entry = squarer, .shares = &share, .share_count = 1};
  kith_process* child;
  check(kith_process_spawn(&options, &child), "start the child");
  kith_channel_close(theirs);

  for (size_t count = 3; count <= 5; ++count) {
    /* [send] */
    kith_array* array;
    check(kith_array_create(KITH_I32, count, NULL, &array), "create an array");
    int32_t* elements = kith_array_data(array);
    for (size_t i = 0; i < count; ++i) elements[i] = (int32_t)i + 1;
    check(kith_channel_send_object(child_line, array, "square it", 9, KITH_FOREVER), "send the array");
    /* [send] end */
    char note[64];
    size_t size;
    check(kith_channel_recv(child_line, note, sizeof note, &size, KITH_FOREVER), "wait for the answer");
    printf("%.*s:", (int)size, note);
    for (size_t i = 0; i < count; ++i) printf(" %d", (int)elements[i]);
    printf("\n");
    kith_array_close(array);
  }
  kith_channel_close(child_line);
  kith_exit end;
  check(kith_process_wait(child, KITH_FOREVER, &end), "wait for the child");
  kith_process_close(child);
  return 0;
}
