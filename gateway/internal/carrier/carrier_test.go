package carrier

import (
	"crypto/tls"
	"flag"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/gateway/websocket"
	"github.com/sallyport/sallyport/internal/testkit"
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
	p, err := f.Open(tls.Certificate{})
	if p != nil || err != nil || p.Also() != nil || p.Addr() != "" || p.Collectors() != nil {
		t.Errorf("without -websocket there is %v, %v", p, err)
	}
	p.Serve(nil)
	p.Close()
	f, _ = parse(t, "-websocket", "256.0.0.1:443")
	if _, err := f.Open(tls.Certificate{}); err == nil || !strings.Contains(err.Error(), "-websocket") {
		t.Errorf("an address that is none: %v", err)
	}
}

// Connections of the port are counted, whatever certificate is shown by then.
func TestPort(t *testing.T) {
	t.Parallel()
	f, _ := parse(t, "-websocket", "127.0.0.1:0")
	first, second := testkit.NewAuthority(t), testkit.NewAuthority(t)
	p, err := f.Open(*first.Server(t))
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
	registry.MustRegister(p.Collectors()...)
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
