// wsfan: opens CLIENTS WebSocket connections to one server, counts what arrives and times it. Prints one JSON line when SIGTERM comes.
// "up" on stderr says that every connection is open and, with -r, has received READY; counting starts there.
//
// usage: wsfan PORT PATH CLIENTS [-H 'Header: value']... [-t TOKENS] [-s FIRST] [-e EVENT] [-k KEY] [-r READY] [-z PERCENT]
//              [-c CONCURRENT] [-R MILLISECONDS]
//   -t TOKENS      a file with one bearer token per line, taken in turn
//   -s FIRST       the text that a connection sends after the upgrade, with its token in place of TOKEN; no Authorization header then
//   -e EVENT       each event holds this text, and after it "version":<its commit in microseconds>: counts events, takes latency
//   -k KEY         events hold "KEY":<microseconds modulo 2^30> instead, written by the program that posts them
//   -r READY       a connection is back when this text has arrived on it
//   -z PERCENT     so many of the connections never read after the upgrade; they are left out of the counts
//   -c CONCURRENT  how many handshakes may be under way at once
//   -R MILLISECONDS  a connection that ends is opened again, and a refused one after this pause; "back" on stderr when all are, and counting
//                 starts there again
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES (1 << 18)
#define MAX_LATENCIES 20000000
#define PER_ADDRESS 5000  // clients per loopback source address, so that ports suffice

typedef struct { int fd, number, upgraded, ready, deaf; uint8_t *unparsed; size_t size, room; uint64_t events; } Client;

static const char *event, *ready_text, *first_text, *stamp_key = "\"version\":";
static char **tokens;
static int token_count;
static uint64_t wrap, frames, events, bytes, closes, refused, *latencies;
static size_t latency_count, latency_room;
static volatile sig_atomic_t stopped;

static uint64_t now_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void note_latency(uint64_t value) {
  if (latency_count == latency_room) {
    if (latency_room >= MAX_LATENCIES) return;
    latency_room = latency_room ? latency_room * 2 : 1 << 16;
    latencies = realloc(latencies, latency_room * sizeof *latencies);
  }
  latencies[latency_count++] = value;
}

static void count_events(Client *client, const uint8_t *at, const uint8_t *end) {
  uint64_t now = now_ns(CLOCK_REALTIME) / 1000;
  while ((at = memmem(at, end - at, event, strlen(event)))) {
    client->events++;
    events++;
    if (!(at = memmem(at, end - at, stamp_key, strlen(stamp_key)))) return;
    uint64_t stamp = strtoull((const char *)at + strlen(stamp_key), 0, 10);
    note_latency(wrap ? (now - stamp) & (wrap - 1) : now > stamp ? now - stamp : 0);
  }
}

static void take_payload(Client *client, const uint8_t *payload, size_t size) {
  frames++;
  if (!client->ready && ready_text && memmem(payload, size, ready_text, strlen(ready_text))) client->ready = 1;
  if (event) count_events(client, payload, payload + size);
}

static void pong(int fd, const uint8_t *payload, size_t size) {
  uint8_t frame[6 + 125] = {0x8a, 0x80 | (uint8_t)size};
  memcpy(frame + 6, payload, size);
  if (write(fd, frame, 6 + size) < 0) return;  // the next read tells what became of it
}

// Sends one text frame, masked with zeros; -1 when it could not be sent whole.
static int send_text(int fd, const char *text, size_t size) {
  uint8_t frame[8192 + 8] = {0x81, 0x80 | (size > 125 ? 126 : (uint8_t)size), size >> 8, size & 255};
  size_t head = size > 125 ? 8 : 6;
  if (size > 8192) return -1;
  memset(frame + head - 4, 0, 4);
  memcpy(frame + head, text, size);
  return write(fd, frame, head + size) == (ssize_t)(head + size) ? 0 : -1;
}

static int send_first(Client *client) {
  char text[8192];
  const char *at = strstr(first_text, "TOKEN");
  const char *token = token_count ? tokens[client->number % token_count] : "";
  int before = at ? (int)(at - first_text) : (int)strlen(first_text);
  int size = snprintf(text, sizeof text, "%.*s%s%s", before, first_text, at ? token : "", at ? at + 5 : "");
  return size < (int)sizeof text ? send_text(client->fd, text, size) : -1;
}

