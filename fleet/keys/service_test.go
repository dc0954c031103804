package keys

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/identity/identitytest"
	"github.com/sallyport/sallyport/fleetkey"
)

// Whoever is not a match server of the trust domain gets no keys, and whoever is not a keeper hands
// none out.
func TestImpostors(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	other := identitytest.NewDomain(t, identitytest.Domain) // the same name, another authority
	announcementBy := func(s *identity.Source) error {
		a := announcement{fleet: "test", instance: instance{7}, counter: 1, made: time.Now(), public: [32]byte{9}}
		body, err := a.append(nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := spiffe{source: s}.sign(kindAnnouncement, body)
		if err != nil {
			t.Fatal(err)
		}
		e.keeper.mu.Lock()
		defer e.keeper.mu.Unlock()
		_, _, err = e.keeper.state.announced(time.Now(), b)
		return err
	}
	for _, c := range []struct {
		name string
		s    *identity.Source
		want error
	}{
		{"another authority's match server", other.Source(t, identity.GameState.Path("eu-7")), identity.UnknownIssuer},
		{"a leaderboard", e.Source(t, identity.Leaderboard.Path("1")), identity.NotPermitted},
		{"an operator", e.Source(t, identity.Operator.Path("zoe")), identity.NotPermitted},
		{"a path without a role", e.Source(t, "/ns/game/sa/server"), identity.UnknownRole},
		{"a match server", e.Source(t, identity.GameState.Path("eu-7")), nil},
	} {
		if err := announcementBy(c.s); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}

	// The same certificate, but the signature of another key.
	honest := e.Source(t, identity.GameState.Path("eu-8"))
	svid := e.Issue(identity.GameState.Path("eu-8"))
	body := []byte("body")
	sig, err := signBy(svid.PrivateKey, signed(kindAnnouncement, body))
	if err != nil {
		t.Fatal(err)
	}
	b, err := envelope{kind: kindAnnouncement, chain: honest.Certificate().Certificate, body: body, signature: sig}.append(nil)
	if err != nil {
		t.Fatal(err)
	}
	judge := spiffe{e.Source(t, identity.Operator.Path("keeper")), identity.ReceiveKeys}
	if _, _, err := judge.open(kindAnnouncement, b); !errors.Is(err, errSignature) {
		t.Errorf("another key's signature: %v", err)
	}
	// A signature over an announcement is none over a grant.
	if sig, err = signBy(honest.Certificate().PrivateKey, signed(kindGrant, body)); err != nil {
		t.Fatal(err)
	}
	b, _ = envelope{kind: kindAnnouncement, chain: honest.Certificate().Certificate, body: body, signature: sig}.append(nil)
	if _, _, err := judge.open(kindAnnouncement, b); !errors.Is(err, errSignature) {
		t.Errorf("a signature for another purpose: %v", err)
	}
	// An expired certificate.
	old := e.Issue(identity.GameState.Path("eu-9"), func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Minute)
	})
	if sig, err = signBy(old.PrivateKey, signed(kindAnnouncement, body)); err != nil {
		t.Fatal(err)
	}
	b, _ = envelope{kind: kindAnnouncement, chain: [][]byte{old.Certificates[0].Raw}, body: body, signature: sig}.append(nil)
	if _, _, err := judge.open(kindAnnouncement, b); !errors.Is(err, identity.Expired) {
		t.Errorf("an expired certificate: %v", err)
	}
	// A match server hands out no keys.
	wants := spiffe{honest, identity.RotateKeys}
	b, _ = spiffe{source: honest}.sign(kindGrant, body)
	if _, _, err := wants.open(kindGrant, b); !errors.Is(err, identity.NotPermitted) {
		t.Errorf("a match server's grant: %v", err)
	}
}

// A server that the policy denies while the Keeper reads its announcement gets no answer, and the Keeper goes on.
func TestDeniedMeanwhile(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	e.keeper.mu.Lock()
	e.keeper.state.identity = denying{e.keeper.state.identity, e.ID(identity.GameState.Path("a"))}
	e.keeper.mu.Unlock()
	denied, _ := e.holder(t, "a", false)
	await(t, "the denied server was heard", func() bool { return bytes.Contains(e.log.bytes(), []byte("does not let it have them")) })
	other, _ := e.holder(t, "b", false)
	await(t, "the other one has the keys", func() bool { return other.Status().Joined })
	if denied.Status().Joined {
		t.Error("the denied one has them, too")
	}
}

