// paced: keep-alive POSTs to one server, at an even pace or as fast as it answers, one request in flight on each connection. At a pace, a
// post is due whether or not the server has answered those before: its delay and its stamp count from when it was due. Prints one JSON line
// after SECONDS; with -i, also a line about each interval on stderr.
//
// usage: paced PORT PATH CONNECTIONS SECONDS RATE BODY GOOD [-h HEADERS] [-r ROOMS] [-b BATCH] [-i SECONDS]
//   PATH, BODY   templates: %r a room's number in five digits (rooms are taken in turn), %u microseconds modulo 2^30, %s seconds,
//                %m milliseconds, %n a number that grows with every reading
//   RATE         posts a second, 0 for as fast as is answered
//   GOOD         the text that an answer has once for each accepted reading
//   -h HEADERS   a file with header lines, so that no secret is on the command line
//   -b BATCH     so many bodies in an array
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_BYTES (1 << 18)
#define MAX_LATENCIES 4000000

typedef struct { int fd, busy; char *answer; size_t size; uint64_t due; } Connection;
static uint64_t answers, accepted, turn, known, interval_from, *latencies, latest_late;
static const char *path_template, *body_template, *good;
static char headers[8192], *request, *body;
static int rooms = 1, batch, epoll;
static struct sockaddr_in to = {.sin_family = AF_INET};

static uint64_t now_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}

static char *fill(char *out, const char *template, uint64_t due_us) {
  for (const char *at = template; *at; at++) {
    if (*at != '%' || !at[1]) { *out++ = *at; continue; }
    switch (*++at) {
      case 'r': out += sprintf(out, "%05lu", turn % rooms); break;
      case 'u': out += sprintf(out, "%lu", due_us & ((1 << 30) - 1)); break;
      case 's': out += sprintf(out, "%lu", due_us / 1000000); break;
      case 'm': out += sprintf(out, "%lu", due_us / 1000); break;
      case 'n': out += sprintf(out, "%lu", turn); break;
      default: *out++ = *at;
    }
  }
  return out;
}

static void open_connection(Connection *connection) {
  int one = 1;
  connection->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(connection->fd, (void *)&to, sizeof to)) perror("paced: no connection"), exit(1);
  setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = connection});
}

// Sends one post that was due at a time of the monotonic clock.
static void post(Connection *connection, uint64_t due) {
  uint64_t now = now_ns(CLOCK_MONOTONIC), due_us = (now_ns(CLOCK_REALTIME) - (now > due ? now - due : 0)) / 1000;
  char *at = request + sprintf(request, "POST "), *end = body;
  at = fill(at, path_template, due_us);
  if (batch) *end++ = '[';
  for (int i = 0; i < (batch ? batch : 1); i++) {
    if (i) *end++ = ',';
    end = fill(end, body_template, due_us);
    turn++;
  }
  if (batch) *end++ = ']';
  at += sprintf(at, " HTTP/1.1\r\nHost: 127.0.0.1\r\n%sContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", headers, end - body);
  memcpy(at, body, end - body);
  size_t size = at + (end - body) - request, done = 0;
  connection->size = 0;
  connection->due = due;
  if (now > due && now - due > latest_late) latest_late = now - due;
  while (done < size) {
    ssize_t wrote = write(connection->fd, request + done, size - done);
    if (wrote <= 0) perror("paced: a post could not be sent"), exit(1);
    done += wrote;
  }
  connection->busy = 1;
}

// Whether the whole answer is there; counts it if so.
static int answered(Connection *connection) {
  connection->answer[connection->size] = 0;
  char *end = strstr(connection->answer, "\r\n\r\n"), *length = strcasestr(connection->answer, "content-length:");
  if (!end || !length || length > end) return 0;
  if (connection->size < (size_t)(end + 4 - connection->answer) + strtoul(length + 15, 0, 10)) return 0;
  if (known < MAX_LATENCIES) latencies[known++] = now_ns(CLOCK_MONOTONIC) - connection->due;
  answers++;
  for (char *at = connection->answer; (at = strstr(at, good)); at++) accepted++;
  return 1;
}

static int compare(const void *a, const void *b) {
  uint64_t x = *(uint64_t *)a, y = *(uint64_t *)b;
  return x < y ? -1 : x > y;
}

static double percentile(uint64_t from, double part) {
  return known > from ? latencies[from + (size_t)((known - from - 1) * part)] / 1e6 : 0;
}

