/* What a shared object exports so that its benchmarks can be paired with those of another build.
 *
 *     static const struct paired_benchmark table[] = {
 *         {"book/add", 1, create_book, add_orders, destroy_book},
 *     };
 *     PAIRED_SUITE(table)
 *
 * Build it with '-DPAIRED_RELEASE="1.4.2"', the candidate's version, and with
 * -shared -fPIC -fvisibility=hidden -Wl,-Bsymbolic -Wl,--build-id, so that two builds live side by side in
 * one process and each calls its own functions. stdout and stderr are free for use; a file written grows to 64 MiB at most.
 */
#ifndef RELEASE_GATES_PAIRED_H
#define RELEASE_GATES_PAIRED_H

#include <stdint.h>

#define PAIRED_VERSION 1u

#ifdef __cplusplus
extern "C" {
#endif

struct paired_benchmark {
    const char* name;    /* the same in both builds; unique in its table */
    uint64_t operations; /* that one iteration does, at least 1 */

    /* Sets up, unmeasured. The same seed gives the same work. Null where it cannot. */
    void* (*create)(uint64_t seed);

    /* The measured work: leaves the state such that it can be called again and again. The result depends on all the
     * work that was done, so that no compiler leaves any out, and on nothing else: both builds are asked for the same
     * iterations in the same order, and have to answer the same. One thread does everything. */
    uint64_t (*run)(void* state, uint64_t iterations);

    void (*destroy)(void* state);
};

/* What is known of a build without measuring, such as the size of a structure. */
struct paired_fact {
    const char* name; /* unique in its table */
    uint64_t value;
    const char* unit;
};

struct paired_suite {
    uint32_t version;        /* PAIRED_VERSION */
    uint32_t benchmark_size; /* sizeof(struct paired_benchmark) */
    uint64_t count;
    const struct paired_benchmark* benchmarks;
    uint64_t fact_count;
    const struct paired_fact* facts;
    const char* release;  /* PAIRED_RELEASE: the version of the candidate that this belongs to */
    const char* compiler; /* name and version */
    const char* flags;    /* PAIRED_FLAGS, as the build defines it */
};

/* The one function that is looked up. */
__attribute__((visibility("default"))) const struct paired_suite* paired_suite_v1(void);

#ifdef __cplusplus
}
#endif

#if defined(__clang__)
#define PAIRED_COMPILER "clang " __clang_version__
#else
#define PAIRED_COMPILER "gcc " __VERSION__
#endif
#ifndef PAIRED_RELEASE
#define PAIRED_RELEASE ""
#endif
#ifndef PAIRED_FLAGS
#define PAIRED_FLAGS ""
#endif

/* Defines the function for an array of benchmarks, in one source file. */
#define PAIRED_SUITE(table) PAIRED_SUITE_OF(table, 0, 0)

/* The same with an array of facts. */
#define PAIRED_SUITE_WITH_FACTS(table, facts) PAIRED_SUITE_OF(table, sizeof(facts) / sizeof((facts)[0]), facts)

#define PAIRED_SUITE_OF(table, fact_count, facts)                                                                \
    const struct paired_suite* paired_suite_v1(void) {                                                           \
        static const struct paired_suite suite = {PAIRED_VERSION,  sizeof(struct paired_benchmark),               \
                                                  sizeof(table) / sizeof((table)[0]), table, fact_count, facts,  \
                                                  PAIRED_RELEASE, PAIRED_COMPILER, PAIRED_FLAGS};                \
        return &suite;                                                                                           \
    }

#endif
