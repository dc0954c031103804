package program

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dev"
	"github.com/sallyport/sallyport/gateway/agones"
	"github.com/sallyport/sallyport/gateway/internal/sdkserver"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// rollout is what the pods share.
type rollout struct {
	*testing.T

	dir    string
	issuer *token.Issuer
	roots  *x509.CertPool
}

func newRollout(t *testing.T) *rollout {
	t.Helper()
	r := &rollout{T: t, dir: t.TempDir(), roots: x509.NewCertPool()}
	certificate, err := dev.NewCertificate()
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	if !r.roots.AppendCertsFromPEM(public) {
		t.Fatal("no certificate")
	}
	if r.issuer, err = token.NewIssuer(token.IssuerConfig{Issuer: "login", Audience: "arena"}); err != nil {
		t.Fatal(err)
	}
	ring, err := testkit.FleetKey(t).Text()
	if err != nil {
		t.Fatal(err)
	}
	r.write("cert.pem", public)
	r.write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	r.write("keys.json", r.issuer.JWKS())
	r.write("fleet.keys", ring)
	return r
}

func (r *rollout) file(name string) string { return filepath.Join(r.dir, name) }

func (r *rollout) write(name string, b []byte) {
	r.Helper()
	if err := os.WriteFile(r.file(name), b, 0o600); err != nil {
		r.Fatal(err)
	}
}

// pod is the sidecar with its game, and the SDK server of Agones.
type pod struct {
	sdk     *sdkserver.Server
	address string
	log     *logBuffer
	terms   context.CancelFunc // SIGTERM
	ended   chan int
}

var listening = regexp.MustCompile(`listening addr=(\S+)`)

// start starts a pod. What is of it ends with the test.
func (r *rollout) start(name string) *pod {
	r.Helper()
	p := &pod{sdk: sdkserver.New(name), log: new(logBuffer), ended: make(chan int, 1)}
	server := httptest.NewServer(p.sdk)
	r.Cleanup(server.Close)
	own, game := r.file(name+".own"), r.file(name+".game")
	var ctx context.Context
	ctx, p.terms = context.WithCancel(context.Background())
	go func() {
		p.ended <- Run(ctx, nil, []string{
			"-listen", "127.0.0.1:0", "-status", "127.0.0.1:0", "-cert", r.file("cert.pem"), "-key", r.file("key.pem"),
			"-issuer", "login", "-audience", "arena", "-keys", r.file("keys.json"), "-fleet-keys", r.file("fleet.keys"),
			"-game", "unix:" + game, "-own", "unix:" + own,
			"-agones", server.URL, "-agones-list", "players", "-agones-counter", "players", "-agones-within", "20s",
		}, io.Discard, p.log)
	}()
	until(r.T, "it listens", func() bool { return listening.MatchString(p.log.String()) })
	p.address = listening.FindStringSubmatch(p.log.String())[1]
	r.play(own, game)
	until(r.T, "Agones has it ready", func() bool { return p.sdk.State() == "Ready" })
	return p
}

func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("not in time: %s", what)
}

// play is a game that sends back what players send, by docs/sidecar.md.
func (r *rollout) play(own, game string) {
	r.Helper()
	conn, err := net.DialUnix("unixgram", &net.UnixAddr{Name: game, Net: "unixgram"}, &net.UnixAddr{Name: own, Net: "unixgram"})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = conn.Close() })
	go func() {
		const run = 7
		var sidecar, number uint32
		for b := make([]byte, 1<<16); ; {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			if n < 24 || b[0] != 1 {
				continue
			}
			if from := binary.BigEndian.Uint32(b[4:]); from != sidecar {
				sidecar, number = from, 0
			}
			data := b[1] == 3 && b[2] == 255
			if binary.BigEndian.Uint32(b[8:]) != run || !data { // an ALIVE in answer
				if got := binary.BigEndian.Uint32(b[16:]); binary.BigEndian.Uint32(b[8:]) == run && got == number+1 {
					number = got
				}
				b[1], b[2], b[3], n = 1, 0, 0, 24
				binary.BigEndian.PutUint32(b[12:], 0)
			}
			binary.BigEndian.PutUint32(b[4:], run)
			binary.BigEndian.PutUint32(b[8:], sidecar)
			binary.BigEndian.PutUint32(b[16:], number)
			_, _ = conn.Write(b[:n])
		}
	}()
}

// stayer is a player who sends, and hears the game's answers.
type stayer struct {
	*transport.Client

	longest, resumed, closed atomic.Int64
	wg                       sync.WaitGroup
}

