//go:build linux

package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// host says what kind of machine this is, never which.
func host() string {
	var u unix.Utsname
	kernel := "unknown"
	if unix.Uname(&u) == nil {
		kernel = unix.ByteSliceToString(u.Release[:])
	}
	return fmt.Sprintf("%s, %d processors, Linux %s, %s %s", processorModel(), runtime.NumCPU(), kernel, runtime.Version(), runtime.GOARCH)
}

func processorModel() string {
	b, _ := os.ReadFile("/proc/cpuinfo") // empty where the kernel has none
	for line := range strings.Lines(string(b)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "a processor without a name"
}
