package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit/chain"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/udp"
)

// healthy is a machine on which everything is well.
func healthy(t *testing.T) *examination {
	t.Helper()
	e := &examination{flags: &flags{listen: "127.0.0.1:" + testkit.FreePort(t)}, host: thisHost()}
	e.host.proc = t.TempDir()
	e.sysctl(t, "rmem_max", strconv.Itoa(socketBuffer))
	e.sysctl(t, "wmem_max", strconv.Itoa(socketBuffer))
	e.host.offload = func() (bool, bool, error) { return true, true, nil }
	e.host.synced = func() (bool, error) { return true, nil }
	e.host.room = func(string) (uint64, error) { return 1 << 40, nil }
	e.host.files = func() (uint64, error) { return 65536, nil }
	e.host.addresses = func() ([]net.Addr, error) {
		return []net.Addr{&net.IPNet{IP: net.ParseIP("2001:db8::7"), Mask: net.CIDRMask(64, 128)}}, nil
	}
	e.host.build = func() (*debug.BuildInfo, bool) { return &debug.BuildInfo{GoVersion: oldestGo}, true }
	return e
}

// sysctl writes a setting of the kernel.
func (e *examination) sysctl(t *testing.T, name, value string) {
	t.Helper()
	dir := filepath.Join(e.host.proc, "sys", "net", "core")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, name), value+"\n", 0o600)
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

// want fails unless a check has a state, and says something, with a remedy if it is not well.
func (r result) want(t *testing.T, name string, s state, text string) {
	t.Helper()
	if r.State != s || !strings.Contains(r.Found+"\n"+r.Do, text) || (r.Do != "") != (s == stateWarn || s == stateFail) {
		t.Errorf("%s: %+v, want %s with %q", name, r, s, text)
	}
}

// Every check passes on a healthy machine that has been given everything.
func TestHealthy(t *testing.T) {
	t.Parallel()
	e := healthy(t)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	a := testkit.NewAuthority(t)
	e.cert, e.key, e.name = pair(t, dir, a.Server(t)), filepath.Join(dir, "key.pem"), testkit.ServerName
	p := testkit.NewIDP(t)
	e.pool, e.endpoint = testkit.Pool, p.Serve(t)
	e.fleetKeys = filepath.Join(dir, "fleet.keys")
	write(t, e.fleetKeys, fleetKey(t), 0o600)
	private, _, err := chain.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	e.audit, e.auditKey, e.snapshot = filepath.Join(dir, "audit"), filepath.Join(dir, "audit.key"), filepath.Join(dir, "snapshot")
	write(t, e.auditKey, string(private), 0o600)
	var out bytes.Buffer
	status := examine(t.Context(), &out, e)
	// An authority that only this test knows is a thing to be warned of.
	if status != allWell || !strings.HasSuffix(out.String(), "12 ok, 1 warn, 0 fail, 0 skip\n") {
		t.Errorf("%d\n%s", status, &out)
	}
	if text, _ := os.ReadFile(e.fleetKeys); strings.Contains(out.String(), strings.Fields(string(text))[0]) {
		t.Error("prints a fleet key")
	}
	if list, _ := filepath.Glob(filepath.Join(dir, ".sallyport*")); len(list) > 0 {
		t.Errorf("left behind: %q", list)
	}
}

// The table, JSON and the exit status of a machine that is not well; a check that was not asked for is skipped.
func TestUnwell(t *testing.T) {
	t.Parallel()
	e := healthy(t)
	e.fleetKeys = "/missing/keys"
	e.host.synced = func() (bool, error) { return false, nil }
	var out bytes.Buffer
	if status := examine(t.Context(), &out, e); status != failed || !strings.Contains(out.String(), "fail  fleet keys      there is no /missing/keys\n                      → Make it") {
		t.Errorf("%d\n%s", status, &out)
	}
	e.asJSON = true
	out.Reset()
	var o struct {
		Checks         []result
		Failed, Warned int
	}
	if status := examine(t.Context(), &out, e); status != failed || json.Unmarshal(out.Bytes(), &o) != nil || o.Failed != 1 || o.Warned != 1 || len(o.Checks) != len(checks) {
		t.Errorf("%d\n%s", status, &out)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if status := examine(ctx, &out, e); status != interrupted {
		t.Errorf("interrupted: %d", status)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"x"}, {"-nonsense"}, {"-cert", "c"}, {"-key", "k"}, {"-name", "n"}, {"-jwks", "u", "-cognito-pool", "p"}, {"-cognito-endpoint", "u"}} {
		var stdout, stderr bytes.Buffer
		if status := Run(t.Context(), args, &stdout, &stderr); status != 2 || stdout.Len() > 0 || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%q: %d, %q, %q", args, status, &stdout, &stderr)
		}
	}
	var stdout, stderr bytes.Buffer
	if status := Run(t.Context(), []string{"-h"}, &stdout, &stderr); status != 0 {
		t.Errorf("-h: %d", status)
	}
	for _, c := range checks {
		if !strings.Contains(stdout.String(), "\n  "+c.name+" ") {
			t.Errorf("-h does not tell of %s", c.name)
		}
	}
	stdout.Reset()
	if status := Run(t.Context(), []string{"-listen", "127.0.0.1:0"}, &stdout, &stderr); status != allWell || !strings.Contains(stdout.String(), "ok    port") {
		t.Errorf("this machine: %d\n%s", status, &stdout)
	}
}

