//go:build !unix

package gameserver

// cpuMicroseconds is nil: this system is not asked.
func cpuMicroseconds() *int64 { return nil }
