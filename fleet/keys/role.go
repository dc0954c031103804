package keys

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/sallyport/sallyport/fleetkey"
)

// Phase is how far a rotation is. The numbers are in a Keeper's store.
type Phase uint8

const (
	PhaseSteady Phase = iota + 1 // one key, which seals
	PhaseSpread                  // the next key goes to each server; the old one seals
	PhaseSwitch                  // the next key seals on each server that has heard of it
	PhaseDrain                   // the next key seals everywhere; the old one opens what it has sealed
)

// String returns "steady", "spread", "switch", "drain", or "phase N".
func (p Phase) String() string {
	switch p {
	case PhaseSteady:
		return "steady"
	case PhaseSpread:
		return "spread"
	case PhaseSwitch:
		return "switch"
	case PhaseDrain:
		return "drain"
	}
	return "phase " + strconv.Itoa(int(p))
}

// MarshalText returns what String does.
func (p Phase) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what MarshalText writes of a phase that exists.
func (p *Phase) UnmarshalText(text []byte) error {
	for *p = PhaseSteady; *p <= PhaseDrain; *p++ {
		if p.String() == string(text) {
			return nil
		}
	}
	return errors.New("keys: there is no such phase")
}

// Role is what a key of a ring is for. The numbers are in a Keeper's store.
type Role uint8

const (
	RoleSealing Role = iota + 1 // seals and opens
	RoleNext                    // opens, and will seal
	RoleFormer                  // opens, until its tickets have expired
)

// String returns "sealing", "next", "former", or "role N".
func (r Role) String() string {
	switch r {
	case RoleSealing:
		return "sealing"
	case RoleNext:
		return "next"
	case RoleFormer:
		return "former"
	}
	return "role " + strconv.Itoa(int(r))
}

// MarshalText returns what String does.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText writes of a role that exists.
func (r *Role) UnmarshalText(text []byte) error {
	for *r = RoleSealing; *r <= RoleFormer; *r++ {
		if r.String() == string(text) {
			return nil
		}
	}
	return errors.New("keys: there is no such role")
}

// Loss is what an emergency rotation costs.
type Loss struct {
	Dropped   []uint32 `json:"dropped"`   // ids of the keys that open nothing any more
	Sealing   uint32   `json:"sealing"`   // id of the only key
	Instances int      `json:"instances"` // that are told
}

// String returns the loss as a sentence for an operator.
func (l Loss) String() string {
	return fmt.Sprintf("tickets that %d keys have sealed are refused from now on, on each of %d servers as soon as it hears of it. "+
		"Players who are connected go on. One whose connection breaks before the next renewal of the identity token signs in again. "+
		"Snapshots that no successor has read yet are lost", len(l.Dropped), l.Instances)
}

// keyID returns the id of a key as key files have it.
func keyID(k fleetkey.Key) string {
	return hex.EncodeToString(binary.BigEndian.AppendUint32(nil, k.ID()))
}
