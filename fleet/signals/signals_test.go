package signals_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/signals"
	"github.com/sallyport/sallyport/token"
)

const (
	caep = "https://schemas.openid.net/secevent/caep/event-type/"
	risc = "https://schemas.openid.net/secevent/risc/event-type/"
	ssf  = "https://schemas.openid.net/secevent/ssf/event-type/"

	bearer = "Bearer correct horse battery staple"
)

var _ signals.Publisher = (*revocation.Publisher)(nil)

// disk keeps what is published, or fails.
type disk struct {
	mu      sync.Mutex
	records []revocation.Record
	full    bool
}

func (d *disk) Append(records ...revocation.Record) ([]revocation.Record, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full {
		return nil, errors.New("disk full")
	}
	d.records = append(d.records, records...)
	return records, nil
}

func (d *disk) fill(full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = full
}

// take returns what was published since the last call.
func (d *disk) take() []revocation.Record {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.records
	d.records = nil
	return r
}

// journal keeps audit lines.
type journal struct {
	mu     sync.Mutex
	events []audit.Event
}

func (j *journal) Record(e audit.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
}

func (j *journal) count(d audit.Decision) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.events {
		if e.Decision == d {
			n++
		}
	}
	return n
}

type scene struct {
	*idp
	*signals.Receiver
	disk  *disk
	audit *journal
	url   string // of the receiver
}

func newScene(t *testing.T, change ...func(*signals.Config)) *scene {
	t.Helper()
	s := &scene{idp: newIDP(t), disk: new(disk), audit: new(journal)}
	c := signals.Config{Publisher: s.disk, Audit: s.audit, Transmitters: []signals.Transmitter{{
		Profile: s.profile(t), Opaque: s.URL, Sessions: true,
		Map: func(sub signals.Subject) (string, string, bool) {
			return s.URL, "by-mail", sub.Members["email"] == "known@game.example"
		},
	}}}
	for _, f := range change {
		f(&c)
	}
	r, err := signals.New(c)
	if err != nil {
		t.Fatal(err)
	}
	s.Receiver = r
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	s.url, s.push = server.URL, server.URL
	return s
}

func (s *scene) player(sub string) map[string]any {
	return map[string]any{"format": "iss_sub", "iss": s.URL, "sub": sub}
}

