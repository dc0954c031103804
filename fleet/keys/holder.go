package keys

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleetkey"
)

// HolderConfig configures a Holder. Identity, Carrier, Fleet and Ring are required.
type HolderConfig struct {
	Identity *identity.Source // with the permission to receive keys; the Keeper needs that to rotate them
	Carrier  Carrier
	Fleet    string         // name of the fleet, as the Keeper has it
	Ring     *fleetkey.Ring // session.Config.FleetKeys of the match server, which nobody else changes

	// File is where the server keeps the keys, mode 0600, for the process that replaces it. Without
	// one a restarted server has no keys until the Keeper answers, so it can take over no snapshot.
	File string

	Life time.Duration // longest life of a ticket, as the Keeper has it. Zero means DefaultLife; negative is an error

	Log   *slog.Logger // nil for none
	Audit audit.Sink   // nil for none
}

// WithDefaults returns c with its zero values filled in. Errors match ErrConfig.
func (c HolderConfig) WithDefaults() (HolderConfig, error) {
	if c.Life == 0 {
		c.Life = DefaultLife
	}
	if c.Ring == nil {
		return c, badConfig("Ring is missing: give it to session.Config.FleetKeys, too")
	}
	return c, badMember(c.Identity, c.Carrier, c.Fleet, c.Life)
}

// Holder keeps the ring of one match server as the Keeper has it. It is safe for concurrent use.
type Holder struct {
	config HolderConfig
	report *reporter
	unlock func() // nil without a File, and while another process has it
	due    chan struct{}

	mu sync.Mutex
	// +checklocks:mu
	state *holding
	// +checklocks:mu
	closed bool
}

// NewHolder fills the ring from File, or with a key of the server's own until the Keeper answers.
// Errors match ErrConfig.
func NewHolder(config HolderConfig) (*Holder, error) {
	config, err := config.WithDefaults()
	if err != nil {
		return nil, err
	}
	h := &Holder{config: config, report: &reporter{log: config.Log, audit: config.Audit}, due: make(chan struct{}, 1)}
	h.state = &holding{fleet: config.Fleet, identity: spiffe{config.Identity, identity.RotateKeys}, ring: config.Ring, life: config.Life}
	if err := h.begin(time.Now()); err != nil {
		_ = h.Close()
		return nil, err
	}
	return h, nil
}

// begin reads the file, if there is one.
//
// +checklocksignore: nobody else has h yet.
func (h *Holder) begin(now time.Time) error {
	if h.config.File == "" {
		return h.state.begin(now)
	}
	h.state.save = h.save
	unlock, err := lock(h.config.File)
	if err != nil && !errors.Is(err, errLocked) {
		return badConfig("File: %v", err)
	}
	h.unlock = unlock
	b, err := readFile(h.config.File, 16<<10)
	defer clear(b)
	if err == nil && b != nil {
		err = h.state.decode(now, b, unlock != nil)
	}
	if err != nil {
		return badConfig("File: %v", err)
	}
	return h.state.begin(now)
}

// save writes the file. It removes it if that fails: no keys are better than old ones.
//
// +checklocks:h.mu
func (h *Holder) save(now time.Time) error {
	if h.unlock == nil { // until the process that has it has ended
		unlock, err := lock(h.config.File)
		if err != nil {
			return nil //nolint:nilerr // that process keeps its own keys there
		}
		h.unlock = unlock
	}
	b, err := h.state.encode(now)
	if err != nil {
		return err
	}
	defer clear(b)
	if err := writeFile(h.config.File, b); err != nil {
		h.report.refused("fleet keys cannot be written to File: a restart would lose them", err)
		if err := os.Remove(h.config.File); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Run keeps the ring up to date until ctx is done, then returns nil; an error says why it cannot
// begin. Call it once. Without a File it takes leave of the Keeper at its end, so end it after the
// server.
func (h *Holder) Run(ctx context.Context) error {
	stop, err := h.config.Carrier.Subscribe(grants(h.number()), func(b []byte) { h.receive(time.Now(), b) })
	if err != nil {
		return err
	}
	defer stop()
	wait := announceSoon
	for {
		settled := h.turn(ctx, time.Now(), false)
		if wait = min(2*wait, DefaultAnnounce); settled {
			wait = DefaultAnnounce
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			if h.config.File == "" {
				h.turn(context.WithoutCancel(ctx), time.Now(), true)
			}
			return nil
		case <-h.due:
			timer.Stop()
			wait = announceSoon
		case <-timer.C:
		}
	}
}

// Close lets another process use the file. Run must have returned. The ring keeps its keys.
func (h *Holder) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.unlock != nil && !h.closed {
		h.unlock()
	}
	h.closed = true
	return nil
}

func (h *Holder) number() instance {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.instance
}

// turn announces the instance, and reports whether it lacks nothing.
func (h *Holder) turn(ctx context.Context, now time.Time, leaving bool) (settled bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	was := h.state.sealing
	err := h.state.refresh(now, false)
	if was && !h.state.sealing {
		h.report.note(note{true, "the keeper has been silent for a lease: tickets are sealed with a key of this server's own, " +
			"so players resume here and nowhere else. Is the broker up, and the keeper?", nil})
	}
	b, errAnnounce := h.state.announce(now, leaving)
	if err = errors.Join(err, errAnnounce); err == nil {
		err = h.config.Carrier.Publish(ctx, announcements, b)
	}
	if err != nil {
		h.report.refused("an announcement could not be sent", err)
	}
	return h.state.sealing && h.state.saved == h.state.has
}

// receive handles one grant.
func (h *Holder) receive(now time.Time, b []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	was := h.state.sealing
	changed, err := h.state.granted(now, b)
	if err != nil {
		h.report.refused("a grant was refused", err)
	}
	if changed {
		h.report.note(note{false, "the ring has changed", []any{"seals", keyID(h.state.filled[0]), "keys", len(h.state.filled)}})
	}
	if changed || was != h.state.sealing {
		select { // the Keeper waits to hear of it
		case h.due <- struct{}{}:
		default:
		}
	}
}

// HolderStatus is the state of one server's keys.
type HolderStatus struct {
	Instance string    `json:"instance"`
	Epoch    uint64    `json:"epoch"` // 0 until the Keeper has answered
	Revision uint64    `json:"revision"`
	Keys     []string  `json:"keys"`   // ids in the ring, the one that seals first
	Joined   bool      `json:"joined"` // a key of the fleet seals
	Lease    time.Time `json:"lease,omitzero"`
}

// Status returns the present state of the keys.
func (h *Holder) Status() HolderStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := HolderStatus{
		Instance: h.state.instance.String(), Epoch: h.state.has.epoch, Revision: h.state.has.revision,
		Joined: h.state.sealing, Lease: h.state.lease.UTC(),
	}
	for _, k := range h.state.filled {
		s.Keys = append(s.Keys, keyID(k))
	}
	return s
}
