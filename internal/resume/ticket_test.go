package resume

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/identity"
	"github.com/sallyport/sallyport/internal/vectors"
	"github.com/sallyport/sallyport/internal/wire"
)

func sampleTicket() *Ticket {
	return &Ticket{
		Name: [16]byte(counting(0x70, 16)), Key: [32]byte(counting(0x10, 32)), Digest: [32]byte(counting(0x30, 32)),
		Issuer: "issuer", Subject: "player", TokenID: "token", SignIn: "sign-in", KeyID: "key-1", Scope: "match-7", Identity: "\x01\x00\x02\x00",
		Binding: wire.BindingExporter, Certificate: true, Bound: true, Network: netip.MustParsePrefix("192.0.2.0/24"), Epoch: 2,
		Expires: begin.Add(tokenLife).UnixMilli(), ClientNext: 1 << 32, Issued: begin.UnixMilli(), Session: 77,
	}
}

func sealTicket(t testing.TB, keys *fleetkey.Ring, k *Ticket) []byte {
	t.Helper()
	b, err := k.Seal(nil, keys, bytes.NewReader(counting(0x60, 12)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ticketVector is one of the group "tickets" and docs/fleet.md 15.4; made by other code than ours.
// Bytes are in hex.
type ticketVector struct {
	Name       string        `json:"name"`
	FleetKeyID string        `json:"fleet_key_id"`
	FleetKey   string        `json:"fleet_key"`
	Nonce      string        `json:"nonce"`
	Fields     contentFields `json:"fields"`
	Content    string        `json:"content"`
	Ticket     string        `json:"ticket"`
}

type contentFields struct {
	Version       byte   `json:"version"`
	Flags         byte   `json:"flags"`
	Binding       byte   `json:"binding_mode"`
	Epoch         uint32 `json:"epoch"`
	Session       string `json:"session_id"`
	Expiry        int64  `json:"expiry"`
	ClientNext    string `json:"client_next"`
	Issued        int64  `json:"issued"`
	SessionName   string `json:"session_name"`
	ResumptionKey string `json:"resumption_key"`
	Digest        string `json:"digest"`
	Network       string `json:"network_prefix"`
	Issuer        string `json:"issuer"`
	Subject       string `json:"subject"`
	TokenID       string `json:"token_id"`
	SignIn        string `json:"sign_in_id"`
	KeyID         string `json:"key_id"`
	Scope         string `json:"scope"`
	Identity      string `json:"identity"`
}

func readTickets(t testing.TB) []ticketVector { return vectors.Read[ticketVector](t, "tickets") }

func readProofs(t testing.TB) []proofVector { return vectors.Read[proofVector](t, "proofs") }

func number(hex string) uint64 {
	b := unhex(hex)
	return binary.BigEndian.Uint64(append(make([]byte, 8-len(b)), b...))
}

func (v *ticketVector) ticket() *Ticket {
	f := &v.Fields
	k := &Ticket{
		Name: [16]byte(unhex(f.SessionName)), Key: [32]byte(unhex(f.ResumptionKey)), Digest: [32]byte(unhex(f.Digest)),
		Issuer: f.Issuer, Subject: f.Subject, TokenID: f.TokenID, SignIn: f.SignIn, KeyID: f.KeyID, Scope: f.Scope, Identity: string(unhex(f.Identity)),
		Binding: f.Binding, Certificate: f.Flags&1 != 0, Bound: f.Flags&2 != 0, Epoch: f.Epoch,
		Expires: f.Expiry, ClientNext: number(f.ClientNext), Issued: f.Issued, Session: uint32(number(f.Session)),
	}
	if f.Network != "" {
		if err := k.Network.UnmarshalBinary(unhex(f.Network)); err != nil {
			panic(err)
		}
	}
	return k
}

func TestTicketVectors(t *testing.T) {
	for i, v := range readTickets(t) {
		key, err := fleetkey.New(uint32(number(v.FleetKeyID)), unhex(v.FleetKey))
		if err != nil {
			t.Fatal(err)
		}
		ring, want := newRing(t, key), v.ticket()
		if content := want.appendTo(nil); hex.EncodeToString(content) != v.Content {
			t.Errorf("ticket %d: content\n%x, want\n%s", i+1, content, v.Content)
		}
		sealed, err := want.Seal([]byte("before"), ring, bytes.NewReader(unhex(v.Nonce)))
		if err != nil || hex.EncodeToString(sealed) != hex.EncodeToString([]byte("before"))+v.Ticket {
			t.Errorf("ticket %d: sealed\n%x, %v, want\n%s", i+1, sealed, err, v.Ticket)
		}
		got, err := OpenTicket(ring, begin, unhex(v.Ticket))
		if err != nil || !reflect.DeepEqual(&got, want) {
			t.Errorf("ticket %d: %+v, %v, want %+v", i+1, got, err, want)
		}
	}
}

// One answer, whatever is wrong: what is damaged, cut, longer, sealed by another key or for another purpose, too old.
func TestTicketRefused(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1), newTestKey(t, 2))
	good := sealTicket(t, ring, sampleTicket())
	open := func(name string, keys *fleetkey.Ring, now time.Time, b []byte) {
		t.Helper()
		if got, err := OpenTicket(keys, now, b); !errors.Is(err, ErrTicket) || !reflect.DeepEqual(got, Ticket{}) {
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
	impostor, err := fleetkey.New(newTestKey(t, 1).ID(), counting(9, 32))
	if err != nil {
		t.Fatal(err)
	}
	open("other key, same id", newRing(t, impostor), begin, good)
	moved := append(binary.BigEndian.AppendUint32(nil, newTestKey(t, 2).ID()), good[4:]...)
	open("id of another key of the ring", ring, begin, moved)
	for late, refused := range map[time.Duration]bool{-time.Millisecond: false, 0: true, time.Millisecond: true} {
		if _, err := OpenTicket(ring, begin.Add(tokenLife+late), good); (err != nil) != refused {
			t.Errorf("%v after its expiry: %v", late, err)
		}
	}
}

// "A server MUST refuse content of another version, with another flag or with a byte left over."
// docs/fleet.md 8.1
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
		"left over":               func(b []byte) []byte { return append(b, 0) },
		"former version":          func(b []byte) []byte { b[0] = 1; return b },
		"later version":           func(b []byte) []byte { b[0] = 3; return b },
		"identity of nothing":     func(b []byte) []byte { b[len(b)-1] = 6; return b },
		"unknown flag":            func(b []byte) []byte { b[1] |= 4; return b },
		"bound to no certificate": func(b []byte) []byte { b[1] = 2; return b },
		"unknown binding":         func(b []byte) []byte { b[2] = 2; return b },
		"epoch 0":                 func(b []byte) []byte { clear(b[3:7]); return b },
		"session 0":               func(b []byte) []byte { clear(b[7:11]); return b },
		"no expiry":               func(b []byte) []byte { clear(b[11:19]); return b },
		"expiry below 0":          func(b []byte) []byte { b[11] = 0x80; return b },
		"client next 0":           func(b []byte) []byte { clear(b[19:27]); return b },
		"issued below 0":          func(b []byte) []byte { b[27] = 0x80; return b },
		"bits below mask":         func(b []byte) []byte { b[120] = 1; return b },
		"33 bits of IPv4":         func(b []byte) []byte { b[121] = 33; return b },
	} {
		if k, ok := parseTicket(change(bytes.Clone(good))); ok {
			t.Errorf("%s: taken as %+v", name, k)
		}
	}
	for name, change := range map[string]func(*Ticket){
		"issuer": func(k *Ticket) { k.Issuer = "" }, "subject": func(k *Ticket) { k.Subject = "" },
		"token id": func(k *Ticket) { k.TokenID = "" }, "epoch": func(k *Ticket) { k.Epoch = 0 },
		"session": func(k *Ticket) { k.Session = 0 },
	} {
		k := sampleTicket()
		change(k)
		if _, ok := parseTicket(k.appendTo(nil)); ok {
			t.Errorf("without %s: taken", name)
		}
		if b, err := k.Seal([]byte("dst"), newRing(t, newTestKey(t, 1)), nil); !errors.Is(err, ErrNoTicket) || string(b) != "dst" {
			t.Errorf("without %s: sealed as %x, %v", name, b, err)
		}
	}
}

// "it is 1 to 512 opaque bytes" PROTOCOL.md 8.1. One byte more, and none is issued.
func TestTicketLength(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	for extra := -1; extra <= 1; extra++ {
		k := sampleTicket()
		k.Identity = ""
		k.Scope = strings.Repeat("s", len(k.Scope)+maxTicketContent-len(k.appendTo(nil))+extra)
		b, err := k.Seal([]byte("dst"), ring, bytes.NewReader(counting(0, 12)))
		if extra <= 0 {
			if got, openErr := OpenTicket(ring, begin, b[3:]); err != nil || len(b) != 3+wire.MaxTicket+extra || got.Scope != k.Scope {
				t.Errorf("%d: %d bytes, %v, %v", extra, len(b), err, openErr)
			}
		} else if !errors.Is(err, ErrNoTicket) || string(b) != "dst" {
			t.Errorf("%d: %d bytes, %v", extra, len(b), err)
		}
	}
	full := sampleTicket()
	full.Identity = identity.Bytes(identity.Of(strings.Repeat("u", 100), nil, map[string]any{"rank": "gold"}, []string{"rank"}))
	full.Scope = strings.Repeat("s", len(full.Scope)+maxTicketContent-len(full.appendTo(nil))+1)
	b, err := full.Seal(nil, ring, bytes.NewReader(counting(0, 12))) // the last item gives way
	if err != nil {
		t.Fatal(err)
	}
	got, err := OpenTicket(ring, begin, b)
	if id, _ := identity.Parse(got.Identity); err != nil || id.UserName().State() != identity.Present || id.Claim("rank").State() != identity.Unknown {
		t.Errorf("%v, %q", err, got.Identity)
	}
	for n, want := range map[int]error{MaxIdentity: nil, MaxIdentity + 1: ErrNoTicket} {
		k := sampleTicket()
		k.Identity = identity.Bytes(identity.Of(strings.Repeat("u", n-6), nil, nil, nil))
		if _, err := k.Seal(nil, ring, bytes.NewReader(counting(0, 12))); !errors.Is(err, want) || len(k.Identity) != n {
			t.Errorf("an identity of %d bytes: %v, want %v", len(k.Identity), err, want)
		}
	}
	long := sampleTicket()
	long.Scope = strings.Repeat("s", 1<<16) // a length that two bytes do not hold
	if _, err := long.Seal(nil, ring, bytes.NewReader(counting(0, 12))); !errors.Is(err, ErrNoTicket) {
		t.Error(err)
	}
	cognito := sampleTicket()
	uuid := "1a2b3c4d-0000-4000-8000-1a2b3c4d5e6f"
	cognito.Issuer = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf123"
	cognito.Subject, cognito.TokenID, cognito.SignIn = uuid, uuid, uuid
	cognito.KeyID, cognito.Scope = strings.Repeat("k", 44), "aws.cognito.signin.user.admin"
	cognito.Network = netip.MustParsePrefix("2001:db8::/56")
	t.Logf("a player of Amazon Cognito: %d bytes", len(sealTicket(t, ring, cognito)))
}

// No key, no randomness, no ticket.
func TestTicketNotIssued(t *testing.T) {
	for name, ring := range map[string]*fleetkey.Ring{"nil": nil, "zero": {}} {
		if b, err := sampleTicket().Seal([]byte("dst"), ring, bytes.NewReader(counting(0, 12))); !errors.Is(err, ErrNoTicket) || string(b) != "dst" {
			t.Errorf("%s ring: %x, %v", name, b, err)
		}
	}
	key := newTestKey(t, 1)
	ring := newRing(t, key)
	if b, err := sampleTicket().Seal([]byte("dst"), ring, bytes.NewReader(counting(0, 11))); err == nil || string(b) != "dst" {
		t.Errorf("11 random bytes: %x, %v", b, err)
	}
	if key.Sealed() != 0 {
		t.Errorf("%d sealed", key.Sealed())
	}
	sealed := sealTicket(t, ring, sampleTicket())
	key.Wipe()
	if b, err := sampleTicket().Seal([]byte("dst"), ring, bytes.NewReader(counting(0, 12))); !errors.Is(err, ErrNoTicket) || string(b) != "dst" {
		t.Errorf("a wiped key: %x, %v", b, err)
	}
	if _, err := OpenTicket(ring, begin, sealed); !errors.Is(err, ErrTicket) {
		t.Errorf("a wiped key opens: %v", err)
	}
}

// FuzzTicket takes its input as content, which is written as it was read, and as a ticket, of which only ours open.
func FuzzTicket(f *testing.F) {
	ring := newRing(f, newTestKey(f, 1))
	sealed := map[string]bool{}
	for _, v := range readTickets(f) {
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
			k.Expires = max(k.Expires, begin.UnixMilli()+1)
			got, err := OpenTicket(ring, begin, sealTicket(t, ring, &k))
			if err != nil || !reflect.DeepEqual(got, k) {
				t.Fatalf("%+v comes back as %+v, %v", k, got, err)
			}
		}
		if _, err := OpenTicket(ring, begin, b); (err == nil) != sealed[string(b)] || err != nil && !errors.Is(err, ErrTicket) {
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
		if buf, err = k.Seal(buf[:0], ring, bytes.NewReader(nonce)); err != nil {
			b.Fatal(err)
		}
		if _, err = OpenTicket(ring, begin, buf); err != nil {
			b.Fatal(err)
		}
	}
}
