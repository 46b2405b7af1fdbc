// How long each single iteration of a benchmark takes, as somebody who waits for it sees it.
#pragma once

#include <cstdint>
#include <string_view>

#include "stream.hpp"

namespace paired {

// Writes `samples` times in nanoseconds of the wall clock, after a tenth as many that are not written. Throws Refusal.
void measure_times(Stream& stream, const char* library, std::string_view benchmark, std::uint64_t samples,
                   std::uint64_t seed);

}  // namespace paired
