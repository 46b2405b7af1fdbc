// A small suite for tests: compiled as it is for the baseline, with -DCANDIDATE for what a candidate can do wrong.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "paired.h"

namespace {

void* create(uint64_t seed) { return new uint64_t{seed | 1}; }
void destroy(void* state) { delete static_cast<uint64_t*>(state); }

uint64_t shuffle(uint64_t value, uint64_t rounds) {
    for (uint64_t i = 0; i < rounds; ++i) {
        value ^= value << 13;
        value ^= value >> 7;
        value ^= value << 17;
    }
    return value;
}

uint64_t work(void* state, uint64_t iterations) {
    auto& value = *static_cast<uint64_t*>(state);
    return value = shuffle(value, iterations);
}

uint64_t nothing(void* state, uint64_t) { return *static_cast<uint64_t*>(state); }

uint64_t twice(void* state, uint64_t iterations) {
    volatile uint64_t forgotten = shuffle(1, iterations);
    (void)forgotten;
    return work(state, iterations);
}

uint64_t print(void* state, uint64_t iterations) {
    std::puts("{\"type\":\"end\"}");
    std::fflush(stdout);
    return work(state, iterations);
}

uint64_t crash(void*, uint64_t) {
    std::fputs("about to crash\n", stderr);
    std::abort();
}

uint64_t hang(void*, uint64_t) {
    while (true) {
        ::pause();
    }
}

uint64_t fail(void*, uint64_t) { throw std::runtime_error{"no \"orders\"\n"}; }

uint64_t exit_well(void*, uint64_t) { std::exit(0); }

void* no_state(uint64_t) { return nullptr; }

// A child that outlives the benchmark, with all descriptors that it was given.
void* leave_child(uint64_t seed) {
    if (const pid_t child = ::fork(); child == 0) {
        ::sleep(600);
        ::_exit(0);
    } else if (FILE* const file = std::fopen(PID_FILE, "w")) {
        std::fprintf(file, "%d", child);
        std::fclose(file);
    }
    return create(seed);
}

void* look_around(uint64_t seed) {
    if (std::getenv("GATE_SIGNING_KEY") != nullptr) {
        throw std::runtime_error{"the key is here"};
    }
    return create(seed);
}

const paired_benchmark table[] = {
    {"work", 1, create, work, destroy},
    {"idle", 1, create, nothing, destroy},
    {"print", 1, create, print, destroy},
    {"environment", 1, look_around, work, destroy},
    {"child", 1, leave_child, work, destroy},
#ifdef CANDIDATE
    {"new", 1, create, work, destroy},
    {"returns_early", 1, create, nothing, destroy},
    {"slower", 1, create, twice, destroy},
    {"other_operations", 2, create, work, destroy},
    {"crash", 1, create, crash, destroy},
    {"hang", 1, create, hang, destroy},
    {"throw", 1, create, fail, destroy},
    {"no_state", 1, no_state, work, destroy},
    {"exit", 1, create, exit_well, destroy},
#else
    {"removed", 1, create, work, destroy},
    {"returns_early", 1, create, work, destroy},
    {"slower", 1, create, work, destroy},
    {"other_operations", 1, create, work, destroy},
    {"crash", 1, create, work, destroy},
    {"hang", 1, create, work, destroy},
    {"throw", 1, create, work, destroy},
    {"no_state", 1, create, work, destroy},
    {"exit", 1, create, work, destroy},
#endif
};

const paired_fact facts[] = {{"line", 64, "B"}};

}  // namespace

PAIRED_SUITE_WITH_FACTS(table, facts)
