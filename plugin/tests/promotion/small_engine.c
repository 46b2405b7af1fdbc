/* A small engine for tests: GET /ready, /version (what was appended to its own file), /count; POST adds to the
   journal, which nobody else may have. --journal FILE --port N. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static char version[64];

static void read_version(void) {
    FILE *self = fopen("/proc/self/exe", "rb");
    fseek(self, -32, SEEK_END);
    size_t got = fread(version, 1, 32, self);
    version[got] = 0;
    fclose(self);
    char *at = memrchr(version, '@', got);
    memmove(version, at ? at + 1 : "none", strlen(at ? at + 1 : "none") + 1);
}

static void answer(int client, int status, const char *body) {
    char text[256];
    int size = snprintf(text, sizeof text, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                        status, strlen(body), body);
    if (write(client, text, size) < 0) perror("write");
}

int main(int argc, char **argv) {
    int port = 0, journal = -1;
    read_version();
    for (int n = 1; n + 1 < argc; n += 2) {
        if (!strcmp(argv[n], "--port")) port = atoi(argv[n + 1]);
        if (!strcmp(argv[n], "--journal")) journal = open(argv[n + 1], O_RDWR | O_CREAT | O_APPEND, 0644);
    }
    if (journal >= 0 && flock(journal, LOCK_EX | LOCK_NB)) return fprintf(stderr, "journal is in use\n"), 3;
    if (!strncmp(version, "dies", 4)) return fprintf(stderr, "no licence\n"), 4;
    if (!strncmp(version, "stubborn", 8)) signal(SIGTERM, SIG_IGN);
    int server = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 64)) return perror("bind"), 5;
    for (;;) {
        int client = accept(server, 0, 0);
        char request[4096] = {0};
        if (read(client, request, sizeof request - 1) > 0) {
            char text[32];
            if (!strncmp(request, "POST", 4)) {
                if (!strncmp(request, "POST /slow", 10)) usleep(300000);
                answer(client, journal < 0 || write(journal, "x", 1) == 1 ? 201 : 500, version);
            } else if (!strncmp(request, "GET /count", 10)) {
                snprintf(text, sizeof text, "%ld", (long)lseek(journal, 0, SEEK_END));
                answer(client, 200, text);
            } else if (!strncmp(request, "GET /ready", 10)) {
                answer(client, strncmp(version, "unready", 7) ? 200 : 503, version);
            } else answer(client, 200, version);
        }
        shutdown(client, SHUT_WR);
        close(client);
    }
}