// Keys are "never in clear in the broker or on disk outside mode 0600".
func TestKeysAreNotInTheOpen(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	h, _ := e.holder(t, "a", true)
	await(t, "the server has the keys", func() bool { return h.Status().Joined && len(h.Status().Keys) > 0 })
	await(t, "the file is there", func() bool { _, err := os.Stat(h.config.File); return err == nil })
	k, _ := h.config.Ring.First()
	text, err := k.Text()
	if err != nil {
		t.Fatal(err)
	}
	secret := bytes.TrimSpace(text[9:])
	e.broker.mu.Lock()
	for _, m := range e.broker.seen {
		if bytes.Contains(m, secret) {
			t.Error("the broker has seen a key")
		}
	}
	e.broker.mu.Unlock()
	files, err := os.ReadDir(e.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
	}
	if b, err := os.ReadFile(h.config.File); err != nil || !bytes.Contains(b, secret) {
		t.Error("the file has no keys")
	} else if keys, err := fleetkey.Parse(b); err != nil || len(keys) == 0 {
		t.Errorf("fleetkey.Parse: %v", err)
	}
}

// Whatever happens to keys, and whatever is sent to keeper and servers, no log, no audit, no status and
// no error has one, in any spelling.
func TestKeysAreNotTold(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	h, stop := e.holder(t, "a", true)
	var secrets [][]byte
	note := func() {
		for _, id := range h.config.Ring.IDs() {
			for _, k := range h.state.filled {
				if line, err := k.Text(); k.ID() == id && err == nil {
					secrets = append(secrets, bytes.TrimSpace(line[9:]))
				}
			}
		}
	}
	joined := func() bool { return h.Status().Joined }
	await(t, "the server has the keys", joined)
	status := func() []byte {
		keeper, err := json.Marshal(e.keeper.Status())
		holder, err2 := json.Marshal(h.Status())
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		return append(keeper, holder...)
	}
	h.mu.Lock()
	note()
	h.mu.Unlock()
	told := status()
	if err := e.keeper.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "the rotation is over", func() bool { return e.keeper.Status().Phase == PhaseDrain })
	h.mu.Lock()
	note()
	h.mu.Unlock()
	told = append(told, status()...)
	e.broker.mu.Lock()
	seen := slices.Clone(e.broker.seen)
	e.broker.mu.Unlock()
	for _, m := range seen { // repeated, cut off, spoilt
		for _, topic := range []string{announcements, grants(h.number())} {
			e.broker.Publish(t.Context(), topic, m)                          //nolint:errcheck // it has none
			e.broker.Publish(t.Context(), topic, m[:len(m)/2])               //nolint:errcheck // likewise
			e.broker.Publish(t.Context(), topic, append(slices.Clone(m), 0)) //nolint:errcheck // likewise
		}
	}
	loss, err := e.keeper.Emergency(t.Context())
	told = append(told, fmt.Sprintf("%+v %v", loss, err)...)
	await(t, "the server has the new key", func() bool { return h.Status().Epoch == e.keeper.Status().Epoch })
	h.mu.Lock()
	note()
	h.mu.Unlock()
	stop()
	if err := os.Chmod(h.config.File, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = NewHolder(h.config)
	told = append(told, fmt.Sprint(err)...)
	e.stop()
	told = append(told, e.log.bytes()...)
	told = append(told, fmt.Sprintf("%+v", e.lines.all())...)
	if len(secrets) < 4 || !bytes.Contains(told, []byte("keys were dropped")) {
		t.Fatalf("%d secrets; told: %s", len(secrets), told)
	}
	for _, s := range secrets {
		raw, err := hex.DecodeString(string(s))
		if err != nil || len(raw) != 32 {
			t.Fatal(err)
		}
		for spelling, text := range map[string][]byte{
			"a key file's": s, "raw": raw, "base64": []byte(base64.RawStdEncoding.EncodeToString(raw)),
			"a list of numbers": []byte(strings.Trim(fmt.Sprint(raw[:8]), "[]")),
		} {
			if bytes.Contains(told, text) {
				t.Errorf("a key was told, in the spelling %s", spelling)
			}
		}
	}
}

