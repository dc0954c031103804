package carrier

import (
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/gateway/websocket"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/transport"
)

func parse(t *testing.T, args ...string) (*Flags, error) {
	t.Helper()
	f, set := &Flags{}, flag.NewFlagSet("", flag.ContinueOnError)
	f.Define(set)
	set.SetOutput(io.Discard)
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	return f, f.Check()
}

// What cannot be meant is refused, and says which flag.
func TestFlags(t *testing.T) {
	t.Parallel()
	for args, says := range map[string]string{
		"": "", "-websocket :443": "", "-websocket :443 -websocket-proxies 10.0.0.0/8,fd00::/8 -websocket-plain": "",
		"-websocket :443 -websocket-origins https://a.example,http://localhost:8080": "", "-websocket-origins https://a.example": "-websocket",
		"-websocket :443 -websocket-origins a.example": "-websocket-origins", "-websocket :443 -websocket-origins https://a.example/": "-websocket-origins",
		"-websocket-plain": "-websocket", "-websocket-proxies 10.0.0.0/8": "-websocket", "-websocket :443 -websocket-proxies 10.0.0.1": "10.0.0.1",
	} {
		if _, err := parse(t, strings.Fields(args)...); (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", args, err)
		}
	}
	f, _ := parse(t)
	var config gateway.Config
	p, err := f.Open(&config)
	if p != nil || err != nil || config.Transport.Also != nil || p.Addr() != "" || config.Metrics != nil {
		t.Errorf("without -websocket there is %v, %v", p, err)
	}
	p.Serve(nil)
	p.Close()
	f, _ = parse(t, "-websocket", "256.0.0.1:443")
	if _, err := f.Open(&config); err == nil || !strings.Contains(err.Error(), "-websocket") {
		t.Errorf("an address that is none: %v", err)
	}
}

// With -websocket-origins browsers of those sites get in, and no others, whatever certificate is shown by then.
func TestBrowsers(t *testing.T) {
	t.Parallel()
	f, _ := parse(t, "-websocket", "127.0.0.1:0", "-websocket-origins", "https://other.example, https://play.example.com")
	trust, issuer := testkit.NewAuthority(t), testkit.NewIssuer(t)
	config := gateway.Config{Transport: transport.Config{Certificate: *trust.Server(t), Verifier: issuer.Verifier(t)}}
	p, err := f.Open(&config)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	server, err := transport.Listen("127.0.0.1:0", config.Transport)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(transport.Handler{}) }()
	defer func() { server.Close(); <-served }()
	p.Serve(slog.New(slog.DiscardHandler))
	visit := func(origin string) error {
		d := gorilla.Dialer{Subprotocols: []string{websocket.SessionSubprotocol}, TLSClientConfig: &tls.Config{RootCAs: trust.Pool(), ServerName: testkit.ServerName}}
		ws, _, err := d.Dial("wss://"+p.Addr()+websocket.DefaultPath, http.Header{"Origin": {origin}})
		if err != nil {
			return err
		}
		defer ws.Close()
		_ = ws.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, b, err := ws.ReadMessage(); err != nil || len(b) != 32 {
			return fmt.Errorf("the binding is %x: %w", b, err)
		}
		return nil
	}
	for range 2 {
		if err := visit("https://play.example.com"); err != nil {
			t.Error(err)
		}
		if visit("https://evil.example") == nil {
			t.Error("another site's page gets in")
		}
		next := *trust.Server(t)
		if err := server.SetCertificate(next); err != nil {
			t.Fatal(err)
		}
		p.SetCertificate(next)
	}
	if st := p.carrier.Stats(); st.Browsers != 2 || st.Refused != 2 {
		t.Errorf("%+v", st)
	}
}

// Connections of the port are counted, whatever certificate is shown by then.
func TestPort(t *testing.T) {
	t.Parallel()
	f, _ := parse(t, "-websocket", "127.0.0.1:0")
	first, second := testkit.NewAuthority(t), testkit.NewAuthority(t)
	config := gateway.Config{Transport: transport.Config{Certificate: *first.Server(t)}}
	p, err := f.Open(&config)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.Serve(slog.New(slog.DiscardHandler))
	dial := func(a *testkit.Authority) error {
		d := websocket.Dialer{URL: "wss://" + p.Addr() + websocket.DefaultPath, TLS: &tls.Config{RootCAs: a.Pool(), ServerName: testkit.ServerName}}
		conn, _, err := d.Fallback(t.Context(), "")
		if err == nil {
			t.Cleanup(func() { conn.Close() })
		}
		return err
	}
	if err := dial(first); err != nil {
		t.Fatal(err)
	}
	p.SetCertificate(*second.Server(t))
	if dial(first) == nil {
		t.Error("the old certificate is shown")
	}
	if err := dial(second); err != nil {
		t.Fatal(err)
	}
	for range 500 { // the client may have its answer before the server counts
		if p.carrier.Stats().Accepted == 2 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(config.Metrics...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		values[family.GetName()] = family.Metric[0].GetGauge().GetValue() + family.Metric[0].GetCounter().GetValue()
	}
	for name, want := range map[string]float64{
		"sallyport_websocket_open": 2, "sallyport_websocket_accepted_total": 2, "sallyport_websocket_refused_total": 0, "sallyport_websocket_dropped_total": 0,
		"sallyport_websocket_open_browsers": 0, "sallyport_websocket_browsers_total": 0, "sallyport_websocket_relays_failed_total": 0,
	} {
		if got, ok := values[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}
