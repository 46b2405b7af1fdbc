#include "pair.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <optional>

#include "clock.hpp"

namespace paired {
namespace {

constexpr std::uint64_t most_iterations = std::uint64_t{1} << 32;
constexpr int tries = 3;  // of which the fastest counts
constexpr double least_growth = 2;  // of the time of four times as many iterations
constexpr double empty_loop = 1.5;  // cycles of an iteration

long preemptions() {
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
}

Slice measure_one(const Body& body, std::uint64_t iterations) {
    const long before = preemptions();
    const std::uint64_t begin = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    const std::uint64_t result = body.run(iterations);
    const std::uint64_t end = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    return {end - begin, result, preemptions() != before};
}

// By a chain of multiplications, each of which waits 3 cycles for the one before, as it does on x86-64 and on ARM.
double cycle_ns() {
    constexpr std::uint64_t rounds = 50'000;
    constexpr double cycles = 3;
    std::uint64_t best = ~std::uint64_t{0};
    for (int i = 0; i < tries; ++i) {
        const std::uint64_t begin = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
        std::uint64_t product = 3;
        for (std::uint64_t round = 0; round < rounds; ++round) {
            product *= 0x9E3779B97F4A7C15U;
            asm volatile("" : "+r"(product));
        }
        best = std::min(best, nanoseconds(CLOCK_THREAD_CPUTIME_ID) - begin);
    }
    return static_cast<double>(best) / (cycles * rounds);
}

bool works(const Slice& few, const Slice& many, std::uint64_t iterations) {
    const auto longer = static_cast<double>(many.ns);
    return longer >= least_growth * static_cast<double>(few.ns) &&
           longer >= empty_loop * cycle_ns() * static_cast<double>(iterations);
}

std::uint64_t slower(const Slices& slices) {
    return std::max<std::uint64_t>({slices.baseline.ns, slices.candidate.ns, 1});
}

struct Sides {
    std::optional<Library> baseline{};
    std::optional<Library> candidate{};
};

// Which side is first matters: it gets the better memory.
Sides load(const Plan& plan, const char* baseline, const char* candidate) {
    Sides sides;
    if (plan.baseline_first) {
        sides.baseline.emplace("baseline", baseline);
    }
    sides.candidate.emplace("candidate", candidate);
    if (!plan.baseline_first) {
        sides.baseline.emplace("baseline", baseline);
    }
    if (sides.baseline->handle() == sides.candidate->handle()) {
        throw Refusal{"not-loaded", "candidate", "it is the same file as the baseline; copy it"};
    }
    return sides;
}

void write_header(Stream& stream, const Plan& plan, const Sides& sides, std::uint64_t iterations) {
    timespec resolution{};
    ::clock_getres(CLOCK_THREAD_CPUTIME_ID, &resolution);
    const Library& baseline = *sides.baseline;
    const Library& candidate = *sides.candidate;
    stream.write(Line{"header"}
                     .add("benchmark", plan.benchmark)
                     .add("seed", plan.seed)
                     .add("first", plan.baseline_first ? "baseline" : "candidate")
                     .add("pairs", plan.pairs)
                     .add("slice_ns", plan.slice_ns)
                     .add("iterations", iterations)
                     .add("operations", baseline.find(plan.benchmark).operations)
                     .add("resolution_ns", static_cast<std::uint64_t>(resolution.tv_nsec))
                     .add("baseline_build", baseline.build_id())
                     .add("candidate_build", candidate.build_id())
                     .add("baseline_compiler", baseline.suite().compiler)
                     .add("candidate_compiler", candidate.suite().compiler)
                     .add("baseline_flags", baseline.suite().flags)
                     .add("candidate_flags", candidate.suite().flags));
    stream.flush();
}

struct Total {
    std::uint64_t kept = 0;
    std::uint64_t dropped = 0;
    std::uint64_t baseline_ns = 0;
    std::uint64_t candidate_ns = 0;
};

void add(Total& total, const Slices& slices, bool kept) {
    ++(kept ? total.kept : total.dropped);
    total.baseline_ns += slices.baseline.ns;
    total.candidate_ns += slices.candidate.ns;
}

Total write_pairs(Stream& stream, const Plan& plan, Pair& pair, std::uint64_t iterations) {
    std::mt19937_64 random{plan.seed};
    Total total;
    for (std::uint64_t i = 0; i < plan.pairs; ++i) {
        const Slices slices = pair.measure(iterations, random() % 2 == 0);
        const bool kept = !slices.baseline.preempted && !slices.candidate.preempted;
        add(total, slices, kept);
        stream.write(Line{"pair"}
                         .add("baseline_ns", slices.baseline.ns)
                         .add("candidate_ns", slices.candidate.ns)
                         .add("kept", kept));
    }
    return total;
}

void write_end(Stream& stream, const Total& total, const Pair& pair, bool same_operations) {
    stream.write(Line{"end"}
                     .add("kept", total.kept)
                     .add("dropped", total.dropped)
                     .add("baseline_ns", total.baseline_ns)
                     .add("candidate_ns", total.candidate_ns)
                     .add("same_work", pair.same_work() && same_operations)
                     .add("baseline_works", pair.baseline_works())
                     .add("candidate_works", pair.candidate_works())
                     .add("cpu_s", static_cast<double>(nanoseconds(CLOCK_PROCESS_CPUTIME_ID)) / 1e9));
}

}  // namespace

Slices Pair::measure(std::uint64_t iterations, bool baseline_first) {
    Slices slices{};
    if (baseline_first) {
        slices.baseline = measure_one(baseline_, iterations);
    }
    slices.candidate = measure_one(candidate_, iterations);
    if (!baseline_first) {
        slices.baseline = measure_one(baseline_, iterations);
    }
    same_ = same_ && slices.baseline.result == slices.candidate.result;
    return slices;
}

Slices Pair::best(std::uint64_t iterations) {
    Slices best = measure(iterations, baseline_first_);
    for (int i = 1; i < tries; ++i) {
        const Slices next = measure(iterations, baseline_first_);
        best.baseline.ns = std::min(best.baseline.ns, next.baseline.ns);
        best.candidate.ns = std::min(best.candidate.ns, next.candidate.ns);
    }
    return best;
}

std::uint64_t Pair::calibrate(std::uint64_t slice_ns) {
    std::uint64_t iterations = 1;
    std::uint64_t ns = slower(measure(iterations, baseline_first_));
    while (ns < slice_ns / 2 && iterations < most_iterations) {
        iterations *= std::clamp<std::uint64_t>(slice_ns / ns, 2, 16);
        ns = slower(measure(iterations, baseline_first_));
    }
    ns = slower(best(iterations));
    const double fitting = static_cast<double>(iterations) * static_cast<double>(slice_ns) / static_cast<double>(ns);
    return std::max<std::uint64_t>(static_cast<std::uint64_t>(std::min(fitting, 1.0 * most_iterations)), 1);
}

void Pair::probe(std::uint64_t iterations) {
    const std::uint64_t few = std::max<std::uint64_t>(iterations / 4, 1);
    const Slices shorter = best(few);
    const Slices longer = best(4 * few);
    baseline_works_ = works(shorter.baseline, longer.baseline, 4 * few);
    candidate_works_ = works(shorter.candidate, longer.candidate, 4 * few);
}

void measure_pair(Stream& stream, const Plan& plan, const char* baseline, const char* candidate) {
    const Sides sides = load(plan, baseline, candidate);
    const paired_benchmark& before = sides.baseline->find(plan.benchmark);
    const paired_benchmark& now = sides.candidate->find(plan.benchmark);
    std::optional<Body> old_body;
    std::optional<Body> new_body;
    if (plan.baseline_first) {
        old_body.emplace("baseline", before, plan.seed);
    }
    new_body.emplace("candidate", now, plan.seed);
    if (!plan.baseline_first) {
        old_body.emplace("baseline", before, plan.seed);
    }
    Pair pair{*old_body, *new_body, plan.baseline_first};
    const std::uint64_t iterations = pair.calibrate(plan.slice_ns);
    pair.probe(iterations);
    write_header(stream, plan, sides, iterations);
    const Total total = write_pairs(stream, plan, pair, iterations);
    new_body.reset();
    old_body.reset();
    write_end(stream, total, pair, before.operations == now.operations);
}

}  // namespace paired
