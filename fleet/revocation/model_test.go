package revocation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/sallyport/sallyport/session"
)

// The model has publishers whose stores are lost and restored, subscribers that start anew, and a
// carrier that loses, repeats, reorders, delays, forges, and is rolled back. After each step:
//
//   - nothing is in force that its publisher has not signed and may not publish;
//   - nothing that was in force is so no more, but for bans that a published lift names;
//   - everything is in force that a publisher had signed by the time of which the subscriber says so.
//
// In the end the carrier lets everything through, and within settleTime everything is in force
// everywhere.
func TestModel(t *testing.T) {
	t.Parallel()
	worlds, steps := 30, 500
	if testing.Short() {
		worlds, steps = 5, 300
	}
	for seed := range uint64(worlds) {
		w := newWorld(t, seed)
		for range steps {
			w.step()
			if w.failed() {
				t.Fatalf("seed %d", seed)
			}
		}
		w.converge()
		w.close()
		if w.failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// settleTime is how long it takes at most once nothing disturbs any more: a heartbeat, a challenge and
// its answer, the longest wait for the stored state, and that again for a publisher's next epoch.
const settleTime = 8 * time.Second

type world struct {
	*testing.T
	r     *rand.Rand
	now   time.Time
	names int

	publishers  []*modelPublisher
	subscribers []*modelSubscriber
	stored      map[StateKey][]byte
	backups     []map[StateKey][]byte
	live        [][]byte // every live message so far
	away        bool     // the carrier cannot be reached
	lost        bool     // a store was lost or rolled back: a lift may be gone
}

// modelPublisher is a publisher with a clock of its own, and what it has ever signed.
type modelPublisher struct {
	w *world
	*Publisher
	trusted Trusted
	key     SigningKey
	dir     string
	copyOf  string // a copy of dir, from earlier
	ahead   time.Duration
	rate    float64 // of its clock
	began   time.Time
	signed  []signed
	saved   bool // what the carrier had and the store had not was published again
}

type signed struct {
	Record
	at   time.Time // when, in truth
	gone bool      // its publisher has lost it
}

type modelSubscriber struct {
	*core
	sink *modelSink
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{T: t, r: rand.New(rand.NewPCG(seed, 7)), now: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC), stored: make(map[StateKey][]byte)}
	for i := range 3 {
		p := &modelPublisher{w: w, key: GenerateSigningKey(), dir: fastDir(t), ahead: time.Duration(w.r.IntN(120)-60) * time.Second, rate: 1 + (w.r.Float64()-0.5)*2e-4, began: w.now}
		p.trusted = Trusted{Name: "match " + strconv.Itoa(i), Key: p.key.Public(), Kinds: ServerKinds, Optional: i == 2}
		if i == 0 {
			p.trusted = Trusted{Name: "central", Key: p.key.Public(), Kinds: AllKinds, LiftAny: true}
		}
		p.open()
		w.publishers = append(w.publishers, p)
	}
	for range 2 {
		w.subscribers = append(w.subscribers, w.subscriber())
	}
	return w
}

// fastDir is a directory on which a sync costs nothing, if there is one.
func fastDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "sallyport")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (w *world) failed() bool { return w.Failed() }

func (w *world) close() {
	for _, p := range w.publishers {
		_ = p.store.close()
	}
}

func (w *world) subscriber() *modelSubscriber {
	s := &modelSubscriber{sink: newModelSink()}
	var trusted []Trusted
	for _, p := range w.publishers {
		trusted = append(trusted, p.trusted)
	}
	config, err := SubscriberConfig{Trusted: trusted, Carrier: modelCarrier{w}, Sink: s.sink}.WithDefaults()
	if err != nil {
		w.Fatal(err)
	}
	s.core = newCore(config, w.now, func(b []byte) {
		for i := range b {
			b[i] = byte(w.r.Uint32())
		}
	})
	return s
}

// clock is the publisher's, which is wrong and runs at a rate of its own.
func (p *modelPublisher) clock() time.Time {
	return p.began.Add(p.ahead + time.Duration(float64(p.w.now.Sub(p.began))*p.rate))
}

