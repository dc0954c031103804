package keys

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleetkey"
)

// KeeperConfig configures a Keeper. Identity, Carrier, Fleet and Directory are required.
type KeeperConfig struct {
	Identity  *identity.Source // with the permission to rotate keys; instances need that to receive them
	Carrier   Carrier
	Fleet     string // name of the fleet, the same for its Holders: 1 to 128 bytes without spaces
	Directory string // of the Keeper's own, for its keys. One Keeper uses it at a time

	Life         time.Duration // longest life of a ticket: of an identity token. Zero means DefaultLife; negative is an error
	Lease        time.Duration // how long an instance seals unheard. Zero means DefaultLease; negative, or less than 30 s, is an error
	RotateEvery  time.Duration // zero means DefaultRotateEvery; negative means only by Rotate
	MaxInstances int           // zero means DefaultMaxInstances; negative is an error

	Log   *slog.Logger // nil for none
	Audit audit.Sink   // nil for none
}

// WithDefaults returns c with its zero values filled in. Errors match ErrConfig.
func (c KeeperConfig) WithDefaults() (KeeperConfig, error) {
	if c.Life == 0 {
		c.Life = DefaultLife
	}
	if c.Lease == 0 {
		c.Lease = DefaultLease
	}
	if c.RotateEvery == 0 {
		c.RotateEvery = DefaultRotateEvery
	}
	if c.MaxInstances == 0 {
		c.MaxInstances = DefaultMaxInstances
	}
	switch {
	case c.Directory == "":
		return c, badConfig("Directory is missing: a Keeper that forgets its keys loses every ticket")
	case c.Lease < minLease || c.Lease > 24*time.Hour:
		return c, badConfig("Lease must be 30 s to 24 h")
	case c.MaxInstances < 0:
		return c, badConfig("MaxInstances must not be negative")
	}
	return c, badMember(c.Identity, c.Carrier, c.Fleet, c.Life)
}