// "A player's tokens are refused that were issued up to the time of the event: event_timestamp, or else
// toe, or else iat, and at most 30 seconds after the event was received." docs/fleet.md 19.2
func TestEvents(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	then := time.Now().Add(-time.Minute).Truncate(time.Second).UTC()
	at := map[string]any{"event_timestamp": then.Unix()}
	session := map[string]any{"format": "opaque", "id": "sign-in-1"}
	subject := func(sub string) []revocation.Record {
		return []revocation.Record{{Kind: revocation.KindSubject, Issuer: s.URL, Value: sub, IssuedBy: then}}
	}
	for name, c := range map[string]struct {
		set  *set
		want []revocation.Record
	}{
		"session-revoked":    {s.set(caep+"session-revoked", s.player("a"), at), subject("a")},
		"opaque":             {s.set(caep+"session-revoked", map[string]any{"format": "opaque", "id": "b"}, at), subject("b")},
		"email that is ours": {s.set(caep+"session-revoked", map[string]any{"format": "email", "email": "known@game.example"}, at), subject("by-mail")},
		"aliases": {s.set(caep+"session-revoked", map[string]any{"format": "aliases", "identifiers": []any{
			map[string]any{"format": "email", "email": "x@game.example"}, s.player("n"), s.player("n"), map[string]any{"format": "face", "id": "x"},
		}}, at), subject("n")},
		"aliases of two": {s.set(caep+"session-revoked", map[string]any{"format": "aliases", "identifiers": []any{
			map[string]any{"format": "email", "email": "known@game.example"}, s.player("o"),
		}}, at), append(subject("by-mail"), subject("o")...)},
		"aliases of somebody": {s.set(caep+"session-revoked", map[string]any{"format": "aliases", "identifiers": []any{
			map[string]any{"format": "email", "email": "x@game.example"},
		}}, at), nil},
		"email of somebody": {s.set(caep+"session-revoked", map[string]any{"format": "email", "email": "x@game.example"}, at), nil},
		"one session": {
			s.set(caep+"session-revoked", map[string]any{"format": "complex", "session": session, "user": s.player("c")}, at),
			[]revocation.Record{{Kind: revocation.KindSignIn, Issuer: s.URL, Value: "sign-in-1"}},
		},
		"credential of a session's user": {
			s.set(caep+"credential-change", map[string]any{"format": "complex", "session": session, "user": s.player("c")},
				map[string]any{"event_timestamp": then.Unix(), "credential_type": "password", "change_type": "update"}), subject("c"),
		},
		"a further passkey": {
			s.set(caep+"credential-change", s.player("d"), map[string]any{"credential_type": "fido2-roaming", "change_type": "create"}), nil,
		},
		"account-disabled":     {s.set(risc+"account-disabled", s.player("e"), at), subject("e")},
		"account-purged":       {s.set(risc+"account-purged", s.player("f"), at), subject("f")},
		"account-enabled":      {s.set(risc+"account-enabled", s.player("g"), at), nil},
		"token-claims-change":  {s.set(caep+"token-claims-change", s.player("h"), map[string]any{"claims": map[string]any{"role": "x"}}), nil},
		"an unknown event":     {s.set("https://idp.example/event", s.player("i"), at), nil},
		"drafts' milliseconds": {s.set(caep+"session-revoked", s.player("j"), map[string]any{"event_timestamp": then.UnixMilli()}), subject("j")},
		"toe":                  {s.set(caep+"session-revoked", s.player("k"), nil).with("toe", then.Unix()), subject("k")},
		"older than any token": {s.set(caep+"session-revoked", s.player("l"), map[string]any{"event_timestamp": then.Add(-25 * time.Hour).Unix()}), nil},
		"in an array of audiences": {
			s.set(caep+"session-revoked", s.player("m"), at).with("aud", []string{"https://other.example", "https://game.example/signals"}), subject("m"),
		},
	} {
		if status, err := send(t, s.url, c.set.String()); status != http.StatusAccepted {
			t.Errorf("%s: %d %s", name, status, err)
		}
		if got := s.disk.take(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
		// A repetition is acknowledged and does nothing (RFC 8935 2.2).
		if status, err := send(t, s.url, c.set.String()); status != http.StatusAccepted {
			t.Errorf("%s again: %d %s", name, status, err)
		}
		if got := s.disk.take(); got != nil {
			t.Errorf("%s again: %+v", name, got)
		}
	}
	if st := s.Stats(); st.Revoked != 12 || st.Ignored != 7 || st.Repeated != 19 || st.Refused != 0 {
		t.Errorf("%+v", st)
	}
	if n := s.audit.count(audit.Withdraw); n != 13 {
		t.Errorf("%d audit lines", n)
	}
}

// The provider's clock is ahead of ours by as much as a server's leeway permits: the token that the
// player has just got is from ahead, and so is the event that ends it. An event of a clock that is
// further ahead refuses no token of later than the leeway.
func TestClockAhead(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for ahead, most := range map[time.Duration]time.Duration{
		0: 0, 3 * time.Second: 3 * time.Second, token.MaxLeeway: token.MaxLeeway, time.Minute: token.MaxLeeway, 24 * 365 * time.Hour: token.MaxLeeway,
	} {
		before := time.Now()
		event := before.Add(ahead)
		set := s.set(caep+"session-revoked", s.player("a"), map[string]any{"event_timestamp": float64(event.UnixMilli()) / 1e3})
		if status, err := send(t, s.url, set.String()); status != http.StatusAccepted {
			t.Fatal(status, err)
		}
		earliest := before.Add(min(ahead, most)).Add(-time.Millisecond)
		if r := s.disk.take(); len(r) != 1 || r[0].IssuedBy.After(time.Now().Add(most)) || r[0].IssuedBy.Before(earliest) {
			t.Errorf("%v ahead: %v, want from %v on", ahead, r, earliest)
		}
	}
}

// "A transmitter MUST NOT put out players of an issuer that it may not speak of." docs/fleet.md 19.1
func TestHostile(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	other := newIDP(t)
	good := func() *set { return s.set(caep+"session-revoked", s.player("victim"), nil) }
	jwk := func() string { b, _ := s.keys[0].PublicKey.Bytes(); return string(b) }()
	confused := good().head("alg", "HS256")
	confused.secret = []byte(jwk)
	stolen := other.set(caep+"session-revoked", s.player("victim"), nil).with("iss", s.URL)
	two := good()
	two.claims["events"] = map[string]any{caep + "session-revoked": map[string]any{}, caep + "credential-change": map[string]any{}}
	none := good()
	none.claims["events"] = map[string]any{}
	for name, c := range map[string]struct {
		body   string
		status int
		err    string
	}{
		"alg none":                        {good().head("alg", "none").String(), 400, "invalid_request"}, // an empty signature is no segment
		"alg none with a signature":       {good().head("alg", "none").String() + "AAAA", 400, "invalid_key"},
		"HS256 with the public key":       {confused.String(), 400, "invalid_key"},
		"another transmitter's key":       {stolen.String(), 400, "invalid_key"},
		"another transmitter":             {other.set(caep+"session-revoked", s.player("victim"), nil).String(), 400, "invalid_issuer"},
		"another audience":                {good().with("aud", "https://other.example").String(), 400, "invalid_audience"},
		"an unknown key":                  {good().head("kid", "key-99").String(), 400, "invalid_key"},
		"an access token's type":          {good().head("typ", "at+jwt").String(), 400, "invalid_request"},
		"exp":                             {good().with("exp", time.Now().Add(time.Hour).Unix()).String(), 400, "invalid_request"},
		"sub":                             {good().with("sub", "victim").String(), 400, "invalid_request"},
		"two events":                      {two.String(), 400, "invalid_request"},
		"no event":                        {none.String(), 400, "invalid_request"},
		"no jti":                          {good().with("jti", nil).String(), 400, "invalid_request"},
		"no subject":                      {good().with("sub_id", nil).String(), 400, "invalid_request"},
		"a subject of another issuer":     {good().with("sub_id", map[string]any{"format": "iss_sub", "iss": other.URL, "sub": "victim"}).String(), 400, "invalid_request"},
		"aliases of other issuers":        {good().with("sub_id", map[string]any{"format": "aliases", "identifiers": []any{map[string]any{"format": "iss_sub", "iss": other.URL, "sub": "victim"}}}).String(), 400, "invalid_request"},
		"aliases of aliases":              {good().with("sub_id", map[string]any{"format": "aliases", "identifiers": []any{map[string]any{"format": "aliases", "identifiers": []any{s.player("victim")}}}}).String(), 400, "invalid_request"},
		"no aliases":                      {good().with("sub_id", map[string]any{"format": "aliases"}).String(), 400, "invalid_request"},
		"aliases that are texts":          {good().with("sub_id", map[string]any{"format": "aliases", "identifiers": []any{"victim"}}).String(), 400, "invalid_request"},
		"a subject without sub":           {good().with("sub_id", map[string]any{"format": "iss_sub", "iss": s.URL}).String(), 400, "invalid_request"},
		"a subject of an unknown format":  {good().with("sub_id", map[string]any{"format": "face", "id": "x"}).String(), 400, "invalid_request"},
		"a complex subject without user":  {good().with("sub_id", map[string]any{"format": "complex", "tenant": map[string]any{"format": "opaque", "id": "all"}}).String(), 400, "invalid_request"},
		"made in the future":              {good().with("iat", time.Now().Add(time.Minute).Unix()).String(), 400, "invalid_request"},
		"a time that is a text":           {s.set(caep+"session-revoked", s.player("victim"), map[string]any{"event_timestamp": "now"}).String(), 400, "invalid_request"},
		"an event that is a text":         {good().with("events", map[string]any{caep + "session-revoked": "x"}).String(), 400, "invalid_request"},
		"a verification nobody asked for": {s.set(ssf+"verification", map[string]any{"format": "opaque", "id": "s"}, map[string]any{"state": "x"}).String(), 400, "invalid_state"},
		"a body of 1 MB":                  {strings.Repeat("a", 1<<20), 413, "invalid_request"},
		"nothing":                         {"", 400, "invalid_request"},
	} {
		if status, err := send(t, s.url, c.body); status != c.status || err != c.err {
			t.Errorf("%s: %d %q, want %d %q", name, status, err, c.status, c.err)
		}
	}
	if status, err := send(t, s.url, good().String(), func(q *http.Request) { q.Header.Set("Content-Type", "application/json") }); status != 400 || err != "invalid_request" {
		t.Errorf("Content-Type: %d %s", status, err)
	}
	if a, err := http.Get(s.url); err != nil || a.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %v %v", a.Status, err)
	}
	if r := s.disk.take(); r != nil {
		t.Errorf("revoked: %+v", r)
	}
	if s.audit.count(audit.Deny) == 0 || s.audit.count(audit.Alarm) == 0 {
		t.Error("the audit has no line of it")
	}
	s.audit.mu.Lock()
	defer s.audit.mu.Unlock()
	for _, e := range s.audit.events {
		if strings.Contains(e.Detail+e.Cause, "victim") {
			t.Errorf("a line quotes what was sent: %+v", e)
		}
	}
}