func (p *modelPublisher) open() {
	config, err := PublisherConfig{Name: p.trusted.Name, Key: p.key, Dir: p.dir, Carrier: modelCarrier{p.w}}.WithDefaults()
	if err != nil {
		p.w.Fatal(err)
	}
	if p.Publisher, err = openPublisher(config, p.clock()); err != nil {
		p.w.Fatal(err)
	}
}

// modelCarrier is for the start of a publisher.
type modelCarrier struct{ w *world }

func (modelCarrier) Publish(context.Context, Topic, []byte) error  { return nil }
func (modelCarrier) Subscribe(Topic, func([]byte)) (func(), error) { return func() {}, nil }
func (modelCarrier) Store(context.Context, StateKey, []byte) error { return nil }
func (modelCarrier) Delete(context.Context, StateKey) error        { return nil }
func (c modelCarrier) Load(_ context.Context, p PublisherID, _ uint64, each func(StateKey, []byte) error) error {
	if c.w.away {
		return errors.New("away")
	}
	for _, k := range keysOf(c.w.stored, p, 0) {
		if err := each(k, c.w.stored[k]); err != nil {
			return err
		}
	}
	return nil
}

func keysOf(state map[StateKey][]byte, p PublisherID, from uint64) (keys []StateKey) {
	for k := range state {
		if k.Publisher == p {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b StateKey) int { return int(int64(a.First) - int64(b.First)) })
	for len(keys) > 1 && keys[1].First <= from {
		keys = keys[1:]
	}
	return keys
}

func (w *world) step() {
	w.now = w.now.Add(time.Duration(w.r.IntN(300)) * time.Millisecond)
	p := w.publishers[w.r.IntN(len(w.publishers))]
	s := w.subscribers[w.r.IntN(len(w.subscribers))]
	switch n := w.r.IntN(200); {
	case n < 40:
		p.publish()
	case n < 70:
		p.heartbeat()
	case n < 120:
		if len(w.live) > 0 { // a new message, or any that there ever was
			i := len(w.live) - 1 - w.r.IntN(min(len(w.live), 5))
			if w.r.IntN(4) == 0 {
				i = w.r.IntN(len(w.live))
			}
			s.receive(w.now, w.live[i])
		}
	case n < 130:
		w.forge(s)
	case n < 150:
		w.load(s, w.r.IntN(3) > 0)
	case n < 160:
		if m := s.ask(w.now); m != nil && w.r.IntN(4) > 0 {
			p.asked(m)
		}
	case n < 180:
		p.carry(w.r.IntN(3) > 0)
	case n < 184:
		if err := p.compact(p.clock()); err != nil {
			w.Fatal(err)
		}
	case n < 186:
		w.now = w.now.Add(time.Duration(w.r.IntN(20)) * time.Second)
	case n < 188:
		w.away = !w.away
	case n < 190:
		w.backups = append(w.backups, clone(w.stored))
	case n < 191:
		if len(w.backups) > 0 {
			w.stored = clone(w.backups[w.r.IntN(len(w.backups))])
		}
	case n < 192:
		clear(w.stored)
	case n < 195:
		p.restart()
	case n < 196:
		i := slices.Index(w.subscribers, s)
		w.subscribers[i] = w.subscriber()
	}
	for _, s := range w.subscribers {
		s.tick(w.now)
		if w.r.IntN(5) == 0 {
			w.check(s)
		}
	}
}

func clone(state map[StateKey][]byte) map[StateKey][]byte {
	c := make(map[StateKey][]byte)
	maps.Copy(c, state)
	return c
}

