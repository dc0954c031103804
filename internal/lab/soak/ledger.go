package soak

import "sync/atomic"

// ledger knows of each of the last inputs how many of those before it the impairment had taken. The sender writes, the
// receiver reads.
type ledger [ledgerLen]atomic.Uint64

// note is called before an input is sent.
func (l *ledger) note(number uint32, taken uint64) { l[number%ledgerLen].Store(taken) }

// taken is how many inputs up to number were taken, if number itself was not.
func (l *ledger) taken(number uint32) uint64 { return l[number%ledgerLen].Load() }
