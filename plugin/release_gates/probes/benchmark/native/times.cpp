#include "times.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "clock.hpp"
#include "library.hpp"

namespace paired {
namespace {

constexpr std::size_t times_in_line = 1000;

std::uint64_t time_one(const Body& body) {
    const std::uint64_t begin = nanoseconds(CLOCK_MONOTONIC);
    body.run(1);
    return nanoseconds(CLOCK_MONOTONIC) - begin;
}

void write(Stream& stream, const std::vector<std::uint64_t>& times) {
    for (std::size_t begin = 0; begin < times.size(); begin += times_in_line) {
        const std::size_t end = std::min(begin + times_in_line, times.size());
        stream.write(Line{"times"}.add("ns", times.data() + begin, times.data() + end));
    }
    stream.write(Line{"end"}.add("samples", std::uint64_t{times.size()}));
}

}  // namespace

void measure_times(Stream& stream, const char* library, std::string_view benchmark, std::uint64_t samples,
                   std::uint64_t seed) {
    const Library loaded{"library", library};
    const Body body{"library", loaded.find(benchmark), seed};
    for (std::uint64_t i = 0; i < samples / 10; ++i) {
        time_one(body);
    }
    std::vector<std::uint64_t> times(samples);
    std::generate(times.begin(), times.end(), [&] { return time_one(body); });
    write(stream, times);
}

}  // namespace paired
