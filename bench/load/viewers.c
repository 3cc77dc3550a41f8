/* Many viewers in one thread, on WebSockets or server-sent events: counts what comes, and how late.
 *
 *   viewers MEDIUM PORT PATH ROOMS VIEWERS STALLED PER_SECOND MARKS
 *
 * MEDIUM is "socket" or "events", or "socket+tls" or "events+tls" where this was compiled with -DTLS
 * (-lssl -lcrypto): TLS 1.3 with one cipher, the same for every server. PATH holds one %d, the room's
 * number; of each room's VIEWERS the first STALLED do not read. They come as fast as they are let in,
 * or PER_SECOND. It only talks to 127.0.0.1. A message carries its CLOCK_MONOTONIC in ns between the
 * two characters MARKS, later ones a later time. Prints "ready" once all handshakes are over; each line
 * on stdin is answered by one line of JSON, and "reset" starts counting anew. It ends when stdin does.
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
#ifdef TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif

enum { MOST_US = 5000000, CARRY = 64, EVENTS = 512, BUFFER = 65536 };

/* One source address has 28,000 ports towards one destination, and other programs want some. */
enum { VIEWERS_PER_ADDRESS = 5000, PATIENCE_MS = 60000 };

enum taken { NOTHING, SOME, OPENS /* the answer to the handshake */ };

struct viewer {
    int fd;
#ifdef TLS
    SSL *tls;
#endif
    int asked;  /* the request has been sent */
    int opened;  /* the handshake's answer has been read */
    int room;
    int stalled;
    int ended;
    unsigned kept;  /* bytes of a cut marker */
    uint64_t messages;
    uint64_t newest_ns;  /* the greatest time it has read */
    char carry[CARRY];
};

static uint32_t histogram[MOST_US + 1];
static uint64_t deliveries, repeated;
static char buffer[CARRY + BUFFER + 1];

static int port;
static const char *path, *marks;
static int upgrades;  /* to a WebSocket; else events are read from the answer */
static const char UPGRADE[] = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static ssize_t outcome(ssize_t got) {
    return got < 0 && errno != EAGAIN && errno != EINTR ? 0 : got;
}

#ifdef TLS
static SSL_CTX *context;

static void prepare_tls(void) {
    context = SSL_CTX_new(TLS_client_method());
    if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) ||
        !SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256"))
        die("TLS");
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);  /* one system call for all that is there */
}

static ssize_t outcome_of_tls(struct viewer *v, int got) {
    if (got > 0) return got;
    int error = SSL_get_error(v->tls, got);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? -1 : 0;
}

/* Returns 1 when it is over, -1 when it goes on, 0 when it failed. */
static ssize_t shake_hands(struct viewer *v) {
    if (!context) return 1;
    ERR_clear_error();
    if (!v->tls) {
        v->tls = SSL_new(context);
        SSL_set_fd(v->tls, v->fd);
        SSL_set_connect_state(v->tls);
    }
    return outcome_of_tls(v, SSL_do_handshake(v->tls));
}

static ssize_t receive(struct viewer *v, void *data, size_t size) {
    if (!v->tls) return outcome(recv(v->fd, data, size, 0));
    ERR_clear_error();
    return outcome_of_tls(v, SSL_read(v->tls, data, (int)size));
}

static ssize_t transmit(struct viewer *v, const void *data, size_t size) {
    if (!v->tls) return outcome(send(v->fd, data, size, MSG_NOSIGNAL));
    ERR_clear_error();
    return outcome_of_tls(v, SSL_write(v->tls, data, (int)size));
}

/* What waits here is not seen by epoll. */
static int has_more(struct viewer *v) { return v->tls && SSL_has_pending(v->tls); }

static void hang_up(struct viewer *v) {
    v->ended = 1;
    SSL_free(v->tls);
    v->tls = NULL;
    close(v->fd);
}
#else
static void prepare_tls(void) {
    errno = ENOTSUP;
    die("compiled without TLS");
}

