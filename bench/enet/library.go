//go:build linux && cgo

package enet

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

// ENet 1.3 as far as it is called here.
typedef struct { uint32_t host; uint16_t port; } address;
typedef struct { size_t references; uint32_t flags; uint8_t *data; size_t length; } packet;
typedef struct { int type; void *peer; uint8_t channel; uint32_t data; packet *packet; } event;

static struct {
	int (*initialize)(void);
	void *(*create)(const address *, size_t, size_t, uint32_t, uint32_t);
	void (*destroy)(void *);
	void *(*connect)(void *, const address *, size_t, uint32_t);
	int (*service)(void *, event *, uint32_t);
	void (*flush)(void *);
	int (*send)(void *, uint8_t, packet *);
	void (*timeout)(void *, uint32_t, uint32_t, uint32_t);
	packet *(*packet_create)(const void *, size_t, uint32_t);
	void (*packet_destroy)(packet *);
	int (*get_address)(int, address *);
	int (*set_option)(int, int, int);
} enet;

// load returns what is missing, or NULL.
static const char *load(const char *name) {
	void *library = dlopen(name, RTLD_NOW);
	if (!library)
		return dlerror();
#define SYMBOL(field, symbol) if (!(*(void **)&enet.field = dlsym(library, symbol))) return symbol;
	SYMBOL(initialize, "enet_initialize")
	SYMBOL(create, "enet_host_create")
	SYMBOL(destroy, "enet_host_destroy")
	SYMBOL(connect, "enet_host_connect")
	SYMBOL(service, "enet_host_service")
	SYMBOL(flush, "enet_host_flush")
	SYMBOL(send, "enet_peer_send")
	SYMBOL(timeout, "enet_peer_timeout")
	SYMBOL(packet_create, "enet_packet_create")
	SYMBOL(packet_destroy, "enet_packet_destroy")
	SYMBOL(get_address, "enet_socket_get_address")
	SYMBOL(set_option, "enet_socket_set_option")
	return enet.initialize() ? "enet_initialize" : NULL;
}

static int host_socket(void *host) { return *(int *)host; } // the first field

static void *host_create(int listen, uint32_t loopback, size_t peers, size_t channels) {
	address any = { loopback, 0 };
	return enet.create(listen ? &any : NULL, peers, channels, 0, 0);
}

static void host_enlarge(void *host, int bytes) {
	enet.set_option(host_socket(host), 3, bytes); // ENET_SOCKOPT_RCVBUF
	enet.set_option(host_socket(host), 4, bytes); // ENET_SOCKOPT_SNDBUF
}

static int host_port(void *host) {
	address a;
	return enet.get_address(host_socket(host), &a) ? -1 : a.port;
}

static void *host_connect(void *host, uint32_t ip, uint16_t port, size_t channels) {
	address a = { ip, port };
	return enet.connect(host, &a, channels, 0);
}

static int host_service(void *host, event *e) { return enet.service(host, e, 0); }
static void host_destroy(void *host) { enet.destroy(host); }
static void peer_patience(void *peer, uint32_t ms) { enet.timeout(peer, 1 << 20, ms, ms); }
static void packet_destroy(packet *p) { enet.packet_destroy(p); }

static int peer_send(void *host, void *peer, uint8_t channel, const void *b, size_t n) {
	packet *p = enet.packet_create(b, n, 1); // ENET_PACKET_FLAG_RELIABLE
	if (!p || enet.send(peer, channel, p))
		return -1;
	enet.flush(host);
	return 0;
}
*/
import "C"

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"unsafe"
)

// load loads the library.
func load(name string) error {
	s := C.CString(name)
	defer C.free(unsafe.Pointer(s))
	if missing := C.load(s); missing != nil {
		return errors.New("enet: " + C.GoString(missing))
	}
	return nil
}

// create opens a socket; nil is a failure.
func create(listen bool, channels, buffer int) unsafe.Pointer {
	flag := C.int(0)
	if listen {
		flag = 1
	}
	host := C.host_create(flag, ip(netip.AddrFrom4([4]byte{127, 0, 0, 1})), 1, C.size_t(channels))
	if host != nil {
		C.host_enlarge(host, C.int(buffer))
	}
	return host
}

// ip is an address in network order, as ENet has it.
func ip(a netip.Addr) C.uint32_t {
	b := a.As4()
	return C.uint32_t(binary.NativeEndian.Uint32(b[:]))
}

func destroy(host unsafe.Pointer) { C.host_destroy(host) }

func port(host unsafe.Pointer) int { return int(C.host_port(host)) }

func descriptor(host unsafe.Pointer) int { return int(C.host_socket(host)) }

// connect begins to connect; nil is a failure.
func connect(host unsafe.Pointer, to netip.AddrPort, channels int) (peer unsafe.Pointer) {
	return C.host_connect(host, ip(to.Addr()), C.uint16_t(to.Port()), C.size_t(channels))
}

// service does what is due. It returns the kind of what happened, 0 for nothing
// and negative for a failure, the peer and, of a message, its channel and bytes,
// which free frees.
func service(host unsafe.Pointer) (e event) {
	var c C.event
	n := C.host_service(host, &c)
	if n <= 0 {
		return event{kind: int(n)}
	}
	e = event{kind: int(c._type), peer: c.peer, channel: int(c.channel)}
	if c.packet != nil {
		e.message = unsafe.Slice((*byte)(c.packet.data), int(c.packet.length))
		e.free = func() { C.packet_destroy(c.packet) }
	}
	return e
}

// wait lets a peer be silent for so many ms.
func wait(peer unsafe.Pointer, ms int) { C.peer_patience(peer, C.uint32_t(ms)) }

// send sends a reliable message at once, and reports whether it has been taken.
func send(host, peer unsafe.Pointer, channel int, b []byte) bool {
	return C.peer_send(host, peer, C.uint8_t(channel), unsafe.Pointer(unsafe.SliceData(b)), C.size_t(len(b))) == 0
}