// publish signs a few records.
func (p *modelPublisher) publish() {
	w := p.w
	var records []Record
	for range 1 + w.r.IntN(3) {
		w.names++
		player := "player " + strconv.Itoa(w.r.IntN(6))
		var r Record
		switch n := w.r.IntN(6); {
		case n == 0:
			r = Record{Kind: KindBan, Issuer: "issuer", Value: player, Note: strconv.Itoa(w.names)}
			if w.r.IntN(2) == 0 {
				r.Until = w.now.Add(time.Duration(1+w.r.IntN(5)) * time.Hour)
			}
		case n == 1:
			r = Record{Kind: KindLift, Issuer: "issuer", Value: player}
			if other := w.publishers[w.r.IntN(len(w.publishers))]; p.trusted.LiftAny && len(other.signed) > 0 && other != p {
				r.Of, r.At = other.ID(), other.signed[w.r.IntN(len(other.signed))].Time
			}
		case n == 2:
			r = Record{Kind: KindSession, ID: [16]byte{byte(w.names >> 8), byte(w.names), 1}}
		case n == 3:
			r = Record{Kind: KindUsed, Used: session.UsedToken, ID: [16]byte{byte(w.names >> 8), byte(w.names), 2}, Until: w.now.Add(time.Duration(w.r.IntN(120)) * time.Second)}
		case p.trusted.Kinds.Has(KindSubject) || w.r.IntN(10) == 0: // sometimes what it may not
			r = Record{Kind: KindSubject + Kind(w.r.IntN(4)), Issuer: "issuer", Value: "value " + strconv.Itoa(w.names)}
		default:
			r = Record{Kind: KindSession, ID: [16]byte{byte(w.names >> 8), byte(w.names), 3}}
		}
		records = append(records, r)
	}
	segments, err := p.append(p.clock(), records)
	if err != nil {
		w.Fatal(err)
	}
	for _, r := range records {
		p.signed = append(p.signed, signed{Record: r, at: w.now})
	}
	for _, k := range segments {
		w.live = append(w.live, k.bytes)
	}
}

func (p *modelPublisher) heartbeat() {
	p.w.live = append(p.w.live, p.head(p.clock(), false))
}

// again publishes again what the carrier has and the store has not. It reports false if the carrier is away.
func (p *modelPublisher) again() bool {
	stored, err := p.stored(context.Background())
	if err != nil {
		return false
	}
	p.saved = true
	records := p.lacking(stored, p.clock())
	segments, err := p.append(p.clock(), records)
	if err != nil {
		p.w.Fatal(err)
	}
	for _, k := range segments {
		p.w.live = append(p.w.live, k.bytes)
	}
	p.look()
	return true
}

// carry stores something, unless the carrier loses it. First comes what the store has lost.
func (p *modelPublisher) carry(ok bool) bool {
	if !p.saved && !p.again() {
		return false
	}
	first, m, remove := p.nextCarried(p.w.r.IntN(6)) // after some failures
	if m == nil && !remove {
		return false
	}
	k := StateKey{p.ID(), first}
	switch {
	case ok && remove:
		delete(p.w.stored, k)
	case ok:
		p.w.stored[k] = m
	}
	p.hasCarried(first, m, remove, true)
	return true
}

// restart ends the publisher's process and starts it again, with its store, without, or with an older
// one.
func (p *modelPublisher) restart() {
	w := p.w
	if err := p.store.close(); err != nil {
		w.Fatal(err)
	}
	p.ahead += time.Duration(w.r.IntN(20)) * time.Second // its clock is not set back further than its records go
	switch w.r.IntN(6) {
	case 0:
		w.lost = true
		p.dir = fastDir(w.T)
	case 1:
		if p.copyOf != "" {
			w.lost = true
			p.dir = p.copyOf
			p.copyOf = ""
		}
	case 2:
		p.copyOf = fastDir(w.T)
		b, err := os.ReadFile(filepath.Join(p.dir, storeFile))
		if err == nil {
			err = os.WriteFile(filepath.Join(p.copyOf, storeFile), b, 0o600)
		}
		if err != nil {
			w.Fatal(err)
		}
	case 3: // torn
		f, err := os.OpenFile(filepath.Join(p.dir, storeFile), os.O_WRONLY|os.O_APPEND, 0)
		if err == nil {
			_, err = f.Write([]byte("\x02\x00\x00\x01\x00torn"))
		}
		if err != nil {
			w.Fatal(err)
		}
		_ = f.Close()
	}
	p.open()
	p.saved = false
	p.look()
}

// look notes which records the publisher has, and which it has lost.
func (p *modelPublisher) look() {
	kept := make(map[int64]bool)
	_ = p.segments(0, func(m []byte) error {
		g, _ := parseSegment(m)
		g.records(func(r *Record) { kept[r.Time.UnixMicro()] = true })
		return nil
	})
	for i := range p.signed {
		r := &p.signed[i]
		if was := r.gone; was != !kept[r.Time.UnixMicro()] {
			r.gone, r.at = !was, p.w.now
		}
	}
}

