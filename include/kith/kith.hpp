// SPDX-License-Identifier: MIT
// kith for C++: the API of kith.h with types. C++20, header only; it adds no behaviour and keeps no state.
//
//   Owners      kith::array<int>, kith::channel, kith::process ... own one handle each: they move, are not copied, and close what they have.
//               get() is the handle for kith.h, release() gives it up. Calls that wait may be made from several threads at once; moving,
//               assigning and destroying an owner while another thread uses it is a race, as with any object.
//   Failures    Each call that can fail has two forms. The plain one throws kith::error. The one that begins with try_ is noexcept and
//               returns a kith::status, or a kith::result<T> that has a status or a value. Without exceptions (or with
//               KITH_NO_EXCEPTIONS defined) only the try_ forms exist.
//   News        A status that succeeded with news (kith::status::owner_died and others) is never thrown: the plain form returns it. The one
//               exception is mutex::lock, which std::scoped_lock calls.
//   Time        A kith::timeout is made of any std::chrono::duration (rounded up to milliseconds), of a time_point of steady_clock, or it is
//               kith::forever, which is the default of every wait.
//   Processes   kith::process p(function, arguments...) runs a function of this program in a new process; call kith::child_main first
//               in main. kith/cpp/process.hpp says what arguments can be. kith::pool has worker processes that run functions, and
//               futures for what these return: kith/cpp/pool.hpp.
//
// What each call means, its statuses and its differences between systems: kith.h, under the same name.
#pragma once

#include <kith/cpp/base.hpp>
#include <kith/cpp/memory.hpp>
#include <kith/cpp/names.hpp>
#include <kith/cpp/sync.hpp>
// channels, queues and broadcasts, and objects that come through channels
#include <kith/cpp/broadcast.hpp>
#include <kith/cpp/channel.hpp>
#include <kith/cpp/endpoint.hpp>
#include <kith/cpp/os_handle.hpp>
#include <kith/cpp/queue.hpp>
#include <kith/cpp/received.hpp>
// processes, pools of them, and waiting for many things
#include <kith/cpp/pool.hpp>
#include <kith/cpp/process.hpp>
#include <kith/cpp/stream.hpp>
#include <kith/cpp/wait.hpp>