// join has a player join, from an address that shares its /24 with nobody.
func (r *rollout) join(at *pod, n int) (*stayer, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 1, byte(n), 1)})
	if err != nil {
		return nil, err
	}
	s := &stayer{}
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
	defer cancel()
	s.Client, err = transport.Dial(ctx, at.address, transport.ClientConfig{
		Conn: conn, RootCAs: r.roots, ServerName: "localhost",
		Token: func(context.Context) ([]byte, error) {
			t, err := r.issuer.Mint(time.Now(), token.Grant{Subject: fmt.Sprint("player-", n), Scope: "match-7"})
			return []byte(t), err
		},
		OnEvent: func(e transport.ClientEvent) {
			switch e.Kind {
			case transport.EventResumed:
				s.resumed.Add(1)
			case transport.EventClosed:
				s.closed.Add(1)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	s.wg.Go(func() {
		last := time.Now()
		for b := make([]byte, 2048); ; {
			if _, err := s.Receive(context.Background(), b); err != nil {
				return
			}
			s.longest.Store(max(s.longest.Load(), int64(time.Since(last))))
			last = time.Now()
		}
	})
	return s, nil
}

// Two sidecars, each with a game and an SDK server: the first one's GameServer gets the address of the
// second, and its players go on there, nobody signs in, nobody is put out. Then its pod ends.
func TestAgonesRollout(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred players take seconds")
	}
	const players = 100
	r := newRollout(t)
	one, two := r.start("game-1"), r.start("game-2")
	var subjects []string
	for n := range players {
		subjects = append(subjects, fmt.Sprint("player-", n))
	}
	assigned := map[string]string{agones.KeyScope: "match-7", agones.KeyPlayers: strings.Join(subjects, " ")}
	one.sdk.Allocate(assigned)
	time.Sleep(100 * time.Millisecond)
	until(t, "a player whom nobody has listed is refused", func() bool {
		_, err := r.join(one, 200)
		refused, ok := errors.AsType[*transport.CloseError](err)
		return ok && refused.Reason == session.ReasonScope
	})
	all := make([]*stayer, players)
	var joining sync.WaitGroup
	for n := range all {
		joining.Go(func() {
			var err error
			if all[n], err = r.join(one, n); err != nil {
				t.Errorf("player %d: %v", n, err)
			}
		})
	}
	joining.Wait()
	if t.Failed() {
		t.Fatal(one.log.String())
	}
	stop, sending := make(chan struct{}), sync.WaitGroup{}
	for _, s := range all {
		sending.Go(func() {
			for tick := time.NewTicker(time.Second / 20); ; {
				select {
				case <-tick.C:
					_ = s.Send([]byte("input"))
				case <-stop:
					tick.Stop()
					return
				}
			}
		})
	}
	until(t, "the list has all", func() bool {
		list, count := one.sdk.Players()
		return len(list) == players && count == fmt.Sprint(players)
	})
	for _, s := range all {
		s.longest.Store(0)
	}
	two.sdk.Allocate(assigned)
	one.sdk.Annotate(agones.KeyDrain, two.address)
	until(t, "the former pod may end", func() bool { return one.sdk.State() == "Shutdown" })
	one.terms()
	if code := <-one.ended; code != exitOK {
		t.Errorf("exit status %d: %s", code, one.log.String())
	}
	until(t, "the next pod's list has all", func() bool { list, _ := two.sdk.Players(); return len(list) == players })
	close(stop)
	sending.Wait()
	if log := two.log.String(); strings.Contains(log, "msg=accept") || !strings.Contains(log, "msg=resume") {
		t.Errorf("a player has signed in on the next pod: %s", log)
	}
	var gaps []time.Duration
	for n, s := range all {
		if s.resumed.Load() == 0 || s.closed.Load() != 0 {
			t.Errorf("player %d: resumed %d times, closed %d", n, s.resumed.Load(), s.closed.Load())
		}
		gaps = append(gaps, time.Duration(s.longest.Load()))
		s.Close()
		s.wg.Wait()
	}
	slices.Sort(gaps)
	t.Logf("gaps: median %v, p99 %v, longest %v", gaps[players/2], gaps[players*99/100-1], gaps[players-1])
	if gaps[players*99/100-1] > 5*time.Second { // of a busy machine; in virtual time it is held to a second
		t.Error("players have waited too long")
	}
	two.terms()
	if code := <-two.ended; code != exitOK {
		t.Errorf("exit status %d: %s", code, two.log.String())
	}
}
