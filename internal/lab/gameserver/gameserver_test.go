package gameserver

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func devConfig(t *testing.T) Config {
	t.Helper()
	dev, err := NewDev("192.0.2.1", "game.example")
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := dev.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Listen: "127.0.0.1:0", Tick: 60, Status: "127.0.0.1:0",
		Certificate: dev.Certificate, Verifier: verifier, Dev: dev,
	}
}

func startServer(t *testing.T, c Config) *Server {
	t.Helper()
	s, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func ask(t *testing.T, r *http.Request) (string, int) {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), resp.StatusCode
}

func get(t *testing.T, url string) (string, int) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ask(t, r)
}

func TestStatus(t *testing.T) {
	s := startServer(t, devConfig(t))
	if body, code := get(t, s.URL()+"/healthz"); code != http.StatusOK || body != "ok\n" {
		t.Errorf("/healthz: %d %q", code, body)
	}
	body, code := get(t, s.URL()+"/stats")
	var fields map[string]any
	if err := json.Unmarshal([]byte(body), &fields); err != nil || code != http.StatusOK {
		t.Fatalf("/stats: %d %q", code, body)
	}
	for _, name := range []string{"sessions", "sessions_peak", "datagrams_in", "datagrams_out", "drops", "handshakes", "cpu_us", "mallocs"} {
		if _, ok := fields[name]; !ok {
			t.Errorf("/stats lacks %s: %s", name, body)
		}
	}
	if runtime.GOOS == "linux" && fields["cpu_us"] == nil {
		t.Error("CPU time unknown")
	}
}

func TestToken(t *testing.T) {
	c := devConfig(t)
	s := startServer(t, c)
	raw, code := get(t, s.URL()+"/token?subject=alice&scope=arena&platform=go&build=7&life=60s")
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, raw)
	}
	now := time.Now()
	claims, err := c.Verifier.Verify(t.Context(), now, []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if claims.Subject != "alice" || claims.Scope != "arena" || claims.Platform != "go" || claims.Build != "7" ||
		claims.Expires.Sub(now) > time.Minute {
		t.Errorf("%+v", claims)
	}
	for _, query := range []string{"", "?subject=alice&life=soon", "?subject=alice&life=1ms", "?subject=alice&life=1000h"} {
		if body, code := get(t, s.URL()+"/token"+query); code != http.StatusBadRequest {
			t.Errorf("%q: %d %s", query, code, body)
		}
	}
}

// "loopback only": a page in a browser here comes with a Host of its own, whatever address that resolves to.
func TestTokenHost(t *testing.T) {
	s := startServer(t, devConfig(t))
	for host, want := range map[string]int{
		"": 200, "localhost": 200, "localhost:7780": 200, "[::1]:7780": 200,
		"evil.example": 403, "evil.example:7780": 403, "192.0.2.1": 403, "127.0.0.1.evil.example": 403,
	} {
		r, err := http.NewRequest(http.MethodPost, s.URL()+"/token", strings.NewReader("subject=alice"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Host = host
		if body, code := ask(t, r); code != want {
			t.Errorf("Host %q: %d %s, want %d", host, code, body, want)
		}
	}
}

func TestNoTokensOutsideDevelopment(t *testing.T) {
	c := devConfig(t)
	c.Dev = nil
	s := startServer(t, c)
	if _, code := get(t, s.URL()+"/token?subject=alice"); code != http.StatusNotFound {
		t.Errorf("status %d, want 404", code)
	}
}

func TestStartRefuses(t *testing.T) {
	s := startServer(t, devConfig(t))
	for name, change := range map[string]func(*Config){
		"port in use":        func(c *Config) { c.Listen = s.Addr().String() },
		"status in use":      func(c *Config) { c.Status = strings.TrimPrefix(s.URL(), "http://") },
		"no address":         func(c *Config) { c.Listen = "nowhere" },
		"status for anybody": func(c *Config) { c.Status = ":0" },
	} {
		c := devConfig(t)
		change(&c)
		if s, err := Start(c); err == nil {
			s.Shutdown(context.Background()) //nolint:errcheck // the test has failed
			t.Errorf("%s: started", name)
		}
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "dev.json")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	want := File{Addr: "127.0.0.1:7777", CA: "pem", TokenURL: "http://127.0.0.1:7780/token"}
	if err := want.Write(path); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadFile(path); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	if want.Write(filepath.Join(dir, "missing", "dev.json")) == nil {
		t.Error("written to a folder that does not exist")
	}
}
