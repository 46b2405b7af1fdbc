// One benchmark of two builds, measured in turn.
#pragma once

#include <cstdint>
#include <random>
#include <string_view>

#include "library.hpp"
#include "stream.hpp"

namespace paired {

struct Plan {
    std::string_view benchmark;
    std::uint64_t pairs;
    std::uint64_t slice_ns;
    std::uint64_t seed;
    bool baseline_first;
};

// CPU time of this thread for some iterations, and what they answered.
struct Slice {
    std::uint64_t ns;
    std::uint64_t result;
    bool preempted;
};

struct Slices {
    Slice baseline;
    Slice candidate;
};

class Pair {
public:
    Pair(const Body& baseline, const Body& candidate, bool baseline_first)
        : baseline_{baseline}, candidate_{candidate}, baseline_first_{baseline_first} {}

    // So many that the slower side takes about that long. Warms up both.
    std::uint64_t calibrate(std::uint64_t slice_ns);

    // Finds out which side does work: its time grows with the iterations, and an empty loop is faster.
    void probe(std::uint64_t iterations);

    Slices measure(std::uint64_t iterations, bool baseline_first);

    bool same_work() const { return same_; }
    bool baseline_works() const { return baseline_works_; }
    bool candidate_works() const { return candidate_works_; }

private:
    Slices best(std::uint64_t iterations);

    const Body& baseline_;
    const Body& candidate_;
    bool baseline_first_;
    bool same_ = true;
    bool baseline_works_ = true;
    bool candidate_works_ = true;
};

// Loads both builds and writes what was measured. Throws Refusal.
void measure_pair(Stream& stream, const Plan& plan, const char* baseline, const char* candidate);

}  // namespace paired