// badMember returns what is wrong with what Keeper and Holders of a fleet have in common, nil if nothing is.
func badMember(s *identity.Source, c Carrier, fleet string, life time.Duration) error {
	switch {
	case s == nil:
		return badConfig("Identity is missing")
	case c == nil:
		return badConfig("Carrier is missing")
	case fleet == "" || len(fleet) > maxFleetName || strings.ContainsFunc(fleet, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return badConfig("Fleet must have 1 to %d bytes, and no space or control character", maxFleetName)
	case life < 0 || life > 7*24*time.Hour:
		return badConfig("Life must be at most a week, and not negative")
	}
	return nil
}

// Keeper makes the keys of a fleet, hands them out and rotates them. A fleet has one; while it is
// away, everything but rotation goes on for Lease. It is safe for concurrent use.
type Keeper struct {
	config KeeperConfig
	report *reporter
	unlock func()

	mu sync.Mutex
	// +checklocks:mu
	state *keeping
	// +checklocks:mu
	closed bool
}

// NewKeeper reads the keys of the fleet, or makes the first. Errors match ErrConfig or ErrStore.
func NewKeeper(config KeeperConfig) (*Keeper, error) {
	config, err := config.WithDefaults()
	if err != nil {
		return nil, err
	}
	k := &Keeper{config: config, report: &reporter{log: config.Log, audit: config.Audit}}
	if k.unlock, err = lock(k.path()); err != nil {
		return nil, errors.Join(ErrStore, err)
	}
	now := time.Now()
	k.state = &keeping{
		fleet: config.Fleet, identity: spiffe{config.Identity, identity.ReceiveKeys}, life: config.Life, lease: config.Lease,
		rotateEvery: config.RotateEvery, maxInstances: config.MaxInstances,
		members: map[instance]*member{}, random: fleetkey.Generate,
	}
	if err := k.load(now); err != nil {
		k.unlock()
		return nil, err
	}
	return k, nil
}

// +checklocksignore: nobody else has k yet.
func (k *Keeper) load(now time.Time) error {
	b, err := readFile(k.path(), 64<<20)
	if err != nil {
		return errors.Join(ErrStore, err)
	}
	defer clear(b)
	if b != nil {
		return k.state.restore(now, b)
	}
	if err := k.state.found(now); err != nil {
		return err
	}
	return k.save()
}

func (k *Keeper) path() string { return filepath.Join(k.config.Directory, "keeper") }

// save makes what has changed permanent.
//
// +checklocks:k.mu
func (k *Keeper) save() error {
	if !k.state.dirty {
		return nil
	}
	b, err := k.state.state()
	if err == nil {
		err = writeFile(k.path(), b)
		clear(b)
	}
	if err != nil {
		k.report.refused("the keeper's state cannot be saved: no key is handed out until it can", err)
		return errors.Join(ErrStore, err)
	}
	k.state.written()
	return nil
}

// Run serves the fleet until ctx is done, then returns nil; an error says why it cannot begin. Call
// it once.
func (k *Keeper) Run(ctx context.Context) error {
	stop, err := k.config.Carrier.Subscribe(announcements, func(b []byte) { k.receive(ctx, time.Now(), b) })
	if err != nil {
		return err
	}
	defer stop()
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		k.turn(ctx, time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Close lets another Keeper use the directory. Run must have returned.
func (k *Keeper) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.closed {
		k.closed = true
		k.unlock()
	}
	return nil
}

// receive handles one announcement.
func (k *Keeper) receive(ctx context.Context, now time.Time, b []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	i, answer, err := k.state.announced(now, b)
	if err != nil {
		k.report.refused("an announcement was refused", err)
	}
	k.state.advance(now)
	answer = answer && k.state.members[i] != nil // the policy may have changed meanwhile
	everyone := k.state.everyone
	switch err := k.flush(ctx); {
	case !answer:
	case err == nil && !everyone, errors.Is(err, ErrStore) && k.state.renews(i):
		k.send(ctx, i)
	}
}

// turn does what time has made due.
func (k *Keeper) turn(ctx context.Context, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state.advance(now)
	_ = k.flush(ctx)
}

// flush saves, and then tells everybody what everybody is to know.
//
// +checklocks:k.mu
func (k *Keeper) flush(ctx context.Context) error {
	if err := k.save(); err != nil {
		return err
	}
	for _, n := range k.state.notes {
		k.report.note(n)
	}
	k.state.notes = nil
	if k.state.ahead != (version{}) {
		return ErrBehind
	}
	if k.state.everyone {
		k.state.everyone = false
		for i := range k.state.members {
			k.send(ctx, i)
		}
	}
	return nil
}

// send sends a grant. One that is lost is asked for by the instance's next announcement.
//
// +checklocks:k.mu
func (k *Keeper) send(ctx context.Context, i instance) {
	b, err := k.state.grantTo(i)
	if err == nil {
		err = k.config.Carrier.Publish(ctx, grants(i), b)
	}
	if err != nil {
		k.report.refused("a grant could not be sent", err)
	}
}

// Rotate begins a rotation, which goes on by itself; Status says how far it is. Errors match ErrBusy,
// ErrBehind or ErrStore.
func (k *Keeper) Rotate(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.state.rotate(time.Now()); err != nil {
		return err
	}
	return k.flush(ctx)
}

// Emergency drops all keys at once because one has leaked, and returns what that costs. It also
// ends ErrBehind, by a new epoch. If the error matches ErrStore, nobody has been told yet, and the
// Keeper tries again by itself.
func (k *Keeper) Emergency(ctx context.Context) (Loss, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	loss, err := k.state.emergency(time.Now())
	if err != nil {
		return loss, err
	}
	return loss, k.flush(ctx)
}

// Forget leaves out an instance that the operator knows to have ended, so that no step waits for
// its lease. If it still runs, tickets may be refused. Errors match ErrInstance or ErrStore.
func (k *Keeper) Forget(ctx context.Context, number string) error {
	i, ok := parseInstance(number)
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, there := k.state.members[i]; !ok || !there {
		return ErrInstance
	}
	now := time.Now()
	k.state.remove(now, i, "an operator said so")
	k.state.advance(now)
	return k.flush(ctx)
}

// Status is the state of a fleet's keys.
type Status struct {
	Fleet     string           `json:"fleet"`
	Epoch     uint64           `json:"epoch"`
	Revision  uint64           `json:"revision"`
	Phase     Phase            `json:"phase"`
	Behind    bool             `json:"behind"`  // see ErrBehind
	Unsaved   bool             `json:"unsaved"` // the store cannot be written
	Keys      []KeyStatus      `json:"keys"`
	Instances []InstanceStatus `json:"instances"` // by service and number
}

// KeyStatus is a key of the ring.
type KeyStatus struct {
	ID    string    `json:"id"` // as in key files
	Role  Role      `json:"role"`
	Since time.Time `json:"since"`          // when it was made, or began to seal
	Until time.Time `json:"until,omitzero"` // when it is dropped, once that is known
}

// InstanceStatus is one process of a server.
type InstanceStatus struct {
	Service  string    `json:"service"` // SPIFFE id
	Instance string    `json:"instance"`
	Current  bool      `json:"current"` // it has the ring; a step waits for it otherwise
	Heard    time.Time `json:"heard"`   // its last announcement, or when the Keeper started
	Until    time.Time `json:"until"`   // when it is left out, if nothing is heard of it
}

// Status returns the present state of the keys.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := Status{
		Fleet: k.config.Fleet, Epoch: k.state.ring.epoch, Revision: k.state.ring.revision, Phase: k.state.phase,
		Behind: k.state.ahead != (version{}), Unsaved: k.state.dirty,
	}
	for _, f := range k.state.keys {
		s.Keys = append(s.Keys, KeyStatus{ID: keyID(f.key), Role: f.role, Since: f.since.UTC(), Until: f.until.UTC()})
	}
	for i, m := range k.state.members {
		s.Instances = append(s.Instances, InstanceStatus{
			Service: m.id, Instance: i.String(), Current: m.has == k.state.ring,
			Heard: m.heard.UTC(), Until: m.over().UTC(),
		})
	}
	slices.SortFunc(s.Instances, func(a, b InstanceStatus) int {
		return cmp.Or(strings.Compare(a.Service, b.Service), strings.Compare(a.Instance, b.Instance))
	})
	return s
}