// A SET of a sender that lacks the Authorization is refused before it is looked at.
func TestAuthorization(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(c *signals.Config) { c.Transmitters[0].Authorization = signals.NewSecret(bearer) })
	good := s.set(caep+"session-revoked", s.player("a"), nil).String()
	for _, h := range []string{"", "Bearer wrong"} {
		if status, err := send(t, s.url, good, func(q *http.Request) { q.Header.Set("Authorization", h) }); status != 401 || err != "authentication_failed" {
			t.Errorf("%q: %d %s", h, status, err)
		}
	}
	if status, err := send(t, s.url, good, func(q *http.Request) { q.Header.Set("Authorization", bearer) }); status != 202 {
		t.Errorf("%d %s", status, err)
	}
}

// "A SET MUST NOT be acknowledged before what it says is on disk." docs/fleet.md 19.1
func TestAcknowledgedOnceStored(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	set := s.set(caep+"session-revoked", s.player("a"), nil).String()
	s.disk.fill(true)
	if status, _ := send(t, s.url, set); status != http.StatusServiceUnavailable {
		t.Errorf("a disk that is full: %d", status)
	}
	s.disk.fill(false)
	if status, err := send(t, s.url, set); status != http.StatusAccepted || len(s.disk.take()) != 1 {
		t.Errorf("%d %s", status, err)
	}
}

