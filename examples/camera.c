/* SPDX-License-Identifier: MIT
 * A camera service and its viewers, which are no relatives: they meet by a name. (So that this is one program to try, it starts itself as both.) */
#include <kith/kith.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { viewers = 2, width = 4, height = 3 };

static void check(kith_status status, const char* what) {
  if (status == KITH_OK) return;
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

/* [service] */
static int32_t service(const void* name, size_t size) {
  (void)size;
  kith_endpoint* endpoint;
  check(kith_endpoint_listen(name, NULL, &endpoint), "listen"); /* KITH_E_EXISTS: another service runs */

  kith_memory* picture;
  check(kith_memory_create(width * height, NULL, &picture), "create the picture");
  memset(kith_memory_data(picture), '*', width * height);

  for (int i = 0; i < viewers; ++i) {
    kith_channel* viewer;
    check(kith_endpoint_accept(endpoint, &viewer, KITH_FOREVER), "accept a viewer");
    kith_peer who;
    check(kith_channel_peer(viewer, &who), "see who it is"); /* pid and user, as the OS says */
    if (who.pid <= 0) return 1;
    check(kith_channel_send_object(viewer, picture, NULL, 0, KITH_FOREVER), "send the picture");
    kith_channel_close(viewer);
  }
  kith_memory_close(picture);
  kith_endpoint_close(endpoint); /* the name is free; it would be if we were killed, too */
  return 0;
}
/* [service] end */

/* [viewer] */
static int32_t viewer(const void* name, size_t size) {
  (void)size;
  const kith_connect_options options = {.struct_size = sizeof options, .flags = KITH_CONNECT_WAIT};
  kith_channel* camera;
  check(kith_connect(name, &options, &camera, 10000), "connect to the camera");

  void* object;
  int32_t kind;
  size_t note;
  check(kith_channel_recv_object(camera, &object, &kind, NULL, 0, &note, KITH_FOREVER), "receive");
  if (kind != KITH_OBJECT_MEMORY) return 1;
  kith_memory* picture = object; /* the same bytes as the service's, without a copy */
  const char* pixels = kith_memory_data(picture);
  for (int y = 0; y < height; ++y) printf("%.*s\n", (int)width, pixels + y * width);
  kith_memory_close(picture);
  kith_channel_close(camera);
  return 0;
}
/* [viewer] end */

static kith_process* start(kith_entry entry, const char* name) {
  const kith_process_options options = {
      .struct_size = sizeof options, .entry = entry, .argument = name, .argument_size = strlen(name) + 1};
  kith_process* process;
  check(kith_process_spawn(&options, &process), "start");
  return process;
}

static void await_end(kith_process* process) {
  kith_exit end;
  check(kith_process_wait(process, KITH_FOREVER, &end), "wait");
  if (end.kind != KITH_EXIT_CODE || end.code != 0) exit(1);
  kith_process_close(process);
}

int main(int argc, char** argv) {
  int32_t code;
  if (kith_child_main(&code)) return code;
  const char* const name = argc > 1 ? argv[1] : "camera of the example";

  kith_process* camera = start(service, name);
  for (int i = 0; i < viewers; ++i) await_end(start(viewer, name));
  await_end(camera);
  return 0;
}
