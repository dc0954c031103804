//go:build ignore

// The XDP program of package filter: it drops strangers' datagrams before the kernel's UDP stack has them.
// doc.go says what passes and what does not. It needs no header but this file, so that any clang with the
// BPF target makes it: `make filter` in the root of the repository.
//
// Every path reads the clock once and takes no lock. A datagram of a known address costs three look-ups
// (port, peer, counter), one of a stranger that is dropped two or three. Memory that all processors write
// to is touched by handshakes and connection ids within their budget alone, and once a second: a budget that
// is spent is only read, so a flood moves no cache line between processors.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))

#define SWAP16(x) ((u16)__builtin_bswap16(x)) // between the network's order and this machine's, little-endian
#define SWAP32(x) __builtin_bswap32(x)

// Of linux/bpf.h. The numbers are the kernel's, for good.

enum { XDP_DROP = 1, XDP_PASS = 2 };

enum { MAP_HASH = 1, MAP_ARRAY = 2, MAP_PERCPU_ARRAY = 6, MAP_LRU_HASH = 9 };

enum { BPF_ANY = 0, PIN_BY_NAME = 1 };

struct xdp_md {
	u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static long (*const map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static u64 (*const coarse_clock)(void) = (void *)160; // CLOCK_MONOTONIC_COARSE in ns

#define FIELD(name, value) int(*name)[value]
#define TYPED(name, value) typeof(value) *name

// What is set when the program is loaded (package filter, Config).
const volatile u64 stale = 3000000000ULL;       // ns without a beat after which everything passes
const volatile u64 hello_interval = 20000; // ns between handshake datagrams of all unknown addresses together
const volatile u64 hello_burst = 20000000; // ns of them that may come at once; so for the others
const volatile u64 return_interval = 20000; // ... that begin with a RETURN
const volatile u64 return_burst = 20000000;
const volatile u64 source_interval = 40000; // of each kind, of one /24, or of a quarter of one /48
const volatile u64 source_burst = 20000000;
const volatile u64 host_interval = 100000000; // ... of a host where somebody has played lately
const volatile u64 host_burst = 3000000000ULL;
const volatile u64 roamer_interval = 2000000; // datagrams with one connection id from unknown addresses
const volatile u64 roamer_burst = 1000000000ULL;
const volatile u32 return_byte = 11;  // first byte of a RETURN (PROTOCOL.md 9.10)
const volatile u32 restricted = 0;   // only the addresses in locals are the server's

// Whether a port is filtered, and when a datagram to it was last seen, within a second, CLOCK_MONOTONIC in ns;
// 0: not since the program was loaded. By its number in this machine's order.
struct port {
	u64 seen;
	u32 on, zero;
};

struct {
	FIELD(type, MAP_ARRAY);
	TYPED(key, u32);
	TYPED(value, struct port);
	FIELD(max_entries, 65536);
	FIELD(pinning, PIN_BY_NAME);
} ports SEC(".maps");

// When a port's server last said that it lives, CLOCK_MONOTONIC in ns; 0: it says nothing.
struct {
	FIELD(type, MAP_ARRAY);
	TYPED(key, u32);
	TYPED(value, u64);
	FIELD(max_entries, 65536);
	FIELD(pinning, PIN_BY_NAME);
} beats SEC(".maps");

// An address, an IPv4 one in IPv6 form. In network order, as everything that comes from a packet.
struct address {
	u32 word[4];
};

struct {
	FIELD(type, MAP_HASH);
	TYPED(key, struct address);
	TYPED(value, u32);
	FIELD(max_entries, 64);
	FIELD(pinning, PIN_BY_NAME);
} locals SEC(".maps");

// Where a peer is: its address, its port, and the port of the server.
struct peer {
	struct address from;
	u16 port, local;
};

struct {
	FIELD(type, MAP_HASH);
	TYPED(key, struct peer);
	TYPED(value, u64); // until when it is known, CLOCK_MONOTONIC in ns
	FIELD(max_entries, 65536);
	FIELD(pinning, PIN_BY_NAME);
} peers SEC(".maps");

// A connection id that a server has given (PROTOCOL.md 9.3).
struct hint {
	u32 id;
	u16 local, zero;
};

// What something known may send besides. spent is the token bucket as one instant: when it will be full.
struct budget {
	u64 until, spent;
};

struct {
	FIELD(type, MAP_HASH);
	TYPED(key, struct hint);
	TYPED(value, struct budget);
	FIELD(max_entries, 65536);
	FIELD(pinning, PIN_BY_NAME);
} hints SEC(".maps");

// A network: its first 64 bits, an IPv4 address in the low 32, in this machine's order; and how many bits of
// the address count.
struct net {
	u64 prefix;
	u32 bits;
	u32 returns; // of the map sources: 1 for datagrams with a RETURN
};

// IPv4 hosts and IPv6 /64s where somebody plays or has played lately.
struct {
	FIELD(type, MAP_LRU_HASH);
	TYPED(key, struct net);
	TYPED(value, struct budget);
	FIELD(max_entries, 65536);
	FIELD(pinning, PIN_BY_NAME);
} hosts SEC(".maps");

// IPv4 /24s and IPv6 /48s from which handshakes come: strangers fill it.
struct {
	FIELD(type, MAP_LRU_HASH);
	TYPED(key, struct net);
	TYPED(value, u64); // spent
	FIELD(max_entries, 65536);
} sources SEC(".maps");

// The budgets of all strangers together, each on a cache line of its own.
enum { HELLOS, RETURNS, TOTALS };

struct total {
	u64 spent, pad[7];
};

struct {
	FIELD(type, MAP_ARRAY);
	TYPED(key, u32);
	TYPED(value, struct total);
	FIELD(max_entries, TOTALS);
} totals SEC(".maps");

// Why a packet has passed or not; counters.go has the names.
enum verdict {
	PASS_OTHER,
	PASS_OPEN,
	PASS_FRAGMENT,
	PASS_PEER,
	PASS_ROAMER,
	PASS_HELLO,
	PASS_RETURN,
	PASS_HOST,
	DROP_STRANGER,
	DROP_HELLOS,
	DROP_RETURNS,
	DROP_SOURCE,
	DROP_ROAMER,
	DROP_CHAIN,
	VERDICTS,
};

struct {
	FIELD(type, MAP_PERCPU_ARRAY);
	TYPED(key, u32);
	TYPED(value, u64);
	FIELD(max_entries, VERDICTS);
} counts SEC(".maps");

INLINE int count(u32 v)
{
	u64 *n = map_lookup(&counts, &v);
	if (n)
		++*n;
	return v < DROP_STRANGER ? XDP_PASS : XDP_DROP;
}

INLINE int has(const u64 *spent, u64 now, u64 interval, u64 burst)
{
	u64 at = *(volatile const u64 *)spent;
	return at < now || at - now + interval <= burst;
}

// take reports whether a bucket has had one more, and takes it. Two processors that take at the same instant
// try again; one that loses four times lets the datagram pass, so no more than that can exceed the budget.
INLINE int take(u64 *spent, u64 now, u64 interval, u64 burst)
{
#pragma unroll
	for (int i = 0; i < 4; i++) {
		u64 at = *(volatile u64 *)spent, from = at < now ? now : at;
		if (from - now + interval > burst)
			return 0;
		if (__sync_val_compare_and_swap(spent, at, from + interval) == at)
			return 1;
	}
	return 1;
}

// What is read of a packet.
struct packet {
	struct peer peer;
	struct address to;
	u32 v4;
	void *payload;
	u32 length; // of the payload in bytes, as UDP says
};

// newcomer judges a datagram of a handshake from an unknown address.
INLINE int newcomer(struct packet *p, u64 now, int returns)
{
	struct net host = {.bits = 64}, net = {.bits = 48, .returns = returns};
	u64 interval = source_interval >> 2;
	if (p->v4) {
		host.prefix = SWAP32(p->peer.from.word[3]);
		host.bits = 32;
		net.prefix = host.prefix & 0xffffff00;
		net.bits = 24;
		interval = source_interval;
	} else {
		host.prefix = (u64)SWAP32(p->peer.from.word[0]) << 32 | SWAP32(p->peer.from.word[1]);
		net.prefix = host.prefix & 0xffffffffffff0000ULL;
	}
	struct budget *lately = map_lookup(&hosts, &host);
	if (lately && lately->until > now && take(&lately->spent, now, host_interval, host_burst))
		return count(PASS_HOST);

	// Room is looked at before anything is spent: what has none costs its network nothing.
	u32 which = returns ? RETURNS : HELLOS;
	struct total *all = map_lookup(&totals, &which);
	if (!all)
		return count(PASS_OPEN);
	u64 all_interval = returns ? return_interval : hello_interval, all_burst = returns ? return_burst : hello_burst;
	if (!has(&all->spent, now, all_interval, all_burst))
		return count(returns ? DROP_RETURNS : DROP_HELLOS);
	u64 *spent = map_lookup(&sources, &net);
	if (spent) {
		if (!take(spent, now, interval, source_burst))
			return count(DROP_SOURCE);
	} else {
		u64 first = now + interval;
		map_update(&sources, &net, &first, BPF_ANY);
	}
	if (!take(&all->spent, now, all_interval, all_burst))
		return count(returns ? DROP_RETURNS : DROP_HELLOS);
	return count(returns ? PASS_RETURN : PASS_HELLO);
}

// What a record begins with (PROTOCOL.md 9.2).
struct record {
	u8 type, version[2];
	u16 epoch;
	u16 high; // of the record number
	u32 number;
	u16 length;
	u32 id, low; // explicit nonce: connection id and low 32 bits of the record number
} __attribute__((packed));

enum { CHANGE_CIPHER_SPEC = 20, HANDSHAKE = 22, APPLICATION_DATA = 23 };

// OVERHEAD is the length of the shortest record, in bytes: header, explicit nonce, authentication tag.
enum { OVERHEAD = 37 };

// SEEN is every how many ns it is noted that datagrams come.
enum { SEEN = 1000000000 };

// datagram judges what has come to a port that is filtered.
INLINE int datagram(struct packet *p, void *end, struct port *port, const u64 *beat)
{
	u64 now = coarse_clock();
	if (now - *(volatile u64 *)&port->seen >= SEEN)
		port->seen = now;
	// A server writes the clock that is exact, which may be a few ms ahead of the coarse one; one that is further ahead is another
	// clock.
	s64 age = now - *beat;
	if (!*beat || age > (s64)stale || age < -1000000000LL)
		return count(PASS_OPEN);
	u64 *until = map_lookup(&peers, &p->peer);
	if (until && *until > now)
		return count(PASS_PEER);

	u8 *first = p->payload;
	if (!p->length || (void *)(first + 1) > end)
		return count(DROP_STRANGER);
	if (*first == HANDSHAKE || *first == CHANGE_CIPHER_SPEC)
		return newcomer(p, now, 0);
	if (*first == return_byte)
		return newcomer(p, now, 1);

	struct record *r = p->payload;
	if (*first != APPLICATION_DATA || p->length < OVERHEAD || (void *)(r + 1) > end)
		return count(DROP_STRANGER);
	struct hint named = {.id = r->id, .local = p->peer.local};
	if (SWAP32(named.id) < 0x20000 || r->number != r->low)
		return count(DROP_STRANGER); // it has no connection id
	struct budget *known = map_lookup(&hints, &named);
	if (!known || known->until <= now)
		return count(DROP_STRANGER);
	return count(take(&known->spent, now, roamer_interval, roamer_burst) ? PASS_ROAMER : DROP_ROAMER);
}

enum { ETH_IPV4 = 0x0800, ETH_IPV6 = 0x86dd, ETH_VLAN = 0x8100, ETH_QINQ = 0x88a8 };

enum { HOP_BY_HOP = 0, UDP = 17, ROUTING = 43, FRAGMENT = 44, AUTHENTICATION = 51, OPTIONS = 60 };

// MAX_TAGS is how many VLAN tags may be in front of IP, MAX_HEADERS how many extension headers behind it:
// more than any network's.
enum { MAX_TAGS = 2, MAX_HEADERS = 6 };

struct ethernet {
	u8 to[6], from[6];
	u16 type;
} __attribute__((packed));

struct tag {
	u16 id, type;
};

struct ipv4 {
	u8 version, tos;
	u16 length, id, fragment;
	u8 ttl, protocol;
	u16 checksum;
	u32 from, to;
} __attribute__((packed));

struct ipv6 {
	u32 version;
	u16 length;
	u8 next, hops;
	struct address from, to;
} __attribute__((packed));

struct extension {
	u8 next, length, rest[6];
};

struct udp {
	u16 from, to, length, checksum;
} __attribute__((packed));

// Whatever cannot be read as a datagram to a filtered port is none, and passes: the kernel drops what is
// cut short. The one exception is a chain of extension headers that is longer than any network makes:
// what is behind it could not be judged, and would be a way around.

SEC("xdp")
int sallyport_filter(struct xdp_md *ctx)
{
	void *at = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct packet p = {};

	struct ethernet *eth = at;
	if ((void *)(eth + 1) > end)
		return count(PASS_OTHER);
	u16 type = eth->type;
	at = eth + 1;
#pragma unroll
	for (int i = 0; i < MAX_TAGS; i++) {
		if (type != SWAP16(ETH_VLAN) && type != SWAP16(ETH_QINQ))
			break;
		struct tag *tag = at;
		if ((void *)(tag + 1) > end)
			return count(PASS_OTHER);
		type = tag->type;
		at = tag + 1;
	}

	if (type == SWAP16(ETH_IPV4)) {
		struct ipv4 *ip = at;
		if ((void *)(ip + 1) > end || ip->version >> 4 != 4 || ip->protocol != UDP)
			return count(PASS_OTHER);
		u32 length = (ip->version & 15) * 4;
		if (length < sizeof(*ip))
			return count(PASS_OTHER);
		if (ip->fragment & SWAP16(0x1fff))
			return count(PASS_FRAGMENT); // its port stands in the first
		p.v4 = 1;
		p.peer.from.word[2] = p.to.word[2] = SWAP32(0xffff);
		p.peer.from.word[3] = ip->from;
		p.to.word[3] = ip->to;
		at += length;
	} else if (type == SWAP16(ETH_IPV6)) {
		struct ipv6 *ip = at;
		if ((void *)(ip + 1) > end || (ip->version & SWAP32(0xf0000000)) != SWAP32(0x60000000))
			return count(PASS_OTHER);
		p.peer.from = ip->from;
		p.to = ip->to;
		u8 next = ip->next;
		at = ip + 1;
		// Bounded, and rolled out: the verifier follows each header with the length that it says.
#pragma unroll
		for (int i = 0; i < MAX_HEADERS; i++) {
			if (next != HOP_BY_HOP && next != ROUTING && next != FRAGMENT && next != AUTHENTICATION && next != OPTIONS)
				break;
			struct extension *x = at;
			if ((void *)(x + 1) > end)
				return count(PASS_OTHER);
			u32 length = (x->length + 1) * 8;
			if (next == FRAGMENT) {
				length = 8;
				if ((x->rest[0] << 8 | x->rest[1]) & 0xfff8)
					return count(PASS_FRAGMENT);
			} else if (next == AUTHENTICATION) {
				length = (x->length + 2) * 4;
			}
			next = x->next;
			at += length;
		}
		if (next == HOP_BY_HOP || next == ROUTING || next == FRAGMENT || next == AUTHENTICATION || next == OPTIONS)
			return count(DROP_CHAIN);
		if (next != UDP)
			return count(PASS_OTHER);
	} else {
		return count(PASS_OTHER);
	}

	struct udp *udp = at;
	if ((void *)(udp + 1) > end)
		return count(PASS_OTHER);
	u32 to = SWAP16(udp->to);
	struct port *port = map_lookup(&ports, &to);
	if (!port || !port->on)
		return count(PASS_OTHER);
	if (restricted && !map_lookup(&locals, &p.to))
		return count(PASS_OTHER);
	u32 length = SWAP16(udp->length);
	p.length = length > sizeof(*udp) ? length - sizeof(*udp) : 0;
	p.peer.port = udp->from;
	p.peer.local = udp->to;
	p.payload = udp + 1;
	u64 *beat = map_lookup(&beats, &to);
	return beat ? datagram(&p, end, port, beat) : count(PASS_OPEN);
}

const char granted[] SEC("license") = "Apache-2.0";