func TestKeysRotate(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for range 3 {
		if status, err := send(t, s.url, s.set(caep+"session-revoked", s.player("a"), nil).String()); status != 202 {
			t.Errorf("%d %s", status, err)
		}
		s.rotate()
	}
	// While the keys cannot be fetched the SET may be good: the transmitter is to try again.
	cold := newScene(t)
	cold.idp.mu.Lock()
	cold.down = true
	cold.idp.mu.Unlock()
	if status, _ := send(t, cold.url, cold.set(caep+"session-revoked", cold.player("a"), nil).String()); status != http.StatusServiceUnavailable {
		t.Errorf("keys out of reach: %d", status)
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(c *signals.Config) { c.Rate, c.Burst = 1, 3 })
	var got []int
	for range 5 {
		status, _ := send(t, s.url, s.set(caep+"session-revoked", s.player("a"), nil).String())
		got = append(got, status)
	}
	if want := []int{202, 202, 202, 429, 429}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A stranger who has a SET that was acknowledged repeats it as often as he likes: it takes nothing of
// what there is for the transmitter's own.
func TestRepetitionsTakeNoRate(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(c *signals.Config) { c.Rate, c.Burst = 1, 3 })
	old := s.set(caep+"session-revoked", s.player("a"), nil).String()
	for range 20 {
		if status, err := send(t, s.url, old); status != http.StatusAccepted {
			t.Fatalf("a repetition: %d %s", status, err)
		}
	}
	if status, err := send(t, s.url, s.set(caep+"session-revoked", s.player("b"), nil).String()); status != http.StatusAccepted {
		t.Errorf("the transmitter's own: %d %s", status, err)
	}
	if r := s.disk.take(); len(r) != 2 {
		t.Errorf("%+v", r)
	}
}

func TestVerification(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	if err := s.Verify(t.Context(), s.URL, s.URL+"/verify", "stream-1", nil); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Verified != 1 || st.LastVerified.IsZero() {
		t.Errorf("%+v", st)
	}
	// One that the transmitter sends by itself has no state.
	if status, err := send(t, s.url, s.set(ssf+"verification", map[string]any{"format": "opaque", "id": "stream-1"}, nil).String()); status != 202 {
		t.Errorf("%d %s", status, err)
	}
	if err := s.Verify(t.Context(), "nobody", s.URL+"/verify", "s", nil); !errors.Is(err, signals.ErrConfig) {
		t.Error(err)
	}
	paused := s.set(ssf+"stream-updated", map[string]any{"format": "opaque", "id": "stream-1"}, map[string]any{"status": "paused"})
	if status, err := send(t, s.url, paused.String()); status != 202 || s.audit.count(audit.Alarm) != 1 {
		t.Errorf("a stream that stops: %d %s, %d alarms", status, err, s.audit.count(audit.Alarm))
	}
}

