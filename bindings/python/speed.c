/* SPDX-License-Identifier: MIT
 *
 * The common paths of kith.multiprocessing without ctypes, whose call costs more than what is called. The package works without this module.
 *
 * One binary is good for CPython 3.8 and later: it uses the limited API only. It is not linked with kith: bind() is told where the
 * functions are that the package has loaded. */
#define Py_LIMITED_API 0x03080000
#include <Python.h>

#include <stdint.h>

/* Part of the limited API since 3.10, and the same since 3.7. */
#ifndef METH_FASTCALL
#define METH_FASTCALL 0x0080
#endif

enum { ok = 0, owner_died = 1, timed_out = -3, buffer_size = 65536, small = 16384, slice_ms = 1000 };

static int32_t (*lock_acquire)(void *, int64_t);
static int32_t (*lock_release)(void *);
typedef int32_t send_function(void *, const void *, size_t, int64_t);
typedef int32_t receive_function(void *, void *, size_t, size_t *, int64_t);
static send_function *channel_send, *queue_put;
static receive_function *channel_recv, *queue_get;

/* ---- locks --------------------------------------------------------------------------------------------------------------------- */

/* What is not over at once is Python's: the methods that these call by name. */
typedef struct {
  PyObject_HEAD
  void *lock;
} lock_object;

static PyObject *call_with(PyObject *self, const char *name, PyObject *const *args, Py_ssize_t count, PyObject *names) {
  PyObject *method = PyObject_GetAttrString(self, name);
  PyObject *positional = PyTuple_New(count), *named = NULL, *result = NULL;
  if (method == NULL || positional == NULL) goto done;
  for (Py_ssize_t i = 0; i < count; ++i) {
    Py_INCREF(args[i]);
    if (PyTuple_SetItem(positional, i, args[i]) != 0) goto done;
  }
  if (names != NULL) {
    named = PyDict_New();
    if (named == NULL) goto done;
    for (Py_ssize_t i = 0; i < PyTuple_Size(names); ++i) {
      if (PyDict_SetItem(named, PyTuple_GetItem(names, i), args[count + i]) != 0) goto done;
    }
  }
  result = PyObject_Call(method, positional, named);
done:
  Py_XDECREF(named);
  Py_XDECREF(positional);
  Py_XDECREF(method);
  return result;
}

static PyObject *acquire(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names) {
  const int32_t status = lock_acquire(((lock_object *)self)->lock, 0);
  if (status == ok) Py_RETURN_TRUE;
  PyObject *said = PyObject_CallMethod(self, "_tried", "i", (int)status);
  if (said == NULL) return NULL;
  Py_DECREF(said);
  return call_with(self, "_acquire", args, count, names);
}

static PyObject *release(PyObject *self, PyObject *unused) {
  (void)unused;
  if (lock_release(((lock_object *)self)->lock) == ok) Py_RETURN_NONE;
  return PyObject_CallMethod(self, "_release_failed", NULL);
}

/* Waits a while, if it must, and lets other threads run meanwhile. */
static int32_t acquire_soon(void *lock) {
  int32_t status = lock_acquire(lock, 0);
  if (status == timed_out) {
    Py_BEGIN_ALLOW_THREADS
    status = lock_acquire(lock, slice_ms);
    Py_END_ALLOW_THREADS
  }
  return status;
}

static PyObject *enter(PyObject *self, PyObject *unused) {
  (void)unused;
  const int32_t status = acquire_soon(((lock_object *)self)->lock);
  if (status == ok) Py_RETURN_TRUE;
  return PyObject_CallMethod(self, "_enter", "i", (int)status);
}

static PyObject *leave(PyObject *self, PyObject *const *args, Py_ssize_t count) {
  (void)args;
  (void)count;
  return release(self, NULL);
}

static PyObject *set_lock(PyObject *self, PyObject *value) {
  void *lock = PyLong_AsVoidPtr(value);
  if (lock == NULL && PyErr_Occurred()) return NULL;
  ((lock_object *)self)->lock = lock;
  Py_RETURN_NONE;
}

