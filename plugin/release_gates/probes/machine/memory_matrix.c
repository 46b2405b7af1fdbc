/* Measures memory from CPUs: latency of dependent loads, and bandwidth of reading, one pair after the other.
 *
 *   memory-matrix CPU:NODE...
 *
 * Each pair: run on CPU, bind 32 MiB to NODE, check that every page is there, measure; the best of five.
 * Prints {"cells":[{"cpu":0,"node":0,"latency_ns":90.1,"bandwidth_mib_s":9000.0},...]}; any doubt is an exit
 * status and a sentence on stderr. Raw system calls (mbind(2), move_pages(2)): no library beside libc.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { size = 32 << 20, line = 64, lines = size / line, steps = 400000, rounds = 5, page = 4096 };
enum { bind_strictly = 2, highest_node = 1023 };

static void fail(const char *what) {
    fprintf(stderr, "memory-matrix: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void run_on(long cpu) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET((size_t)cpu, &cpus);
    if (sched_setaffinity(0, sizeof cpus, &cpus) != 0) fail("sched_setaffinity");
}

static char *memory_on(long node) {
    unsigned long mask[(highest_node + 1) / 64] = {0};
    mask[node / 64] = 1UL << (node % 64);
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("mmap");
    if (syscall(SYS_mbind, memory, (unsigned long)size, bind_strictly, mask, highest_node + 2UL, 0) != 0)
        fail("mbind");
    memset(memory, 0, size);
    for (long at = 0; at < size; at += page) {
        void *where = memory + at;
        int found = -1;
        if (syscall(SYS_move_pages, 0, 1UL, &where, NULL, &found, 0) != 0) fail("move_pages");
        if (found != node) {
            fprintf(stderr, "memory-matrix: a page that was bound to node %ld is on node %d\n", node, found);
            exit(1);
        }
    }
    return memory;
}

/* One cycle through all cache lines, in an order that no prefetcher knows (Sattolo). */
static void link_lines(char *memory) {
    static uint32_t order[lines];
    uint64_t random = 88172645463325252ULL;
    for (uint32_t i = 0; i < lines; ++i) order[i] = i;
    for (uint32_t i = lines - 1; i > 0; --i) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        const uint32_t j = (uint32_t)(random % i);
        const uint32_t kept = order[i];
        order[i] = order[j], order[j] = kept;
    }
    for (uint32_t i = 0; i < lines; ++i)
        *(char **)(memory + (size_t)order[i] * line) = memory + (size_t)order[(i + 1) % lines] * line;
}

static double latency_ns(char *memory) {
    link_lines(memory);
    double best = 1e9;
    for (int round = 0; round < rounds; ++round) {
        char *at = memory;
        const double begin = seconds();
        for (int step = 0; step < steps; ++step) at = *(char *volatile *)at;
        const double took = seconds() - begin;
        __asm__ volatile("" : : "r"(at));
        if (took < best) best = took;
    }
    return best / steps * 1e9;
}

static double bandwidth_mib_s(const char *memory) {
    double best = 1e9;
    for (int round = 0; round < rounds; ++round) {
        uint64_t sum = 0;
        const double begin = seconds();
        for (size_t at = 0; at < size; at += sizeof sum) sum += *(const uint64_t *)(memory + at);
        const double took = seconds() - begin;
        __asm__ volatile("" : : "r"(sum));
        if (took < best) best = took;
    }
    return (double)(size >> 20) / best;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: memory-matrix CPU:NODE...\n");
        return 2;
    }
    printf("{\"cells\":[");
    for (int i = 1; i < argc; ++i) {
        char *rest = NULL;
        const long cpu = strtol(argv[i], &rest, 10);
        const long node = *rest == ':' ? strtol(rest + 1, &rest, 10) : -1;
        if (*rest != '\0' || cpu < 0 || cpu >= CPU_SETSIZE || node < 0 || node > highest_node) {
            fprintf(stderr, "memory-matrix: '%s' is not CPU:NODE\n", argv[i]);
            return 2;
        }
        run_on(cpu);
        char *memory = memory_on(node);
        const double latency = latency_ns(memory);
        printf("%s{\"cpu\":%ld,\"node\":%ld,\"latency_ns\":%.2f,\"bandwidth_mib_s\":%.1f}", i > 1 ? "," : "", cpu,
               node, latency, bandwidth_mib_s(memory));
        munmap(memory, size);
    }
    puts("]}");
    return 0;
}
