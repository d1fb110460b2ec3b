// SPDX-License-Identifier: MIT
// Queues: items of any size, put and taken by any number of processes.
#pragma once

#include <iterator>

#include <kith/cpp/base.hpp>

namespace kith {
inline namespace cpp {

struct queue_options {
  uint32_t flags = 0;       // KITH_QUEUE_TASKS
  uint64_t capacity = 0;    // bytes; 0: the default
  uint64_t most_items = 0;  // 0: as many as fit
};

class queue : public owner<kith_queue, kith_queue_close> {
 public:
  using owner::owner;
  static result<queue> try_create(const queue_options& wanted) noexcept {
    auto options = detail::options<kith_queue_options>(wanted.flags);
    options.capacity = wanted.capacity;
    options.most_items = wanted.most_items;
    return detail::own<queue>([&](kith_queue** out) { return kith_queue_create(&options, out); });
  }
  static result<queue> try_inherit(const char* name) noexcept {
    return detail::own<queue>([&](kith_queue** out) { return kith_queue_inherit(name, out); });
  }
  static result<queue> try_open(const naming& where, const queue_options& wanted = {}) noexcept {
    auto options = detail::options<kith_queue_options>(wanted.flags);
    options.capacity = wanted.capacity;
    options.most_items = wanted.most_items;
    return detail::own<queue>([&](kith_queue** out) { return kith_queue_open_named(where.get(), &options, out, nullptr); });
  }

  status try_put(bytes_view item, timeout wait = forever) const noexcept {
    return kith_queue_put(get(), item.data(), item.size(), wait.ms());
  }
  template <detail::plain T>
  status try_put_value(const T& item, timeout wait = forever) const noexcept {
    return try_put(bytes_of(item), wait);
  }
  template <detail::growing Container>
  status try_get(Container& to, timeout wait = forever) const {  // may throw std::bad_alloc
    return detail::receive_growing(
        to, [&](void* data, std::size_t capacity, std::size_t* size) { return kith_queue_get(get(), data, capacity, size, wait.ms()); });
  }
  template <detail::plain T>
  status try_get_value(T& to, timeout wait = forever) const noexcept {
    return detail::receive_value(
        to, [&](void* data, std::size_t capacity, std::size_t* size) { return kith_queue_get(get(), data, capacity, size, wait.ms()); });
  }
  status try_task_done() const noexcept { return kith_queue_task_done(get()); }
  status try_join(timeout wait = forever) const noexcept { return kith_queue_join(get(), wait.ms()); }
  void shutdown() const noexcept { (void)kith_queue_shutdown(get()); }
  uint64_t count() const noexcept { return kith_queue_count(get()); }

#if KITH_HPP_THROWS
  queue() : queue(queue_options{}) {}
  explicit queue(const queue_options& wanted) : queue(try_create(wanted).value("kith::queue")) {}
  static queue inherit(const char* name) { return try_inherit(name).value("kith::queue::inherit"); }
  static queue open(const naming& where, const queue_options& wanted = {}) { return try_open(where, wanted).value("kith::queue::open"); }
  void put(bytes_view item, timeout wait = forever) const { detail::check(try_put(item, wait), "kith::queue::put"); }
  template <detail::plain T>
  void put_value(const T& item, timeout wait = forever) const {
    detail::check(try_put_value(item, wait), "kith::queue::put_value");
  }
  // Nothing: the queue was shut down, and all has been taken.
  template <detail::growing Container = std::string>
  std::optional<Container> get_item(timeout wait = forever) const {
    Container item;
    const status got = try_get(item, wait);
    if (got == KITH_E_CLOSED) return std::nullopt;
    detail::check(got, "kith::queue::get_item");
    return item;
  }
  template <detail::plain T>
  std::optional<T> get_value(timeout wait = forever) const {
    T item;
    const status got = try_get_value(item, wait);
    if (got == KITH_E_CLOSED) return std::nullopt;
    detail::check(got, "kith::queue::get_value");
    return item;
  }
  void task_done() const { detail::check(try_task_done(), "kith::queue::task_done"); }
  status join(timeout wait = forever) const { return detail::checked(try_join(wait), "kith::queue::join"); }

  // for (const std::string& item : queue.items()) takes items until the queue is shut down and empty.
  template <class Item = std::string>
  class item_range : public std::ranges::view_base {
   public:
    class iterator {
     public:
      using value_type = Item;
      using difference_type = std::ptrdiff_t;
      using iterator_concept = std::input_iterator_tag;
      iterator() = default;
      explicit iterator(item_range* range) : range_(range) {}
      const Item& operator*() const noexcept { return *range_->item_; }
      iterator& operator++() {
        range_->next();
        return *this;
      }
      void operator++(int) { ++*this; }
      friend bool operator==(const iterator& at, std::default_sentinel_t) noexcept { return at.is_at_end(); }

     private:
      bool is_at_end() const noexcept { return !range_->item_; }
      item_range* range_ = nullptr;
    };
    explicit item_range(const queue& from) noexcept : from_(&from) {}
    iterator begin() {
      next();
      return iterator(this);
    }
    std::default_sentinel_t end() const noexcept { return {}; }

   private:
    void next() {
      if constexpr (detail::growing<Item>) {
        item_ = from_->template get_item<Item>();
      } else {
        item_ = from_->template get_value<Item>();
      }
    }
    const queue* from_;
    std::optional<Item> item_;
  };
  template <class Item = std::string>
  item_range<Item> items() const noexcept {
    return item_range<Item>(*this);
  }
#endif
};

}  // namespace cpp
}  // namespace kith