static PyMethodDef lock_methods[] = {
    {"acquire", (PyCFunction)(void (*)(void))acquire, METH_FASTCALL | METH_KEYWORDS, NULL},
    {"release", release, METH_NOARGS, NULL},
    {"__enter__", enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))leave, METH_FASTCALL, NULL},
    {"_set_lock", set_lock, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot lock_slots[] = {{Py_tp_methods, lock_methods}, {0, NULL}};
static PyType_Spec lock_spec = {"kith._speed.Lock", sizeof(lock_object), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, lock_slots};

/* ---- values -------------------------------------------------------------------------------------------------------------------- */

/* A number in shared memory, which is read and written under its lock. */
typedef struct {
  PyObject_HEAD
  void *lock;
  void *data;
  PyObject *lock_object; /* what get_lock() gives */
  int code; /* as the module struct has it, always of 4 or 8 bytes: i I q Q d */
} value_object;

static PyObject *read_number(const value_object *self) {
  switch (self->code) {
    case 'i': return PyLong_FromLong(*(volatile int32_t *)self->data);
    case 'I': return PyLong_FromUnsignedLong(*(volatile uint32_t *)self->data);
    case 'q': return PyLong_FromLongLong(*(volatile int64_t *)self->data);
    case 'Q': return PyLong_FromUnsignedLongLong(*(volatile uint64_t *)self->data);
    case 'd': return PyFloat_FromDouble(*(volatile double *)self->data);
    default: return NULL;
  }
}

/* As ctypes has it: numbers that do not fit lose their upper bits. Before the lock is taken, as it may run Python. */
static int convert(const value_object *self, PyObject *value, unsigned long long *integer, double *real) {
  if (self->code == 'd') {
    *real = PyFloat_AsDouble(value);
    return *real != -1.0 || PyErr_Occurred() == NULL;
  }
  if (!PyLong_Check(value) && PyFloat_Check(value)) {
    PyErr_SetString(PyExc_TypeError, "int expected instead of float instance");
    return 0;
  }
  *integer = PyLong_AsUnsignedLongLongMask(value);
  return *integer != (unsigned long long)-1 || PyErr_Occurred() == NULL;
}

static void write_number(const value_object *self, unsigned long long integer, double real) {
  switch (self->code) {
    case 'i':
    case 'I': *(volatile uint32_t *)self->data = (uint32_t)integer; break;
    case 'q':
    case 'Q': *(volatile uint64_t *)self->data = integer; break;
    default: *(volatile double *)self->data = real; break;
  }
}

/* Whether the number may be used now; if not, the slow way tells why. */
static int acquire_value(const value_object *self) {
  if (self->code == 0) return 0;
  const int32_t status = acquire_soon(self->lock);
  if (status == owner_died) lock_release(self->lock); /* who acquires it next is told again */
  return status == ok;
}

static PyObject *get_value(PyObject *object, void *unused) {
  const value_object *self = (value_object *)object;
  (void)unused;
  if (!acquire_value(self)) return PyObject_CallMethod(object, "_get", NULL);
  PyObject *result = read_number(self);
  lock_release(self->lock);
  return result;
}

static int set_value(PyObject *object, PyObject *value, void *unused) {
  const value_object *self = (value_object *)object;
  unsigned long long integer = 0;
  double real = 0;
  (void)unused;
  if (value == NULL) {
    PyErr_SetString(PyExc_AttributeError, "value cannot be deleted");
    return -1;
  }
  if (self->code != 0 && !convert(self, value, &integer, &real)) return -1;
  if (!acquire_value(self)) {
    PyObject *done = PyObject_CallMethod(object, "_set", "O", value);
    Py_XDECREF(done);
    return done != NULL ? 0 : -1;
  }
  write_number(self, integer, real);
  lock_release(self->lock);
  return 0;
}

static PyObject *get_lock(PyObject *object, PyObject *unused) {
  PyObject *lock = ((value_object *)object)->lock_object;
  (void)unused;
  if (lock == NULL) return PyObject_GetAttrString(object, "_lock");
  Py_INCREF(lock);
  return lock;
}

static void value_dealloc(PyObject *object) {
  PyTypeObject *type = Py_TYPE(object);
  Py_CLEAR(((value_object *)object)->lock_object);
  ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
  Py_DECREF(type);
}

/* (lock object, its address, address of the number, code) */
static PyObject *set_place(PyObject *object, PyObject *args) {
  value_object *self = (value_object *)object;
  PyObject *lock_object, *before = self->lock_object;
  unsigned long long lock, data;
  int code;
  if (!PyArg_ParseTuple(args, "OKKC", &lock_object, &lock, &data, &code)) return NULL;
  Py_INCREF(lock_object);
  self->lock_object = lock_object;
  Py_XDECREF(before);
  self->lock = (void *)(uintptr_t)lock;
  self->data = (void *)(uintptr_t)data;
  self->code = code;
  Py_RETURN_NONE;
}

static PyMethodDef value_methods[] = {
    {"get_lock", get_lock, METH_NOARGS, NULL},
    {"_set_place", set_place, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef value_members[] = {{"value", get_value, set_value, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot value_slots[] = {
    {Py_tp_methods, value_methods}, {Py_tp_getset, value_members}, {Py_tp_dealloc, (void *)value_dealloc}, {0, NULL}};
static PyType_Spec value_spec = {"kith._speed.Value", sizeof(value_object), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, value_slots};

/* ---- messages ------------------------------------------------------------------------------------------------------------------ */

static int handle_and_time(PyObject *const *args, void **handle, int64_t *timeout) {
  *handle = PyLong_AsVoidPtr(args[0]);
  *timeout = PyLong_AsLongLong(args[1]);
  return !PyErr_Occurred();
}

/* What is small goes at once, if there is room, without letting other threads run. */
static int32_t send_soon(send_function *function, void *handle, const char *data, Py_ssize_t size, int64_t timeout) {
  int32_t status = timed_out;
  if (size <= small || timeout == 0) status = function(handle, data, (size_t)size, 0);
  if (status == timed_out && timeout != 0) {
    Py_BEGIN_ALLOW_THREADS
    status = function(handle, data, (size_t)size, timeout);
    Py_END_ALLOW_THREADS
  }
  return status;
}

/* (handle, timeout, bytes) -> status */
static PyObject *send_by(send_function *function, PyObject *const *args, Py_ssize_t count) {
  void *handle;
  int64_t timeout;
  char *data;
  Py_ssize_t size;
  if (count != 3) return PyErr_Format(PyExc_TypeError, "three arguments");
  if (!handle_and_time(args, &handle, &timeout) || PyBytes_AsStringAndSize(args[2], &data, &size) != 0) return NULL;
  return PyLong_FromLong(send_soon(function, handle, data, size, timeout));
}

/* The bytes, by way of the buffer; NULL without an exception: what *out_status says. */
static PyObject *receive_into(receive_function *function, void *handle, int64_t timeout, char *buffer, size_t capacity, int32_t *out_status) {
  size_t size = 0;
  int32_t status = function(handle, buffer, capacity, &size, 0);
  if (status == timed_out && timeout != 0) {
    Py_BEGIN_ALLOW_THREADS
    status = function(handle, buffer, capacity, &size, timeout);
    Py_END_ALLOW_THREADS
  }
  *out_status = status;
  return status == ok ? PyBytes_FromStringAndSize(buffer, (Py_ssize_t)size) : NULL;
}

static PyObject *receive_soon(receive_function *function, void *handle, int64_t timeout, int32_t *out_status) {
  char buffer[buffer_size];
  return receive_into(function, handle, timeout, buffer, sizeof buffer, out_status);
}

/* (handle, timeout) -> bytes, or the status */
static PyObject *receive_by(receive_function *function, PyObject *const *args, Py_ssize_t count) {
  void *handle;
  int64_t timeout;
  int32_t status;
  if (count != 2) return PyErr_Format(PyExc_TypeError, "two arguments");
  if (!handle_and_time(args, &handle, &timeout)) return NULL;
  PyObject *data = receive_soon(function, handle, timeout, &status);
  return data != NULL || status == ok ? data : PyLong_FromLong(status);
}

static PyObject *py_channel_send(PyObject *self, PyObject *const *args, Py_ssize_t count) {
  (void)self;
  return send_by(channel_send, args, count);
}
static PyObject *py_channel_recv(PyObject *self, PyObject *const *args, Py_ssize_t count) {
  (void)self;
  return receive_by(channel_recv, args, count);
}
static PyObject *py_queue_put(PyObject *self, PyObject *const *args, Py_ssize_t count) {
  (void)self;
  return send_by(queue_put, args, count);
}
static PyObject *py_queue_get(PyObject *self, PyObject *const *args, Py_ssize_t count) {
  (void)self;
  return receive_by(queue_get, args, count);
}

/* (handle, timeout, address, capacity) -> bytes, or the status */
static PyObject *py_queue_get_into(PyObject *self, PyObject *const *args, Py_ssize_t count) {
  void *handle, *buffer;
  int64_t timeout;
  int32_t status;
  (void)self;
  if (count != 4) return PyErr_Format(PyExc_TypeError, "four arguments");
  if (!handle_and_time(args, &handle, &timeout)) return NULL;
  buffer = PyLong_AsVoidPtr(args[2]);
  const size_t capacity = PyLong_AsSize_t(args[3]);
  if (PyErr_Occurred()) return NULL;
  PyObject *data = receive_into(queue_get, handle, timeout, buffer, capacity, &status);
  return data != NULL || status == ok ? data : PyLong_FromLong(status);
}

/* ---- connections --------------------------------------------------------------------------------------------------------------- */

/* What is not bytes, not small, or not over soon is Python's: the methods that these call by name. */
typedef struct {
  PyObject_HEAD
  void *readable, *writable; /* the channel, or NULL: closed, or not that way */
} connection_object;

static PyObject *connection_send(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names) {
  void *channel = ((connection_object *)self)->writable;
  char *data;
  Py_ssize_t size;
  if (channel != NULL && count == 1 && names == NULL && PyBytes_Check(args[0])) {
    if (PyBytes_AsStringAndSize(args[0], &data, &size) != 0) return NULL;
    if (size <= small && send_soon(channel_send, channel, data, size, 0) == ok) Py_RETURN_NONE;
  }
  return call_with(self, "_send_bytes", args, count, names);
}

static PyObject *connection_receive(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names) {
  void *channel = ((connection_object *)self)->readable;
  if (channel != NULL && count == 0 && names == NULL) {
    int32_t status;
    PyObject *data = receive_soon(channel_recv, channel, slice_ms, &status);
    if (data != NULL || status == ok) return data;
  }
  return call_with(self, "_recv_bytes", args, count, names);
}

/* (channel to read or 0, channel to write or 0) */
static PyObject *set_channels(PyObject *self, PyObject *args) {
  unsigned long long readable, writable;
  if (!PyArg_ParseTuple(args, "KK", &readable, &writable)) return NULL;
  ((connection_object *)self)->readable = (void *)(uintptr_t)readable;
  ((connection_object *)self)->writable = (void *)(uintptr_t)writable;
  Py_RETURN_NONE;
}

static PyMethodDef connection_methods[] = {
    {"send_bytes", (PyCFunction)(void (*)(void))connection_send, METH_FASTCALL | METH_KEYWORDS, NULL},
    {"recv_bytes", (PyCFunction)(void (*)(void))connection_receive, METH_FASTCALL | METH_KEYWORDS, NULL},
    {"_set_channels", set_channels, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot connection_slots[] = {{Py_tp_methods, connection_methods}, {0, NULL}};
static PyType_Spec connection_spec = {"kith._speed.Connection", sizeof(connection_object), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                                      connection_slots};

/* ---- the module ---------------------------------------------------------------------------------------------------------------- */

static PyObject *bind_functions(PyObject *self, PyObject *args) {
  unsigned long long at[6];
  (void)self;
  if (!PyArg_ParseTuple(args, "KKKKKK", &at[0], &at[1], &at[2], &at[3], &at[4], &at[5])) return NULL;
  lock_acquire = (int32_t (*)(void *, int64_t))(uintptr_t)at[0];
  lock_release = (int32_t (*)(void *))(uintptr_t)at[1];
  channel_send = (send_function *)(uintptr_t)at[2];
  channel_recv = (receive_function *)(uintptr_t)at[3];
  queue_put = (send_function *)(uintptr_t)at[4];
  queue_get = (receive_function *)(uintptr_t)at[5];
  Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"bind", bind_functions, METH_VARARGS, NULL},
    {"channel_send", (PyCFunction)(void (*)(void))py_channel_send, METH_FASTCALL, NULL},
    {"channel_recv", (PyCFunction)(void (*)(void))py_channel_recv, METH_FASTCALL, NULL},
    {"queue_put", (PyCFunction)(void (*)(void))py_queue_put, METH_FASTCALL, NULL},
    {"queue_get", (PyCFunction)(void (*)(void))py_queue_get, METH_FASTCALL, NULL},
    {"queue_get_into", (PyCFunction)(void (*)(void))py_queue_get_into, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_speed", NULL, -1, methods, NULL, NULL, NULL, NULL};

static int add_type(PyObject *module, const char *name, PyType_Spec *spec) {
  PyObject *type = PyType_FromSpec(spec);
  if (type != NULL && PyModule_AddObject(module, name, type) == 0) return 0;
  Py_XDECREF(type);
  return -1;
}

PyMODINIT_FUNC PyInit__speed(void) {
  PyObject *module = PyModule_Create(&definition);
  if (module == NULL) return NULL;
  if (add_type(module, "Lock", &lock_spec) == 0 && add_type(module, "Value", &value_spec) == 0 &&
      add_type(module, "Connection", &connection_spec) == 0) {
    return module;
  }
  Py_DECREF(module);
  return NULL;
}
