// wsrelay: the floor for a relay between Redis and one WebSocket client on this machine. It subscribes to one channel, and sends each
// message that it receives as one text frame with one send() to the client that connected last: no parsing, no tokens, no policy. What a
// relay takes beyond this is its own doing; what this takes beyond a bare subscriber is the hop: one more process that sleeps until it is
// woken.
//
// usage: wsrelay PORT REDIS_ADDRESS REDIS_PORT CHANNEL
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD 4
static const char upgrade[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static char received[1 << 16];
static size_t size;
static int client = -1;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int socket_to(const char *address, int port, int listens) {
  int found = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (inet_pton(AF_INET, address, &at.sin_addr) != 1) fail("wsrelay: an address is written in digits");
  setsockopt(found, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (listens ? bind(found, (void *)&at, sizeof at) || listen(found, 16) : connect(found, (void *)&at, sizeof at)) fail("wsrelay");
  setsockopt(found, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return found;
}

static void subscribe(int redis, const char *channel) {
  char line[1024];
  int length = snprintf(line, sizeof line, "SUBSCRIBE %s\r\n", channel);
  if (length >= (int)sizeof line || write(redis, line, length) != length) fail("wsrelay");
  if (read(redis, line, sizeof line) < 2 || memcmp(line, "*3", 2)) fail("wsrelay: the server refuses the subscription");
}

static void accept_client(int listener) {
  char request[8192];
  int one = 1, next = accept(listener, 0, 0);
  if (next < 0) return;
  if (read(next, request, sizeof request) <= 0 || write(next, upgrade, sizeof upgrade - 1) < 0) {
    close(next);
    return;
  }
  setsockopt(next, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (client >= 0) close(client);
  client = next;
}

// Sends the payload as one frame. There is room for the frame's head in front of it, where the message was.
static void send_frame(uint8_t *payload, size_t length) {
  uint8_t *frame = payload - HEAD;
  frame[0] = 0x81, frame[1] = 126, frame[2] = length >> 8, frame[3] = length & 255;
  if (client >= 0 && send(client, frame, HEAD + length, MSG_NOSIGNAL) < 0) close(client), client = -1;
}

// The end of the line at `at`, after its \r\n; 0 while it has not arrived.
static char *after_line(char *at) {
  char *end = memmem(at, received + size - at, "\r\n", 2);
  return end ? end + 2 : 0;
}

// Takes one message off what was received, `*3`, then three strings with their lengths; 0 while it has not arrived.
static int take_message(void) {
  char *at = after_line(received), *payload = 0;
  size_t length = 0;
  for (int i = 0; i < 3; i++) {
    if (!at || at >= received + size) return 0;
    length = strtoul(at + 1, 0, 10);
    if (!(payload = after_line(at))) return 0;
    at = payload + length + 2;
  }
  if (at > received + size) return 0;
  char *rest = at;
  if (length > 125 && length < 65536) send_frame((uint8_t *)payload, length);
  memmove(received, rest, size -= rest - received);
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 5) return fprintf(stderr, "usage: wsrelay PORT REDIS_ADDRESS REDIS_PORT CHANNEL\n"), 2;
  int redis = socket_to(argv[2], atoi(argv[3]), 0);
  subscribe(redis, argv[4]);
  int listener = socket_to("127.0.0.1", atoi(argv[1]), 1);
  struct pollfd waiting[2] = {{redis, POLLIN, 0}, {listener, POLLIN, 0}};
  while (poll(waiting, 2, -1) > 0) {
    if (waiting[1].revents) accept_client(listener);
    if (!waiting[0].revents) continue;
    ssize_t got = read(redis, received + size, sizeof received - size - 1);
    if (got <= 0) return 1;
    received[size += got] = 0;
    while (size && take_message()) {}
  }
  return 1;
}
