//go:build linux && !cgo

package enet

import (
	"errors"
	"net/netip"
	"unsafe"
)

// Without cgo no library of C can be loaded, and nothing below is called.
func load(string) error { return errors.New("enet: the benchmark was built without cgo") }

func create(bool, int, int) unsafe.Pointer                       { return nil }
func destroy(unsafe.Pointer)                                     {}
func port(unsafe.Pointer) int                                    { return 0 }
func descriptor(unsafe.Pointer) int                              { return -1 }
func connect(unsafe.Pointer, netip.AddrPort, int) unsafe.Pointer { return nil }
func service(unsafe.Pointer) event                               { return event{kind: -1} }
func wait(unsafe.Pointer, int)                                   {}
func send(unsafe.Pointer, unsafe.Pointer, int, []byte) bool      { return false }
