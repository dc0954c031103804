package machine

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// serverDefaults and clientDefaults are the configurations without a wish.
var (
	serverDefaults, _ = session.Config{}.WithDefaults()
	clientDefaults, _ = session.ClientConfig{}.WithDefaults()
)

// A dialogue is a client and a server with nothing between them but the test: it carries every
// envelope itself, in what order and as often as it likes, and says what time it is.
type dialogue struct {
	testing.TB
	now    time.Time
	gate   *Gate
	server *Conn
	client *Client
	claims map[string]*token.Claims // what identity tokens claim; others do not verify
	homes  map[uint32]*Conn         // by connection id: where sessions live that can be resumed, on all servers
	former *Conn                    // where on the same server the session lives until it moves here
}

const tokenLife = 15 * time.Minute

var (
	begin   = time.Unix(1_800_000_000, 0)
	home    = netip.MustParseAddr("192.0.2.7")
	near    = netip.MustParseAddr("192.0.2.250")
	far     = netip.MustParseAddr("192.0.3.7")
	phone   = session.Fingerprint{Platform: "linux", Build: "1.4.2"}
	channel = Channel{Exporter: [32]byte(counting(0x80, 32))}
)

// What a zero configuration means.
var (
	defaultBehaviour, _   = policy.BehaviourConfig{}.WithDefaults()
	defaultFingerprint, _ = policy.FingerprintConfig{}.WithDefaults()
	defaultStepUpTime     = defaultFingerprint.StepUpTime
)

// unlimitedBehaviour is behaviour that is not looked at.
var unlimitedBehaviour = policy.BehaviourConfig{
	Datagrams: 1e9, DatagramBurst: 1e9, Bytes: 1e9, ByteBurst: 1e9, Flag: 1 << 24, Limit: 1 << 24, Revoke: 1 << 24,
}

func counting(from byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = from + byte(i)
	}
	return b
}

// connectOnly returns a dialogue whose client, with the token "identity", is connected and has sent
// nothing.
func connectOnly(t testing.TB, gc session.Config, cc session.ClientConfig) *dialogue {
	t.Helper()
	gate, err := NewGate(gc)
	if err != nil {
		t.Fatal(err)
	}
	d := &dialogue{TB: t, now: begin, gate: gate, claims: map[string]*token.Claims{}, homes: map[uint32]*Conn{}}
	d.mints("identity")
	return d.connect(cc, "identity", channel)
}

// connect opens another connection to the same gate.
func (d *dialogue) connect(cc session.ClientConfig, identity string, ch Channel) *dialogue {
	d.Helper()
	other := *d
	var err error
	other.server = d.gate.NewConn(d.now, ch, home)
	if other.client, err = NewClient(d.now, cc, ch, []byte(identity)); err != nil {
		d.Fatal(err)
	}
	return &other
}

// play returns a dialogue whose session has begun.
func play(t testing.TB, gc session.Config, cc session.ClientConfig) *dialogue {
	t.Helper()
	d := connectOnly(t, gc, cc)
	d.join()
	return d
}

func (d *dialogue) join() {
	d.Helper()
	d.toClient(d.present(d.clientTick(wire.KindHello)...).joins().envelope).joins()
}

// mints makes an identity token that is valid for tokenLife from now.
func (d *dialogue) mints(identity string) *token.Claims {
	c := &token.Claims{
		Issuer: "issuer", Subject: "player", ID: "id of " + identity, Scope: "match-7", Expires: d.now.Add(tokenLife),
	}
	d.claims[identity] = c
	return c
}

func (d *dialogue) waits(t time.Duration) { d.now = d.now.Add(t) }

// clientSends returns an envelope of the client, serverSends one of the server.
func (d *dialogue) clientSends(kind wire.Kind, body string) []byte {
	d.Helper()
	return d.must(d.client.Append(nil, kind, []byte(body)))
}

func (d *dialogue) serverSends(kind wire.Kind, body string) []byte {
	d.Helper()
	return d.must(d.server.Append(nil, kind, []byte(body)))
}

func (d *dialogue) must(b []byte, err error) []byte {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
	return b
}

// clientTick runs the client's Tick and returns the envelopes of one kind that it sends.
func (d *dialogue) clientTick(kind wire.Kind) (envelopes [][]byte) {
	d.client.Tick(d.now, func(k wire.Kind, body []byte) {
		if k == kind {
			envelopes = append(envelopes, d.must(d.client.Append(nil, k, body)))
		}
	})
	return envelopes
}

// renew returns the client's RENEW with a token.
func (d *dialogue) renew(identity string) [][]byte {
	d.Helper()
	if err := d.client.Renew(d.now, []byte(identity)); err != nil {
		d.Fatal(err)
	}
	return d.clientTick(wire.KindRenew)
}

// toServer and toClient deliver one envelope.
func (d *dialogue) toServer(envelope []byte) heard {
	d.Helper()
	r, ev := d.server.Handle(d.now, slices.Clone(envelope))
	if d.former != nil && !d.server.livesOnFormer() {
		d.server.Follow(d.former)
		d.former = nil
	}
	return d.heard(r, ev, d.server.Append)
}

func (d *dialogue) toClient(envelope []byte) heard {
	d.Helper()
	r, ev := d.client.Handle(d.now, slices.Clone(envelope))
	return d.heard(r, ev, d.client.Append)
}

// present delivers envelopes to the server and verifies the token that it asks about.
func (d *dialogue) present(envelopes ...[]byte) heard {
	d.Helper()
	h := heard{TB: d.TB}
	for _, e := range envelopes {
		h = d.toServer(e)
	}
	if h.Event.Kind == EventVerify {
		return d.verifiesToken(h)
	}
	return h
}

// verifiesToken hands the server the verifier's outcome for the token of h.
func (d *dialogue) verifiesToken(h heard) heard {
	d.Helper()
	if h.Event.Kind != EventVerify {
		d.Fatalf("no token to verify: %+v", h.Event)
	}
	claims, err := d.claims[string(h.Token)], error(nil)
	if claims == nil {
		err = token.ErrSignature
	}
	return d.verifiedAs(claims, err)
}

func (d *dialogue) verifiedAs(claims *token.Claims, err error) heard {
	d.Helper()
	r, ev := d.server.Verified(d.now, claims, err)
	return d.heard(r, ev, d.server.Append)
}

// tickServer runs the server's Tick.
func (d *dialogue) tickServer() heard {
	d.Helper()
	r, ev := d.server.Tick(d.now)
	return d.heard(r, ev, d.server.Append)
}

// heard copies what a machine returned, and writes its reply.
func (d *dialogue) heard(r Reply, ev Event, write func([]byte, wire.Kind, []byte) ([]byte, error)) heard {
	d.Helper()
	h := heard{TB: d.TB, Event: ev, kind: r.Kind, body: bytes.Clone(r.Body)}
	h.Payload, h.Token = bytes.Clone(ev.Payload), bytes.Clone(ev.Token)
	if r.Kind != 0 {
		h.envelope = d.must(write(nil, r.Kind, r.Body))
	}
	return h
}

// edit returns a copy of an envelope with changed fields.
func edit(envelope []byte, change func(*wire.Envelope)) []byte {
	e, err := wire.Parse(slices.Clone(envelope))
	if err != nil {
		panic(err)
	}
	change(&e)
	return e.AppendTo(nil)
}

// mistag returns a copy of an envelope with a wrong tag.
func mistag(envelope []byte) []byte { return edit(envelope, func(e *wire.Envelope) { e.Tag[7] ^= 1 }) }
