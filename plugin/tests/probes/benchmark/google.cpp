// A small executable of Google Benchmark for tests; -DCANDIDATE is what a candidate can do wrong.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

void work(benchmark::State& state) {
    unsigned long value = 1;
    for (auto _ : state) {
        for (int i = 0; i < 50; ++i) {
            benchmark::DoNotOptimize(value = value * 31 + 7);
        }
    }
    state.counters["custom"] = 42;
}
BENCHMARK(work)->Name("a+b/work (1)");

void nothing(benchmark::State& state) {
    for (auto _ : state) {
    }
}

void skip(benchmark::State& state) { state.SkipWithError("no \"orders\""); }

void print(benchmark::State& state) {
    std::puts("{\"benchmarks\": []}");
    work(state);
}
BENCHMARK(print)->Name("print")->Unit(benchmark::kMillisecond);

void crash(benchmark::State&) {
    std::fputs("about to crash\n", stderr);
    std::abort();
}

#ifdef CANDIDATE
BENCHMARK(nothing)->Name("idle");
BENCHMARK(skip)->Name("error");
BENCHMARK(crash)->Name("crash");
BENCHMARK(work)->Name("new");
#else
BENCHMARK(work)->Name("idle");
BENCHMARK(work)->Name("error");
BENCHMARK(work)->Name("crash");
BENCHMARK(work)->Name("removed");
#endif

}  // namespace

BENCHMARK_MAIN();
