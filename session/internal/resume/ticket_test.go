package resume

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/wire"
)

func sampleTicket() *ticket {
	return &ticket{
		name: [16]byte(counting(0x70, 16)), resumption: [32]byte(counting(0x10, 32)), digest: [32]byte(counting(0x30, 32)),
		issuer: "issuer", subject: "player", tokenID: "token", signIn: "sign-in", keyID: "key-1", scope: "match-7",
		binding: wire.BindingExporter, certificate: true, network: netip.MustParsePrefix("192.0.2.0/24"), epoch: 2,
		expires: begin.Add(tokenLife).UnixMilli(), clientNext: 1 << 32, serverNext: 78,
	}
}

func sealTicket(t testing.TB, keys *FleetKeys, k *ticket) []byte {
	t.Helper()
	b, err := k.seal(nil, keys, bytes.NewReader(counting(0x60, 12)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// resumeVectors is testdata/resume.json and PROTOCOL.md, section Tickets; made by other code than ours. Numbers and
// bytes are in hex.
type resumeVectors struct {
	Tickets []ticketVector `json:"tickets"`
	Proofs  []proofVector  `json:"proofs"`
}

type ticketVector struct {
	FleetKeyID    string `json:"fleet_key_id"`
	FleetKey      string `json:"fleet_key"`
	Nonce         string `json:"nonce"`
	Certificate   bool   `json:"certificate"`
	Binding       string `json:"binding"`
	Epoch         string `json:"epoch"`
	Expiry        string `json:"expiry"`
	ClientNext    string `json:"client_next"`
	ServerNext    string `json:"server_next"`
	Name          string `json:"name"`
	ResumptionKey string `json:"resumption_key"`
	Digest        string `json:"digest"`
	Network       string `json:"network"` // as text, empty without one
	Issuer        string `json:"issuer"`
	Subject       string `json:"subject"`
	TokenID       string `json:"token_id"`
	SignIn        string `json:"sign_in"`
	KeyID         string `json:"key_id"`
	Scope         string `json:"scope"`
	Content       string `json:"content"`
	Ticket        string `json:"ticket"`
}

func readResume(t testing.TB) (v resumeVectors) {
	t.Helper()
	data, err := os.ReadFile("testdata/resume.json")
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil || len(v.Tickets) == 0 || len(v.Proofs) == 0 {
		t.Fatalf("%d tickets, %d proofs, %v", len(v.Tickets), len(v.Proofs), err)
	}
	return v
}

func number(hex string) uint64 {
	b := unhex(hex)
	return binary.BigEndian.Uint64(append(make([]byte, 8-len(b)), b...))
}

func (v *ticketVector) ticket() *ticket {
	k := &ticket{
		name: [16]byte(unhex(v.Name)), resumption: [32]byte(unhex(v.ResumptionKey)), digest: [32]byte(unhex(v.Digest)),
		issuer: v.Issuer, subject: v.Subject, tokenID: v.TokenID, signIn: v.SignIn, keyID: v.KeyID, scope: v.Scope,
		binding: unhex(v.Binding)[0], certificate: v.Certificate, epoch: uint32(number(v.Epoch)),
		expires: int64(number(v.Expiry)), clientNext: number(v.ClientNext), serverNext: number(v.ServerNext),
	}
	if v.Network != "" {
		k.network = netip.MustParsePrefix(v.Network)
	}
	return k
}

func TestTicketVectors(t *testing.T) {
	for i, v := range readResume(t).Tickets {
		key, err := NewFleetKey(uint32(number(v.FleetKeyID)), unhex(v.FleetKey))
		if err != nil {
			t.Fatal(err)
		}
		ring, want := newRing(t, key), v.ticket()
		if content := want.appendTo(nil); hex.EncodeToString(content) != v.Content {
			t.Errorf("ticket %d: content\n%x, want\n%s", i+1, content, v.Content)
		}
		sealed, err := want.seal([]byte("before"), ring, bytes.NewReader(unhex(v.Nonce)))
		if err != nil || hex.EncodeToString(sealed) != hex.EncodeToString([]byte("before"))+v.Ticket {
			t.Errorf("ticket %d: sealed\n%x, %v, want\n%s", i+1, sealed, err, v.Ticket)
		}
		got, err := openTicket(ring, begin, unhex(v.Ticket))
		want.use = [32]byte(unhex(v.Name + v.Nonce + v.FleetKeyID))
		if err != nil || !reflect.DeepEqual(&got, want) {
			t.Errorf("ticket %d: %+v, %v, want %+v", i+1, got, err, want)
		}
	}
}

// One answer, whatever is wrong: what is damaged, cut, longer, sealed by another key or for another purpose, too old.
func TestTicketRefused(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1), newTestKey(t, 2))
	good := sealTicket(t, ring, sampleTicket())
	open := func(name string, keys *FleetKeys, now time.Time, b []byte) {
		t.Helper()
		if got, err := openTicket(keys, now, b); !errors.Is(err, errTicket) || !reflect.DeepEqual(got, ticket{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for i := range good {
		for bit := range 8 {
			b := bytes.Clone(good)
			b[i] ^= 1 << bit
			open(fmt.Sprintf("bit %d of byte %d", bit, i), ring, begin, b)
		}
		open("truncated", ring, begin, good[:i])
	}
	open("longer", ring, begin, append(bytes.Clone(good), 0))
	open("513 bytes", ring, begin, make([]byte, wire.MaxTicket+1))
	open("other key", newRing(t, newTestKey(t, 3)), begin, good)
	open("no key", nil, begin, good)
	impostor, err := NewFleetKey(newTestKey(t, 1).ID(), counting(9, 32))
	if err != nil {
		t.Fatal(err)
	}
	open("other key, same id", newRing(t, impostor), begin, good)
	moved := append(binary.BigEndian.AppendUint32(nil, newTestKey(t, 2).ID()), good[4:]...)
	open("id of another key of the ring", ring, begin, moved)
	for late, refused := range map[time.Duration]bool{-time.Millisecond: false, 0: true, time.Millisecond: true} {
		if _, err := openTicket(ring, begin.Add(tokenLife+late), good); (err != nil) != refused {
			t.Errorf("%v after its expiry: %v", late, err)
		}
	}
}

// Only what a ticket of this version can say is taken, even from our own key.
func TestTicketContent(t *testing.T) {
	good := sampleTicket().appendTo(nil)
	if _, ok := parseTicket(good); !ok {
		t.Fatal("a good one is refused")
	}
	for n := range good {
		if _, ok := parseTicket(good[:n]); ok {
			t.Errorf("%d of %d bytes are taken", n, len(good))
		}
	}
	for name, change := range map[string]func([]byte) []byte{
		"left over":       func(b []byte) []byte { return append(b, 0) },
		"other version":   func(b []byte) []byte { b[0] = 2; return b },
		"unknown flag":    func(b []byte) []byte { b[1] |= 2; return b },
		"unknown binding": func(b []byte) []byte { b[2] = 2; return b },
		"epoch 0":         func(b []byte) []byte { clear(b[3:7]); return b },
		"no expiry":       func(b []byte) []byte { clear(b[7:15]); return b },
		"expiry below 0":  func(b []byte) []byte { b[7] = 0x80; return b },
		"client next 0":   func(b []byte) []byte { clear(b[15:23]); return b },
		"server next 0":   func(b []byte) []byte { clear(b[23:31]); return b },
		"bits below mask": func(b []byte) []byte { b[116] = 1; return b },
		"33 bits of IPv4": func(b []byte) []byte { b[117] = 33; return b },
	} {
		if k, ok := parseTicket(change(bytes.Clone(good))); ok {
			t.Errorf("%s: taken as %+v", name, k)
		}
	}
	for name, change := range map[string]func(*ticket){
		"issuer": func(k *ticket) { k.issuer = "" }, "subject": func(k *ticket) { k.subject = "" },
		"token id": func(k *ticket) { k.tokenID = "" }, "epoch": func(k *ticket) { k.epoch = 0 },
	} {
		k := sampleTicket()
		change(k)
		if _, ok := parseTicket(k.appendTo(nil)); ok {
			t.Errorf("without %s: taken", name)
		}
		if b, err := k.seal([]byte("dst"), newRing(t, newTestKey(t, 1)), nil); !errors.Is(err, errNoTicket) || string(b) != "dst" {
			t.Errorf("without %s: sealed as %x, %v", name, b, err)
		}
	}
}

// "it is 1 to 512 opaque bytes" PROTOCOL.md 8.1. One byte more, and none is issued.
func TestTicketLength(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	for extra := -1; extra <= 1; extra++ {
		k := sampleTicket()
		k.scope = strings.Repeat("s", len(k.scope)+maxTicketContent-len(k.appendTo(nil))+extra)
		b, err := k.seal([]byte("dst"), ring, bytes.NewReader(counting(0, 12)))
		if extra <= 0 {
			if got, openErr := openTicket(ring, begin, b[3:]); err != nil || len(b) != 3+wire.MaxTicket+extra || got.scope != k.scope {
				t.Errorf("%d: %d bytes, %v, %v", extra, len(b), err, openErr)
			}
		} else if !errors.Is(err, errNoTicket) || string(b) != "dst" {
			t.Errorf("%d: %d bytes, %v", extra, len(b), err)
		}
	}
	long := sampleTicket()
	long.scope = strings.Repeat("s", 1<<16) // a length that two bytes do not hold
	if _, err := long.seal(nil, ring, bytes.NewReader(counting(0, 12))); !errors.Is(err, errNoTicket) {
		t.Error(err)
	}
	cognito := sampleTicket()
	uuid := "1a2b3c4d-0000-4000-8000-1a2b3c4d5e6f"
	cognito.issuer = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf123"
	cognito.subject, cognito.tokenID, cognito.signIn = uuid, uuid, uuid
	cognito.keyID, cognito.scope = strings.Repeat("k", 44), "aws.cognito.signin.user.admin"
	cognito.network = netip.MustParsePrefix("2001:db8::/56")
	t.Logf("a player of Amazon Cognito: %d bytes", len(sealTicket(t, ring, cognito)))
}

// No key, no randomness, no ticket; and a key seals 2^32 times at most.
func TestTicketNotIssued(t *testing.T) {
	for name, ring := range map[string]*FleetKeys{"nil": nil, "zero": {}} {
		if b, err := sampleTicket().seal([]byte("dst"), ring, bytes.NewReader(counting(0, 12))); !errors.Is(err, errNoTicket) || string(b) != "dst" {
			t.Errorf("%s ring: %x, %v", name, b, err)
		}
	}
	key := newTestKey(t, 1)
	ring := newRing(t, key)
	if b, err := sampleTicket().seal([]byte("dst"), ring, bytes.NewReader(counting(0, 11))); err == nil || string(b) != "dst" {
		t.Errorf("11 random bytes: %x, %v", b, err)
	}
	key.key().seals.Store(maxSeals - 1)
	sealTicket(t, ring, sampleTicket())
	if key.Sealed() != maxSeals {
		t.Errorf("%d sealed", key.Sealed())
	}
	if _, err := sampleTicket().seal(nil, ring, bytes.NewReader(counting(0, 12))); !errors.Is(err, errNoTicket) {
		t.Errorf("one more: %v", err)
	}
}

// "A server takes a ticket once, for a match it hosts" PROTOCOL.md 8.3
func TestUsedTickets(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	open := func(n byte, now time.Time, life time.Duration) *ticket {
		t.Helper()
		k := sampleTicket()
		k.expires = now.Add(life).UnixMilli()
		b, err := k.seal(nil, ring, bytes.NewReader(counting(n, 12)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := openTicket(ring, now, b)
		if err != nil {
			t.Fatal(err)
		}
		return &got
	}
	var u usedTickets
	first, second := open(1, begin, tokenLife), open(2, begin, tokenLife)
	for _, k := range []*ticket{first, second} { // two tickets of one session are two
		if drop := u.take(begin, k); drop != audit.DropNone {
			t.Errorf("%v", drop)
		}
	}
	end := begin.Add(tokenLife + token.MaxLeeway)
	for now := begin; !now.After(end); now = now.Add(10 * time.Second) {
		if drop := u.take(now, first); drop != audit.DropTicket {
			t.Fatalf("after %v: %v", now.Sub(begin), drop)
		}
		u.take(now, open(byte(now.Unix()), now, time.Minute))
	}
	for i := range 1000 {
		now := end.Add(time.Duration(i) * 10 * time.Second)
		u.mark(now, [32]byte(binary.BigEndian.AppendUint64(make([]byte, 24), uint64(i))), now.Add(time.Minute))
	}
	if n := len(u.young) + len(u.old); n > 100 {
		t.Errorf("%d tickets remembered, of which 9 may be shown", n)
	}
}

// "When it is full nobody resumes: to forget one would let a stolen one in."
func TestUsedTicketsFull(t *testing.T) {
	var u usedTickets
	use := func(i int) (b [32]byte) {
		binary.BigEndian.PutUint32(b[:], uint32(i))
		return b
	}
	ends := begin.Add(tokenLife)
	for i := range maxUsedTickets + 1 {
		if drop := u.mark(begin, use(i), ends); (drop == audit.DropBusy) != (i == maxUsedTickets) {
			t.Fatalf("ticket %d: %v", i, drop)
		}
	}
	if drop := u.mark(begin, use(0), ends); drop != audit.DropTicket {
		t.Errorf("a used one: %v", drop)
	}
	later := ends.Add(token.MaxLeeway + 1)
	for range 2 { // the young generation grows old, then goes
		u.mark(later, use(int(later.Unix())), later.Add(time.Minute))
		later = later.Add(minUsedLife)
	}
	if n := len(u.young) + len(u.old); n > 2 {
		t.Errorf("%d tickets remembered", n)
	}
}

// FuzzTicket takes its input as content, which is written as it was read, and as a ticket, of which only ours open.
func FuzzTicket(f *testing.F) {
	ring := newRing(f, newTestKey(f, 1))
	sealed := map[string]bool{}
	for _, v := range readResume(f).Tickets {
		f.Add(unhex(v.Content))
		f.Add(sealTicket(f, ring, v.ticket()))
		sealed[string(sealTicket(f, ring, v.ticket()))] = true
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, ok := parseTicket(b); ok {
			if again := k.appendTo(nil); !bytes.Equal(again, b) {
				t.Fatalf("%x comes back as %x", b, again)
			}
			if len(b) > maxTicketContent {
				return
			}
			k.expires = max(k.expires, begin.UnixMilli()+1)
			got, err := openTicket(ring, begin, sealTicket(t, ring, &k))
			if got.use = k.use; err != nil || !reflect.DeepEqual(got, k) {
				t.Fatalf("%+v comes back as %+v, %v", k, got, err)
			}
		}
		if _, err := openTicket(ring, begin, b); (err == nil) != sealed[string(b)] || err != nil && !errors.Is(err, errTicket) {
			t.Fatalf("%x: %v", b, err)
		}
	})
}

func BenchmarkTicket(b *testing.B) {
	ring := newRing(b, newTestKey(b, 1))
	k, nonce := sampleTicket(), counting(0, 12)
	var buf []byte
	for b.Loop() {
		var err error
		if buf, err = k.seal(buf[:0], ring, bytes.NewReader(nonce)); err != nil {
			b.Fatal(err)
		}
		if _, err = openTicket(ring, begin, buf); err != nil {
			b.Fatal(err)
		}
	}
}
