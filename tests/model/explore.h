// SPDX-License-Identifier: MIT
// Visits every state that a model can reach, breadth first, so that the way to the first violation is a shortest one.
//
// A model has
//   state                            small, trivially comparable: two states are one if their bytes are
//   state first() const
//   void steps(const state&, step_sink<state>&) const     all that may happen next
//   const char* violation(const state&) const             nullptr: the state is sound
//   bool ended(const state&) const                        everything that lives has finished
//
// Besides soundness the explorer checks progress: from every state an ended one can be reached. Steps marked as an accident (a crash, a
// deadline that passes) may happen but help nobody: what only an accident gets going again is stuck.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace model {

enum class luck : uint8_t { usual, accident };

template <class State>
struct step_sink {
  struct entry {
    State next;
    int actor;
    const char* what;
    luck kind;
  };
  std::vector<entry> entries;

  void add(const State& next, int actor, const char* what, luck kind = luck::usual) {
    entries.push_back({next, actor, what, kind});
  }
};

struct outcome {
  size_t states = 0;
  size_t steps = 0;
  bool complete = true;  // false: there were too many states to visit
  const char* violation = nullptr;
  std::vector<std::string> trace;  // how the violation comes about, if there is one
};

template <class Model>
class explorer {
 public:
  using state = typename Model::state;
  static_assert(std::is_trivially_copyable_v<state> && std::has_unique_object_representations_v<state>);

  explorer(const Model& subject, size_t most_states) : subject_(subject), most_states_(most_states) {}

  outcome run() {
    outcome result;
    visit(subject_.first(), no_parent);
    for (uint32_t i = 0; i < count_ && count_ <= most_states_ && result.violation == nullptr; ++i) {
      result.violation = subject_.violation(at(i));
      if (result.violation == nullptr)
        expand(i, result);
      else
        tell(i, result);
    }
    result.complete = count_ <= most_states_;
    if (result.complete && result.violation == nullptr) find_stuck(result);
    result.states = count_;
    return result;
  }

 private:
  static constexpr uint32_t no_parent = UINT32_MAX;
  static constexpr uint32_t empty = UINT32_MAX;
  static constexpr uint32_t chunk_size = 1u << 14;

  struct edge {
    uint32_t from;
    uint32_t to;
  };

  const state& at(uint32_t i) const { return chunks_[i / chunk_size][i % chunk_size]; }

  static size_t hash(const state& s) {
    return std::hash<std::string_view>{}(std::string_view(reinterpret_cast<const char*>(&s), sizeof(s)));
  }

  // The table holds the numbers of states; equal hashes are told apart by the states themselves.
  uint32_t& place_of(const state& s) {
    size_t i = hash(s) & (table_.size() - 1);
    while (table_[i] != empty && std::memcmp(&at(table_[i]), &s, sizeof(s)) != 0)
      i = (i + 1) & (table_.size() - 1);
    return table_[i];
  }

  void grow_table() {
    table_.assign(table_.empty() ? 1u << 12 : table_.size() * 2, empty);
    for (uint32_t i = 0; i < count_; ++i) place_of(at(i)) = i;
  }

  uint32_t visit(const state& s, uint32_t parent) {
    if (size_t{count_} * 2 >= table_.size()) grow_table();
    uint32_t& place = place_of(s);
    if (place != empty) return place;
    if (count_ % chunk_size == 0) chunks_.push_back(std::make_unique<state[]>(chunk_size));
    chunks_.back()[count_ % chunk_size] = s;
    parents_.push_back(parent);
    return place = count_++;
  }

  void expand(uint32_t i, outcome& result) {
    sink_.entries.clear();
    subject_.steps(at(i), sink_);
    result.steps += sink_.entries.size();
    for (const auto& entry : sink_.entries) {
      const uint32_t next = visit(entry.next, i);
      if (entry.kind == luck::usual) edges_.push_back({i, next});
    }
  }

  // Backwards from the ended states. The edges are in the order of their origins, so few rounds from the last to the first suffice.
  void find_stuck(outcome& result) {
    std::vector<bool> saved(count_);
    for (uint32_t i = 0; i < count_; ++i) saved[i] = subject_.ended(at(i));
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t i = edges_.size(); i-- > 0;) {
        if (saved[edges_[i].from] || !saved[edges_[i].to]) continue;
        saved[edges_[i].from] = changed = true;
      }
    }
    for (uint32_t i = 0; i < count_ && result.violation == nullptr; ++i) {
      if (saved[i]) continue;
      result.violation = "somebody can never finish";
      tell(i, result);
    }
  }

  // The steps are not stored: the parents are asked again.
  void tell(uint32_t last, outcome& result) {
    std::vector<uint32_t> path;
    for (uint32_t i = last; i != no_parent; i = parents_[i]) path.push_back(i);
    for (size_t i = path.size() - 1; i > 0; --i) {
      sink_.entries.clear();
      subject_.steps(at(path[i]), sink_);
      for (const auto& entry : sink_.entries) {
        if (std::memcmp(&entry.next, &at(path[i - 1]), sizeof(state)) != 0) continue;
        const std::string actor(1, static_cast<char>('A' + entry.actor));
        result.trace.push_back(actor + (entry.what[0] == '\'' ? "" : " ") + entry.what);
        break;
      }
    }
  }

  const Model& subject_;
  const size_t most_states_;
  uint32_t count_ = 0;
  std::vector<std::unique_ptr<state[]>> chunks_;
  std::vector<uint32_t> parents_;
  std::vector<uint32_t> table_;
  std::vector<edge> edges_;
  step_sink<state> sink_;
};

}  // namespace model