// Takes whole frames off what is buffered; -1 when the connection is over.
static int parse(Client *client) {
  size_t at = 0;
  if (!client->upgraded) {
    uint8_t *end = memmem(client->unparsed, client->size, "\r\n\r\n", 4);
    if (!end) return 0;
    if (client->size < 12 || memcmp(client->unparsed + 9, "101", 3)) return refused++, -1;
    at = end + 4 - client->unparsed;
    client->upgraded = 1;
    if (first_text && send_first(client)) return refused++, -1;
    client->ready = !ready_text || client->deaf;
  }
  while (client->size - at >= 2) {
    uint8_t *frame = client->unparsed + at;
    size_t length = frame[1] & 0x7f, head = length == 126 ? 4 : length == 127 ? 10 : 2;
    if (client->size - at < head) break;
    if (head > 2) length = 0;
    for (size_t i = 2; i < head; i++) length = length << 8 | frame[i];
    if (client->size - at < head + length) break;
    switch (frame[0] & 15) {
      case 1: take_payload(client, frame + head, length); break;
      case 8: return closes++, -1;
      case 9: pong(client->fd, frame + head, length); break;
    }
    at += head + length;
  }
  memmove(client->unparsed, client->unparsed + at, client->size - at);
  client->size -= at;
  return 0;
}

static int take(Client *client, const uint8_t *data, size_t size) {
  bytes += size;
  if (client->room < client->size + size) client->unparsed = realloc(client->unparsed, client->room = (client->size + size) * 2);
  memcpy(client->unparsed + client->size, data, size);
  client->size += size;
  int result = parse(client);
  if (!client->size && client->room > 65536) {
    free(client->unparsed);
    client->unparsed = 0;
    client->room = 0;
  }
  return result;
}

static int open_socket(int port, int number, int deaf) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, small = 4096;
  struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000101 + (number / PER_ADDRESS << 8))};
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (deaf) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);  // else the kernel reads megabytes for it
  if (bind(fd, (void *)&from, sizeof from) || connect(fd, (void *)&to, sizeof to)) return close(fd), -1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

static int compare(const void *a, const void *b) {
  uint64_t x = *(uint64_t *)a, y = *(uint64_t *)b;
  return x < y ? -1 : x > y;
}

static double percentile(double part) {
  return latency_count ? latencies[(size_t)((latency_count - 1) * part)] / 1e3 : 0;
}

static void stop(int number) { stopped = number; }

static void start_counting(Client *clients, int total) {
  frames = events = bytes = latency_count = 0;
  for (int i = 0; i < total; i++) clients[i].events = 0;
}