// "A Holder with a File starts with the keys and the lease of the process before it, and takes its
// place", with the keeper away and the broker, too.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	h, stop := e.holder(t, "a", true)
	await(t, "the server has the keys", func() bool { return h.Status().Joined && h.Status().Epoch != 0 })
	before := h.Status()
	k, _ := h.config.Ring.First()
	e.stop()
	second, stopSecond := e.holder(t, "a", true) // while the first still runs
	if s := second.Status(); s.Joined || s.Keys[1] != keyID(k) {
		t.Errorf("beside a process that runs: %+v", s)
	}
	stopSecond()
	stop()
	h, _ = e.holder(t, "a", true)
	if s := h.Status(); !s.Joined || s.Keys[0] != keyID(k) || s.Revision != before.Revision || s.Instance == before.Instance {
		t.Errorf("after a restart: %+v", s)
	}
	e.start(t)
	await(t, "the keeper knows of one instance", func() bool {
		s := e.keeper.Status()
		return len(s.Instances) == 1 && s.Instances[0].Instance == h.Status().Instance && s.Instances[0].Current
	})
	if got, _ := h.config.Ring.First(); got.ID() != k.ID() {
		t.Error("the keeper has forgotten its key")
	}
}

func TestKeeperService(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	if _, err := NewKeeper(e.keeper.config); !errors.Is(err, ErrStore) {
		t.Errorf("two keepers in one directory: %v", err)
	}
	h, stop := e.holder(t, "a", false)
	await(t, "the server has the keys", func() bool { return h.Status().Joined })
	if err := e.keeper.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "the rotation drains", func() bool { return e.keeper.Status().Phase == PhaseDrain })
	loss, err := e.keeper.Emergency(t.Context())
	if err != nil || len(loss.Dropped) != 2 {
		t.Errorf("%+v, %v", loss, err)
	}
	await(t, "the emergency is over", func() bool { return h.Status().Keys[0] == e.keeper.Status().Keys[0].ID })
	stop()
	await(t, "the server has taken leave", func() bool { return len(e.keeper.Status().Instances) == 0 })
	if err := e.keeper.Forget(t.Context(), strings.Repeat("0", 32)); !errors.Is(err, ErrInstance) {
		t.Error(err)
	}
	lines := &e.lines
	lines.mu.Lock()
	defer lines.mu.Unlock()
	if lines.n[audit.KeyRotation] < 4 || lines.n[audit.Alarm] != 1 {
		t.Errorf("audit: %v", lines.n)
	}
}

func TestConfigs(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	source := e.Source(t, identity.GameState.Path("a"))
	keeper := KeeperConfig{Identity: source, Carrier: e.broker, Fleet: "test", Directory: t.TempDir()}
	holder := HolderConfig{Identity: source, Carrier: e.broker, Fleet: "test", Ring: new(fleetkey.Ring)}
	for field, change := range map[string]func(*KeeperConfig){
		"Identity": func(c *KeeperConfig) { c.Identity = nil }, "Carrier": func(c *KeeperConfig) { c.Carrier = nil },
		"Fleet": func(c *KeeperConfig) { c.Fleet = "a b" }, "Directory": func(c *KeeperConfig) { c.Directory = "" },
		"Life": func(c *KeeperConfig) { c.Life = -1 }, "Lease": func(c *KeeperConfig) { c.Lease = time.Second },
		"MaxInstances": func(c *KeeperConfig) { c.MaxInstances = -1 },
	} {
		c := keeper
		change(&c)
		if _, err := NewKeeper(c); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), field) {
			t.Errorf("keeper, %s: %v", field, err)
		}
	}
	open := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(open, []byte("#"), 0o644); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*HolderConfig){
		"Identity": func(c *HolderConfig) { c.Identity = nil }, "Carrier": func(c *HolderConfig) { c.Carrier = nil },
		"Fleet": func(c *HolderConfig) { c.Fleet = "" }, "Ring": func(c *HolderConfig) { c.Ring = nil },
		"Life": func(c *HolderConfig) { c.Life = -1 }, "File": func(c *HolderConfig) { c.File = open },
	} {
		c := holder
		change(&c)
		if _, err := NewHolder(c); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), field) {
			t.Errorf("holder, %s: %v", field, err)
		}
	}
}

// recorder counts audit lines.
type recorder struct {
	mu   sync.Mutex
	n    map[audit.Decision]int
	told []audit.Event
}

func (r *recorder) Record(e audit.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n == nil {
		r.n = map[audit.Decision]int{}
	}
	r.n[e.Decision]++
	r.told = append(r.told, e)
}

func (r *recorder) all() []audit.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.told)
}