func TestPoll(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.wants = bearer
	good := s.set(caep+"session-revoked", s.player("a"), nil)
	bad := s.set(caep+"session-revoked", s.player("b"), nil).with("aud", "https://other.example")
	misnamed := s.set(caep+"session-revoked", s.player("c"), nil)
	late := s.set(caep+"session-revoked", s.player("d"), nil)
	s.idp.mu.Lock()
	s.queue[good.jti()], s.queue[bad.jti()], s.queue["other"], s.queue[late.jti()] = good.String(), bad.String(), misnamed.String(), late.String()
	s.idp.mu.Unlock()
	s.disk.fill(true)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- s.Poll(ctx, signals.PollConfig{
			Endpoint: s.URL + "/poll", Authorization: signals.NewSecret(bearer), Events: 3, Interval: 20 * time.Millisecond,
		})
	}()
	await(t, "what is wrong is refused", func() bool {
		s.idp.mu.Lock()
		defer s.idp.mu.Unlock()
		return s.errs[bad.jti()] != nil
	})
	s.idp.mu.Lock()
	if e := s.errs[bad.jti()]; e["err"] != "invalid_audience" || e["description"] == "" || len(s.acked) != 0 {
		t.Errorf("%v; acknowledged: %v", e, s.acked)
	}
	s.idp.mu.Unlock()
	s.disk.fill(false)
	await(t, "the queue is empty", func() bool {
		s.idp.mu.Lock()
		defer s.idp.mu.Unlock()
		return len(s.queue) == 0
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	s.idp.mu.Lock()
	defer s.idp.mu.Unlock()
	want := []string{good.jti(), late.jti()}
	slices.Sort(want)
	slices.Sort(s.acked)
	if !slices.Equal(s.acked, want) || s.errs["other"]["err"] != "invalid_request" {
		t.Errorf("acknowledged: %v, want %v; refused: %v", s.acked, want, s.errs)
	}
}

// While what has come cannot be kept, the transmitter is asked no more often than one that has nothing,
// however much waits there.
func TestPollWaits(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.disk.fill(true)
	for range 3 {
		set := s.set(caep+"session-revoked", s.player("a"), nil)
		s.idp.mu.Lock()
		s.queue[set.jti()] = set.String()
		s.idp.mu.Unlock()
	}
	const polls, interval = 10, 50 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	began := time.Now()
	done := make(chan error, 1)
	go func() {
		done <- s.Poll(ctx, signals.PollConfig{Endpoint: s.URL + "/poll", Events: 2, Interval: interval})
	}()
	await(t, "it is asked again", func() bool {
		s.idp.mu.Lock()
		defer s.idp.mu.Unlock()
		return s.idp.polls >= polls
	})
	if took := time.Since(began); took < (polls-1)*interval {
		t.Errorf("%d polls in %v", polls, took)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A transmitter that is down, and then forbids, is asked again; Poll ends with its context.
func TestPollFails(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.wants = "something else"
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.Poll(ctx, signals.PollConfig{Endpoint: s.URL + "/poll"}); err != nil {
		t.Error(err)
	}
	for _, c := range []signals.PollConfig{
		{}, {Endpoint: "http://idp.example/poll"}, {Endpoint: s.URL, Events: -1}, {Endpoint: s.URL, Interval: -1},
	} {
		if err := s.Poll(t.Context(), c); !errors.Is(err, signals.ErrConfig) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	good := signals.Config{Publisher: new(disk), Transmitters: []signals.Transmitter{{Profile: i.profile(t)}}}
	for name, change := range map[string]func(*signals.Config){
		"Publisher": func(c *signals.Config) { c.Publisher = nil }, "Transmitters": func(c *signals.Config) { c.Transmitters = nil },
		"Window": func(c *signals.Config) { c.Window = -1 }, "Rate": func(c *signals.Config) { c.Rate = -1 },
		"Burst": func(c *signals.Config) { c.Burst = -1 }, "AtOnce": func(c *signals.Config) { c.AtOnce = -1 },
		"Profile.Name": func(c *signals.Config) { c.Transmitters = append(c.Transmitters, c.Transmitters[0]) },
	} {
		c := good
		change(&c)
		if _, err := signals.New(c); !errors.Is(err, signals.ErrConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good.Transmitters[0].Profile.Algorithm = "none"
	if _, err := signals.New(good); !errors.Is(err, token.ErrConfig) {
		t.Error(err)
	}
}

func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("in vain: ", what)
		}
	}
}