// forge delivers what nobody has signed.
func (w *world) forge(s *modelSubscriber) {
	if len(w.live) == 0 {
		return
	}
	m := slices.Clone(w.live[w.r.IntN(len(w.live))])
	switch w.r.IntN(3) {
	case 0:
		m[w.r.IntN(len(m))] ^= byte(1 + w.r.IntN(255))
	case 1:
		m = m[:w.r.IntN(len(m))]
	default: // by another key, under the name of a publisher
		stranger := GenerateSigningKey()
		var h history
		k, _, err := h.add([]Record{{Kind: KindBan, Issuer: "issuer", Value: "forged"}}, w.now, time.Hour, uint64(w.now.Add(time.Hour).UnixMicro()), stranger)
		if err != nil {
			w.Fatal(err)
		}
		m = k.bytes
		id := w.publishers[w.r.IntN(len(w.publishers))].ID()
		copy(m[2:], id[:])
	}
	s.receive(w.now, m)
}

// load answers the subscriber's loads: from the state as it is, or as it was, or not at all.
func (w *world) load(s *modelSubscriber, honest bool) {
	for _, l := range s.loads(w.now) {
		state := w.stored
		if !honest && len(w.backups) > 0 {
			state = w.backups[w.r.IntN(len(w.backups))]
		}
		for _, k := range keysOf(state, l.publisher, l.from) {
			if honest || w.r.IntN(3) > 0 {
				s.receive(w.now, state[k])
			}
		}
		var err error
		if !honest && w.r.IntN(2) == 0 {
			err = errors.New("away")
		}
		s.loaded(w.now, l.publisher, err)
	}
}

// converge lets everything through.
func (w *world) converge() {
	w.away = false
	for end := w.now.Add(settleTime); w.now.Before(end); w.now = w.now.Add(50 * time.Millisecond) {
		if w.now.Sub(end)%time.Second == 0 {
			for _, p := range w.publishers {
				p.announce(context.Background(), w.r.IntN(2) == 0)
				p.heartbeat()
				m := w.live[len(w.live)-1]
				for _, s := range w.subscribers {
					s.receive(w.now, m)
				}
			}
		}
		for _, p := range w.publishers {
			for p.carry(true) {
			}
		}
		for _, s := range w.subscribers {
			s.tick(w.now)
			if m := s.ask(w.now); m != nil {
				for _, p := range w.publishers {
					p.asked(m)
				}
			}
			w.load(s, true)
			if w.r.IntN(5) == 0 {
				if w.check(s); w.failed() {
					return
				}
			}
		}
	}
	for i, s := range w.subscribers {
		for _, p := range w.publishers {
			f := s.followers[p.ID()]
			if f.stale(w.now, 3*time.Second) {
				w.Errorf("subscriber %d is stale about %s in the end: %d in force of %d (%d); whole %v ago, anchor %v %v ago", i, p.trusted.Name,
					f.have.whole()-1, f.head.last, p.history.last, w.now.Sub(f.whole), f.anchor.ok, w.now.Sub(f.anchor.sent))
			}
			for _, r := range p.signed {
				if !r.gone && !w.inForce(s, p, &r) {
					w.Errorf("subscriber %d: %v of %s is not in force in the end", i, r.Record, p.trusted.Name)
				}
			}
		}
		if !w.lost {
			for who := range s.sink.bans {
				if !w.heldBy(who) {
					w.Errorf("subscriber %d: %s is banned in the end, though every ban was lifted", i, who)
				}
			}
		}
	}
}

// liftedBy reports whether a lift of the publisher's ban was published.
func (w *world) liftedBy(p *modelPublisher, ban *Record) bool {
	for _, q := range w.publishers {
		for _, l := range q.signed {
			if l.Kind != KindLift || l.Value != ban.Value {
				continue
			}
			if q == p && l.Of == (PublisherID{}) && l.Time.After(ban.Time) || l.Of == p.ID() && !l.At.Before(ban.Time) {
				return true
			}
		}
	}
	return false
}

// heldBy reports whether a ban of the player holds.
func (w *world) heldBy(who string) bool {
	for _, p := range w.publishers {
		for _, r := range p.signed {
			if r.Kind == KindBan && r.Issuer+" "+r.Value == who && !w.liftedBy(p, &r.Record) {
				return true
			}
		}
	}
	return false
}

