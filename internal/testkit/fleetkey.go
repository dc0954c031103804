package testkit

import (
	"testing"

	"github.com/sallyport/sallyport/fleetkey"
)

// FleetKey returns a key that the servers of a fleet may share.
func FleetKey(t testing.TB) fleetkey.Key {
	t.Helper()
	key, err := fleetkey.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Ring returns a ring that holds a FleetKey.
func Ring(t testing.TB) *fleetkey.Ring {
	t.Helper()
	ring, err := fleetkey.NewRing(FleetKey(t))
	if err != nil {
		t.Fatal(err)
	}
	return ring
}