static ssize_t shake_hands(struct viewer *v) { return v != NULL; }

static ssize_t receive(struct viewer *v, void *data, size_t size) {
    return outcome(recv(v->fd, data, size, 0));
}

static ssize_t transmit(struct viewer *v, const void *data, size_t size) {
    return outcome(send(v->fd, data, size, MSG_NOSIGNAL));
}

static int has_more(struct viewer *v) { return v == NULL; }

static void hang_up(struct viewer *v) {
    v->ended = 1;
    close(v->fd);
}
#endif

static void delivered(struct viewer *v, uint64_t sent_ns, uint64_t at_ns) {
    if (sent_ns <= v->newest_ns) repeated++;
    else v->newest_ns = sent_ns;
    uint64_t us = at_ns > sent_ns ? (at_ns - sent_ns) / 1000 : 0;
    histogram[us < MOST_US ? us : MOST_US]++;
    v->messages++;
    deliveries++;
}

/* Looks for whole markers; what may be the beginning of one is carried to the next read. */
static void look(struct viewer *v, char *data, size_t size, uint64_t at_ns) {
    char *end = data + size, *p = data;
    v->kept = 0;
    while ((p = memchr(p, marks[0], (size_t)(end - p)))) {
        char *q = p + 1;
        uint64_t sent = 0;
        while (q < end && *q >= '0' && *q <= '9') sent = sent * 10 + (uint64_t)(*q++ - '0');
        if (q == end && end - p < CARRY) {
            v->kept = (unsigned)(end - p);
            memcpy(v->carry, p, v->kept);
            return;
        }
        if (q < end && *q == marks[1] && q > p + 10) {
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
    (void)!transmit(v, pong, sizeof pong);
}

static void check_answer(const char *data, size_t size) {
    const char *wanted = upgrades ? "HTTP/1.1 101 " : "HTTP/1.1 200 ";
    if (size >= strlen(wanted) && !memcmp(data, wanted, strlen(wanted))) return;
    fprintf(stderr, "a viewer was refused: %.*s\n", (int)strcspn(data, "\r\n"), data);
    exit(1);
}

static void ask(struct viewer *v);

static enum taken take(struct viewer *v) {
    if (!v->asked) ask(v);
    memcpy(buffer, v->carry, v->kept);
    ssize_t got = receive(v, buffer + v->kept, BUFFER);
    if (got < 0) return NOTHING;
    if (!got) {
        if (!v->opened) check_answer("it closed", 0);
        hang_up(v);
        return NOTHING;
    }
    uint64_t at_ns = now_ns();
    buffer[v->kept + (size_t)got] = 0;
    int opens = !v->opened;
    if (opens) check_answer(buffer, (size_t)got);
    else if (upgrades) answer_ping(v, buffer + v->kept, (size_t)got);
    v->opened = 1;
    look(v, buffer, v->kept + (size_t)got, at_ns);
    return opens ? OPENS : SOME;
}

static void ask(struct viewer *v) {
    ssize_t shaken = shake_hands(v);
    if (shaken < 0) return;
    if (!shaken) check_answer("no TLS 1.3 with our cipher", 0);
    char target[512], request[1024];
    snprintf(target, sizeof target, path, v->room);
    int size = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s\r\n",
                        target, port, upgrades ? UPGRADE : "Accept: text/event-stream\r\n");
    if (transmit(v, request, (size_t)size) != size) die("send");
    v->asked = 1;
}

static void dial(struct viewer *v, int source, int epoll) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (v->fd < 0) die("socket");
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)source);
    /* The port is chosen when it connects: before, it would have to be free towards everybody. */
    setsockopt(v->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    if (bind(v->fd, (struct sockaddr *)&from, sizeof from) < 0) die("bind");
    if (v->stalled) setsockopt(v->fd, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
    if (connect(v->fd, (struct sockaddr *)&to, sizeof to) < 0) die("connect");
    fcntl(v->fd, F_SETFL, O_NONBLOCK);
    ask(v);
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
    printf("{\"deliveries\":%llu,\"least\":%llu,\"most\":%llu,\"repeated\":%llu,"
           "\"ended\":%d,\"stalled_ended\":%d,"
           "\"p50_ms\":%.3f,\"p95_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"cpu_s\":%.3f}\n",
           (unsigned long long)deliveries, (unsigned long long)least, (unsigned long long)most,
           (unsigned long long)repeated, ended, stalled_ended, percentile(0.5), percentile(0.95), percentile(0.99),
           percentile(0.9999999),
           (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    fflush(stdout);
}

static void reset(struct viewer *all, int count) {
    memset(histogram, 0, sizeof histogram);
    deliveries = repeated = 0;
    for (int i = 0; i < count; i++) all[i].messages = 0;
}

/* Returns after how many ms the next viewer may come, or -1 if that takes an event. */
static int until_next(int dialled, int count, int opened, double per_second, uint64_t began_ns) {
    /* At most 200 handshakes under way, so that the backlog does not overflow. */
    if (dialled == count || dialled - opened >= 200) return -1;
    if (per_second <= 0) return 0;
    double due_ms = dialled / per_second * 1000 - (double)(now_ns() - began_ns) / 1e6;
    return due_ms > 0 ? (int)due_ms + 1 : 0;
}

int main(int argc, char **argv) {
    if (argc != 9 || strlen(argv[8]) != 2) {
        fprintf(stderr, "viewers MEDIUM PORT PATH ROOMS VIEWERS STALLED PER_SECOND MARKS\n");
        return 2;
    }
    upgrades = !strncmp(argv[1], "socket", 6);
    if (strstr(argv[1], "+tls")) prepare_tls();
    port = atoi(argv[2]);
    path = argv[3];
    marks = argv[8];
    int rooms = atoi(argv[4]), each = atoi(argv[5]), stalled = atoi(argv[6]);
    double per_second = atof(argv[7]);
    int count = rooms * each, opened = 0, dialled = 0, wait_ms;
    struct viewer *all = calloc((size_t)count, sizeof *all);
    int epoll = epoll_create1(0);
    struct epoll_event in = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &in);
    char line[64];
    uint64_t began_ns = now_ns();
    for (;;) {
        while (!(wait_ms = until_next(dialled, count, opened, per_second, began_ns))) {
            struct viewer *v = &all[dialled];
            v->stalled = dialled / rooms < stalled;
            v->room = dialled % rooms;
            dial(v, dialled / VIEWERS_PER_ADDRESS, epoll);
            dialled++;
        }
        if (wait_ms < 0 && opened < count) wait_ms = PATIENCE_MS;
        int found = epoll_wait(epoll, events, EVENTS, wait_ms);
        if (!found && wait_ms == PATIENCE_MS) {
            fprintf(stderr, "%d viewers have no answer\n", dialled - opened);
            return 1;
        }
        for (int i = 0; i < found; i++) {
            struct viewer *v = events[i].data.ptr;
            if (!v) {
                ssize_t got = read(0, line, sizeof line - 1);
                if (got <= 0) return 0;
                if (!strncmp(line, "reset", 5)) reset(all, count);
                report(all, count);
                continue;
            }
            enum taken took;
            do {
                took = take(v);
                if (took == OPENS && ++opened == count) {
                    puts("ready");
                    fflush(stdout);
                }
            } while (took != NOTHING && !v->stalled && has_more(v));
            if (v->stalled && v->opened && !v->ended) {
                /* It hears only of the end. */
                struct epoll_event rest = {.events = EPOLLRDHUP, .data.ptr = v};
                epoll_ctl(epoll, EPOLL_CTL_MOD, v->fd, &rest);
                if (events[i].events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) {
                    hang_up(v);
                }
            }
        }
    }
}
