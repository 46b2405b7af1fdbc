// runner list LIBRARY
// runner pair BASELINE CANDIDATE BENCHMARK PAIRS SLICE_NS SEED baseline|candidate
// runner single LIBRARY BENCHMARK ITERATIONS SEED
// runner times LIBRARY BENCHMARK SAMPLES SEED
//
// Writes JSON Lines to stdout; a run that has no last line of type "end" or "refused" has crashed. PAIRED_PARENT in the
// environment is the process that waits: this one dies with it.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "library.hpp"
#include "pair.hpp"
#include "stream.hpp"
#include "times.hpp"

namespace paired {
namespace {

constexpr rlim_t largest_file = 64 << 20;

struct Usage {};

std::uint64_t number(std::string_view text, std::uint64_t least) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < least) {
        throw Usage{};
    }
    return value;
}

void list(Stream& stream, const char* path) {
    const Library library{"library", path};
    for (std::uint64_t i = 0; i < library.suite().count; ++i) {
        stream.write(Line{"benchmark"}.add("name", library.suite().benchmarks[i].name));
    }
    for (std::uint64_t i = 0; i < library.suite().fact_count; ++i) {
        const paired_fact& fact = library.suite().facts[i];
        stream.write(Line{"fact"}.add("name", fact.name).add("value", fact.value).add("unit", fact.unit));
    }
    stream.write(Line{"end"}
                     .add("benchmarks", library.suite().count)
                     .add("facts", library.suite().fact_count)
                     .add("release", library.suite().release)
                     .add("build", library.build_id()));
}

void single(Stream& stream, const char* path, std::string_view name, std::uint64_t iterations, std::uint64_t seed) {
    const Library library{"library", path};
    Body{"library", library.find(name), seed}.run(iterations);
    stream.write(Line{"end"}.add("iterations", iterations));
}

void execute(Stream& stream, const std::vector<const char*>& words) {
    const std::string_view mode = words.empty() ? "" : words[0];
    if (mode == "list" && words.size() == 2) {
        return list(stream, words[1]);
    }
    if (mode == "single" && words.size() == 5) {
        return single(stream, words[1], words[2], number(words[3], 1), number(words[4], 0));
    }
    if (mode == "times" && words.size() == 5) {
        return measure_times(stream, words[1], words[2], number(words[3], 1), number(words[4], 0));
    }
    if (mode != "pair" || words.size() != 8) {
        throw Usage{};
    }
    const std::string_view first = words[7];
    if (first != "baseline" && first != "candidate") {
        throw Usage{};
    }
    const Plan plan{words[3], number(words[4], 1), number(words[5], 1), number(words[6], 0), first == "baseline"};
    measure_pair(stream, plan, words[1], words[2]);
}

// Ends with its parent, fills no disk and leaves no core file.
void restrict_itself() {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const char* const parent = std::getenv("PAIRED_PARENT");
    if (parent != nullptr && std::to_string(::getppid()) != parent) {
        std::exit(3);
    }
    const rlimit file{largest_file, largest_file};
    const rlimit core{0, 0};
    ::setrlimit(RLIMIT_FSIZE, &file);
    ::setrlimit(RLIMIT_CORE, &core);
}

void write_word(const char* word) { static_cast<void>(::write(STDERR_FILENO, word, std::strlen(word)) + 1); }

void explain(int number) {
    write_word("runner: this happened in the code of the ");
    write_word(running);
    write_word("\n");
    std::signal(number, SIG_DFL);
    std::raise(number);
}

void explain_crashes() {
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
        std::signal(number, explain);
    }
}

int start(const std::vector<const char*>& words) {
    Stream stream;
    try {
        execute(stream, words);
    } catch (const Refusal& refusal) {
        stream.write(Line{"refused"}
                         .add("because", refusal.because)
                         .add("side", refusal.side)
                         .add("text", std::string_view{refusal.text}));
    } catch (const Usage&) {
        return 2;
    }
    stream.flush();
    return 0;
}

}  // namespace
}  // namespace paired

int main(int argc, char** argv) {
    paired::restrict_itself();
    paired::explain_crashes();
    return paired::start({argv + 1, argv + argc});
}
