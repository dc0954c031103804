package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/fleet/keys"
)

// Rotator makes and rotates the keys of the fleet. A *keys.Keeper does. Its methods are safe for
// concurrent use.
type Rotator interface {
	Status() keys.Status
	Rotate(ctx context.Context) error
	Emergency(ctx context.Context) (keys.Loss, error)
	Forget(ctx context.Context, instance string) error
}

// Keys is the answer of GET /v1/keys. It never has a key, only ids, of 8 hexadecimal digits as in
// key files.
type Keys struct {
	Keys  []Key        `json:"keys"`            // of the server's ring; none where it has no match
	Fleet *keys.Status `json:"fleet,omitempty"` // where the fleet's keys are kept
}

// Key is a fleet key of a server.
type Key struct {
	ID    string `json:"id"`
	Seals bool   `json:"seals"` // the one that new tickets are sealed with; the others open tickets only
}

func (a *api) keys() Keys {
	k := Keys{Keys: []Key{}}
	for i, id := range a.config.Keys.IDs() {
		k.Keys = append(k.Keys, Key{fmt.Sprintf("%08x", id), i == 0})
	}
	if a.config.Rotator != nil {
		s := a.config.Rotator.Status()
		k.Fleet = &s
	}
	return k
}

// getKeys is GET /v1/keys.
func (a *api) getKeys(c *call) (any, *Problem) {
	if problem := query(c.r, nil); problem != nil {
		return nil, problem
	}
	return a.keys(), nil
}

// rotateKeys is POST /v1/keys/rotate.
func (a *api) rotateKeys(c *call) (any, *Problem) {
	if problem := object(c.w, c.r, nil); problem != nil {
		return nil, problem
	}
	if a.config.Rotator == nil {
		return nil, problemNoKeys
	}
	return a.rotated(a.config.Rotator.Rotate(c.r.Context()))
}

// dropKeys is POST /v1/keys/emergency.
func (a *api) dropKeys(c *call) (any, *Problem) {
	if problem := object(c.w, c.r, nil); problem != nil {
		return nil, problem
	}
	if a.config.Rotator == nil {
		return nil, problemNoKeys
	}
	loss, err := a.config.Rotator.Emergency(c.r.Context())
	c.detail = fmt.Sprintf("dropped %d keys", len(loss.Dropped))
	return a.rotated(err)
}

// forgetInstance is POST /v1/keys/forget.
func (a *api) forgetInstance(c *call) (any, *Problem) {
	var instance string
	if problem := object(c.w, c.r, map[string]any{"instance": &instance}); problem != nil {
		return nil, problem
	}
	switch {
	case a.config.Rotator == nil:
		return nil, problemNoKeys
	case parseName(instance) == nil:
		return nil, problemBody.with("instance")
	}
	return a.rotated(a.config.Rotator.Forget(c.r.Context(), instance))
}

// rotated is the outcome of a change of the fleet's keys.
func (a *api) rotated(err error) (any, *Problem) {
	switch {
	case err == nil:
		return a.keys(), nil
	case errors.Is(err, keys.ErrBusy):
		return nil, problemRotating
	case errors.Is(err, keys.ErrBehind):
		return nil, problemBehind
	case errors.Is(err, keys.ErrInstance):
		return nil, problemInstance
	}
	return nil, a.failed(err)
}
