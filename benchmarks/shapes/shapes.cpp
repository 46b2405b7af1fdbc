// Five shapes of work for the accuracy exam of the benchmark gate. SLOWER_BY=n repeats n of 100 iterations and forgets
// what they give: n percent slower on any machine, with the same results. LAYOUT=n moves all code by n times 16 bytes
// and changes nothing else.
#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "paired.h"

#ifndef SLOWER_BY
#define SLOWER_BY 0
#endif

namespace {

#ifdef LAYOUT
template <int bytes>
[[gnu::noinline]] void unused() {
    asm volatile(".skip %c0, 0x90" : : "i"(bytes));
}
[[gnu::used]] constexpr auto keep = unused<16 * LAYOUT>;
#endif

// A draw for each step, at a cycle or two.
class Draws {
public:
    explicit Draws(std::uint64_t seed) : value_{seed * 2 + 1} {}

    std::uint64_t next() {
        value_ ^= value_ << 13;
        value_ ^= value_ >> 7;
        value_ ^= value_ << 17;
        return value_;
    }

private:
    std::uint64_t value_;
};

// Every shape has a cursor, that a step moves, and one more, that nobody asks for what it finds. Both are moved by the
// very same code, so that builds that are slower differ by one constant and in no layout.

// Orders by id: found, or found not to be there.
class HashLookup {
public:
    using Cursor = Draws;

    explicit HashLookup(std::uint64_t seed) {
        for (std::uint64_t id = 0; id < ids; id += 2) {
            orders_.emplace(id * spread, id + seed);
        }
    }

    [[gnu::noinline]] std::uint64_t step(Cursor& draws) {
        std::uint64_t sum = 0;
        for (int i = 0; i < 8; ++i) {
            const auto found = orders_.find(draws.next() % ids * spread);
            sum += found == orders_.end() ? 1 : found->second;
        }
        return sum;
    }

private:
    static constexpr std::uint64_t ids = 2'048;
    static constexpr std::uint64_t spread = 1'000'003;

    std::unordered_map<std::uint64_t, std::uint64_t> orders_{};
};

// A new order in tag=value, as FIX has it, with its checksum.
class FixParse {
public:
    struct Cursor {
        explicit Cursor(std::uint64_t seed) : next{seed} {}
        std::uint64_t next;
    };

    explicit FixParse(std::uint64_t seed) {
        for (std::size_t i = 0; i < messages_.size(); ++i) {
            messages_[i] = message(seed + i);
        }
    }

    [[gnu::noinline]] std::uint64_t step(Cursor& cursor) { return parse(messages_[cursor.next++ % messages_.size()]); }

private:
    static std::string message(std::uint64_t id) {
        const std::string number = std::to_string(1'000'000 + id % 1'000'000);
        std::string text = "8=FIX.4.4|9=148|35=D|49=TRADER|56=VENUE|34=" + number +
                           "|52=20240102-10:11:12.123|11=ORD" + number + "|55=AAPL|54=1|38=500|40=2|44=101|59=0|";
        std::ranges::replace(text, '|', '\1');
        const unsigned sum = sum_of(text);
        return text + "10=" + std::to_string(1'000 + sum % 256).substr(1) + '\1';
    }

    static unsigned sum_of(std::string_view text) {
        unsigned sum = 0;
        for (const char each : text) {
            sum += static_cast<unsigned char>(each);
        }
        return sum;
    }

    static unsigned number(std::string_view text) {
        unsigned value = 0;
        std::from_chars(text.data(), text.data() + text.size(), value);
        return value;
    }

    static std::uint64_t parse(std::string_view text) {
        std::uint64_t found = 0;
        unsigned sum = 0;
        while (!text.empty()) {
            const std::size_t equals = text.find('=');
            const std::size_t end = text.find('\1');
            const unsigned tag = number(text.substr(0, equals));
            const std::string_view value = text.substr(equals + 1, end - equals - 1);
            if (tag == 10 && number(value) != sum % 256) {
                throw std::runtime_error{"the checksum is wrong"};
            }
            sum += sum_of(text.substr(0, end + 1));
            found += tag == 34 || tag == 38 || tag == 44 ? number(value) : value.size();
            text.remove_prefix(end + 1);
        }
        return found;
    }

    std::array<std::string, 16> messages_{};
};

// Messages into a ring of one producer and one consumer, and out again.
class Ring {
public:
    struct Cursor {
        explicit Cursor(std::uint64_t seed) : number{seed} {}
        std::uint64_t number;
    };

    explicit Ring(std::uint64_t) {}

