package keys

import (
	"errors"
	"fmt"
)

var (
	// ErrConfig is matched by errors of NewKeeper and NewHolder about their configuration. The text
	// names the field.
	ErrConfig = errors.New("keys: bad configuration")

	// ErrStore is matched by errors of a Keeper whose state cannot be read or written: nothing has
	// changed then.
	ErrStore = errors.New("keys: the store")

	// ErrBusy means that a rotation is under way, or that as many keys as a ring has wait to be
	// dropped.
	ErrBusy = errors.New("keys: a rotation is under way: wait until it is over")

	// ErrBehind means that an instance has a ring that this Keeper has not made: its store was lost
	// or rolled back, or another Keeper serves the fleet. Restore the newest store, or call Emergency.
	ErrBehind = errors.New("keys: the fleet is ahead of this keeper's store: restore the newest one, or start a new epoch by an emergency rotation")

	// ErrInstance means that the Keeper serves no such instance.
	ErrInstance = errors.New("keys: no such instance")
)

// Refusals of a message. Their texts quote nothing of it.
var (
	errForm      = errors.New("not a message of this protocol")
	errFleet     = errors.New("for another fleet: give both the same Fleet")
	errSignature = errors.New("its signature does not verify")
	errClock     = errors.New("made more than two minutes ago or ahead: set the clocks, or it was replayed")
	errReplay    = errors.New("a repetition of an earlier one")
	errIdentity  = errors.New("another service, or another key, under the instance's number")
	errFull      = errors.New("MaxInstances are served already")
	errStale     = errors.New("older than what this server has")
	errOther     = errors.New("for another instance")
	errSealed    = errors.New("its ring does not open")
)

func badConfig(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
}