func TestPort(t *testing.T) {
	t.Parallel()
	e := healthy(t)
	checkPort(e).want(t, "free", stateOK, "can be listened on")
	e.running = true
	checkPort(e).want(t, "free, and the server is to run", stateFail, "no server listens")
	s, err := udp.Listen(e.listen)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	checkPort(e).want(t, "taken by the server", stateOK, "is in use")
	e.running = false
	checkPort(e).want(t, "taken", stateFail, "ss -ulpn 'sport = :"+e.listen[len("127.0.0.1:"):]+"'")
	for address, text := range map[string]string{"192.0.2.1:7777": "not this machine's", "nonsense": "cannot be listened on", ":99999": "cannot be listened on"} {
		e.listen = address
		checkPort(e).want(t, address, stateFail, text)
	}
	e.host.listen = func(string) (udp.Socket, error) { return nil, &os.SyscallError{Syscall: "bind", Err: syscall.EACCES} }
	checkPort(e).want(t, "a low port", stateFail, "CAP_NET_BIND_SERVICE")
}

// docs/deploy.md says what each socket asks for.
func TestBuffers(t *testing.T) {
	t.Parallel()
	for name, check := range map[string]func(*examination) result{"rmem_max": checkReceiveBuffer, "wmem_max": checkSendBuffer} {
		e := healthy(t)
		for value, s := range map[int]state{212_992: stateWarn, socketBuffer - 1: stateWarn, socketBuffer: stateOK, socketBuffer + 1: stateOK} {
			e.sysctl(t, name, strconv.Itoa(value))
			check(e).want(t, name, s, "net.core."+name+" is "+strconv.Itoa(value))
		}
		e.sysctl(t, name, "many")
		check(e).want(t, name, stateWarn, "cannot be read")
		e.host.proc = t.TempDir()
		check(e).want(t, name, stateSkip, name)
	}
	text, err := os.ReadFile("../../../docs/deploy.md")
	if err != nil || !strings.Contains(string(text), "net.core.rmem_max = "+strconv.Itoa(socketBuffer)+"\nnet.core.wmem_max = "+strconv.Itoa(socketBuffer)+"\n") {
		t.Errorf("docs/deploy.md has other settings, %v", err)
	}
}

func TestSegmentation(t *testing.T) {
	t.Parallel()
	e := healthy(t)
	for text, has := range map[string][2]bool{"no UDP_GRO": {true, false}, "no UDP_SEGMENT": {false, true}, "neither": {false, false}} {
		e.host.offload = func() (bool, bool, error) { return has[0], has[1], nil }
		checkSegmentation(e).want(t, text, stateWarn, text)
	}
	e.host.offload = func() (bool, bool, error) { return false, false, errUnknown }
	checkSegmentation(e).want(t, "elsewhere", stateSkip, "does not tell")
}

func TestIPv6(t *testing.T) {
	t.Parallel()
	e := healthy(t)
	checkIPv6(e).want(t, "global", stateOK, "2001:db8::7")
	for _, a := range []string{"127.0.0.1/8", "192.0.2.7/24", "::1/128", "fe80::1/64", "fd00::1/8", "::ffff:192.0.2.7/120"} {
		_, n, err := net.ParseCIDR(a)
		if err != nil {
			t.Fatal(err)
		}
		e.host.addresses = func() ([]net.Addr, error) { return []net.Addr{n}, nil }
		checkIPv6(e).want(t, a, stateWarn, "no global IPv6 address")
	}
	e.host.addresses = func() ([]net.Addr, error) { return nil, errUnknown }
	checkIPv6(e).want(t, "no list", stateWarn, "cannot be listed")
	e = healthy(t)
	e.listen = "192.0.2.7:7777"
	checkIPv6(e).want(t, "IPv4 alone", stateWarn, "takes IPv4 alone")
}

// "NTP-free": the clock is compared with the Date of the issuer's answer, and the bounds are 1 s and 5 s beyond what the
// answer leaves open.
func TestClock(t *testing.T) {
	t.Parallel()
	var date time.Time
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", date.UTC().Format(http.TimeFormat))
		w.Write(testkit.NewIssuer(t).JWKS())
	}))
	defer s.Close()
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		off  time.Duration // of the endpoint's clock
		want state
		text string
	}{
		"right":       {0, stateOK, "agrees"},
		"a second":    {time.Second, stateOK, "agrees"},
		"ahead":       {-4 * time.Second, stateWarn, "ahead of"},
		"far ahead":   {-8 * time.Second, stateFail, "ahead of"},
		"behind":      {4 * time.Second, stateWarn, "4s behind"},
		"far behind":  {10 * time.Second, stateFail, "10s behind"},
		"at five":     {5 * time.Second, stateWarn, "5s behind"},
		"beyond five": {6 * time.Second, stateFail, "Leeway"},
	} {
		e := healthy(t)
		e.jwks, e.host.now = s.URL, func() time.Time { return at }
		date = at.Add(c.off)
		e.fetchKeys(t.Context())
		checkClock(e).want(t, name, c.want, c.text)
		e.host.synced = func() (bool, error) { return false, nil }
		if c.want == stateOK {
			checkClock(e).want(t, name+", not synchronised", stateWarn, "chrony")
		}
	}
	e := healthy(t)
	checkClock(e).want(t, "no endpoint", stateOK, "takes it for synchronised")
	e.host.synced = func() (bool, error) { return false, errUnknown }
	checkClock(e).want(t, "nothing known", stateSkip, "does not tell")
}