    [[gnu::noinline]] std::uint64_t step(Cursor& cursor) {
        for (int i = 0; i < at_once; ++i) {
            const std::size_t tail = tail_.load(std::memory_order_relaxed);
            Slot& slot = slots_[tail % slots_.size()];
            slot.number = ++cursor.number;
            slot.load.fill(slot.number);
            tail_.store(tail + 1, std::memory_order_release);
        }
        std::uint64_t sum = 0;
        while (head_.load(std::memory_order_relaxed) != tail_.load(std::memory_order_acquire)) {
            const std::size_t head = head_.load(std::memory_order_relaxed);
            sum += slots_[head % slots_.size()].number;
            head_.store(head + 1, std::memory_order_release);
        }
        return sum;
    }

private:
    static constexpr int at_once = 32;
    struct alignas(64) Slot {
        std::uint64_t number = 0;
        std::array<std::uint64_t, 7> load{};
    };

    std::array<Slot, 128> slots_{};
    alignas(64) std::atomic<std::size_t> tail_{0};
    alignas(64) std::atomic<std::size_t> head_{0};
};

// Memory of mixed sizes, taken and given back, all of which the allocator has at hand: what is left behind is the same
// however often that happens.
class Allocation {
public:
    using Cursor = Draws;

    explicit Allocation(std::uint64_t) {}

    [[gnu::noinline]] std::uint64_t step(Cursor& draws) {
        std::uint64_t sum = 0;
        std::array<std::unique_ptr<std::uint64_t, Free>, 6> blocks{};
        for (auto& block : blocks) {
            const std::uint64_t draw = draws.next();
            block.reset(static_cast<std::uint64_t*>(std::malloc(16 + draw % 480)));
            *block = draw % 1'000;
        }
        for (const auto& block : blocks) {
            sum += *block;
        }
        return sum;
    }

private:
    struct Free {
        void operator()(void* memory) const { std::free(memory); }
    };
};

// From node to node in an order that no prefetcher guesses, through more memory than a core's own cache.
class PointerChase {
public:
    struct Cursor {
        explicit Cursor(std::uint64_t seed) : at{static_cast<std::uint32_t>(seed % count)} {}
        std::uint32_t at;
    };

    explicit PointerChase(std::uint64_t seed) {
        std::vector<std::uint32_t> order(count);
        std::iota(order.begin(), order.end(), 0U);
        std::mt19937_64 random{seed};
        std::ranges::shuffle(order, random);
        for (std::size_t i = 0; i < count; ++i) {
            nodes_[order[i]].next = order[(i + 1) % count];
        }
    }

    // Waits for what was fetched last, whoever asked for it.
    [[gnu::noinline]] std::uint64_t step(Cursor& cursor) {
        return last_ = cursor.at = nodes_[cursor.at + last_ / count].next;
    }

private:
    static constexpr std::uint32_t count = 1 << 16;
    struct alignas(64) Node {
        std::uint32_t next = 0;
    };

    std::vector<Node> nodes_ = std::vector<Node>(count);
    std::uint32_t last_ = 0;
};

volatile const int slower_by = SLOWER_BY;  // read anew each time, so that no compiler knows it

template <class Shape>
class Paced {
public:
    explicit Paced(std::uint64_t seed) : shape_{seed}, asked_{seed}, forgotten_{seed + 1'000} {}

    [[gnu::noinline]] std::uint64_t run(std::uint64_t iterations) {
        while (iterations > 0) {
            const std::uint64_t some = std::min(iterations, of - done_ % of);
            for (std::uint64_t i = 0; i < some; ++i) {
                sum_ += shape_.step(asked_);
            }
            iterations -= some;
            done_ += some;
            if (done_ % of == 0) {
                for (int i = slower_by; i > 0; --i) {
                    shape_.step(forgotten_);
                }
            }
        }
        return sum_;
    }

private:
    static constexpr std::uint64_t of = 100;

    Shape shape_;
    typename Shape::Cursor asked_;
    typename Shape::Cursor forgotten_;
    std::uint64_t done_ = 0;
    std::uint64_t sum_ = 0;
};

template <class Shape>
constexpr paired_benchmark shape(const char* name) {
    using Body = Paced<Shape>;
    return {.name = name,
            .operations = 1,
            .create = [](std::uint64_t seed) -> void* { return new Body{seed}; },
            .run = [](void* body, std::uint64_t iterations) { return static_cast<Body*>(body)->run(iterations); },
            .destroy = [](void* body) { delete static_cast<Body*>(body); }};
}

constexpr paired_benchmark shapes[] = {
    shape<HashLookup>("hash_lookup"), shape<FixParse>("fix_parse"),          shape<Ring>("ring"),
    shape<Allocation>("allocation"),  shape<PointerChase>("pointer_chase"),
};

}  // namespace

PAIRED_SUITE(shapes)
