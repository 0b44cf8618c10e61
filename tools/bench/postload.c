// postload: keep-alive POSTs of readings from CONNECTIONS sockets, one request in flight on each (no pipelining). BATCH 1 posts single
// readings, or arrays of one with `array`; more posts arrays. Rooms are taken in turn, so that none exceeds its rate. Prints one JSON line
// after SECONDS.
//
// usage: postload PORT TOKEN CONNECTIONS SECONDS ROOMS BATCH [array]
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_BYTES (1 << 18)
#define READING_BYTES 200
#define MAX_LATENCIES 4000000

typedef struct { int fd; char *answer; size_t size; uint64_t sent; } Connection;
static uint64_t answers, accepted, refused, turn, *latencies;
static char *request, *body;
static int rooms, batch, array;
static const char *head_format;
static const char *token;

static uint64_t now_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}

static size_t build(void) {
  uint64_t ms = now_ns(CLOCK_REALTIME) / 1000000;
  size_t size = 0;
  if (array) body[size++] = '[';
  for (int i = 0; i < batch; i++, turn++)
    size += sprintf(body + size,
                    "%s{\"room_id\":\"room-%05lu\",\"platform\":\"chaturbate\",\"timestamp\":%lu,\"tokens_count\":%lu,\"sequence\":%lu,"
                    "\"tips_count\":7,\"viewers_count\":42}",
                    i ? "," : "", turn % rooms, ms / 1000, turn & 0xffffff, ms);
  if (array) body[size++] = ']';
  size_t head = sprintf(request, head_format, token, size);
  memcpy(request + head, body, size);
  return head + size;
}

static void post(Connection *connection) {
  size_t size = build(), done = 0;
  connection->size = 0;
  connection->sent = now_ns(CLOCK_MONOTONIC);
  while (done < size) {
    ssize_t wrote = write(connection->fd, request + done, size - done);
    if (wrote <= 0) exit(1);
    done += wrote;
  }
}

// Whether the whole answer is there; counts it if so.
static int answered(Connection *connection) {
  connection->answer[connection->size] = 0;
  char *end = strstr(connection->answer, "\r\n\r\n"), *length = strcasestr(connection->answer, "content-length:");
  if (!end || !length || connection->size < (size_t)(end + 4 - connection->answer) + strtoul(length + 15, 0, 10)) return 0;
  if (answers < MAX_LATENCIES) latencies[answers] = now_ns(CLOCK_MONOTONIC) - connection->sent;
  answers++;
  int good = 0;
  for (char *at = end; (at = strstr(at, "\"accepted\"")); at++) good++;
  accepted += good;
  refused += batch - good;
  return 1;
}

static int compare(const void *a, const void *b) {
  uint64_t x = *(uint64_t *)a, y = *(uint64_t *)b;
  return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
  if (argc < 7) return fprintf(stderr, "usage: postload PORT TOKEN CONNECTIONS SECONDS ROOMS BATCH [array]\n"), 2;
  int count = atoi(argv[3]), one = 1, epoll = epoll_create1(0);
  token = argv[2], rooms = atoi(argv[5]), batch = atoi(argv[6]), array = batch > 1 || argc > 7;
  head_format = array     ? "POST /api/tracking/telemetry/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n"
                            "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n"
                          : "POST /api/tracking/telemetry HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n"
                            "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n";
  body = malloc((size_t)READING_BYTES * batch + 2), request = malloc((size_t)READING_BYTES * batch + 8192);
  latencies = malloc(MAX_LATENCIES * sizeof *latencies);
  Connection *connections = calloc(count, sizeof *connections);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  for (int i = 0; i < count; i++) {
    connections[i] = (Connection){.fd = socket(AF_INET, SOCK_STREAM, 0), .answer = malloc(ANSWER_BYTES + 1)};
    if (connect(connections[i].fd, (void *)&to, sizeof to)) return perror("postload"), 1;
    setsockopt(connections[i].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = connections + i});
    post(connections + i);
  }
  uint64_t begun = now_ns(CLOCK_MONOTONIC), end = begun + (uint64_t)(atof(argv[4]) * 1e9), now = begun;
  struct epoll_event found[256];
  int open = count;
  while (open) {
    int ready = epoll_wait(epoll, found, 256, 2000);
    if (ready <= 0) break;
    now = now_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < ready; i++) {
      Connection *connection = found[i].data.ptr;
      ssize_t size = read(connection->fd, connection->answer + connection->size, ANSWER_BYTES - connection->size);
      if (size <= 0) return fprintf(stderr, "postload: the server hung up\n"), 1;
      connection->size += size;
      if (!answered(connection)) continue;
      if (now < end) post(connection);
      else epoll_ctl(epoll, EPOLL_CTL_DEL, connection->fd, 0), open--;
    }
  }
  uint64_t known = answers < MAX_LATENCIES ? answers : MAX_LATENCIES;
  qsort(latencies, known, sizeof *latencies, compare);
  printf("{\"seconds\":%.4f,\"requests\":%lu,\"accepted\":%lu,\"refused\":%lu,\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n", (now - begun) / 1e9, answers,
         accepted, refused, known ? latencies[known / 2] / 1e6 : 0, known ? latencies[(size_t)((known - 1) * .99)] / 1e6 : 0);
  return 0;
}
