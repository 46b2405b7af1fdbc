#include "library.hpp"

#include <dlfcn.h>
#include <link.h>

#include <cstddef>
#include <cstring>
#include <exception>
#include <set>

#include "stream.hpp"

namespace paired {
namespace {

constexpr std::uint64_t most_benchmarks = 10'000;

struct Search {
    ElfW(Addr) base;
    std::string id{};
};

constexpr std::size_t padded(std::size_t size) { return (size + 3) / 4 * 4; }

// The GNU build id of one segment of notes.
std::string id_in(const char* notes, std::size_t size) {
    std::string id;
    std::size_t at = 0;
    while (at + sizeof(ElfW(Nhdr)) <= size) {
        ElfW(Nhdr) note;
        std::memcpy(&note, notes + at, sizeof note);
        const std::size_t name = at + sizeof note;
        const std::size_t content = name + padded(note.n_namesz);
        at = content + padded(note.n_descsz);
        if (at > size || note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 ||
            std::memcmp(notes + name, "GNU", 4) != 0) {
            continue;
        }
        for (std::size_t i = 0; i < note.n_descsz; ++i) {
            constexpr char digits[] = "0123456789abcdef";
            const auto byte = static_cast<unsigned char>(notes[content + i]);
            id += digits[byte >> 4];
            id += digits[byte & 15];
        }
    }
    return id;
}

int visit(dl_phdr_info* object, std::size_t, void* data) {
    auto& search = *static_cast<Search*>(data);
    if (object->dlpi_addr != search.base) {
        return 0;
    }
    for (int i = 0; i < object->dlpi_phnum; ++i) {
        const ElfW(Phdr)& segment = object->dlpi_phdr[i];
        if (segment.p_type == PT_NOTE && search.id.empty()) {
            const ElfW(Addr) address = object->dlpi_addr + segment.p_vaddr;
            search.id = id_in(reinterpret_cast<const char*>(address), segment.p_memsz);
        }
    }
    return 1;
}

class Running {
public:
    explicit Running(std::string_view side) { running = side.data(); }
    ~Running() { running = "runner"; }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
};

// What a benchmark throws becomes a refusal.
template <class Call>
auto guard(std::string_view side, const Call& call) {
    const Running now{side};
    try {
        return call();
    } catch (const std::exception& error) {
        throw Refusal{"threw", side, error.what()};
    } catch (...) {
        throw Refusal{"threw", side, "something that is no std::exception"};
    }
}

}  // namespace

const char* volatile running = "runner";

Library::Library(std::string_view side, const std::string& path)
    : side_{side},
      handle_{guard(side, [&] { return ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL); })},
      suite_{nullptr} {
    if (handle_ == nullptr) {
        throw Refusal{"not-loaded", side_, ::dlerror()};
    }
    void* const symbol = ::dlsym(handle_, "paired_suite_v1");
    if (symbol == nullptr) {
        throw Refusal{"not-loaded", side_, "it does not export paired_suite_v1 (PAIRED_SUITE of paired.h)"};
    }
    suite_ = reinterpret_cast<const paired_suite* (*)()>(symbol)();
    check();
}

void Library::check() const {
    if (suite_ == nullptr || suite_->version != PAIRED_VERSION || suite_->benchmark_size != sizeof(paired_benchmark)) {
        throw Refusal{"not-loaded", side_, "its table is of another version of paired.h"};
    }
    if (suite_->count == 0 || suite_->count > most_benchmarks || suite_->benchmarks == nullptr ||
        suite_->release == nullptr || suite_->compiler == nullptr || suite_->flags == nullptr || suite_->fact_count > most_benchmarks ||
        (suite_->fact_count > 0 && suite_->facts == nullptr)) {
        throw Refusal{"not-loaded", side_, "its table is empty or damaged"};
    }
    check_each();
}

void Library::check_each() const {
    std::set<std::string_view> names;
    for (std::uint64_t i = 0; i < suite_->count; ++i) {
        const paired_benchmark& each = suite_->benchmarks[i];
        if (each.name == nullptr || each.name[0] == '\0' || each.operations == 0 || each.create == nullptr ||
            each.run == nullptr || each.destroy == nullptr) {
            throw Refusal{"not-loaded", side_, "entry " + std::to_string(i) + " of its table is not complete"};
        }
        if (!names.insert(each.name).second) {
            throw Refusal{"not-loaded", side_, "its table has " + std::string{each.name} + " twice"};
        }
    }
    for (std::uint64_t i = 0; i < suite_->fact_count; ++i) {
        const paired_fact& each = suite_->facts[i];
        if (each.name == nullptr || each.unit == nullptr || !names.insert(each.name).second) {
            throw Refusal{"not-loaded", side_, "fact " + std::to_string(i) + " has no name of its own or no unit"};
        }
    }
}

const paired_benchmark& Library::find(std::string_view name) const {
    for (std::uint64_t i = 0; i < suite_->count; ++i) {
        if (suite_->benchmarks[i].name == name) {
            return suite_->benchmarks[i];
        }
    }
    throw Refusal{"missing", side_, "there is no benchmark of that name"};
}

std::string Library::build_id() const {
    link_map* map = nullptr;
    if (::dlinfo(handle_, RTLD_DI_LINKMAP, &map) != 0 || map == nullptr) {
        return {};
    }
    Search search{map->l_addr};
    ::dl_iterate_phdr(visit, &search);
    return search.id;
}

Body::Body(std::string_view side, const paired_benchmark& benchmark, std::uint64_t seed)
    : side_{side}, benchmark_{benchmark}, state_{guard(side, [&] { return benchmark.create(seed); })} {
    if (state_ == nullptr) {
        throw Refusal{"threw", side_, "create() gave no state"};
    }
}

Body::~Body() {
    const Running now{side_};
    benchmark_.destroy(state_);
}

std::uint64_t Body::run(std::uint64_t iterations) const {
    return guard(side_, [&] { return benchmark_.run(state_, iterations); });
}

}  // namespace paired
