//go:build linux && cgo

package gns

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// The flat interface as far as it is called here.
typedef struct __attribute__((packed)) { uint8_t ip[16]; uint16_t port; } address;
typedef struct {
	void *data;
	int size;
	uint32_t connection;
	uint8_t identity[136];
	int64_t user, received, number;
	void *free, *release;
	int channel, flags;
	int64_t user2;
	uint16_t lane;
} message;

static struct {
	bool (*init)(const void *, char *);
	void *(*sockets)(void);
	void *(*utils)(void);
	bool (*set_int)(void *, int, int32_t);
	bool (*set_callback)(void *, void (*)(void *));
	uint32_t (*listen)(void *, const address *, int, const void *);
	uint32_t (*connect)(void *, const address *, int, const void *);
	int (*accept)(void *, uint32_t);
	bool (*close)(void *, uint32_t, int, const char *, bool);
	int (*status)(void *, uint32_t, void *, int, void *);
	int (*lanes)(void *, uint32_t, int, const int *, const uint16_t *);
	void (*callbacks)(void *);
	int (*receive)(void *, uint32_t, message **, int);
	message *(*allocate)(void *, int);
	void (*send)(void *, int, message **, int64_t *, bool);
	void (*release)(message *);
} gns;

static void *sockets, *utils;
static uint32_t listener, server, client;

// changed accepts every connection but our own; of one that is accepted it is told, too.
static void changed(void *info) {
	uint32_t connection = *(uint32_t *)info; // the first field
	if (connection != client && gns.accept(sockets, connection) == 1)
		server = connection;
}

static const char *load(const char *name) {
	static char error[1024];
	void *library = dlopen(name, RTLD_NOW);
	if (!library)
		return dlerror();
#define SYMBOL(field, symbol) if (!(*(void **)&gns.field = dlsym(library, symbol))) return symbol;
	SYMBOL(init, "GameNetworkingSockets_Init")
	SYMBOL(sockets, "SteamAPI_SteamNetworkingSockets_v009")
	*(void **)&gns.utils = dlsym(library, "SteamAPI_SteamNetworkingUtils_v004");
	if (!gns.utils)
		SYMBOL(utils, "SteamAPI_SteamNetworkingUtils_v003")
	SYMBOL(set_int, "SteamAPI_ISteamNetworkingUtils_SetGlobalConfigValueInt32")
	SYMBOL(set_callback, "SteamAPI_ISteamNetworkingUtils_SetGlobalCallback_SteamNetConnectionStatusChanged")
	SYMBOL(listen, "SteamAPI_ISteamNetworkingSockets_CreateListenSocketIP")
	SYMBOL(connect, "SteamAPI_ISteamNetworkingSockets_ConnectByIPAddress")
	SYMBOL(accept, "SteamAPI_ISteamNetworkingSockets_AcceptConnection")
	SYMBOL(close, "SteamAPI_ISteamNetworkingSockets_CloseConnection")
	SYMBOL(status, "SteamAPI_ISteamNetworkingSockets_GetConnectionRealTimeStatus")
	SYMBOL(lanes, "SteamAPI_ISteamNetworkingSockets_ConfigureConnectionLanes")
	SYMBOL(callbacks, "SteamAPI_ISteamNetworkingSockets_RunCallbacks")
	SYMBOL(receive, "SteamAPI_ISteamNetworkingSockets_ReceiveMessagesOnConnection")
	SYMBOL(allocate, "SteamAPI_ISteamNetworkingUtils_AllocateMessage")
	SYMBOL(send, "SteamAPI_ISteamNetworkingSockets_SendMessages")
	SYMBOL(release, "SteamAPI_SteamNetworkingMessage_t_Release")
	if (!gns.init(NULL, error))
		return error;
	sockets = gns.sockets();
	utils = gns.utils();
	gns.set_callback(utils, changed);
	return NULL;
}

static void configure(int value, int32_t v) { gns.set_int(utils, value, v); }

static address loopback(uint16_t port) {
	address a = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1 }, port };
	return a;
}

static bool begin(uint16_t port) {
	address a = loopback(port);
	listener = gns.listen(sockets, &a, 0, NULL);
	return listener != 0;
}

static bool join(uint16_t port) {
	address a = loopback(port);
	client = gns.connect(sockets, &a, 0, NULL);
	return client != 0;
}

// state runs what is due, and tells how many of the two ends are connected.
static int state(void) {
	int ends = 0;
	uint32_t both[2] = { server, client };
	gns.callbacks(sockets);
	for (int i = 0; i < 2; i++) {
		int status[256] = { 0 }; // the state is the first field
		if (both[i] && gns.status(sockets, both[i], status, 0, NULL) == 1 && status[0] == 3)
			ends++;
	}
	return ends;
}

// lanes makes each lane of the server give way to those before it.
static bool lanes(int n) {
	int priorities[16];
	uint16_t weights[16];
	for (int i = 0; i < 16; i++)
		priorities[i] = i, weights[i] = 1;
	return gns.lanes(sockets, server, n, priorities, weights) == 1;
}

// send returns a message's number, or less than 1.
static int64_t send(int lane, const void *b, int n) {
	message *m = gns.allocate(utils, n);
	int64_t number;
	memcpy(m->data, b, n);
	m->connection = server;
	m->flags = 8 | 1; // reliable, no delay
	m->lane = lane;
	gns.send(sockets, 1, &m, &number, true);
	return number;
}

static message *receive(void) {
	message *m;
	return gns.receive(sockets, client, &m, 1) == 1 ? m : NULL;
}

static void release(message *m) { gns.release(m); }

static void finish(void) {
	gns.close(sockets, client, 0, NULL, false);
	gns.close(sockets, server, 0, NULL, false);
}
*/
import "C"

import (
	"errors"
	"unsafe"
)

// load loads the library and sets what holds for all connections.
func load(name string) error {
	s := C.CString(name)
	defer C.free(unsafe.Pointer(s))
	if missing := C.load(s); missing != nil {
		return errors.New("gns: " + C.GoString(missing))
	}
	return nil
}

func configure(value, v int) { C.configure(C.int(value), C.int32_t(v)) }

func begin(port int) bool { return bool(C.begin(C.uint16_t(port))) }

func join(port int) bool { return bool(C.join(C.uint16_t(port))) }

func state() int { return int(C.state()) }

func lanes(n int) bool { return bool(C.lanes(C.int(n))) }

func send(lane int, b []byte) bool {
	return C.send(C.int(lane), unsafe.Pointer(unsafe.SliceData(b)), C.int(len(b))) > 0
}

// receive calls f for each message that has come.
func receive(f func(lane int, b []byte)) {
	for m := C.receive(); m != nil; m = C.receive() {
		f(int(m.lane), unsafe.Slice((*byte)(m.data), int(m.size)))
		C.release(m)
	}
}

func finish() { C.finish() }
