package nakamabridge

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heroiclabs/nakama-common/api"
	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/matchdata"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// world is a Nakama server with a bridge, its players' issuer, and perhaps a simulated network.
type world struct {
	*testing.T
	ctx    context.Context
	issuer *testkit.Issuer
	nakama *nakama
	audit  *sink
	log    *lines
	bridge *Bridge
	stage  *stage
	net    *netsim.Network // nil on loopback
	place  byte            // of the next player on it
	lanes  bool            // the next player's client asks for them
	line   *netsim.Conn    // of the player who has dialled last
}

var serverAddr = netip.MustParseAddrPort("10.0.0.1:7777")

// newWorld starts a bridge on loopback, or on the simulated network, and ends it with the test.
func newWorld(t *testing.T, network *netsim.Network, configure ...func(*Config)) *world {
	t.Helper()
	w := &world{T: t, issuer: testkit.NewIssuer(t), nakama: newNakama(), audit: &sink{}, log: &lines{}, net: network}
	config := Config{
		Verifier: w.issuer.Verifier(t), Accounts: w.nakama, Logger: w.log, Audit: w.audit,
		Address: "127.0.0.1:0", VirtualPlayers: 10,
	}
	if network != nil {
		config.Conn = w.socket(serverAddr)
	}
	for _, f := range configure {
		f(&config)
	}
	var cancel context.CancelFunc
	w.ctx, cancel = context.WithCancel(t.Context())
	var err error
	if w.bridge, err = New(w.ctx, config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cancel)
	t.Cleanup(w.bridge.Close)
	if err := w.bridge.Register(w.nakama, DenyOthers); err != nil {
		t.Fatal(err)
	}
	w.stage = newStage(w.ctx, w.bridge)
	return w
}

// virtually runs f in virtual time on a simulated network.
func virtually(t *testing.T, f func(w *world), configure ...func(*Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := netsim.New(1)
		t.Cleanup(func() { network.Close() })
		f(newWorld(t, network, configure...))
	})
}

func (w *world) socket(addr netip.AddrPort) *netsim.Conn {
	w.Helper()
	conn, err := w.net.Listen(addr)
	if err != nil {
		w.Fatal(err)
	}
	return conn
}

// signIn signs a player of the issuer in and gives the account a name that tests can read.
func (w *world) signIn(name string) *login {
	w.Helper()
	raw := w.issuer.Token(w, token.Grant{Subject: name})
	l, err := w.nakama.authenticateCustom(w.ctx, &api.AuthenticateCustomRequest{Account: &api.AccountCustom{Id: raw}})
	if err != nil {
		w.Fatal(err)
	}
	w.nakama.accounts[l.userID].User.Username, l.username = name, name
	return l
}

// connect calls the RPC, over a socket or, without sid, over HTTP by a session of two minutes.
func (w *world) connect(l *login, sid string) (*reply, error) {
	return w.connectWith(l, sid, `{"match_id":"`+w.stage.id+`"}`)
}

func (w *world) connectWith(l *login, sid, payload string) (*reply, error) {
	ctx := w.ctx
	if sid == "" {
		ctx = with(ctx, runtime.RUNTIME_CTX_USER_SESSION_EXP, time.Now().Add(2*time.Minute).Unix())
	}
	answer, err := w.nakama.rpc(ctx, l, sid, payload)
	if err != nil {
		return nil, err
	}
	var r reply
	return &r, json.Unmarshal([]byte(answer), &r)
}

// dial connects by UDP with what the RPC says, and renews by it.
func (w *world) dial(l *login, sid string) *transport.Client {
	w.Helper()
	first, err := w.connect(l, sid)
	if err != nil {
		w.Fatal(err)
	}
	next := first
	c, err := w.try(first, func(context.Context) ([]byte, error) {
		r, err := next, error(nil)
		if next = nil; r == nil {
			if r, err = w.connect(l, sid); err != nil {
				return nil, err
			}
		}
		return []byte(r.Token), nil
	})
	if err != nil {
		w.Fatalf("dial: %v; stats %+v; audit %v", err, w.bridge.Stats(), w.audit.lines())
	}
	return c
}

// once returns a token.
func once(raw string) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) { return []byte(raw), nil }
}

// try dials as a client does that trusts nothing but the pin.
func (w *world) try(r *reply, tokens func(context.Context) ([]byte, error)) (*transport.Client, error) {
	w.Helper()
	der, err := base64.StdEncoding.DecodeString(r.Certificate)
	if err != nil {
		w.Fatal(err)
	}
	if pin := sha256.Sum256(der); hex.EncodeToString(pin[:]) != r.Pin {
		w.Fatal("the pin is not the certificate's")
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		w.Fatal(err)
	}
	config := transport.ClientConfig{RootCAs: x509.NewCertPool(), Token: tokens, Session: session.ClientConfig{Lanes: w.lanes}}
	config.RootCAs.AddCert(cert)
	if w.net != nil {
		w.place++
		w.line = w.socket(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, w.place, 1}), 1000))
		config.Conn = w.line
	}
	ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
	defer cancel()
	c, err := transport.Dial(ctx, r.Address, config)
	if err == nil {
		w.Cleanup(func() { c.Close() })
	}
	return c, err
}

// send sends an input.
func (w *world) send(c *transport.Client, op int64, data string) {
	w.Helper()
	b, _ := matchdata.Append(nil, transport.MaxPayload, op, nil, []byte(data))
	if err := c.Send(b); err != nil {
		w.Fatal(err)
	}
}

// receive waits for the next payload.
func (w *world) receive(c *transport.Client) (int64, string) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
	defer cancel()
	b := make([]byte, transport.MaxPayload)
	n, err := c.Receive(ctx, b)
	if err != nil {
		w.Fatalf("Receive: %v", err)
	}
	op, data, err := matchdata.Parse(b[:n])
	if err != nil {
		w.Fatal(err)
	}
	return op, string(data)
}

// ended fails unless the client's session ends within a minute for the reason.
func (w *world) ended(c *transport.Client, want session.Reason) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	var err error
	for b := make([]byte, transport.MaxPayload); err == nil; {
		_, err = c.Receive(ctx, b)
	}
	if e, ok := errors.AsType[*transport.CloseError](err); !ok || e.Reason != want {
		w.Errorf("the session ended with %v, want %v", err, want)
	}
}

// settle lets everything that is on its way arrive, in virtual time, and then runs a tick.
func (w *world) settle() {
	time.Sleep(100 * time.Millisecond)
	synctest.Wait()
	w.stage.loop()
}

// want fails unless the arena saw exactly these since the last call.
func (w *world) want(lines ...string) {
	w.Helper()
	if !slices.Equal(w.stage.arena.log, lines) {
		w.Errorf("the match saw\n\t%s\nwant\n\t%s", strings.Join(w.stage.arena.log, "\n\t"), strings.Join(lines, "\n\t"))
	}
	w.stage.arena.log = nil
}

// sink remembers what is audited, and lines what is logged.
type sink struct {
	mu     sync.Mutex
	events []audit.Event
}

func (s *sink) Record(e audit.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

func (s *sink) lines() (lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		lines = append(lines, strings.TrimSpace(e.Decision.String()+" "+e.Reason.String()+" "+e.Detail))
	}
	return lines
}
