package signals

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/token"
)

// Receiver takes security event tokens: by push as an http.Handler, and by Poll. It is safe for
// concurrent use.
type Receiver struct {
	config       Config
	verifier     *token.EventVerifier
	transmitters map[string]*transmitter // by Profile.Name
	window       *window
	turns        chan struct{} // one for each SET that is being verified
	report       reporter
	open         bool // some transmitter needs no Authorization

	mu sync.Mutex
	// +checklocks:mu
	stats Stats
}

type transmitter struct {
	Transmitter
	rate *rate.Limiter

	mu sync.Mutex
	// +checklocks:mu
	state string // of the verification that was asked for
	// +checklocks:mu
	until time.Time
}

// Stats counts since New.
type Stats struct {
	Revoked   uint64 `json:"revoked"`   // events that have become revocations, stored
	Ignored   uint64 `json:"ignored"`   // that mean nothing here, are about no player of ours, or are too old to matter
	Repeated  uint64 `json:"repeated"`  // acknowledged before
	Verified  uint64 `json:"verified"`  // verifications of a stream
	Refused   uint64 `json:"refused"`   // with a code of RFC 8935
	Postponed uint64 `json:"postponed"` // the transmitter is to try again

	Last         time.Time `json:"last,omitzero"`          // newest SET that was acknowledged
	LastVerified time.Time `json:"last_verified,omitzero"` // newest verification
}

// New returns a Receiver. Errors match ErrConfig or token.ErrConfig.
func New(config Config) (*Receiver, error) {
	config, err := config.WithDefaults()
	if err != nil {
		return nil, err
	}
	r := &Receiver{
		config: config, transmitters: map[string]*transmitter{}, window: newWindow(config.Window),
		turns: make(chan struct{}, config.AtOnce), report: reporter{log: config.Log, audit: config.Audit},
	}
	var profiles []token.Profile
	for _, t := range config.Transmitters {
		name := t.Profile.Name
		if name == "" {
			name = t.Profile.Issuer
		}
		if t.Players == nil {
			t.Players = map[string]string{t.Profile.Issuer: name}
		}
		if r.transmitters[name] != nil {
			return nil, badConfig("Transmitters: two have one Profile.Name")
		}
		r.transmitters[name] = &transmitter{Transmitter: t, rate: rate.NewLimiter(rate.Limit(config.Rate), config.Burst)}
		r.open = r.open || t.Authorization.reveal() == ""
		profiles = append(profiles, t.Profile)
	}
	if r.verifier, err = token.NewEventVerifier(profiles...); err != nil {
		return nil, err
	}
	return r, nil
}

// Stats returns the counts.
func (r *Receiver) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

// take does what a SET says, and returns why it is not acknowledged. expected says whether it is one
// that may come this way.
func (r *Receiver) take(ctx context.Context, now time.Time, raw []byte, expected func(*transmitter, *token.Event) *refusal) (why *refusal) {
	defer func() { r.count(why, now) }()
	select {
	case r.turns <- struct{}{}:
		defer func() { <-r.turns }()
	case <-ctx.Done():
		return later(503, "the receiver is going away")
	case <-time.After(waitTurn):
		return later(503, "the receiver is busy")
	}
	set, err := r.verifier.Verify(ctx, now, raw)
	if err != nil {
		return refused(err)
	}
	t := r.transmitters[set.Issuer]
	if why := expected(t, set); why != nil {
		return why
	}
	switch {
	case r.window.has(set.Issuer, set.ID): // RFC 8935 2.2: it is acknowledged again, and takes no room of others
		r.add(func(s *Stats) { s.Repeated++ })
		return nil
	case !t.rate.AllowN(now, 1):
		return later(429, "more events than Config.Rate allows")
	}
	e, why := parse(set.Claims, set.IssuedAt, now)
	if why == nil {
		why = r.act(t, e, now)
	}
	if why == nil {
		r.window.add(set.Issuer, set.ID)
	}
	return why
}

// act does what an event says.
func (r *Receiver) act(t *transmitter, e event, now time.Time) *refusal {
	switch e.means {
	case meansVerified:
		return r.verified(t, e, now)
	case meansStream:
		if e.payload["status"] != "enabled" {
			r.report.alarm("a transmitter has stopped its stream: revocations of its players do not arrive until it is enabled again", t.Profile.Issuer)
		}
		return nil
	case meansNothing:
		r.add(func(s *Stats) { s.Ignored++ })
		return nil
	}
	records, why := t.about(e)
	if why != nil {
		r.report.alarm("an event could not be put into effect: "+why.text, t.Profile.Issuer)
		return why
	}
	if len(records) == 0 || records[0].Kind == revocation.KindSubject && now.Sub(e.when) > oldest {
		r.add(func(s *Stats) { s.Ignored++ })
		return nil
	}
	if _, err := r.config.Publisher.Append(records...); err != nil {
		r.report.alarm("a revocation could not be stored, and the transmitter is to send its event again", t.Profile.Issuer)
		return later(503, "the revocation could not be stored")
	}
	r.add(func(s *Stats) { s.Revoked++ })
	for _, record := range records {
		r.report.withdrawn(e.kind, record, t.Profile.Issuer)
	}
	return nil
}

// verified handles a verification of the stream.
func (r *Receiver) verified(t *transmitter, e event, now time.Time) *refusal {
	if state, ok := e.payload["state"]; ok && !t.expects(state, now) {
		return &refusal{"invalid_state", "state is not that of a verification that was asked for", 400, "state"}
	}
	r.add(func(s *Stats) {
		s.Verified++
		s.LastVerified = now
	})
	return nil
}

func (r *Receiver) add(change func(*Stats)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.stats)
}

// count counts the outcome of a SET.
func (r *Receiver) count(why *refusal, now time.Time) {
	r.add(func(s *Stats) {
		switch {
		case why == nil:
			s.Last = now
		case why.err == "":
			s.Postponed++
		default:
			s.Refused++
		}
	})
	if why != nil {
		r.report.refused(why)
	}
}
