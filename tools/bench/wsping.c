// wsping: how long a server's event loop keeps a client waiting. One connection sends a WebSocket ping every 5 ms, whether or not the
// one before was answered, and takes the delay of each pong. Runs with real-time priority where that is allowed, so that a busy load
// generator on the same core does not count as the server's delay. Prints one JSON line when SIGTERM comes.
//
// usage: wsping PORT PATH TOKEN
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EVERY_NS 5000000ull
static volatile sig_atomic_t stopped;
static uint8_t buffer[1 << 16];
static size_t size;
static uint64_t longest, pongs;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void stop(int number) { stopped = number; }

static int connected(int port, const char *path, const char *token) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  char request[8192];
  int length = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer %s\r\n\r\n",
                        path, port, token);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(fd, (void *)&to, sizeof to) || write(fd, request, length) != length) exit(1);
  while (!memmem(buffer, size, "\r\n\r\n", 4)) {
    ssize_t got = read(fd, buffer + size, sizeof buffer - size);
    if (got <= 0) exit(1);
    size += got;
  }
  uint8_t *end = (uint8_t *)memmem(buffer, size, "\r\n\r\n", 4) + 4;
  if (memcmp(buffer + 9, "101", 3)) exit(1);
  memmove(buffer, end, size -= end - buffer);
  return fd;
}

static void ping(int fd, uint64_t now) {
  uint8_t frame[14] = {0x89, 0x88};  // masked with zeros
  memcpy(frame + 6, &now, 8);
  if (write(fd, frame, sizeof frame) < 0) stopped = 1;
}

static void take_pongs(uint64_t now) {
  size_t at = 0;
  while (size - at >= 2) {
    uint8_t *frame = buffer + at;
    size_t length = frame[1] & 0x7f, head = length == 126 ? 4 : 2;  // no larger frame comes here
    if (size - at < head) break;
    if (head == 4) length = frame[2] << 8 | frame[3];
    if (size - at < head + length) break;
    uint64_t sent;
    memcpy(&sent, frame + head, 8);
    if ((frame[0] & 15) == 10 && length == 8) {
      pongs++;
      if (now - sent > longest) longest = now - sent;
    }
    at += head + length;
  }
  memmove(buffer, buffer + at, size -= at);
}

int main(int argc, char **argv) {
  if (argc < 4) return fprintf(stderr, "usage: wsping PORT PATH TOKEN\n"), 2;
  signal(SIGTERM, stop);
  signal(SIGPIPE, SIG_IGN);
  int real_time = !sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
  int fd = connected(atoi(argv[1]), argv[2], argv[3]);
  fprintf(stderr, "up\n");
  uint64_t next = now_ns();
  while (!stopped) {
    uint64_t now = now_ns();
    if (now >= next) {
      ping(fd, now);
      next += EVERY_NS;
    }
    struct pollfd waiting = {fd, POLLIN, 0};
    struct timespec rest = {0, next > now ? (long)(next - now) : 0};
    if (ppoll(&waiting, 1, &rest, 0) <= 0) continue;
    ssize_t got = read(fd, buffer + size, sizeof buffer - size);
    if (got <= 0) break;
    size += got;
    take_pongs(now_ns());
  }
  printf("{\"pongs\":%lu,\"longest_ms\":%.3f,\"real_time\":%s}\n", pongs, longest / 1e6, real_time ? "true" : "false");
  return 0;
}
