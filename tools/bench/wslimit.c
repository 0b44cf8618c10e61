// wslimit: the floor for WebSocket fan-out on this machine. It accepts upgrades and then, RATE times a second, writes one
// pre-built buffer of EVENTS_PER_WRITE text frames to every socket with one send() each: no parsing, no tokens, no policy.
// Whatever a relay costs beyond this is its own doing.
//
// usage: wslimit PORT RATE EVENTS_PER_WRITE
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_CLIENTS 100000
static const char upgrade[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static int sockets[MAX_CLIENTS], clients;

static uint64_t now_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}

static int listen_on(int port) {
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096)) {
    perror("wslimit");
    exit(1);
  }
  fcntl(listener, F_SETFL, O_NONBLOCK);
  return listener;
}

static void accept_all(int listener) {
  char request[4096];
  int client, one = 1;
  while (clients < MAX_CLIENTS && (client = accept(listener, 0, 0)) >= 0) {
    if (read(client, request, sizeof request) <= 0 || write(client, upgrade, sizeof upgrade - 1) < 0) {
      close(client);
      continue;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(client, F_SETFL, O_NONBLOCK);
    sockets[clients++] = client;
  }
}

static size_t build(uint8_t *out, int events) {
  size_t size = 0;
  char text[400];
  uint64_t stamp = now_ns(CLOCK_REALTIME) / 1000;
  for (int i = 0; i < events; i++) {
    int length = snprintf(text, sizeof text,
                          "{\"event_type\":\"TELEMETRY_UPDATE\",\"room_id\":\"room-%05d\",\"data\":{\"platform\":\"chaturbate\",\"tokens\":5000,"
                          "\"tips\":250,\"viewers\":45,\"goal\":null,\"timestamp\":1700000000},\"timestamp\":1700000000,\"version\":%lu}",
                          i, stamp);
    uint8_t head[4] = {0x81, 126, length >> 8, length & 255};
    memcpy(out + size, head, 4);
    memcpy(out + size + 4, text, length);
    size += 4 + length;
  }
  return size;
}

int main(int argc, char **argv) {
  if (argc < 4) return fprintf(stderr, "usage: wslimit PORT RATE EVENTS_PER_WRITE\n"), 2;
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  int listener = listen_on(atoi(argv[1])), events = atoi(argv[3]);
  uint64_t step = (uint64_t)(1e9 / atof(argv[2])), next = now_ns(CLOCK_MONOTONIC);
  uint8_t *out = malloc(400 * (size_t)events);
  for (;;) {
    uint64_t now = now_ns(CLOCK_MONOTONIC);
    struct pollfd waiting = {listener, POLLIN, 0};
    if (poll(&waiting, 1, next > now ? (int)((next - now) / 1000000) : 0) > 0) accept_all(listener);
    if (now_ns(CLOCK_MONOTONIC) < next) continue;
    next += step;
    size_t size = build(out, events);
    for (int i = 0; i < clients; i++) {
      if (sockets[i] >= 0 && send(sockets[i], out, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        close(sockets[i]);
        sockets[i] = -1;
      }
    }
  }
}
