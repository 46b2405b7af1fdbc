// A shared object with a table of benchmarks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "paired.h"

namespace paired {

// The side whose code runs at this moment, for whoever has to explain a crash.
extern const char* volatile running;

class Library {
public:
    // Loads it for this process alone. Throws Refusal for what is no shared object with a table.
    Library(std::string_view side, const std::string& path);

    const paired_suite& suite() const { return *suite_; }
    const void* handle() const { return handle_; }

    // Throws Refusal where there is none of that name.
    const paired_benchmark& find(std::string_view name) const;

    // In hexadecimal digits, empty where the linker wrote none.
    std::string build_id() const;

private:
    void check() const;
    void check_each() const;

    std::string_view side_;  // a literal, so that a refusal may outlive this
    void* handle_;
    const paired_suite* suite_;
};

// The state of one benchmark. Throws Refusal in place of whatever the benchmark throws.
class Body {
public:
    Body(std::string_view side, const paired_benchmark& benchmark, std::uint64_t seed);
    ~Body();
    Body(const Body&) = delete;
    Body& operator=(const Body&) = delete;

    std::string_view side() const { return side_; }
    std::uint64_t run(std::uint64_t iterations) const;

private:
    std::string_view side_;
    const paired_benchmark& benchmark_;
    void* state_;
};

}  // namespace paired