// inForce reports whether what a publisher has signed has its effect, if it may publish it.
func (w *world) inForce(s *modelSubscriber, p *modelPublisher, r *signed) bool {
	switch {
	case !p.trusted.Kinds.Has(r.Kind) || r.Kind == KindLift || r.over(w.now) || r.over(p.clock()):
		return true
	case r.Kind == KindBan:
		return w.liftedBy(p, &r.Record) || !s.sink.bans[r.Issuer+" "+r.Value].Before(endOf(r.Until))
	}
	return s.sink.has[name(r.Kind, r.Issuer, r.Value, r.ID)]
}

// check holds a subscriber to the rules.
func (w *world) check(s *modelSubscriber) {
	for _, p := range w.publishers {
		f := s.followers[p.ID()]
		if !f.wholeKnown {
			continue
		}
		whole := f.whole.Add(-100 * time.Millisecond) // clocks run at different speeds
		for _, r := range p.signed {
			if !r.gone && r.at.Before(whole) && !w.inForce(s, p, &r) {
				w.Errorf("%v of %s is not in force, though everything signed %v ago is said to be", r.Record, p.trusted.Name, w.now.Sub(f.whole))
			}
		}
	}
	known := make(map[string]bool)
	for _, p := range w.publishers {
		for _, r := range p.signed {
			if p.trusted.Kinds.Has(r.Kind) {
				known[name(r.Kind, r.Issuer, r.Value, r.ID)] = true
			}
			if r.Kind != KindBan || !s.sink.saw[r.Note] || w.liftedBy(p, &r.Record) {
				continue
			}
			if s.sink.bans[r.Issuer+" "+r.Value].Before(endOf(r.Until)) {
				w.Errorf("%v was in force and is no more", r.Record)
			}
		}
	}
	for what := range s.sink.has {
		if !known[what] {
			w.Errorf("%s is in force, and nobody has published it", what)
		}
	}
}

func endOf(until time.Time) time.Time {
	if until.IsZero() {
		return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return until
}

func name(k Kind, issuer, value string, id [16]byte) string {
	return fmt.Sprintf("%v %s %s %x", k, issuer, value, id)
}

// modelSink is what is in force.
type modelSink struct {
	has  map[string]bool      // but for bans: they are never taken back
	bans map[string]time.Time // by player
	saw  map[string]bool      // bans that were in force once, by their notes
}

func newModelSink() *modelSink {
	return &modelSink{has: make(map[string]bool), bans: make(map[string]time.Time), saw: make(map[string]bool)}
}

func (m *modelSink) Revoke(r session.Revocation) (int, error) {
	var id [16]byte
	if r.Kind == session.RevokeSession {
		_, _ = fmt.Sscanf(r.Value, "%x", (*hexID)(&id))
		r.Value = ""
	}
	kind := slices.Index(revocationKinds[:], r.Kind)
	m.has[name(Kind(kind), r.Issuer, r.Value, id)] = true
	return 0, nil
}

// hexID is scanned from hexadecimal digits.
type hexID [16]byte

func (h *hexID) Scan(state fmt.ScanState, _ rune) error {
	text, err := state.Token(true, nil)
	if err != nil {
		return err
	}
	for i := range h {
		n, err := strconv.ParseUint(string(text[2*i:2*i+2]), 16, 8)
		if err != nil {
			return err
		}
		h[i] = byte(n)
	}
	return nil
}

func (m *modelSink) Ban(b session.Ban) (int, error) {
	who, end := b.Issuer+" "+b.Subject, endOf(b.Until)
	m.has[name(KindBan, b.Issuer, b.Subject, [16]byte{})] = true
	m.saw[b.Note] = true
	if end.After(m.bans[who]) {
		m.bans[who] = end
	}
	return 0, nil
}

func (m *modelSink) LiftEverywhere(issuer, subject string) bool {
	delete(m.bans, issuer+" "+subject)
	return true
}

func (m *modelSink) Use(used ...session.Used) int {
	for _, u := range used {
		m.has[name(KindUsed, "", "", u.ID)] = true
	}
	return 0
}