int main(int argc, char **argv) {
  if (argc < 8) return fprintf(stderr, "usage: paced PORT PATH CONNECTIONS SECONDS RATE BODY GOOD [options]\n"), 2;
  int count = atoi(argv[3]);
  epoll = epoll_create1(0);
  signal(SIGPIPE, SIG_IGN);
  double rate = atof(argv[5]), interval = 0;
  path_template = argv[2], body_template = argv[6], good = argv[7];
  for (int i = 8; i + 1 < argc; i += 2) {
    switch (argv[i][1]) {
      case 'r': rooms = atoi(argv[i + 1]); break;
      case 'b': batch = atoi(argv[i + 1]); break;
      case 'i': interval = atof(argv[i + 1]); break;
      case 'h': {
        FILE *file = fopen(argv[i + 1], "r");
        if (!file) return perror(argv[i + 1]), 2;
        for (char line[4096]; fgets(line, sizeof line, file) && strlen(headers) + strlen(line) + 3 < sizeof headers;) {
          line[strcspn(line, "\r\n")] = 0;
          if (*line) strcat(strcat(headers, line), "\r\n");
        }
        fclose(file);
      }
    }
  }
  size_t space = (strlen(body_template) * 4 + 64) * (batch ? batch : 1) + 2;
  body = malloc(space), request = malloc(space + sizeof headers + strlen(path_template) * 4 + 512);
  latencies = malloc(MAX_LATENCIES * sizeof *latencies);
  Connection *connections = calloc(count, sizeof *connections), **idle = calloc(count, sizeof *idle);  // a ring: all are used in turn
  to.sin_port = htons(atoi(argv[1])), to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int idle_from = 0, idle_count = 0;
  for (int i = 0; i < count; i++) {
    connections[i].answer = malloc(ANSWER_BYTES + 1);
    open_connection(connections + i);
    idle[idle_count++] = connections + i;
  }
  uint64_t begun = now_ns(CLOCK_MONOTONIC), end = begun + (uint64_t)(atof(argv[4]) * 1e9), now = begun, sent = 0, due = begun;
  uint64_t shown = begun, shown_accepted = 0, last_answer = begun;
  struct epoll_event found[256];
  while (now < end || idle_count < count) {
    for (; now < end && idle_count && due <= now; sent++) {
      Connection *next = idle[idle_from];
      idle_from = (idle_from + 1) % count, idle_count--;
      post(next, rate ? due : now);
      due = rate ? begun + (uint64_t)((sent + 1) / rate * 1e9) : now;
    }
    uint64_t wake = now < end ? end : now + 5000000000ull;
    if (rate && now < end && idle_count && due < wake) wake = due;
    struct timespec rest = {(time_t)((wake > now ? wake - now : 0) / 1000000000ull), (long)((wake > now ? wake - now : 0) % 1000000000ull)};
    int ready = epoll_pwait2(epoll, found, 256, &rest, 0);
    now = now_ns(CLOCK_MONOTONIC);
    if (ready <= 0 && now >= end + 5000000000ull) break;
    for (int i = 0; i < ready; i++) {
      Connection *connection = found[i].data.ptr;
      ssize_t size = read(connection->fd, connection->answer + connection->size, ANSWER_BYTES - connection->size);
      if (size <= 0) {
        if (connection->busy) return fprintf(stderr, "paced: the server closed a connection instead of answering\n"), 1;
        close(connection->fd);
        open_connection(connection);  // it was idle for longer than the server waits
        continue;
      }
      connection->size += size;
      if (!answered(connection)) continue;
      connection->busy = 0;
      idle[(idle_from + idle_count++) % count] = connection, last_answer = now;
    }
    if (interval && now - shown >= interval * 1e9) {
      qsort(latencies + interval_from, known - interval_from, sizeof *latencies, compare);
      fprintf(stderr, "at %.1f accepted %lu p50_ms %.3f p99_ms %.3f late_ms %.3f\n", (now - begun) / 1e9, accepted - shown_accepted,
              percentile(interval_from, .5), percentile(interval_from, .99), latest_late / 1e6);
      shown = now, shown_accepted = accepted, interval_from = known;
    }
  }
  uint64_t wanted = rate ? (uint64_t)(atof(argv[4]) * rate) : sent;
  qsort(latencies, known, sizeof *latencies, compare);
  printf("{\"seconds\":%.4f,\"posts\":%lu,\"answers\":%lu,\"accepted\":%lu,\"unsent\":%lu,\"late_ms\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
         "\"max_ms\":%.3f}\n", (last_answer - begun) / 1e9, sent, answers, accepted, wanted > sent ? wanted - sent : 0, latest_late / 1e6,
         percentile(0, .5), percentile(0, .99), percentile(0, 1));
  return 0;
}
