package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/gateway/internal/meter"
	"github.com/sallyport/sallyport/internal/testkit"
)

// Certificate and fleet keys are read again each for itself, and the log says which is in use.
func TestReload(t *testing.T) {
	t.Parallel()
	good, err := testkit.FleetKey(t).Text()
	if err != nil {
		t.Fatal(err)
	}
	f := newFlags(func(name string) string {
		return map[string]string{"SALLYPORT_NAKAMA_SESSION_KEY": strings.Repeat("k", 32)}[name]
	})
	f.nakama, f.listen, f.fleetKeys = "http://127.0.0.1:"+testkit.FreePort(t), "127.0.0.1:0", filepath.Join(t.TempDir(), "fleet.keys")
	f.cert, f.key = certify(t)
	write := func(name string, text []byte) {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(f.fleetKeys, good)
	config, closeAudit, err := f.config(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer closeAudit()
	m, err := meter.Open(&config, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(config)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close() //nolint:errcheck // nobody plays
	again := func(what, certificate, keys string) {
		out := new(testkit.Console)
		log := slog.New(slog.NewTextHandler(out, nil))
		r := &reloader{flags: f, gateway: g, meter: m, ring: config.Transport.Session.FleetKeys, log: log}
		r.again()
		if said := out.String(); !strings.Contains(said, "certificate "+certificate) || !strings.Contains(said, "fleet keys "+keys) {
			t.Errorf("%s: %s", what, said)
		}
	}
	again("both are good", "reloaded", "reloaded")
	write(f.fleetKeys, []byte("rubbish"))
	again("the keys are not", "reloaded", "kept")
	write(f.cert, []byte("rubbish"))
	again("neither is", "kept", "kept")
	write(f.fleetKeys, good)
	again("the certificate is not", "kept", "reloaded")
}
