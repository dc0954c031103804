// The arena of examples/client, behind sallyport-sidecar. docs/sidecar.md has the bytes.
#include <arpa/inet.h>
#include <math.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEADER = 24, SIDE = 65535, RATE = 60, MOST = 1024, LEVEL_LEN = 50000 };
enum { ALIVE = 1, JOINED, DATA, LEFT };
enum { NEWS = 0, PICKUPS = 2, LEVEL = 5, PAYLOAD = 255 };

static struct player { uint32_t handle, number, newest; uint64_t got, time; double x, y, east, north; } players[MOST];
static int count, sock;
static uint32_t run, match, peer, seen, joined, tick;
static uint8_t level[LEVEL_LEN], out[HEADER + LEVEL_LEN];

static uint8_t *put(uint8_t *p, uint64_t v, int n) { while (n--) *p++ = (uint8_t)(v >> 8 * n); return p; }
static uint64_t get(const uint8_t *p, int n) { uint64_t v = 0; while (n--) v = v << 8 | *p++; return v; }
static uint64_t now(clockid_t c) { struct timespec t; clock_gettime(c, &t); return (uint64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000; }

static void say(int kind, uint32_t handle, int lane, size_t length) { // the body is in out already
	uint8_t *p = put(put(put(put(out, 1, 1), kind, 1), lane, 1), 0, 1);
	put(put(put(put(put(p, run, 4), peer, 4), handle, 4), seen, 4), 0, 4);
	if (send(sock, out, HEADER + length, 0) < 0) return; // the sidecar is away
}

static struct player *find(uint32_t handle) {
	for (int i = 0; i < count; i++) if (players[i].handle == handle) return &players[i];
	return NULL;
}

static void hear(const uint8_t *b, size_t n) {
	if (n < HEADER || b[0] != 1) return; // rubbish
	uint32_t handle = get(b + 12, 4), number = get(b + 16, 4);
	if (get(b + 4, 4) != peer) { // another sidecar, or we have missed something: it tells us again who plays
		peer = get(b + 4, 4);
		seen = count = 0;
	}
	if (get(b + 8, 4) != run || (number && number != seen + 1)) { say(ALIVE, 0, 0, 0); return; } // not for us, repeated, too early
	if (number) seen = number;
	struct player *p = find(handle);
	const uint8_t *body = b + HEADER;
	size_t length = n - HEADER;
	if (b[1] == JOINED && !p && count < MOST) {
		players[count++] = (struct player){.handle = handle, .number = ++joined, .x = SIDE / 2.0, .y = SIDE / 2.0};
		memcpy(put(out + HEADER, now(CLOCK_REALTIME), 8), level + 8, LEVEL_LEN - 8);
		if (!(b[2] & 2)) say(DATA, handle, LEVEL, LEVEL_LEN); // else it has it
	} else if (b[1] == LEFT && p) {
		*p = players[--count];
	} else if (b[1] == DATA && p && b[2] == PICKUPS && length <= LEVEL_LEN) {
		memcpy(out + HEADER, body, length);
		say(DATA, handle, PICKUPS, length);
	} else if (b[1] == DATA && p && b[2] == PAYLOAD) {
		p->got++;
		if (length >= 16 && get(body, 4) > p->newest) {
			p->newest = get(body, 4);
			p->time = get(body + 4, 8);
			p->east = (int16_t)get(body + 12, 2) / 32767.0;
			p->north = (int16_t)get(body + 14, 2) / 32767.0;
		}
	}
	if (number || b[1] == ALIVE) say(ALIVE, 0, 0, 0); // we live, and have it
}

static uint8_t *draw(uint8_t *at, const struct player *p) { return put(put(put(at, p->number, 4), (uint16_t)p->x, 2), (uint16_t)p->y, 2); }

static void step(void) {
	tick++;
	for (struct player *p = players; p < players + count; p++) {
		double way = SIDE / 8.0 / RATE / fmax(1, hypot(p->east, p->north));
		p->x = fmin(fmax(p->x + p->east * way, 0), SIDE);
		p->y = fmin(fmax(p->y + p->north * way, 0), SIDE);
	}
	for (struct player *p = players; p < players + count; p++) {
		uint8_t *at = put(put(put(out + HEADER, match, 4), tick, 4), RATE, 2);
		at = draw(put(put(put(at, p->got, 8), p->newest, 4), p->time, 8), p);
		for (int i = 0; i < count && i < 138; i++) if (&players[i] != p) at = draw(at, &players[i]);
		say(DATA, p->handle, PAYLOAD, at - out - HEADER);
		if (tick % RATE == 0) {
			put(put(put(out + HEADER, now(CLOCK_REALTIME), 8), match, 4), tick, 4);
			say(DATA, p->handle, NEWS, 16);
		}
	}
}

static struct sockaddr_in address(const char *text) {
	struct sockaddr_in a = {.sin_family = AF_INET};
	char host[64];
	unsigned port;
	if (sscanf(text, "%63[^:]:%u", host, &port) != 2 || inet_pton(AF_INET, host, &a.sin_addr) != 1) { fprintf(stderr, "no address: %s\n", text); exit(2); }
	a.sin_port = htons(port);
	return a;
}

int main(int argc, char **argv) {
	struct sockaddr_in own = address(argc > 1 ? argv[1] : "127.0.0.1:7778"), sidecar = address(argc > 2 ? argv[2] : "127.0.0.1:7779");
	static uint8_t in[65536];
	srandom(now(CLOCK_REALTIME) ^ getpid());
	run = 1 + random(), match = 1 + random();
	for (int i = 0; i < LEVEL_LEN; i++) level[i] = (uint64_t)i * i >> 3;
	sock = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind(sock, (void *)&own, sizeof own) || connect(sock, (void *)&sidecar, sizeof sidecar)) { perror("arena"); return 2; } // nobody else is heard
	for (uint64_t due = now(CLOCK_MONOTONIC);;) {
		uint64_t t = now(CLOCK_MONOTONIC);
		if (t >= due) { step(); due += 1000000 / RATE; continue; }
		struct pollfd ready = {.fd = sock, .events = POLLIN};
		if (poll(&ready, 1, (due - t + 999) / 1000) <= 0) continue;
		for (ssize_t n; (n = recv(sock, in, sizeof in, MSG_DONTWAIT)) >= 0;) hear(in, n);
	}
}