int main(int argc, char **argv) {
  if (argc < 4) return fprintf(stderr, "usage: wsfan PORT PATH CLIENTS [options]\n"), 2;
  int port = atoi(argv[1]), total = atoi(argv[3]), concurrent = 64, deaf = 0;
  uint64_t again_ns = 0;
  char headers[8192] = "", line[8192], request[20000], key[64];
  for (int i = 4; i + 1 < argc; i += 2) {
    char *value = argv[i + 1];
    switch (argv[i][1]) {
      case 'H': strcat(strcat(headers, value), "\r\n"); break;
      case 'e': event = value; break;
      case 'r': ready_text = value; break;
      case 'z': deaf = (int)(total * atof(value) / 100); break;
      case 'c': concurrent = atoi(value); break;
      case 's': first_text = value; break;
      case 'R': again_ns = (uint64_t)(atof(value) * 1e6); break;
      case 'k':
        snprintf(key, sizeof key, "\"%s\":", value);
        stamp_key = key;
        wrap = 1 << 30;
        break;
      case 't': {
        FILE *file = fopen(value, "r");
        if (!file) return perror(value), 2;
        while (fgets(line, sizeof line, file)) {
          line[strcspn(line, "\n")] = 0;
          tokens = realloc(tokens, (token_count + 1) * sizeof *tokens);
          tokens[token_count++] = strdup(line);
        }
        fclose(file);
      }
    }
  }
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGTERM, stop);
  Client *clients = calloc(total, sizeof *clients);
  uint8_t *data = malloc(READ_BYTES);
  struct epoll_event found[1024];
  int epoll = epoll_create1(0), tried = 0, opening = 0, ready = 0, lost = 0, started = 0, is_back = 1;
  int *closed = calloc(total, sizeof *closed), closed_from = 0, closed_count = 0;  // a ring of those to open again
  int with_header = token_count && !first_text;
  uint64_t begun = now_ns(CLOCK_MONOTONIC), up_ns = 0, lost_ns = 0, pause_until_ns = 0;
  while (!stopped) {
    int may_retry = closed_count && now_ns(CLOCK_MONOTONIC) >= pause_until_ns;
    while (opening < concurrent && (tried < total || (may_retry && closed_count))) {
      int number;
      if (tried < total) {
        number = tried++;
      } else {
        number = closed[closed_from];
        closed_from = (closed_from + 1) % total;
        closed_count--;
      }
      Client *client = clients + number;
      client->number = number;
      client->deaf = number < deaf;
      if ((client->fd = open_socket(port, number, client->deaf)) < 0) {
        if (!again_ns) { lost++; refused++; continue; }
        closed[(closed_from + closed_count++) % total] = number;
        pause_until_ns = now_ns(CLOCK_MONOTONIC) + again_ns;
        may_retry = 0;
        continue;
      }
      int length = snprintf(request, sizeof request,
                            "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s%s%s\r\n",
                            argv[2], port, headers, with_header ? "Authorization: Bearer " : "",
                            with_header ? tokens[number % token_count] : "", with_header ? "\r\n" : "");
      if (write(client->fd, request, length) != length) refused++;
      epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &(struct epoll_event){.events = EPOLLIN, .data.u32 = number});
      opening++;
    }
    if (!started && tried == total && ready + lost >= total) {
      started = 1;
      up_ns = now_ns(CLOCK_MONOTONIC);
      start_counting(clients, total);
      fprintf(stderr, "up %d %.4f\n", ready, (up_ns - begun) / 1e9);
    }
    if (started && !is_back && ready == total) {
      is_back = 1;
      start_counting(clients, total);  // without the snapshots
      fprintf(stderr, "back %d %.4f\n", ready, (now_ns(CLOCK_MONOTONIC) - lost_ns) / 1e9);
    }
    int count = epoll_wait(epoll, found, 1024, 50);
    for (int i = 0; i < count; i++) {
      Client *client = clients + found[i].data.u32;
      int was_upgraded = client->upgraded, was_ready = client->ready;
      ssize_t size = read(client->fd, data, READ_BYTES);
      if (size < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      int over = size <= 0 || take(client, data, size) < 0;
      opening -= client->upgraded - was_upgraded;
      ready += client->ready - was_ready;
      if (client->deaf && client->upgraded) epoll_ctl(epoll, EPOLL_CTL_DEL, client->fd, 0);
      if (!over) continue;
      close(client->fd);
      client->fd = -1;
      opening -= !client->upgraded;
      if (!again_ns) {
        if (!client->ready) lost++;
        continue;
      }
      ready -= client->ready;
      client->upgraded = client->ready = 0;
      client->size = 0;
      closed[(closed_from + closed_count++) % total] = client->number;
      if (started && is_back) lost_ns = now_ns(CLOCK_MONOTONIC), is_back = 0;
    }
  }
  uint64_t least = UINT64_MAX, most = 0, open = 0;
  for (int i = 0; i < total; i++) {
    open += clients[i].fd >= 0;
    if (!clients[i].upgraded || clients[i].deaf) continue;
    if (clients[i].events < least) least = clients[i].events;
    if (clients[i].events > most) most = clients[i].events;
  }
  qsort(latencies, latency_count, sizeof *latencies, compare);
  printf("{\"open\":%lu,\"refused\":%lu,\"closes\":%lu,\"seconds\":%.4f,\"frames\":%lu,\"events\":%lu,\"bytes\":%lu,\"least_events\":%lu,"
         "\"most_events\":%lu,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n",
         open, refused, closes, (now_ns(CLOCK_MONOTONIC) - up_ns) / 1e9, frames, events, bytes, least, most, percentile(.5),
         percentile(.99), percentile(1));
  return 0;
}
