// wsfan: opens CLIENTS WebSocket connections to one server, counts what arrives and times it. Prints one JSON line when SIGTERM comes.
// "up" on stderr says that every connection is open and, with -r, has been told READY; counting starts there.
//
// usage: wsfan PORT PATH CLIENTS [-H 'Header: value']... [-t TOKENS] [-e EVENT] [-r READY] [-z PERCENT] [-c CONCURRENT]
//   -t TOKENS      a file with one bearer token per line, taken in turn
//   -e EVENT       each event holds this text, and after it "version":<its commit in microseconds>: counts events, takes latency
//   -r READY       a connection is back when this text has arrived on it
//   -z PERCENT     so many of the connections never read after the upgrade; they are left out of the counts
//   -c CONCURRENT  how many handshakes may be under way at once
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

typedef struct { int fd, upgraded, ready, deaf; uint8_t *unparsed; size_t size, room; uint64_t events; } Client;

static const char *event, *ready_text, stamp_key[] = "\"version\":";
static uint64_t frames, events, bytes, closes, refused, *latencies;
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
    if (!(at = memmem(at, end - at, stamp_key, sizeof stamp_key - 1))) return;
    uint64_t stamp = strtoull((const char *)at + sizeof stamp_key - 1, 0, 10);
    note_latency(now > stamp ? now - stamp : 0);
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

// Takes whole frames off what is buffered; -1 when the connection is over.
static int parse(Client *client) {
  size_t at = 0;
  if (!client->upgraded) {
    uint8_t *end = memmem(client->unparsed, client->size, "\r\n\r\n", 4);
    if (!end) return 0;
    if (client->size < 12 || memcmp(client->unparsed + 9, "101", 3)) return refused++, -1;
    at = end + 4 - client->unparsed;
    client->upgraded = 1;
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

int main(int argc, char **argv) {
  if (argc < 4) return fprintf(stderr, "usage: wsfan PORT PATH CLIENTS [options]\n"), 2;
  int port = atoi(argv[1]), total = atoi(argv[3]), concurrent = 64, deaf = 0, token_count = 0;
  char headers[8192] = "", line[8192], request[20000], **tokens = 0;
  for (int i = 4; i + 1 < argc; i += 2) {
    char *value = argv[i + 1];
    switch (argv[i][1]) {
      case 'H': strcat(strcat(headers, value), "\r\n"); break;
      case 'e': event = value; break;
      case 'r': ready_text = value; break;
      case 'z': deaf = (int)(total * atof(value) / 100); break;
      case 'c': concurrent = atoi(value); break;
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
  int epoll = epoll_create1(0), tried = 0, upgraded = 0, ready = 0, lost = 0, started = 0;
  uint64_t begun = now_ns(CLOCK_MONOTONIC), up_ns = 0;
  while (!stopped) {
    for (; tried < total && tried - upgraded - lost < concurrent; tried++) {
      Client *client = clients + tried;
      client->deaf = tried < deaf;
      if ((client->fd = open_socket(port, tried, client->deaf)) < 0) { lost++; refused++; continue; }
      int length = snprintf(request, sizeof request,
                            "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s%s%s\r\n",
                            argv[2], port, headers, token_count ? "Authorization: Bearer " : "",
                            token_count ? tokens[tried % token_count] : "", token_count ? "\r\n" : "");
      if (write(client->fd, request, length) != length) refused++;
      epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &(struct epoll_event){.events = EPOLLIN, .data.u32 = tried});
    }
    if (!started && tried == total && ready + lost >= total) {
      started = 1;
      up_ns = now_ns(CLOCK_MONOTONIC);
      frames = events = bytes = latency_count = 0;
      for (int i = 0; i < total; i++) clients[i].events = 0;
      fprintf(stderr, "up %d %.4f\n", ready, (up_ns - begun) / 1e9);
    }
    int count = epoll_wait(epoll, found, 1024, 50);
    for (int i = 0; i < count; i++) {
      Client *client = clients + found[i].data.u32;
      int was_upgraded = client->upgraded, was_ready = client->ready;
      ssize_t size = read(client->fd, data, READ_BYTES);
      if (size < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      int over = size <= 0 || take(client, data, size) < 0;
      upgraded += client->upgraded - was_upgraded;
      ready += client->ready - was_ready;
      if (client->deaf && client->upgraded) epoll_ctl(epoll, EPOLL_CTL_DEL, client->fd, 0);
      if (over) {
        if (!client->ready) lost++;
        close(client->fd);
        client->fd = -1;
      }
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
