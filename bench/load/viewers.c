/* Many WebSocket viewers in one thread: counts what comes, and how late.
 *
 *   viewers PORT PATH ROOMS VIEWERS STALLED
 *
 * PATH holds one %d, the room's number; of each room's VIEWERS the first STALLED do not read. It only
 * talks to 127.0.0.1. A message carries "@<CLOCK_MONOTONIC in ns>@". Prints "ready" once all handshakes
 * are over; each line on stdin is answered by one line of JSON, and "reset" starts counting anew.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_US = 5000000, CARRY = 64, EVENTS = 512, BUFFER = 65536 };

struct viewer {
    int fd;
    int opened;  /* the handshake's answer has been read */
    int stalled;
    int ended;
    unsigned kept;  /* bytes of a cut marker */
    uint64_t messages;
    char carry[CARRY];
};

static uint32_t histogram[MOST_US + 1];
static uint64_t deliveries;
static char buffer[CARRY + BUFFER];

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void delivered(struct viewer *v, uint64_t sent_ns, uint64_t at_ns) {
    uint64_t us = at_ns > sent_ns ? (at_ns - sent_ns) / 1000 : 0;
    histogram[us < MOST_US ? us : MOST_US]++;
    v->messages++;
    deliveries++;
}

/* Looks for whole markers; what may be the beginning of one is carried to the next read. */
static void look(struct viewer *v, char *data, size_t size, uint64_t at_ns) {
    char *end = data + size, *p = data;
    v->kept = 0;
    while ((p = memchr(p, '@', (size_t)(end - p)))) {
        char *q = p + 1;
        uint64_t sent = 0;
        while (q < end && *q >= '0' && *q <= '9') sent = sent * 10 + (uint64_t)(*q++ - '0');
        if (q == end && end - p < CARRY) {
            v->kept = (unsigned)(end - p);
            memcpy(v->carry, p, v->kept);
            return;
        }
        if (q < end && *q == '@' && q > p + 10) {
            delivered(v, sent, at_ns);
            p = q + 1;
        } else {
            p++;
        }
    }
}

/* Answers a ping of four bytes, as the server sends; 0x89 is in no ASCII text (RFC 6455, 5.5.3). */
static void answer_ping(struct viewer *v, const char *data, size_t size) {
    const char *ping = memmem(data, size, "\x89\x04", 2);
    if (!ping || data + size - ping < 6) return;
    char pong[10] = "\x8a\x84\0\0\0\0";
    memcpy(pong + 6, ping + 2, 4);
    (void)!send(v->fd, pong, sizeof pong, MSG_NOSIGNAL);
}

static int take(struct viewer *v) {
    memcpy(buffer, v->carry, v->kept);
    ssize_t got = recv(v->fd, buffer + v->kept, BUFFER, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    if (got <= 0) {
        v->ended = 1;
        close(v->fd);
        return 0;
    }
    uint64_t at_ns = now_ns();
    answer_ping(v, buffer + v->kept, (size_t)got);
    look(v, buffer, v->kept + (size_t)got, at_ns);
    if (v->opened) return 0;
    v->opened = 1;
    return 1;
}

static void dial(struct viewer *v, int port, const char *path, int room, int epoll) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (v->fd < 0) die("socket");
    if (v->stalled) setsockopt(v->fd, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
    if (connect(v->fd, (struct sockaddr *)&to, sizeof to) < 0) die("connect");
    fcntl(v->fd, F_SETFL, O_NONBLOCK);
    char target[512], request[1024];
    snprintf(target, sizeof target, path, room);
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\n"
                        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                        target, port);
    if (send(v->fd, request, (size_t)size, 0) != size) die("send");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = v};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, v->fd, &event) < 0) die("epoll_ctl");
}

static double percentile(double share) {
    uint64_t wanted = (uint64_t)(share * (double)deliveries), seen = 0;
    for (int us = 0; us <= MOST_US; us++)
        if ((seen += histogram[us]) > wanted) return us / 1000.0;
    return 0;
}

static void report(struct viewer *all, int count) {
    uint64_t least = UINT64_MAX, most = 0;
    int ended = 0, stalled_ended = 0;
    for (int i = 0; i < count; i++) {
        if (all[i].stalled) {
            stalled_ended += all[i].ended;
            continue;
        }
        ended += all[i].ended;
        if (all[i].messages < least) least = all[i].messages;
        if (all[i].messages > most) most = all[i].messages;
    }
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("{\"deliveries\":%llu,\"least\":%llu,\"most\":%llu,\"ended\":%d,\"stalled_ended\":%d,"
           "\"p50_ms\":%.3f,\"p95_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"cpu_s\":%.3f}\n",
           (unsigned long long)deliveries, (unsigned long long)least, (unsigned long long)most,
           ended, stalled_ended, percentile(0.5), percentile(0.95), percentile(0.99),
           percentile(0.9999999),
           (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    fflush(stdout);
}

static void reset(struct viewer *all, int count) {
    memset(histogram, 0, sizeof histogram);
    deliveries = 0;
    for (int i = 0; i < count; i++) all[i].messages = 0;
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fprintf(stderr, "viewers PORT PATH ROOMS VIEWERS STALLED\n");
        return 2;
    }
    int port = atoi(argv[1]), rooms = atoi(argv[3]), each = atoi(argv[4]), stalled = atoi(argv[5]);
    int count = rooms * each, opened = 0, dialled = 0, wanted = 0;
    struct viewer *all = calloc((size_t)count, sizeof *all);
    int epoll = epoll_create1(0);
    struct epoll_event in = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &in);
    char line[64];
    for (;;) {
        /* At most 200 handshakes under way, so that the backlog does not overflow. */
        while (dialled < count && dialled - opened < 200) {
            all[dialled].stalled = dialled / rooms < stalled;
            dial(&all[dialled], port, argv[2], dialled % rooms, epoll);
            wanted++;
            dialled++;
        }
        int found = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < found; i++) {
            struct viewer *v = events[i].data.ptr;
            if (!v) {
                ssize_t got = read(0, line, sizeof line - 1);
                if (got <= 0) return 0;
                if (!strncmp(line, "reset", 5)) reset(all, count);
                report(all, count);
                continue;
            }
            if (take(v) && ++opened == count) {
                puts("ready");
                fflush(stdout);
            }
            if (v->stalled && v->opened && !v->ended) {
                /* It hears only of the end. */
                struct epoll_event rest = {.events = EPOLLRDHUP, .data.ptr = v};
                epoll_ctl(epoll, EPOLL_CTL_MOD, v->fd, &rest);
                if (events[i].events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) {
                    v->ended = 1;
                    close(v->fd);
                }
            }
        }
    }
}
